"""Base-2 logarithms of integers, and weights back from them, in integer arithmetic only.

What a Monte Carlo codec derives from the probabilities of its particles (which of them is coded, whether they are
resampled) decides coded symbols, so that no libm logarithm may have a part in it; docs/reference/latents.md, section 3.
Logarithms are integers in units of 2**-16 bits.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from rdzip.entropy.ans import TOTAL
from rdzip.exact.types import Int64

LOG_BITS = 16
LOG_UNIT = 1 << LOG_BITS
MANTISSA_BITS = 12
WEIGHT_BITS = 30
"""The largest of a row of weights is about 2**30."""
WEIGHT_RANGE = 34 * LOG_UNIT


@cache
def _table() -> Int64:
    """log2(1 + i / 2**12) for i = 0..2**12 - 1, rounded down to 2**-16, by repeated squaring of 30-bit mantissas."""
    mantissa = ((1 << MANTISSA_BITS) + np.arange(1 << MANTISSA_BITS, dtype=np.int64)) << (30 - MANTISSA_BITS)
    digits = np.zeros_like(mantissa)
    for _ in range(LOG_BITS):
        mantissa = (mantissa * mantissa) >> 30
        carry = mantissa >> 31
        digits = 2 * digits + carry
        mantissa >>= carry
    return digits


def log2_fixed(values: NDArray[np.integer]) -> Int64:
    """Logarithms of integers in 1..2**24, in 2**-16 bits, rounded down from the 13 leading binary digits; any shape."""
    v = np.asarray(values, np.int64)
    exponent = np.frexp(v.astype(np.float64))[1].astype(np.int64) - 1  # exact below 2**53
    mantissa = np.where(exponent > MANTISSA_BITS, v >> np.maximum(exponent - MANTISSA_BITS, 0),
                        v << np.maximum(MANTISSA_BITS - exponent, 0))  # fmt: skip
    logarithm: Int64 = (exponent << LOG_BITS) + _table()[mantissa - (1 << MANTISSA_BITS)]
    return logarithm


def weights(logarithms: Int64) -> Int64:
    """Integers below 2**31 in proportion to 2**(l / 2**16), for rows of logarithms int64 [n, m]; a row's largest is
    2**30, and those that are 34 or more bits below it are 0."""
    below = np.minimum(logarithms.max(1, keepdims=True) - logarithms, WEIGHT_RANGE)
    whole = -(-below >> LOG_BITS)
    part = (whole << LOG_BITS) - below
    mantissa = (1 << MANTISSA_BITS) + np.searchsorted(_table(), part, side="right") - 1
    w: Int64 = (mantissa << (WEIGHT_BITS - MANTISSA_BITS)) >> whole
    return w


def to_frequencies(logarithms: Int64) -> NDArray[np.int32]:
    """Frequencies int32 [n, m], each >= 1 and rows that sum to 2**24, in proportion to 2**(l / 2**16), l int64 [n, m].

    Row by row: 1 + floor(w (2**24 - m) / sum w), the first of the largest takes the remainder. m <= 2**12.
    """
    w = weights(logarithms)
    f = 1 + w * (TOTAL - w.shape[1]) // w.sum(1, keepdims=True)
    f[np.arange(len(f)), w.argmax(1)] += TOTAL - f.sum(1)
    frequencies: NDArray[np.int32] = f.astype(np.int32)
    return frequencies


def effective_size(logarithms: Int64) -> Int64:
    """Effective number of particles (sum w)**2 / sum w**2 of rows of logarithms [n, m], rounded down to 1/256, [n].

    In units of 1/256, from weights of at most 2**16: integers throughout. m <= 2**12.
    """
    w = weights(logarithms) >> (WEIGHT_BITS - 16)
    whole, rest = np.divmod(w.sum(1) ** 2, (w * w).sum(1))
    size: Int64 = (whole << 8) + (rest << 8) // (w * w).sum(1)  # 256 times the square would not fit int64
    return size
