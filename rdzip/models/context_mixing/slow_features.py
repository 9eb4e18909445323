"""What the samples coded so far say of the next one: predictions, how far to trust each, and hashed contexts."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rdzip.exact.compiled import compiled
from rdzip.models.shared.template import PAD

Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]

PREDICTORS = 13
"""Two of least squares, the blend of all, nine simple ones, the network's mean."""
BLEND = 2
NETWORK = 12
PARITY, ACTIVITY = 19, 20
"""Features that choose weights, too."""
CONTEXT_FEATURES = 4
FEATURES = 37
_C0 = [
    (1, 2), (1, 2, 3), (1, 2, 4), (1, 9, 11), (2, 10, 12), (16,), (17,), (18,), (13, 1), (13, 2), (13, 14), (15, 28),
    (22, 23), (21, 20), (1, 5), (2, 6), (1, 2, 13), (29,), (15, 20), (18, 19), (0,), (30, 31), (9, 11, 1, 13), (4, 13),
    (36,), (14, 34), (32, 22), (33, 14),
]  # fmt: skip
_C1 = [
    (7, 8), (7, 8, 1), (7, 8, 2), (7, 8, 13), (7, 8, 15), (16,), (17,), (18,), (7, 1, 9), (7, 2, 10), (13, 14),
    (7, 22, 23), (7, 8, 22), (21, 20), (24, 25, 1), (26, 27, 2), (7, 8, 1, 2), (8, 13), (15, 20), (18, 19), (0,),
    (8, 11, 1), (7, 8, 13, 19), (7, 15), (36,), (14, 34), (7, 8, 14), (7, 8, 35),
]  # fmt: skip
CONTEXTS = len(_C0)


def context_table() -> Int64:
    """Features of each context, int64 [3 channels * CONTEXTS * CONTEXT_FEATURES], 0 for none."""
    rows = [(list(c) + [0] * CONTEXT_FEATURES)[:CONTEXT_FEATURES] for table in (_C0, _C1, _C1) for c in table]
    return np.array(rows, np.int64).reshape(-1)


