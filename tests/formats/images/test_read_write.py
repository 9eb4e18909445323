"""Files of every format that Pillow opens: to .rdz and back to a file equal in pixels, mode, palette and metadata, or
refused in one line.
"""

import io
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from rdzip.codecs.classic import png
from rdzip.errors import InputError
from rdzip.formats.images.picture import from_array
from rdzip.formats.images.read import picture_of_image, read_picture
from rdzip.formats.images.write import format_of_suffix, to_image, write_picture
from rdzip.formats.metadata import plain_info
from rdzip.pipeline.compress import compress
from rdzip.pipeline.decompress import decompress
from rdzip.pipeline.request import Request

RNG = np.random.default_rng(0)
RGB = Image.fromarray((RNG.normal(size=(40, 50, 3)).cumsum(0) * 5).astype(np.int64).astype(np.uint8))
DEEP = RNG.integers(0, 65536, (20, 20)).astype(np.uint16)
PALETTE = RGB.convert("P", palette=Image.Palette.ADAPTIVE, colors=30)


def _file(image: Image.Image, kind: str, **options) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif[0x010E] = "a description"
    exif.get_ifd(0x8769).update({0x9003: "2020:01:01 00:00:00"})
    return exif


def _png(height: int, width: int, depth: int, colour_type: int, rows: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    ihdr = png.header(height, width, depth, colour_type)
    return png.write_chunks(
        [ihdr, *chunks, (b"IDAT", zlib.compress(rows)), (b"tIME", b"\x07\xe4\x01\x02\x03\x04\x05"), (b"IEND", b"")]
    )


def _rich_png() -> bytes:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Title", "hello")
    texts.add_itxt("Key", "väl", "en", "Käy")
    texts.add_text("Long", "z" * 300, zip=True)
    texts.add(b"gAMA", (45455).to_bytes(4, "big"))
    texts.add(b"cHRM", bytes(range(32)))
    return _file(RGB, "PNG", pnginfo=texts, dpi=(72, 72), exif=_exif(), icc_profile=b"profile" * 9)


CASES = {
    "png rich": _rich_png,
    "png 1": lambda: _file(RGB.convert("1"), "PNG"),
    "png L transparent": lambda: _file(RGB.convert("L"), "PNG", transparency=5),
    "png LA": lambda: _file(RGB.convert("LA"), "PNG"),
    "png P transparent": lambda: _file(PALETTE, "PNG", transparency=bytes([0, 128, 255])),
    "png RGB transparent": lambda: _file(RGB, "PNG", transparency=(1, 2, 3)),
    "png RGBA": lambda: _file(RGB.convert("RGBA"), "PNG"),
    "png I;16": lambda: _file(Image.fromarray(DEEP), "PNG"),
    "png grey of 4 bits": lambda: _png(
        5, 6, 4, 0, (b"\x00" + b"\x1f\x80\x37") * 5, (b"tRNS", b"\x00\x0f"), (b"sBIT", b"\x04")
    ),
    "png grey of 2 bits": lambda: _png(5, 8, 2, 0, (b"\x00" + b"\x1b\xe4") * 5, (b"bKGD", b"\x00\x03")),
    "png interlaced": lambda: _png(1, 1, 8, 0, b"\x00\x07", (b"tEXt", b"a\0b")),
    "gif": lambda: _file(PALETTE, "GIF", transparency=3, comment=b"yo"),
    "bmp": lambda: _file(RGB, "BMP", dpi=(96, 96)),
    "bmp 1": lambda: _file(RGB.convert("1"), "BMP"),
    "bmp P": lambda: _file(PALETTE, "BMP"),
    "tiff": lambda: _file(RGB, "TIFF", dpi=(300, 300), exif=_exif(), icc_profile=b"abc", description="words"),
    "tiff CMYK": lambda: _file(RGB.convert("CMYK"), "TIFF"),
    "tiff F": lambda: _file(RGB.convert("F"), "TIFF"),
    "tiff I": lambda: _file(RGB.convert("I"), "TIFF"),
    "tiff I;16": lambda: _file(RGB.convert("I").convert("I;16"), "TIFF"),
    "tiff LAB": lambda: _file(Image.frombytes("LAB", RGB.size, RGB.tobytes()), "TIFF"),
    "tiff P": lambda: _file(PALETTE, "TIFF"),
    "tiff LA": lambda: _file(RGB.convert("LA"), "TIFF"),
    "tiff YCbCr": lambda: _file(RGB.convert("YCbCr"), "TIFF"),
    "tiff 1": lambda: _file(RGB.convert("1"), "TIFF", compression="group4"),
    "webp": lambda: _file(RGB, "WEBP", lossless=True, exif=_exif(), xmp=b"<x/>"),
    "ppm": lambda: _file(RGB, "PPM"),
    "pgm": lambda: _file(RGB.convert("L"), "PPM"),
    "pbm": lambda: _file(RGB.convert("1"), "PPM"),
    "pfm": lambda: _file(RGB.convert("F"), "PPM"),
    "tga": lambda: _file(RGB.convert("RGBA"), "TGA"),
    "pcx": lambda: _file(PALETTE, "PCX"),
    "sgi": lambda: _file(RGB, "SGI"),
    "jpeg 2000": lambda: _file(RGB, "JPEG2000"),
}


@pytest.mark.parametrize("name", CASES)
def test_files_come_back_in_their_format(name):
    data = CASES[name]()
    picture = read_picture(data)
    back = decompress(compress(picture, Request(codec="classic")).data).picture
    written = write_picture(back)
    again = read_picture(written.data)
    assert written.format == picture.source_format
    assert written.notes == []
    assert format_of_suffix(written.suffix) == written.format
    assert (again.mode, again.palette, again.metadata) == (picture.mode, picture.palette, picture.metadata)
    assert again.samples.tobytes() == picture.samples.tobytes()


@pytest.mark.parametrize("name", CASES)
def test_images_in_memory_come_back(name):
    with Image.open(io.BytesIO(CASES[name]())) as image:
        image.load()
    back = to_image(decompress(compress(read_picture(CASES[name]()), Request(codec="classic")).data).picture)
    assert (back.mode, back.size, back.tobytes()) == (image.mode, image.size, image.tobytes())
    assert back.getpalette() == image.getpalette()
    assert plain_info(back.info) == plain_info(image.info)
    direct = to_image(decompress(compress(picture_of_image(image), Request(codec="classic")).data).picture)
    assert (direct.mode, direct.tobytes()) == (image.mode, image.tobytes())
    assert plain_info(direct.info) == plain_info(image.info)


@pytest.mark.parametrize(("mode", "format"), [("RGB", "PNG"), ("L", "PNG"), ("CMYK", "TIFF")])
def test_a_jpeg_comes_back_as_its_pixels(mode, format):
    options = {} if mode == "CMYK" else {"exif": _exif(), "dpi": (72, 72), "icc_profile": b"zz", "xmp": b"<x/>"}
    picture = read_picture(_file(RGB.convert(mode), "JPEG", **options))
    assert "larger than the file" in picture.notes[0].text
    written = write_picture(decompress(compress(picture, Request(codec="classic")).data).picture)
    assert written.format == format
    assert written.notes[0].text.startswith("the original was JPEG")
    again = read_picture(written.data)
    assert again.samples.tobytes() == picture.samples.tobytes()
    info = to_image(again).info
    assert [info.get(name) for name in options if name not in ("exif", "dpi")] == [
        options[name] for name in options if name not in ("exif", "dpi")
    ]


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_16_bit_colour_is_kept_in_full(channels):
    samples = RNG.integers(0, 65536, (30, 17, channels)).astype(np.uint16)
    data = write_picture(from_array(samples)).data
    picture = read_picture(data)
    assert picture.mode == {2: "LA;16", 3: "RGB;16", 4: "RGBA;16"}[channels]
    np.testing.assert_array_equal(picture.samples, samples)
    np.testing.assert_array_equal(decompress(compress(picture).data).picture.samples, samples)
    with pytest.raises(InputError, match="decompress_array"):
        to_image(picture)
    if channels != 2:  # Pillow gives no sign of having cut a grey PNG with alpha once it is loaded
        with Image.open(io.BytesIO(data)) as image, pytest.raises(InputError, match="16 bits a sample"):
            picture_of_image(image)


@pytest.mark.optional("imagecodecs")
def test_16_bit_colour_against_another_reader():
    import imagecodecs

    samples = RNG.integers(0, 65536, (30, 17, 3)).astype(np.uint16)
    np.testing.assert_array_equal(read_picture(imagecodecs.png_encode(samples)).samples, samples)
    np.testing.assert_array_equal(imagecodecs.png_decode(write_picture(from_array(samples)).data), samples)


def _deep_ppm() -> bytes:
    return b"P6 2 2 65535\n" + bytes(range(24))


def _deep_tiff() -> bytes:
    import tifffile

    out = io.BytesIO()
    tifffile.imwrite(out, np.zeros((4, 4, 3), np.uint16), photometric="rgb")
    return out.getvalue()


REFUSED = {
    "animated gif": (lambda: _file(PALETTE, "GIF", save_all=True, append_images=[PALETTE.rotate(90)]), "2 frames"),
    "animated png": (lambda: _file(RGB, "PNG", save_all=True, append_images=[RGB.rotate(90)]), "2 frames"),
    "animated webp": (lambda: _file(RGB, "WEBP", save_all=True, append_images=[RGB.rotate(90)]), "2 frames"),
    "tiff of two pages": (lambda: _file(RGB, "TIFF", save_all=True, append_images=[RGB]), "2 pages"),
    "icons": (lambda: _file(RGB, "ICO"), "icons"),
    "vector graphics": (lambda: _file(RGB, "EPS"), "vector graphics"),
    "deep ppm": (_deep_ppm, "16 bits a sample"),
    "deep tiff": (_deep_tiff, "16 bits a sample"),
    "deep sgi": (
        lambda: b"\x01\xda\x00\x02\x00\x03\x00\x02\x00\x02\x00\x03" + bytes(512 - 12 + 24),
        "16 bits a sample",
    ),
    "empty": (lambda: b"", "empty file"),
    "text": (lambda: b"hello, this is no image at all", "that Pillow can open"),
}


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.optional("tifffile")] if n == "deep tiff" else []) for n in REFUSED]
)
def test_what_cannot_be_kept_is_refused_in_one_line(name):
    make, message = REFUSED[name]
    with pytest.raises(InputError, match=message) as caught:
        read_picture(make())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "TIFF", "WEBP", "PPM", "SGI"])
