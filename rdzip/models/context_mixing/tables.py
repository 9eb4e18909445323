"""Tables, bounds and hashes that the slow and the fast mixer and their features share."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rdzip.exact.compiled import compiled

Int32 = NDArray[np.int32]

LEAST_PROBABILITY = 4
"""Of 2**16, that each outcome of a decision keeps."""
OBSERVATIONS = 4096
"""Where levels of numbers of observations begin, in the table of levels."""
DISTANCES = 96
"""Classes of how far a threshold is from a prediction."""


def level_table(stretch: Int32) -> Int32:
    """One of 64 levels of each entry of a stretch table, int32 [SEEN]; then 64 times one of 16 for each number n of
    observations, int32 [1024]: n below 8, then one for each 8 of them.
    """
    levels = ((stretch + 2304) // 72).clip(0, 63)
    n = np.arange(1024)
    seen = np.where(n < 8, n, np.minimum(15, 8 + ((n - 8) >> 3)))
    return np.concatenate([levels, 64 * seen]).astype(np.int32)


@lru_cache(maxsize=1)
def distance_table() -> Int32:
    """Class of how far a threshold is above a mean, int32 [8192]: entry d + 4096 for d in 1/16.

    From d = 0 on DISTANCES / 2 + 6 log2((d + 4) / 4), rounded down, at most DISTANCES - 1; below 0 mirrored.
    """
    above = [min(DISTANCES // 2 - 1, ((d + 4) ** 6).bit_length() - 13) for d in range(4096)]
    return np.array([DISTANCES // 2 - 1 - q for q in above[::-1]] + [DISTANCES // 2 + q for q in above], np.int32)


@lru_cache(maxsize=1)
def scale_index_table() -> Int32:
    """Index 0..15 of a sum of errors e, int32 [32768]: 2 log2((e + 12) / 12), rounded down."""
    return np.array([min(15, ((e + 12) ** 2 // 144).bit_length() - 1) for e in range(1 << 15)], np.int32)


@compiled
def clipped(v: int) -> int:
    """v within 0..255."""
    return min(max(v, 0), 255)