@lru_cache(maxsize=1)
def scale_index_table() -> Int32:
    """Index 0..15 of a sum of errors e, int32 [32768]: 2 log2((e + 12) / 12), rounded down."""
    return np.array([min(15, ((e + 12) ** 2 // 144).bit_length() - 1) for e in range(1 << 15)], np.int32)


class View(NamedTuple):
    """What is known of one sample. means int64 [PREDICTORS] in 1/16; scales int64 [PREDICTORS] 0..15; features int64
    [FEATURES]; hashes int64 [CONTEXTS]; errors int32 [channels, PREDICTORS, 2 rows, width + 2 PAD] in 1/16.
    """

    means: Int64
    scales: Int64
    features: Int64
    hashes: Int64
    errors: NDArray[np.int32]
    table: Int64
    scale_index: Int32

    @classmethod
    def of(cls, channels: int, width: int) -> View:
        """An empty view for an image."""
        return cls(
            np.zeros(PREDICTORS, np.int64),
            np.zeros(PREDICTORS, np.int64),
            np.zeros(FEATURES, np.int64),
            np.zeros(CONTEXTS, np.int64),
            np.zeros((channels, PREDICTORS, 2, width + 2 * PAD), np.int32),
            context_table(),
            scale_index_table(),
        )


@compiled
def hashed(h: int, value: int) -> int:
    """A hash of 32 bits with a value taken in."""
    h = ((h ^ (value & 0xFFFFFFFF)) * 0x2F0B4C47 + 0x1B873593) & 0xFFFFFFFF
    return h ^ (h >> 15)


@compiled
def clipped(v: int) -> int:
    """v within 0..255."""
    return min(max(v, 0), 255)


@compiled
def look(view: View, px: Int32, plane: int, stride: int, channels: int, c: int, x: int, y: int, at: int) -> None:
    """Fill the view of a sample; the means of least squares and of the network are there already."""
    mu, qs, f = view.means, view.scales, view.features
    p = c * plane + at
    w = np.int64(px[p - 1])
    n = np.int64(px[p - stride])
    nw = np.int64(px[p - stride - 1])
    ne = np.int64(px[p - stride + 1])
    ww = np.int64(px[p - 2])
    nn = np.int64(px[p - 2 * stride])
    nne = np.int64(px[p - 2 * stride + 1])
    pa = (0 if c else min(1, channels - 1)) * plane + at
    pb = (2 if c == 1 else min(2, channels - 1) if c == 0 else 1) * plane + at
    aw = np.int64(px[pa - 1])
    an = np.int64(px[pa - stride])
    anw = np.int64(px[pa - stride - 1])
    ane = np.int64(px[pa - stride + 1])
    bw = np.int64(px[pb - 1])
    bn = np.int64(px[pb - stride])
    a = np.int64(px[pa]) if c > 0 else 0
    b = np.int64(px[pb]) if c > 1 else 0
    if c == 0:
        mu[3] = max(min(w, n), min(max(w, n), w + n - nw)) * 16
        f[22] = clipped(w + n - nw)
        f[23] = clipped(n + ne - nne)
        mu[4] = f[22] * 16
        mu[5] = f[23] * 16
        mu[6] = clipped(2 * w - ww) * 16
        mu[7] = clipped(2 * n - nn) * 16
        mu[8] = 4 * (w + n + ne + nw)
        mu[9] = clipped(w + ne - n) * 16
    else:
        dw = w - aw
        dn = n - an
        mu[3] = clipped(a + max(min(dw, dn), min(max(dw, dn), dw + dn - nw + anw))) * 16
        f[22] = clipped(a + dw)
        f[23] = clipped(a + dn)
        mu[4] = f[22] * 16
        mu[5] = f[23] * 16
        if c == 1:
            mu[6] = clipped(a + 2 * dw - ww + np.int64(px[pa - 2])) * 16
            mu[7] = clipped(a + 2 * dn - nn + np.int64(px[pa - 2 * stride])) * 16
        else:
            mu[6] = clipped(b + w - bw) * 16
            mu[7] = clipped(b + n - bn) * 16
        mu[8] = clipped(a + ((dw + dn + ne - ane + nw - anw + 2) >> 2)) * 16
        mu[9] = clipped(a + dw + ne - ane - dn) * 16
    mu[10] = 16 * w
    mu[11] = 16 * n

    now = PAD + x
    total = 0
    weighted = 0
    for j in range(PREDICTORS):
        here = view.errors[c, j, y & 1]
        above = view.errors[c, j, 1 - (y & 1)]
        e = 2 * (here[now - 1] + above[now]) + above[now + 1] + above[now - 1] + here[now - 2]
        qs[j] = view.scale_index[min(e, 32767)]
        if j != BLEND:
            weight = 1000000000 // ((e + 14) * (e + 14))
            total += weight
            weighted += weight * mu[j]
    mu[BLEND] = (weighted + (total >> 1)) // total

    active = abs(w - nw) + abs(n - nw) + abs(n - ne) + abs(w - ww) + abs(n - nn)
    f[1] = w
    f[2] = n
    f[3] = nw
    f[4] = ne
    f[5] = ww
    f[6] = nn
    f[7] = a
    f[8] = b
    f[9] = aw
    f[10] = an
    f[11] = bw
    f[12] = bn
    f[13] = (mu[0] + 8) >> 4
    f[14] = (mu[1] + 8) >> 4
    f[15] = (mu[BLEND] + 8) >> 4
    f[16] = (mu[0] >> 2) | (qs[0] << 12)
    f[17] = (mu[1] >> 2) | (qs[1] << 12)
    f[18] = (mu[BLEND] >> 2) | (qs[BLEND] << 12)
    f[19] = (x & 1) * 2 + (y & 1)
    f[20] = view.scale_index[3 * active]
    f[21] = mu[3] >> 4
    f[24] = a - aw
    f[25] = b - bw
    f[26] = a - an
    f[27] = b - bn
    f[28] = (w + n) >> 1
    f[29] = (w >> 2) | (n >> 2) << 6 | (nw >> 2) << 12 | (ne >> 2) << 18
    f[30] = clipped(2 * w - ww)
    f[31] = clipped(2 * n - nn)
    f[32] = mu[8] >> 4
    f[33] = w + ne - n
    f[34] = qs[0] | qs[1] << 4
    f[35] = (mu[NETWORK] + 8) >> 4
    f[36] = (mu[NETWORK] >> 2) | (qs[NETWORK] << 12)

    k = c * CONTEXTS * CONTEXT_FEATURES
    for i in range(CONTEXTS):
        h = hashed(c, i)
        for _ in range(CONTEXT_FEATURES):
            g = view.table[k]
            k += 1
            if g:
                h = hashed(h, f[g])
        view.hashes[i] = h


@compiled
def note_errors(view: View, c: int, x: int, y: int, width: int, value: int) -> None:
    """Take in how far each prediction was from the value."""
    now = PAD + x
    for j in range(PREDICTORS):
        e = abs(16 * value - view.means[j])
        here = view.errors[c, j, y & 1]
        here[now] = e
        if x == width - 1:
            here[now + 1] = e
        if x == 0:
            above = view.errors[c, j, 1 - (y & 1)]
            # left of the next row stands the first error of this one
            above[PAD - 1] = e
            above[PAD - 2] = e
