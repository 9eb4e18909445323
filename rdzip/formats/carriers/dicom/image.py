"""A DICOM file as its frames and the bytes around them.

Source: DICOM PS3.3, section C.7.6.3 (image pixel), C.7.6.6 (multi-frame); PS3.5, section 8 (encoding of pixels).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from rdzip.errors import FormatError
from rdzip.formats.carriers.carrier import NotCarriedError, Opened
from rdzip.formats.carriers.dicom.elements import MAGIC, PREAMBLE, UNDEFINED, Element, Reader, Syntax
from rdzip.formats.carriers.dicom.palette import TAGS, Palette, palette_of
from rdzip.formats.carriers.dicom.subsampled import Subsampled
from rdzip.formats.carriers.raw.array import Array
from rdzip.formats.carriers.raw.checks import certain, fields, integer, octets, require, shortened
from rdzip.formats.carriers.raw.grouping import FLOAT, SIGNED, UNSIGNED
from rdzip.formats.carriers.raw.patches import difference, patched
from rdzip.formats.images.picture import Picture

CHANNELS, COLOURS, PLANAR, FRAMES, ROWS, COLUMNS = 0x280002, 0x280004, 0x280006, 0x280008, 0x280010, 0x280011
SUBSAMPLED = (b"YBR_FULL_422", b"YBR_PARTIAL_422")
BITS, SIGN = 0x280100, 0x280103
ATTRIBUTES = (CHANNELS, COLOURS, PLANAR, FRAMES, ROWS, COLUMNS, BITS, SIGN)
FLOATS, PIXELS = 0x7FE00008, 0x7FE00010
NUMBER = re.compile(rb"[ \0]*\+?(\d{1,9})[ \0]*")
MOST = 64
"""Bytes of an attribute that is read."""


class _Head(NamedTuple):
    """What comes before the pixels: its length in bytes, how the frames lie, bytes of the pixels' value, and a palette,
    if there is one.
    """

    length: int
    array: Array
    room: int
    palette: Palette | None


def open(data: bytes) -> Opened:
    """Return the frames and the skeleton [patch of the head, patch of the rest, filling of bits, form of palette].

    The head is all up to the pixels' value, the tables of a palette 0; the rest all behind their last sample.
    """
    head = _parse(data)
    if head.room < head.array.size:
        raise NotCarriedError("its pixels are fewer than it says, or subsampled")
    pictures = head.array.read(data, head.length)
    start, rest = data[: head.length], data[head.length + head.array.size :]
    form = 0
    if head.palette and all(int(p.samples.max()) < head.palette.entries for p in pictures):
        form, colours = head.palette.read(start)
        if form:
            pictures = replace(head.array, colour="P", palette=colours).read(data, head.length)
            start = head.palette.cleared(start)
    skeleton = [
        difference(start, _expected(pictures)), difference(rest, _filling(head.array)),
        head.array.filling(data, head.length), form,
    ]  # fmt: skip
    return certain(data, Opened(pictures, shortened(skeleton)), close)


def close(pictures: Sequence[Picture], skeleton: Any) -> bytes:
    """Return the file."""
    patch, rest, filling, form = fields(skeleton, 4)
    start = patched(patch, _expected(pictures))
    try:
        head = _parse(start)
    except NotCarriedError as error:
        raise FormatError(f"a skeleton's data set is not carried: {error}; the file is corrupt") from error
    require(head.length == len(start), "a skeleton's data set goes on behind its pixels")
    palette = head.palette if form else None
    require(palette or not form, "a skeleton's data set has no palette")
    array = replace(head.array, colour="P") if palette else head.array
    samples = array.write(pictures, octets(filling or b""))
    if palette:
        start = palette.restored(start, integer(form), pictures)
    return b"".join([start, samples, patched(rest, _filling(array))])


def _parse(data: bytes) -> _Head:
    """Return what comes before the pixels; NotCarriedError where they are not those that pictures hold."""
    reader = Reader(data)
    at, syntax = reader.start()
    values: dict[int, bytes] = {}
    tables: dict[int, Element] = {}
    while True:
        element = reader.element(at, syntax)
        if element.tag in (FLOATS, PIXELS):
            array = _array(values, syntax, element)
            form = array.channels, array.bits, array.kind
            indexed = values.get(COLOURS, b"").startswith(b"PALETTE") and form == (1, 8, UNSIGNED)
            palette = palette_of(tables, data, syntax.big) if indexed else None
            return _Head(element.at, array, element.length, palette)
        at = reader.after(element, syntax)
        if element.tag in TAGS:
            tables[element.tag] = element
        if element.tag in ATTRIBUTES:
            values[element.tag] = data[element.at : min(at, element.at + MOST)]


def _array(values: dict[int, bytes], syntax: Syntax, pixels: Element) -> Array:
    """How the frames lie."""
    if pixels.length == UNDEFINED:
        raise NotCarriedError("its pixels are compressed")

    def number(tag: int, missing: int) -> int:
        value = values.get(tag, b"")
        return int.from_bytes(value[:2], syntax.order) if len(value) >= 2 else missing

    frames = NUMBER.fullmatch(values.get(FRAMES, b"1") or b"1")
    bits, sign, channels = number(BITS, 0), number(SIGN, 0), number(CHANNELS, 1)
    planar = number(PLANAR, 0)
    if frames is None or bits not in (1, 8, 16, 32) or sign > 1 or planar > 1 or (bits == 1 and channels != 1):
        raise NotCarriedError(f"no picture holds its pixels of {bits} bits")
    real = pixels.tag == FLOATS
    if real and bits != 32:
        raise NotCarriedError("its floats are not of 32 bits")
    colours = values.get(COLOURS, b"")
    luma = channels == 3 and bits == 8 and colours.startswith(b"YBR")
    array = Array(
        int(frames[1]), number(ROWS, 0), number(COLUMNS, 0), channels, bits,
        FLOAT if real else SIGNED if sign and bits > 1 else UNSIGNED,
        syntax.big_pixels, planar == 1 and channels > 1, "YCbCr" if luma else "1" if bits == 1 else "",
    )  # fmt: skip
    half = luma and colours.startswith(SUBSAMPLED) and not planar and not sign and array.width % 2 == 0
    if half and pixels.length < array.size:
        array = Subsampled(array.count, array.height, array.width)
    array.check()
    return array


def _expected(pictures: Sequence[Picture]) -> bytes:
    """How most files begin, and the head of the pixels' element, explicit and little-endian."""
    size = sum(p.samples.nbytes for p in pictures)
    start = bytes(PREAMBLE) + MAGIC + b"\x02\x00\x00\x00UL\x04\x00"
    return start + b"\xe0\x7f\x10\x00OW\x00\x00" + (size + (size & 1) & UNDEFINED).to_bytes(4, "little")


def _filling(array: Array) -> bytes:
    """What follows the samples in most files, which have values of even lengths."""
    return bytes(array.size & 1)
