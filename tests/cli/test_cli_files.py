"""The commands on images and the world around: what --rm may delete, who may read, pipes, closed descriptors."""

from __future__ import annotations

import errno
import io
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.cli_support import CLASSIC, Cli, names_in, same_image
from helpers.needs import posix
from PIL import Image

from rdzip.commands.encoding import why_items_kept
from rdzip.formats.batch import files as batch_files
from rdzip.system import atomic

RDZIP = [sys.executable, "-m", "rdzip"]


def modes_in(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*.*")}


# --rm


@pytest.mark.parametrize("way", ["file", "archive", "decompress", "decompress archive"])
def test_rm_keeps_the_source_if_the_disk_returns_something_else(
    rdzip: Cli, photo: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    command = "compress"
    if way.startswith("decompress"):
        command = "decompress"
        archive = ["--archive", photo.with_name("a.png.rdz")] if way.endswith("archive") else []
        assert rdzip("compress", photo, *archive, *CLASSIC).code == 0
        photo.unlink()
    source = photo.with_name("a.png.rdz") if command == "decompress" else photo
    move = atomic._move

    def spoil(temp: Path, final: Path, force: bool) -> None:
        move(temp, final, force)
        data = bytearray(final.read_bytes())
        data[-1] ^= 1
        final.write_bytes(data)

    monkeypatch.setattr(atomic, "_move", spoil)
    options = ["--archive", photo.with_name("all.rdz")] if way == "archive" else []
    ran = rdzip(command, source, "--rm", *options, *(CLASSIC if command == "compress" else ()))
    assert ran.code == 1
    assert "reads otherwise than it was written" in ran.err
    assert source.exists()


@posix
@pytest.mark.parametrize("command", ["compress", "decompress"])
@pytest.mark.parametrize("kind", ["device", "link", "pipe"])
def test_rm_keeps_the_source_of_what_went_into_a_stream(rdzip: Cli, photo: Path, command: str, kind: str) -> None:
    source = photo
    if command == "decompress":
        assert rdzip("compress", photo, *CLASSIC).code == 0
        source = photo.with_name("a.png.rdz")
    target = photo.with_name("stream")
    reader = None
    if kind == "device":
        target = Path(os.devnull)
    elif kind == "link":
        target.symlink_to(os.devnull)
    else:
        os.mkfifo(target)
        reader = os.open(target, os.O_RDONLY | os.O_NONBLOCK)
    try:
        ran = rdzip(command, "--rm", source, "-o", target, *(CLASSIC if command == "compress" else ()))
    finally:
        if reader is not None:
            os.close(reader)
    assert ran.code == 0
    assert "is kept" in ran.err
    assert source.exists()


def test_rm_without_the_check_is_wrong_usage(rdzip: Cli, photo: Path) -> None:
    ran = rdzip("compress", "--rm", "--no-verify", photo, *CLASSIC)
    assert ran.code == 2
    assert "--no-verify" in ran.err
    assert names_in(photo.parent) == ["a.png"]


def test_rm_of_a_file_that_changed_meanwhile(rdzip: Cli, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = atomic.write

    def meanwhile(*arguments: object, **options: object) -> None:
        write(*arguments, **options)
        os.utime(photo)

    monkeypatch.setattr(atomic, "write", meanwhile)
    ran = rdzip("compress", "--rm", photo, *CLASSIC)
    assert ran.code == 1
    assert "has changed" in ran.err
    assert photo.exists()


# Who may read


def test_an_archive_is_as_private_as_its_most_private_image(rdzip: Cli, photo: Path, tmp_path: Path) -> None:
    second = photo.with_name("b.png")
    shutil.copy(photo, second)
    for mode in (0o600, 0o640):
        photo.chmod(0o600)
        second.chmod(mode)
        packed = tmp_path / f"{mode:o}.rdz"
        assert rdzip("compress", photo, second, "--archive", packed, *CLASSIC).code == 0
        assert stat.S_IMODE(packed.stat().st_mode) == 0o600
        assert rdzip("decompress", packed).code == 0
        assert set(modes_in(tmp_path / f"{mode:o}").values()) == {0o600, mode}
        assert rdzip("compress", photo, second, "--archive", packed, "-f", "--metadata", "none", *CLASSIC).code == 0
        assert rdzip("decompress", "-f", packed).code == 0
        assert set(modes_in(tmp_path / f"{mode:o}").values()) == {0o600}
    photo.chmod(0o644)
    second.chmod(0o755)
    assert rdzip("compress", photo, second, "--archive", tmp_path / "open.rdz", *CLASSIC).code == 0
    assert rdzip("decompress", tmp_path / "open.rdz").code == 0
    assert set(modes_in(tmp_path / "open").values()) == {0o644, 0o755}


# Pipes and devices


@posix
def test_pipes_in_folders_are_left_out_with_a_note(rdzip: Cli, photo: Path, tmp_path: Path) -> None:
    os.mkfifo(photo.with_name("a-pipe.png"))
    os.mkfifo(photo.with_name("a-pipe.rdz"))
    photo.with_name("nowhere.png").symlink_to("nothing")
    for options in (["-O", tmp_path / "out"], ["--archive", tmp_path / "all.rdz"]):
        ran = rdzip("compress", "-r", photo.parent, *options, *CLASSIC)
        assert ran.code == 0
        assert ran.err.count("is left out") == 2
    assert names_in(tmp_path / "out") == ["a.png.rdz"]
    for command in ("decompress", "test", "info"):
        ran = rdzip(command, "-r", photo.parent)
        assert ran.code == 1
        assert "a-pipe.rdz is left out: it is a pipe" in ran.err
    assert rdzip("compress", photo.with_name("a-pipe.png"), *CLASSIC).code == 1


@posix
def test_bench_leaves_pipes_out(rdzip: Cli, photo: Path) -> None:
    os.mkfifo(photo.with_name("pipe.png"))
    ran = rdzip("bench", photo.parent, "--codecs", "png")
    assert ran.code == 0
    assert "pipe.png is left out" in ran.err


# Closed descriptors


@posix
@pytest.mark.parametrize("closed", [0, 1, 2])
def test_closed_descriptors(photo: Path, closed: int) -> None:
    def ran(*arguments: object) -> subprocess.CompletedProcess[bytes]:
        redirect = f"{closed}{'<' if closed == 0 else '>'}&-"
        line = " ".join(["exec", *RDZIP, *map(str, arguments), redirect])
        return subprocess.run(["sh", "-c", line], capture_output=True, check=False, timeout=60)

    target = photo.with_name("a.png.rdz")
    there = ran("compress", photo, *CLASSIC)
    assert there.returncode == 0
    photo.rename(photo.with_name("b.png"))
    assert ran("decompress", target).returncode == 0
    assert same_image(photo, photo.with_name("b.png"))
    streams = ran("compress", *(["-"] if closed == 0 else [photo, "-o", "-"]), *CLASSIC)
    if closed == 2:
        assert streams.returncode == 0
        assert streams.stdout == target.read_bytes()
        return
    assert streams.returncode == 1
    (line,) = streams.stderr.decode().splitlines()
    assert "closed" in line
    if closed == 1:
        info = ran("info", target)
        assert (info.returncode, len(info.stderr.splitlines())) == (1, 1)
        assert ran("--help").returncode in (0, 1)


@posix
def test_what_libraries_say_never_gets_into_a_result(tmp_path: Path) -> None:
    """With stderr closed, the first file that is opened has its number, and libtiff writes there."""
    Image.new("L", (9, 9)).save(tmp_path / "a.tif")
    script = "import os; from rdzip.system.process import open_standard; open_standard(); "
    script += "print(os.open('a.tif', os.O_RDONLY))"
    line = f'exec {sys.executable} -c "{script}" 2>&- 0<&-'
    ran = subprocess.run(["sh", "-c", line], cwd=tmp_path, capture_output=True, check=True, env=os.environ)
    assert int(ran.stdout) > 2


# Names


@pytest.fixture
def twins(photo: Path) -> Path:
    """A folder with a.png, a.jpg and b.jpg, which has no other of its name."""
    with Image.open(photo) as image:
        image.save(photo.with_name("a.jpg"))
        image.save(photo.with_name("b.jpg"))
    return photo.parent


def test_a_jpeg_and_a_png_of_one_name_both_come_back(rdzip: Cli, twins: Path, tmp_path: Path) -> None:
    names = ["a.jpg.png", "a.png", "b.png"]
    assert rdzip("compress", "-r", twins, "--archive", tmp_path / "all.rdz", *CLASSIC).code == 0
    assert rdzip("decompress", tmp_path / "all.rdz").code == 0
    assert names_in(tmp_path / "all") == names
    assert rdzip("compress", "-r", twins, "-O", tmp_path / "packed", *CLASSIC).code == 0
    assert rdzip("decompress", "-r", tmp_path / "packed", "-O", tmp_path / "back").code == 0
    assert names_in(tmp_path / "back") == names
    for name in ("a.jpg.rdz", "a.png.rdz"):  # one after the other, beside themselves
        assert rdzip("decompress", tmp_path / "packed" / name).code == 0
    assert names_in(tmp_path / "packed") == ["a.jpg.png", "a.jpg.rdz", "a.png", "a.png.rdz", "b.jpg.rdz"]
    for folder in (tmp_path / "all", tmp_path / "back", tmp_path / "packed"):
        assert same_image(folder / "a.png", twins / "a.png")


def test_a_name_of_ones_own_gets_its_suffix_back(rdzip: Cli, photo: Path) -> None:
    assert rdzip("compress", photo, "-o", photo.with_name("x.rdz"), *CLASSIC).code == 0
    assert rdzip("decompress", photo.with_name("x.rdz")).code == 0
    assert same_image(photo.with_name("x.png"), photo)


@posix
@pytest.mark.parametrize("name", ["new\nline.png", "in\udcffvalid.png"])
def test_odd_names_come_back_or_are_refused(rdzip: Cli, photo: Path, name: str) -> None:
    odd = photo.with_name(name)
    photo.rename(odd)
    assert rdzip("compress", odd, *CLASSIC).code == 0
    before = odd.read_bytes()
    odd.unlink()
    assert rdzip("decompress", f"{odd}.rdz").code == 0
    assert odd.exists()
    odd.write_bytes(before)
    packed = photo.with_name("all.rdz")
    ran = rdzip("compress", odd, "--rm", "--archive", packed, *CLASSIC)
    assert all(line.startswith("rdzip: ") or " -> " in line for line in ran.err.splitlines())
    if "\n" in name:  # which no archive may have
        assert ran.code == 1
        assert odd.read_bytes() == before
        assert not packed.exists()
    else:
        assert ran.code == 0
        assert rdzip("decompress", packed).code == 0
        assert [os.fsencode(path.name) for path in photo.with_name("all").iterdir()] == [b"in\xffvalid.png"]


# Files that come back, and those that do not


def test_rm_keeps_what_does_not_come_back(rdzip: Cli, photo: Path) -> None:
    plain = photo.with_name("plain.png")
    shutil.copy(photo, plain)
    with photo.open("ab") as file:
        file.write(b"more")
    ran = rdzip("compress", "--rm", "--pixels", photo, plain, *CLASSIC)
    assert ran.code == 0
    assert "4 bytes after its end" in ran.err
    assert names_in(photo.parent) == ["a.png", "a.png.rdz", "plain.png.rdz"]
    assert rdzip("compress", "--rm", "-f", photo, *CLASSIC).code == 0
    assert names_in(photo.parent) == ["a.png.rdz", "plain.png.rdz"]  # all of the file comes back


@pytest.mark.parametrize("options", [["--metadata", "none"], ["--max-error", "2"]])
def test_rm_keeps_what_was_left_out(rdzip: Cli, photo: Path, options: list[str]) -> None:
    ran = rdzip("compress", "--rm", photo, *options, *CLASSIC)
    assert ran.code == 0
    assert "a.png is kept" in ran.err
    assert photo.exists()


def test_what_would_mean_something_else_is_refused_as_a_picture(rdzip: Cli, photo: Path) -> None:
    bad = photo.with_name("b.pgm")
    bad.write_bytes(b"P5 3 1 100\n\0\x32\x64")
    ran = rdzip("compress", "--pixels", "--rm", photo, bad, "--archive", photo.with_name("all.rdz"), *CLASSIC)
    assert ran.code == 1
    assert "b.pgm: the PPM has samples up to 100" in ran.err
    assert names_in(photo.parent) == ["all.rdz", "b.pgm"]


# Disks and folders


def test_a_folder_that_may_not_be_written(rdzip: Cli, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = os.open

    def refuse(name: os.PathLike[str], flags: int, *rest: int) -> int:
        if flags & os.O_CREAT:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return opened(name, flags, *rest)

    monkeypatch.setattr(os, "open", refuse)
    ran = rdzip("compress", "--rm", photo, *CLASSIC)
    assert ran.code == 1
    assert "cannot be written: permission denied" in ran.err
    assert names_in(photo.parent) == ["a.png"]


def test_output_into_a_folder_or_onto_a_link_of_the_input(rdzip: Cli, photo: Path) -> None:
    ran = rdzip("compress", photo, "-f", "-o", photo.parent, *CLASSIC)
    assert ran.code == 1
    assert "use -O" in ran.err
    os.link(photo, photo.with_name("link.rdz"))
    ran = rdzip("compress", photo, "-f", "--rm", "-o", photo.with_name("link.rdz"), *CLASSIC)
    assert ran.code == 1
    assert "would replace the input" in ran.err
    assert photo.exists()


def test_a_file_that_vanishes_is_one_line(rdzip: Cli, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = atomic.write

    def gone(*arguments: object, **options: object) -> None:
        write(*arguments, **options)
        photo.unlink()

    monkeypatch.setattr(atomic, "write", gone)
    ran = rdzip("compress", "--rm", photo, *CLASSIC)
    assert ran.code == 1
    assert "cannot be removed: no such file" in ran.err


def test_an_array_that_comes_back_as_other_bytes_stays() -> None:
    out = io.BytesIO()
    samples = np.zeros((3, 4, 5), np.uint8)
    np.save(out, samples)
    for data, stays in ((out.getvalue(), False), (out.getvalue() + b"more", True)):
        readings = batch_files.readings_of(out.getvalue())
        assert readings is not None
        assert bool(why_items_kept(readings, data)) == stays
