"""Few predictions of one bit, mixed in the logistic domain, and none at all where the bit is certain.

After Mahoney 2005 ("Adaptive weighing of context models for lossless data compression", sections 3 and 4), as in
models/context_mixing/slow_mixer.py, in fewer steps: decisions that the predictions agree on within a fraction of a
percent are coded by one counter; others ask counters in hashed contexts, counters of how samples lie beside each
prediction, and the network's mixture. SETS linear mixers, each chosen by a small context, are averaged.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rdzip.entropy.binary import HALF, SQUASH_MAX, code_bit, count, rate_table, squash_table, stretch_table
from rdzip.exact.aligned import lined_zeros
from rdzip.exact.compiled import compiled
from rdzip.models.context_mixing.fast_features import BLEND, CONTEXTS, FITTED, NETWORK
from rdzip.models.context_mixing.slow_features import hashed
from rdzip.models.context_mixing.tables import DISTANCES, LEAST_PROBABILITY, level_table, side_table
from rdzip.models.shared.compiled_mixture import cumulative

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]
Counters = NDArray[np.uint32]

ONE = 1 << 18
"""Weight 1 of a mixer."""
WEIGHT_MAX = (1 << 20) - 1
ODDS_MAX = 2047
"""Largest input of a mixer, in 1/256 nat; times WEIGHT_MAX it is below 2**31."""
BESIDE = 3
"""Predictions whose distance counts: the blend, the fitted one, the network's."""
NETWORK_INPUT = CONTEXTS + BESIDE
INPUTS = 16
SETS = 3
SELECTORS = 512
RATE = 8
"""Learning rate of the mixers, in 2**-18 of weight 1 for an input of 1 nat/256 and an error of 2**-16."""
CONTEXT_LIMIT, CALIBRATION_LIMIT, BESIDE_LIMIT, CERTAIN_LIMIT = 60, 127, 250, 1000
"""Observations that the counters count at most."""
CERTAIN = 1800
"""Logarithm of odds in 1/256 nat from which on both predictions must be for a decision to be certain."""
SURE = 1200
SURE_AT = BESIDE * 3 * 8 * 16 * DISTANCES
CALIBRATION_AT = SURE_AT + 3 * 8 * 32
FIXED = CALIBRATION_AT + CONTEXTS * 3 * 16 * 64
"""Where counters of certain decisions and of calibration begin, after those of distances, and where they end."""
"""Weights that mixers begin with; the last, of BESIDE where there is no network."""


STRETCH, SQUASH, RATES, SIDES = 0, 4096 + SQUASH_MAX, 4096 + 2 * SQUASH_MAX + 1, 5120 + 2 * SQUASH_MAX + 1
LEVELS = SIDES + 8192
SEEN = LEVELS + 4096
"""Where tables begin in one array; that of squash at its argument 0."""
BASE, PLACE, SIDE, ROW, OUTPUT, CALIBRATED = 0, 8, 16, 24, 32, 40
"""Places of scratch numbers."""


class Begin(NamedTuple):
    """Weights that a mixer begins with: of each context, of each counter beside a prediction, of the network."""

    context: int
    beside: int
    network: int = ONE * 7 // 10


