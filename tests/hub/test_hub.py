"""The hub against a loopback server that speaks the Hugging Face hub's HTTP interface."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers.hub_server import COMMIT, FILE, REPO, Hub, TinyModel, register, serving, tiny_bytes

from rdzip import hub
from rdzip.errors import ModelError
from rdzip.hub import download, registry
from rdzip.models import model_file

pytestmark = pytest.mark.usefixtures("places")


@pytest.fixture
def server() -> Iterator[Hub]:
    with serving() as served:
        yield served


def cached() -> list[Path]:
    return sorted(hub.cache_dir().rglob("*")) if hub.cache_dir().exists() else []


@pytest.mark.parametrize("behaviour", ["plain", "redirect", "truncate once"])
def test_a_model_is_fetched_checked_and_then_found_without_network(
    server: Hub, monkeypatch: pytest.MonkeyPatch, behaviour: str
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1024)
    server.behaviour = behaviour
    entry = register(server.data)
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    seen: list[float] = []
    try:
        ref = hub.pull("tiny", seen.append)
    except ModelError:  # huggingface_hub resumes a broken transfer since version 2 only
        assert behaviour == "truncate once"
        assert cached() == []
        server.behaviour = "plain"
        ref = hub.pull("tiny", seen.append)
    assert (ref.source, ref.sha256, ref.codecs) == ("cache", entry.sha256, ("causal", "bb-ans"))
    assert ref.path.read_bytes() == server.data
    assert cached() == [ref.path]
    assert seen[-1] == 1.0
    assert {(verb, path) for verb, path, _ in server.requests} <= {
        (verb, path) for verb in ("HEAD", "GET") for path in (f"/{REPO}/resolve/{COMMIT}/{FILE}", "/storage/blob")
    }
    if server.behaviour == "truncate once":
        assert server.requests[-1][2] == f"bytes={len(server.data) // 2 // 1024 * 1024}-"

    count = len(server.requests)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for name in ("tiny", entry.sha256, entry.sha256[:16], bytes.fromhex(entry.sha256)[:8], ref.path):
        model = hub.load(name)
        assert isinstance(model, TinyModel)
        assert model.known_answer() == model_file.read_meta(ref.path)["known_answer"]
    assert len(server.requests) == count


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        ("truncate always", "peer closed connection"),
        ("truncate always, in small pieces", "broken off|peer closed connection"),
        ("error", "500"),
        ("error on GET", "500"),
        ("wrong bytes", "wrong file"),
        ("wrong size", "offers 99 bytes"),
    ],
)
def test_a_bad_download_never_enters_the_cache(
    server: Hub, monkeypatch: pytest.MonkeyPatch, behaviour: str, message: str
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    register(server.data)
    if behaviour.endswith("in small pieces"):  # then huggingface_hub alone would go on for ever
        monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1024)
    if behaviour == "wrong bytes":
        server.data = server.data[:-1] + bytes([server.data[-1] ^ 1])
    elif behaviour == "wrong size":
        server.data = server.data[:99]
    server.behaviour = behaviour
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    with pytest.raises(ModelError, match=message) as caught:
        hub.load("tiny")
    text = str(caught.value)
    assert "\n" not in text
    assert server.url in text or "broken off" in text
    assert str(hub.cache_dir()) in text
    assert "RDZIP_CACHE" in text
    assert cached() == []


def test_an_interrupted_download_leaves_nothing(server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    register(server.data)
    monkeypatch.setenv("HF_ENDPOINT", server.url)

    def interrupt(fraction: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hub.pull("tiny", interrupt)
    assert cached() == []


def test_what_a_killed_download_left_is_removed_a_day_later(server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    register(server.data)
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    old, new = hub.cache_dir() / ".fetch-old", hub.cache_dir() / ".fetch-new"
    for folder in (old, new):
        folder.mkdir(parents=True)
    os.utime(old, (0, 0))
    path = hub.pull("tiny").path
    assert cached() == [new, path]


def test_a_download_that_never_ends_is_broken_off() -> None:
    entry = register(tiny_bytes())
    seen: list[float] = []
    meter = download.meter(entry.bytes, seen.append)(total=entry.bytes, name="any")
    for _ in range(4):
        meter.update(entry.bytes)
        meter.update(-entry.bytes)
    with pytest.raises(ModelError, match="broken off"):
        meter.update(entry.bytes)
    assert set(seen) == {0.0, 1.0}


def test_a_file_that_the_repository_lacks(server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    register(tiny_bytes(id="other"))
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    with pytest.raises(ModelError, match="404"):
        hub.resolve("other")
    assert cached() == []


def test_no_network_names_paths_and_variables_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{unused.getsockname()[1]}"
    entry = register(tiny_bytes())
    monkeypatch.setenv("HF_ENDPOINT", closed)
    monkeypatch.setattr("time.sleep", lambda seconds: pytest.fail("waits without a network"))
    with pytest.raises(ModelError) as caught:
        hub.resolve("tiny")
    for part in (closed, str(hub.cache_dir() / entry.sha256), str(registry.WEIGHTS), "HF_ENDPOINT", "RDZIP_CACHE"):
        assert part in str(caught.value)
    assert cached() == []


@pytest.mark.parametrize("way", ["argument", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_offline_sends_nothing_and_says_what_to_do(server: Hub, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    register(server.data)
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    if way != "argument":
        monkeypatch.setenv(way, "1")
    with pytest.raises(ModelError, match=r"looked in .*cache.*HF_HUB_OFFLINE.*models pull tiny.*RDZIP_CACHE"):
        hub.load("tiny", offline=way == "argument")
    assert server.requests == []


def test_a_silently_corrupt_cached_file_is_noticed_and_fetched_again(
    server: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(server.data)
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    path = hub.pull("tiny").path
    path.write_bytes(server.data[:-1] + bytes([server.data[-1] ^ 1]))
    with pytest.raises(ModelError, match="damaged"):
        hub.verify("tiny")
    with pytest.raises(ModelError, match="damaged"):
        hub.resolve("tiny", offline=True)
    assert hub.resolve("tiny").path.read_bytes() == server.data
    assert hub.verify("tiny").ref.path == path


def test_a_file_in_the_hugging_face_cache_is_used(places: Path) -> None:
    data = tiny_bytes()
    register(data)
    snapshot = places / "hugging-face" / "hub" / "models--org--tiny-models" / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (snapshot / FILE).write_bytes(data)
    assert hub.resolve("tiny", offline=True).path == snapshot / FILE


def test_bundled_comes_first_and_is_checked(server: Hub) -> None:
    entry = register(server.data, bundle=True, hosted=False)
    ref = hub.resolve("tiny")
    assert (ref.source, ref.path) == ("bundled", registry.WEIGHTS / FILE)
    ref.path.write_bytes(server.data[:-1] + bytes([server.data[-1] ^ 1]))
    with pytest.raises(ModelError, match="reinstall"):
        hub.resolve("tiny")
    hub.cache_dir().mkdir()
    (hub.cache_dir() / f"{entry.sha256}.safetensors").write_bytes(server.data)
    assert hub.resolve("tiny").source == "cache"


def test_unknown_names_and_hashes_say_what_to_do() -> None:
    register(tiny_bytes())
    with pytest.raises(ModelError, match=r"no model is called 'photon'; known: tiny"):
        hub.resolve("photon")
    with pytest.raises(ModelError, match=r"no model with the sha-256 ffffffffffffffff .*models pull FILE"):
        hub.resolve(b"\xff" * 8)
    with pytest.raises(ModelError, match="8 to 32 bytes"):
        hub.resolve(b"\xff" * 7)
    with pytest.raises(ModelError, match="cannot read the model file"):
        hub.resolve("missing.safetensors")


def test_a_users_own_file_is_used_by_path_and_after_pull_by_hash(places: Path) -> None:
    path = places / "mine.safetensors"
    path.write_bytes(tiny_bytes(5, id="mine"))
    ref = hub.resolve(str(path))
    assert (ref.id, ref.source, ref.sha256) == ("mine", "file", model_file.sha256(path))
    prefix = bytes.fromhex(ref.sha256)[:8]
    with pytest.raises(ModelError):
        hub.resolve(prefix)
    pulled = hub.pull(path)
    assert hub.resolve(prefix) == hub.resolve("mine") == pulled
    assert [(m.id, m.source) for m in hub.list_models()] == [("mine", "cache")]
    pulled.path.write_bytes(tiny_bytes(6, id="mine"))
    with pytest.raises(ModelError, match="damaged"):
        hub.resolve(prefix)


def test_a_wrong_known_answer_is_an_error_with_a_way_out(places: Path) -> None:
    path = places / "wrong.safetensors"
    path.write_bytes(tiny_bytes(answer="0" * 64))
    for check in (hub.load, hub.verify, registry.add):
        with pytest.raises(ModelError, match=r"known answer 0000000000000000, found .*`device=cpu`"):
            check(path)


def test_a_pickle_given_as_a_model_is_refused(places: Path) -> None:
    path = places / "evil.safetensors"
    path.write_bytes(b"\x80\x04cos\nsystem\n(S'false'\ntR.")
    for use in (hub.resolve, hub.pull):
        with pytest.raises(ModelError, match="pickled"):
            use(path)
    assert cached() == []


def test_list_and_show_do_not_fetch(server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    register(server.data)
    assert [(m.id, m.source) for m in hub.list_models()] == [("tiny", "hub")]
    assert "document" not in hub.show("tiny")
    assert server.requests == []
    hub.pull("tiny")
    shown = hub.show("tiny")
    assert shown["parameters"] == 100_000
    assert shown["tensors"] == {"weights": {"dtype": "int8", "shape": [100, 1000]}}
    assert shown["document"]["licence"] == shown["licence"] == "MIT"


def test_an_unwritable_cache_names_the_variable(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (places / "plain-file").write_text("")
    monkeypatch.setenv("RDZIP_CACHE", str(places / "plain-file"))
    register(tiny_bytes())
    with pytest.raises(ModelError, match="RDZIP_CACHE"):
        hub.resolve("tiny")


def test_where_the_cache_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RDZIP_CACHE")
    assert hub.cache_dir() == Path(os.environ["HF_HOME"]) / "rdzip"
    monkeypatch.delenv("HF_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert hub.cache_dir() == Path("/somewhere/rdzip")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert hub.cache_dir() == Path("~/.cache/rdzip").expanduser()


def test_listing_imports_neither_torch_nor_huggingface_hub() -> None:
    code = (
        "import sys, rdzip.hub as hub; hub.list_models(); sys.exit(bool({'torch', 'huggingface_hub'} & {*sys.modules}))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
