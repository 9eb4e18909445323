"""The command line on files of many items: arrays, sequences, and folders coded in one chain."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import latent_stub
from helpers.cli_support import CLASSIC, Cli, names_in, same_image
from PIL import Image
from PIL.PngImagePlugin import PngInfo


@pytest.fixture(autouse=True)
def _stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with latent_stub.installed(monkeypatch):
        yield


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model of grey items of 6 x 7."""
    return latent_stub.write(tmp_path / "models" / "grey.safetensors", [6, 7])


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    path = tmp_path / "data" / "digits.npy"
    path.parent.mkdir()
    np.save(path, np.random.default_rng(0).integers(0, 9, (10, 6, 7), np.uint8))
    os.utime(path, ns=(1_000_000_000, 1_234_567_890_123_456_789))
    return path


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """A folder with three pictures of one size and mode, one of them a PPM."""
    folder = tmp_path / "album"
    (folder / "deep").mkdir(parents=True)
    for number, name in enumerate(("a.png", "b.ppm", "deep/c.png")):
        samples = np.random.default_rng(number).integers(0, 9, (6, 7, 3), np.uint8)
        Image.fromarray(samples, "RGB").save(folder / name)
    return folder


@pytest.fixture
def colour(tmp_path: Path) -> Path:
    """A model of colour items of any size."""
    return latent_stub.write(tmp_path / "models" / "colour.safetensors", [None, None, 3], codecs=("bit-swap", "bb-ans"))


# Arrays


def test_an_array_there_and_back(rdzip: Cli, digits: Path, model: Path) -> None:
    target = digits.with_name("digits.rdz")
    wanted = digits.read_bytes()
    there = rdzip("compress", digits, "-m", model, "--codec", "bb-cis", "--particles", 50, "-o", target, "--json")
    assert there.code == 0
    (found,) = there.objects
    assert list(found) == [
        *("input", "output", "codec", "model", "shape", "bytes_in", "bytes_out", "bpsp", "bits", "seconds")
    ]
    assert (found["codec"], found["model"], found["shape"]) == ("bb-cis", "grey", [10, 6, 7])
    assert found["bytes_in"] == len(wanted)
    assert found["bytes_out"] == target.stat().st_size
    assert found["bpsp"] == pytest.approx(8 * found["bytes_out"] / 420, abs=1e-6)
    assert list(found["bits"]) == ["ideal", "net", "total"]
    assert list(found["seconds"]) == ["load", "encode", "verify"]
    digits.unlink()
    back = rdzip("decompress", target, "--json")
    assert back.code == 0
    (found,) = back.objects
    assert list(found) == ["input", "output", "shape", "seconds"]
    assert (found["output"], found["shape"]) == (str(digits), [10, 6, 7])
    assert digits.read_bytes() == wanted
    assert digits.stat().st_mtime_ns == 1_234_567_890_123_456_789
    tested = rdzip("test", target)
    assert tested.code == 0
    assert "good, 10 items of 6 x 7" in tested.err


def test_some_items(rdzip: Cli, digits: Path, model: Path) -> None:
    array = np.load(digits)
    assert rdzip("compress", digits, "-m", model, "--segment", 4).code == 0
    packed, part = digits.with_name("digits.npy.rdz"), digits.with_name("part.npy")
    assert rdzip("decompress", packed, "--items", "5,7-9", "-o", part).code == 0
    np.testing.assert_array_equal(np.load(part), array[[5, 7, 8, 9]])
    assert rdzip("decompress", packed, "--items", "3", "-o", part, "-f", "--rm").code == 0
    assert packed.exists()
    assert rdzip("test", packed, "--items", "0-9").code == 0
    for wrong in ("10", "5,5", "x", "", "-1", "7-5", "1-", "0-99999999999", "²"):
        ran = rdzip("test", packed, f"--items={wrong}")
        assert ran.code == 1
        assert len(ran.err.splitlines()) == 1


def test_items_of_one_image(rdzip: Cli, photo: Path) -> None:
    packed = photo.with_name("a.png.rdz")
    assert rdzip("compress", photo, *CLASSIC).code == 0
    assert rdzip("test", packed, "--items", "0").code == 0
    assert rdzip("test", packed, "--items", "1").code == 1
    assert rdzip("decompress", packed, "--items", "1", "-f").code == 1


def test_an_array_through_pipes(rdzip: Cli, digits: Path, model: Path) -> None:
    there = rdzip("compress", "-", "-m", model, stdin=digits.read_bytes())
    assert there.code == 0
    assert rdzip("decompress", "-", stdin=there.out).out == digits.read_bytes()
    refused = rdzip("decompress", "-", "-o", digits.with_name("x.png"), stdin=there.out)
    assert refused.code == 1
    assert "ends in .npy" in refused.err


