"""Auxiliary variables, the decoder's side: from choices to values, in integers (docs/reference/irec.md).

A latent is a sum of normal variables; each is chosen among candidates of shared randomness (Flamich, Havasi and
Hernandez-Lobato 2020, section 3).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rdzip.exact.types import Int64
from rdzip.rec import shared
from rdzip.rec.schedule import WEIGHT_BITS, weights
from rdzip.rec.shared import BLOCK

_AT_ONCE = 1 << 12
"""Choices whose rows are drawn together: many blocks have the same in a step."""
_CHOICE_BITS = 10
Choices = NDArray[np.integer]


def values(seed: int, blocks: Sequence[int], bends: Sequence[int], choices: Sequence[Choices]) -> Int64:
    """The normal values, in 2**-16, that the choices [steps] of blocks stand for: int64 [blocks, BLOCK].

    blocks: their numbers in their levels. Without steps all are 0, the median.
    """
    order = sorted(range(len(choices)), key=lambda n: -len(choices[n]))
    steps = np.array([len(choices[n]) for n in order], np.int64)
    weight = [weights(len(choices[n]), bends[n]) for n in order if len(choices[n])]
    total = np.zeros((len(order), BLOCK), np.int64)
    path = shared.start(np.array([blocks[n] for n in order], np.int64))
    step, live = 0, int((steps > 0).sum())
    while live:
        after = step + max(1, _AT_ONCE // live)
        parts = [np.asarray(choices[n][step:after], np.int64) for n in order[:live]]
        pairs = [np.arange(step, step + len(part)) << _CHOICE_BITS | part for part in parts]
        found, number = np.unique(np.concatenate(pairs), return_inverse=True)
        rows = shared.rows(seed, found >> _CHOICE_BITS, found & (1 << _CHOICE_BITS) - 1)
        turned = np.lib.stride_tricks.sliding_window_view(np.concatenate([rows, rows], 1), BLOCK, 1)
        first = np.cumsum([0, *map(len, parts)])[:-1]  # of each block's choices
        for k in range(len(parts[0])):
            some = int((steps[:live] > step + k).sum())
            chosen = np.array([part[k] for part in parts[:some]], np.int64)
            scale = np.array([w[step + k] for w in weight[:some]], np.int64)
            total[:some] += scale[:, None] * turned[number.reshape(-1)[first[:some] + k], shared.turn(path[:some])]
            path[:some] = shared.extend(path[:some], chosen)
        step = after
        live = int((steps > step).sum())
    result = np.empty_like(total)
    result[order] = total + (1 << WEIGHT_BITS - 1) >> WEIGHT_BITS
    return result
