from __future__ import annotations

import io
import zlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from rdzip.codecs.classic import png
from rdzip.formats.images.picture import Picture
from rdzip.formats.images.read import picture_of_image, read_picture
from rdzip.formats.images.to_8bit import to_eight_bits
from rdzip.formats.images.write import write_picture
from rdzip.formats.modes import MODES

RNG = np.random.default_rng(0)


def read_back(image: Image.Image, **options: Any) -> Picture:
    out = io.BytesIO()
    image.save(out, "PNG", **options)
    return read_picture(out.getvalue())


def palette_image() -> Image.Image:
    image = Image.fromarray(RNG.integers(0, 5, (6, 7)).astype(np.uint8), "P")
    image.putpalette(RNG.bytes(15))
    return image


@pytest.mark.parametrize("mode", [mode.name for mode in MODES])
def test_every_mode_is_converted_or_left_to_lossless_codecs(mode: str) -> None:
    facts = next(one for one in MODES if one.name == mode)
    shape = (5, 6) if facts.channels == 1 else (5, 6, facts.channels)
    samples = np.frombuffer(RNG.bytes(int(np.prod(shape)) * np.dtype(facts.dtype).itemsize), facts.dtype).reshape(shape)
    if mode == "1":
        samples = samples & 1
    palette = RNG.bytes(768) if mode in ("P", "PA") else b""
    found = to_eight_bits(Picture(samples, mode, palette, "RGB" if palette else ""))
    if mode in ("CMYK", "I", "F", "YCbCr", "LAB", "HSV", "La", "RGBa", "RGBX"):
        assert found is None
        return
    assert found is not None
    assert found.mode in ("L", "LA", "RGB", "RGBA")
    assert bool(found.notes) == (mode not in ("L", "LA", "RGB", "RGBA"))
    assert found.palette == b""


def test_16_bits_are_rounded() -> None:
    samples = np.array([[0, 128, 129, 257, 65535, 65406, 65407]], np.uint16)
    found = to_eight_bits(Picture(samples, "I;16"))
    assert found is not None
    assert found.samples.tolist() == [[0, 0, 1, 1, 255, 254, 255]]


@pytest.mark.parametrize("transparency", [None, 2, bytes([255, 0, 90])])
def test_palettes_become_what_pillow_makes_of_them(transparency: Any) -> None:
    image = palette_image()
    options = {} if transparency is None else {"transparency": transparency}
    found = to_eight_bits(read_back(image, **options))
    assert found is not None
    mode = "RGB" if transparency is None else "RGBA"
    out = io.BytesIO()
    image.save(out, "PNG", **options)
    assert found.mode == mode
    assert np.array_equal(found.samples, np.asarray(Image.open(out).convert(mode)))
    assert [note.text for note in found.notes] == ["the palette is not kept, only its colours"]
    assert not any(kind in (b"tRNS", b"PLTE") for kind, _ in found.metadata.get("png", []))


def test_palettes_in_memory_with_alpha() -> None:
    image = palette_image()
    image.putpalette(RNG.bytes(20), "RGBA")
    found = to_eight_bits(picture_of_image(image))
    assert found is not None
    assert np.array_equal(found.samples, np.asarray(image.convert("RGBA")))
    with_alpha = Picture(RNG.integers(0, 5, (4, 5, 2)).astype(np.uint8), "PA", RNG.bytes(9), "RGB")
    both = to_eight_bits(with_alpha)
    assert both is not None
    assert both.mode == "RGBA"
    assert np.array_equal(both.samples[..., 3], with_alpha.samples[..., 1])
    assert (both.samples[with_alpha.samples[..., 0] > 2][:, :3] == 0).all()


def test_transparent_colours_become_alpha() -> None:
    samples = RNG.integers(0, 3, (8, 9, 3)).astype(np.uint8)
    for image, key in ((Image.fromarray(samples), (1, 2, 0)), (Image.fromarray(samples[..., 0]), 2)):
        found = to_eight_bits(read_back(image, transparency=key, dpi=(72, 72)))
        assert found is not None
        assert [note.text for note in found.notes] == ["the transparent colour is kept as an alpha channel"]
        hidden = (np.asarray(image).reshape(8, 9, -1) == np.array(key)).all(2)
        assert np.array_equal(found.samples[..., -1], np.where(hidden, 0, 255))
        assert [kind for kind, _ in found.metadata["png"]] == [b"pHYs", b"IDAT"]


def test_16_bit_transparent_colours_are_compared_in_16_bits() -> None:
    samples = np.array([[1000, 1001, 2000]], np.uint16)
    picture = Picture(samples, "I;16", metadata={"png": [[b"tRNS", (1000).to_bytes(2, "big")], [b"IDAT", b""]]})
    found = to_eight_bits(picture)
    assert found is not None
    assert found.samples[0, :, 1].tolist() == [0, 255, 255]
    assert len(found.notes) == 2


def test_grey_of_few_bits_is_widened_for_good() -> None:
    """Of a file of 2 bits; a lossy picture may have other levels."""
    rows = png.filter_rows(np.array([[0b00011011], [0b11100100]], np.uint8))
    chunks = [png.header(2, 4, 2, 0), (b"tRNS", b"\0\1"), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    picture = read_picture(png.write_chunks(chunks))
    assert picture.metadata["depth"] == 2
    found = to_eight_bits(picture)
    assert found is not None
    assert found.metadata == {}
    assert [note.text for note in found.notes] == [
        "2 bits a sample are kept as 8",
        "the transparent colour is kept as an alpha channel",
    ]
    assert found.samples[0].tolist() == [[0, 255], [85, 0], [170, 255], [255, 255]]
    other = found.samples + np.uint8(1)  # which two bits could not hold
    assert np.array_equal(read_picture(write_picture(replace(found, samples=other)).data).samples, other)


def test_pictures_that_suit_are_left_alone() -> None:
    picture = read_back(Image.fromarray(RNG.integers(0, 256, (5, 6, 3)).astype(np.uint8)), dpi=(72, 72))
    assert to_eight_bits(picture) is picture
