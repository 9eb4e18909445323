"""A model of one's own for others: exported with card and licence, pushed, and found by the files made with it."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from helpers import hub_server, tiny_causal
from helpers.cli_support import Cli
from helpers.hub_server import NEW_REPO, UPLOADED, Hub
from PIL import Image

import rdzip as library
from rdzip import hub
from rdzip.errors import InputError, ModelError
from rdzip.formats import container
from rdzip.formats.container import SectionType
from rdzip.hub import origin, publish
from rdzip.hub.origin import Origin
from rdzip.models import model_file
from rdzip.models.causal.export import export as export_causal

pytestmark = pytest.mark.usefixtures("places")


@pytest.fixture
def server() -> Iterator[Hub]:
    with hub_server.serving() as served:
        yield served


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    facts = {"id": "tiny-run", "steps": 5, "licence": "MIT", "rates": {"colour": 3.25}}
    export_causal(folder / "tiny-run.safetensors", tiny_causal.nets(), facts)
    return folder


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    y, x = np.mgrid[:24, :32]
    Image.fromarray(np.stack([x * 5, y * 7, x + y], -1).astype(np.uint8)).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def test_an_export_has_everything_that_is_published(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "mine"
    path = publish.export(run, "mine", out, licence="CC-BY-SA-4.0", measured={"bpsp": 3.1})
    document = model_file.read_meta(path)
    assert (document["id"], document["licence"], document["measured"]) == ("mine", "CC-BY-SA-4.0", {"bpsp": 3.1})
    hub.verify(path)
    card = (out / "README.md").read_text()
    for part in ("license: cc-by-sa-4.0", "# mine", model_file.sha256(path), document["known_answer"], "3.25", "3.1"):
        assert part in card
    assert json.loads((out / "metrics.json").read_text()) == {"rates": {"colour": 3.25}, "measured": {"bpsp": 3.1}}
    assert "CC-BY-SA-4.0" in (out / "LICENSE").read_text()
    with pytest.raises(InputError, match="exists already"):
        publish.export(run, "mine", out)


def test_what_cannot_be_exported(run: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="`name`: expected"):
        publish.export(run, "Not An Id", tmp_path / "out")
    unfinished = tmp_path / "unfinished"
    unfinished.mkdir()
    with pytest.raises(InputError, match="expected a finished run"):
        publish.export(unfinished, "mine", tmp_path / "out")
    (unfinished / "checkpoint.pt").write_bytes(b"")
    with pytest.raises(InputError, match="`resume`"):
        publish.export(unfinished, "mine", tmp_path / "out")
    shutil.copy(run / "tiny-run.safetensors", run / "other.safetensors")
    with pytest.raises(InputError, match="name the file itself"):
        publish.export(run, "mine", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_whole_way(
    rdzip: Cli, run: Path, picture: Path, tmp_path: Path, server: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    out = tmp_path / "mine"
    assert rdzip("models", "export", run, "--id", "mine", "-O", out, "--measured", "bpsp=3.1").code == 0
    before = rdzip("compress", picture, "-m", out / "mine.safetensors", "--codec", "causal", "-o", tmp_path / "b.rdz")
    assert before.code == 0
    pushed = rdzip("models", "push", out, NEW_REPO)
    assert pushed.code == 0, pushed.err
    place = pushed.out.decode().strip()
    assert place == f"{NEW_REPO}@{UPLOADED}/mine.safetensors"
    assert set(server.uploaded) == {"mine.safetensors", "README.md", "metrics.json", "LICENSE"}
    assert server.uploaded["mine.safetensors"] == (out / "mine.safetensors").read_bytes()
    (listed,) = rdzip("models", "list", "--json").objects
    assert (listed["id"], listed["source"], listed["repo"]) == ("mine", "cache", NEW_REPO)
    assert "bpsp 3.1" in rdzip("models", "list").out.decode()

    packed = tmp_path / "a.rdz"
    assert rdzip("compress", picture, "-m", "mine", "--codec", "causal", "-o", packed).code == 0
    kept = [s.type for s in container.unpack(packed.read_bytes()).sections]
    assert kept == [SectionType.COLOUR, SectionType.SKELETON, SectionType.ORIGIN]
    assert container.unpack((tmp_path / "b.rdz").read_bytes()).find(SectionType.ORIGIN) is None

    shutil.rmtree(hub.cache_dir())
    server.requests.clear()
    refused = rdzip("decompress", packed, "-o", tmp_path / "back.png", "--offline")
    assert refused.code == 1
    assert "--fetch" in refused.err
    assert place in refused.err
    assert server.requests == []
    monkeypatch.delenv("HF_HUB_OFFLINE")
    back = rdzip("decompress", packed, "-o", tmp_path / "back.png", "--fetch")
    assert back.code == 0, back.err
    size = len(server.uploaded["mine.safetensors"])
    told = f"mine.safetensors of the repository {NEW_REPO} at {UPLOADED} ({size:,} bytes)"
    assert f"fetching the model that the file names: {told}" in back.err
    with Image.open(tmp_path / "back.png") as back, Image.open(picture) as image:
        np.testing.assert_array_equal(np.asarray(back), np.asarray(image))
    server.requests.clear()
    again = rdzip("test", packed)
    assert (again.code, server.requests) == (0, [])
    assert "fetching" not in again.err


def test_a_repository_that_gives_another_file(
    run: Path, picture: Path, server: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    publish.export(run, "mine", tmp_path / "mine")
    publish.push(tmp_path / "mine", NEW_REPO)
    packed = library.compress(picture, model="mine", codec="causal")
    shutil.rmtree(hub.cache_dir())
    good = server.uploaded["mine.safetensors"]
    server.uploaded["mine.safetensors"] = good[:-1] + bytes([good[-1] ^ 1])
    with pytest.raises(ModelError, match="wrong file"):
        library.decompress(packed, fetch=True)
    assert not list(hub.cache_dir().glob("*.safetensors"))


def test_pulling_by_place(server: Hub, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    caplog.set_level(logging.INFO)
    ref = hub.pull(f"{hub_server.REPO}@{hub_server.COMMIT}/{hub_server.FILE}")
    assert ref.path.read_bytes() == server.data
    assert ref.origin == Origin(hub_server.REPO, hub_server.COMMIT, hub_server.FILE, ref.sha256, len(server.data))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelError, match="switched off"):
        hub.pull(f"{hub_server.REPO}@{hub_server.COMMIT}/other.safetensors")


@pytest.mark.parametrize(
    "change",
    [
        {"repo": "one"},
        {"repo": "../up/name"},
        {"revision": "main"},
        {"file": "../evil.safetensors"},
        {"file": "model.pt"},
        {"file": f"{'x' * 300}.safetensors"},
        {"file": "a b.safetensors"},
        {"file": "'; rm -rf ~;'.safetensors"},
        {"file": "\x1b[2J.safetensors"},
        {"file": "m\n.safetensors"},
        {"repo": "a/b\u202e"},
        {"repo": "\u0430/b"},
        {"sha256": "00"},
        {"bytes": 1 << 40},
    ],
)
def test_places_that_are_none(change: dict[str, object]) -> None:
    good: dict[str, object] = {"repo": "a/b", "revision": "0" * 40, "file": "m.safetensors", "sha256": "1" * 64}
    assert origin.from_list(Origin(**good, bytes=9).to_list()) == Origin(**good, bytes=9)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="ORG/NAME@COMMIT"):
        Origin(**(good | {"bytes": 9} | change))  # type: ignore[arg-type]
    places = [["a/b", bytes(20), "m.safetensors", bytes(32), size] for size in (None, "9", 9.0, -1)]
    for wrong in (None, 5, [], ["a/b", "x", "m", b"", 1], ["a/b", b"1", "m.safetensors", b"2", 1], *places):
        with pytest.raises(ModelError):
            origin.from_list(wrong)


def test_pushes_that_fail(run: Path, tmp_path: Path, server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    with pytest.raises(InputError, match=r"found no README\.md"):
        publish.push(run, NEW_REPO)
    publish.export(run, "mine", tmp_path / "mine")
    with pytest.raises(InputError, match="ORG/NAME"):
        publish.push(tmp_path / "mine", "mine")
    server.behaviour = "forbidden"
    with pytest.raises(ModelError, match=r"uploading to .* failed"):
        publish.push(tmp_path / "mine", NEW_REPO)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelError, match="switched off"):
        publish.push(tmp_path / "mine", NEW_REPO)
