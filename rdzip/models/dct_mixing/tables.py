"""Tables and quantisers that the models of DCT coefficients share."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from rdzip.exact.compiled import compiled
from rdzip.exact.types import Int32, Int64
from rdzip.models.dct_mixing.zigzag import ZIGZAG

HALF_STEP = (2896, 4323, 4893, 5508, 5793, 5422, 4243, 2336)
ONE_STEP = (2896, 4629, 6001, 7610, 8689, 8569, 6919, 3874)
"""Cosines of frequencies 0 to 7 of the orthonormal DCT, continued in a line over the edge of a block by half a step, to
the edge itself, and by one step: p0 - (p1 - p0) / 2 and p0 - (p1 - p0) of their first two samples, in 2**-13."""
LOG_SIZE = 4096


@lru_cache(maxsize=1)
def zigzag_table() -> Int64:
    """Natural places in zigzag order, int64 [64]."""
    return np.array(ZIGZAG, np.int64)


@lru_cache(maxsize=1)
def edge_table() -> Int64:
    """HALF_STEP and ONE_STEP, int64 [16]."""
    return np.array(HALF_STEP + ONE_STEP, np.int64)


@lru_cache(maxsize=1)
def logarithm_table() -> Int32:
    """Logarithmic classes of v = 0..LOG_SIZE - 1 with 1, 2 and 4 classes an octave, int32 [3 * LOG_SIZE].

    With 2**j classes an octave v itself below 2**j, else 2**j (b - j) + (v >> (b - j)), b = floor(log2 v).
    """
    found = []
    for j in range(3):
        for v in range(LOG_SIZE):
            shift = max(0, v.bit_length() - 1 - j)
            found.append((shift << j) + (v >> shift))
    return np.array(found, np.int32)


@compiled
def log_class(table: Int32, v: int, j: int, most: int) -> int:
    """Logarithmic class of v, 0 <= v < 2**36, with 2**j classes an octave, at most ``most``; table: logarithm_table."""
    more = 0
    while v >= LOG_SIZE:
        v >>= 8
        more += 8 << j
    found: int = int(np.int64(table[np.uintp(j * LOG_SIZE + v)])) + more
    return min(found, most)


@compiled
def signed_class(table: Int32, v: int) -> int:
    """Class 0..62 of |v| < 2**36 with two classes an octave and its sign; 31 is that of 0."""
    return 31 + log_class(table, v, 1, 31) if v >= 0 else 31 - log_class(table, -v, 1, 31)


@compiled
def rounded_down(v: float, factor: float) -> int:
    """v * factor as an integer, towards 0; 0 for what is no number, or 2**20 and more."""
    product = v * factor
    return int(product) if abs(product) < 1048576.0 else 0
