"""The command line's archives: many images in one file, there and back."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.cli_support import CLASSIC, Cli, names_in, same_image
from PIL import Image


@pytest.fixture
def album(photo: Path, tmp_path: Path) -> Path:
    """A folder with a picture, another in a folder of its own, and a JPEG."""
    (photo.parent / "deep").mkdir()
    with Image.open(photo) as image:
        image.convert("L").save(photo.parent / "deep" / "b.png")
        image.save(photo.parent / "c.jpg")
    return photo.parent


def test_archive_there_and_back(rdzip: Cli, album: Path, tmp_path: Path) -> None:
    packed = tmp_path / "album.rdz"
    there = rdzip("compress", "-r", album, "--archive", packed, "--json", *CLASSIC)
    assert there.code == 0
    assert [found["output"] for found in there.objects] == [str(packed)] * 3
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["album.rdz"]
    tested = rdzip("test", packed, "--json")
    assert [found["input"] for found in tested.objects] == [f"{packed}/{n}" for n in ("a.png", "c.jpg", "deep/b.png")]
    back = rdzip("decompress", packed)
    assert back.code == 0
    assert same_image(album / "a.png", tmp_path / "album" / "a.png")
    assert same_image(album / "deep" / "b.png", tmp_path / "album" / "deep" / "b.png")
    assert names_in(tmp_path / "album") == ["a.png", "c.png", "deep"]
    (listed,) = rdzip("info", packed, "--json").objects
    assert [member["name"] for member in listed["members"]] == ["a.png", "c.jpg", "deep/b.png"]
    assert "deep/b.png" in rdzip("info", packed).out.decode()


def test_archive_through_pipes(rdzip: Cli, album: Path, tmp_path: Path) -> None:
    there = rdzip("compress", "-r", album, "--archive", "-", *CLASSIC)
    assert there.code == 0
    assert rdzip("test", "-", stdin=there.out).code == 0
    assert rdzip("decompress", "-", stdin=there.out).code == 1
    assert rdzip("decompress", "-", "-o", tmp_path / "out", stdin=there.out).code == 0
    assert same_image(album / "a.png", tmp_path / "out" / "a.png")


def test_archive_leaves_out_what_fails(rdzip: Cli, album: Path, tmp_path: Path) -> None:
    (album / "bad.png").write_bytes(b"no picture")
    packed = tmp_path / "album.rdz"
    assert rdzip("compress", "-r", album, "--archive", packed, *CLASSIC).code == 1
    assert len(rdzip("test", packed, "--json").objects) == 3
    ran = rdzip("compress", album / "bad.png", "--archive", tmp_path / "none.rdz", *CLASSIC)
    assert ran.code == 1
    assert not (tmp_path / "none.rdz").exists()


def test_archive_needs_names_that_differ(rdzip: Cli, album: Path, tmp_path: Path) -> None:
    (album / "deep" / "A.PNG").write_bytes((album / "a.png").read_bytes())
    packed = tmp_path / "album.rdz"
    ran = rdzip("compress", album / "a.png", album / "deep" / "A.PNG", "--archive", packed, *CLASSIC)
    assert ran.code == 1
    assert "names that differ" in ran.err
    assert len(rdzip("test", packed, "--json").objects) == 1


def test_archive_is_not_an_input(rdzip: Cli, album: Path) -> None:
    before = (album / "a.png").read_bytes()
    assert rdzip("compress", "-r", album, "-f", "--archive", album / "a.png", *CLASSIC).code == 1
    assert (album / "a.png").read_bytes() == before


def test_archive_and_rm(rdzip: Cli, album: Path, tmp_path: Path) -> None:
    packed = tmp_path / "album.rdz"
    assert rdzip("compress", "-r", album, "--archive", packed, "--rm", *CLASSIC).code == 0
    assert sorted(path.name for path in album.rglob("*.*")) == ["c.jpg"]
    (tmp_path / "album").mkdir()
    (tmp_path / "album" / "a.png").write_bytes(b"precious")
    assert rdzip("decompress", packed, "--rm").code == 1
    assert packed.exists()
    assert (tmp_path / "album" / "a.png").read_bytes() == b"precious"
