"""What is known of the blocks of a component while they are coded, and what their edges ask for of the next ones."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rdzip.exact.compiled import compiled, inlined
from rdzip.exact.types import Float64, Int16, Int32, Int64
from rdzip.models.dct_mixing.features import F
from rdzip.models.dct_mixing.tables import edge_table, logarithm_table, zigzag_table


class Surroundings(NamedTuple):
    """What is known of a component's blocks; a block of zeros follows the last one, for those that are not there.

    - blocks: int16 [(rows * columns + 1) * 64], coefficients in natural order
    - first, second: int16, other components at this one's resolution, not quantised; empty for none
    - steps: int64 [64]
    - left, above: int64 [16], [16 * columns], what the edges of the block to the left, of the blocks above ask for
    - known_left, known_top: int64 [16], what the coefficients known so far give
    - ends, sums, errors: int64 [2 * (columns + 2)], by parity of the row, of each block
    - zigzag, edges, logarithms: tables
    - features: int64 [len(F)]
    - values: float64 [4], mean, size, the mean of the fit that forgets soon, weight
    """

    blocks: Int16
    first: Int16
    second: Int16
    steps: Int64
    left: Int64
    above: Int64
    known_left: Int64
    known_top: Int64
    ends: Int64
    sums: Int64
    errors: Int64
    zigzag: Int64
    edges: Int64
    logarithms: Int32
    features: Int64
    values: Float64

    @classmethod
    def of(cls, blocks: Int16, others: tuple[Int16, Int16], steps: Int64, columns: int) -> Surroundings:
        """Those of a component before its first block."""
        ends, sums, errors = np.zeros((3, 2 * (columns + 2)), np.int64)
        return cls(
            blocks,
            others[0],
            others[1],
            steps,
            np.zeros(16, np.int64),
            np.zeros(16 * columns, np.int64),
            np.zeros(16, np.int64),
            np.zeros(16, np.int64),
            ends,
            sums,
            errors,
            zigzag_table(),
            edge_table(),
            logarithm_table(),
            np.zeros(len(F), np.int64),
            np.zeros(4),
        )


@compiled
def own(y: int, columns: int, x: int) -> int:
    """Where a block's numbers are among those of two rows."""
    place: int = (y & 1) * (columns + 2) + x + 1
    return place


@inlined
def take_in(s: Surroundings, place: int, value: int) -> None:
    """Take off a coefficient at a natural place from what the edges ask for."""
    v, u = place >> 3, place & 7
    t = value * s.steps[place]
    s.known_left[v] += t * s.edges[u]
    s.known_top[u] += t * s.edges[v]
    s.known_left[8 + v] += t * s.edges[8 + u]
    s.known_top[8 + u] += t * s.edges[8 + v]


@inlined
def end_block(s: Surroundings, base: int, x: int) -> None:
    """Note what the right and the lower edge of a block ask for of the next ones."""
    for i in range(16):
        s.left[i] = 0
        s.above[16 * x + i] = 0
        s.known_left[i] = 0
        s.known_top[i] = 0
    for place in range(64):
        t = np.int64(s.blocks[np.uintp(base + place)])
        if t:
            t *= s.steps[place]
            v, u = place >> 3, place & 7
            across = -t if u & 1 else t
            down = -t if v & 1 else t
            s.left[v] += across * s.edges[u]
            s.left[8 + v] += across * s.edges[8 + u]
            s.above[16 * x + u] += down * s.edges[v]
            s.above[16 * x + 8 + u] += down * s.edges[8 + v]
