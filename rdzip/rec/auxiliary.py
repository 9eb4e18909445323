"""From choices to values: the decoder's side of the search for auxiliary variables, in integers (docs/irec.md)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rdzip.rec import shared
from rdzip.rec.schedule import WEIGHT_BITS, weights
from rdzip.rec.shared import BLOCK, Int64


def values(seed: int, block: int, bend: int, choices: NDArray[np.integer]) -> Int64:
    """The normal values, in 2**-16, that the choices [steps] of a block stand for: int64 [BLOCK].

    block: its number in the level. Without steps all are 0, the median.
    """
    steps = len(choices)
    if not steps:
        return np.zeros(BLOCK, np.int64)
    found = shared.rows(seed, np.arange(steps), choices.astype(np.int64))
    path = shared.start(np.array([block], np.int64))
    total = np.zeros(BLOCK, np.int64)
    for row, choice, weight in zip(found, choices, weights(steps, bend), strict=True):
        total += int(weight) * np.roll(row.astype(np.int64), -int(shared.turn(path)[0]))
        path = shared.extend(path, np.array([choice], np.int64))
    return total + (1 << WEIGHT_BITS - 1) >> WEIGHT_BITS
