"""Windows bitmaps come back byte for byte."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from helpers.carrier_support import carried, carried_or_not, close_hostile, cost, mutants
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from rdzip.formats.carriers.carrier import NotCarriedError
from rdzip.formats.carriers.table import CARRIERS
from rdzip.formats.images.picture import Picture

BMP = 3


def by_pillow(mode: str, width: int = 13, height: int = 7) -> bytes:
    rng = np.random.default_rng(3)
    image = Image.fromarray(rng.integers(0, 256, (height, width, 4), np.uint8), "RGBA").convert(mode)
    out = io.BytesIO()
    image.save(out, "BMP")
    return out.getvalue()


def bitmap(
    width: int, height: int, bits: int, samples: bytes, head: bytes = b"", palette: bytes = b"", method: int = 0
) -> bytes:
    """A bitmap of BITMAPINFOHEADER; head: masks or what else follows it."""
    start = 54 + len(head) + len(palette)
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, method, len(samples), 2835, 2835, 0, 0)
    return struct.pack("<2sIII", b"BM", start + len(samples), 0, start) + info + head + palette + samples


@pytest.mark.parametrize(("mode", "held"), [("1", "1"), ("L", "L"), ("P", "P"), ("RGB", "RGB"), ("RGBA", "RGBA")])
def test_what_pillow_writes(mode: str, held: str) -> None:
    data = by_pillow(mode)
    opened = carried(data, BMP)
    (picture,) = opened.pictures
    assert picture.mode == held
    assert cost(opened) <= 60
    with Image.open(io.BytesIO(data)) as image:
        assert np.array_equal(np.asarray(image.convert("RGB")), np.asarray(_shown(picture).convert("RGB")))


def _shown(picture: Picture) -> Image.Image:
    samples, mode = picture.samples, picture.mode
    if mode == "1":
        return Image.fromarray(samples * 255)
    image = Image.fromarray(samples)
    if mode == "P":
        image.putpalette(picture.palette)
    return image


@pytest.mark.parametrize("height", [5, -5])
@pytest.mark.parametrize("bits", [1, 4, 8, 16, 24, 32])
def test_each_size_of_pixels_either_way_up(bits: int, height: int) -> None:
    rng = np.random.default_rng(bits)
    stride = -(-7 * bits // 32) * 4
    samples = bytearray(rng.bytes(stride * 5))
    if bits == 16:
        samples[1::2] = bytes(v & 0x7F for v in samples[1::2])  # the bit that is no colour's
    palette = rng.bytes(4 << bits) if bits <= 8 else b""
    opened = carried(bitmap(7, height, bits, bytes(samples), palette=palette) + b"after the end", BMP)
    assert opened.pictures[0].shape[:2] == (5, 7)
    first = opened.pictures[0].samples[0 if height < 0 else -1, 0]
    if bits == 24:
        assert first.tolist() == list(samples[2::-1])


def test_a_fourth_byte_that_says_nothing_is_no_alpha() -> None:
    for value in (0, 255):
        opened = carried(bitmap(2, 2, 32, bytes([1, 2, 3, value] * 4)), BMP)
        assert opened.pictures[0].mode == "RGB"
        assert opened.pictures[0].samples[0, 0].tolist() == [3, 2, 1]


@pytest.mark.parametrize(
    ("bits", "masks"),
    [
        (16, (0xF800, 0x7E0, 0x1F)), (16, (0x7C00, 0x3E0, 0x1F)), (16, (0xF, 0xF0, 0xF00)),
        (32, (0xFF, 0xFF00, 0xFF0000)), (32, (0xFF000000, 0xFF0000, 0xFF00)), (32, (0xFF0000, 0xFF00, 0xFF)),
    ],
)  # fmt: skip
def test_masks_of_colours(bits: int, masks: tuple[int, int, int]) -> None:
    pixel = sum(m & -m for m in masks) | (masks[0] if bits == 16 else 0)
    samples = pixel.to_bytes(bits // 8, "little") * 4
    opened = carried(bitmap(2, 2, bits, samples, struct.pack("<3I", *masks), method=3), BMP)
    expected = [masks[0] // (masks[0] & -masks[0]) if bits == 16 else 1, 1, 1]
    assert opened.pictures[0].samples[0, 0].tolist() == expected


def test_the_old_header_and_gaps() -> None:
    samples = bytes([7, 0, 0, 9] * 2)  # filling that is not zeros
    head = struct.pack("<IHHHH", 12, 3, 2, 1, 8)
    data = struct.pack("<2sIII", b"BM", 0, 99, 14 + 12 + 768 + 5) + head + bytes(range(256)) * 3 + b"a gap" + samples
    opened = carried(data, BMP)
    assert opened.pictures[0].mode == "P"
    assert len(opened.pictures[0].palette) == 768


def test_what_is_not_carried() -> None:
    good = bitmap(2, 2, 24, bytes(16))
    for data, why in (
        (good[:-1], "cut short"),
        (bitmap(2, 2, 8, bytes(8), palette=bytes(1024), method=1), "compressed"),
        (bitmap(30000, 30000, 1, b"", palette=bytes(8)), "cut short"),
        (bitmap(2, 2, 32, bytes(16), struct.pack("<3I", 0x3FF, 0xFFC00, 0x3FF00000), method=3), "masks"),
        (bitmap(1, 1, 16, b"\xff\xff\0\0"), "bits of no colour"),
        (bitmap(0, 2, 24, b""), "no pixels"),
        (bitmap(2, 2, 2, bytes(16)), "2 bits"),
    ):
        with pytest.raises(NotCarriedError, match=why):
            CARRIERS[BMP].open(data)


@given(st.binary(max_size=200))
def test_any_bytes_after_the_signature(data: bytes) -> None:
    carried_or_not(CARRIERS[BMP], b"BM" + data)


def test_mutants_come_back_or_are_refused() -> None:
    files = [by_pillow(mode) for mode in ("1", "L", "P", "RGB", "RGBA")]
    files.append(bitmap(2, 2, 16, bytes(8), struct.pack("<3I", 0xF800, 0x7E0, 0x1F), method=3))
    hits = [carried_or_not(CARRIERS[BMP], m) for i, f in enumerate(files) for m in mutants(f, 400, i, 80)]
    assert 100 < sum(hits) < len(hits)


def test_hostile_skeletons() -> None:
    for i, mode in enumerate(("1", "P", "RGB", "RGBA")):
        close_hostile(BMP, CARRIERS[BMP].open(by_pillow(mode) + b"end"), 300, i)
