"""Where a block ends: the place of its last AC coefficient that is not 0 in zigzag order, 0 for none; 6 decisions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rdzip.exact.compiled import compiled, inlined
from rdzip.exact.types import Int16, Int64, UInt32
from rdzip.models.dct_mixing.decisions import FINAL, FIRST_APM, SECOND_APM, Mixer, code_decision
from rdzip.models.dct_mixing.surroundings import Surroundings
from rdzip.models.dct_mixing.tables import log_class
from rdzip.models.shared.hashing import hashed

END_CONTEXTS, END_BITS = 12, 15
"""Contexts, and log2 of the counters of each."""
USUAL = 20
"""What the first block's neighbours are taken to have."""
END_ROW, END_APM = 1024, 12032
"""Rows of the mixers and of the APMs from which on ends have theirs."""


@compiled
def _end_of(blocks: Int16, base: int, zigzag: Int64, steps: Int64, share: int) -> int:
    """Place of the last AC coefficient whose size in 1/2 steps is at least ``share``, 0 for none; none of no blocks."""
    if len(blocks) > 0:
        for k in range(63, 0, -1):
            place = zigzag[k]
            if 2 * abs(np.int64(blocks[base + place])) >= share * steps[place]:
                return k
    return 0


@compiled
def _edge(asked: Int64, at: int, step: int) -> int:
    """Sum of what an edge asks for of the frequencies from 1 on, in steps."""
    total = 0
    for i in range(1, 8):
        total += abs(asked[at + i])
    return (total >> 13) // step


@inlined
def code_end(
    s: Surroundings,
    m: Mixer,
    counters: UInt32,
    contexts: int,
    mixers: int,
    refined: int,
    coder: Int64,
    data: NDArray[np.uint8],
    decoding: int,
    base: int,
    x: int,
    y: int,
    columns: int,
    end: int,
) -> int:
    """Code where a block ends; returns it.

    - s, m: surroundings and mixer
    - counters: uint32 [END_CONTEXTS, 2**END_BITS], flat
    - contexts, mixers: how many of each
    - refined: whether APMs refine what is mixed
    - coder, data, decoding: state of the arithmetic coder, what it reads or writes, and which
    - base, x, y, columns: the block's first place, column, row, columns
    - end: of no meaning when decoding
    """
    t = s.logarithms
    own, above = (y & 1) * (columns + 2) + x + 1, ((y + 1) & 1) * (columns + 2) + x + 1
    north = s.ends[above] if y > 0 else s.ends[own - 1] if x > 0 else USUAL
    west = s.ends[own - 1] if x > 0 else north
    north_east = s.ends[above + 1] if y > 0 and x < columns - 1 else north
    north_west = s.ends[above - 1] if y > 0 and x > 0 else north
    sum_n = s.sums[above] if y > 0 else s.sums[own - 1]
    sum_w = s.sums[own - 1] if x > 0 else sum_n
    first = _end_of(s.first, base, s.zigzag, s.steps, 1)
    second = _end_of(s.second, base, s.zigzag, s.steps, 2)
    left = log_class(t, _edge(s.left, 0, s.steps[1]), 1, 31) if x > 0 else 0
    top = log_class(t, _edge(s.above, 16 * x, s.steps[1]), 1, 31) if y > 0 else 0
    around = 2 * (west + north) + north_east + north_west
    places = m.places
    node = 1
    for level in range(6):
        n = np.int64(node)
        places[0] = n
        places[1] = n * 64 + west
        places[2] = n * 64 + north
        places[3] = n * 64 + around // 6
        places[4] = (n * 64 + first) * 64 + second
        places[5] = (n * 16 + (west >> 2)) * 16 + (north >> 2)
        places[6] = (n * 32 + log_class(t, sum_w, 1, 31)) * 32 + log_class(t, sum_n, 1, 31)
        places[7] = (n * 32 + left) * 32 + top
        places[8] = (n * 16 + (north_east >> 2)) * 16 + (north_west >> 2)
        places[9] = (n * 64 + second) * 16 + around // 24
        places[10] = (n * 64 + first) * 16 + around // 24
        places[11] = (n * 64 + log_class(t, sum_w + sum_n, 2, 63)) * 16 + around // 24
        for i in range(contexts):
            places[i] = (i << END_BITS) + (hashed(i, places[i]) & ((1 << END_BITS) - 1))
        m.rows[0] = END_ROW + n
        m.rows[1] = END_ROW + 64 + around // 6
        m.rows[2] = END_ROW + 128 + first
        m.rows[3] = END_ROW + 192 + n
        m.rows[4] = END_ROW + 256 + left
        m.rows[5] = END_ROW + 320 + west
        m.rows[6] = END_ROW + 384 + north
        m.rows[FINAL] = n
        m.rows[FIRST_APM] = END_APM + n
        m.rows[SECOND_APM] = END_APM + 64 + around // 6
        bit = code_decision(m, counters, contexts, mixers, refined, coder, data, decoding, (end >> (5 - level)) & 1)
        node = 2 * node + bit
    return node - 64
