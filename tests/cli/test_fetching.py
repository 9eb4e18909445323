"""A file that names a repository: nobody is asked for its model unless the user says so, and then without a token."""

from __future__ import annotations

import io
import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import hub_server, tiny_causal
from helpers.cli_support import Cli
from helpers.hub_server import NEW_REPO, UPLOADED, Hub
from PIL import Image

import rdzip as library
from rdzip import hub
from rdzip.commands import fetch
from rdzip.commands.output import Output
from rdzip.errors import FormatError, InputError, ModelError
from rdzip.formats import cbor, container
from rdzip.formats.container import Section, SectionType
from rdzip.hub import download
from rdzip.hub.origin import Origin
from rdzip.models import model_file
from rdzip.models.causal.export import export as export_causal
from rdzip.pipeline import fetching
from rdzip.pipeline.batch_compress import compress_batch
from rdzip.pipeline.request import Request

pytestmark = pytest.mark.usefixtures("places")

FILE = "mine.safetensors"
PLACE = f"{NEW_REPO}@{UPLOADED}/{FILE}"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub that has the model of `packed`, for a user with a token, and with a password in .netrc."""
    export_causal(tmp_path / FILE, tiny_causal.nets(), {"id": "mine", "steps": 5, "licence": "MIT"})
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login user password secret\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with hub_server.serving() as served:
        served.uploaded[FILE] = (tmp_path / FILE).read_bytes()
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        yield served


@pytest.fixture
def packed(server: Hub, tmp_path: Path) -> Path:
    """A .rdz file that names the repository; its model is not on this machine."""
    y, x = np.mgrid[:24, :32]
    hub.pull(PLACE)
    pixels = np.stack([x * 5, y * 7, x + y], -1).astype(np.uint8)
    path = tmp_path / "a.rdz"
    path.write_bytes(library.compress(pixels, model="mine", codec="causal"))
    shutil.rmtree(hub.cache_dir())
    server.requests.clear()
    server.authorizations.clear()
    return path


def with_origin(path: Path, place: list[Any]) -> bytes:
    """The file with another section of origin."""
    parsed = container.unpack(path.read_bytes())
    kept = [section for section in parsed.sections if section.type != SectionType.ORIGIN]
    return container.pack(parsed.header, [*kept, Section(SectionType.ORIGIN, cbor.dumps(place))])


def place_of(path: Path) -> list[Any]:
    body = container.unpack(path.read_bytes()).find(SectionType.ORIGIN)
    assert body is not None
    found = cbor.loads(bytes(body))
    assert isinstance(found, list)
    return found


def test_a_model_that_the_user_names_is_fetched_with_the_token(server: Hub) -> None:
    hub.pull(PLACE)
    assert set(server.authorizations) == {"Bearer hf_secret"}


def test_nobody_is_asked_without_the_users_word(rdzip: Cli, packed: Path, server: Hub, tmp_path: Path) -> None:
    size = len(server.uploaded[FILE])
    told = f"{FILE} of the repository {NEW_REPO} at {UPLOADED} ({size:,} bytes)"
    folder = tmp_path / "archive.rdz"
    for command in (("decompress", packed, "-o", tmp_path / "b.png"), ("test", packed)):
        ran = rdzip(*command, stdin=b"y\n")
        assert ran.code == 1
        for part in ("not on this machine", told, "--fetch", f"'rdzip models pull {PLACE}'"):
            assert part in ran.err
        assert ran.err.count("\n") == 1
    assert rdzip("info", packed).code == 0
    assert "No such option" in rdzip("test", packed, "--fetch").err
    library.register_pillow()
    with Image.open(packed) as image, pytest.raises(OSError, match="not on this machine"):
        image.load()
    for read in (library.decompress, library.decompress_array):
        with pytest.raises(ModelError, match="not on this machine"):
            read(packed)
    assert server.requests == []
    assert not folder.exists()
    assert not hub.cache_dir().exists()


def test_fetched_without_a_token(packed: Path, server: Hub) -> None:
    assert library.decompress(packed, fetch=True).size == (32, 24)
    assert {verb for verb, _, _ in server.requests} == {"HEAD", "GET"}
    assert set(server.authorizations) == {None}
    server.requests.clear()
    assert library.decompress_array(packed, fetch=True).shape == (24, 32, 3)
    assert server.requests == []


def test_fetched_without_a_token_by_the_command(rdzip: Cli, packed: Path, server: Hub, tmp_path: Path) -> None:
    ran = rdzip("decompress", packed, "-o", tmp_path / "b.png", "--fetch")
    assert ran.code == 0, ran.err
    first = ran.err.splitlines()[0]
    assert first.startswith("rdzip: fetching the model that the file names: mine.safetensors of the repository")
    assert set(server.authorizations) == {None}
    both = rdzip("decompress", packed, "--fetch", "--offline")
    assert (both.code, "leave one out" in both.err) == (2, True)


def test_switched_off(rdzip: Cli, packed: Path, server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "switched off" in rdzip("decompress", packed, "--fetch").err
    with pytest.raises(ModelError, match="switched off"):
        library.decompress(packed, fetch=True)
    with pytest.raises(InputError, match="leave one out"):
        library.decompress(packed, fetch=True, offline=True)
    assert server.requests == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({3: b"\1" * 32}, "whose hash is another"),
        ({4: (1 << 28) + 1}, "too large to be fetched for a file.*268,435,457 bytes.*268,435,456 bytes"),
        ({0: "../x"}, "no model with the sha-256"),
        ({2: "\x1b[31m.safetensors"}, "no model with the sha-256"),
        ({4: None}, "no model with the sha-256"),
    ],
)
def test_files_that_name_no_good_place(
    packed: Path, server: Hub, change: dict[int, Any], message: str, tmp_path: Path
) -> None:
    place = place_of(packed)
    for index, value in change.items():
        place[index] = value
    data = with_origin(packed, place)
    with pytest.raises(ModelError, match=message):
        library.decompress(data, fetch=True)
    assert server.requests == []


def test_a_model_file_of_another_hash_is_thrown_away(packed: Path, server: Hub) -> None:
    good = server.uploaded[FILE]
    server.uploaded[FILE] = good[:-1] + bytes([good[-1] ^ 1])
    with pytest.raises(ModelError, match="wrong file"):
        library.decompress(packed, fetch=True)
    assert not list(hub.cache_dir().rglob("*"))


def test_a_server_that_announces_another_size(packed: Path, server: Hub) -> None:
    server.uploaded[FILE] += bytes(9)
    with pytest.raises(ModelError, match="offers"):
        library.decompress(packed, fetch=True)
    assert {verb for verb, _, _ in server.requests} == {"HEAD"}


def test_a_server_that_never_ends(packed: Path, server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    server.behaviour = "much"
    with pytest.raises(ModelError, match="broken off"):
        library.decompress(packed, fetch=True)
    assert not list(hub.cache_dir().rglob("*"))


def test_the_limit_is_kept_while_streaming() -> None:
    meter = download.meter(1000, None, 2000)(total=1000, name="any")
    meter.update(2000)
    with pytest.raises(ModelError, match="broken off"):
        meter.update(1)
    assert download.MOST_UNNAMED == 256 << 20


def test_what_is_known_is_never_fetched(packed: Path, server: Hub) -> None:
    hub.pull(PLACE)
    server.requests.clear()
    assert fetching.missing_models(packed.read_bytes()) == []
    library.decompress(packed, fetch=True)
    assert server.requests == []


def test_members_of_a_batch_name_their_models(packed: Path, server: Hub) -> None:
    from rdzip.formats.batch.items import of_array

    hub.pull(PLACE)
    arrays = np.random.default_rng(0).integers(0, 3, (2, 12, 14, 3)).astype(np.uint8)
    data = compress_batch(of_array(arrays), Request(model="mine", codec="causal")).data
    shutil.rmtree(hub.cache_dir())
    server.authorizations.clear()
    with pytest.raises(ModelError, match="not on this machine"):
        library.decompress(data)
    assert np.array_equal(library.decompress(data, fetch=True), arrays)
    assert set(server.authorizations) == {None}


def test_files_that_are_none_are_refused_as_ever() -> None:
    with pytest.raises(FormatError):
        library.decompress(b"no such file", fetch=True)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("answer", "stdin", "stderr", "wanted"),
    [
        ("y\n", Terminal, Terminal, True),
        ("Yes\n", Terminal, Terminal, True),
        ("\n", Terminal, Terminal, False),
        ("", Terminal, Terminal, False),
        ("no\n", Terminal, Terminal, False),
        ("y\n", io.StringIO, Terminal, False),
        ("y\n", Terminal, io.StringIO, False),
    ],
)
def test_asked_at_a_terminal_only(
    answer: str, stdin: Any, stderr: Any, wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = stderr()
    monkeypatch.setattr(sys, "stdin", stdin(answer))
    monkeypatch.setattr(sys, "stderr", heard)
    assert fetch.ask("a.rdz", Origin("a/b", "0" * 40, "m.safetensors", "1" * 64, 1234)) is wanted
    asked = heard.getvalue()
    assert bool(asked) == (stdin is stderr is Terminal)
    if asked:
        for part in ("a.rdz", "m.safetensors", "a/b", "0" * 40, "1,234 bytes", "[y/N]"):
            assert part in asked


def test_a_closed_stdin_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert not fetch.ask("a.rdz", Origin("a/b", "0" * 40, "m.safetensors", "1" * 64, 1))


@pytest.mark.parametrize("say", [Output(quiet=True), Output()])
def test_quiet_or_offline_asks_nothing(packed: Path, say: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    if not say.quiet:
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(fetch, "ask", lambda *_: pytest.fail("asked"))
    fetch.fetch(packed.read_bytes(), "a.rdz", say, allowed=False)


@pytest.mark.slow
@pytest.mark.parametrize(("answer", "code"), [(b"y\n", 0), (b"n\n", 1)])
def test_a_yes_at_a_real_terminal(packed: Path, server: Hub, tmp_path: Path, answer: bytes, code: int) -> None:
    ours, theirs = pty.openpty()
    environment = {key: value for key, value in os.environ.items() if key != "HF_HUB_OFFLINE"}
    process = subprocess.Popen(
        [sys.executable, "-m", "rdzip", "decompress", str(packed), "-o", str(tmp_path / "b.png")],
        stdin=theirs, stderr=theirs, stdout=subprocess.PIPE, env=environment,
    )  # fmt: skip
    os.close(theirs)
    heard = b""
    while b"[y/N]" not in heard:
        heard += os.read(ours, 4096)
    assert server.requests == []
    os.write(ours, answer)
    process.communicate(timeout=120)
    os.close(ours)
    assert process.returncode == code
    assert (tmp_path / "b.png").exists() == (code == 0)
    assert bool(server.requests) == (code == 0)
    assert set(server.authorizations) <= {None}


def test_the_hash_of_the_place_is_that_of_the_header(server: Hub) -> None:
    sha256 = model_file.sha256(server.uploaded[FILE])
    place = Origin(NEW_REPO, UPLOADED, FILE, sha256, len(server.uploaded[FILE]))
    for wrong in (bytes.fromhex(sha256)[1:9], bytes(8)):
        for tell in (hub.missing, hub.fetch_from):
            with pytest.raises(ModelError, match="whose hash is another"):
                tell(wrong, place)
    with pytest.raises(ModelError, match="whose hash is another"):
        hub.fetch_from(bytes.fromhex(sha256)[:8], Origin(NEW_REPO, UPLOADED, FILE, None, 5))
    assert server.requests == []
    assert hub.fetch_from(bytes.fromhex(sha256)[:8], place).sha256 == sha256
