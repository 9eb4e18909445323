"""The command line brings files back, byte for byte: carriers, bytes, folders as a whole."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from helpers.cli_support import Cli
from PIL import Image


@pytest.fixture
def files(tmp_path: Path, photo: Path) -> Path:
    """A folder of a BMP, a JPEG, a text, an empty file, a cut PNG, a .rdz file, and empty folders."""
    top = tmp_path / "all"
    (top / "deep" / "empty").mkdir(parents=True)
    with Image.open(photo) as image:
        image.save(top / "a.bmp")
        image.save(top / "b.jpg", quality=90)
    (top / "deep" / "note.txt").write_text("hello\n" * 40)
    (top / "nothing").write_bytes(b"")
    (top / "cut.png").write_bytes(photo.read_bytes()[:-30])
    (top / "x.rdz").write_bytes(b"no rdz file")
    (top / "deep" / "note.txt").chmod(0o600)
    for path in (top / "deep" / "note.txt", top / "a.bmp", top / "deep" / "empty", top / "deep"):
        os.utime(path, ns=(1_000_000_000, 1_234_567_890_123_456_789))
    return top


def state(top: Path) -> dict[str, tuple[int, int, bytes]]:
    """Mode, time of change and bytes of all that is in a folder."""
    return {
        path.relative_to(top).as_posix(): (
            path.stat().st_mode,
            path.stat().st_mtime_ns,
            b"" if path.is_dir() else path.read_bytes(),
        )
        for path in top.rglob("*")
    }


def test_a_folder_comes_back_whole(rdzip: Cli, files: Path, tmp_path: Path) -> None:
    packed, back = tmp_path / "all.rdz", tmp_path / "back"
    assert rdzip("compress", "-r", files, "--archive", packed, "--all").code == 0
    assert rdzip("test", packed).code == 0
    assert rdzip("decompress", packed, "-o", back).code == 0
    assert state(back) == state(files)


def test_without_all_a_line_says_what_is_left_out(rdzip: Cli, files: Path, tmp_path: Path) -> None:
    ran = rdzip("compress", "-r", files, "--archive", tmp_path / "some.rdz")
    assert (ran.code, "2 files that are no images are left out" in ran.err) == (0, True)
    assert rdzip("decompress", tmp_path / "some.rdz").code == 0
    assert sorted(path.name for path in (tmp_path / "some").rglob("*")) == ["a.bmp", "b.jpg", "cut.png"]


def test_files_named_themselves_come_back(rdzip: Cli, files: Path, tmp_path: Path) -> None:
    names = ["a.bmp", "b.jpg", "nothing", "cut.png", "deep/note.txt"]
    ran = rdzip("compress", *(files / name for name in names), "-O", tmp_path / "packed", "--json")
    carriers = [(one["exact"], one["carrier"]) for one in ran.objects]
    assert carriers == [("file", "BMP"), ("file", "JPEG"), *[("file", "bytes")] * 3]
    assert "cut.png: kept as bytes: " in ran.err
    back = rdzip("decompress", "-r", tmp_path / "packed", "-O", tmp_path / "back", "--json")
    digests = {Path(str(one["output"])).name: one["sha256"] for one in back.objects}
    for name in names:
        data = (files / name).read_bytes()
        assert (tmp_path / "back" / Path(name).name).read_bytes() == data
        assert digests[Path(name).name] == sha256(data).hexdigest()
        packed = tmp_path / "packed" / f"{Path(name).name}.rdz"
        assert packed.stat().st_size <= len(data) + 64
        (facts,) = rdzip("info", packed, "--json").objects
        assert facts["exact"] == "file"
        assert rdzip("info", packed).code == 0


def test_empty_folders(rdzip: Cli, files: Path, tmp_path: Path) -> None:
    packed = tmp_path / "e.rdz"
    ran = rdzip("compress", "-r", files / "deep" / "empty", "--archive", packed, "--all")
    assert (ran.code, "holds no file" in ran.err) == (1, True)
    (tmp_path / "top" / "inside").mkdir(parents=True)
    ran = rdzip("compress", "-r", tmp_path / "top", "--archive", packed, "--all")
    assert (ran.code, ran.err.count("\n")) == (0, 1)
    assert rdzip("decompress", packed).code == 0
    assert state(tmp_path / "e") == state(tmp_path / "top")


def test_pages_are_no_picture(rdzip: Cli, tmp_path: Path, photo: Path) -> None:
    pages, packed = tmp_path / "pages.tif", tmp_path / "pages.tif.rdz"
    with Image.open(photo) as image:
        image.save(pages, save_all=True, append_images=[image.rotate(180), image.convert("L")])
    assert rdzip("compress", pages).code == 0
    assert "picture 1" in rdzip("info", packed).out.decode()
    ran = rdzip("decompress", packed, "--as", "png")
    assert (ran.code, "found 3" in ran.err) == (1, True)
    before = pages.read_bytes()
    pages.unlink()
    assert rdzip("decompress", packed).code == 0
    assert pages.read_bytes() == before


def test_remove_deletes_what_comes_back(rdzip: Cli, files: Path, photo: Path) -> None:
    with Image.open(photo) as image:
        image.save(files / "c.pcx")
    ran = rdzip("compress", "--rm", files / "a.bmp", files / "b.jpg", files / "c.pcx")
    assert ran.code == 0
    assert sorted(path.name for path in files.glob("?.*")) == ["a.bmp.rdz", "b.jpg.rdz", "c.pcx", "c.pcx.rdz", "x.rdz"]
    assert "c.pcx is kept" in ran.err


def test_pixels_alone(rdzip: Cli, files: Path, tmp_path: Path) -> None:
    (found,) = rdzip("compress", "--pixels", files / "b.jpg", "-o", tmp_path / "b.rdz", "--json").objects
    assert (found["exact"], found["carrier"], found["shape"]) == ("picture", None, [41, 57, 3])
    assert rdzip("compress", "--pixels", files / "deep" / "note.txt").code == 1
    assert rdzip("decompress", tmp_path / "b.rdz", "--json").objects[0]["output"].endswith("b.png")


def test_another_format(rdzip: Cli, files: Path, tmp_path: Path) -> None:
    packed = tmp_path / "b.jpg.rdz"
    assert rdzip("compress", files / "b.jpg", "-o", packed).code == 0
    with Image.open(files / "b.jpg") as image:
        pixels = np.asarray(image)
    assert rdzip("decompress", packed, "--as", "png").code == 0
    assert rdzip("decompress", packed, "-o", tmp_path / "c.tif").code == 0
    for name in ("b.png", "c.tif"):
        with Image.open(tmp_path / name) as image:
            assert np.array_equal(np.asarray(image), pixels)
    assert rdzip("decompress", packed, "--as", "npy").code == 0
    assert np.array_equal(np.load(tmp_path / "b.npy"), pixels)
    assert rdzip("decompress", packed, "-o", tmp_path / "d.jpeg").code == 0
    assert (tmp_path / "d.jpeg").read_bytes() == (files / "b.jpg").read_bytes()
    assert rdzip("decompress", packed, "-o", tmp_path / "d.webp").code == 0
    assert rdzip("decompress", packed, "--as", "png", "--rm", "-f").code == 2
    assert rdzip("compress", files / "deep" / "note.txt", "-o", tmp_path / "n.rdz").code == 0
    assert rdzip("decompress", tmp_path / "n.rdz", "--as", "png").code == 1