def test_an_array_without_a_model(rdzip: Cli, digits: Path) -> None:
    wanted = digits.read_bytes()
    packed = digits.with_name("digits.npy.rdz")
    assert rdzip("compress", digits, "--rm").code == 0
    assert names_in(digits.parent) == ["digits.npy.rdz"]
    assert rdzip("decompress", packed).code == 0
    assert digits.read_bytes() == wanted
    assert "10, 10 x 6 x 7, |u1" in rdzip("info", packed).out.decode()


def test_sequences(rdzip: Cli, tmp_path: Path) -> None:
    model = latent_stub.write(tmp_path / "rolls.safetensors", [88], values=2, codecs=("bb-smc",))
    source = tmp_path / "chorales.npz"
    np.savez(source, data=np.eye(3, 88, dtype=np.uint8), lengths=np.array([2, 1]))
    wanted = source.read_bytes()
    (found,) = rdzip("compress", source, "-m", model, "--particles", 4, "--rm", "--json").objects
    assert found["shape"] == [3, 88]
    text = rdzip("info", tmp_path / "chorales.npz.rdz").out.decode()
    assert "2 sequences, 3 steps of 88 in all" in text
    assert "bb-smc, particles 4" in text
    assert rdzip("decompress", tmp_path / "chorales.npz.rdz").code == 0
    assert source.read_bytes() == wanted
    assert rdzip("compress", source, "-f").code == 0
    assert rdzip("decompress", tmp_path / "chorales.npz.rdz", "-f").code == 0
    assert source.read_bytes() == wanted


def test_info_on_an_array(rdzip: Cli, digits: Path, model: Path) -> None:
    packed = digits.with_name("digits.npy.rdz")
    rdzip("compress", digits, "-m", model, "--codec", "bb-ais", "--steps", 3, "--plain", "--segment", 4)
    text = rdzip("info", packed).out.decode()
    for part in ("bb-ais", "steps 3", "3 of 4 items", "grey, sha-256", "10 x 6 x 7"):
        assert part in text
    (found,) = rdzip("info", packed, "--json").objects
    assert (found["kind"], found["items"], found["segments"], found["codec"]) == ("batch", 10, 3, "bb-ais")


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--codec", "bit-swap", "--particles", 4], "--particles"),
        (["--codec", "bb-ans", "--plain"], "--plain"),
        (["--codec", "bb-cis", "--particles", 5000], "5000"),
        (["--codec", "bb-cis", "--particles", 0], "found 0"),
        (["--codec", "bb-is", "--resample", "never"], "--resample"),
        (["--segment", 0], "at least one item"),
        (["--codec", "causal"], "has the codecs"),
        (["--codec", "frob"], "found frob"),
    ],
)
def test_options_that_make_no_sense(rdzip: Cli, digits: Path, model: Path, arguments: list[object], what: str) -> None:
    ran = rdzip("compress", digits, "-m", model, *arguments)
    assert ran.code == 1
    assert what in ran.err
    assert len(ran.err.splitlines()) == 1
    assert names_in(digits.parent) == ["digits.npy"]


@pytest.mark.parametrize("arguments", [["--particles", 4], ["--codec", "bb-ans"], ["--segment", 2], ["--refine", 1]])
def test_options_of_latents_without_such_a_model(rdzip: Cli, photo: Path, arguments: list[object]) -> None:
    ran = rdzip("compress", photo, *arguments)
    assert ran.code == 1
    assert len(ran.err.splitlines()) == 1
    assert rdzip("compress", photo, "--archive", photo.with_name("x.rdz"), *arguments).code == 1
    assert names_in(photo.parent) == ["a.png"]


def test_arrays_that_do_not_suit(rdzip: Cli, digits: Path, model: Path) -> None:
    arrays: list[Any] = [np.zeros((3, 6, 8), np.uint8), np.zeros((3, 6, 7)), np.zeros((3, 0, 7), np.uint8)]
    for number, array in enumerate(arrays):
        path = digits.with_name(f"{number}.npy")
        np.save(path, array)
        ran = rdzip("compress", path, "-m", model)
        assert ran.code == 1
        assert len(ran.err.splitlines()) == 1
    cut = digits.with_name("cut.npy")
    cut.write_bytes(digits.read_bytes()[:-1])
    assert "truncated" in rdzip("compress", cut, "-m", model).err
    assert rdzip("compress", digits, "-m", model, "--max-pixels", 419).code == 1
    assert rdzip("compress", digits, "-m", model, "--max-pixels", 420).code == 0
    packed = digits.with_name("digits.npy.rdz")
    assert "--max-pixels" in rdzip("test", packed, "--max-pixels", 419).err


