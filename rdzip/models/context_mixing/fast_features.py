"""Features of a sample for the fast mixer, in a few numbers: predictions, how far to trust each, hashes of contexts."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rdzip.exact.compiled import compiled
from rdzip.models.context_mixing.tables import clipped, scale_index_table
from rdzip.models.shared.hashing import hashed
from rdzip.models.shared.template import PAD

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]

MED, WEST, NORTH, AVERAGE, LEAST_SQUARES, NETWORK, BLEND = range(7)
"""Predictions: median edge detection, by the neighbour to the west, above, a mean, least squares, the network's mean,
the blend of all.
"""
SIMPLE = 4
"""Predictions by two or three neighbours; they come first."""
PREDICTORS = 7
IDS = 8
"""Ids of contexts, a part of their hashes; those in use are 0, 3, 5, 6."""
WEIGHTS = 1024
"""Entries of the table of weights in the blend, by errors in 1/2."""


@lru_cache(maxsize=1)
def weight_table() -> Int32:
    """Weight of a prediction by the sum of its errors e in 1/2, int32 [WEIGHTS]: 2**26 / (2 e + 3)**2, rounded down."""
    return np.array([(1 << 26) // (2 * e + 3) ** 2 for e in range(WEIGHTS)], np.int32)


class FastFeatures(NamedTuple):
    """Features of one sample, and the errors that they come from.

    - means: int64 [PREDICTORS], predictions in 1/16
    - scales: int64 [PREDICTORS], how far off each was nearby, as an index 0..15
    - contexts, hashes: int64 [k], ids of the contexts and their hashes
    - errors: int32 [channels, PREDICTORS, 2 rows, width + 2 PAD], of predictions in 1/16, flat
    - tables: int32, of weights, then of scales
    - sources: how many predictions there are before the blend, SIMPLE or up to two more
    """

    means: Int64
    scales: Int64
    contexts: Int64
    hashes: Int64
    errors: Int32
    tables: Int32
    sources: int

    @classmethod
    def of(cls, channels: int, width: int, contexts: tuple[int, ...], sources: int) -> FastFeatures:
        """Those of an image of which nothing is coded."""
        return cls(
            np.zeros(PREDICTORS, np.int64),
            np.zeros(PREDICTORS, np.int64),
            np.array(contexts, np.int64),
            np.zeros(len(contexts), np.int64),
            np.zeros(channels * PREDICTORS * 2 * (width + 2 * PAD), np.int32),
            np.concatenate([weight_table(), scale_index_table()]),
            sources,
        )


@compiled
def compute_features(
    means: Int64,
    scales: Int64,
    contexts: Int64,
    hashes: Int64,
    errors: Int32,
    tables: Int32,
    sources: int,
    px: Int32,
    plane: int,
    stride: int,
    c: int,
    x: int,
    y: int,
    at: int,
) -> None:
    """Fill the features of a sample; the means of least squares and of the network are there already.

    - means, scales, contexts, hashes, errors, tables, sources: of a FastFeatures
    - px: samples of all planes
    - plane, stride: numbers of a plane, and of a row
    - c, x, y: the sample's channel, column and row
    - at: the place of its pixel in the first plane
    """
    p = c * plane + at
    w = np.int64(px[p - 1])
    n = np.int64(px[p - stride])
    nw = np.int64(px[p - stride - 1])
    a = 0
    b = 0
    aw = 0
    an = 0
    if c == 0:
        ne = np.int64(px[p - stride + 1])
        means[MED] = max(min(w, n), min(max(w, n), w + n - nw)) * 16
        means[WEST] = clipped(w + ((ne - n) >> 1)) * 16
        means[NORTH] = clipped(2 * n - np.int64(px[p - 2 * stride])) * 16
        means[AVERAGE] = 4 * (w + n + ne + nw)
    else:
        a = np.int64(px[at])
        aw = np.int64(px[at - 1])
        an = np.int64(px[at - stride])
        dw = w - aw
        dn = n - an
        dnw = nw - np.int64(px[at - stride - 1])
        means[MED] = clipped(a + max(min(dw, dn), min(max(dw, dn), dw + dn - dnw))) * 16
        means[WEST] = clipped(a + dw) * 16
        means[NORTH] = clipped(a + dn) * 16
        if c == 1:
            means[AVERAGE] = clipped(a + ((dw + dn) >> 1)) * 16
        else:
            b = np.int64(px[plane + at])
            step = w - np.int64(px[plane + at - 1]) + n - np.int64(px[plane + at - stride])
            means[AVERAGE] = clipped(b + (step >> 1)) * 16

    now = PAD + x
    total = 0
    weighted = 0
    for j in range(PREDICTORS):
        if j >= sources and j < BLEND:
            continue
        near = ((c * PREDICTORS + j) * 2 + (y & 1)) * stride + now
        above = ((c * PREDICTORS + j) * 2 + 1 - (y & 1)) * stride + now
        e = 2 * (np.int64(errors[near - 1]) + np.int64(errors[above]))
        e += np.int64(errors[above + 1]) + np.int64(errors[above - 1]) + np.int64(errors[near - 2])
        scales[j] = tables[WEIGHTS + min(e, 32767)]
        if j < BLEND:
            weight = np.int64(tables[min(e >> 3, WEIGHTS - 1)])
            total += weight
            weighted += weight * means[j]
    means[BLEND] = (weighted + (total >> 1)) // total
    if sources <= LEAST_SQUARES:
        means[LEAST_SQUARES] = means[MED]
        scales[LEAST_SQUARES] = scales[MED]

    fitted = (means[LEAST_SQUARES] + 8) >> 4
    for k in range(len(contexts)):
        i = contexts[k]
        if i == 3:
            value = a | b << 8 if c else fitted | w << 8
        elif i == 0:
            value = a | b << 8 | fitted << 16 if c else means[BLEND] >> 2 | scales[BLEND] << 12
        elif i == 5:
            value = a | w << 8 | aw << 16 if c else w | np.int64(px[p - 2]) << 8
        else:
            value = a | n << 8 | an << 16 if c else fitted
        hashes[k] = hashed((c * IDS + i) * 0x1F123BB5 & 0xFFFFFFFF, value)


@compiled
def update_errors(means: Int64, errors: Int32, sources: int, stride: int, c: int, x: int, y: int, value: int) -> None:
    """Take in how far each prediction was from a sample.

    - means, errors, sources: of a FastFeatures
    - stride: numbers of a row of errors
    - c, x, y: the sample's channel, column and row
    - value: the sample
    """
    now = PAD + x
    for j in range(PREDICTORS):
        if j >= sources and j < BLEND:
            continue
        e = abs(16 * value - means[j])
        near = ((c * PREDICTORS + j) * 2 + (y & 1)) * stride
        errors[near + now] = e
        if now == stride - PAD - 1:
            errors[near + now + 1] = e
        if x == 0:
            # left of the next row stands the first error of this one
            above = ((c * PREDICTORS + j) * 2 + 1 - (y & 1)) * stride
            errors[above + PAD - 1] = e
            errors[above + PAD - 2] = e
