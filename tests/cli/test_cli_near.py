"""The command line with --max-error."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers import lossy_stub
from helpers.cli_support import Cli, names_in
from PIL import Image
from PIL.PngImagePlugin import PngInfo

KEYS = ["input", "output", "codec", "model", "shape", "bytes_in", "bytes_out", "bpsp", "bits"]
RETURNED = ["exact", "carrier", "skeleton_bytes", "sha256"]


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """A natural picture with a comment."""
    text = PngInfo()
    text.add_text("Comment", "a test")
    folder = tmp_path / "scans"
    folder.mkdir()
    Image.fromarray(lossy_stub.photo(24, 30)).save(folder / "a.png", pnginfo=text)
    return folder / "a.png"


@pytest.fixture
def album(scan: Path) -> Path:
    """A folder of several kinds of picture."""
    colours = lossy_stub.photo(25, 20, 1)
    Image.fromarray(colours[:, :, 0]).save(scan.with_name("grey.png"))
    Image.fromarray(colours[:, :, 0].astype(np.uint16) * 16).save(scan.with_name("deep.png"))
    Image.fromarray(colours).quantize(16).save(scan.with_name("palette.png"))
    return scan.parent


def samples(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def error(one: Path, other: Path) -> int:
    return int(np.abs(samples(one).astype(np.int64) - samples(other)).max())


def test_there_and_back(rdzip: Cli, scan: Path, tmp_path: Path) -> None:
    ran = rdzip("compress", scan, "--max-error", 2, "--json")
    packed, back = scan.with_name("a.png.rdz"), tmp_path / "back.png"
    (found,) = ran.objects
    assert ran.err == ""
    assert list(found) == [*KEYS, *RETURNED, "bpp", "psnr", "max_error", "largest_error", "seconds"]
    assert (found["max_error"], found["largest_error"]) == (2, 2)
    assert found["bpp"] == pytest.approx(8 * found["bytes_out"] / (24 * 30), abs=1e-6)
    assert rdzip("decompress", packed, "-o", back).code == 0
    unlike = samples(scan).astype(float) - samples(back)
    assert error(scan, back) == 2
    assert found["psnr"] == pytest.approx(10 * np.log10(255**2 / np.mean(unlike**2)), abs=1e-4)
    with Image.open(back) as image:
        assert image.info["Comment"] == "a test"
    assert "good, 30 x 24 RGB" in rdzip("test", packed).err
    (again,) = rdzip("compress", back, "--json").objects
    assert "max_error" not in again
    (facts,) = rdzip("info", back.with_name("back.png.rdz"), "--json").objects
    assert facts["lossy"] is False


def test_info(rdzip: Cli, scan: Path) -> None:
    packed = scan.with_name("a.png.rdz")
    assert rdzip("compress", scan, "--max-error", 3).code == 0
    text = rdzip("info", packed).out.decode()
    assert "near-lossless, samples differ by at most 3" in text
    assert "pixel hash" in text
    (facts,) = rdzip("info", packed, "--json").objects
    assert (facts["lossy"], facts["max_error"]) == (True, 3)


def test_what_is_said(rdzip: Cli, scan: Path) -> None:
    ran = rdzip("compress", scan, "--max-error", 2)
    assert "bits per sample, largest error 2, PSNR " in ran.err
    assert ran.err.endswith(" dB\n")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--max-error", 0], "an error of 1 to 8191"),
        (["--max-error", -2], "an error of 1 to 8191"),
        (["--max-error", 8192], "an error of 1 to 8191"),
        (["--max-error", "1.5"], "Error: Invalid value"),
        (["--max-error", 2, "-q", 50], "found both"),
        (["--max-error", 2, "--target-bpp", 1], "found both"),
    ],
)
def test_wrong_usage(rdzip: Cli, scan: Path, arguments: list[object], text: str) -> None:
    ran = rdzip("compress", scan, *arguments)
    assert ran.code == 2
    assert text in ran.err
    assert names_in(scan.parent) == ["a.png"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--max-error", 32], "at most 31 for samples of 8 bits, found 32"),
        (["--max-error", 2, "--codec", "channel-ar"], "channel-ar bounds no error, found --max-error"),
        (["--max-error", 2, "-m", "photo-lossy"], "photo-lossy bounds no error, found --max-error"),
    ],
)
def test_what_cannot_be_done(rdzip: Cli, scan: Path, arguments: list[object], text: str) -> None:
    ran = rdzip("compress", scan, *arguments)
    assert ran.code == 1
    assert text in ran.err
    assert len(ran.err.splitlines()) == 1
    assert names_in(scan.parent) == ["a.png"]


def test_arrays_have_no_loss(rdzip: Cli, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", lossy_stub.photo(10, 20))
    ran = rdzip("compress", tmp_path / "a.npy", "--max-error", 2)
    assert ran.code == 1
    assert "expected an image with --max-error, found an array" in ran.err


@pytest.mark.parametrize("jobs", [1, 2])
def test_folders(rdzip: Cli, album: Path, tmp_path: Path, jobs: int) -> None:
    out = tmp_path / "packed"
    ran = rdzip("compress", "-r", album, "-O", out, "--max-error", 8, "--json", "--rm", "--jobs", jobs)
    found = {Path(one["input"]).name: one["largest_error"] for one in ran.objects}
    assert found == {"a.png": 8, "grey.png": 8, "deep.png": 8, "palette.png": 0}
    assert "palette.png: pixels of mode P are coded without loss" in ran.err
    assert ran.err.count("is kept: its .rdz holds what is left after loss") == 3
    assert names_in(album) == ["a.png", "deep.png", "grey.png"]
    assert rdzip("test", "-r", out).code == 0
    assert rdzip("decompress", "-r", out, "-O", tmp_path / "back").code == 0
    assert [error(album / name, tmp_path / "back" / name) for name in names_in(album)] == [8, 8, 8]
    assert samples(tmp_path / "back" / "deep.png").dtype == np.uint16


def test_archives(rdzip: Cli, album: Path, tmp_path: Path) -> None:
    packed = tmp_path / "album.rdz"
    ran = rdzip("compress", "-r", album, "--archive", packed, "--max-error", 4, "--json", "--rm")
    assert [one["largest_error"] for one in ran.objects] == [4, 4, 4, 0]
    assert names_in(album) == ["a.png", "deep.png", "grey.png"]
    assert len(rdzip("test", packed, "--json").objects) == 4
    assert rdzip("decompress", packed, "-o", tmp_path / "back").code == 0
    assert [error(album / name, tmp_path / "back" / name) for name in names_in(album)] == [4, 4, 4]


def test_through_pipes(rdzip: Cli, scan: Path, tmp_path: Path) -> None:
    there = rdzip("compress", "-", "--max-error", 1, stdin=scan.read_bytes())
    (tmp_path / "back.png").write_bytes(rdzip("decompress", "-", stdin=there.out).out)
    assert error(scan, tmp_path / "back.png") == 1
