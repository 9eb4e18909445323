"""A JPEG, put together from coefficients and a skeleton (see opening.py)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from rdzip.codecs.dct.coefficients import ZIGZAG, Coefficients, together
from rdzip.errors import FormatError
from rdzip.exact.types import Int16, Int64
from rdzip.formats.carriers.carrier import NotCarriedError
from rdzip.formats.carriers.jpeg.entropy import counted, write_scan
from rdzip.formats.carriers.jpeg.scans import ALONE, DHT, DQT, EOI, SOS, Scan, State
from rdzip.formats.carriers.jpeg.tables import OPTIMAL, USUAL, optimal
from rdzip.formats.carriers.raw.checks import fields, integer, octets, require

MOST_DEPTH = 9
FOLLOWING = 64
"""Bytes behind the first scan in which its height may stand."""


def close(pictures: Sequence[Any], skeleton: Any) -> bytes:
    """Return the file; pictures: coefficients of the image and of those inside it."""
    waiting = iter(pictures)
    try:
        found = _closed(waiting, skeleton, 0)
    except NotCarriedError as error:
        raise FormatError(f"a skeleton's JPEG is not carried: {error}; the file is corrupt") from error
    require(next(waiting, None) is None, "a skeleton leaves an image out")
    return found


def _closed(waiting: Iterator[Any], skeleton: Any, depth: int) -> bytes:
    """Return the JPEG of a skeleton, with the next one of the coefficients that wait."""
    require(depth < MOST_DEPTH, "a skeleton's JPEGs are nested too deeply")
    head, tables, scans, rest, more = fields(skeleton, 5)
    picture = next(waiting, None)
    require(isinstance(picture, Coefficients), "a skeleton has more images than there are")
    assert isinstance(picture, Coefficients)
    pieces = head if isinstance(head, list) else [head]
    parts = _file(picture, b"".join(_piece(waiting, piece, depth) for piece in pieces), tables, scans)
    parts += [octets(rest or b""), _piece(waiting, more or b"", depth)]
    return b"".join(parts)


def _piece(waiting: Iterator[Any], piece: Any, depth: int) -> bytes:
    """Return bytes as they are, a skeleton as its JPEG."""
    return _closed(waiting, piece, depth + 1) if isinstance(piece, list) else octets(piece)


def _file(picture: Coefficients, head: bytes, tables: Any, scans: Any) -> list[bytes]:
    """Return the parts of a JPEG up to its end."""
    require(isinstance(tables or [], list) and isinstance(scans, list), "a skeleton has no lists of tables and scans")
    known, kept = iter(tables or []), iter(scans)
    state, parts = State(), [head[:2]]
    coefficients: Int16 | None = None
    waiting_tables: list[tuple[int, int, int]] = []
    at = 2
    while at < len(head):
        start = at
        while at < len(head) and head[at] == 0xFF:
            at += 1
        require(start < at < len(head), "a skeleton's JPEG has no marker where there should be one")
        marker = head[at]
        at += 1
        if marker == EOI or marker in ALONE:
            parts.append(head[start:at])
            continue
        size = int.from_bytes(head[at : at + 2], "big")
        require(size >= 2, "a skeleton's JPEG has an empty segment")
        if marker in (DQT, DHT):
            body, used = _with_tables(marker, head[at + 2 : at + size], size - 2, known, picture)
            if len(body) == 1 and size > 3:
                parts += [head[start : at + 2], body, b""]
                waiting_tables.append((body[0], len(parts) - 1, size - 3))
                at += 3
                continue
        else:
            body, used = head[at + 2 : at + size], size - 2
        require(len(body) == size - 2, "a skeleton's JPEG has a segment that ends early")
        parts += [head[start : at + 2], body]
        at += 2 + used
        scan = state.segment(marker, body, head[at : at + FOLLOWING])
        if state.parts and coefficients is None:
            coefficients = _flat(picture, state)
        if marker == SOS and scan is not None:
            require(coefficients is not None, "a skeleton's JPEG has a scan before its frame")
            assert coefficients is not None
            own = next(kept, None)
            if waiting_tables:
                scan = _with_optimal_tables(scan, state, counted(scan, own, coefficients), parts, waiting_tables)
            parts.append(write_scan(scan, own, coefficients))
    require(next(kept, None) is None, "a skeleton has more scans than its JPEG")
    require(not waiting_tables, "a skeleton has a table of no scan")
    return parts


def _with_optimal_tables(
    scan: Scan, state: State, counts: Int64, parts: list[bytes], waiting: list[tuple[int, int, int]]
) -> Scan:
    """Return a scan with the tables that are best for it; they also become parts of the file.

    - scan, state: without them
    - counts: int64 [8, 256], of the scan's symbols
    - parts: filled
    - waiting: of each table its class and number, place among the parts, and length; emptied
    """
    for kind, place, size in waiting:
        table = optimal(counts[state.number_of(kind)])
        require(len(table) == size, "a skeleton has a table of another length than its scan's")
        parts[place] = table
        state.segment(DHT, bytes([kind]) + table)
    waiting.clear()
    return replace(scan, tables=tuple(state.tables))


def _with_tables(marker: int, head: bytes, size: int, known: Iterator[Any], picture: Coefficients) -> tuple[bytes, int]:
    """Return the body of a segment of tables of so many bytes, and how many of them were in the head; the first byte
    alone of a table that depends on the next scan."""
    found, at, length = [], 0, 0
    while length < size:
        require(at < len(head), "a skeleton's JPEG has a segment that ends early")
        kind = head[at]
        at += 1
        number = integer(next(known, 0), 4)
        if marker == DQT:
            count = 128 if kind >> 4 else 64
            table = _steps(picture, number - 1, bool(kind >> 4)) if number else head[at : at + count]
        else:
            require(number <= OPTIMAL and (number < OPTIMAL or length == 0), "a skeleton has no such table")
            if number == OPTIMAL:
                return bytes([kind]), 1
            table = USUAL.get(kind, b"") if number else head[at : at + 16 + sum(head[at : at + 16])]
            require(table, "a skeleton's JPEG lacks a table")
        found += [bytes([kind]), table]
        at += 0 if number else len(table)
        length += 1 + len(table)
    return b"".join(found), at


def _steps(picture: Coefficients, number: int, wide: bool) -> bytes:
    """Return the quantisation table of a component as a segment has it."""
    require(number < len(picture.components), "a skeleton names no component")
    steps = picture.components[number].quantisation[list(ZIGZAG)]
    require(wide or int(steps.max()) < 256, "a quantisation table does not fit its segment")
    return steps.astype(">u2" if wide else np.uint8).tobytes()


def _flat(picture: Coefficients, state: State) -> Int16:
    """Return the coefficients of all components, one after the other."""
    require(len(picture.components) == len(state.parts), "a skeleton's JPEG has other components")
    for component, part in zip(picture.components, state.parts, strict=True):
        require(component.coefficients.shape == (part.rows, part.columns, 64), "a skeleton's JPEG is of another size")
    return together(picture)
