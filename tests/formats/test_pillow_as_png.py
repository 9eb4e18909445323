"""An image opened by the Pillow plugin does what one of a PNG does, and so does save."""

from __future__ import annotations

import copy
import io
import multiprocessing
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

import rdzip

MODES = ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"]


@pytest.fixture(autouse=True)
def _registered() -> None:
    rdzip.register_pillow()


def picture(mode: str = "RGB") -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 40, (30, 20, 3)).astype(np.uint8)
    image = Image.fromarray(pixels)
    return image.convert("I").convert(mode) if mode == "I;16" else image.convert(mode)


@pytest.fixture(params=MODES)
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path]:
    """The same image as PNG and as .rdz."""
    paths = tmp_path / "a.png", tmp_path / "a.rdz"
    image = picture(request.param)
    image.save(paths[0])
    image.save(paths[1], codec="classic")
    return paths


def opened(path: Path) -> Image.Image:
    return Image.open(path)


def everything(image: Image.Image) -> tuple[Any, ...]:
    pixels = np.asarray(image)
    return image.mode, image.size, image.getpalette(), pixels.dtype, pixels.tolist(), image.getpixel((3, 4))


def thumbnail(image: Image.Image) -> Image.Image:
    image.thumbnail((7, 7))
    return image


def painted(image: Image.Image) -> Image.Image:
    image.putpixel((1, 1), image.getpixel((3, 3)))  # type: ignore[arg-type]
    return image


def again(image: Image.Image) -> Image.Image:
    image.seek(0)
    assert image.tell() == 0
    with pytest.raises(EOFError):
        image.seek(1)
    return image


def saved(image: Image.Image) -> Image.Image:
    out = io.BytesIO()
    image.save(out, "PNG")
    return Image.open(io.BytesIO(out.getvalue()))


WAYS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "as it is": lambda image: image,
    "pickle": lambda image: pickle.loads(pickle.dumps(image)),
    "pickle twice": lambda image: pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(image)))),
    "copy.copy": copy.copy,
    "copy.deepcopy": copy.deepcopy,
    "copy": lambda image: image.copy(),
    "crop": lambda image: image.crop((2, 3, 12, 14)),
    "thumbnail": thumbnail,
    "putpixel": painted,
    "seek": again,
    "save as PNG": saved,
    "transpose": lambda image: ImageOps.exif_transpose(image),
    "RGB": lambda image: image.convert("RGBA").convert("RGB"),
}


@pytest.mark.parametrize("way", WAYS)
def test_what_images_of_png_do(pair: tuple[Path, Path], way: str) -> None:
    found = []
    for path in pair:
        with opened(path) as image:
            try:
                found.append(everything(WAYS[way](image)))
            except ValueError as error:  # Pillow cannot make thumbnails of I;16
                found.append((str(error),))
    assert way != "as it is" or len(found[0]) > 1
    assert found[0] == found[1]


def test_before_anything_is_loaded(pair: tuple[Path, Path]) -> None:
    with opened(pair[0]) as png, opened(pair[1]) as rdz:
        assert (png.mode, png.size, png.palette is None) == (rdz.mode, rdz.size, rdz.palette is None)
        assert (rdz.format, rdz.get_format_mimetype()) == ("RDZ", "image/x-rdz")
        if png.palette is not None and rdz.palette is not None:
            assert png.palette.getdata() == rdz.palette.getdata()


def test_images_of_workers(tmp_path: Path) -> None:
    paths = [tmp_path / "a.png", tmp_path / "a.rdz"]
    picture().save(paths[0])
    picture().save(paths[1], codec="classic")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork with threads about
        with multiprocessing.get_context("fork").Pool(1) as pool:
            images = pool.map(opened, paths)
    assert everything(images[0]) == everything(images[1])


def test_verify(tmp_path: Path) -> None:
    path = tmp_path / "a.rdz"
    picture().save(path, codec="classic")
    with opened(path) as image:
        image.verify()
        with pytest.raises(OSError, match="cannot load"):
            image.load()
    with opened(path) as image:
        image.load()
        with pytest.raises(RuntimeError, match="directly after open"):
            image.verify()


def test_no_file_stays_open(tmp_path: Path) -> None:
    path = tmp_path / "a.rdz"
    picture().save(path, codec="classic")
    Image.open(path)  # what is not closed would be warned of
    Image.open(path).load()
    Image.open(path).verify()
    path.write_bytes(path.read_bytes()[:-9] + bytes(9))
    with pytest.raises(OSError, match="corrupt"):
        Image.open(path)


