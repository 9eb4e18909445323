"""Filters of rows (PNG specification, section 9), and the rules by which programs choose them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rdzip.exact.compiled import compiled
from rdzip.exact.types import Int64

NONE, SUB, UP, AVERAGE, PAETH, FILTERS = range(6)
RULES = (
    (NONE, SUB, UP, AVERAGE, PAETH),
    (NONE, UP, SUB, PAETH),
    (NONE, UP, SUB, AVERAGE, PAETH),
    (NONE, SUB, UP),
)
"""Of each rule, filters in the order in which they are tried: the least sum of bytes as distances from 0 (mod 256)
wins, of equal ones the first. In turn: libpng's, Pillow's, Pillow's with optimize, libpng's fast filters."""


@compiled
def _predict(kind: int, left: int, above: int, before: int) -> int:
    """What a filter takes from a byte; before: left of above."""
    if kind == SUB:
        return left
    if kind == UP:
        return above
    if kind == AVERAGE:
        return (left + above) >> 1
    if kind == PAETH:
        estimate = left + above - before
        a, b, c = abs(estimate - left), abs(estimate - above), abs(estimate - before)
        if a <= b and a <= c:
            return left
        return above if b <= c else before
    return 0


@compiled
def unfilter(
    data: NDArray[np.uint8],
    at: int,
    rows: int,
    width: int,
    distance: int,
    px: NDArray[np.uint8],
    kinds: NDArray[np.uint8],
) -> bool:
    """Undo the filters of a pass; return whether all are known.

    - data: uint8, of which a pass begins at ``at``, a filter and ``width`` bytes a row
    - rows, distance: of the pass, and bytes from a pixel to the next
    - px: [rows * width], the bytes; kinds: [rows], the filters
    """
    for y in range(rows):
        kind = np.int64(data[np.uintp(at)])
        if kind >= FILTERS:
            return False
        kinds[y] = kind
        at += 1
        own = y * width
        for x in range(width):
            left = above = before = 0
            if x >= distance:
                left = np.int64(px[np.uintp(own + x - distance)])
            if y > 0:
                above = np.int64(px[np.uintp(own - width + x)])
                if x >= distance:
                    before = np.int64(px[np.uintp(own - width + x - distance)])
            value = np.int64(data[np.uintp(at + x)]) + _predict(kind, left, above, before)
            px[np.uintp(own + x)] = value & 255
        at += width
    return True


@compiled
def apply(
    px: NDArray[np.uint8],
    rows: int,
    width: int,
    distance: int,
    kinds: NDArray[np.uint8],
    data: NDArray[np.uint8],
    at: int,
) -> None:
    """Filter the rows of a pass. Arguments as of rdzip.formats.carriers.png.filters.unfilter."""
    for y in range(rows):
        kind = np.int64(kinds[y])
        data[np.uintp(at)] = kind
        at += 1
        own = y * width
        for x in range(width):
            left = above = before = 0
            if x >= distance:
                left = np.int64(px[np.uintp(own + x - distance)])
            if y > 0:
                above = np.int64(px[np.uintp(own - width + x)])
                if x >= distance:
                    before = np.int64(px[np.uintp(own - width + x - distance)])
            value = np.int64(px[np.uintp(own + x)]) - _predict(kind, left, above, before)
            data[np.uintp(at + x)] = value & 255
        at += width


@compiled
def sum_distances(px: NDArray[np.uint8], rows: int, width: int, distance: int, sums: Int64) -> None:
    """Sum the distances from 0 of each row's bytes by each filter: sums [rows * FILTERS].

    Other arguments as of rdzip.formats.carriers.png.filters.unfilter.
    """
    for y in range(rows):
        own = y * width
        at = y * FILTERS
        for i in range(FILTERS):
            sums[at + i] = 0
        for x in range(width):
            left = above = before = 0
            if x >= distance:
                left = np.int64(px[np.uintp(own + x - distance)])
            if y > 0:
                above = np.int64(px[np.uintp(own - width + x)])
                if x >= distance:
                    before = np.int64(px[np.uintp(own - width + x - distance)])
            value = np.int64(px[np.uintp(own + x)])
            for kind in range(FILTERS):
                rest = (value - _predict(kind, left, above, before)) & 255
                sums[np.uintp(at + kind)] += min(rest, 256 - rest)


def distances(px: NDArray[np.uint8], rows: int, width: int, distance: int) -> Int64:
    """Return the sums [rows, FILTERS] of a pass of bytes px [rows * width]."""
    sums = np.zeros(rows * FILTERS, np.int64)
    sum_distances(px, rows, width, distance, sums)
    return sums.reshape(rows, FILTERS)


def choose(sums: Int64, rule: int) -> NDArray[np.uint8]:
    """Return the filters [rows] that a rule takes."""
    order = np.array(RULES[rule], np.uint8)
    chosen: NDArray[np.uint8] = order[np.argmin(sums[:, order], axis=1)]
    return chosen
