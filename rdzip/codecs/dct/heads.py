"""The head of a payload of the codec dct: layout, shapes and sampling factors of components, quantisation tables."""

from __future__ import annotations

import numpy as np

from rdzip.codecs.dct.band import Shape
from rdzip.codecs.varint import read_numbers, write_numbers
from rdzip.errors import CoderError
from rdzip.exact.types import Int64
from rdzip.models.dct_mixing.tables import ZIGZAG

MOST_BLOCKS = 1 << 13
"""Rows and columns of blocks at most: 65,535 samples, and what fills an MCU."""


def write_head(layout: int, shapes: list[Shape]) -> bytes:
    """Numbers: the layout; how many components; of each, rows, columns, 4 h + v - 5, table; of each table, its steps.

    A table's number is that of the first component with it, among those that differ. Steps stand in zigzag order, each
    as 2 |d| - (d > 0) of its difference d from the one before, the first one from 0.
    """
    tables: list[tuple[int, ...]] = []
    numbers = [layout, len(shapes)]
    for shape in shapes:
        steps = tuple(shape.steps[list(ZIGZAG)].tolist())
        if steps not in tables:
            tables.append(steps)
        h, v = shape.sampling
        numbers += [shape.rows, shape.columns, 4 * h + v - 5, tables.index(steps)]
    for steps in tables:
        for step, before in zip(steps, (0, *steps), strict=False):
            d = step - before
            numbers.append(2 * d - 1 if d > 0 else -2 * d)
    return write_numbers(numbers)


def read_head(payload: bytes) -> tuple[int, list[Shape], int]:
    """Layout, shapes, and the place after the head; CoderError if it is corrupt."""
    (layout, count), at = read_numbers(payload, 0, 2)
    if not 1 <= count <= 4:
        raise CoderError(f"codec dct: expected 1 to 4 components, found {count}: the file is corrupt")
    heads, at = read_numbers(payload, at, 4 * count)
    tables: list[Int64] = []
    shapes = []
    for rows, columns, sampling, table in zip(*(heads[i::4] for i in range(4)), strict=True):
        if not (1 <= rows <= MOST_BLOCKS and 1 <= columns <= MOST_BLOCKS and sampling < 16 and table <= len(tables)):
            raise CoderError(
                f"codec dct: expected a component of up to {MOST_BLOCKS} rows and columns, found {rows} x {columns}, "
                f"sampling {sampling}, table {table}: the file is corrupt"
            )
        if table == len(tables):
            tables.append(np.zeros(64, np.int64))
        shapes.append(Shape(rows, columns, (sampling // 4 + 1, sampling % 4 + 1), tables[table]))
    for steps in tables:
        differences, at = read_numbers(payload, at, 64)
        step = 0
        for place, n in zip(ZIGZAG, differences, strict=True):
            step += (n + 1) // 2 if n & 1 else -(n // 2)
            if not 0 <= step < 1 << 16:
                raise CoderError(f"codec dct: expected steps below 65536, found {step}: the file is corrupt")
            steps[place] = step
    return layout, shapes, at
