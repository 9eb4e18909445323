"""What the samples coded so far say of the next one, in a few numbers: predictions, how far to trust each, contexts."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rdzip.exact.compiled import compiled
from rdzip.models.context_mixing.slow_features import clipped, hashed, scale_index_table
from rdzip.models.shared.template import PAD

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]

SIMPLE = 4
"""Predictions by two or three neighbours: median edge detection, W, N, and a mean or a line."""
FITTED, NETWORK, BLEND = SIMPLE, SIMPLE + 1, SIMPLE + 2
PREDICTORS = SIMPLE + 3
CONTEXTS = 8
WEIGHTS = 1024
"""Entries of the table of weights in the blend, by errors in 1/2."""


@lru_cache(maxsize=1)
def weight_table() -> Int32:
    """Weight of a prediction by the sum of its errors e in 1/2, int32 [WEIGHTS]: 2**26 / (2 e + 3)**2, rounded down."""
    return np.array([(1 << 26) // (2 * e + 3) ** 2 for e in range(WEIGHTS)], np.int32)


class View(NamedTuple):
    """What is known of one sample. means, scales int64 [PREDICTORS]: predictions in 1/16, and how far off they were, as
    an index 0..15; chosen int64 [k]: contexts that are asked, by number; contexts int64 [CONTEXTS]: what they are;
    hashes int64 [k]: of the chosen ones; errors int32 [channels, PREDICTORS, 2 rows, width + 2 PAD] in 1/16, flat;
    tables int32: of weights, then of scales.
    """

    means: Int64
    scales: Int64
    chosen: Int64
    contexts: Int64
    hashes: Int64
    errors: Int32
    tables: Int32

    @classmethod
    def of(cls, channels: int, width: int, chosen: tuple[int, ...]) -> View:
        """An empty view for an image."""
        return cls(
            np.zeros(PREDICTORS, np.int64),
            np.zeros(PREDICTORS, np.int64),
            np.array(chosen, np.int64),
            np.zeros(CONTEXTS, np.int64),
            np.zeros(len(chosen), np.int64),
            np.zeros(channels * PREDICTORS * 2 * (width + 2 * PAD), np.int32),
            np.concatenate([weight_table(), scale_index_table()]),
        )


@compiled
def look(
    means: Int64,
    scales: Int64,
    chosen: Int64,
    contexts: Int64,
    hashes: Int64,
    errors: Int32,
    tables: Int32,
    px: Int32,
    plane: int,
    stride: int,
    c: int,
    x: int,
    y: int,
    at: int,
    sources: int,
) -> None:
    """Fill the view of a sample; the means of the fitted predictor and of the network are there already.

    sources: predictions that there are, SIMPLE of the simple ones and up to two more.
    """
    p = c * plane + at
    w = np.int64(px[p - 1])
    n = np.int64(px[p - stride])
    nw = np.int64(px[p - stride - 1])
    ne = np.int64(px[p - stride + 1])
    ww = np.int64(px[p - 2])
    nn = np.int64(px[p - 2 * stride])
    a = 0
    b = 0
    if c == 0:
        sides_w = w
        sides_n = n
        means[0] = max(min(w, n), min(max(w, n), w + n - nw)) * 16
        means[1] = clipped(w + ((ne - n) >> 1)) * 16
        means[2] = clipped(2 * n - nn) * 16
        means[3] = 4 * (w + n + ne + nw)
    else:
        a = np.int64(px[at])
        aw = np.int64(px[at - 1])
        an = np.int64(px[at - stride])
        dw = w - aw
        dn = n - an
        sides_w = clipped(a + dw)
        sides_n = clipped(a + dn)
        means[0] = clipped(a + max(min(dw, dn), min(max(dw, dn), dw + dn - nw + np.int64(px[at - stride - 1])))) * 16
        means[1] = sides_w * 16
        means[2] = sides_n * 16
        if c == 1:
            means[3] = clipped(a + ((dw + dn) >> 1)) * 16
        else:
            b = np.int64(px[plane + at])
            means[3] = (
                clipped(b + ((w - np.int64(px[plane + at - 1]) + n - np.int64(px[plane + at - stride])) >> 1)) * 16
            )

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
    if sources <= FITTED:
        means[FITTED] = means[0]
        scales[FITTED] = scales[0]
    if sources <= NETWORK:
        means[NETWORK] = means[FITTED]
        scales[NETWORK] = scales[FITTED]

    fitted = (means[FITTED] + 8) >> 4
    fine = means[FITTED] >> 2 | scales[FITTED] << 12
    blend = means[BLEND] >> 2 | scales[BLEND] << 12
    network = means[NETWORK] >> 2 | scales[NETWORK] << 12
    if c == 0:
        contexts[0] = blend
        contexts[1] = w | n << 8
        contexts[2] = means[0] >> 4 | clipped(n + ne - np.int64(px[p - 2 * stride + 1])) << 8
        contexts[3] = fitted | w << 8
        contexts[4] = fine
        contexts[5] = w | ww << 8
        contexts[6] = fitted
        contexts[7] = network
    else:
        contexts[0] = a | b << 8 | fitted << 16
        contexts[1] = blend
        contexts[2] = a | sides_w << 8 | sides_n << 16
        contexts[3] = a | b << 8
        contexts[4] = fine
        contexts[5] = a | w << 8 | np.int64(px[at - 1]) << 16
        contexts[6] = a | n << 8 | np.int64(px[at - stride]) << 16
        contexts[7] = network
    for k in range(len(chosen)):
        i = chosen[k]
        hashes[k] = hashed((c * CONTEXTS + i) * 0x1F123BB5 & 0xFFFFFFFF, contexts[i])


@compiled
def note_errors(means: Int64, errors: Int32, stride: int, c: int, x: int, y: int, value: int, sources: int) -> None:
    """Take in how far each prediction was from the value."""
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
