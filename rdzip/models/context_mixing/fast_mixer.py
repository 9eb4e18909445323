"""The fast mixer: logistic mixing of few predictions of one bit, and none at all where the bit is certain.

After Mahoney 2005 ("Adaptive weighing of context models for lossless data compression", sections 3 and 4), as in
models/context_mixing/slow_mixer.py, in fewer steps:

    blend of predictions --> distance counter --+
    network, or least squares ------------------+--> both certain: one counter --> P(bit = 1)
                                                |
                                                +--> else, with 1 or 4 hashed contexts --> counters --> APMs
                                                     and distance counters: 2 or 3 mixers, averaged --> P(bit = 1)
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rdzip.entropy.binary import HALF, SQUASH_MAX, code_bit, count, rate_table, squash_table, stretch_table
from rdzip.exact.aligned import aligned_zeros
from rdzip.exact.compiled import compiled
from rdzip.models.context_mixing.fast_features import BLEND, LEAST_SQUARES, NETWORK
from rdzip.models.context_mixing.tables import DISTANCES, LEAST_PROBABILITY, distance_table, level_table
from rdzip.models.shared.compiled_mixture import cumulative
from rdzip.models.shared.hashing import hashed

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]
Counters = NDArray[np.uint32]

WEIGHT_MAX = (1 << 20) - 1
"""Largest weight of a mixer, in 2**-18."""
ODDS_MAX = 2047
"""Largest input of a mixer, in 1/256 nat; times WEIGHT_MAX it is below 2**31."""
CONTEXTS, DISTANCE_KINDS = 4, 3
"""Contexts at most; predictions whose distance counts: the blend, least squares, the network's."""
DISTANCE_INPUT, NETWORK_INPUT, CONSTANT_INPUT = CONTEXTS, CONTEXTS + DISTANCE_KINDS, CONTEXTS + DISTANCE_KINDS + 1
"""Inputs of a mixer after those of contexts."""
INPUTS = 16
"""All of them; the last ones are always 0, for the sake of vectors."""
MIXERS = 3
"""Mixers at most."""
SELECTORS = 512
"""Rows of weights of a mixer for each channel."""
RATE = 8
"""Learning rate of the mixers, in 2**-18 of weight 1 for an input of 1 nat/256 and an error of 2**-16."""
CONTEXT_LIMIT, APM_LIMIT, DISTANCE_LIMIT, CERTAIN_LIMIT = 60, 127, 250, 1000
"""Observations that the counters count at most."""
CERTAIN = 1800
"""Logarithm of odds in 1/256 nat from which on both predictions must be for a decision to be certain."""
SURE = 1200
"""The same from which on a context counts as certain."""
CERTAIN_AT = DISTANCE_KINDS * 3 * 8 * 16 * DISTANCES
APM_AT = CERTAIN_AT + 3 * 8 * 32
COUNTERS = APM_AT + CONTEXTS * 3 * 16 * 64
"""Where counters of certain decisions and of APMs begin, after those of distances, and where they end."""
STRETCH, SQUASH, RATES, DISTANCE = 0, 4096 + SQUASH_MAX, 4096 + 2 * SQUASH_MAX + 1, 5120 + 2 * SQUASH_MAX + 1
LEVELS = DISTANCE + 8192
OBSERVATIONS = LEVELS + 4096
"""Where tables begin in one array; that of squash at its argument 0."""
BASE, PLACE, BLEND_DISTANCE, ROW, OUTPUT, REFINED = 0, 8, 16, 24, 32, 40
"""Places of scratch numbers."""


class FastMixer(NamedTuple):
    """All that is learnt of bits; arrays are flat.

    - inputs: int32 [INPUTS], of a mixer
    - weights: int32 [3 channels, MIXERS, SELECTORS, INPUTS]
    - slots: uint32 [buckets, 16], counters in hashed contexts, the first of a bucket its check
    - counters: uint32 [DISTANCE_KINDS, 3, 8 decisions, 16 scales, DISTANCES], then those of certain decisions
      [3, 8, 32], then of APMs [CONTEXTS, 3, 16 numbers of observations, 64 levels of odds]
    - tables: int32, stretch, squash, rates, distances, levels, seen
    - sigmoid: int32, of a network's mixture
    - scratch: int64 [64]
    - coded: int64 [2**16], how often each probability was that of what came
    - mixers: how many are used, the first ones
    """

    inputs: Int32
    weights: Int32
    slots: Counters
    counters: Counters
    tables: Int32
    sigmoid: Int32
    scratch: Int64
    coded: Int64
    mixers: int

    @classmethod
    def of(cls, bits: int, sigmoid: Int32, initial: tuple[int, int, int], mixers: int) -> FastMixer:
        """A mixer that has seen nothing, with 2**bits buckets and the sigmoid table of a network's mixture.

        initial: weights in 2**-18 of contexts, of distances, of the network.
        """
        squash = squash_table()
        weights = np.zeros((3 * MIXERS * SELECTORS, INPUTS), np.int32)
        weights[:, :CONTEXTS], weights[:, DISTANCE_INPUT:NETWORK_INPUT], weights[:, NETWORK_INPUT] = initial
        counters = np.full(COUNTERS, HALF, np.uint32)
        certain = np.arange(3 * 8 * 32) % 32 * 64 + 32
        levels = (np.arange(CONTEXTS * 3 * 16 * 64) % 64 - 32) * 72 + 36
        chances = squash[np.concatenate([certain, levels]) + SQUASH_MAX]
        counters[CERTAIN_AT:] = chances.astype(np.uint32) << np.uint32(16)
        stretch = np.clip(stretch_table(), -ODDS_MAX, ODDS_MAX)
        return cls(
            np.zeros(INPUTS, np.int32),
            weights.reshape(-1),
            aligned_zeros(16 << bits, np.uint32),  # all without a check, so that all begin anew
            counters,
            np.concatenate([stretch, squash, rate_table(), distance_table(), level_table(stretch)]).astype(np.int32),
            sigmoid,
            np.zeros(64, np.int64),
            np.zeros(1 << 16, np.int64),
            mixers,
        )


