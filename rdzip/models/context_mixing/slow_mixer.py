"""The slow mixer: logistic mixing of many predictions of one bit, trained online (context mixing).

After Mahoney 2005 ("Adaptive weighing of context models for lossless data compression", sections 3 and 4) and 2013
("Data compression explained", section 4.3), where adaptive probability maps (APM, or secondary symbol estimation, SSE)
refine a probability by what came of like ones:

    28 hashed contexts --> counters --> an APM each -----+
    13 predictions ------> distance counters ------------+--> 7 mixers --> final mixer --> 2 final APMs --> P(bit = 1)
    network's mixture ---> odds of the decision ---------+

A distance counter tells how often samples lay on this side of a prediction, by the decision's distance from it. All
that is mixed are logarithms of odds; each mixer's row of weights is chosen by a small context.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rdzip.entropy.binary import HALF, SQUASH_MAX, code_bit, count, rate_table, squash_table, stretch_table
from rdzip.exact.aligned import aligned_zeros
from rdzip.exact.compiled import compiled
from rdzip.models.context_mixing.slow_features import (
    BLEND,
    CONTEXTS,
    LS_NEAR,
    LS_WIDE,
    PREDICTORS,
    F,
    SlowFeatures,
)
from rdzip.models.context_mixing.tables import (
    DISTANCES,
    LEAST_PROBABILITY,
    OBSERVATIONS,
    distance_table,
    level_table,
)
from rdzip.models.shared.compiled_mixture import cumulative
from rdzip.models.shared.hashing import hashed

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]
Counters = NDArray[np.uint32]

ONE = 1 << 20
"""Weight 1 of a mixer."""
WEIGHT_MAX = 1 << 27
LIGHTEST, HEAVIEST = np.int32(-WEIGHT_MAX), np.int32(WEIGHT_MAX)
RATE, FINAL_RATE = 3, 1
"""Learning rates of the mixers and of the final one, in 2**-14."""
CONTEXT_LIMIT, APM_LIMIT, DISTANCE_LIMIT, FINAL_APM_LIMIT = 40, 127, 250, 250
"""Observations that the counters count at most, which bounds how slow they become."""

NETWORK_INPUT = CONTEXTS + PREDICTORS
"""Number of the network's input; before it stand those of contexts and predictions, after it a constant one."""
INPUTS = 48
"""Inputs of a mixer; the last ones are always 0, for the sake of vectors."""
MIXERS = 7
SELECTORS = 512
"""Rows of weights of a mixer for each channel."""
CERTAIN = 1200
"""Logarithm of odds from which on a context counts as certain."""
APM_STEP, APM_STEPS = 160, 33
"""Logarithm of odds between two counters of a final APM, and how many it has."""


