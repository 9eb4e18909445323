"""Truevision's images come back byte for byte."""

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
from rdzip.formats.carriers.table import CARRIERS, carrier_of

TGA = 9


def by_pillow(mode: str, orientation: int = -1) -> bytes:
    rng = np.random.default_rng(3)
    image = (
        Image.fromarray(rng.integers(0, 256, (7, 13, 4), np.uint8), "RGBA")
        .convert("RGB" if mode == "P" else mode)
        .convert(mode)
    )
    out = io.BytesIO()
    image.save(out, "TGA", orientation=orientation)
    return out.getvalue()


@pytest.mark.parametrize("orientation", [-1, 1])
@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGB", "RGBA"])
def test_what_pillow_writes(mode: str, orientation: int) -> None:
    data = by_pillow(mode, orientation)
    opened = carried(data, TGA)
    (picture,) = opened.pictures
    assert picture.mode == mode
    assert cost(opened) <= 16
    if mode != "P":
        with Image.open(io.BytesIO(data)) as image:
            assert np.array_equal(np.asarray(image), picture.samples)


def test_names_palettes_of_32_bits_and_footers() -> None:
    head = struct.pack("<BBBHHBHHHHBB", 4, 1, 1, 0, 3, 32, 5, 6, 2, 2, 8, 0x28)
    opened = carried(head + b"name" + bytes(range(12)) + b"\0\1\2\0" + b"more" + bytes(30), TGA)
    assert opened.pictures[0].palette == bytes([2, 1, 0, 6, 5, 4, 10, 9, 8])


def test_what_is_not_carried() -> None:
    data = by_pillow("RGB")
    with pytest.raises(NotCarriedError, match="cut short"):
        CARRIERS[TGA].open(data[:60])
    packed = io.BytesIO()
    Image.new("RGB", (9, 9)).save(packed, "TGA", compression="tga_rle")
    assert carrier_of(packed.getvalue()) is None
    for other in (b"", b"\0" * 99, b"some text, no image at all", b"\x00\x00\x01\x00\x01\x00\x10\x10" + bytes(40)):
        assert carrier_of(other) is None


@given(st.binary(max_size=99))
def test_any_bytes(data: bytes) -> None:
    for kind in (b"\0\1\1", b"\0\0\2", b"\0\0\3"):
        carried_or_not(CARRIERS[TGA], kind + data)


def test_mutants_come_back_or_are_refused() -> None:
    files = [by_pillow(mode) for mode in ("L", "LA", "P", "RGB", "RGBA")]
    hits = [carried_or_not(CARRIERS[TGA], m) for i, f in enumerate(files) for m in mutants(f, 400, i, 30)]
    assert 100 < sum(hits) < len(hits)


def test_hostile_skeletons() -> None:
    for i, mode in enumerate(("L", "P", "RGB", "RGBA")):
        close_hostile(TGA, CARRIERS[TGA].open(by_pillow(mode) + b"end"), 300, i)
