"""The header of a batch as a checked dataclass, to and from its CBOR map (docs/reference/format.md, section 8)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from math import prod
from typing import Any

from rdzip.errors import FormatError
from rdzip.formats.header import (
    BATCH_KIND,
    MAX_SIDE,
    MEMBERS,
    MODE,
    MODEL,
    SHAPE,
    ModelReference,
    bad,
    is_int,
    model_of,
)

FORM, SEGMENT, DTYPE, FORTRAN, SINGLE, FACTOR = range(8, 14)
DTYPES = ("|b1", "|u1", "<u2", ">u2", "<i4", ">i4", "<f4", ">f4")
LENGTH_DTYPES = ("<i8", "<u8", "<i4", "<u4", "<i2", "<u2", "|i1", "|u1")
"""Types of the lengths of sequences, numpy's default first."""
IMAGE_MODES = {0: "RGB", 2: "L", 5: "1"}
MAX_CHANNELS = 4


class Form(IntEnum):
    """What the items came from, and become again."""

    NPY = 0  # an array
    IMAGES = 1  # image files with names
    NPZ = 2  # sequences


@dataclass(frozen=True)
class BatchHeader:
    """Everything that a decoder must know before it reads the sections.

    shape: [n, h, w] or [n, h, w, c]; of sequences [n, dims]. segment: items in each segment but the last. dtype: of the
    .npy, in numpy's words. fortran: the .npy is stored column first. single: the .npy has no axis of items. mode: of
    images, 0 RGB, 2 L, 5 bilevel. factor: what each coded sample is to be multiplied by, 1 or 255.
    """

    shape: tuple[int, ...]
    form: Form
    segment: int
    model: ModelReference | None = None
    dtype: str = "|u1"
    fortran: bool = False
    single: bool = False
    mode: int = 0
    factor: int = 1

    @property
    def count(self) -> int:
        """Number of items."""
        return self.shape[0]

    @property
    def segments(self) -> int:
        """Number of segments."""
        return -(-self.count // self.segment)

    @property
    def sequences(self) -> bool:
        """Whether the items are sequences, each with a length of its own."""
        return self.form == Form.NPZ

    @property
    def values(self) -> int:
        """Number of samples of all items, of sequences that of one step of each."""
        return prod(self.shape)

    def of_segment(self, number: int) -> tuple[int, int]:
        """Return (first, end) of a segment's items."""
        return number * self.segment, min(self.count, (number + 1) * self.segment)

    def to_map(self) -> dict[int, Any]:
        """Return the CBOR map; what has its default value is left out."""
        result: dict[int, Any] = {SHAPE: list(self.shape)}
        if self.mode:
            result[MODE] = self.mode
        if self.model:
            result[MODEL] = [self.model.id, self.model.hash, self.model.coder]
        result[MEMBERS] = BATCH_KIND
        if self.form:
            result[FORM] = int(self.form)
        if self.segment < self.count:
            result[SEGMENT] = self.segment
        if self.dtype != "|u1":
            result[DTYPE] = self.dtype
        for key, flag in ((FORTRAN, self.fortran), (SINGLE, self.single)):
            if flag:
                result[key] = True
        if self.factor != 1:
            result[FACTOR] = self.factor
        return result

    @classmethod
    def from_map(cls, header: dict[int | str, Any]) -> BatchHeader:
        """Return the header that this map holds; FormatError for anything missing, unknown or out of range."""
        if header.get(MEMBERS) != BATCH_KIND:
            raise FormatError("expected a batch of items, found another kind of .rdz file, or one that is too new")
        known = (SHAPE, MODE, MODEL, MEMBERS, FORM, SEGMENT, DTYPE, FORTRAN, SINGLE, FACTOR)
        if unknown := [key for key in header if key not in known]:
            raise FormatError(f"the file needs a newer rdzip: its header has the unknown key {unknown[0]!r}")
        form = header.get(FORM, 0)
        if not is_int(form, 0, 255):
            raise bad("the form", form)
        if form not in Form.__members__.values():
            raise FormatError(f"the file needs a newer rdzip: its form {form} of items is unknown")
        shape = _shape(header.get(SHAPE), Form(form))
        segment, factor = header.get(SEGMENT, shape[0]), header.get(FACTOR, 1)
        if not is_int(segment, 1, shape[0]):
            raise bad("the length of segments", segment)
        if not is_int(factor, 1, 255) or factor not in (1, 255):
            raise bad("the factor", factor)
        dtype, mode = header.get(DTYPE, "|u1"), header.get(MODE, 0)
        if dtype not in DTYPES or (dtype != "|u1" and form != Form.NPY):
            raise bad("the type of samples", dtype)
        if not is_int(mode, 0, 255) or (mode if form == Form.IMAGES else not mode) not in (
            IMAGE_MODES if form == Form.IMAGES else (True,)
        ):
            raise bad("the pixel mode", mode)
        if form == Form.IMAGES and (len(shape) == 4) != (mode == 0):
            raise bad("the pixel mode", mode)
        flags = [header.get(key, False) for key in (FORTRAN, SINGLE)]
        if not all(isinstance(flag, bool) for flag in flags) or (any(flags) and form != Form.NPY):
            raise bad("the order", flags)
        if flags[1] and shape[0] != 1:
            raise bad("the shape", list(shape))
        model = model_of(header.get(MODEL))
        if model and dtype not in ("|u1", "|b1"):
            raise bad("the type of samples", dtype)
        return cls(shape, Form(form), segment, model, dtype, flags[0], flags[1], mode, factor)


def _shape(value: Any, form: Form) -> tuple[int, ...]:
    axes = {Form.NPY: (3, 4), Form.IMAGES: (3, 4)}.get(form, (2,))
    if not (isinstance(value, list) and len(value) in axes and all(is_int(n, 1, MAX_SIDE) for n in value)):
        raise bad("the shape", value)
    if len(value) == 4 and (value[3] > MAX_CHANNELS or (form == Form.IMAGES and value[3] != 3)):
        raise bad("the shape", value)
    return tuple(value)
