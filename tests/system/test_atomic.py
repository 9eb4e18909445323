from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import random
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers import needs

from rdzip.errors import InputError
from rdzip.system import atomic


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    path.write_bytes(b"picture")
    return path


def test_mtime_and_mode_are_kept(picture: Path) -> None:
    picture.chmod(0o640)
    os.utime(picture, ns=(1, 987_654_321_123_456_789))
    target = picture.with_name("b")
    atomic.write(target, b"data", like=picture.stat())
    status = target.stat()
    assert target.read_bytes() == b"data"
    assert status.st_mtime_ns == picture.stat().st_mtime_ns
    assert stat.S_IMODE(status.st_mode) == 0o640


def test_without_an_original_the_umask_decides(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        atomic.write(tmp_path / "b", b"data")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o640


def test_write_never_replaces_unless_forced(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"precious")
    with pytest.raises(InputError, match="exists already"):
        atomic.write(tmp_path / "b", b"data")
    assert (tmp_path / "b").read_bytes() == b"precious"
    atomic.write(tmp_path / "b", b"data", force=True)
    assert (tmp_path / "b").read_bytes() == b"data"
    assert names_in(tmp_path) == ["b"]


def test_write_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    atomic.write(tmp_path / "b", b"data")
    assert (tmp_path / "b").read_bytes() == b"data"
    with pytest.raises(InputError, match="exists already"):
        atomic.write(tmp_path / "b", b"other")
    assert names_in(tmp_path) == ["b"]


def test_forced_write_goes_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    atomic.write(tmp_path / "link", b"new", force=True)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def test_devices_are_written_to_not_replaced() -> None:
    null = Path(os.devnull)
    atomic.write(null, b"data", force=True)
    assert stat.S_ISCHR(null.stat().st_mode)


@needs.full_device
def test_full_disk_is_an_input_error() -> None:
    with pytest.raises(InputError, match="no space left"):
        atomic.write(Path("/dev/full"), b"data")


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_nothing_is_left_after_an_error_or_interrupt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    def fail(_: int) -> None:
        raise error

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(InputError if isinstance(error, OSError) else KeyboardInterrupt):
        atomic.write(tmp_path / "b", b"data")
    assert names_in(tmp_path) == []


def test_a_file_where_a_folder_is_needed(picture: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        atomic.write(picture / "b", b"data")
    assert picture.read_bytes() == b"picture"


WRITER = """
import sys
from pathlib import Path
from rdzip.system import atomic
data = bytes(range(256)) * 40_000
print(flush=True)
for i in range(10_000):
    atomic.write(Path(sys.argv[1]) / f"result-{i % 3}", data, force=True)
"""


@needs.posix
def test_kill_at_random_moments_leaves_whole_files_only(tmp_path: Path) -> None:
    rng = random.Random(0)
    stale = 0
    for _ in range(12):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(rng.uniform(0, 0.12))
            process.send_signal(signal.SIGKILL)
        for path in tmp_path.iterdir():
            if path.name.startswith("result-"):
                assert path.stat().st_size == 256 * 40_000
            else:
                assert path.name.startswith(atomic.TEMP_PREFIX)
                assert path.name.endswith(atomic.TEMP_SUFFIX)
                stale += 1
                path.unlink()
    assert stale > 0, "no process was killed in the middle of a write: the test proved nothing"


# Who may read a result, and what a power cut leaves


def test_a_private_result_is_private_from_the_start(picture: Path) -> None:
    picture.chmod(0o600)
    seen = []
    with atomic.written(picture.with_name("b"), like=picture.stat()) as file:
        seen += [stat.S_IMODE(path.stat().st_mode) for path in picture.parent.glob(".rdzip-*")]
        file.write(b"data")
    with atomic.written(picture.with_name("c"), made_of=[picture.stat()]) as file:
        seen += [stat.S_IMODE(path.stat().st_mode) for path in picture.parent.glob(".rdzip-*")]
        file.write(b"data")
    assert seen == [0o600, 0o600]


@pytest.mark.parametrize(
    ("modes", "expected"), [([0o600], 0o600), ([0o755], 0o755), ([0o644, 0o600], 0o600), ([0o640, 0o755], 0o640)]
)
def test_who_may_read_all_sources_may_read_the_result(tmp_path: Path, modes: list[int], expected: int) -> None:
    sources = []
    with atomic.written(tmp_path / "all", made_of=sources) as file:
        file.write(b"data")
        for number, mode in enumerate(modes):
            (tmp_path / str(number)).touch()
            (tmp_path / str(number)).chmod(mode)
            sources.append((tmp_path / str(number)).stat())
    assert stat.S_IMODE((tmp_path / "all").stat().st_mode) == expected


def test_another_group_gets_no_more_than_all_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chown", refuse, raising=False)
    (tmp_path / "a").touch()
    (tmp_path / "a").chmod(0o664)
    status = list((tmp_path / "a").stat())
    status[5] += 1  # its group
    with atomic.written(tmp_path / "b", made_of=[os.stat_result(status)]) as file:
        file.write(b"data")
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o644


def test_every_new_folder_is_flushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed = []

    def sync(descriptor: int) -> None:
        flushed.append(os.fstat(descriptor).st_ino)

    monkeypatch.setattr(os, "fsync", sync)
    target = tmp_path / "new" / "sub" / "b"
    atomic.write(target, b"data")
    inodes = [path.stat().st_ino for path in (tmp_path, tmp_path / "new", target, tmp_path / "new" / "sub")]
    assert flushed == inodes
    flushed.clear()
    atomic.write(target.with_name("c"), b"data")
    assert flushed == [target.with_name("c").stat().st_ino, target.parent.stat().st_ino]


@pytest.mark.parametrize(("number", "fails"), [(errno.EINVAL, False), (errno.EIO, True)])
def test_a_folder_that_cannot_be_flushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, fails: bool
) -> None:
    def sync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", sync)
    with pytest.raises(InputError, match="cannot be written") if fails else contextlib.nullcontext():
        atomic.write(tmp_path / "b", b"data")


def test_what_the_disk_returns_is_compared(tmp_path: Path) -> None:
    digest = hashlib.sha256(b"data").digest()
    (tmp_path / "b").write_bytes(b"data")
    assert atomic.is_on_disk(tmp_path / "b", digest)
    assert not atomic.is_on_disk(None, digest)
    assert not atomic.is_on_disk(Path(os.devnull), digest)
    (tmp_path / "b").write_bytes(b"dat?")
    with pytest.raises(InputError, match="reads otherwise"):
        atomic.is_on_disk(tmp_path / "b", digest)
    with pytest.raises(InputError, match="cannot be read again"):
        atomic.is_on_disk(tmp_path / "gone", digest)