class SlowMixer(NamedTuple):
    """All that is learnt of bits; arrays are flat.

    - inputs: int32 [INPUTS], of a mixer
    - weights: int32 [3 channels, MIXERS, SELECTORS, INPUTS]
    - final_weights: int32 [3, 256 nodes, MIXERS]
    - slots, checks: uint32 [buckets, 16], uint16 [buckets], counters in hashed contexts, and whose they are
    - apm: uint32 [CONTEXTS, 3, 16 numbers of observations, 64 levels of odds]
    - distances: uint32 [PREDICTORS, 3, 8 decisions, 16 scales, DISTANCES]
    - final_apm: uint32 [2, 3, 256, 64, APM_STEPS]
    - stretch, squash, rates, levels, distance_index, sigmoid: tables; the last one of a network's mixture
    - scratch: int64 [192]
    - coded: int64 [2**16], how often an encoder had each probability of what came
    """

    inputs: Int32
    weights: Int32
    final_weights: Int32
    slots: Counters
    checks: NDArray[np.uint16]
    apm: Counters
    distances: Counters
    final_apm: Counters
    stretch: Int32
    squash: Int32
    rates: Int32
    levels: Int32
    distance_index: Int32
    sigmoid: Int32
    scratch: Int64
    coded: Int64

    @classmethod
    def of(cls, bits: int, sigmoid: Int32, initial: tuple[int, int, int]) -> SlowMixer:
        """A mixer that has seen nothing, with 2**bits buckets and the sigmoid table of a network's mixture.

        initial: weights in 2**-20 of contexts, of distances, of the network.
        """
        squash = squash_table()
        apm = np.empty((CONTEXTS * 3 * 16, 64), np.uint32)
        apm[:] = _counters_of(squash, (np.arange(64) - 32) * 72 + 36)
        final_apm = np.empty((2 * 3 * 256 * 64, APM_STEPS), np.uint32)
        final_apm[:] = _counters_of(squash, (np.arange(APM_STEPS) - APM_STEPS // 2) * APM_STEP)
        slots = aligned_zeros(16 << bits, np.uint32)  # each bucket one line of a cache
        slots[:] = HALF
        weights = np.zeros((3 * MIXERS * SELECTORS, INPUTS), np.int32)
        weights[:, :CONTEXTS], weights[:, CONTEXTS:NETWORK_INPUT], weights[:, NETWORK_INPUT] = initial
        return cls(
            np.zeros(INPUTS, np.int32),
            weights.reshape(-1),
            np.full(3 * 256 * MIXERS, ONE // MIXERS, np.int32),
            slots,
            np.zeros(1 << bits, np.uint16),
            apm.reshape(-1),
            np.full(PREDICTORS * 3 * 8 * 16 * DISTANCES, HALF, np.uint32),
            final_apm.reshape(-1),
            stretch_table(),
            squash,
            rate_table(),
            level_table(stretch_table()),
            distance_table(),
            sigmoid,
            np.zeros(192, np.int64),
            np.zeros(1 << 16, np.int64),
        )


def _counters_of(squash: Int32, s: NDArray[np.int64]) -> Counters:
    """Counters of the probabilities with these logarithms of odds in 1/256, as if nothing had been seen."""
    counters: Counters = squash[s + SQUASH_MAX].astype(np.uint32) << np.uint32(16)
    return counters


@compiled
def _dot_products(x: Int32, weights: Int32, row: Int64, output: Int64) -> None:
    """Sums of products of the inputs with MIXERS rows of weights, in 1/256 nat."""
    n = len(x)
    a, b, c, d = np.uintp(row[0] * n), np.uintp(row[1] * n), np.uintp(row[2] * n), np.uintp(row[3] * n)
    e, f, g = np.uintp(row[4] * n), np.uintp(row[5] * n), np.uintp(row[6] * n)
    s0 = s1 = s2 = s3 = s4 = s5 = s6 = 0
    for i in range(np.uintp(n)):
        v = np.int64(x[i])
        s0 += v * np.int64(weights[a + i])
        s1 += v * np.int64(weights[b + i])
        s2 += v * np.int64(weights[c + i])
        s3 += v * np.int64(weights[d + i])
        s4 += v * np.int64(weights[e + i])
        s5 += v * np.int64(weights[f + i])
        s6 += v * np.int64(weights[g + i])
    output[0], output[1], output[2], output[3] = s0 >> 20, s1 >> 20, s2 >> 20, s3 >> 20
    output[4], output[5], output[6] = s4 >> 20, s5 >> 20, s6 >> 20


@compiled
def _train(weights: Int32, row: int, x: Int32, error: np.int32) -> None:
    n = np.uintp(len(x))
    at = np.uintp(row) * n
    for i in range(n):
        step = np.int32(np.int32(x[i] * error) + np.int32(8192))
        v = np.int32(weights[at + i] + (step >> np.int32(14)))
        weights[at + i] = min(max(v, LIGHTEST), HEAVIEST)


@compiled
def _find_buckets(
    slots: Counters, checks: NDArray[np.uint16], hashes: Int64, node: int, base: Int64, check: Int64, touched: Int64
) -> None:
    """Find the bucket of each context for the next four bits; one that another context had is emptied."""
    for i in range(CONTEXTS):
        h = hashed(hashes[i], node)
        base[i] = 16 * (h & (len(checks) - 1))
        check[i] = hashed(h, 77) >> 16
    for i in range(CONTEXTS):
        # nothing waits for what is read here, so that the memory looks for all of it at the same time
        touched[i] = np.int64(checks[np.uintp(base[i] >> 4)]) | np.int64(slots[np.uintp(base[i])]) << 16
    for i in range(CONTEXTS):
        # read again, since an earlier context may have taken this bucket
        bucket = np.uintp(base[i] >> 4)
        if np.int64(checks[bucket]) != check[i]:
            checks[bucket] = check[i]
            for k in range(16):
                slots[np.uintp(base[i] + k)] = HALF


@compiled
def _context_inputs(
    slots: Counters,
    apm: Counters,
    stretch: Int32,
    levels: Int32,
    inputs: Int32,
    base: Int64,
    refined: Int64,
    c: int,
    nibble: int,
) -> int:
    """Fill the inputs of contexts, their counters refined by APMs; returns how many are certain.

    base, refined [CONTEXTS]: where their buckets are; filled with where their counters of the APMs are.
    """
    certain = 0
    for i in range(CONTEXTS):
        t = np.int64(slots[np.uintp(base[i] + nibble)])
        n = t & 1023
        odds = np.int64(stretch[np.uintp(t >> 20)])
        # no branches on what was seen, which cannot be guessed ahead
        j = (i * 3 + c) * 1024 + np.int64(levels[np.uintp(OBSERVATIONS + n)]) + np.int64(levels[np.uintp(t >> 20)])
        refined[i] = j
        observed = (n + 1023) >> 10
        inputs[np.uintp(i)] = observed * np.int64(stretch[np.uintp(np.int64(apm[np.uintp(j)]) >> 20)])
        certain += (n > 2) & (abs(odds) > CERTAIN)
    return certain


@compiled
def _distance_inputs(
    counters: Counters,
    stretch: Int32,
    distance_index: Int32,
    inputs: Int32,
    means: Int64,
    scales: Int64,
    c: int,
    level: int,
    middle: int,
    place: Int64,
    distance: Int64,
) -> None:
    """Fill the inputs of predictions: how often the sample was not below the middle at this distance from each.

    place, distance [PREDICTORS]: filled with where their counters are, and the classes of distances.
    """
    for j in range(PREDICTORS):
        q = np.int64(distance_index[np.uintp(4096 + middle * 16 - 8 - means[j])])
        distance[j] = q
        at = (((j * 3 + c) * 8 + level) * 16 + scales[j]) * DISTANCES + q
        place[j] = at
        inputs[np.uintp(CONTEXTS + j)] = stretch[np.uintp(np.int64(counters[np.uintp(at)]) >> 20)]


@compiled
def _choose_rows(row: Int64, features: Int64, scales: Int64, distance: Int64, level: int, node: int) -> None:
    """Fill the rows of weights of the mixers but for those that go by certain contexts and by the reference."""
    row[0] = node
    row[1] = (level * 16 + features[F.ACTIVITY]) * 4 + features[F.PARITY]
    row[2] = level * 64 + distance[BLEND] * 2 // 3
    row[3] = level * 64 + distance[LS_NEAR] * 2 // 3
    row[6] = level * 32 + scales[BLEND] * 2 + (1 if scales[LS_NEAR] < scales[LS_WIDE] else 0)


@compiled
def _between(apm: Counters, at: int, part: int) -> int:
    """Probability of 2**16 between two counters of a final APM, APM_STEP times that."""
    left: int = np.int64(apm[at]) >> 16
    right: int = np.int64(apm[at + 1]) >> 16
    return left * (APM_STEP - part) + right * part


@compiled
def _train_mixers(m: SlowMixer, row: Int64, output: Int64, final: int, mixed: int, bit: int) -> None:
    """Move the weights of all mixers and of the final one towards the bit; mixed: its probability in 2**-16."""
    error = ((bit << 16) - mixed) * FINAL_RATE
    for s in range(MIXERS):
        v = np.int64(m.final_weights[final + s]) + ((output[s] * error + 8192) >> 14)
        m.final_weights[final + s] = min(max(v, -WEIGHT_MAX), WEIGHT_MAX)
        own = (bit << 16) - np.int64(m.squash[output[s] + SQUASH_MAX])
        _train(m.weights, row[s], m.inputs, np.int32(own * RATE))


@compiled
def code_sample(
    m: SlowMixer,
    features: SlowFeatures,
    mixture: Int32,
    coder: Int64,
    data: NDArray[np.uint8],
    decoding: int,
    c: int,
    value: int,
) -> int:
    """Code a sample of channel c bit by bit from the highest, learn from it, and return it.

    - m: the mixer
    - features: of the sample
    - mixture: the network's, int32 [9], or empty
    - coder, data, decoding: state of the arithmetic coder, what it reads or writes, and which
    - c: the channel
    - value: the sample; of no meaning when decoding
    """
    base = m.scratch[0:32]
    refined = m.scratch[32:64]
    place = m.scratch[64:80]
    distance = m.scratch[80:96]
    row = m.scratch[96:104]
    output = m.scratch[104:112]
    check = m.scratch[128:160]
    touched = m.scratch[160:192]
    inputs = m.inputs
    final_weights = m.final_weights
    slots = m.slots
    apm = m.apm
    distances = m.distances
    final_apm = m.final_apm
    stretch = m.stretch
    squash = m.squash
    rates = m.rates
    levels = m.levels
    means = features.means
    scales = features.scales
    blend = (means[BLEND] + 8) >> 4
    inputs[NETWORK_INPUT + 1] = 256
    below_low = 0
    below_high = 1 << 24
    node = 1
    for level in range(8):
        if level % 4 == 0:
            _find_buckets(slots, m.checks, features.hashes, node, base, check, touched)
        nibble = node if level < 4 else (1 << (level - 4)) | (node & ((1 << (level - 4)) - 1))
        half = 128 >> level
        low = (node << (8 - level)) & 255
        middle = low + half
        certain = _context_inputs(slots, apm, stretch, levels, inputs, base, refined, c, nibble)
        _distance_inputs(distances, stretch, m.distance_index, inputs, means, scales, c, level, middle, place, distance)
        below_middle = 0
        if len(mixture) > 0:
            below_middle = cumulative(mixture, m.sigmoid, middle)
            p = ((below_high - below_middle) << 16) // (below_high - below_low)
            reference = min(max(p, 1), 65535) >> 4
            inputs[NETWORK_INPUT] = stretch[reference]
        else:
            reference = np.int64(distances[place[BLEND]]) >> 20

        _choose_rows(row, features.features, scales, distance, level, node)
        row[4] = level * 32 + certain
        row[5] = level * 64 + np.int64(levels[reference])
        final = (c * 256 + node) * MIXERS
        total = 0
        for s in range(MIXERS):
            row[s] += (c * MIXERS + s) * SELECTORS
        _dot_products(inputs, m.weights, row, output)
        for s in range(MIXERS):
            output[s] = min(max(output[s], -SQUASH_MAX), SQUASH_MAX)
            total += output[s] * np.int64(final_weights[final + s])
        z = min(max(total >> 20, -SQUASH_MAX), SQUASH_MAX)
        mixed = np.int64(squash[z + SQUASH_MAX])

        z = min(max(z + APM_STEPS // 2 * APM_STEP, 0), (APM_STEPS - 1) * APM_STEP - 1)
        part = z % APM_STEP
        z = z // APM_STEP
        first = ((c * 256 + node) * 64 + scales[BLEND] * 4 + scales[LS_NEAR] // 4) * APM_STEPS + z
        second = ((3 + c) * 256 + node) * 64 + min(max((blend - middle) // 4 + 32, 0), 63)
        second = second * APM_STEPS + z
        p = _between(final_apm, first, part) + _between(final_apm, second, part)
        p = (2 * mixed + p // APM_STEP) >> 2
        p = min(max(p, LEAST_PROBABILITY), 65536 - LEAST_PROBABILITY)

        bit = code_bit(coder, data, decoding, (value >> (7 - level)) & 1, p)
        if not decoding:
            m.coded[p if bit else 65536 - p] += 1

        _train_mixers(m, row, output, final, mixed, bit)
        for at in (first, first + 1, second, second + 1):
            count(final_apm, at, bit, rates, 0, FINAL_APM_LIMIT)
        for j in range(PREDICTORS):
            count(distances, place[j], bit, rates, 0, DISTANCE_LIMIT)
        for i in range(CONTEXTS):
            count(slots, base[i] + nibble, bit, rates, 0, CONTEXT_LIMIT)
            count(apm, refined[i], bit, rates, 0, APM_LIMIT)
        if bit:
            below_low = below_middle
        else:
            below_high = below_middle
        node = 2 * node + bit
    return node - 256
