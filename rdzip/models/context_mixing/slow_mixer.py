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

from rdzip.entropy.binary import HALF, SQUASH_MAX, code_bit, count, rate_table, squash_table, stretch_table
from rdzip.exact.aligned import lined_zeros
from rdzip.exact.compiled import compiled
from rdzip.models.context_mixing.slow_features import ACTIVITY, BLEND, CONTEXTS, PARITY, PREDICTORS, View, hashed
from rdzip.models.context_mixing.tables import DISTANCES, LEAST_PROBABILITY, SEEN, level_table, side_table
from rdzip.models.shared.compiled_mixture import cumulative

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]
Counters = NDArray[np.uint32]

ONE = 1 << 20
"""Weight 1 of a mixer."""
WEIGHT_MAX = 1 << 27
LIGHTEST, HEAVIEST = np.int32(-WEIGHT_MAX), np.int32(WEIGHT_MAX)
CONTEXT_WEIGHT, PREDICTOR_WEIGHT, NETWORK_WEIGHT = 8000, 8000, 700000
"""Weights that mixers begin with."""
LAST_RATE = 1
"""Learning rate of the last mixer, in 2**-14."""
CONTEXT_LIMIT, CALIBRATION_LIMIT, BESIDE_LIMIT = 40, 127, 250
"""Observations that the counters count at most, which bounds how slow they become."""

SETS = 7
SELECTORS = 512
"""Rows of weights of a mixer for each channel."""
CERTAIN = 1200
"""Logarithm of odds from which on a context counts as certain."""
CORRECTION_STEP = 160
CORRECTIONS = 33


