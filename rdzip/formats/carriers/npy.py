"""NPY: an array of numpy as pictures (docs/reference/carriers.md).

Source: NumPy's documentation, "NEP 1 - A simple file format for NumPy arrays", and numpy.lib.format.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdzip.errors import FormatError
from rdzip.formats.carriers.carrier import NotCarriedError, Opened
from rdzip.formats.carriers.raw.checks import certain, few_pixels, fields, octets, require, shortened
from rdzip.formats.carriers.raw.grouping import FLOAT, SIGNED, UNSIGNED, as_pictures, modes_of, samples_of
from rdzip.formats.carriers.raw.patches import difference, patched
from rdzip.formats.images.picture import Picture
from rdzip.formats.modes import BY_NAME
from rdzip.system import limits

SIGNATURE = b"\x93NUMPY"
ALIGN = 64
"""Bytes of which numpy makes the head a multiple."""
HEADER = re.compile(
    rb"\{'descr': '([<>|=])([a-z])(\d{1,2})', 'fortran_order': (True|False), "
    rb"'shape': \(((?:\d{1,12},? ?){1,16})\),? ?\} *\n?"
)
KINDS = {"b": UNSIGNED, "u": UNSIGNED, "i": SIGNED, "f": FLOAT}
DESCRIPTIONS = {"1": "|b1", "P": "|u1", "I": "<i4", "F": "<f4"}
MOST = 1 << 12
"""Bytes of a head."""
MANY = 1 << 16
"""Pictures in a file."""


@dataclass(frozen=True)
class _Head:
    """What a head says: its length in bytes, the type of the items, and the shape as the items lie, the last axis
    fastest; fortran: that it is turned round.
    """

    length: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran: bool

    @property
    def kind(self) -> str:
        """Kind of the samples."""
        return KINDS[self.dtype.kind]

    @property
    def size(self) -> int:
        """Bytes of all items."""
        return prod(self.shape) * self.dtype.itemsize

    @property
    def channels(self) -> int:
        """Channels of each picture: 2 to 4 where that many lie together, or beside one another in an array that is
        turned round.
        """
        if len(self.shape) < 3:
            return 1
        count = self.shape[0] if self.fortran else self.shape[-1]
        return count if 2 <= count <= 4 else 1

    @property
    def pictures(self) -> tuple[int, int, int]:
        """How many pictures of how many rows and columns."""
        inner = self.shape if self.channels == 1 else self.shape[1:] if self.fortran else self.shape[:-1]
        return prod(inner[:-2]), inner[-2], inner[-1]


def open(data: bytes) -> Opened:
    """Return the pictures and the skeleton [patch of the head, bytes after the items]."""
    head = _parse(data)
    if head.length + head.size > len(data):
        raise NotCarriedError("its items are cut short")
    count, height, width = head.pictures
    few_pixels(count * height * width)
    items = np.frombuffer(data, head.dtype.str.replace("f", "u").replace("i", "u").replace("b", "u"),
                          prod(head.shape), head.length)  # fmt: skip
    unsigned = np.dtype(f"<u{head.dtype.itemsize}")
    colour = _colour(head, head.dtype.kind == "b" and bool(items.max() > 1))
    pictures = [p for part in _parts(items, head) for p in as_pictures(part.astype(unsigned), head.kind, colour)]
    end = head.length + head.size
    skeleton = shortened([difference(data[: head.length], _expected(pictures)), data[end:]])
    return certain(data, Opened(pictures, skeleton), close)


def close(pictures: Sequence[Picture], skeleton: Any) -> bytes:
    """Return the file."""
    patch, rest = fields(skeleton, 2)
    require(len(pictures) > 0, "an array has a picture")
    start = patched(patch, _expected(pictures))
    try:
        head = _parse(start)
    except NotCarriedError as error:
        raise FormatError(f"a skeleton's array is not carried: {error}; the file is corrupt") from error
    require(head.length == len(start), "a skeleton's head is longer than it says")
    count, height, width = head.pictures
    limits.claim_memory(3 * sum(p.samples.nbytes for p in pictures), "the items of an array")
    unsigned = np.dtype(f"<u{head.dtype.itemsize}")
    colour = _colour(head, pictures[0].mode == "L")
    each = len(modes_of(head.channels, 8 * unsigned.itemsize, head.kind, colour))
    require(count * each == len(pictures), "a skeleton's array needs another number of pictures")
    require(
        count * each * height * width == sum(p.shape[0] * p.shape[1] for p in pictures),
        "a skeleton's array is of another shape",
    )
    items = np.empty(prod(head.shape), unsigned.newbyteorder(">" if head.dtype.byteorder == ">" else "<"))
    for i, part in enumerate(_parts(items, head)):
        some = pictures[i * each : (i + 1) * each]
        part[...] = samples_of(some, (height, width, head.channels), unsigned, head.kind, colour)
    return b"".join([start, items.tobytes(), octets(rest or b"")])


def _colour(head: _Head, beyond: bool) -> str:
    """What raw.grouping is told; beyond: whether a truth value is above 1."""
    return "1" if head.dtype.kind == "b" and head.channels == 1 and not beyond else ""


def _parts(items: NDArray[Any], head: _Head) -> list[NDArray[Any]]:
    """Views of the items of each picture, [h, w, c]."""
    count, height, width = head.pictures
    if head.fortran and head.channels > 1:
        return [items.reshape(head.channels, count, height, width)[:, i].transpose(1, 2, 0) for i in range(count)]
    return list(items.reshape(count, height, width, head.channels))


def _parse(data: bytes) -> _Head:
    """Return what the head says; NotCarriedError if there is none, or pictures hold no such items."""
    if data[:6] != SIGNATURE or len(data) < 12:
        raise NotCarriedError("it is no array of numpy")
    version = data[6]
    if version not in (1, 2, 3):
        raise NotCarriedError(f"its version {version} is unknown")
    form = "<H" if version == 1 else "<I"
    start = 8 + struct.calcsize(form)
    length = struct.unpack_from(form, data, 8)[0]
    found = HEADER.fullmatch(data[start : start + length]) if length <= MOST else None
    if found is None or start + length > len(data):
        raise NotCarriedError("its head is unusual")
    order, kind, size = found[1].decode(), found[2].decode(), int(found[3])
    if kind not in KINDS or size not in (1, 2, 4) or (kind == "b" and size > 1) or (kind == "f" and size == 1):
        raise NotCarriedError(f"no picture holds items of type {kind}{size}")
    shape = tuple(int(n) for n in found[5].replace(b",", b" ").split())
    if len(shape) < 2 or not all(shape) or prod(shape) >= 1 << 40:
        raise NotCarriedError("its shape is not that of pictures")
    fortran = found[4] == b"True"
    head = _Head(start + length, np.dtype(f"{order}{kind}{size}"), shape[::-1] if fortran else shape, fortran)
    if head.pictures[0] > MANY:
        raise NotCarriedError(f"it has more than {MANY} pictures")
    return head


def _expected(pictures: Sequence[Picture]) -> bytes:
    """The head that numpy writes for such pictures."""
    first = pictures[0]
    shape = first.shape if len(pictures) == 1 else (len(pictures), *first.shape)
    samples = np.dtype(BY_NAME[first.mode].dtype)
    text = f"{{'descr': '{DESCRIPTIONS.get(first.mode, samples.str)}', 'fortran_order': False, 'shape': {shape}, }}"
    start = len(SIGNATURE) + 4
    text += " " * (-(start + len(text) + 1) % ALIGN) + "\n"
    return SIGNATURE + b"\x01\x00" + struct.pack("<H", len(text)) + text.encode()
