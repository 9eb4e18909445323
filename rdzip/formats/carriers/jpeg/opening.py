"""A JPEG, taken apart.

The skeleton is a list [head, tables, scans, rest, more]. head: the file without entropy-coded data, and without tables
that are known: a list of byte strings, and between them skeletons of JPEGs that lie in segments (thumbnails); a byte
string where there are none. tables: of each table of each DQT and DHT in turn, 0 if it is in the head, for DQT 1 + the
component whose it is, for DHT 1 for the usual one,
2 for the best one of the next scan. scans: what is kept of each. rest: bytes behind it. more: the
skeleton of a JPEG that follows these.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from rdzip.codecs.dct.coefficients import ZIGZAG, Coefficients, Component
from rdzip.exact.types import Int16
from rdzip.formats.carriers.carrier import NotCarriedError, Opened
from rdzip.formats.carriers.jpeg.closing import close
from rdzip.formats.carriers.jpeg.entropy import counted
from rdzip.formats.carriers.jpeg.reading import read_scan
from rdzip.formats.carriers.jpeg.scans import ALONE, DHT, DQT, EOI, SOI, SOS, Scan, State
from rdzip.formats.carriers.jpeg.tables import OPTIMAL, USUAL, optimal
from rdzip.formats.carriers.raw.checks import certain, shortened

START = b"\xff\xd8\xff"
APPLICATIONS = range(0xE0, 0xF0)
LEAST_INSIDE = 2048
"""Bytes from which on a JPEG inside another one is taken apart: it gains more than it costs."""
MOST_DEPTH, MOST_INSIDE = 8, 16
FOLLOWING = 64
"""Bytes behind the first scan in which its height may stand."""
NO_STEPS = np.ones(64, np.int64)
"""Of a component that is in no scan, and has no table."""
BLOCKS_A_BYTE, FREE_BLOCKS = 16, 1024
"""Blocks that a JPEG has at most: each takes a bit or more, where the file is not cut."""


def open(data: bytes) -> Opened:
    """Return the coefficients of the image and of those inside it, and the skeleton; NotCarriedError for other kinds of
    JPEG, and those that are coded in no usual way."""
    pictures: list[Any] = []
    skeleton = _opened(data, pictures, 0)
    return certain(data, Opened(pictures, skeleton), close)


def _opened(data: bytes, pictures: list[Any], depth: int) -> list[Any]:
    """Return the skeleton of a JPEG; its coefficients and those of JPEGs inside it are added to the pictures."""
    if data[:3] != START:
        raise NotCarriedError("it is no JPEG")
    number = len(pictures)
    pictures.append(None)
    state, head = State(), _Head()
    scans: list[list[Any]] = []
    tables: list[_Table] = []
    coefficients: Int16 = np.zeros(0, np.int16)
    head.add(data[:2])
    at = 2
    while at < len(data):
        start = at
        while at < len(data) and data[at] == 0xFF:
            at += 1
        if at == start or at >= len(data):
            at = start
            break
        marker = data[at]
        at += 1
        if marker == EOI or marker in ALONE:
            head.add(data[start:at])
            if marker == EOI:
                break
            continue
        size = int.from_bytes(data[at : at + 2], "big")
        if marker in (0, SOI) or size < 2 or at + size > len(data):
            at = start
            break
        body = data[at + 2 : at + size]
        behind = _end_of_scan(data, at + size) if marker == SOS else at
        try:
            scan = state.segment(marker, body, data[behind : behind + FOLLOWING])
            if state.size > 64 * (BLOCKS_A_BYTE * len(data) + FREE_BLOCKS):
                raise NotCarriedError("it has far more blocks than bytes")
            if scan is not None and not len(coefficients):
                coefficients = np.zeros(state.size, np.int16)
            kept = None if scan is None else read_scan(scan, data[at + size : behind], coefficients)
        except NotCarriedError:
            if not scans:
                raise
            at = start  # the rest stays as it is
            break
        head.add(data[start : at + 2])
        at += size
        if marker in (DQT, DHT):
            _note_tables(marker, body, head, tables)
        elif marker in APPLICATIONS and depth < MOST_DEPTH:
            _note_inside(body, head, pictures, depth)
        else:
            head.add(body)
        if scan is not None and kept is not None:
            _note_optimal(scan, kept, coefficients, tables)
            scans.append(kept)
            at = behind
    if not scans:
        raise NotCarriedError("it has no scan")
    pictures[number] = _coefficients(state, coefficients)
    own = [component.quantisation[list(ZIGZAG)].tolist() for component in pictures[number].components]
    listed = head.without(tables, own)
    rest, more = data[at:], None
    place = rest.find(START)
    if place >= 0 and len(rest) - place >= LEAST_INSIDE and depth < MOST_DEPTH and len(pictures) < MOST_INSIDE:
        known = len(pictures)
        try:
            more = _opened(rest[place:], pictures, depth + 1)
            rest = rest[:place]
        except NotCarriedError:
            del pictures[known:]
    return shortened([head.value(), listed, scans, rest, more])


@dataclass
class _Table:
    """A table of a segment DQT or DHT: its first byte and the others, whether it is alone in its segment, whether its
    scan has been seen, and whether it is the best one for it."""

    marker: int
    kind: int
    body: bytes
    alone: bool
    done: bool = False
    optimal: bool = False


class _Head:
    """What is left of a file, piece by piece: bytes, skeletons, and tables that may be left out."""

    def __init__(self) -> None:
        self.pieces: list[Any] = []

    def add(self, piece: Any) -> None:
        """Add bytes, a skeleton, or the number of a table as a tuple."""
        self.pieces.append(piece)

    def without(self, tables: list[_Table], own: list[list[int]]) -> list[int]:
        """Put tables that are not known back; returns of each how it is known, without zeros at the end."""
        found = []
        pieces, self.pieces = self.pieces, []
        for piece in pieces:
            if isinstance(piece, tuple):
                table = tables[piece[0]]
                if table.marker == DQT:
                    steps = np.frombuffer(table.body, ">u2" if table.kind >> 4 else np.uint8).tolist()
                    known = own.index(steps) + 1 if steps in own else 0
                else:
                    known = OPTIMAL if table.optimal else 1 if USUAL.get(table.kind) == table.body else 0
                found.append(known)
                if not known:
                    self.add(table.body)
            else:
                self.add(piece)
        return shortened(found)

    def value(self) -> Any:
        """The head as a skeleton has it."""
        found: list[Any] = []
        for is_bytes, group in groupby(self.pieces, lambda piece: isinstance(piece, bytes)):
            pieces = list(group)
            found += [b"".join(pieces)] if is_bytes else pieces
        return found[0] if len(found) == 1 else found


def _note_tables(marker: int, body: bytes, head: _Head, tables: list[_Table]) -> None:
    """Add the tables of a segment to the head as their numbers."""
    at = 0
    while at < len(body):
        kind = body[at]
        size = (128 if kind >> 4 else 64) if marker == DQT else 16 + sum(body[at + 1 : at + 17])
        head.add(body[at : at + 1])
        head.add((len(tables),))
        tables.append(_Table(marker, kind, body[at + 1 : at + 1 + size], 1 + size == len(body)))
        at += 1 + size


def _note_optimal(scan: Scan, kept: list[Any], coefficients: Int16, tables: list[_Table]) -> None:
    """Note which of the tables since the last scan are the best ones for this one."""
    last = {table.kind: table for table in tables if table.marker == DHT and not table.done}
    own = [table for table in last.values() if table.alone and USUAL.get(table.kind) != table.body]
    if own:
        counts = counted(scan, kept, coefficients)
        for table in own:
            table.optimal = optimal(counts[State.number_of(table.kind)]) == table.body
    for table in tables:
        table.done = True


def _note_inside(body: bytes, head: _Head, pictures: list[Any], depth: int) -> None:
    """Add the body of a segment to the head, a JPEG in it taken apart."""
    at = body.find(START)
    if at >= 0 and len(body) - at >= LEAST_INSIDE and len(pictures) < MOST_INSIDE:
        known = len(pictures)
        try:
            skeleton = _opened(body[at:], pictures, depth + 1)
        except NotCarriedError:
            del pictures[known:]
        else:
            head.add(body[:at])
            head.add(skeleton)
            head.add(b"")
            return
    head.add(body)


def _end_of_scan(data: bytes, at: int) -> int:
    """Return where the entropy-coded data end: at a marker other than restart, with bytes FF that fill up before it,
    or at the end of the file."""
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 1 >= len(data):
            return len(data)
        end = at + 1
        while end < len(data) and data[end] == 0xFF:
            end += 1
        if end < len(data) and data[end] and not 0xD0 <= data[end] <= 0xD7:
            return at
        at = end + 1


def _coefficients(state: State, coefficients: Int16) -> Coefficients:
    """Return the coefficients of all components."""
    found = []
    for part in state.parts:
        blocks = coefficients[part.start : part.start + 64 * part.rows * part.columns]
        steps = np.zeros(64, np.uint16)
        table = part.table if len(part.table) else state.quantisers.get(part.quantiser, NO_STEPS)
        steps[list(ZIGZAG)] = table
        found.append(Component(blocks.reshape(part.rows, part.columns, 64), steps, (part.h, part.v)))
    return Coefficients(tuple(found))
