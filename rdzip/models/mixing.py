"""Mixing of many predictions of one bit in the logistic domain, trained as it goes.

After Mahoney 2005 ("Adaptive weighing of context models for lossless data compression", sections 3 and 4) and 2013
("Data compression explained", section 4.3): counters in hashed contexts, counters of how samples lie beside each linear
prediction, and the network's mixture give logarithms of odds; several linear mixers, each chosen by a small context,
add them up; a last mixer adds their outputs; two stages correct the result by what came of like ones.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rdzip.entropy.binary import HALF, SQUASH_MAX, code_bit, counted, rate_table, squash_table, stretch_table
from rdzip.exact.compiled import compiled
from rdzip.models.adaptive import ACTIVITY, BLEND, CONTEXTS, PARITY, PREDICTORS, View, hashed

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]
Counters = NDArray[np.uint32]

ONE = 1 << 20
"""Weight 1 of a mixer."""
WEIGHT_MAX = 1 << 27
CONTEXT_WEIGHT, PREDICTOR_WEIGHT, NETWORK_WEIGHT = 8000, 8000, 700000
"""Weights that mixers begin with."""
RATE, LAST_RATE = 6, 1
"""Learning rates of the mixers and of the last one, in 2**-14."""
CONTEXT_LIMIT, CALIBRATION_LIMIT, BESIDE_LIMIT, CORRECTION_LIMIT = 40, 127, 250, 60
"""Observations that the counters count at most, which bounds how slow they become."""
LEAST_PROBABILITY = 4

SETS = 7
SELECTORS = 512
"""Rows of weights of a mixer for each channel."""
NETWORK_INPUT = 2 * CONTEXTS + PREDICTORS
INPUTS = -(-(NETWORK_INPUT + 3) // 8) * 8
CERTAIN = 1200
"""Logarithm of odds from which on a context counts as certain."""
DISTANCES = 96
CORRECTION_STEP = 160
CORRECTIONS = 33


class Mixer(NamedTuple):
    """All that is learnt of bits. inputs int32 [INPUTS]; weights int32 [3 channels, SETS, SELECTORS, INPUTS]; lasts
    int32 [3, 256, SETS]; slots uint32 [buckets, 16], checks uint16 [buckets]: counters in hashed contexts; calibration
    uint32 [CONTEXTS, 3, 16, 64]; beside uint32 [PREDICTORS, 3, 8, 16, DISTANCES]; correction uint32 [2, 3, 256, 64,
    CORRECTIONS], all flat; tables; scratch; coded int64 [2**16]: how often each probability was that of what came.
    """

    inputs: Int32
    weights: Int32
    lasts: Int32
    slots: Counters
    checks: NDArray[np.uint16]
    calibration: Counters
    beside: Counters
    correction: Counters
    stretch: Int32
    squash: Int32
    rates: Int32
    distance: Int32
    sigmoid: Int32
    scratch: Int64
    coded: Int64

    @classmethod
    def of(cls, bits: int, sigmoid: Int32) -> Mixer:
        """A mixer that has seen nothing, with 2**bits buckets and the sigmoid table of a network's mixture."""
        squash = squash_table()
        calibration = np.empty((CONTEXTS * 3 * 16, 64), np.uint32)
        calibration[:] = _begin(squash, (np.arange(64) - 32) * 72 + 36)
        correction = np.empty((2 * 3 * 256 * 64, CORRECTIONS), np.uint32)
        correction[:] = _begin(squash, (np.arange(CORRECTIONS) - CORRECTIONS // 2) * CORRECTION_STEP)
        weights = np.zeros((3 * SETS * SELECTORS, INPUTS), np.int32)
        weights[:, : 2 * CONTEXTS : 2] = CONTEXT_WEIGHT
        weights[:, 2 * CONTEXTS : NETWORK_INPUT] = PREDICTOR_WEIGHT
        weights[:, NETWORK_INPUT] = NETWORK_WEIGHT
        return cls(
            np.zeros(INPUTS, np.int32),
            weights.reshape(-1),
            np.full(3 * 256 * SETS, ONE // SETS, np.int32),
            np.full(16 << bits, HALF, np.uint32),
            np.zeros(1 << bits, np.uint16),
            calibration.reshape(-1),
            np.full(PREDICTORS * 3 * 8 * 16 * DISTANCES, HALF, np.uint32),
            correction.reshape(-1),
            stretch_table(),
            squash,
            rate_table(),
            distance_table(),
            sigmoid,
            np.zeros(160, np.int64),
            np.zeros(1 << 16, np.int64),
        )


def _begin(squash: Int32, s: NDArray[np.int64]) -> Counters:
    """Counters of the probabilities with these logarithms of odds in 1/256, as if nothing had been seen."""
    counters: Counters = squash[s + SQUASH_MAX].astype(np.uint32) << np.uint32(16)
    return counters


def distance_table() -> Int32:
    """Index 0..47 of a distance d in 1/16, int32 [4096]: 6 log2((d + 4) / 4), rounded down."""
    return np.array([min(DISTANCES // 2 - 1, ((d + 4) ** 6).bit_length() - 13) for d in range(4096)], np.int32)


@compiled
def _dot(x: Int32, w: Int32) -> int:
    s = 0
    for i in range(len(x)):
        s += np.int64(x[i]) * np.int64(w[i])
    return s


@compiled
def _train(w: Int32, x: Int32, error: int) -> None:
    for i in range(len(x)):
        v = np.int64(w[i]) + ((np.int64(x[i]) * error + 8192) >> 14)
        w[i] = min(max(v, -WEIGHT_MAX), WEIGHT_MAX)


@compiled
def _odds(stretch: Int32, counter: int) -> int:
    """Logarithm of the odds of a counter in 1/256."""
    odds: int = np.int64(stretch[counter >> 20])
    return odds


@compiled
def _level_of(odds: int) -> int:
    """One of 64 levels of a logarithm of odds."""
    return min(max((odds + 2304) // 72, 0), 63)


@compiled
def network_probability(mixture: Int32, sigmoid: Int32, low: int, middle: int, high: int) -> int:
    """Probability of 2**16 that a sample of low..high - 1 is not below the middle, by a mixture."""
    at_low = 0
    at_middle = 0
    at_high = 0
    for k in range(3):
        mean = np.int64(mixture[k])
        inverse = np.int64(mixture[3 + k])
        weight = np.int64(mixture[6 + k])
        i = (((low * 64 - 32 - mean) * inverse) >> 8) + 8192
        j = (((middle * 64 - 32 - mean) * inverse) >> 8) + 8192
        h = (((high * 64 - 32 - mean) * inverse) >> 8) + 8192
        at_low += weight * np.int64(sigmoid[min(max(i, 0), 16383)])
        at_middle += weight * np.int64(sigmoid[min(max(j, 0), 16383)])
        at_high += weight * np.int64(sigmoid[min(max(h, 0), 16383)])
    at_low = (at_low >> 4) + 16 * low if low > 0 else 0
    at_middle = (at_middle >> 4) + 16 * middle
    at_high = (at_high >> 4) + 16 * high if high < 256 else 1 << 24
    p = ((at_high - at_middle) << 16) // (at_high - at_low)
    return min(max(p, 1), 65535)


@compiled
def _find_buckets(m: Mixer, hashes: Int64, node: int, base: Int64) -> None:
    """Find the bucket of each context for the next four bits; one that another context had is emptied."""
    for i in range(CONTEXTS):
        h = hashed(hashes[i], node)
        bucket = h & (len(m.checks) - 1)
        check = hashed(h, 77) >> 16
        if np.int64(m.checks[bucket]) != check:
            m.checks[bucket] = check
            m.slots[16 * bucket : 16 * bucket + 16] = HALF
        base[i] = 16 * bucket


@compiled
def _ask_contexts(m: Mixer, c: int, nibble: int, base: Int64, calibrated: Int64) -> int:
    """Fill the inputs of contexts, two each; returns how many are certain."""
    certain = 0
    for i in range(CONTEXTS):
        t = np.int64(m.slots[base[i] + nibble])
        n = t & 1023
        odds = _odds(m.stretch, t)
        seen = n if n < 8 else min(15, 8 + ((n - 8) >> 3))
        j = ((i * 3 + c) * 16 + seen) * 64 + _level_of(odds)
        calibrated[i] = j
        if n == 0:
            m.inputs[2 * i] = 0
            m.inputs[2 * i + 1] = 0
        else:
            m.inputs[2 * i] = _odds(m.stretch, np.int64(m.calibration[j]))
            m.inputs[2 * i + 1] = ((t >> 16) - 32768) >> 5
            if n > 2 and abs(odds) > CERTAIN:
                certain += 1
    return certain


@compiled
def _ask_predictors(m: Mixer, view: View, c: int, level: int, middle: int, beside: Int64, side: Int64) -> None:
    """Fill the inputs of predictors: how often the sample was not below the middle at this distance from each."""
    for j in range(PREDICTORS):
        d = middle * 16 - 8 - view.means[j]
        if d >= 0:
            q = DISTANCES // 2 + np.int64(m.distance[min(d, 4095)])
        else:
            q = DISTANCES // 2 - 1 - np.int64(m.distance[min(-d - 1, 4095)])
        side[j] = q
        at = (((j * 3 + c) * 8 + level) * 16 + view.scales[j]) * DISTANCES + q
        beside[j] = at
        m.inputs[2 * CONTEXTS + j] = _odds(m.stretch, np.int64(m.beside[at]))


@compiled
def _corrected(m: Mixer, at: int, part: int) -> int:
    """Probability of 2**16 between two counters of a correction, CORRECTION_STEP times that."""
    left: int = np.int64(m.correction[at]) >> 16
    right: int = np.int64(m.correction[at + 1]) >> 16
    return left * (CORRECTION_STEP - part) + right * part


@compiled
def code_sample(
    m: Mixer,
    view: View,
    mixture: Int32,
    coder: Int64,
    data: NDArray[np.uint8],
    decoding: int,
    c: int,
    value: int,
) -> int:
    """Code a sample of channel c bit by bit from the highest, learn from it, and return it.

    mixture: the network's, int32 [9], or empty. value: the sample; of no meaning when decoding.
    """
    base = m.scratch[0:32]
    calibrated = m.scratch[32:64]
    beside = m.scratch[64:80]
    side = m.scratch[80:96]
    row = m.scratch[96:104]
    output = m.scratch[104:112]
    inputs = m.inputs
    trusted = view.scales[BLEND]
    blend = (view.means[BLEND] + 8) >> 4
    node = 1
    for level in range(8):
        if level % 4 == 0:
            _find_buckets(m, view.hashes, node, base)
        nibble = node if level < 4 else (1 << (level - 4)) | (node & ((1 << (level - 4)) - 1))
        half = 128 >> level
        low = (node << (8 - level)) & 255
        middle = low + half
        certain = _ask_contexts(m, c, nibble, base, calibrated)
        _ask_predictors(m, view, c, level, middle, beside, side)
        reference = np.int64(inputs[2 * CONTEXTS + BLEND])
        if len(mixture) > 0:
            p = network_probability(mixture, m.sigmoid, low, middle, middle + half)
            reference = np.int64(m.stretch[p >> 4])
            inputs[NETWORK_INPUT] = reference
            inputs[NETWORK_INPUT + 1] = (p - 32768) >> 5
        inputs[NETWORK_INPUT + 2] = 256

        row[0] = node
        row[1] = (level * 16 + view.features[ACTIVITY]) * 4 + view.features[PARITY]
        row[2] = level * 64 + side[BLEND] * 2 // 3
        row[3] = level * 64 + side[0] * 2 // 3
        row[4] = level * 32 + certain
        row[5] = level * 64 + _level_of(reference)
        row[6] = level * 32 + trusted * 2 + (1 if view.scales[0] < view.scales[1] else 0)
        last = (c * 256 + node) * SETS
        total = 0
        for s in range(SETS):
            row[s] = ((c * SETS + s) * SELECTORS + row[s]) * INPUTS
            z = _dot(inputs, m.weights[row[s] : row[s] + INPUTS]) >> 20
            output[s] = min(max(z, -SQUASH_MAX), SQUASH_MAX)
            total += output[s] * np.int64(m.lasts[last + s])
        z = min(max(total >> 20, -SQUASH_MAX), SQUASH_MAX)
        mixed = np.int64(m.squash[z + SQUASH_MAX])

        z = min(max(z + CORRECTIONS // 2 * CORRECTION_STEP, 0), (CORRECTIONS - 1) * CORRECTION_STEP - 1)
        part = z % CORRECTION_STEP
        z = z // CORRECTION_STEP
        first = ((c * 256 + node) * 64 + trusted * 4 + view.scales[0] // 4) * CORRECTIONS + z
        second = ((3 + c) * 256 + node) * 64 + min(max((blend - middle) // 4 + 32, 0), 63)
        second = second * CORRECTIONS + z
        p = (2 * mixed + (_corrected(m, first, part) + _corrected(m, second, part)) // CORRECTION_STEP) >> 2
        p = min(max(p, LEAST_PROBABILITY), 65536 - LEAST_PROBABILITY)

        bit = code_bit(coder, data, decoding, (value >> (7 - level)) & 1, p)
        m.coded[p if bit else 65536 - p] += 1

        error = ((bit << 16) - mixed) * LAST_RATE
        for s in range(SETS):
            v = np.int64(m.lasts[last + s]) + ((output[s] * error + 8192) >> 14)
            m.lasts[last + s] = min(max(v, -WEIGHT_MAX), WEIGHT_MAX)
            own = (bit << 16) - np.int64(m.squash[output[s] + SQUASH_MAX])
            _train(m.weights[row[s] : row[s] + INPUTS], inputs, own * RATE)
        for at in (first, first + 1, second, second + 1):
            m.correction[at] = counted(np.int64(m.correction[at]), bit, m.rates, CORRECTION_LIMIT)
        for j in range(PREDICTORS):
            at = beside[j]
            m.beside[at] = counted(np.int64(m.beside[at]), bit, m.rates, BESIDE_LIMIT)
        for i in range(CONTEXTS):
            at = base[i] + nibble
            m.slots[at] = counted(np.int64(m.slots[at]), bit, m.rates, CONTEXT_LIMIT)
            at = calibrated[i]
            m.calibration[at] = counted(np.int64(m.calibration[at]), bit, m.rates, CALIBRATION_LIMIT)
        node = 2 * node + bit
    return node - 256