@compiled
def _dot(x: Int32, w: Int32, at: int) -> int:
    """Sum of products in 1/256 nat, in integers of 32 bits that never overflow."""
    s = np.int32(0)
    for i in range(len(x)):
        s = np.int32(s + (np.int32(x[i] * w[np.uintp(at + i)]) >> np.int32(5)))
    z: int = np.int64(s) >> 13
    return z


@compiled
def _train(w: Int32, at: int, x: Int32, error: int) -> None:
    e = np.int32(error)
    for i in range(len(x)):
        k = np.uintp(at + i)
        v = np.int32(w[k] + (np.int32(np.int32(x[i] * e) + np.int32(32768)) >> np.int32(16)))
        w[k] = min(max(v, np.int32(-WEIGHT_MAX)), np.int32(WEIGHT_MAX))


@compiled
def _find(slots: Counters, hashes: Int64, node: int, scratch: Int64) -> None:
    """Find the buckets of the contexts for four decisions from a node on; one of another context begins anew."""
    buckets = len(slots) >> 4
    for i in range(len(hashes)):
        h = hashed(hashes[i], node)
        at = (h & (buckets - 1)) << 4
        check = (h >> 12) | 1  # never that of an empty bucket
        if np.int64(slots[np.uintp(at)]) != check:
            slots[np.uintp(at)] = check
            for k in range(1, 16):
                slots[np.uintp(at + k)] = HALF
        scratch[BASE + i] = at


@compiled
def _distance_place(
    tables: Int32, k: int, mean: int, scale: int, c: int, level: int, middle: int, scratch: Int64
) -> int:
    """Place of the counter of how often the sample was not below the middle at this distance from prediction k."""
    q = np.int64(tables[np.uintp(DISTANCE + 4096 + middle * 16 - 8 - mean)])
    if k == 0:
        scratch[BLEND_DISTANCE] = q
    place: int = (((k * 3 + c) * 8 + level) * 16 + scale) * DISTANCES + q
    scratch[PLACE + k] = place
    return place


