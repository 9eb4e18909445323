"""Shared randomness of encoder and decoder: normal values by step, candidate and place, and an order of variables.

Integers throughout (docs/reference/irec.md, sections 2 and 3). A step's candidates are rows of normal values; a path of
choices *turns* the rows of the next step, so that equal numbers mean different vectors after different paths. Without
that, all beams of a search would be offered the same vectors, and keeping several of them would gain nearly nothing.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rdzip.entropy import normal, philox
from rdzip.entropy.philox import Philox
from rdzip.exact.types import Int64

BLOCK = 1024
"""Variables of a block, at most; length of a row of normal values."""
ORDER_STREAM = 1 << 32
MIX = 0x9E3779B1
_TURN_SHIFT = 22  # of a 32-bit path, which leaves 10 bits: 0..BLOCK - 1
_AT_ONCE = 256


def order(seed: int, count: int) -> Int64:
    """The variables 0..count-1 of a level in the order in which they fill blocks: by words of their own, int64 [n]."""
    return np.argsort(Philox(seed, ORDER_STREAM).words(0, count), kind="stable").astype(np.int64)


def start(block: Int64) -> Int64:
    """Paths before the first step, of blocks by their numbers in the level, int64 of any shape."""
    return extend(np.zeros_like(block), block)


def extend(path: Int64, choice: Int64) -> Int64:
    """Paths after one more choice, int64 of one shape, in 0..2**32 - 1."""
    extended: Int64 = (path + choice + 1) * MIX & 0xFFFFFFFF
    return extended


def turn(path: Int64) -> Int64:
    """How far rows are turned after a path, 0..BLOCK - 1."""
    turned: Int64 = path >> _TURN_SHIFT
    return turned


@lru_cache(maxsize=64)
def candidates(seed: int, step: int, count: int) -> NDArray[np.int32]:
    """The rows of all candidates of a step, int32 [count, BLOCK] in 2**-16, not turned; not to be changed."""
    rows = normal.from_words(Philox(seed, step).words(0, count * BLOCK)).reshape(count, BLOCK)
    rows.flags.writeable = False
    return rows


def rows(seed: int, step: Int64, candidate: Int64) -> NDArray[np.int32]:
    """Rows of some candidates [m] of some steps [m], int32 [m, BLOCK] in 2**-16, not turned."""
    key = (seed & 0xFFFFFFFF, seed >> 32)
    found = np.empty((len(step), BLOCK), np.int32)
    for begin in range(0, len(step), _AT_ONCE):
        part = slice(begin, begin + _AT_ONCE)
        index = candidate[part, None] * (BLOCK // 4) + np.arange(BLOCK // 4)
        counters = np.stack([index, np.zeros_like(index), np.broadcast_to(step[part, None], index.shape),
                             np.zeros_like(index)], -1)  # fmt: skip
        words = philox.block(key, counters.reshape(-1, 4))
        found[part] = normal.from_words(words.reshape(-1, BLOCK))
    return found