def test_every_truncation_is_refused(rdzip: Cli, digits: Path, model: Path) -> None:
    packed, part = digits.with_name("digits.npy.rdz"), digits.with_name("part.npy")
    assert rdzip("compress", digits, "-m", model, "--segment", 4).code == 0
    whole = packed.read_bytes()
    for length in range(0, len(whole), 41):
        packed.write_bytes(whole[:length])
        ran = rdzip("decompress", packed, "-o", part)
        assert ran.code == 1
        assert len(ran.err.splitlines()) == 1
        assert not part.exists()
        assert rdzip("info", packed).code == 1


# Folders


def test_a_folder_in_one_chain(rdzip: Cli, album: Path, colour: Path, tmp_path: Path) -> None:
    packed = tmp_path / "packed.rdz"
    there = rdzip("compress", "-r", album, "--archive", packed, "-m", colour, "--codec", "bb-ans", "--json")
    assert there.code == 0
    (found,) = there.objects
    assert found["input"] == [str(album / name) for name in ("a.png", "b.ppm", "deep/c.png")]
    assert (found["codec"], found["shape"]) == ("bb-ans", [3, 6, 7, 3])
    assert "3 images" in there.err
    back = rdzip("decompress", packed, "-o", tmp_path / "out", "--json")
    assert back.code == 0
    assert [one["input"] for one in back.objects] == [f"{packed}/{name}" for name in ("a.png", "b.ppm", "deep/c.png")]
    for name in ("a.png", "b.ppm", "deep/c.png"):
        assert same_image(album / name, tmp_path / "out" / name)
    (facts,) = rdzip("info", packed, "--json").objects
    assert (facts["kind"], facts["names"]) == ("batch", ["a.png", "b.ppm", "deep/c.png"])
    assert "deep/c.png" in rdzip("info", packed).out.decode()
    assert rdzip("decompress", packed, "-O", tmp_path / "some", "--items", "2").code == 0
    assert [path.name for path in (tmp_path / "some").rglob("*.*")] == ["c.png"]
    assert rdzip("decompress", packed, "-c").code == 1


def test_images_with_metadata_or_of_other_modes_go_alone(rdzip: Cli, album: Path, colour: Path, tmp_path: Path) -> None:
    text = PngInfo()
    text.add_text("Comment", "kept")
    Image.new("RGB", (7, 6), (1, 2, 3)).save(album / "m.png", pnginfo=text)
    Image.new("RGBA", (7, 6), (1, 2, 3, 4)).save(album / "n.png")
    packed = tmp_path / "packed.rdz"
    there = rdzip("compress", "-r", album, "--archive", packed, "-m", colour, "--codec", "bit-swap")
    assert there.code == 0
    assert "2 images with metadata" in there.err
    assert "5 images" in there.err
    assert rdzip("decompress", packed, "-O", tmp_path).code == 0
    for name in ("a.png", "b.ppm", "deep/c.png", "m.png", "n.png"):
        assert same_image(album / name, tmp_path / "packed" / name)
    tested = rdzip("test", packed, "--json")
    assert len(tested.objects) == 3
    text = rdzip("info", packed).out.decode()
    assert "5 images" in text
    assert "3 images in a chain" in text
    assert rdzip("decompress", packed, "-o", tmp_path / "some", "--items", "1,3").code == 0
    assert sorted(path.name for path in (tmp_path / "some").iterdir()) == ["b.ppm", "m.png"]
    assert "0 to 4, found 5" in rdzip("test", packed, "--items", "5").err
    none = rdzip("compress", "-r", album, "--archive", tmp_path / "n.rdz", "-m", colour, "--metadata", "none", "--json")
    assert [len(one["input"]) if isinstance(one["input"], list) else 1 for one in none.objects] == [4, 1]


def test_images_of_several_sizes_go_alone(rdzip: Cli, album: Path, colour: Path, tmp_path: Path) -> None:
    Image.new("RGB", (8, 6), (1, 2, 3)).save(album / "w.png")
    packed = tmp_path / "packed.rdz"
    there = rdzip("compress", "-r", album, "--archive", packed, "-m", colour, "--json")
    assert there.code == 0
    assert "differ in size" in there.err
    assert [found["codec"] for found in there.objects] == ["bit-swap"] * 4
    (facts,) = rdzip("info", packed, "--json").objects
    assert facts["kind"] == "archive"
    assert {member["codec"] for member in facts["members"]} == {"bit-swap"}
    assert rdzip("decompress", packed, "-O", tmp_path).code == 0
    assert same_image(album / "w.png", tmp_path / "packed" / "w.png")


