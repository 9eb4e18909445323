"""Frequencies of choices: candidates are numbered as they come, and small numbers may be made cheaper.

A power law, frequency ~ (j + 1)**-(exponent / 16), in integers. An encoder that weighs what a choice costs picks small
numbers more often (as in ordered random coding, Theis & Yosri 2022), and fits the exponent to what it has picked.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rdzip.entropy.ans import TOTAL
from rdzip.entropy.logarithm import log2_fixed, to_frequencies

EXPONENTS = 33
"""0..32 sixteenths."""
MAX_CANDIDATES = 1 << 10
_NATS = 94548
"""2**16 log2(e), rounded down."""


@lru_cache(maxsize=64)
def frequencies(count: int, exponent: int) -> NDArray[np.int32]:
    """Frequencies int32 [count] that sum to 2**24, count within 2..MAX_CANDIDATES."""
    logarithms = -(log2_fixed(np.arange(1, count + 1)) * exponent >> 4)
    found: NDArray[np.int32] = to_frequencies(logarithms[None])[0]
    return found


def fitted(choices: NDArray[np.integer], count: int) -> int:
    """The exponent at which choices cost least."""
    if not len(choices):
        return 0
    times = np.bincount(choices, minlength=count)
    costs = [-(times * np.log2(frequencies(count, e) / TOTAL)).sum() for e in range(EXPONENTS)]
    return int(np.argmin(costs))


def candidates(omega: int, epsilon: int) -> int:
    """How many candidates a step has: the largest N <= 1024 with ln N <= omega (1 + epsilon), at least 2.

    omega in 1/100 nats, epsilon in 1/100. By integer logarithms, so that every machine finds the same.
    """
    limit = omega * (100 + epsilon) * _NATS // 10000
    return max(2, int(np.searchsorted(log2_fixed(np.arange(1, MAX_CANDIDATES + 1)), limit, side="right")))