class Mixer(NamedTuple):
    """All that is learnt of bits.

    inputs int32 [INPUTS]; weights int32 [3 channels, SETS, SELECTORS, INPUTS]; slots uint32 [buckets, 16]: counters in
    hashed contexts, the first of a bucket its check; beside uint32 [BESIDE, 3, 8, 16, DISTANCES], after that of certain
    decisions [3, 8, 32], of calibration [CONTEXTS, 3, 16, 64], all flat; tables int32: stretch, squash, rates, sides,
    levels, seen; sigmoid int32: of a network's mixture; scratch int64 [64]; coded int64 [2**16]: how often each
    probability was that of what came.
    """

    inputs: Int32
    weights: Int32
    slots: Counters
    beside: Counters
    tables: Int32
    sigmoid: Int32
    scratch: Int64
    coded: Int64

    @classmethod
    def of(cls, bits: int, sigmoid: Int32, begin: Begin) -> Mixer:
        """A mixer that has seen nothing, with 2**bits buckets and the sigmoid table of a network's mixture."""
        squash = squash_table()
        weights = np.zeros((3 * SETS * SELECTORS, INPUTS), np.int32)
        weights[:, :CONTEXTS] = begin.context
        weights[:, CONTEXTS:NETWORK_INPUT] = begin.beside
        weights[:, NETWORK_INPUT] = begin.network
        beside = np.full(FIXED, HALF, np.uint32)
        sure = np.arange(3 * 8 * 32) % 32 * 64 + 32
        levels = (np.arange(CONTEXTS * 3 * 16 * 64) % 64 - 32) * 72 + 36
        chances = squash[np.concatenate([sure, levels]) + SQUASH_MAX]
        beside[SURE_AT:] = chances.astype(np.uint32) << np.uint32(16)
        stretch = np.clip(stretch_table(), -ODDS_MAX, ODDS_MAX)
        return cls(
            np.zeros(INPUTS, np.int32),
            weights.reshape(-1),
            lined_zeros(16 << bits, np.uint32),  # all without a check, so that all begin anew
            beside,
            np.concatenate([stretch, squash, rate_table(), side_table(), level_table(stretch)]).astype(np.int32),
            sigmoid,
            np.zeros(64, np.int64),
            np.zeros(1 << 16, np.int64),
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
def _beside(tables: Int32, j: int, mean: int, scale: int, c: int, level: int, middle: int, scratch: Int64) -> int:
    """Place of the counter of how often the sample was not below the middle at this distance from a prediction."""
    q = np.int64(tables[np.uintp(SIDES + 4096 + middle * 16 - 8 - mean)])
    if j == 0:
        scratch[SIDE] = q
    place: int = (((j * 3 + c) * 8 + level) * 16 + scale) * DISTANCES + q
    scratch[PLACE + j] = place
    return place


@compiled
def code_sample(
    inputs: Int32,
    weights: Int32,
    slots: Counters,
    beside: Counters,
    tables: Int32,
    sigmoid: Int32,
    scratch: Int64,
    coded: Int64,
    means: Int64,
    scales: Int64,
    hashes: Int64,
    mixture: Int32,
    sets: int,
    coder: Int64,
    data: NDArray[np.uint8],
    decoding: int,
    c: int,
    parity: int,
    value: int,
) -> int:
    """Code a sample of channel c bit by bit from the highest, learn from it, and return it.

    mixture: the network's, int32 [9], or empty. sets: how many mixers are used, the first ones. parity: of its column.
    value: the sample; of no meaning when decoding. The rest: of a Mixer and of a View.
    """
    networked = len(mixture) > 0
    asked = len(hashes)
    node = 1
    found = -1
    below = 0  # what the network has below the interval's ends
    upto = 1 << 24
    split = 0
    for level in range(8):
        half = 128 >> level
        low = (node << (8 - level)) & 255
        middle = low + half
        at = _beside(tables, 0, means[BLEND], scales[BLEND], c, level, middle, scratch)
        blend = np.int64(tables[np.uintp(STRETCH + (np.int64(beside[np.uintp(at)]) >> 20))])
        if networked:
            split = cumulative(mixture, sigmoid, middle)
            p = min(max(((upto - split) << 16) // (upto - below), 1), 65535)
            reference = np.int64(tables[np.uintp(STRETCH + (p >> 4))])
        else:
            at = _beside(tables, 1, means[FITTED], scales[FITTED], c, level, middle, scratch)
            reference = np.int64(tables[np.uintp(STRETCH + (np.int64(beside[np.uintp(at)]) >> 20))])
        bit = (value >> (7 - level)) & 1
        if min(abs(reference), abs(blend)) > CERTAIN and (reference > 0) == (blend > 0):
            at = SURE_AT + (c * 8 + level) * 32 + min((abs(reference) + abs(blend)) >> 7, 31)
            likely = 1 if reference > 0 else 0
            p = min(max(np.int64(beside[at]) >> 16, LEAST_PROBABILITY), 65536 - LEAST_PROBABILITY)
            p = p if likely else 65536 - p
            bit = code_bit(coder, data, decoding, bit, p)
            coded[p if bit else 65536 - p] += 1
            count(beside, at, 1 if bit == likely else 0, tables, RATES, CERTAIN_LIMIT)
            count(beside, scratch[PLACE], bit, tables, RATES, BESIDE_LIMIT)
            if not networked:
                count(beside, scratch[PLACE + 1], bit, tables, RATES, BESIDE_LIMIT)
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
        for i in range(asked):
            # no branches on what was seen, which cannot be guessed ahead
            t = np.int64(slots[np.uintp(scratch[BASE + i] + nibble)])
            n = t & 1023
            odds = np.int64(tables[np.uintp(STRETCH + (t >> 20))])
            seen = np.int64(tables[np.uintp(SEEN + n)])
            at = CALIBRATION_AT + (i * 3 + c) * 1024 + seen + np.int64(tables[np.uintp(LEVELS + (t >> 20))])
            scratch[CALIBRATED + i] = at
            known = (n + 1023) >> 10
            inputs[i] = known * np.int64(tables[np.uintp(STRETCH + (np.int64(beside[np.uintp(at)]) >> 20))])
            certain += (n > 2) & (abs(odds) > SURE)
        inputs[CONTEXTS] = blend
        if networked:
            at = _beside(tables, 1, means[FITTED], scales[FITTED], c, level, middle, scratch)
            inputs[CONTEXTS + 1] = tables[np.uintp(STRETCH + (np.int64(beside[np.uintp(at)]) >> 20))]
            at = _beside(tables, 2, means[NETWORK], scales[NETWORK], c, level, middle, scratch)
            inputs[CONTEXTS + 2] = tables[np.uintp(STRETCH + (np.int64(beside[np.uintp(at)]) >> 20))]
            inputs[NETWORK_INPUT] = reference
        else:
            inputs[CONTEXTS + 1] = reference
        inputs[NETWORK_INPUT + 1] = 256

        scratch[ROW] = node
        scratch[ROW + 1] = ((level * 4 + (scales[BLEND] >> 2)) * 2 + parity) * 8 + min(certain, 7)
        scratch[ROW + 2] = level * 64 + scratch[SIDE] * 2 // 3
        total = 0
        for s in range(sets):
            at = ((c * SETS + s) * SELECTORS + scratch[ROW + s]) * INPUTS
            scratch[ROW + s] = at
            z = min(max(_dot(inputs, weights, at), -SQUASH_MAX), SQUASH_MAX)
            scratch[OUTPUT + s] = z
            total += z
        p = np.int64(tables[SQUASH + (total + sets // 2) // sets])
        p = min(max(p, LEAST_PROBABILITY), 65536 - LEAST_PROBABILITY)
        bit = code_bit(coder, data, decoding, bit, p)
        coded[p if bit else 65536 - p] += 1

        for s in range(sets):
            own = (bit << 16) - np.int64(tables[np.uintp(SQUASH + scratch[OUTPUT + s])])
            _train(weights, scratch[ROW + s], inputs, own * RATE)
        for j in range(BESIDE if networked else 2):
            count(beside, scratch[PLACE + j], bit, tables, RATES, BESIDE_LIMIT)
        for i in range(asked):
            count(slots, scratch[BASE + i] + nibble, bit, tables, RATES, CONTEXT_LIMIT)
            count(beside, scratch[CALIBRATED + i], bit, tables, RATES, CALIBRATION_LIMIT)
        node = 2 * node + bit
        if bit:
            below = split
        else:
            upto = split
    return node - 256
