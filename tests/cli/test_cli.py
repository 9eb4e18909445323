"""The commands on images, run in this process."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import numpy as np
import pytest
from helpers import needs
from helpers.cli_support import CLASSIC, Cli, names_in, same_image
from PIL import Image

from rdzip.system import atomic


@pytest.fixture
def packed(rdzip: Cli, photo: Path) -> Path:
    assert rdzip("compress", photo, *CLASSIC, "--quiet").code == 0
    return photo.with_name("a.png.rdz")


# There and back


def test_there_and_back(rdzip: Cli, photo: Path) -> None:
    original = photo.with_name("original.png")
    there = rdzip("compress", photo, *CLASSIC)
    assert there.code == 0
    assert there.out == b""
    assert "a.png.rdz" in there.err
    photo.rename(original)
    back = rdzip("decompress", photo.with_name("a.png.rdz"))
    assert back.code == 0
    assert names_in(photo.parent) == ["a.png", "a.png.rdz", "original.png"]
    assert same_image(photo, original)


@pytest.mark.parametrize("command", ["compress", "decompress"])
def test_mtime_and_mode_are_kept(rdzip: Cli, photo: Path, packed: Path, command: str) -> None:
    source, target = (photo, packed) if command == "compress" else (packed, photo)
    target.unlink()
    assert rdzip(command, source).code == 0
    assert target.stat().st_mtime_ns == 1_234_567_890_123_456_789
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_default_codec_takes_any_picture(rdzip: Cli, photo: Path) -> None:
    assert rdzip("compress", photo, "-o", photo.with_name("b.rdz")).code == 0
    assert rdzip("decompress", photo.with_name("b.rdz"), "-o", photo.with_name("b.png")).code == 0
    assert same_image(photo, photo.with_name("b.png"))


def test_stdin_to_stdout(rdzip: Cli, photo: Path) -> None:
    there = rdzip("compress", "-", *CLASSIC, stdin=photo.read_bytes())
    assert there.code == 0
    assert there.out.startswith(b"\x89RDZ")
    back = rdzip("decompress", "-", stdin=there.out)
    assert back.code == 0
    photo.with_name("b.png").write_bytes(back.out)
    assert same_image(photo, photo.with_name("b.png"))


@pytest.mark.parametrize("option", [("-c",), ("-o", "-")])
def test_file_to_stdout(rdzip: Cli, photo: Path, packed: Path, option: tuple[str, ...]) -> None:
    assert rdzip("compress", photo, *CLASSIC, *option).out == packed.read_bytes()
    assert rdzip("decompress", packed, *option).out.startswith(b"\x89PNG")
    assert names_in(photo.parent) == ["a.png", "a.png.rdz"]


def test_stdin_to_file(rdzip: Cli, photo: Path, packed: Path) -> None:
    target = photo.with_name("c.rdz")
    assert rdzip("compress", "-", "-o", target, *CLASSIC, stdin=photo.read_bytes()).code == 0
    assert target.read_bytes() == packed.read_bytes()


def test_output_name_chooses_the_format(rdzip: Cli, photo: Path, packed: Path) -> None:
    target = photo.with_name("b.tif")
    assert rdzip("decompress", packed, "-o", target).code == 0
    with Image.open(target) as image, Image.open(photo) as original:
        assert image.format == "TIFF"
        assert np.array_equal(np.asarray(image), np.asarray(original))
    refused = rdzip("decompress", packed, "-o", photo.with_name("b.jpg"))
    assert refused.code == 2
    assert ".jpg" in refused.err


def test_folders_are_mirrored(rdzip: Cli, photo: Path, tmp_path: Path) -> None:
    (photo.parent / "deep").mkdir()
    photo.rename(photo.parent / "deep" / "a.png")
    (photo.parent / "notes.txt").write_text("no picture")
    out = tmp_path / "packed"
    assert rdzip("compress", "-r", photo.parent, "-O", out, *CLASSIC).code == 0
    assert [str(p.relative_to(out)) for p in out.rglob("*.*")] == [str(Path("deep/a.png.rdz"))]
    assert rdzip("decompress", "-r", out, "-O", tmp_path / "back").code == 0
    assert same_image(tmp_path / "back" / "deep" / "a.png", photo.parent / "deep" / "a.png")


def test_metadata_can_be_left_out(rdzip: Cli, photo: Path) -> None:
    assert rdzip("compress", photo, "--metadata", "none", *CLASSIC).code == 0
    assert rdzip("decompress", photo.with_name("a.png.rdz"), "-f").code == 0
    with Image.open(photo) as image:
        assert "Comment" not in image.info


# JPEG


@pytest.fixture
def jpeg(photo: Path) -> Path:
    path = photo.with_name("shot.jpg")
    with Image.open(photo) as image:
        image.save(path, quality=80)
    return path


def test_jpeg_is_warned_of_and_comes_back_as_png(rdzip: Cli, jpeg: Path) -> None:
    there = rdzip("compress", jpeg, *CLASSIC)
    assert there.code == 0
    assert "lossy" in there.err
    assert "larger" in there.err
    back = rdzip("decompress", jpeg.with_name("shot.jpg.rdz"))
    assert back.code == 0
    assert "shot.png" in back.err
    assert "JPEG" in back.err
    with Image.open(jpeg.with_name("shot.png")) as image, Image.open(jpeg) as original:
        assert image.format == "PNG"
        assert np.array_equal(np.asarray(image), np.asarray(original))


def test_jpeg_does_not_replace_a_png_of_its_name(rdzip: Cli, jpeg: Path) -> None:
    rdzip("compress", jpeg, *CLASSIC)
    jpeg.with_name("shot.png").write_bytes(b"precious")
    assert rdzip("decompress", jpeg.with_name("shot.jpg.rdz")).code == 1
    assert jpeg.with_name("shot.png").read_bytes() == b"precious"


def test_rm_keeps_a_jpeg(rdzip: Cli, jpeg: Path) -> None:
    ran = rdzip("compress", jpeg, "--rm", *CLASSIC)
    assert ran.code == 0
    assert jpeg.exists()
    assert "is kept" in ran.err


# Nothing is overwritten, halved or lost


@pytest.mark.parametrize("command", ["compress", "decompress"])
@pytest.mark.parametrize("how", ["same", "link"])
def test_input_as_output_is_refused(rdzip: Cli, photo: Path, packed: Path, command: str, how: str) -> None:
    source = photo if command == "compress" else packed
    before = source.read_bytes()
    target = source
    if how == "link":
        target = source.with_name("link")
        target.symlink_to(source)
    ran = rdzip(command, source, "-f", "-o", target)
    assert ran.code == 1
    assert "would replace the input" in ran.err
    assert source.read_bytes() == before


@pytest.mark.parametrize("command", [["compress", "--pixels"], ["decompress"]])
@pytest.mark.parametrize("content", [None, b"", b"neither", b"\x89PNG\r\n\x1a\n", b"\x89RDZ\r\n\x1a\n"])
def test_bad_input_leaves_the_output_alone(
    rdzip: Cli, tmp_path: Path, command: list[str], content: bytes | None
) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    if content is not None:
        source.write_bytes(content)
    target.write_bytes(b"precious")
    ran = rdzip(*command, source, "-f", "-o", target)
    assert ran.code == 1
    assert len(ran.err.splitlines()) == 1
    assert str(source) in ran.err
    assert target.read_bytes() == b"precious"
    assert rdzip(*command, source, "-o", tmp_path / "new").code == 1
    assert not (tmp_path / "new").exists()


def test_existing_output_needs_force(rdzip: Cli, photo: Path, packed: Path) -> None:
    before = photo.read_bytes()
    ran = rdzip("decompress", packed)
    assert ran.code == 1
    assert "a.png exists already" in ran.err
    assert photo.read_bytes() == before
    assert rdzip("decompress", packed, "-f").code == 0


def test_one_bad_file_stops_no_other(rdzip: Cli, photo: Path) -> None:
    bad = photo.with_name("bad.png")
    bad.write_bytes(photo.read_bytes()[:900])
    ran = rdzip("compress", bad, photo, photo.with_name("missing.png"), *CLASSIC)
    assert ran.code == 1
    assert names_in(photo.parent) == ["a.png", "a.png.rdz", "bad.png"]
    assert [line.split(":")[0] for line in ran.err.splitlines()].count("rdzip") == 2


@pytest.mark.parametrize("command", ["compress", "decompress", "test", "info"])
def test_nothing_to_do_is_no_success(rdzip: Cli, tmp_path: Path, command: str) -> None:
    ran = rdzip(command, "-r", tmp_path)
    assert ran.code == 1
    assert "no file to work on" in ran.err
    assert rdzip(command, tmp_path).code == 1


def test_every_truncation_is_refused(rdzip: Cli, photo: Path, packed: Path) -> None:
    whole = packed.read_bytes()
    photo.unlink()
    for length in sorted({*range(0, len(whole), 397), 7, 8, 9, len(whole) - 1}):
        packed.write_bytes(whole[:length])
        ran = rdzip("decompress", packed)
        assert ran.code == 1
        assert len(ran.err.splitlines()) == 1
        assert not photo.exists()
        assert rdzip("test", packed).code == 1
        assert rdzip("info", packed).code == 1


def test_rm_removes_the_source_after_success_only(rdzip: Cli, photo: Path) -> None:
    target = photo.with_name("a.png.rdz")
    target.write_bytes(b"in the way")
    assert rdzip("compress", photo, "--rm", *CLASSIC).code == 1
    assert photo.exists()
    assert rdzip("compress", photo, "--rm", "-f", *CLASSIC).code == 0
    assert names_in(photo.parent) == ["a.png.rdz"]
    assert rdzip("decompress", target, "--rm").code == 0
    assert names_in(photo.parent) == ["a.png"]


@needs.full_device
def test_full_disk_is_one_line(rdzip: Cli, photo: Path) -> None:
    ran = rdzip("compress", photo, *CLASSIC, "-o", "/dev/full")
    assert ran.code == 1
    assert "no space left" in ran.err


def test_output_into_devices(rdzip: Cli, photo: Path) -> None:
    assert rdzip("compress", photo, *CLASSIC, "-f", "-o", os.devnull).code == 0
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


def test_max_pixels(rdzip: Cli, photo: Path, packed: Path) -> None:
    for arguments in (["compress", "--pixels", photo, "-f"], ["decompress", packed, "-f"], ["test", packed]):
        ran = rdzip(*arguments, "--max-pixels", 2336)
        assert ran.code == 1
        assert "--max-pixels" in ran.err
    assert rdzip("test", packed, "--max-pixels", 2337).code == 0
    ran = rdzip("compress", photo, "-f", "--max-pixels", 2336)
    assert (ran.code, "kept as bytes" in ran.err, "--max-pixels" in ran.err) == (0, True, True)


# What is said


def test_compress_json(rdzip: Cli, photo: Path) -> None:
    ran = rdzip("compress", photo, "--json", *CLASSIC)
    (found,) = ran.objects
    assert list(found) == [
        *("input", "output", "codec", "model", "shape", "bytes_in", "bytes_out", "bpsp", "bits"),
        *("exact", "carrier", "skeleton_bytes", "sha256", "seconds"),
    ]
    target = photo.with_name("a.png.rdz")
    assert found["input"] == str(photo)
    assert found["output"] == str(target)
    assert found["codec"] == "classic"
    assert found["model"] is None
    assert found["shape"] == [41, 57, 3]
    assert found["bytes_in"] == photo.stat().st_size
    assert found["bytes_out"] == target.stat().st_size
    assert found["bpsp"] == pytest.approx(8 * found["bytes_out"] / (41 * 57 * 3), abs=1e-6)
    assert list(found["bits"]) == ["ideal", "net", "total"]
    assert list(found["seconds"]) == ["load", "encode", "verify"]
    assert ran.err == ""


def test_decompress_and_test_json(rdzip: Cli, photo: Path, packed: Path) -> None:
    photo.unlink()
    (found,) = rdzip("decompress", packed, "--json").objects
    assert list(found) == ["input", "output", "shape", "exact", "carrier", "sha256", "seconds"]
    assert found["output"] == str(photo)
    assert found["shape"] == [41, 57, 3]
    assert list(found["seconds"]) == ["load", "decode"]
    (tested,) = rdzip("test", packed, "--json").objects
    assert list(tested) == list(found)
    assert tested["output"] is None


def test_info(rdzip: Cli, packed: Path) -> None:
    text = rdzip("info", packed).out.decode()
    assert "57 x 41, RGB" in text
    assert "classic" in text
    (found,) = rdzip("info", packed, "--json").objects
    assert found["input"] == str(packed)
    assert found["codec"] == "classic"
    assert found["shape"] == [41, 57, 3]


def test_quiet_and_verbose(rdzip: Cli, photo: Path) -> None:
    target = photo.with_name("a.png.rdz")
    assert rdzip("compress", photo, "--quiet", *CLASSIC).err == ""
    target.unlink()
    short = rdzip("compress", photo, *CLASSIC).err
    target.unlink()
    long = rdzip("compress", photo, "-v", *CLASSIC).err
    assert len(short.splitlines()) == 1
    assert len(long.splitlines()) > 1


def test_names_with_odd_characters(rdzip: Cli, photo: Path) -> None:
    odd = photo.with_name("-ö\n\x1b[31m.png")
    photo.rename(odd)
    ran = rdzip("compress", *CLASSIC, "--", odd)
    assert ran.code == 0
    assert "\x1b" not in ran.err
    assert len(ran.err.splitlines()) == 1
    assert odd.with_name(odd.name + ".rdz").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["compress"],
        ["compress", "a.png", "--frob"],
        ["compress", "a.png", "b.png", "-o", "c"],
        ["compress", "a.png", "b.png", "-c"],
        ["compress", "a.png", "-o", "b", "-O", "c"],
        ["compress", "a.png", "-c", "--json"],
        ["compress", "a.png", "-c", "--rm"],
        ["compress", "a.png", "-v", "--quiet"],
        ["compress", "a.png", "--archive", "b", "-o", "c"],
        ["compress", "-", "-O", "c"],
        ["compress", "-", "-"],
        ["compress", "a.png", "--metadata", "some"],
        ["compress", "a.png", "--threads", "0"],
        ["decompress", "a.rdz", "--max-pixels", "many"],
        ["decompress", "a.rdz", "-o", ""],
        ["frobnicate"],
        ["models", "frobnicate"],
        ["train", "photo"],
    ],
)
def test_wrong_usage(rdzip: Cli, arguments: list[str]) -> None:
    assert rdzip(*arguments).code == 2


@pytest.mark.parametrize(
    "arguments",
    [["--codec", "frob"], ["--model", "frob"], ["--codec", "causal", "--model", "missing.safetensors"]],
)
def test_unknown_codec_or_model(rdzip: Cli, photo: Path, arguments: list[str]) -> None:
    ran = rdzip("compress", photo, *arguments)
    assert ran.code == 1
    assert len(ran.err.splitlines()) == 1
    assert names_in(photo.parent) == ["a.png"]


def test_unforeseen_error_is_one_line(rdzip: Cli, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("two\nlines")

    monkeypatch.setattr(atomic, "write", fail)
    ran = rdzip("compress", photo, *CLASSIC)
    assert ran.code == 1
    assert len(ran.err.splitlines()) == 1
    assert "report" in ran.err
