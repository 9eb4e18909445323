"""Features of a sample for the slow mixer: predictions, how far to trust each, and hashes of contexts.

samples coded so far --> 13 predictions --> errors nearby --> blend of the predictions
                |                                |                |
                +-----------> features F <-------+----------------+
                                  |
                28 lists of features (CONTEXTS) --> hashes
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rdzip.exact.compiled import compiled
from rdzip.models.context_mixing.tables import clipped, scale_index_table
from rdzip.models.shared.hashing import hashed
from rdzip.models.shared.template import PAD

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]

LS_NEAR, LS_WIDE, BLEND, MED, GRADIENT, GRADIENT_NE, LINE_W, LINE_N, AVERAGE, PLANE, WEST, NORTH, NETWORK = range(13)
"""Predictions: of least squares that forget soon and late, the blend of all, median edge detection, gradients, lines
through two neighbours, a mean, a plane, the neighbours themselves, the network's mean."""
PREDICTORS = 13


class F(IntEnum):
    """Features; A and B are the other planes of the pixel, as far as they are known."""

    NONE = 0
    W = 1
    N = 2
    NW = 3
    NE = 4
    WW = 5
    NN = 6
    A = 7
    B = 8
    A_W = 9
    A_N = 10
    B_W = 11
    B_N = 12
    LS_NEAR = 13
    LS_WIDE = 14
    BLEND = 15
    LS_NEAR_TRUST = 16  # the prediction in 1/4, and its scale of errors
    LS_WIDE_TRUST = 17
    BLEND_TRUST = 18
    PARITY = 19
    ACTIVITY = 20
    MED = 21
    GRADIENT = 22
    GRADIENT_NE = 23
    STEP_A_W = 24  # A - A_W, and so on
    STEP_B_W = 25
    STEP_A_N = 26
    STEP_B_N = 27
    MEAN = 28
    COARSE = 29  # four neighbours, 6 bits of each
    LINE_W = 30
    LINE_N = 31
    AVERAGE = 32
    PLANE = 33
    SCALES = 34
    NETWORK = 35
    NETWORK_TRUST = 36


CONTEXT_FEATURES = 4
"""Features of a context at most."""
_FIRST = (
    "W N, W N NW, W N NE, W A_W B_W, N A_N B_N, LS_NEAR_TRUST, LS_WIDE_TRUST, BLEND_TRUST, LS_NEAR W, LS_NEAR N, "
    "LS_NEAR LS_WIDE, BLEND MEAN, GRADIENT GRADIENT_NE, MED ACTIVITY, W WW, N NN, W N LS_NEAR, COARSE, BLEND ACTIVITY, "
    "BLEND_TRUST PARITY, NONE, LINE_W LINE_N, A_W B_W W LS_NEAR, NE LS_NEAR, NETWORK_TRUST, LS_WIDE SCALES, "
    "AVERAGE GRADIENT, PLANE LS_WIDE"
)
_LATER = (
    "A B, A B W, A B N, A B LS_NEAR, A B BLEND, LS_NEAR_TRUST, LS_WIDE_TRUST, BLEND_TRUST, A W A_W, A N A_N, "
    "LS_NEAR LS_WIDE, A GRADIENT GRADIENT_NE, A B GRADIENT, MED ACTIVITY, STEP_A_W STEP_B_W W, STEP_A_N STEP_B_N N, "
    "A B W N, B LS_NEAR, BLEND ACTIVITY, BLEND_TRUST PARITY, NONE, B B_W W, A B LS_NEAR PARITY, A BLEND, "
    "NETWORK_TRUST, LS_WIDE SCALES, A B LS_WIDE, A B NETWORK"
)
"""Contexts of the first plane and of the later ones, each a list of features."""
CONTEXTS = 28


def context_table() -> Int64:
    """Features of each context, int64 [3 channels * CONTEXTS * CONTEXT_FEATURES], F.NONE for none."""
    rows = [context.split() for plane in (_FIRST, _LATER, _LATER) for context in plane.split(", ")]
    return np.array([[F[name] for name in (row + ["NONE"] * 3)[:CONTEXT_FEATURES]] for row in rows], np.int64).ravel()


