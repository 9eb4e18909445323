"""The command line with loss: -q, --target-bpp, lossy models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from helpers import lossy_stub, tiny_hyper, tiny_transform
from helpers.cli_support import Cli, names_in
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from rdzip import hub
from rdzip.metrics.psnr import psnr

KEYS = ["input", "output", "codec", "model", "shape", "bytes_in", "bytes_out", "bpsp", "bits"]
RETURNED = ["exact", "carrier", "skeleton_bytes", "sha256"]
LOSSY_KEYS = [*KEYS, *RETURNED, "bpp", "psnr", "setting", "q", "estimated_bits", "seconds"]


@pytest.fixture
def stub(tmp_path: Path) -> Iterator[Path]:
    """The file of the lossy stub, which can be loaded."""
    (tmp_path / "models").mkdir()
    with lossy_stub.registered():
        yield lossy_stub.write(tmp_path / "models" / "stub.safetensors")


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """A natural picture with a comment."""
    text = PngInfo()
    text.add_text("Comment", "a test")
    folder = tmp_path / "scenes"
    folder.mkdir()
    Image.fromarray(lossy_stub.photo(130, 150)).save(folder / "a.png", pnginfo=text)
    return folder / "a.png"


def samples(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_there_and_back(rdzip: Cli, scene: Path, stub: Path, tmp_path: Path) -> None:
    ran = rdzip("compress", scene, "-m", stub, "-q", 60, "--json")
    packed, back = scene.with_name("a.png.rdz"), tmp_path / "back.png"
    (found,) = ran.objects
    assert ran.err == ""
    assert list(found) == LOSSY_KEYS
    assert (found["codec"], found["model"], found["q"], found["setting"]) == ("channel-ar", "stub", 60, 103)
    assert found["bytes_out"] == packed.stat().st_size
    assert found["bpp"] == pytest.approx(8 * found["bytes_out"] / (130 * 150), abs=1e-6)
    assert found["estimated_bits"] == pytest.approx(8 * found["bytes_out"], rel=0.01)
    assert rdzip("decompress", packed, "-o", back).code == 0
    assert found["psnr"] == pytest.approx(psnr(samples(scene), samples(back), None), abs=1e-4)
    with Image.open(back) as image:
        assert image.info["Comment"] == "a test"
    assert "good, 150 x 130 RGB" in rdzip("test", packed).err
    assert rdzip("test", packed, "--json").code == 0


def test_info(rdzip: Cli, scene: Path, stub: Path) -> None:
    packed = scene.with_name("a.png.rdz")
    assert rdzip("compress", scene, "-m", stub, "-q", 60).code == 0
    text = rdzip("info", packed).out.decode()
    assert "lossy, setting 103 of the quantiser, for quality 60" in text
    assert "bits per pixel" in text
    assert "symbols hash" in text
    (facts,) = rdzip("info", packed, "--json").objects
    assert (facts["lossy"], facts["q"], facts["setting"], facts["codec"]) == (True, 60, 103, "channel-ar")
    assert rdzip("compress", scene, "-m", stub, "--target-bpp", 2, "-f").code == 0
    assert "of the quantiser\n" in rdzip("info", packed).out.decode()


def test_what_is_said(rdzip: Cli, scene: Path, stub: Path) -> None:
    ran = rdzip("compress", scene, "-m", stub, "-q", 60, "-v")
    first, codec, *_ = ran.err.splitlines()
    assert "bits per pixel, PSNR " in first
    assert first.endswith(" dB")
    assert "channel-ar, model stub: this quality or rate was asked for" in codec
    ran = rdzip("compress", scene, "-m", stub, "-q", 60, "-f", "--no-verify")
    assert ran.err.endswith("bits per pixel, quality not measured\n")
    (found,) = rdzip("compress", scene, "-m", stub, "-q", 60, "-f", "--no-verify", "--json").objects
    assert found["psnr"] is None


@pytest.mark.parametrize("bpp", [1, 2.5])
def test_rates_are_met(rdzip: Cli, scene: Path, stub: Path, bpp: float) -> None:
    ran = rdzip("compress", scene, "-m", stub, "--target-bpp", bpp, "--json")
    assert ran.objects[0]["bpp"] == pytest.approx(bpp, rel=0.02)
    assert ran.objects[0]["q"] is None
    assert ran.err == ""


def test_rates_that_cannot_be_met_are_told(rdzip: Cli, scene: Path, stub: Path) -> None:
    ran = rdzip("compress", scene, "-m", stub, "--target-bpp", 0.001)
    assert ran.code == 0
    assert "0.001 bits per pixel cannot be had of this picture: the coarsest setting gives 0." in ran.err


def test_a_lossy_model_alone_has_a_default_quality(rdzip: Cli, scene: Path, stub: Path) -> None:
    assert rdzip("compress", scene, "-m", stub, "--json").objects[0]["q"] == 75
    assert rdzip("compress", scene, "-m", stub, "--codec", "channel-ar", "-f", "--json").objects[0]["q"] == 75


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["-q", 0], "quality of 1 to 100"),
        (["-q", 101], "quality of 1 to 100"),
        (["--target-bpp", 0], "more than 0 bits per pixel"),
        (["--target-bpp", -0.5], "more than 0 bits per pixel"),
        (["--target-bpp", "nan"], "more than 0 bits per pixel"),
        (["--target-bpp", "inf"], "more than 0 bits per pixel"),
        (["-q", 50, "--target-bpp", 1], "found both"),
    ],
)
def test_wrong_usage(rdzip: Cli, scene: Path, arguments: list[object], text: str) -> None:
    ran = rdzip("compress", scene, *arguments)
    assert ran.code == 2
    assert text in ran.err
    assert len(ran.err.splitlines()) == 1
    assert names_in(scene.parent) == ["a.png"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["-q", 50, "--codec", "classic"], "classic loses nothing, found -q"),
        (["-q", 50, "--codec", "bb-ans"], "bb-ans loses nothing, found -q"),
        (["--target-bpp", 1, "-m", "photo"], "photo loses nothing, found --target-bpp"),
        (["-q", 50, "-m", "mnist-binary"], "mnist-binary loses nothing, found -q"),
        (["--codec", "channel-ar"], "say how much may be lost"),
        (["--codec", "channel-ar", "-m", "photo"], "found channel-ar"),
        (["-q", 50, "-m", "STUB", "--codec", "hyperprior"], "found hyperprior"),
        (["-m", "STUB", "--codec", "causal"], "found causal"),
        (["-q", 50, "-m", "STUB", "--particles", 3], "leave it out"),
        (["-q", 50, "-m", "STUB", "--segment", 3], "leave it out"),
        (["-q", 50, "-m", "nowhere"], "no model is called"),
    ],
)
@pytest.mark.parametrize("archive", [False, True])
def test_wishes_that_contradict_each_other(
    rdzip: Cli, scene: Path, stub: Path, arguments: list[object], text: str, archive: bool
) -> None:
    arguments = [stub if word == "STUB" else word for word in arguments]
    if archive:
        arguments += ["--archive", scene.parent / "all.rdz"]
    ran = rdzip("compress", scene, *arguments)
    assert ran.code == 1
    assert text in ran.err
    assert len(ran.err.splitlines()) <= 1 + archive
    assert names_in(scene.parent) == ["a.png"]


def test_arrays_have_no_loss(rdzip: Cli, stub: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", lossy_stub.photo(10, 20))
    for arguments in (["-q", 50], ["-q", 50, "-m", stub], ["-m", stub]):
        ran = rdzip("compress", tmp_path / "a.npy", *arguments)
        assert ran.code == 1
        assert "found an array" in ran.err
        assert len(ran.err.splitlines()) == 1


@pytest.fixture
def album(scene: Path) -> Path:
    """A folder of several kinds of picture, one of them broken."""
    colours = lossy_stub.photo(100, 90, 1)
    Image.fromarray(colours[:, :, 0]).save(scene.with_name("grey.png"))
    alpha = np.where(np.indices((100, 90)).sum(0) > 60, 255, 0).astype(np.uint8)
    Image.fromarray(np.dstack([colours, alpha])).save(scene.with_name("cut.png"))
    Image.fromarray(np.full((30, 40, 3), 9, np.uint8)).save(scene.with_name("flat.png"))
    (scene.parent / "deep").mkdir()
    Image.fromarray(colours).save(scene.parent / "deep" / "b.jpg", quality=95, exif=_exif())
    (scene.parent / "broken.png").write_bytes(scene.read_bytes()[:99])
    return scene.parent


def _exif() -> bytes:
    exif = Image.Exif()
    exif[270] = "described"
    return exif.tobytes()


def check_album(album: Path, back: Path) -> None:
    for path in (album / "a.png", album / "grey.png", album / "cut.png", album / "flat.png"):
        one, other = samples(path), samples(back / path.name)
        assert one.shape == other.shape
        assert psnr(one, other, None) > 25 or path.stem == "cut"
    assert np.array_equal(samples(album / "cut.png")[:, :, 3], samples(back / "cut.png")[:, :, 3])
    assert np.array_equal(samples(album / "flat.png"), samples(back / "flat.png"))
    with Image.open(back / "deep" / "b.png") as image:
        assert image.getexif()[270] == "described"


def test_folders(rdzip: Cli, album: Path, stub: Path, tmp_path: Path) -> None:
    ran = rdzip("compress", "-r", album, "-O", tmp_path / "packed", "-m", stub, "-q", 60, "--json")
    assert ran.code == 1
    assert ran.err.count("\n") == 1  # the broken one; nothing about a lossy copy of a lossy JPEG
    found = {Path(one["input"]).name: one for one in ran.objects}
    assert {name: one["codec"] for name, one in found.items()} == {
        "a.png": "channel-ar", "grey.png": "channel-ar", "cut.png": "channel-ar", "b.jpg": "channel-ar",
        "flat.png": "classic",
    }  # fmt: skip
    assert (found["flat.png"]["setting"], found["flat.png"]["psnr"], found["flat.png"]["q"]) == (None, None, 60)
    assert rdzip("test", "-r", tmp_path / "packed").code == 0
    assert rdzip("decompress", "-r", tmp_path / "packed", "-O", tmp_path / "back").code == 0
    check_album(album, tmp_path / "back")


def test_archives(rdzip: Cli, album: Path, stub: Path, tmp_path: Path) -> None:
    packed = tmp_path / "album.rdz"
    ran = rdzip("compress", "-r", album, "--archive", packed, "-m", stub, "-q", 60, "--json", "--rm")
    assert len(ran.objects) == 5
    assert "a.png is kept: its .rdz holds what is left after loss" in ran.err
    assert sorted(path.name for path in album.rglob("*.*")) == ["a.png", "b.jpg", "broken.png", "cut.png", "grey.png"]
    text = rdzip("info", packed).out.decode()
    assert text.count("channel-ar") == 4
    assert text.count("classic") == 1
    assert len(rdzip("test", packed, "--json").objects) == 5
    assert rdzip("decompress", packed, "-o", tmp_path / "back").code == 0
    Image.fromarray(np.full((30, 40, 3), 9, np.uint8)).save(album / "flat.png")
    check_album(album, tmp_path / "back")
    ran = rdzip("compress", "-r", album, "--archive", tmp_path / "rate.rdz", "-m", stub, "--target-bpp", 3, "--json")
    assert [one["bpp"] for one in ran.objects if one["setting"]] == [pytest.approx(3, rel=0.02)] * 4


def test_originals_are_kept_where_something_is_lost(rdzip: Cli, scene: Path, stub: Path) -> None:
    ran = rdzip("compress", scene, "-m", stub, "-q", 60, "--rm")
    assert ran.code == 0
    assert "is kept: its .rdz holds what is left after loss" in ran.err
    assert scene.exists()


def test_conversions_are_told(rdzip: Cli, scene: Path, stub: Path, tmp_path: Path) -> None:
    deep = tmp_path / "deep.png"
    Image.fromarray(samples(scene)[:, :, 0].astype(np.uint16) * 256).save(deep)
    ran = rdzip("compress", deep, "-m", stub, "-q", 60)
    assert "deep.png: 16 bits a sample are kept as 8" in ran.err
    assert rdzip("decompress", deep.with_name("deep.png.rdz"), "-f").code == 0
    assert samples(deep).dtype == np.uint8
    painting = tmp_path / "painting.tif"
    Image.fromarray(samples(scene)).convert("CMYK").save(painting)
    ran = rdzip("compress", painting, "-m", stub, "-q", 60)
    assert "painting.tif: pixels of mode CMYK are coded without loss" in ran.err
    assert ran.err.endswith("nothing lost\n")


def test_through_pipes(rdzip: Cli, scene: Path, stub: Path) -> None:
    there = rdzip("compress", "-", "-m", stub, "-q", 40, stdin=scene.read_bytes())
    assert there.code == 0
    back = rdzip("decompress", "-", stdin=there.out)
    assert back.out[:4] == b"\x89PNG"


def test_every_truncation_is_refused(rdzip: Cli, scene: Path, stub: Path, tmp_path: Path) -> None:
    assert rdzip("compress", scene, "-m", stub, "-q", 10).code == 0
    data = scene.with_name("a.png.rdz").read_bytes()
    for end in range(0, len(data), 101):
        (tmp_path / "cut.rdz").write_bytes(data[:end])
        ran = rdzip("test", tmp_path / "cut.rdz")
        assert ran.code == 1
        assert len(ran.err.splitlines()) == 1


def test_without_the_model_nothing_is_decoded(rdzip: Cli, scene: Path, stub: Path) -> None:
    assert rdzip("compress", scene, "-m", stub, "-q", 10).code == 0
    for path in hub.cache_dir().iterdir():
        path.unlink()
    ran = rdzip("test", scene.with_name("a.png.rdz"))
    assert ran.code == 1
    assert "no model with the sha-256" in ran.err


def test_the_model_itself(rdzip: Cli, scene: Path, tmp_path: Path) -> None:
    """There and back by "transform-code", untrained."""
    model = tiny_transform.write(tmp_path / "tiny.safetensors", wild=False)
    hub.pull(model)
    for arguments in (["-q", 70], ["--target-bpp", 1.2]):
        (found,) = rdzip("compress", scene, "-m", model, *arguments, "-f", "--json").objects
        assert found["codec"] == "channel-ar"
        assert found["estimated_bits"] == pytest.approx(8 * found["bytes_out"], rel=0.01)
        assert rdzip("test", scene.with_name("a.png.rdz")).code == 0
    assert found["bpp"] == pytest.approx(1.2, rel=0.02)


@pytest.mark.parametrize("kind", tiny_hyper.CONFIGS)
def test_the_published_codecs(rdzip: Cli, scene: Path, tmp_path: Path, kind: str) -> None:
    """There and back by "hyper-code", untrained; a file for a rate; a device that it cannot use."""
    model, packed = tiny_hyper.write(tmp_path / "tiny.safetensors", kind), scene.with_name("a.png.rdz")
    hub.pull(model)
    for arguments in (["-q", 60], ["--target-bpp", 0.5]):
        (found,) = rdzip("compress", scene, "-m", model, *arguments, "-f", "--json").objects
        assert found["codec"] == kind
        assert found["estimated_bits"] == pytest.approx(8 * found["bytes_out"], rel=0.01)
        assert rdzip("test", packed).code == 0
        (facts,) = rdzip("info", packed, "--json").objects
        assert (facts["codec"], facts["setting"], facts["q"]) == (kind, found["setting"], found["q"])
    assert found["bpp"] == pytest.approx(0.5, rel=0.02)
    assert rdzip("decompress", packed, "-o", tmp_path / "back.png").code == 0
    assert psnr(samples(scene), samples(tmp_path / "back.png"), None) == pytest.approx(found["psnr"], abs=1e-4)
    ran = rdzip("compress", scene, "-m", model, "-q", 60, "-f", "--device", "cuda")
    assert (ran.code, len(ran.err.splitlines())) == (1, 1)
    assert "runs on the processor only" in ran.err
    (other,) = {*tiny_hyper.CONFIGS} - {kind}
    ran = rdzip("compress", scene, "-m", model, "-q", 60, "-f", "--codec", other)
    assert (ran.code, len(ran.err.splitlines())) == (1, 1)
    assert f"found {other}" in ran.err
