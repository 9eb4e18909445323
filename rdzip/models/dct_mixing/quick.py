"""One binary decision about a coefficient in layout 1: counters in up to 4 contexts, one mixer, nothing more.

    counters in up to 4 contexts --> logarithms of odds --> mixer --> P(bit = 1)

As decisions.py otherwise; the inputs of a mixer are one vector of a processor.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rdzip.entropy.binary import HALF, SQUASH_MAX, code_bit, count, rate_table, squash_table, stretch_table
from rdzip.exact.compiled import inlined
from rdzip.exact.types import Int32, Int64, UInt32
from rdzip.models.dct_mixing.decisions import CONTEXT_LIMIT, LEAST_PROBABILITY, ODDS_MAX, WEIGHT_MAX

LANES = 8
"""Inputs of a mixer: contexts, zeros, and a constant one."""
RATE = 12
"""Learning rate of the mixer, in 2**-16 of a weight's unit for an input of 1/256 nat and an error of 2**-16."""
FIRST_WEIGHT = 1 << 16
"""Weight that each input begins with, in 2**-18."""


class QuickMixer(NamedTuple):
    """What is learnt of decisions; arrays are flat.

    - counters: uint32, in contexts
    - weights: int32 [rows, LANES], in 2**-18
    - inputs: int32 [LANES], of the mixer
    - places: int64 [LANES], of the counters of node 0 of a decision
    - stretch, squash, rates: tables
    """

    counters: UInt32
    weights: Int32
    inputs: Int32
    places: Int64
    stretch: Int32
    squash: Int32
    rates: Int32

    @classmethod
    def of(cls, counters: int, rows: int) -> QuickMixer:
        """One that has seen nothing, of so many counters and rows of weights."""
        inputs = np.zeros(LANES, np.int32)
        inputs[-1] = 256
        return cls(
            np.full(counters, HALF, np.uint32),
            np.full(rows * LANES, FIRST_WEIGHT, np.int32),
            inputs,
            np.zeros(LANES, np.int64),
            np.clip(stretch_table(), -ODDS_MAX, ODDS_MAX).astype(np.int32),
            squash_table(),
            rate_table(),
        )


@inlined
def quick_decision(
    m: QuickMixer,
    contexts: int,
    node: int,
    row: int,
    coder: Int64,
    data: NDArray[np.uint8],
    decoding: int,
    bit: int,
) -> int:
    """Code a decision and learn from it; returns what came.

    - m: the mixer, with the places of the counters of node 0; inputs from ``contexts`` on are 0 but for the last one
    - contexts: how many
    - node, row: of the counters, and of the weights
    - coder, data, decoding: state of the arithmetic coder, what it reads or writes, and which
    - bit: the decision; of no meaning when decoding
    """
    inputs, places, weights, counters = m.inputs, m.places, m.weights, m.counters
    for i in range(contexts):
        t = np.int64(counters[np.uintp(places[i] + node)])
        # no branch on what was seen, which cannot be guessed ahead
        inputs[i] = (((t & 1023) + 1023) >> 10) * np.int64(m.stretch[np.uintp(t >> 20)])
    at = np.uintp(row * LANES)
    s = np.int32(0)
    for i in range(LANES):
        s = np.int32(s + (np.int32(inputs[i] * weights[at + np.uintp(i)]) >> np.int32(6)))
    z: int = min(max(int(np.int64(s) >> 12), -ODDS_MAX), ODDS_MAX)
    p = int(np.int64(m.squash[np.uintp(z + SQUASH_MAX)]))
    bit = code_bit(coder, data, decoding, bit, min(max(p, LEAST_PROBABILITY), 65536 - LEAST_PROBABILITY))
    e = np.int32(((bit << 16) - p) * RATE)
    for i in range(LANES):
        k = at + np.uintp(i)
        v = np.int32(weights[k] + (np.int32(np.int32(inputs[i] * e) + np.int32(32768)) >> np.int32(16)))
        weights[k] = min(max(v, np.int32(-WEIGHT_MAX)), np.int32(WEIGHT_MAX))
    for i in range(contexts):
        count(counters, places[i] + node, bit, m.rates, 0, CONTEXT_LIMIT)
    return bit