class SlowFeatures(NamedTuple):
    """Features of one sample, and the errors that they come from.

    - means: int64 [PREDICTORS], predictions in 1/16
    - scales: int64 [PREDICTORS], how far off each was nearby, as an index 0..15
    - features: int64 [len(F)]
    - hashes: int64 [CONTEXTS]
    - errors: int32 [channels, PREDICTORS, 2 rows, width + 2 PAD], of predictions in 1/16
    - table, scale_index: of `context_table` and `scale_index_table`
    """

    means: Int64
    scales: Int64
    features: Int64
    hashes: Int64
    errors: NDArray[np.int32]
    table: Int64
    scale_index: Int32

    @classmethod
    def of(cls, channels: int, width: int) -> SlowFeatures:
        """Those of an image of which nothing is coded."""
        return cls(
            np.zeros(PREDICTORS, np.int64),
            np.zeros(PREDICTORS, np.int64),
            np.zeros(len(F), np.int64),
            np.zeros(CONTEXTS, np.int64),
            np.zeros((channels, PREDICTORS, 2, width + 2 * PAD), np.int32),
            context_table(),
            scale_index_table(),
        )


@compiled
def compute_features(
    features: SlowFeatures, px: Int32, plane: int, stride: int, channels: int, c: int, x: int, y: int, at: int
) -> None:
    """Fill the features of a sample; the means of least squares and of the network are there already.

    - features: filled
    - px: samples of all planes
    - plane, stride, channels: numbers of a plane, and of a row, and how many planes there are
    - c, x, y: the sample's channel, column and row
    - at: the place of its pixel in the first plane
    """
    f = features.features
    _neighbours(f, px, plane, stride, channels, c, at)
    _simple_predictions(features.means, f, px, plane, stride, channels, c, at)
    _blend(features.means, features.scales, features.errors, features.scale_index, c, x, y)
    _describe(features.means, features.scales, f, features.scale_index, x, y)
    k = c * CONTEXTS * CONTEXT_FEATURES
    for i in range(CONTEXTS):
        h = hashed(c, i)
        for _ in range(CONTEXT_FEATURES):
            g = features.table[k]
            k += 1
            if g:
                h = hashed(h, f[g])
        features.hashes[i] = h


@compiled
def _others(channels: int, c: int) -> tuple[int, int]:
    """Planes A and B of a channel; those that are not known yet for what lies above and to the left."""
    a = 0 if c else min(1, channels - 1)
    b = 2 if c == 1 else min(2, channels - 1) if c == 0 else 1
    return a, b


@compiled
def _neighbours(f: Int64, px: Int32, plane: int, stride: int, channels: int, c: int, at: int) -> None:
    """Fill the features that are samples."""
    a, b = _others(channels, c)
    p, pa, pb = c * plane + at, a * plane + at, b * plane + at
    f[F.W] = px[p - 1]
    f[F.N] = px[p - stride]
    f[F.NW] = px[p - stride - 1]
    f[F.NE] = px[p - stride + 1]
    f[F.WW] = px[p - 2]
    f[F.NN] = px[p - 2 * stride]
    f[F.A] = px[pa] if c > 0 else 0
    f[F.B] = px[pb] if c > 1 else 0
    f[F.A_W] = px[pa - 1]
    f[F.A_N] = px[pa - stride]
    f[F.B_W] = px[pb - 1]
    f[F.B_N] = px[pb - stride]


@compiled
def _simple_predictions(
    means: Int64, f: Int64, px: Int32, plane: int, stride: int, channels: int, c: int, at: int
) -> None:
    """Fill the predictions by a few neighbours, of later planes with the differences from plane A."""
    w, n, nw, ne, ww, nn = f[F.W], f[F.N], f[F.NW], f[F.NE], f[F.WW], f[F.NN]
    if c == 0:
        f[F.GRADIENT] = clipped(w + n - nw)
        f[F.GRADIENT_NE] = clipped(n + ne - np.int64(px[at - 2 * stride + 1]))
        means[MED] = max(min(w, n), min(max(w, n), w + n - nw)) * 16
        means[LINE_W] = clipped(2 * w - ww) * 16
        means[LINE_N] = clipped(2 * n - nn) * 16
        means[AVERAGE] = 4 * (w + n + ne + nw)
        means[PLANE] = clipped(w + ne - n) * 16
    else:
        pa = _others(channels, c)[0] * plane + at
        a = f[F.A]
        dw = w - f[F.A_W]
        dn = n - f[F.A_N]
        dnw = nw - np.int64(px[pa - stride - 1])
        dne = ne - np.int64(px[pa - stride + 1])
        f[F.GRADIENT] = clipped(a + dw)
        f[F.GRADIENT_NE] = clipped(a + dn)
        means[MED] = clipped(a + max(min(dw, dn), min(max(dw, dn), dw + dn - dnw))) * 16
        if c == 1:
            means[LINE_W] = clipped(a + 2 * dw - ww + np.int64(px[pa - 2])) * 16
            means[LINE_N] = clipped(a + 2 * dn - nn + np.int64(px[pa - 2 * stride])) * 16
        else:
            means[LINE_W] = clipped(f[F.B] + w - f[F.B_W]) * 16
            means[LINE_N] = clipped(f[F.B] + n - f[F.B_N]) * 16
        means[AVERAGE] = clipped(a + ((dw + dn + dne + dnw + 2) >> 2)) * 16
        means[PLANE] = clipped(a + dw + dne - dn) * 16
    means[GRADIENT] = f[F.GRADIENT] * 16
    means[GRADIENT_NE] = f[F.GRADIENT_NE] * 16
    means[WEST] = 16 * w
    means[NORTH] = 16 * n


