"""Shares of the variance of a normal variable that each auxiliary variable has, as integer weights.

A variable is z = a_1 + ... + a_K (Flamich, Havasi & Hernandez-Lobato 2020, section 3.2). Early steps tell less of a
narrow posterior than late ones, so the shares fall: after k of K steps the sum has the variance
    t_k = k (4 + c) / (4 K + c k),    c = BENDS[bend]
of 1 in all. The encoder fits the bend so that each step tells about as much; the paper fits every share, or takes a
power law.
"""

from __future__ import annotations

from itertools import pairwise
from math import isqrt

import numpy as np
from numpy.typing import NDArray

BENDS = (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192)
"""c in quarters."""
WEIGHT_BITS = 20
MAX_STEPS = 1 << 16


def weights(steps: int, bend: int) -> NDArray[np.int64]:
    """What the values of each step are multiplied by, int64 [steps] in 2**-20; their squares sum to about 2**40."""
    c = BENDS[bend]
    total = [(k * (4 + c) << 2 * WEIGHT_BITS) // (4 * steps + c * k) for k in range(steps + 1)]
    return np.array([isqrt(b - a) for a, b in pairwise(total)], np.int64)
