"""One binary decision about a coefficient: counters in contexts, logistic mixing, adaptive probability maps.

    counters in up to 31 contexts --> logarithms of odds --> 2 to 7 mixers --> final mixer --> 2 APMs --> P(bit = 1)

As in models/context_mixing/slow_mixer.py (after Mahoney 2005, "Adaptive weighing of context models for lossless data
compression", sections 3 and 4), but with weights of 32 bits and products that fit them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rdzip.entropy.binary import SQUASH_MAX, code_bit, count, rate_table, squash_table, stretch_table
from rdzip.exact.compiled import inlined
from rdzip.exact.types import Int32, Int64, UInt32

INPUTS = 32
"""Inputs of a mixer: contexts, zeros, and a constant one."""
MIXERS = 7
ROWS = 2816
"""Rows of weights of a mixer."""
FINALS = 1408
"""Rows of weights of the final mixer."""
APM_ROWS, APM_STEP, APM_STEPS = 17408, 128, 33
"""Rows of an APM, the logarithm of odds between two counters of a row, and how many it has."""
ODDS_MAX = 2047
"""Largest input of a mixer, in 1/256 nat."""
WEIGHT_MAX = (1 << 20) - 1
"""Largest weight of a mixer, in 2**-18; times ODDS_MAX it is below 2**31."""
ONE = 1 << 16
"""Weight 1 of the final mixer."""
FINAL_MAX = 1 << 20
FIRST_WEIGHT = 1038090
"""Sum of the weights that a mixer's contexts begin with, in 2**-18: 3.96."""
RATE = 10
"""Learning rate of the mixers, in 2**-16 of a weight's unit for an input of 1/256 nat and an error of 2**-16."""
FINAL_SHIFT = 18
CONTEXT_LIMIT, APM_LIMIT = 250, 250
"""Observations that counters count at most."""
LEAST_PROBABILITY = 4
FINAL, FIRST_APM, SECOND_APM = 7, 8, 9
"""Places of rows: those of the mixers come first, then these."""