@compiled
def _blend(means: Int64, scales: Int64, errors: NDArray[np.int32], scale_index: Int32, c: int, x: int, y: int) -> None:
    """Fill the scales of all predictions and the blend, which weighs the others by the squares of errors nearby."""
    now = PAD + x
    total = 0
    weighted = 0
    for j in range(PREDICTORS):
        here = errors[c, j, y & 1]
        above = errors[c, j, 1 - (y & 1)]
        e = 2 * (here[now - 1] + above[now]) + above[now + 1] + above[now - 1] + here[now - 2]
        scales[j] = scale_index[min(e, 32767)]
        if j != BLEND:
            weight = 1000000000 // ((e + 14) * (e + 14))
            total += weight
            weighted += weight * means[j]
    means[BLEND] = (weighted + (total >> 1)) // total


@compiled
def _describe(means: Int64, scales: Int64, f: Int64, scale_index: Int32, x: int, y: int) -> None:
    """Fill the features that come from neighbours and predictions."""
    w, n, nw, ne = f[F.W], f[F.N], f[F.NW], f[F.NE]
    active = abs(w - nw) + abs(n - nw) + abs(n - ne) + abs(w - f[F.WW]) + abs(n - f[F.NN])
    f[F.LS_NEAR] = (means[LS_NEAR] + 8) >> 4
    f[F.LS_WIDE] = (means[LS_WIDE] + 8) >> 4
    f[F.BLEND] = (means[BLEND] + 8) >> 4
    f[F.NETWORK] = (means[NETWORK] + 8) >> 4
    f[F.LS_NEAR_TRUST] = (means[LS_NEAR] >> 2) | (scales[LS_NEAR] << 12)
    f[F.LS_WIDE_TRUST] = (means[LS_WIDE] >> 2) | (scales[LS_WIDE] << 12)
    f[F.BLEND_TRUST] = (means[BLEND] >> 2) | (scales[BLEND] << 12)
    f[F.NETWORK_TRUST] = (means[NETWORK] >> 2) | (scales[NETWORK] << 12)
    f[F.PARITY] = (x & 1) * 2 + (y & 1)
    f[F.ACTIVITY] = scale_index[3 * active]
    f[F.MED] = means[MED] >> 4
    f[F.STEP_A_W] = f[F.A] - f[F.A_W]
    f[F.STEP_B_W] = f[F.B] - f[F.B_W]
    f[F.STEP_A_N] = f[F.A] - f[F.A_N]
    f[F.STEP_B_N] = f[F.B] - f[F.B_N]
    f[F.MEAN] = (w + n) >> 1
    f[F.COARSE] = (w >> 2) | (n >> 2) << 6 | (nw >> 2) << 12 | (ne >> 2) << 18
    f[F.LINE_W] = clipped(2 * w - f[F.WW])
    f[F.LINE_N] = clipped(2 * n - f[F.NN])
    f[F.AVERAGE] = means[AVERAGE] >> 4
    f[F.PLANE] = w + ne - n
    f[F.SCALES] = scales[LS_NEAR] | scales[LS_WIDE] << 4


@compiled
def update_errors(features: SlowFeatures, c: int, x: int, y: int, width: int, value: int) -> None:
    """Take in how far each prediction was from a sample.

    - features: of the sample
    - c, x, y: its channel, column and row
    - width: columns of the picture
    - value: the sample
    """
    now = PAD + x
    for j in range(PREDICTORS):
        e = abs(16 * value - features.means[j])
        here = features.errors[c, j, y & 1]
        here[now] = e
        if x == width - 1:
            here[now + 1] = e
        if x == 0:
            above = features.errors[c, j, 1 - (y & 1)]
            # left of the next row stands the first error of this one
            above[PAD - 1] = e
            above[PAD - 2] = e
