"""Features of a coefficient: what its neighbours, the edges of its block and other components say about it.

blocks to the left and above, this block's higher frequencies, other components, edges
    --> inputs of two fits --> mean and size expected --> features F --> contexts (contexts.py)
"""

from __future__ import annotations

import numpy as np

from rdzip.exact.compiled import compiled, inlined
from rdzip.exact.types import Float64
from rdzip.models.dct_mixing.expectation import LEFT, TOP
from rdzip.models.dct_mixing.features import F
from rdzip.models.dct_mixing.surroundings import Surroundings, own
from rdzip.models.dct_mixing.tables import log_class, rounded_down, signed_class


@inlined
def describe(
    s: Surroundings,
    of_mean: Float64,
    k: int,
    reference: int,
    base: int,
    x: int,
    y: int,
    columns: int,
    end: int,
    count: int,
) -> None:
    """Fill the features that do not ask for the coefficient itself.

    - s: the surroundings
    - of_mean: inputs of the mean
    - k, reference: place in zigzag order, and what the coefficient is coded relative to
    - base, x, y, columns: the block's first place, column, row, columns
    - end, count: place of the block's last coefficient that is not 0, and how many are not 0 so far
    """
    f, t = s.features, s.logarithms
    place = s.zigzag[k]
    v, u = place >> 3, place & 7
    mu, size = s.values[0], s.values[1]
    sign = -1.0 if mu < 0.0 else 1.0
    here, above = own(y, columns, x), own(y + 1, columns, x)
    zeros = len(s.blocks) - 64
    in64 = int(size * 64.0)
    f[F.K] = k
    f[F.END] = end
    f[F.END4] = end >> 2
    f[F.TO_END] = min(end - k, 31)
    f[F.SIZE4] = log_class(t, in64, 2, 60)
    f[F.SIZE2] = log_class(t, in64, 1, 31)
    f[F.SIZE1] = log_class(t, in64, 0, 15)
    f[F.SIZE_FINE] = log_class(t, int(size * 256.0), 2, 63) + (64 if k < 6 else 0)
    f[F.RATIO] = log_class(t, int(abs(mu) / size * 8.0), 1, 15) if k else 0
    f[F.LOCAL_RATIO] = log_class(t, int(abs(s.values[2]) / size * 8.0), 1, 15)
    f[F.MEAN] = log_class(t, int(abs(mu) * 16.0), 1, 63)
    w, n = abs(int(of_mean[2])), abs(int(of_mean[3]))
    nw, ne = abs(int(of_mean[4])), abs(int(of_mean[5]))
    near = 2 * (w + n) + nw + ne
    near += abs(int(np.int64(s.blocks[(base - 128 if x > 1 else zeros) + place])))
    near += abs(int(np.int64(s.blocks[(base - 128 * columns if y > 1 else zeros) + place])))
    f[F.W] = min(w, 7)
    f[F.N] = min(n, 7)
    f[F.NW] = min(nw, 7)
    f[F.NE] = min(ne, 7)
    f[F.W3] = min(w, 3)
    f[F.N3] = min(n, 3)
    f[F.NEAR4] = log_class(t, near, 2, 63)
    f[F.NEAR2] = log_class(t, near, 1, 31)
    f[F.DOWN] = min(abs(int(of_mean[6])), 7)
    f[F.RIGHT] = min(abs(int(of_mean[7])), 7)
    f[F.DIAGONAL] = min(abs(int(of_mean[10])), 3)
    f[F.BLOCK3] = log_class(t, f[F.DOWN] + f[F.RIGHT] + f[F.DIAGONAL], 1, 15)
    f[F.SUM] = log_class(t, s.sums[here], 1, 31)
    f[F.COUNT] = count
    left = rounded_down(of_mean[LEFT], 8.0)
    top = rounded_down(of_mean[TOP], 8.0)
    f[F.LEFT] = log_class(t, abs(left), 1, 31)
    f[F.TOP] = log_class(t, abs(top), 1, 31)
    f[F.APART] = log_class(t, abs(rounded_down(of_mean[LEFT] - of_mean[TOP], 8.0)), 1, 31)
    f[F.A] = log_class(t, abs(rounded_down(of_mean[11], 4.0)), 1, 31)
    f[F.B] = log_class(t, abs(rounded_down(of_mean[12], 4.0)), 1, 31)
    row = column = 0
    for i in range(u + 1, 8):
        row += abs(int(np.int64(s.blocks[base + 8 * v + i])))
    for i in range(v + 1, 8):
        column += abs(int(np.int64(s.blocks[base + 8 * i + u])))
    f[F.ROW] = log_class(t, row, 1, 31)
    f[F.COLUMN] = log_class(t, column, 1, 31)
    f[F.END_W] = s.ends[here - 1] >> 2
    f[F.END_N] = s.ends[above] >> 2
    f[F.SUM_W] = log_class(t, s.sums[here - 1], 1, 15)
    f[F.SUM_N] = log_class(t, s.sums[above], 1, 15)
    if k == 0:
        f[F.FRACTION] = int((mu - np.float64(reference)) * 16.0 + 8.5)
        f[F.ERROR_W] = log_class(t, s.errors[here - 1], 1, 31)
        f[F.ERROR_N] = log_class(t, s.errors[above], 1, 31)
        f[F.ERRORS] = log_class(t, s.errors[here - 1] + s.errors[above], 1, 31)
        f[F.SLOPES] = log_class(
            t, abs(int(np.int64(s.blocks[base + 1]))) + abs(int(np.int64(s.blocks[base + 8]))), 1, 31
        )
        f[F.SIGN_LEFT] = signed_class(t, rounded_down(of_mean[LEFT] - mu, 4.0))
        f[F.SIGN_TOP] = signed_class(t, rounded_down(of_mean[TOP] - mu, 4.0))
    else:
        f[F.SIGN_RATIO] = log_class(t, int(abs(mu) / size * 16.0), 2, 63)
        f[F.SIGN_MEAN] = log_class(t, int(abs(mu) * 32.0), 2, 63)
        f[F.SIGN_LEFT] = signed_class(t, rounded_down(sign * of_mean[LEFT], 8.0))
        f[F.SIGN_TOP] = signed_class(t, rounded_down(sign * of_mean[TOP], 8.0))
        f[F.SIGNS_NEAR] = _sign(sign * of_mean[2]) * 3 + _sign(sign * of_mean[3])
        f[F.SIGNS_BLOCK] = _sign(sign * of_mean[6]) * 3 + _sign(sign * of_mean[7])
        f[F.SIGNS_BLOCK] = (f[F.SIGNS_BLOCK] * 3 + _sign(sign * of_mean[8])) * 3 + _sign(sign * of_mean[9])
        f[F.SIGN_A] = signed_class(t, rounded_down(sign * of_mean[11], 8.0))
        f[F.SIGN_B] = signed_class(t, rounded_down(sign * of_mean[12], 8.0))
        f[F.SIGN_LOCAL] = signed_class(t, rounded_down(sign * s.values[2] / size, 16.0))


@compiled
def _sign(v: float) -> int:
    """0, 1, 2 for what is below 0, 0, above 0."""
    return 1 + (1 if v > 0.0 else 0) - (1 if v < 0.0 else 0)
