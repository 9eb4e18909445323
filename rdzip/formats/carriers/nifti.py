"""NIfTI: volumes of versions 1 and 2 in one file, slice by slice (docs/reference/carriers.md).

Source: NIfTI Data Format Working Group, "nifti1.h" (2003, 2007) and "nifti2.h" (2011).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

from rdzip.errors import FormatError
from rdzip.formats.carriers.carrier import NotCarriedError, Opened
from rdzip.formats.carriers.raw.array import Array
from rdzip.formats.carriers.raw.checks import certain, fields, integer, octets, require, shortened
from rdzip.formats.carriers.raw.grouping import FLOAT, SIGNED, UNSIGNED
from rdzip.formats.carriers.raw.patches import difference, patched
from rdzip.formats.images.picture import Picture

FIRST, SECOND = 348, 540
"""Bytes of the heads of the two versions, as they say themselves."""
FLAGS = 4
"""Bytes behind a head that say whether extensions follow."""
SIGNATURES = {FIRST: (344, b"n+1\0"), SECOND: (4, b"n+2\0\r\n\x1a\n")}
"""By version, where the signature of a head and its volume in one file is."""
TYPES = {
    2: (1, 8, UNSIGNED), 4: (1, 16, SIGNED), 8: (1, 32, SIGNED), 16: (1, 32, FLOAT), 128: (3, 8, UNSIGNED),
    256: (1, 8, SIGNED), 512: (1, 16, UNSIGNED), 768: (1, 32, UNSIGNED), 2304: (4, 8, UNSIGNED),
}  # fmt: skip
"""By datatype: channels, bits, kind."""
DEFAULT = {"L": 2, "I": 8, "F": 16, "RGB": 128, "RGBA": 2304, "I;16": 4}
"""The datatype that a picture of a mode has most often."""
AXES = 7


class _Form(NamedTuple):
    """A version and a byte order."""

    length: int
    order: str

    @property
    def number(self) -> int:
        """In skeletons: 0 version 1, low byte first; 1 high byte first; 2 and 3 version 2."""
        return FORMS.index(self)

    @property
    def end(self) -> int:
        """Bytes of the head and its flags of extensions."""
        return self.length + FLAGS


FORMS = [_Form(length, order) for length in (FIRST, SECOND) for order in "<>"]


class _Head(NamedTuple):
    """What a head says: its form, where the samples begin, how they lie."""

    form: _Form
    start: int
    array: Array


def _form(start: bytes) -> _Form | None:
    """The form of a file that begins so; None if it is no NIfTI file of head and volume."""
    for form in FORMS:
        at, magic = SIGNATURES[form.length]
        if start[:4] == struct.pack(form.order + "i", form.length) and start[at : at + len(magic)] == magic:
            return form
    return None


def open(data: bytes) -> Opened:
    """Return the slices along the first two axes, and the skeleton [patch of the head, extensions, rest, form].

    The head is 352 or 544 bytes, extensions all from there to the samples, the rest all behind them.
    """
    head = _parse(data)
    pictures = head.array.read(data, head.start)
    end = head.form.end
    patch = difference(data[:end], _expected(pictures, head.form))
    rest = data[head.start + head.array.size :]
    skeleton = shortened([patch, data[end : head.start], rest, head.form.number])
    return certain(data, Opened(pictures, skeleton), close)


def close(pictures: Sequence[Picture], skeleton: Any) -> bytes:
    """Return the file."""
    patch, extensions, rest, form = fields(skeleton, 4)
    require(len(pictures) > 0, "a volume has a slice")
    start = patched(patch, _expected(pictures, FORMS[integer(form, len(FORMS) - 1)])) + octets(extensions or b"")
    try:
        head = _parse(start)
    except NotCarriedError as error:
        raise FormatError(f"a skeleton's volume is not carried: {error}; the file is corrupt") from error
    require(head.start == len(start), "a skeleton's volume begins elsewhere")
    return b"".join([start, head.array.write(pictures), octets(rest or b"")])


def _parse(data: bytes) -> _Head:
    """Return what the head says; NotCarriedError where there is none, or no picture holds its voxels."""
    form = _form(data)
    if form is None or len(data) < form.end:
        raise NotCarriedError("it is no volume of NIfTI with its head")
    if form.length == FIRST:
        axes = struct.unpack_from(form.order + "8h", data, 40)
        datatype = struct.unpack_from(form.order + "h", data, 70)[0]
        offset = struct.unpack_from(form.order + "f", data, 108)[0]
    else:
        datatype = struct.unpack_from(form.order + "h", data, 12)[0]
        axes = struct.unpack_from(form.order + "8q", data, 16)
        offset = struct.unpack_from(form.order + "q", data, 168)[0]
    if not form.end <= offset <= len(data) or offset != int(offset):
        raise NotCarriedError("its voxels begin where they cannot")
    if datatype not in TYPES:
        raise NotCarriedError(f"no picture holds voxels of datatype {datatype}")
    sizes = axes[1 : axes[0] + 1] if 2 <= axes[0] <= AXES else ()
    if not sizes or min(sizes) < 1:
        raise NotCarriedError("its shape is not that of slices")
    channels, bits, kind = TYPES[datatype]
    array = Array(prod(sizes[2:]), sizes[1], sizes[0], channels, bits, kind, form.order == ">")
    array.check()
    return _Head(form, int(offset), array)


def _expected(pictures: Sequence[Picture], form: _Form) -> bytes:
    """The head that a volume of such slices has most often: 3 axes, voxels of size 1."""
    first = pictures[0]
    height, width = first.shape[:2]
    datatype = DEFAULT.get(first.mode, 2)
    channels, bits, _ = TYPES[datatype]
    axes = (3, width, height, len(pictures), 1, 1, 1, 1)
    head = bytearray(form.end)
    at, magic = SIGNATURES[form.length]
    head[at : at + len(magic)] = magic
    struct.pack_into(form.order + "i", head, 0, form.length)
    if form.length == FIRST:
        head[38] = ord("r")
        struct.pack_into(form.order + "8H", head, 40, *(n & 0x7FFF for n in axes))
        struct.pack_into(form.order + "HH", head, 70, datatype, channels * bits)
        struct.pack_into(form.order + "9f", head, 76, *(1.0,) * 8, float(form.end))
    else:
        struct.pack_into(form.order + "HH8q", head, 12, datatype, channels * bits, *axes)
        struct.pack_into(form.order + "8dq", head, 104, *(1.0,) * 8, form.end)
    return bytes(head)
