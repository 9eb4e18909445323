"""Contexts of layout 1: classes of a coefficient's neighbours, of what edges leave, of another component; no fits.

blocks to the left and above, this block's higher frequencies, another component, edges
    --> classes Near --> places of counters: 4 of a size, 4 of a sign, 3 of an end
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rdzip.exact.compiled import inlined
from rdzip.exact.types import Float64, Int64
from rdzip.models.dct_mixing.surroundings import Surroundings
from rdzip.models.dct_mixing.tables import log_class, rounded_down, signed_class

SIZE_CONTEXTS, SIGN_CONTEXTS, END_CONTEXTS = 4, 4, 3
NODES, SIGN_SIZES, END_NODES = 16, 4, 64
"""Counters of a context: of a size, of a sign (by |error|, at most 3), of an end."""
SIZE_PLACES, SIGN_PLACES, END_PLACES = 33 << 10, 1 << 12, 1 << 10
DC_PLACE = 1 << 15
SIGN_AT = SIZE_CONTEXTS * SIZE_PLACES * NODES
END_AT = SIGN_AT + SIGN_CONTEXTS * SIGN_PLACES * SIGN_SIZES
COUNTERS = END_AT + END_CONTEXTS * END_PLACES * END_NODES
SIGN_ROW, END_ROW, ROWS = 1024, 1088, 1152
"""Rows of weights from which on signs and ends have theirs; how many there are."""
MOST_MEAN = 4000.0


class Around(NamedTuple):
    """Where the blocks around a block begin: those to the left, above, above left, above right; zeros for none."""

    w: int
    n: int
    nw: int
    ne: int


@inlined
def left_of(s: Surroundings, inverse: Float64, place: int, x: int) -> float:
    """What the edge to the left leaves of a coefficient at a natural place, in steps; 0 for none.

    inverse: of `inverses`; x: column of the block.
    """
    v = place >> 3
    return np.float64(s.left[v] - s.known_left[v]) * inverse[place] if x > 0 else 0.0


@inlined
def top_of(s: Surroundings, inverse: Float64, place: int, x: int, y: int) -> float:
    """What the edge above leaves of a coefficient at a natural place, in steps; 0 for none.

    - s, inverse: surroundings, and what `inverses` gives
    - place: natural place
    - x, y: column and row of the block
    """
    u = place & 7
    return np.float64(s.above[16 * x + u] - s.known_top[u]) * inverse[64 + place] if y > 0 else 0.0


@inlined
def cross_of(s: Surroundings, inverse: Float64, base: int, place: int) -> int:
    """Another component's coefficient at the same place, in 1/4 steps, towards 0; 0 for none."""
    return rounded_down(np.float64(s.first[base + place]) * inverse[128 + place], 4.0) if len(s.first) > 0 else 0


def inverses(steps: Int64, edges: Int64) -> Float64:
    """1 / (step * cosine at the edge) of places for the left and for the upper edge, 1 / step; float64 [192].

    steps: int64 [64]; edges: of tables.edge_table.
    """
    place = np.arange(64)
    found = np.concatenate([steps * edges[place & 7], steps * edges[place >> 3], steps])
    inverse: Float64 = 1.0 / found.astype(np.float64)
    return inverse