def test_truncated_files_are_refused(kind):
    data = _file(RGB, kind)
    for share in (0.1, 0.5, 0.9):
        with pytest.raises(InputError):
            read_picture(data[: int(share * len(data))])


def test_corrupt_pngs_are_refused():
    data = _file(RGB, "PNG")
    for at in range(8, len(data), 7):
        with pytest.raises(InputError):
            read_picture(data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])


def test_large_images_are_refused_by_our_limit_without_a_warning(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    data = _file(RGB, "PNG")
    assert read_picture(data).shape == (40, 50, 3)
    assert Image.MAX_IMAGE_PIXELS == 100
    with pytest.raises(InputError, match="at most 1999 are allowed"):
        read_picture(data, max_pixels=1999)


def test_a_format_that_cannot_hold_the_picture_is_refused():
    picture = read_picture(_file(RGB.convert("F"), "TIFF"))
    for format in ("PNG", "JPEG", "GIF"):
        with pytest.raises(InputError, match="without loss"):
            write_picture(picture, format)
    assert write_picture(read_picture(_file(RGB, "PNG")), "BMP").format == "BMP"


def test_bilevel_samples_are_0_and_1():
    image = Image.fromarray(np.random.default_rng(0).integers(0, 2, (40, 50), np.uint8) * 255, "L").convert("1")
    picture = picture_of_image(image)
    assert picture.samples.max() == 1
    np.testing.assert_array_equal(np.asarray(to_image(picture)), np.asarray(image))
