"""Compiled functions of one logistic mixture, as networks of pixels hand it to coders: PARTS integers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rdzip.exact.compiled import compiled

COMPONENTS = 3
PARTS = 3 * COMPONENTS
"""Numbers of a mixture: means in 1/64, inverse scales, weights of 2**12."""


@compiled
def mixture_mean(mixture: NDArray[np.int32]) -> int:
    """Mean of a mixture in 1/16 of a sample value, 0..4080."""
    s = 0
    for k in range(PARTS // 3):
        s += np.int64(mixture[k]) * np.int64(mixture[2 * (PARTS // 3) + k])
    return min(max((s + (1 << 13)) >> 14, 0), 4080)


@compiled
def cumulative(mixture: NDArray[np.int32], sigmoid: NDArray[np.int32], v: int) -> int:
    """Share of 2**24 that a mixture gives to the values below v, 1..255."""
    s = 0
    for k in range(3):
        i = (((v * 64 - 32 - np.int64(mixture[k])) * np.int64(mixture[3 + k])) >> 8) + 8192
        s += np.int64(mixture[6 + k]) * np.int64(sigmoid[min(max(i, 0), 16383)])
    return (s >> 4) + 16 * v