@inlined
def size_places(
    s: Surroundings,
    around: Around,
    places: Int64,
    k: int,
    base: int,
    a: int,
    b: int,
    cross: int,
    to_end: int,
    sums: int,
) -> None:
    """Fill the places of the counters of an AC coefficient's size.

    - s, around: surroundings and where blocks begin
    - places: filled
    - k, base: place in zigzag order, and where its block begins
    - a, b, cross: what the edges leave in 1/8 steps, another component's coefficient in 1/4 steps
    - to_end, sums: how far the block's end is, and the sum of its |coefficients| so far
    """
    t, blocks = s.logarithms, s.blocks
    place = s.zigzag[k]
    near = abs(int(np.int64(blocks[around.nw + place]))) + abs(int(np.int64(blocks[around.ne + place])))
    near += 2 * (abs(int(np.int64(blocks[around.w + place]))) + abs(int(np.int64(blocks[around.n + place]))))
    inside = 0
    if place < 56:
        inside += 2 * abs(int(np.int64(blocks[base + place + 8])))
    if place & 7 < 7:
        inside += 2 * abs(int(np.int64(blocks[base + place + 1])))
        if place < 56:
            inside += abs(int(np.int64(blocks[base + place + 9])))
    a, b, cross = abs(a), abs(b), abs(cross)
    all_of_them = log_class(t, 2 * near + 3 * inside + (a + b) // 2 + 2 * cross, 1, 31)
    first = (k * 32 + log_class(t, cross, 1, 31)) * 16 + log_class(t, near + inside, 1, 15)
    second = (k * 32 + all_of_them) * 16 + min(to_end, 15)
    third = (all_of_them * 32 + log_class(t, sums, 1, 31)) * 32 + min(to_end, 31)
    fourth = (k * 32 + log_class(t, a, 1, 15)) * 16 + log_class(t, b, 1, 15)
    places[0] = first * NODES
    places[1] = (SIZE_PLACES + second) * NODES
    places[2] = (2 * SIZE_PLACES + third) * NODES
    places[3] = (3 * SIZE_PLACES + fourth) * NODES


@inlined
def dc_size_places(s: Surroundings, places: Int64, base: int, own: int, above: int, apart: int, sums: int) -> None:
    """Fill the places of the counters of the size of a DC coefficient's error.

    - s, places, base, sums: as those of `size_places`
    - own, above: where the numbers of this block, and of that above, are
    - apart: how far apart is what the edges leave, in 1/8 steps
    """
    t = s.logarithms
    errors = s.errors[own - 1] + s.errors[above]
    slopes = abs(int(np.int64(s.blocks[base + 1]))) + abs(int(np.int64(s.blocks[base + 8])))
    total = log_class(t, sums, 1, 31)
    places[0] = log_class(t, errors, 2, 31) * 16 * NODES
    places[1] = (SIZE_PLACES + log_class(t, errors, 1, 31) * 16 + min(total, 15)) * NODES
    places[2] = (2 * SIZE_PLACES + DC_PLACE + total) * NODES
    places[3] = (3 * SIZE_PLACES + log_class(t, apart, 1, 31) * 16 + log_class(t, slopes, 1, 15)) * NODES


@inlined
def sign_places(s: Surroundings, places: Int64, k: int, a: int, b: int, cross: int, found: int) -> None:
    """Fill the places of the counters of a sign.

    - s, places: surroundings; filled
    - k, a, b, cross: as those of `size_places`; of DC, the left edge relative to the mean, its fraction in 1/16
    - found: |error|
    """
    t = s.logarithms
    of_a = signed_class(t, a)
    of_b = signed_class(t, b) if k else b
    size = min(found, 3)
    places[0] = SIGN_AT + (k * 64 + of_a) * SIGN_SIZES + size
    places[1] = SIGN_AT + (SIGN_PLACES + k * 64 + of_b) * SIGN_SIZES + size
    places[2] = SIGN_AT + (2 * SIGN_PLACES + of_a * 64 + of_b) * SIGN_SIZES + size
    places[3] = SIGN_AT + (3 * SIGN_PLACES + k * 64 + signed_class(t, cross)) * SIGN_SIZES + size


@inlined
def end_places(s: Surroundings, places: Int64, base: int, own: int, above: int, x: int, y: int) -> None:
    """Fill the places of the counters of a block's end.

    - s, places: surroundings; filled
    - base, own, above: where the block, and the numbers of it and of that above, are
    - x, y: column and row
    """
    t = s.logarithms
    north = s.ends[above] if y > 0 else s.ends[own - 1]
    west = s.ends[own - 1] if x > 0 else north
    other = 0
    if len(s.first) > 0:
        for k in range(63, 0, -1):
            place = s.zigzag[k]
            if other == 0 and abs(np.int64(s.first[base + place])) >= s.steps[place]:
                other = k
    mean = (west + north) >> 1
    sums = log_class(t, s.sums[above] + s.sums[own - 1], 1, 31)
    places[0] = END_AT + (mean * 16 + min(abs(west - north) >> 2, 15)) * END_NODES
    places[1] = END_AT + (END_PLACES + other * 16 + (mean >> 2)) * END_NODES
    places[2] = END_AT + (2 * END_PLACES + sums * 16 + (west >> 2)) * END_NODES
