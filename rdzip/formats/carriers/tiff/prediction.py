"""What the bytes of directories are likely to be, from the pages and from the directories before.

Predicted bytes are combined by exclusive or with those of the file, so that what a skeleton holds is mostly zeros, and
a table of a thousand offsets costs nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from rdzip.formats.carriers.tiff.directories import SIZES, WHOLE, Directory, Entry, Form, Walk
from rdzip.formats.carriers.tiff.page import (
    BITS,
    COLOR_MAP,
    METHODS,
    STRIP_COUNTS,
    STRIP_OFFSETS,
    TILE_COUNTS,
    TILE_OFFSETS,
    Page,
)

USUAL = {
    254: (4, 1), 256: (3, 1), 257: (3, 1), 258: (3, 1), 259: (3, 1), 262: (3, 1), 273: (4, 1), 277: (3, 1), 278: (3, 1),
    279: (4, 1), 282: (5, 1), 283: (5, 1), 284: (3, 1), 296: (3, 1), 305: (2, 12), 317: (3, 1), 320: (3, 768),
    322: (3, 1), 323: (3, 1), 324: (4, 1), 325: (4, 1), 338: (3, 1), 339: (3, 1),
}  # fmt: skip
"""Types and counts of tags that files have most often."""
CHAIN = [256, 257, 258, 259, 262, 273, 277, 278, 279, 282, 283, 284, 296, 305, 317, 320, 322, 323, 324, 325, 338, 339]
"""Tags of a first directory, each followed by the next."""
PHOTOMETRIC = {"RGB": 2, "RGBA": 2, "RGB;16": 2, "RGBA;16": 2, "P": 3, "CMYK": 5, "YCbCr": 6, "LAB": 8}
OFFSETS, COUNTS = (STRIP_OFFSETS, TILE_OFFSETS), (STRIP_COUNTS, TILE_COUNTS)
NEXT_LIKE_LAST, NEXT_AFTER_NEXT, NEXT_AFTER_THIS = 0, 1, 2
"""Where the next directory is: as far away as it was the last time; after the samples of its page; after those of this
one."""


@dataclass
class Facts:
    """A page and where its units came to lie: offsets and byte counts; palette: its RGB entries, scale 257 or 256."""

    page: Page
    offsets: NDArray[np.int64]
    counts: NDArray[np.int64]
    palette: bytes = b""
    scale: int = 257

    @property
    def end(self) -> int:
        """Where the last of them ends, rounded up to an even place."""
        return (int((self.offsets + self.counts).max()) + 1) & ~1

    def usual(self, tag: int) -> int:
        """The value that a tag of one value has most often."""
        page = self.page
        photometric = PHOTOMETRIC.get(page.modes[0], 1)
        return {
            256: page.width, 257: page.height, 258: page.bits, 259: {v: k for k, v in METHODS.items()}[page.method],
            262: photometric, 277: page.channels, 278: page.tile_height, 284: 2 if page.planar else 1, 296: 2,
            317: page.predictor, 322: page.tile_width, 323: page.tile_height, 338: 2,
            339: {"u": 1, "i": 2, "f": 3}[page.kind],
        }.get(tag, 0)  # fmt: skip

    def counted(self, tag: int) -> int:
        """The count that a tag has most often."""
        if tag in OFFSETS + COUNTS:
            return len(self.offsets)
        if tag in (258, 339):
            return self.page.channels
        return 3 << self.page.bits if tag == COLOR_MAP else USUAL.get(tag, (3, 1))[1]


@dataclass
class _Previous:
    """What the directory before had."""

    at: int = 0
    count: int = 0
    tags: list[int] = field(default_factory=list)
    entries: dict[int, tuple[int, int, bytes, bool]] = field(default_factory=dict)
    next: int = 0


class Predictor(Walk):
    """Walks through directories and combines what is predicted with the bytes of ``target``.

    Where ``target`` is ``data``, these are the bytes of a skeleton and become those of the file on the way; where
    ``data`` is the file, ``target``, a copy of it, becomes what a skeleton holds.
    """

    def __init__(
        self,
        data: bytes | bytearray,
        target: bytearray,
        form: Form,
        first: int,
        facts: Mapping[int, Facts],
        rule: int,
    ) -> None:
        """Set up a walk.

        - data: bytes of a file, or that become those of a file
        - target: see above
        - form: how its numbers are written
        - first: where the pointer to the first directory is
        - facts: of directories by their number
        - rule: where the next directory is (NEXT_...)
        """
        super().__init__(data, form, first)
        self._target, self._facts, self._rule = target, facts, rule
        self._number = -1
        self._last = _Previous()
        start = 2 * first if rule != NEXT_AFTER_NEXT or 0 not in facts else facts[0].end
        self._fix(first, form.octets(start, form.pointer))
        self._begin(first)

    def _fix(self, at: int, predicted: bytes) -> None:
        """Combine predicted bytes with those of the target."""
        part = self._target[at : at + len(predicted)]
        size = len(part)
        mixed = int.from_bytes(part, "big") ^ int.from_bytes(predicted[:size], "big")
        self._target[at : at + size] = mixed.to_bytes(size, "big")

    def parse(self, at: int) -> Directory:
        """Return the directory at a place, with its bytes predicted."""
        self._number += 1
        form, last, facts = self.form, self._last, self._facts.get(self._number)
        self._fix(at, form.octets(last.count or (facts is not None) * 13, form.counter))
        count = self.start(at)
        directory = Directory(at)
        now = _Previous(at, count)
        end = at + form.counter + count * form.entry
        cursor = end + form.pointer
        before = 0
        for i in range(count):
            place = at + form.counter + i * form.entry
            self._fix(place, form.octets(self._next_tag(before), 2))
            tag = form.number(self.data, place, 2)
            old = last.entries.get(tag)
            kind, number = old[:2] if old else (USUAL.get(tag, (3, 1))[0], facts.counted(tag) if facts else 1)
            self._fix(place + 2, form.octets(kind, 2) + form.octets(number, form.pointer))
            before = tag
            entry = self._value(place, tag, old, cursor, facts)
            if entry.outside:
                cursor = (entry.place + entry.size + 1) & ~1
            raw = bytes(self.data[entry.at : entry.at + form.pointer])
            now.tags.append(tag)
            now.entries[tag] = (entry.type, entry.count, raw, entry.outside)
            directory.entries.setdefault(tag, entry)
        if end + form.pointer <= len(self.data):
            self._fix(end, form.octets(self._next_place(at, last), form.pointer))
        following = form.number(self.data, end, form.pointer) if end + form.pointer <= len(self.data) else 0
        now.next = following
        self._last = now
        for entry in directory.entries.values():
            self._outside(entry, facts)
        return Directory(at, directory.entries, end, following)

    def _next_tag(self, before: int) -> int:
        tags = self._last.tags or CHAIN
        return next((tag for tag in tags if tag > before), 0)

    def _next_place(self, at: int, last: _Previous) -> int:
        facts = self._facts
        other = facts.get(self._number + (self._rule == NEXT_AFTER_NEXT))
        if self._rule and other is not None and self._number + 1 < self.directories:
            return other.end
        return last.next + at - last.at if last.next and not self._rule else 0

    @property
    def directories(self) -> int:
        """How many directories there are as far as facts tell."""
        return max(self._facts, default=-1) + 1

    def _value(
        self, place: int, tag: int, old: tuple[int, int, bytes, bool] | None, cursor: int, facts: Facts | None
    ) -> Entry:
        """Combine the value field of an entry, and return the entry."""
        form = self.form
        kind, at = form.number(self.data, place + 2, 2), place + 4 + form.pointer
        count = form.number(self.data, place + 4, form.pointer)
        size = SIZES.get(kind, 0) * count
        if size > form.pointer:
            pointer = cursor
            if old and old[3]:
                pointer = form.number(old[2], 0, form.pointer) + place - self._place_in_last(tag)
            self._fix(at, form.octets(pointer, form.pointer))
        elif facts and (values := self._known(tag, kind, count, facts)) is not None:
            self._fix(at, values)
        elif old and not old[3]:
            self._fix(at, old[2])
        elif facts and kind in WHOLE and count == 1:
            self._fix(at, form.octets(facts.usual(tag), SIZES[kind]))
        return self.entry(place)

    def _place_in_last(self, tag: int) -> int:
        """Where the entry of a tag would be if this directory were where the last one was."""
        return self._last.at + self.form.counter + self._last.tags.index(tag) * self.form.entry

    def _known(self, tag: int, kind: int, count: int, facts: Facts) -> bytes | None:
        """The bytes of values that pages tell: offsets, byte counts, bits, palettes."""
        if tag in OFFSETS:
            values = facts.offsets
        elif tag in COUNTS:
            values = facts.counts
        elif tag == BITS:
            values = np.full(facts.page.channels, facts.page.bits, np.int64)
        elif tag == COLOR_MAP:
            values = np.frombuffer(facts.palette, np.uint8).reshape(-1, 3).T.ravel().astype(np.int64) * facts.scale
        else:
            return None
        if kind not in WHOLE or count != len(values):
            return None
        return values.astype(self.form.order + WHOLE[kind]).tobytes()

    def _outside(self, entry: Entry, facts: Facts | None) -> None:
        """Combine values that an entry points to."""
        if facts and entry.outside and (values := self._known(entry.tag, entry.type, entry.count, facts)) is not None:
            self._fix(entry.place, values)