def test_an_image_that_cannot_be_decoded_raises_and_can_be_tried_again(tmp_path: Path) -> None:
    out = io.BytesIO()
    picture().save(out, "RDZ", codec="classic")
    image = Image.open(io.BytesIO(out.getvalue()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
        for use in (np.asarray, lambda image: image.load(), lambda image: image.getpixel((0, 0)), pickle.dumps):
            with pytest.raises(OSError, match="pixels"):
                use(image)
    assert np.array_equal(np.asarray(image), np.asarray(picture()))


EXIF = Image.Exif()
EXIF[0x112] = 6
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"


@pytest.mark.parametrize("exif", [EXIF, EXIF.tobytes(), EXIF.tobytes()[6:]])
def test_metadata_given_to_save_are_written(tmp_path: Path, exif: Any) -> None:
    for name in ("a.png", "a.rdz"):
        more = {} if name == "a.png" else {"codec": "classic", "xmp": XMP}
        picture().save(tmp_path / name, exif=exif, icc_profile=PROFILE, dpi=(300, 150), **more)
    with opened(tmp_path / "a.png") as png, opened(tmp_path / "a.rdz") as rdz:
        assert dict(rdz.getexif()) == dict(png.getexif()) == {0x112: 6}
        assert rdz.info["icc_profile"] == png.info["icc_profile"] == PROFILE
        assert np.allclose(rdz.info["dpi"], png.info["dpi"], atol=0.02)
        assert rdz.info["xmp"] == XMP
        assert ImageOps.exif_transpose(rdz).size == ImageOps.exif_transpose(png).size == (30, 20)
    assert rdzip.decompress(tmp_path / "a.rdz").info["icc_profile"] == PROFILE


def test_metadata_of_the_image_stay_unless_others_are_given() -> None:
    image = picture()
    image.info |= {"icc_profile": b"old", "xmp": b"old", "dpi": (72.0, 72.0), "comment": "kept"}
    out = io.BytesIO()
    image.save(out, "RDZ", codec="classic", icc_profile=None, xmp="new", exif=b"")
    assert rdzip.decompress(out.getvalue()).info == {"xmp": b"new", "dpi": (72.0, 72.0), "comment": "kept"}
    assert image.info["icc_profile"] == b"old"
    out = io.BytesIO()
    image.save(out, "RDZ", codec="classic", metadata="none", xmp="new")
    assert rdzip.decompress(out.getvalue()).info == {}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"optimize": True}, "optimize"),
        ({"compress_level": 0, "pnginfo": 1}, "compress_level, pnginfo"),
        ({"save_all": True, "append_images": []}, "append_images"),
        ({"transparency": 0}, "transparency"),
        ({"dpi": 72}, "dpi: expected two numbers"),
        ({"dpi": (72, float("nan"))}, "dpi: expected two numbers"),
        ({"dpi": (72, 0)}, "dpi: expected two numbers"),
        ({"dpi": "ab"}, "dpi: expected two numbers"),
        ({"icc_profile": "text"}, "icc_profile: expected bytes, found str"),
        ({"exif": 5}, "exif: expected bytes, found int"),
        ({"xmp": [1]}, "xmp: expected bytes, found list"),
        ({"quality": 500}, "quality of 1 to 100"),
        ({"quality": "web_high"}, "`quality`: expected a whole number"),
        ({"effort": 0}, "`effort`: expected a whole number of 1 or more"),
        ({"model": 5}, "`model`: expected a text"),
    ],
)
def test_options_that_are_refused(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(OSError, match=message) as caught:
        picture().save(tmp_path / "a.rdz", **options)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "a.rdz").exists()


def test_options_that_ask_for_nothing_are_taken(tmp_path: Path) -> None:
    picture().save(tmp_path / "a.rdz", codec="classic", optimize=False, save_all=False, quality=None, transparency=None)
    with opened(tmp_path / "a.rdz") as image:
        assert everything(image) == everything(picture())


@pytest.mark.parametrize("mode", ["La", "RGBa", "RGBX", "PA", "CMYK", "YCbCr", "LAB", "HSV", "I", "F", "I;16B"])
def test_modes_that_png_has_not(mode: str) -> None:
    source = picture("RGBA" if mode == "RGBa" else "LA" if mode == "La" else "P" if mode == "PA" else "RGB")
    if mode in ("LAB", "I;16B"):
        size = {"LAB": 3, "I;16B": 2}[mode] * 600
        image = Image.frombytes(mode, (20, 30), np.random.default_rng(1).bytes(size))
    else:
        image = source.convert("I" if mode == "I" else mode)
    out = io.BytesIO()
    image.save(out, "RDZ", codec="classic")
    with Image.open(io.BytesIO(out.getvalue())) as back:
        assert (back.mode, back.tobytes(), back.getpalette()) == (mode, image.tobytes(), image.getpalette())


@pytest.mark.parametrize("image", [Image.new("L", (0, 5)), Image.new("I;16L", (3, 3))])
def test_images_that_cannot_be_saved(tmp_path: Path, image: Image.Image) -> None:
    with pytest.raises(OSError, match="expected"):
        image.save(tmp_path / "a.rdz")
    assert not (tmp_path / "a.rdz").exists()
