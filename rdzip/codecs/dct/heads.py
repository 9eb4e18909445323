"""The head of a payload of the codec dct: layout, shapes and sampling factors of components, quantisation tables.

No numpy here: `rdzip info` reads heads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rdzip.codecs.varint import read_numbers, write_numbers
from rdzip.errors import CoderError
from rdzip.models.dct_mixing.zigzag import ZIGZAG

MOST_BLOCKS = 1 << 13
"""Rows and columns of blocks at most: 65,535 samples, and what fills an MCU."""


class Head(NamedTuple):
    """Rows and columns of blocks of a component, its sampling factors (horizontal, vertical), its steps in zigzag
    order."""

    rows: int
    columns: int
    sampling: tuple[int, int]
    steps: tuple[int, ...]


def write_head(layout: int, components: Sequence[Head]) -> bytes:
    """Return numbers: the layout; how many components; of each, rows, columns, 4 h + v - 5, table; of each table, its
    steps.

    A table's number is that of the first component with it, among those that differ. Each step is 2 |d| - (d > 0) of
    its difference d from the one before, the first one from 0.
    """
    tables: list[tuple[int, ...]] = []
    numbers = [layout, len(components)]
    for head in components:
        if head.steps not in tables:
            tables.append(head.steps)
        h, v = head.sampling
        numbers += [head.rows, head.columns, 4 * h + v - 5, tables.index(head.steps)]
    for steps in tables:
        for step, before in zip(steps, (0, *steps), strict=False):
            d = step - before
            numbers.append(2 * d - 1 if d > 0 else -2 * d)
    return write_numbers(numbers)


def read_head(payload: bytes | memoryview) -> tuple[int, list[Head], int]:
    """Return the layout, the components, and the place after the head; CoderError if it is corrupt."""
    (layout, count), at = read_numbers(payload, 0, 2)
    if not 1 <= count <= 4:
        raise CoderError(f"codec dct: expected 1 to 4 components, found {count}: the file is corrupt")
    numbers, at = read_numbers(payload, at, 4 * count)
    heads = list(zip(*(numbers[i::4] for i in range(4)), strict=True))
    known = 0
    for rows, columns, sampling, table in heads:
        if not (1 <= rows <= MOST_BLOCKS and 1 <= columns <= MOST_BLOCKS and sampling < 16 and table <= known):
            raise CoderError(
                f"codec dct: expected a component of up to {MOST_BLOCKS} rows and columns, found {rows} x {columns}, "
                f"sampling {sampling}, table {table}: the file is corrupt"
            )
        known = max(known, table + 1)
    tables: list[tuple[int, ...]] = []
    for _ in range(known):
        differences, at = read_numbers(payload, at, len(ZIGZAG))
        steps = [0]
        for n in differences:
            steps.append(steps[-1] + ((n + 1) // 2 if n & 1 else -(n // 2)))
        if not all(0 <= step < 1 << 16 for step in steps):
            raise CoderError("codec dct: expected steps below 65536, found others: the file is corrupt")
        tables.append(tuple(steps[1:]))
    found = [Head(r, c, (s // 4 + 1, s % 4 + 1), tables[table]) for r, c, s, table in heads]
    return layout, found, at
