"""The registry of known models: written, read and refused; and that of the package itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from helpers.hub_server import COMMIT, register, tiny_bytes

from rdzip import hub
from rdzip.errors import ModelError
from rdzip.hub import registry
from rdzip.models import model_file

pytestmark = pytest.mark.usefixtures("places")


def test_registry_round_trip_and_replacement(places: Path) -> None:
    first = register(tiny_bytes(1), bundle=True)
    other = register(tiny_bytes(2, id="other"), bundle=True, hosted=False)
    assert registry.entries() == (first, other)
    again = register(tiny_bytes(3), bundle=True)
    assert registry.entries() == (other, again)
    assert hub.resolve("tiny").sha256 == again.sha256


@pytest.mark.parametrize(
    "change",
    [
        {"file": "../evil.safetensors"},
        {"file": "model.pt"},
        {"revision": "main"},
        {"sha256": "00"},
        {"codecs": []},
        {"repo": "one/two/three"},
        {"bytes": 0},
        {"research": 1},
        {"surprise": 1},
    ],
)
def test_a_wrong_registry_is_refused(change: dict[str, Any]) -> None:
    good = {"id": "a", "file": "a.safetensors", "sha256": "0" * 64, "bytes": 9, "codecs": ["causal"], "licence": "MIT"}
    good |= {"repo": "org/name", "revision": COMMIT} | change
    text = "[[model]]\n" + "".join(f"{key} = {registry._toml(value)}\n" for key, value in good.items())
    (registry.WEIGHTS / registry.REGISTRY).write_text(text)
    with pytest.raises(ModelError):
        registry.entries()


def test_the_registry_tool(places: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = places / "new.safetensors"
    path.write_bytes(tiny_bytes(id="new"))
    assert registry.main([str(path), "--research", "--measured", "kodak_bpsp=3.01"]) == 0
    assert "[[model]]" in capsys.readouterr().out
    assert registry.entries()[0].measured == {"kodak_bpsp": 3.01}
    assert registry.entries()[0].research
    assert hub.resolve("new").source == "bundled"
    assert registry.main([str(path), "--no-bundle"]) == 1
    assert "neither bundled nor on the hub" in capsys.readouterr().err


def test_the_packages_own_registry_and_weights() -> None:
    package = Path(registry.__file__).parents[1] / "weights"
    for entry in registry.entries(package):
        path = package / entry.file
        if path.exists():
            assert model_file.sha256(path) == entry.sha256
            assert path.stat().st_size == entry.bytes
            assert model_file.read_meta(path)["id"] == entry.id
        else:
            assert entry.repo is not None