class Mixer(NamedTuple):
    """All that is learnt of decisions but the counters in contexts; arrays are flat.

    - inputs: int32 [INPUTS], of a mixer
    - weights: int32 [MIXERS, ROWS, INPUTS], in 2**-18
    - final_weights: int32 [FINALS, MIXERS], in 2**-16
    - apm: uint32 [2, APM_ROWS, APM_STEPS]
    - places: int64 [INPUTS], of the counters of a decision
    - rows: int64 [10], rows of weights of its mixers and of the final one, and rows of the APMs
    - outputs: int64 [MIXERS], logarithms of odds
    - stretch, squash, rates: tables
    """

    inputs: Int32
    weights: Int32
    final_weights: Int32
    apm: UInt32
    places: Int64
    rows: Int64
    outputs: Int64
    stretch: Int32
    squash: Int32
    rates: Int32

    @classmethod
    def of(cls, mixers: int, contexts: int) -> Mixer:
        """One that has seen nothing, for so many mixers and contexts."""
        squash = squash_table()
        apm = np.empty((2 * APM_ROWS, APM_STEPS), np.uint32)
        odds = (np.arange(APM_STEPS) - APM_STEPS // 2) * APM_STEP
        apm[:] = squash[odds + SQUASH_MAX].astype(np.uint32) << np.uint32(16)
        return cls(
            np.zeros(INPUTS, np.int32),
            np.full(MIXERS * ROWS * INPUTS, FIRST_WEIGHT // contexts, np.int32),
            np.full(FINALS * MIXERS, ONE // mixers, np.int32),
            apm.reshape(-1),
            np.zeros(INPUTS, np.int64),
            np.zeros(10, np.int64),
            np.zeros(MIXERS, np.int64),
            np.clip(stretch_table(), -ODDS_MAX, ODDS_MAX).astype(np.int32),
            squash,
            rate_table(),
        )

    def without_apm(self) -> Mixer:
        """The same mixer with APMs that have seen nothing."""
        odds = (np.arange(APM_STEPS) - APM_STEPS // 2) * APM_STEP
        self.apm.reshape(-1, APM_STEPS)[:] = self.squash[odds + SQUASH_MAX].astype(np.uint32) << np.uint32(16)
        return self


@inlined
def _dot(x: Int32, w: Int32, at: int) -> int:
    """Sum of products in 1/256 nat, in integers of 32 bits that never overflow."""
    s = np.int32(0)
    for i in range(INPUTS):
        s = np.int32(s + (np.int32(x[i] * w[np.uintp(at + i)]) >> np.int32(6)))
    z: int = int(np.int64(s) >> 12)
    return z


@inlined
def _train(w: Int32, at: int, x: Int32, error: int) -> None:
    e = np.int32(error)
    for i in range(INPUTS):
        k = np.uintp(at + i)
        v = np.int32(w[k] + (np.int32(np.int32(x[i] * e) + np.int32(32768)) >> np.int32(16)))
        w[k] = min(max(v, np.int32(-WEIGHT_MAX)), np.int32(WEIGHT_MAX))


@inlined
def code_decision(
    m: Mixer,
    counters: UInt32,
    contexts: int,
    mixers: int,
    refined: int,
    coder: Int64,
    data: NDArray[np.uint8],
    decoding: int,
    bit: int,
) -> int:
    """Code a decision and learn from it; returns what came.

    - m: the mixer, with the places of the counters and the rows of this decision
    - counters: those in contexts
    - contexts, mixers: how many of each there are
    - refined: whether APMs refine what is mixed
    - coder, data, decoding: state of the arithmetic coder, what it reads or writes, and which
    - bit: the decision; of no meaning when decoding
    """
    inputs, places, rows, outputs = m.inputs, m.places, m.rows, m.outputs
    stretch, squash, rates = m.stretch, m.squash, m.rates
    for i in range(contexts):
        t = np.int64(counters[np.uintp(places[i])])
        # no branch on what was seen, which cannot be guessed ahead
        inputs[i] = (((t & 1023) + 1023) >> 10) * np.int64(stretch[np.uintp(t >> 20)])
    for i in range(contexts, INPUTS - 1):
        inputs[i] = 0
    inputs[INPUTS - 1] = 256
    total = 0
    final = rows[FINAL] * MIXERS
    for s in range(mixers):
        z = min(max(_dot(inputs, m.weights, (s * ROWS + rows[s]) * INPUTS), -ODDS_MAX), ODDS_MAX)
        outputs[s] = z
        total += z * int(np.int64(m.final_weights[np.uintp(final + s)]))
    z = min(max(total >> 16, -SQUASH_MAX), SQUASH_MAX)
    mixed = int(np.int64(squash[np.uintp(z + SQUASH_MAX)]))

    p = mixed
    first = second = 0
    apm = m.apm
    if refined:
        z = min(max(z + APM_STEPS // 2 * APM_STEP, 0), (APM_STEPS - 1) * APM_STEP - 1)
        part = z & (APM_STEP - 1)
        first = rows[FIRST_APM] * APM_STEPS + z // APM_STEP
        second = (APM_ROWS + rows[SECOND_APM]) * APM_STEPS + z // APM_STEP
        left = int((np.int64(apm[np.uintp(first)]) >> 16) + (np.int64(apm[np.uintp(second)]) >> 16))
        right = int((np.int64(apm[np.uintp(first + 1)]) >> 16) + (np.int64(apm[np.uintp(second + 1)]) >> 16))
        p = (2 * mixed + (left * (APM_STEP - part) + right * part) // APM_STEP) >> 2
    p = min(max(p, LEAST_PROBABILITY), 65536 - LEAST_PROBABILITY)

    bit = code_bit(coder, data, decoding, bit, p)

    error = (bit << 16) - mixed
    for s in range(mixers):
        k = np.uintp(final + s)
        v = np.int64(m.final_weights[k]) + ((outputs[s] * error + (1 << (FINAL_SHIFT - 1))) >> FINAL_SHIFT)
        m.final_weights[k] = min(max(v, -FINAL_MAX), FINAL_MAX)
        own = (bit << 16) - int(np.int64(squash[np.uintp(outputs[s] + SQUASH_MAX)]))
        _train(m.weights, (s * ROWS + rows[s]) * INPUTS, inputs, own * RATE)
    if refined:
        for at in (first, first + 1, second, second + 1):
            count(apm, at, bit, rates, 0, APM_LIMIT)
    for i in range(contexts):
        count(counters, places[i], bit, rates, 0, CONTEXT_LIMIT)
    return bit