class Pace(NamedTuple):
    """What the mixers see of each source, and how fast they learn.

    ways: inputs of a context, of the network: 2, the probability too, or 1, the logarithm of odds alone. rate: of the
    mixers, in 2**-14. correction_limit: observations that the counters of corrections count at most.
    """

    ways: int
    rate: int
    correction_limit: int

    @property
    def network(self) -> int:
        """Number of the network's first input; before it stand those of contexts and predictors."""
        return self.ways * CONTEXTS + PREDICTORS

    @property
    def inputs(self) -> int:
        """Inputs of a mixer, with a constant one, rounded up to eights."""
        return -(-(self.network + self.ways + 1) // 8) * 8


EAGER_PACE, CALM_PACE = Pace(2, 6, 60), Pace(1, 3, 250)


class Mixer(NamedTuple):
    """All that is learnt of bits.

    pace int64 [3]: ways, rate, correction_limit of a Pace; inputs int32 [n]: of a mixer; weights int32 [3 channels,
    SETS, SELECTORS, n]; lasts int32 [3, 256, SETS]; slots uint32 [buckets, 16], checks uint16 [buckets]: counters in
    hashed contexts; calibration uint32 [CONTEXTS, 3, 16, 64]; beside uint32 [PREDICTORS, 3, 8, 16, DISTANCES];
    correction uint32 [2, 3, 256, 64, CORRECTIONS], all flat; tables; scratch; coded int64 [2**16]: how
    often an encoder had each probability of what came.
    """

    pace: Int64
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
    levels: Int32
    sides: Int32
    sigmoid: Int32
    scratch: Int64
    coded: Int64

    @classmethod
    def of(cls, bits: int, sigmoid: Int32, pace: Pace) -> Mixer:
        """A mixer that has seen nothing, with 2**bits buckets and the sigmoid table of a network's mixture."""
        squash = squash_table()
        calibration = np.empty((CONTEXTS * 3 * 16, 64), np.uint32)
        calibration[:] = _begin(squash, (np.arange(64) - 32) * 72 + 36)
        correction = np.empty((2 * 3 * 256 * 64, CORRECTIONS), np.uint32)
        correction[:] = _begin(squash, (np.arange(CORRECTIONS) - CORRECTIONS // 2) * CORRECTION_STEP)
        slots = lined_zeros(16 << bits, np.uint32)  # each bucket one line of a cache
        slots[:] = HALF
        weights = np.zeros((3 * SETS * SELECTORS, pace.inputs), np.int32)
        weights[:, : pace.ways * CONTEXTS : pace.ways] = CONTEXT_WEIGHT
        weights[:, pace.ways * CONTEXTS : pace.network] = PREDICTOR_WEIGHT
        weights[:, pace.network] = NETWORK_WEIGHT
        return cls(
            np.array(pace, np.int64),
            np.zeros(pace.inputs, np.int32),
            weights.reshape(-1),
            np.full(3 * 256 * SETS, ONE // SETS, np.int32),
            slots,
            np.zeros(1 << bits, np.uint16),
            calibration.reshape(-1),
            np.full(PREDICTORS * 3 * 8 * 16 * DISTANCES, HALF, np.uint32),
            correction.reshape(-1),
            stretch_table(),
            squash,
            rate_table(),
            level_table(stretch_table()),
            side_table(),
            sigmoid,
            np.zeros(192, np.int64),
            np.zeros(1 << 16, np.int64),
        )


def _begin(squash: Int32, s: NDArray[np.int64]) -> Counters:
    """Counters of the probabilities with these logarithms of odds in 1/256, as if nothing had been seen."""
    counters: Counters = squash[s + SQUASH_MAX].astype(np.uint32) << np.uint32(16)
    return counters


@compiled
def _dots(x: Int32, weights: Int32, row: Int64, output: Int64) -> None:
    """Sums of products of the inputs with SETS rows of weights, in 1/256 nat."""
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
def _ask_contexts(
    slots: Counters,
    calibration: Counters,
    stretch: Int32,
    levels: Int32,
    inputs: Int32,
    ways: int,
    base: Int64,
    calibrated: Int64,
    c: int,
    nibble: int,
) -> int:
    """Fill the inputs of contexts; returns how many are certain."""
    certain = 0
    for i in range(CONTEXTS):
        t = np.int64(slots[np.uintp(base[i] + nibble)])
        n = t & 1023
        odds = np.int64(stretch[np.uintp(t >> 20)])
        # no branches on what was seen, which cannot be guessed ahead
        j = (i * 3 + c) * 1024 + np.int64(levels[np.uintp(SEEN + n)]) + np.int64(levels[np.uintp(t >> 20)])
        calibrated[i] = j
        known = (n + 1023) >> 10
        inputs[np.uintp(ways * i)] = known * np.int64(stretch[np.uintp(np.int64(calibration[np.uintp(j)]) >> 20)])
        if ways > 1:
            inputs[np.uintp(ways * i + 1)] = known * (((t >> 16) - 32768) >> 5)
        certain += (n > 2) & (abs(odds) > CERTAIN)
    return certain


@compiled
def _ask_predictors(
    counters: Counters,
    stretch: Int32,
    sides: Int32,
    inputs: Int32,
    first: int,
    means: Int64,
    scales: Int64,
    c: int,
    level: int,
    middle: int,
    beside: Int64,
    side: Int64,
) -> None:
    """Fill the inputs of predictors, from number first on: how often the sample was not below the middle at this
    distance from each.
    """
    for j in range(PREDICTORS):
        q = np.int64(sides[np.uintp(4096 + middle * 16 - 8 - means[j])])
        side[j] = q
        at = (((j * 3 + c) * 8 + level) * 16 + scales[j]) * DISTANCES + q
        beside[j] = at
        inputs[np.uintp(first + j)] = stretch[np.uintp(np.int64(counters[np.uintp(at)]) >> 20)]


@compiled
def _corrected(correction: Counters, at: int, part: int) -> int:
    """Probability of 2**16 between two counters of a correction, CORRECTION_STEP times that."""
    left: int = np.int64(correction[at]) >> 16
    right: int = np.int64(correction[at + 1]) >> 16
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
    check = m.scratch[128:160]
    touched = m.scratch[160:192]
    inputs = m.inputs
    weights = m.weights
    lasts = m.lasts
    slots = m.slots
    calibration = m.calibration
    counters = m.beside
    correction = m.correction
    stretch = m.stretch
    squash = m.squash
    rates = m.rates
    levels = m.levels
    trusted = view.scales[BLEND]
    blend = (view.means[BLEND] + 8) >> 4
    ways = m.pace[0]
    network = ways * CONTEXTS + PREDICTORS
    inputs[network + ways] = 256
    below_low = 0
    below_high = 1 << 24
    node = 1
    for level in range(8):
        if level % 4 == 0:
            _find_buckets(slots, m.checks, view.hashes, node, base, check, touched)
        nibble = node if level < 4 else (1 << (level - 4)) | (node & ((1 << (level - 4)) - 1))
        half = 128 >> level
        low = (node << (8 - level)) & 255
        middle = low + half
        certain = _ask_contexts(slots, calibration, stretch, levels, inputs, ways, base, calibrated, c, nibble)
        _ask_predictors(
            counters, stretch, m.sides, inputs, ways * CONTEXTS, view.means, view.scales, c, level, middle, beside, side
        )
        below_middle = 0
        if len(mixture) > 0:
            below_middle = cumulative(mixture, m.sigmoid, middle)
            p = ((below_high - below_middle) << 16) // (below_high - below_low)
            p = min(max(p, 1), 65535)
            reference = p >> 4
            inputs[network] = stretch[reference]
            if ways > 1:
                inputs[network + 1] = (p - 32768) >> 5
        else:
            reference = np.int64(counters[beside[BLEND]]) >> 20

        row[0] = node
        row[1] = (level * 16 + view.features[ACTIVITY]) * 4 + view.features[PARITY]
        row[2] = level * 64 + side[BLEND] * 2 // 3
        row[3] = level * 64 + side[0] * 2 // 3
        row[4] = level * 32 + certain
        row[5] = level * 64 + np.int64(levels[reference])
        row[6] = level * 32 + trusted * 2 + (1 if view.scales[0] < view.scales[1] else 0)
        last = (c * 256 + node) * SETS
        total = 0
        for s in range(SETS):
            row[s] += (c * SETS + s) * SELECTORS
        _dots(inputs, weights, row, output)
        for s in range(SETS):
            output[s] = min(max(output[s], -SQUASH_MAX), SQUASH_MAX)
            total += output[s] * np.int64(lasts[last + s])
        z = min(max(total >> 20, -SQUASH_MAX), SQUASH_MAX)
        mixed = np.int64(squash[z + SQUASH_MAX])

        z = min(max(z + CORRECTIONS // 2 * CORRECTION_STEP, 0), (CORRECTIONS - 1) * CORRECTION_STEP - 1)
        part = z % CORRECTION_STEP
        z = z // CORRECTION_STEP
        first = ((c * 256 + node) * 64 + trusted * 4 + view.scales[0] // 4) * CORRECTIONS + z
        second = ((3 + c) * 256 + node) * 64 + min(max((blend - middle) // 4 + 32, 0), 63)
        second = second * CORRECTIONS + z
        p = _corrected(correction, first, part) + _corrected(correction, second, part)
        p = (2 * mixed + p // CORRECTION_STEP) >> 2
        p = min(max(p, LEAST_PROBABILITY), 65536 - LEAST_PROBABILITY)

        bit = code_bit(coder, data, decoding, (value >> (7 - level)) & 1, p)
        if not decoding:
            m.coded[p if bit else 65536 - p] += 1

        error = ((bit << 16) - mixed) * LAST_RATE
        for s in range(SETS):
            v = np.int64(lasts[last + s]) + ((output[s] * error + 8192) >> 14)
            lasts[last + s] = min(max(v, -WEIGHT_MAX), WEIGHT_MAX)
            own = (bit << 16) - np.int64(squash[output[s] + SQUASH_MAX])
            _train(weights, row[s], inputs, np.int32(own * m.pace[1]))
        for at in (first, first + 1, second, second + 1):
            count(correction, at, bit, rates, 0, m.pace[2])
        for j in range(PREDICTORS):
            count(counters, beside[j], bit, rates, 0, BESIDE_LIMIT)
        for i in range(CONTEXTS):
            count(slots, base[i] + nibble, bit, rates, 0, CONTEXT_LIMIT)
            count(calibration, calibrated[i], bit, rates, 0, CALIBRATION_LIMIT)
        if bit:
            below_low = below_middle
        else:
            below_high = below_middle
        node = 2 * node + bit
    return node - 256
