from __future__ import annotations

import os
import random
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import needs
import pytest

from rdzip import atomic
from rdzip.errors import InputError


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
from rdzip import atomic
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