def test_a_folder_that_the_model_does_not_take(rdzip: Cli, album: Path, model: Path, tmp_path: Path) -> None:
    packed = tmp_path / "packed.rdz"
    ran = rdzip("compress", "-r", album, "--archive", packed, "-m", model)
    assert ran.code == 1
    assert len(ran.err.splitlines()) == 1
    assert not packed.exists()
    (album / "bad.png").write_bytes(b"no picture")


def test_a_folder_and_rm(rdzip: Cli, album: Path, colour: Path, tmp_path: Path) -> None:
    (album / "bad.png").write_bytes(b"no picture")
    with Image.open(album / "a.png") as image:
        image.save(album / "j.jpg")
    packed = tmp_path / "packed.rdz"
    ran = rdzip("compress", "-r", album, "--archive", packed, "-m", colour, "--metadata", "none", "--rm")
    assert ran.code == 1
    assert sorted(path.name for path in album.rglob("*.*")) == ["bad.png", "j.jpg"]
    assert rdzip("decompress", packed, "-o", tmp_path / "out", "--rm").code == 0
    assert packed.exists()
    assert "kept" in rdzip("decompress", packed, "-o", tmp_path / "out", "-f", "--rm").err
    assert sorted(path.name for path in (tmp_path / "out").rglob("*.*")) == ["a.png", "b.ppm", "c.png", "j.png"]


def test_an_archive_takes_arrays_as_files(rdzip: Cli, digits: Path, model: Path, tmp_path: Path) -> None:
    packed = digits.with_name("x.rdz")
    assert rdzip("compress", digits, "--archive", packed, "-m", model).code == 1
    assert names_in(digits.parent) == ["digits.npy"]
    assert rdzip("compress", digits, "--archive", packed).code == 0
    assert rdzip("decompress", packed, "-o", tmp_path / "out").code == 0
    assert (tmp_path / "out" / "digits.npy").read_bytes() == digits.read_bytes()


# Single pictures


def test_a_picture_with_a_model_of_latents(rdzip: Cli, album: Path, colour: Path, tmp_path: Path) -> None:
    source, packed = album / "a.png", tmp_path / "a.rdz"
    (found,) = rdzip("compress", source, "-m", colour, "-o", packed, "--json").objects
    assert (found["codec"], found["model"], found["shape"]) == ("bit-swap", "colour", [6, 7, 3])
    assert rdzip("decompress", packed, "-o", tmp_path / "b.png").code == 0
    assert same_image(source, tmp_path / "b.png")
    (facts,) = rdzip("info", packed, "--json").objects
    assert facts["codec"] == "bit-swap"
    assert "bit-swap" in rdzip("info", packed).out.decode()
    refused = rdzip("compress", source, "-m", colour, "--codec", "bb-cis")
    assert refused.code == 1
    assert "bit-swap, bb-ans, found bb-cis" in refused.err


def test_a_picture_of_two_levels(rdzip: Cli, tmp_path: Path) -> None:
    model = latent_stub.write(tmp_path / "binary.safetensors", [6, 7], values=2)
    for mode in ("L", "1"):
        source = tmp_path / f"{mode}.png"
        Image.fromarray(np.random.default_rng(0).integers(0, 2, (6, 7), np.uint8) * 255, "L").convert(mode).save(source)
        assert rdzip("compress", source, "-m", model).code == 0
        assert rdzip("decompress", f"{source}.rdz", "-o", tmp_path / f"back{mode}.png").code == 0
        assert same_image(source, tmp_path / f"back{mode}.png")
    Image.new("L", (7, 6), 9).save(tmp_path / "grey.png")
    ran = rdzip("compress", tmp_path / "grey.png", "-m", model)
    assert ran.code == 1
    assert "found values up to 9" in ran.err


def test_alpha_and_other_modes_with_a_model_of_latents(rdzip: Cli, tmp_path: Path, colour: Path) -> None:
    source = tmp_path / "a.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 9, (6, 7, 4), np.uint8), "RGBA").save(source)
    assert rdzip("compress", source, "-m", colour).code == 0
    assert rdzip("decompress", f"{source}.rdz", "-o", tmp_path / "b.png").code == 0
    assert same_image(source, tmp_path / "b.png")
    Image.new("P", (7, 6)).save(tmp_path / "p.png")
    ran = rdzip("compress", tmp_path / "p.png", "-m", colour)
    assert ran.code == 1
    assert "found P" in ran.err
