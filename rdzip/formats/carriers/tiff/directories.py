"""The directories (IFDs) of a TIFF or BigTIFF, found in bytes that may be hostile.

Source: Adobe, "TIFF Revision 6.0", 1992, section 2; "The BigTIFF File Format Proposal", AWare Systems; TIFF Technical
Note 1 (SubIFDs), 1993.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdzip.formats.carriers.carrier import NotCarriedError

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of a value of each type."""
WHOLE = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 16: "u8", 18: "u8"}
"""Types of unsigned integers."""
SUB_IFDS = 330
MANY = 1 << 16
"""Directories of a file."""
MANY_ENTRIES = 1 << 20
"""Entries of all directories of a file."""


@dataclass(frozen=True)
class Form:
    """How numbers of a file are written: byte order "<" or ">", and whether it is a BigTIFF."""

    order: str
    big: bool

    @property
    def pointer(self) -> int:
        """Bytes of an offset, and of the value field of an entry."""
        return 8 if self.big else 4

    @property
    def counter(self) -> int:
        """Bytes of the number of entries."""
        return 8 if self.big else 2

    @property
    def entry(self) -> int:
        """Bytes of an entry."""
        return 4 + 2 * self.pointer

    def number(self, data: bytes | bytearray, at: int, size: int) -> int:
        """Return an unsigned integer."""
        return int.from_bytes(data[at : at + size], "little" if self.order == "<" else "big")

    def octets(self, value: int, size: int) -> bytes:
        """Return an unsigned integer, modulo what the bytes hold, as bytes."""
        return (value & (1 << 8 * size) - 1).to_bytes(size, "little" if self.order == "<" else "big")


@dataclass(frozen=True)
class Entry:
    """An entry of a directory: tag, type, count; ``at``, where its value field is; ``place``, where its values are:
    there, or where it points.
    """

    tag: int
    type: int
    count: int
    at: int
    place: int

    @property
    def size(self) -> int:
        """Bytes of all values; 0 where the type is unknown."""
        return SIZES.get(self.type, 0) * self.count

    @property
    def outside(self) -> bool:
        """Whether the value field is a pointer."""
        return self.place != self.at

    def values(self, data: bytes | bytearray, form: Form, most: int) -> NDArray[np.int64]:
        """Return the values of unsigned integers, at most so many; NotCarriedError if they are others, or more, or lie
        beyond the end.
        """
        if self.type not in WHOLE or not 0 < self.count <= most or self.place + self.size > len(data):
            raise NotCarriedError(f"its tag {self.tag} has no proper values")
        values = np.frombuffer(data, form.order + WHOLE[self.type], self.count, self.place)
        if values.dtype.itemsize == 8 and int(values.max()) >= 1 << 62:
            raise NotCarriedError(f"its tag {self.tag} has no proper values")
        return values.astype(np.int64)


@dataclass(frozen=True)
class Directory:
    """A directory: where it begins, its entries by tag, where its pointer to the next one is, and what that says."""

    at: int
    entries: dict[int, Entry] = field(default_factory=dict)
    next_at: int = 0
    next: int = 0


def form_of(data: bytes | bytearray) -> tuple[Form, int]:
    """Return the form of a file and where the pointer to its first directory is; NotCarriedError if it is no TIFF."""
    for order in "<>":
        sign = (b"II" if order == "<" else b"MM", struct.pack(order + "H", 42), struct.pack(order + "HHH", 43, 8, 0))
        if data[:4] == sign[0] + sign[1] and len(data) >= 8:
            return Form(order, False), 4
        if data[:8] == sign[0] + sign[2] and len(data) >= 16:
            return Form(order, True), 8
    raise NotCarriedError("it is no TIFF")


class Walk:
    """The directories of a file in order: those of the chain, then the SubIFDs of each, level by level.

    A reader that undoes predictions changes the bytes of each directory before it is parsed: ``parse`` may be replaced.
    """

    def __init__(self, data: bytes | bytearray, form: Form, first: int) -> None:
        """first: where the pointer to the first directory is."""
        self.data, self.form = data, form
        self._seen: set[int] = set()
        self._room = min(len(data), MANY_ENTRIES * form.entry)
        self._begin(first)

    def _begin(self, first: int) -> None:
        self._todo = [(self.form.number(self.data, first, self.form.pointer), True)]

    def start(self, at: int) -> int:
        """Return how many entries a directory has; NotCarriedError where there is none, or all of them together have
        more entries than there may be or the file has room for.
        """
        form = self.form
        if at + form.counter > len(self.data):
            raise NotCarriedError("a directory lies beyond its end")
        count = form.number(self.data, at, form.counter)
        self._room -= count * form.entry
        if self._room < 0:
            raise NotCarriedError("its directories have too many entries")
        if at + form.counter + count * form.entry > len(self.data):
            raise NotCarriedError("a directory is cut short")
        return count

    def entry(self, at: int) -> Entry:
        """Return the entry at a place."""
        form, data = self.form, self.data
        tag, kind = form.number(data, at, 2), form.number(data, at + 2, 2)
        count = form.number(data, at + 4, form.pointer)
        value = at + 4 + form.pointer
        inside = SIZES.get(kind, 0) * count <= form.pointer
        return Entry(tag, kind, count, value, value if inside else form.number(data, value, form.pointer))

    def parse(self, at: int) -> Directory:
        """Return the directory at a place; NotCarriedError where it does not fit into the file."""
        form = self.form
        count = self.start(at)
        entries: dict[int, Entry] = {}
        for i in range(count):
            entry = self.entry(at + form.counter + i * form.entry)
            entries.setdefault(entry.tag, entry)
        end = at + form.counter + count * form.entry
        # a directory at the end of a file may lack the pointer to the next one
        following = form.number(self.data, end, form.pointer) if end + form.pointer <= len(self.data) else 0
        return Directory(at, entries, end, following)

    def __iter__(self) -> Iterator[Directory]:
        done = 0
        while done < len(self._todo):
            at, chained = self._todo[done]
            done += 1
            while at and at not in self._seen:
                self._seen.add(at)
                if len(self._seen) > MANY:
                    raise NotCarriedError(f"it has more than {MANY} directories")
                directory = self.parse(at)
                yield directory
                if (below := directory.entries.get(SUB_IFDS)) is not None:
                    self._todo += [(int(p), False) for p in self._pointers(below)]
                at = directory.next if chained else 0

    def _pointers(self, entry: Entry) -> Any:
        try:
            return entry.values(self.data, self.form, MANY)
        except NotCarriedError:
            return []
