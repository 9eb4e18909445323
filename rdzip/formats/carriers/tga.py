"""TGA: Truevision's images without run lengths: palette, grey and true colour (docs/reference/carriers.md).

Source: Truevision, "TGA File Format Specification", version 2.0, 1991.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdzip.errors import FormatError
from rdzip.formats.carriers.carrier import NotCarriedError, Opened
from rdzip.formats.carriers.raw.checks import certain, few_pixels, fields, octets, require, shortened
from rdzip.formats.carriers.raw.patches import difference, patched
from rdzip.formats.images.picture import Picture
from rdzip.system import limits

HEAD = 18
INDEXED, COLOURED, GREY = 1, 2, 3
MODES = {(GREY, 8): "L", (GREY, 16): "LA", (INDEXED, 8): "P", (COLOURED, 24): "RGB", (COLOURED, 32): "RGBA"}
FOOTER = b"\0\0\0\0\0\0\0\0TRUEVISION-XFILE.\0"
UPPER, RIGHT = 0x20, 0x10
"""Bits of the descriptor: whether the first row is the upper one, the first column the right one."""


@dataclass(frozen=True)
class _Head:
    """What the bytes before the samples say."""

    start: int
    width: int
    height: int
    mode: str
    upper: bool
    palette: bytes

    @property
    def channels(self) -> int:
        """Bytes of a pixel."""
        return {"L": 1, "P": 1, "LA": 2, "RGB": 3, "RGBA": 4}[self.mode]

    @property
    def size(self) -> int:
        """Bytes of all samples."""
        return self.width * self.height * self.channels


def recognises(start: bytes) -> bool:
    """Whether the first bytes of a file may be a TGA's; it has no signature, so that all fields are looked at."""
    try:
        _parse(start, whole=False)
    except NotCarriedError:
        return False
    return True


def open(data: bytes) -> Opened:
    """Return the picture and the skeleton [patch of the head, bytes after the samples].

    Of these a footer of version 2.0 that names no other areas is told by 1.
    """
    head = _parse(data)
    few_pixels(head.width * head.height)
    if head.start + head.size > len(data):
        raise NotCarriedError("its samples are cut short")
    shape = (head.height, head.width, head.channels)
    block = np.frombuffer(data, np.uint8, head.size, head.start).reshape(shape)
    samples = np.ascontiguousarray(_turned(block, head))
    palette = head.palette
    picture = Picture(samples[:, :, 0] if head.channels == 1 else samples, head.mode, palette, "RGB" if palette else "")
    rest: Any = data[head.start + head.size :]
    skeleton = shortened([difference(data[: head.start], _expected(picture)), 1 if rest == FOOTER else rest])
    return certain(data, Opened([picture], skeleton), close)


def close(pictures: Sequence[Picture], skeleton: Any) -> bytes:
    """Return the file."""
    patch, rest = fields(skeleton, 2)
    require(len(pictures) == 1, "a TGA has one picture")
    picture = pictures[0]
    start = patched(patch, _expected(picture))
    try:
        head = _parse(start)
    except NotCarriedError as error:
        raise FormatError(f"a skeleton's TGA is not carried: {error}; the file is corrupt") from error
    require(head.start == len(start), "a skeleton's TGA begins elsewhere")
    require(picture.mode == head.mode, f"a skeleton's TGA needs a picture of mode {head.mode}")
    require(picture.shape[:2] == (head.height, head.width), "a skeleton's TGA is of another shape")
    limits.claim_memory(3 * head.size, "the samples of a TGA")
    samples = picture.samples.reshape(head.height, head.width, head.channels)
    return b"".join([start, _turned(samples, head).tobytes(), FOOTER if rest == 1 else octets(rest or b"")])


def _turned(block: NDArray[np.uint8], head: _Head) -> NDArray[np.uint8]:
    """Rows from the top, red first; from that back to what the file has."""
    if head.channels > 2:
        block = block[:, :, [2, 1, 0, 3][: head.channels]]
    return block if head.upper else block[::-1]


def _parse(data: bytes, *, whole: bool = True) -> _Head:
    """Return what the head says; NotCarriedError where that is not of a TGA that is carried.

    whole: whether there are all bytes of the head, not only its first.
    """
    if len(data) < HEAD:
        raise NotCarriedError("it is no TGA")
    names, mapped, kind, first, count, entry, _, _, width, height, bits, descriptor = struct.unpack_from(
        "<BBBHHBHHHHBB", data
    )
    mode = MODES.get((kind, bits))
    if mode is None or not (width and height) or descriptor & 0xC0 or descriptor & RIGHT:
        raise NotCarriedError("it is no TGA without run lengths")
    indexed = kind == INDEXED
    if mapped != int(indexed) or (not indexed and (first or count or entry)):
        raise NotCarriedError("it is no TGA, or has a palette without need")
    if indexed and (first or not 0 < count <= 256 or entry not in (24, 32)):
        raise NotCarriedError("its palette is unusual")
    if descriptor & 15 not in ((0, 8) if bits in (16, 32) or indexed else (0,)):
        raise NotCarriedError("its attribute bits are unusual")
    palette = b""
    start = HEAD + names
    if indexed:
        size = entry // 8
        colours = data[start : start + count * size]
        start += count * size
        if whole and len(colours) < count * size:
            raise NotCarriedError("its palette is cut short")
        colours = colours[: len(colours) // size * size]
        palette = np.frombuffer(colours, np.uint8).reshape(-1, size)[:, 2::-1].tobytes()
    return _Head(start, width, height, mode, bool(descriptor & UPPER), palette)


def _expected(picture: Picture) -> bytes:
    """The head that a TGA of such a picture has most often."""
    height, width = picture.shape[:2]
    kind, bits = next(
        key for key, mode in MODES.items() if mode == (picture.mode if picture.mode in MODES.values() else "L")
    )
    colours = np.frombuffer(picture.palette[: len(picture.palette) // 3 * 3], np.uint8).reshape(-1, 3)
    mapped = int(kind == INDEXED)
    head = struct.pack(
        "<BBBHHBHHHHBB", 0, mapped, kind, 0, mapped * len(colours), 24 * mapped, 0, 0, width & 0xFFFF, height & 0xFFFF,
        bits, 8 if bits in (16, 32) else 0,
    )  # fmt: skip
    return head + (colours[:, ::-1].tobytes() if mapped else b"")
