"""Frames and scans: what segments of a JPEG say, and in which order a scan has blocks.

Source: ITU-T T.81, annexes A.2 (order), B.2 (segments), G.1 (progressive scans).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import numpy as np
from numpy.typing import NDArray

from rdzip.exact.types import Int64
from rdzip.formats.carriers.carrier import NotCarriedError
from rdzip.formats.carriers.jpeg.tables import USUAL, Huffman, huffman
from rdzip.formats.carriers.raw.checks import few_pixels

SOF, DHT, SOI, EOI, SOS, DQT, DRI, DNL = (0xC0, 0xC1, 0xC2), 0xC4, 0xD8, 0xD9, 0xDA, 0xDB, 0xDD, 0xDC
OTHER_FRAMES = (0xC3, 0xC5, 0xC6, 0xC7, 0xC8, 0xC9, 0xCA, 0xCB, 0xCC, 0xCD, 0xCE, 0xCF, 0xDE, 0xDF)
"""Lossless, hierarchical and arithmetic-coded frames, and what belongs to them."""
ALONE = (0x01, *range(0xD0, 0xD8))
"""Markers without a segment."""
PROGRESSIVE = 0xC2
MOST_UNITS = 10
"""Blocks of an MCU at most (B.2.3)."""
NO_TABLE = np.zeros(0, np.int64)


@dataclass
class Part:
    """A component of a frame: its identifier, sampling factors, number of its quantisation table, blocks.

    rows, columns: of blocks, those of whole MCUs; own_rows, own_columns: those that its samples need. start: of its
    coefficients among those of all. table: int64 [64] in zigzag order, what its first scan was quantised by.
    """

    identifier: int
    h: int
    v: int
    quantiser: int
    rows: int = 0
    columns: int = 0
    own_rows: int = 0
    own_columns: int = 0
    start: int = 0
    table: Int64 = field(default_factory=lambda: NO_TABLE)


@dataclass(frozen=True)
class Scan:
    """A scan: order of its blocks and how they are coded.

    - order: int64 [blocks], where the coefficients of each begin
    - parts: int64 [units], of each block of an MCU its component among those of the scan
    - dc, ac: int64 [units], Huffman tables of each block of an MCU
    - first, last, high, low: Ss, Se, Ah, Al
    - progressive: whether it is one of a progressive frame
    - restart: MCUs between restart markers, 0 for none
    - tables: by number, DC first
    """

    order: Int64
    parts: Int64
    dc: Int64
    ac: Int64
    first: int
    last: int
    high: int
    low: int
    progressive: bool
    restart: int
    tables: tuple[Huffman | None, ...]

    @property
    def mcus(self) -> int:
        """How many MCUs there are."""
        return len(self.order) // len(self.parts)


class State:
    """What the segments so far have said. NotCarriedError for what cannot be, or is of another kind of JPEG."""

    def __init__(self) -> None:
        """Of no segment."""
        self.parts: list[Part] = []
        self.progressive = False
        self.restart = 0
        self.quantisers: dict[int, Int64] = {}
        self.tables: list[Huffman | None] = list(_usual())
        self.size = 0
        self._late: tuple[int, bytes] | None = None

    def segment(self, marker: int, body: bytes | memoryview, following: bytes = b"") -> Scan | None:
        """Take in a segment without its length; returns a scan where it begins one. following: what follows the
        entropy-coded data of that scan, of which a segment DNL counts."""
        body = bytes(body)
        try:
            if marker in SOF:
                self._frame(marker, body)
            elif marker in OTHER_FRAMES:
                raise NotCarriedError("it is arithmetic-coded, lossless or hierarchical")
            elif marker == DHT:
                self._huffman(body)
            elif marker == DQT:
                self._quantisers(body)
            elif marker == DRI:
                self.restart = int.from_bytes(body[:2], "big")
            elif marker == SOS:
                if self._late is not None:
                    self._tell_height(following)
                return self._scan(body)
        except (IndexError, ValueError):
            raise NotCarriedError("a segment of it is damaged") from None
        return None

    @staticmethod
    def number_of(kind: int) -> int:
        """Return the number of a Huffman table among the eight, by its byte Tc/Th."""
        if kind >> 4 > 1 or kind & 15 > 3:
            raise NotCarriedError("a segment of it is damaged")
        return 4 * (kind >> 4) + (kind & 15)

    def _frame(self, marker: int, body: bytes) -> None:
        if self.parts or self._late is not None:
            raise NotCarriedError("it has several frames")
        height, width, count = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big"), body[5]
        if body[0] != 8:
            raise NotCarriedError(f"it has {body[0]} bits a sample")
        if not width or not 1 <= count <= 4 or len(body) != 6 + 3 * count:
            raise NotCarriedError("its frame header is damaged")
        if not height:
            self._late = marker, body
            return
        few_pixels(width * height)
        parts = [Part(body[i], body[i + 1] >> 4, body[i + 1] & 15, body[i + 2]) for i in range(6, len(body), 3)]
        if not all(1 <= part.h <= 4 and 1 <= part.v <= 4 for part in parts):
            raise NotCarriedError("its sampling factors are damaged")
        if len({part.identifier for part in parts}) < count:
            raise NotCarriedError("two of its components have one name")
        h, v = max(part.h for part in parts), max(part.v for part in parts)
        across, down = -(-width // (8 * h)), -(-height // (8 * v))
        for part in parts:
            part.own_columns, part.own_rows = _blocks(width * part.h, h), _blocks(height * part.v, v)
            alone = count == 1
            part.rows = part.own_rows if alone else down * part.v
            part.columns = part.own_columns if alone else across * part.h
            part.start = self.size
            self.size += 64 * part.rows * part.columns
        self.parts, self.progressive = parts, marker == PROGRESSIVE

    def _tell_height(self, following: bytes) -> None:
        """Take in the frame whose height stands behind its first scan (B.2.5)."""
        assert self._late is not None
        found = following.lstrip(b"\xff")
        if following[:1] != b"\xff" or found[:3] != bytes([DNL, 0, 4]) or found[3:5] in (b"", b"\0", b"\0\0"):
            raise NotCarriedError("it does not tell its height")
        marker, body = self._late
        self._late = None
        self._frame(marker, body[:1] + found[3:5] + body[3:])

    def _huffman(self, body: bytes) -> None:
        at = 0
        while at < len(body):
            kind, number = body[at] >> 4, body[at] & 15
            size = 17 + sum(body[at + 1 : at + 17])
            if kind > 1 or number > 3 or at + size > len(body) or size > 17 + 256:
                raise ValueError
            self.tables[4 * kind + number] = huffman(body[at + 1 : at + size])
            at += size

    def _quantisers(self, body: bytes) -> None:
        at = 0
        while at < len(body):
            wide, number = body[at] >> 4, body[at] & 15
            steps = np.frombuffer(body, ">u2" if wide else np.uint8, 64, at + 1)
            self.quantisers[number] = steps.astype(np.int64)
            at += 1 + steps.nbytes

    def _scan(self, body: bytes) -> Scan:
        count = body[0]
        if not 1 <= count <= 4 or len(body) != 4 + 2 * count or not self.parts:
            raise NotCarriedError("its scan header is damaged")
        by_name = {part.identifier: number for number, part in enumerate(self.parts)}
        chosen = [by_name.get(body[1 + 2 * i], -1) for i in range(count)]
        if -1 in chosen or len(set(chosen)) < count:
            raise NotCarriedError("a scan of it is of other components")
        first, last, high, low = body[-3], body[-2], body[-1] >> 4, body[-1] & 15
        if not self.progressive:
            first, last, high, low = 0, 63, 0, 0
        elif (
            not (first <= last <= 63 and low <= 13 and (high == 0 or high == low + 1))
            or (first == 0 if last else False)
            or (first > 0 and count > 1)
        ):
            raise NotCarriedError("a scan of it takes other coefficients than there are")
        parts = [self.parts[i] for i in chosen]
        for part in parts:
            if not len(part.table):
                part.table = self.quantisers.get(part.quantiser, NO_TABLE)
        units, order = self._order(parts)
        selectors = [body[2 + 2 * i] for i in range(count)]
        dc = np.array([selectors[i] >> 4 & 3 for i in units], np.int64)
        ac = np.array([4 + (selectors[i] & 3) for i in units], np.int64)
        progressive = self.progressive
        return Scan(
            order, np.array(units, np.int64), dc, ac, first, last, high, low, progressive, self.restart,
            tuple(self.tables),
        )  # fmt: skip

    def _order(self, parts: list[Part]) -> tuple[list[int], Int64]:
        """Of each block of an MCU its component; of all blocks where they begin, int64."""
        if len(parts) == 1:
            part = parts[0]
            found = np.arange(part.own_rows)[:, None] * part.columns + np.arange(part.own_columns)
            return [0], part.start + 64 * found.reshape(-1).astype(np.int64)
        units: list[int] = []
        places: list[NDArray[np.int64]] = []
        for number, part in enumerate(parts):
            rows, columns = np.arange(0, part.rows, part.v), np.arange(0, part.columns, part.h)
            for y in range(part.v):
                for x in range(part.h):
                    units.append(number)
                    places.append(part.start + 64 * ((rows[:, None] + y) * part.columns + columns + x).reshape(-1))
        if len(units) > MOST_UNITS:
            raise NotCarriedError("an MCU of it has too many blocks")
        return units, np.stack(places, 1).reshape(-1).astype(np.int64)


@cache
def _usual() -> tuple[Huffman | None, ...]:
    """The tables of a JPEG that has none: frames of films leave them out."""
    return tuple(huffman(USUAL[kind << 4 | number]) if number < 2 else None for kind in range(2) for number in range(4))


def _blocks(samples: int, most: int) -> int:
    """Blocks that hold samples / most, rounded up."""
    return (samples + 8 * most - 1) // (8 * most)