# One function of flat arguments: in parts, which take named tuples whole, it takes 4 to 19 % more time.
@compiled
def code_sample(
    inputs: Int32,
    weights: Int32,
    slots: Counters,
    counters: Counters,
    tables: Int32,
    sigmoid: Int32,
    scratch: Int64,
    coded: Int64,
    mixers: int,
    means: Int64,
    scales: Int64,
    hashes: Int64,
    mixture: Int32,
    coder: Int64,
    data: NDArray[np.uint8],
    decoding: int,
    c: int,
    parity: int,
    value: int,
) -> int:
    """Code a sample of channel c bit by bit from the highest, learn from it, and return it.

    - inputs, weights, slots, counters, tables, sigmoid, scratch, coded, mixers: of a FastMixer
    - means, scales, hashes: of a FastFeatures
    - mixture: the network's, int32 [9], or empty
    - coder, data, decoding: state of the arithmetic coder, what it reads or writes, and which
    - c: the channel
    - parity: of the sample's column
    - value: the sample; of no meaning when decoding
    """
    networked = len(mixture) > 0
    contexts = len(hashes)
    node = 1
    found = -1
    below = 0  # what the network has below the interval's ends
    upto = 1 << 24
    split = 0
    for level in range(8):
        half = 128 >> level
        low = (node << (8 - level)) & 255
        middle = low + half
        at = _distance_place(tables, 0, means[BLEND], scales[BLEND], c, level, middle, scratch)
        blend = np.int64(tables[np.uintp(STRETCH + (np.int64(counters[np.uintp(at)]) >> 20))])
        if networked:
            split = cumulative(mixture, sigmoid, middle)
            p = min(max(((upto - split) << 16) // (upto - below), 1), 65535)
            reference = np.int64(tables[np.uintp(STRETCH + (p >> 4))])
        else:
            at = _distance_place(tables, 1, means[LEAST_SQUARES], scales[LEAST_SQUARES], c, level, middle, scratch)
            reference = np.int64(tables[np.uintp(STRETCH + (np.int64(counters[np.uintp(at)]) >> 20))])
        bit = (value >> (7 - level)) & 1
        if min(abs(reference), abs(blend)) > CERTAIN and (reference > 0) == (blend > 0):
            at = CERTAIN_AT + (c * 8 + level) * 32 + min((abs(reference) + abs(blend)) >> 7, 31)
            likely = 1 if reference > 0 else 0
            p = min(max(np.int64(counters[at]) >> 16, LEAST_PROBABILITY), 65536 - LEAST_PROBABILITY)
            p = p if likely else 65536 - p
            bit = code_bit(coder, data, decoding, bit, p)
            coded[p if bit else 65536 - p] += 1
            count(counters, at, 1 if bit == likely else 0, tables, RATES, CERTAIN_LIMIT)
            count(counters, scratch[PLACE], bit, tables, RATES, DISTANCE_LIMIT)
            if not networked:
                count(counters, scratch[PLACE + 1], bit, tables, RATES, DISTANCE_LIMIT)
            node = 2 * node + bit
            if bit:
                below = split
            else:
                upto = split
            continue

        if found != level >> 2:
            found = level >> 2
            _find(slots, hashes, node if found else 0, scratch)
        nibble = node if level < 4 else (1 << (level - 4)) | (node & ((1 << (level - 4)) - 1))
        certain = 0
        for i in range(contexts):
            # no branches on what was seen, which cannot be guessed ahead
            t = np.int64(slots[np.uintp(scratch[BASE + i] + nibble)])
            n = t & 1023
            odds = np.int64(tables[np.uintp(STRETCH + (t >> 20))])
            seen = np.int64(tables[np.uintp(OBSERVATIONS + n)])
            at = APM_AT + (i * 3 + c) * 1024 + seen + np.int64(tables[np.uintp(LEVELS + (t >> 20))])
            scratch[REFINED + i] = at
            observed = (n + 1023) >> 10
            inputs[i] = observed * np.int64(tables[np.uintp(STRETCH + (np.int64(counters[np.uintp(at)]) >> 20))])
            certain += (n > 2) & (abs(odds) > SURE)
        inputs[DISTANCE_INPUT] = blend
        if networked:
            at = _distance_place(tables, 1, means[LEAST_SQUARES], scales[LEAST_SQUARES], c, level, middle, scratch)
            inputs[DISTANCE_INPUT + 1] = tables[np.uintp(STRETCH + (np.int64(counters[np.uintp(at)]) >> 20))]
            at = _distance_place(tables, 2, means[NETWORK], scales[NETWORK], c, level, middle, scratch)
            inputs[DISTANCE_INPUT + 2] = tables[np.uintp(STRETCH + (np.int64(counters[np.uintp(at)]) >> 20))]
            inputs[NETWORK_INPUT] = reference
        else:
            inputs[DISTANCE_INPUT + 1] = reference
        inputs[CONSTANT_INPUT] = 256

        scratch[ROW] = node
        scratch[ROW + 1] = ((level * 4 + (scales[BLEND] >> 2)) * 2 + parity) * 8 + min(certain, 7)
        scratch[ROW + 2] = level * 64 + scratch[BLEND_DISTANCE] * 2 // 3
        total = 0
        for s in range(mixers):
            at = ((c * MIXERS + s) * SELECTORS + scratch[ROW + s]) * INPUTS
            scratch[ROW + s] = at
            z = min(max(_dot(inputs, weights, at), -SQUASH_MAX), SQUASH_MAX)
            scratch[OUTPUT + s] = z
            total += z
        p = np.int64(tables[SQUASH + (total + mixers // 2) // mixers])
        p = min(max(p, LEAST_PROBABILITY), 65536 - LEAST_PROBABILITY)
        bit = code_bit(coder, data, decoding, bit, p)
        coded[p if bit else 65536 - p] += 1

        for s in range(mixers):
            own = (bit << 16) - np.int64(tables[np.uintp(SQUASH + scratch[OUTPUT + s])])
            _train(weights, scratch[ROW + s], inputs, own * RATE)
        for k in range(DISTANCE_KINDS if networked else 2):
            count(counters, scratch[PLACE + k], bit, tables, RATES, DISTANCE_LIMIT)
        for i in range(contexts):
            count(slots, scratch[BASE + i] + nibble, bit, tables, RATES, CONTEXT_LIMIT)
            count(counters, scratch[REFINED + i], bit, tables, RATES, APM_LIMIT)
        node = 2 * node + bit
        if bit:
            below = split
        else:
            upto = split
    return node - 256
