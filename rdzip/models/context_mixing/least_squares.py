"""Linear prediction by weighted least squares over what has been coded, fitted anew for each sample.

The window of a sample is the rows above, within RADIUS columns and with weights that fall row by row, and its own row
to the left, with weights that fall pixel by pixel. Sums of products are kept per column (rows above) and per row, so
that a window costs a few vector additions whatever its size. All fits of a pixel are solved at once, in LANES beside
each other; those with fewer inputs have others that are always 0, which changes no result. Float64 with + - * / in the
order written here, so the predictions are the same everywhere (docs/explanation/exactness.md). After Li & Orchard 2001
("Edge-directed prediction for lossless compression of natural images"), who weigh no samples, and Ye & Hou 2008 on
recursive forms.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rdzip.exact.compiled import compiled

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

RADIUS = 6
RIDGE = 4.0
DECAYS = ((0.8, 0.9), (0.94, 0.97))
"""Decay from row to row and from pixel to pixel of each predictor of a channel."""
INPUT_COUNTS = ((12, 0, 3), (10, 5, 3), (10, 4, 0))
"""Neighbours that a plane sees in itself, in each earlier plane (besides the current sample), in each later one."""
NEAREST = (
    (0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0), (-2, 1), (-2, -1), (-1, -2), (-1, 2), (0, -3), (-3, 0)
)  # fmt: skip
CHANNELS = 4
"""Channels that there is room for, one of them for the sake of vectors."""
LANES = 2 * CHANNELS
"""Fits: channel c with the first decays in lane c, with the second ones in lane CHANNELS + c."""


class Fits(NamedTuple):
    """State of all predictors; n inputs of the channel with most, m = n + 1 with the target, t = m (m + 1) / 2.

    offsets, planes int64 [channels, n]: where the inputs are; counts int64 [channels]: how many. Float64: columns
    [w, t, LANES]: sums of the rows above; above, left [t, LANES]: sums within the window; row [w, m, CHANNELS]: inputs
    of this row; work [t, LANES]; weights [n, LANES]; inverse [LANES].
    """

    offsets: Int64
    planes: Int64
    counts: Int64
    columns: Float64
    above: Float64
    left: Float64
    row: Float64
    work: Float64
    weights: Float64
    inverse: Float64

    @classmethod
    def of(cls, channels: int, width: int, stride: int) -> Fits:
        """Empty states for planes with a stride."""
        inputs = [_inputs(channels, c) for c in range(channels)]
        n = max(map(len, inputs))
        t = (n + 1) * (n + 2) // 2
        offsets, planes = np.zeros((2, channels, n), np.int64)
        for c, found in enumerate(inputs):
            planes[c, : len(found)] = [q for q, _ in found]
            offsets[c, : len(found)] = [dy * stride + dx for _, (dy, dx) in found]
        return cls(
            offsets,
            planes,
            np.array([len(found) for found in inputs], np.int64),
            np.zeros((width, t, LANES)),
            np.zeros((t, LANES)),
            np.zeros((t, LANES)),
            np.zeros((width, n + 1, CHANNELS)),
            np.zeros((t, LANES)),
            np.zeros((n, LANES)),
            np.zeros(LANES),
        )


def _inputs(channels: int, c: int) -> list[tuple[int, tuple[int, int]]]:
    """Planes and places of the inputs of a channel."""
    own, earlier, later = INPUT_COUNTS[c]
    inputs: list[tuple[int, tuple[int, int]]] = [(c, place) for place in NEAREST[:own]]
    for q in range(channels):
        if q < c:
            inputs += [(q, place) for place in ((0, 0), *NEAREST[:earlier])]
        elif q > c:
            inputs += [(q, place) for place in NEAREST[:later]]
    return inputs


@compiled
def _add(total: Float64, part: Float64) -> None:
    for i in range(len(total)):
        total[i] += part[i]


@compiled
def _exchange(total: Float64, entering: Float64, leaving: Float64) -> None:
    for i in range(len(total)):
        total[i] = total[i] + entering[i] - leaving[i]


@compiled
def _accumulate(total: Float64, u: Float64, d: float, e: float) -> None:
    """total [t, LANES] = decay * total + u u^T, upper triangle row by row; d, e: decays of the halves of the lanes."""
    k = 0
    for i in range(len(u)):
        a0, a1, a2, a3 = u[i, 0], u[i, 1], u[i, 2], u[i, 3]
        for j in range(i, len(u)):
            p0, p1, p2, p3 = a0 * u[j, 0], a1 * u[j, 1], a2 * u[j, 2], a3 * u[j, 3]
            t0, t1, t2, t3 = total[k, 0], total[k, 1], total[k, 2], total[k, 3]
            t4, t5, t6, t7 = total[k, 4], total[k, 5], total[k, 6], total[k, 7]
            total[k, 0], total[k, 1], total[k, 2], total[k, 3] = d * t0 + p0, d * t1 + p1, d * t2 + p2, d * t3 + p3
            total[k, 4], total[k, 5], total[k, 6], total[k, 7] = e * t4 + p0, e * t5 + p1, e * t6 + p2, e * t7 + p3
            k += 1


@compiled
def _eliminate(target: Float64, a: Float64, b: Float64) -> None:
    """Subtract from the rest of a row what makes its first element 0. a, b: the pivot, and the row's element in it."""
    f0, f1, f2, f3 = b[0, 0] * a[0], b[0, 1] * a[1], b[0, 2] * a[2], b[0, 3] * a[3]
    f4, f5, f6, f7 = b[0, 4] * a[4], b[0, 5] * a[5], b[0, 6] * a[6], b[0, 7] * a[7]
    for j in range(len(target)):
        s0, s1, s2, s3 = f0 * b[j, 0], f1 * b[j, 1], f2 * b[j, 2], f3 * b[j, 3]
        s4, s5, s6, s7 = f4 * b[j, 4], f5 * b[j, 5], f6 * b[j, 6], f7 * b[j, 7]
        t0, t1, t2, t3 = target[j, 0], target[j, 1], target[j, 2], target[j, 3]
        t4, t5, t6, t7 = target[j, 4], target[j, 5], target[j, 6], target[j, 7]
        target[j, 0], target[j, 1], target[j, 2], target[j, 3] = t0 - s0, t1 - s1, t2 - s2, t3 - s3
        target[j, 4], target[j, 5], target[j, 6], target[j, 7] = t4 - s4, t5 - s5, t6 - s6, t7 - s7


@compiled
def _substitute(row: Float64, w: Float64) -> None:
    """First weight in w [inputs, LANES] from the later ones and the row of the matrix."""
    n = len(w)
    s0, s1, s2, s3 = row[n, 0], row[n, 1], row[n, 2], row[n, 3]
    s4, s5, s6, s7 = row[n, 4], row[n, 5], row[n, 6], row[n, 7]
    for j in range(1, n):
        s0, s1 = s0 - row[j, 0] * w[j, 0], s1 - row[j, 1] * w[j, 1]
        s2, s3 = s2 - row[j, 2] * w[j, 2], s3 - row[j, 3] * w[j, 3]
        s4, s5 = s4 - row[j, 4] * w[j, 4], s5 - row[j, 5] * w[j, 5]
        s6, s7 = s6 - row[j, 6] * w[j, 6], s7 - row[j, 7] * w[j, 7]
    s0, s1, s2, s3 = s0 / row[0, 0], s1 / row[0, 1], s2 / row[0, 2], s3 / row[0, 3]
    s4, s5, s6, s7 = s4 / row[0, 4], s5 / row[0, 5], s6 / row[0, 6], s7 / row[0, 7]
    w[0, 0], w[0, 1], w[0, 2], w[0, 3] = s0, s1, s2, s3
    w[0, 4], w[0, 5], w[0, 6], w[0, 7] = s4, s5, s6, s7


@compiled
def _solve(a: Float64, w: Float64, inverse: Float64) -> None:
    """Weights w [n, LANES] from the upper triangle of the normal equations a [t, LANES], which is overwritten."""
    n = len(w)
    first = 0
    for k in range(n):
        size = n + 1 - k
        for lane in range(LANES):
            inverse[lane] = 1.0 / a[first, lane]
        at = first + size
        for i in range(1, n - k):
            _eliminate(a[at : at + size - i], inverse, a[first + i : first + size])
            at += size - i
        first += size
    for i in range(n - 1, -1, -1):
        first -= n + 1 - i
        _substitute(a[first : first + n + 1 - i], w[i:])


@compiled
def start_row(fits: Fits) -> None:
    """Prepare the fits for the first sample of a row."""
    fits.left[:] = 0.0
    fits.above[:] = 0.0
    for x in range(min(RADIUS, len(fits.columns))):
        _add(fits.above.reshape(-1), fits.columns[x].reshape(-1))


@compiled
def fit(fits: Fits, x: int) -> None:
    """Find the weights of all predictors of the pixel in column x."""
    width = len(fits.columns)
    entering = x + RADIUS
    leaving = x - RADIUS - 1
    above = fits.above.reshape(-1)
    if entering < width and leaving >= 0:
        _exchange(above, fits.columns[entering].reshape(-1), fits.columns[leaving].reshape(-1))
    elif entering < width:
        _add(above, fits.columns[entering].reshape(-1))
    elif leaving >= 0:
        old = fits.columns[leaving].reshape(-1)
        for i in range(len(above)):
            above[i] -= old[i]
    if leaving >= 0:
        _accumulate(fits.columns[leaving], fits.row[leaving], DECAYS[0][0], DECAYS[1][0])
    left = fits.left.reshape(-1)
    work = fits.work.reshape(-1)
    for i in range(len(work)):
        work[i] = above[i] + left[i]
    n = len(fits.weights)
    k = 0
    for i in range(n):
        for lane in range(LANES):
            fits.work[k, lane] += RIDGE
        k += n + 1 - i
    _solve(fits.work, fits.weights, fits.inverse)


@compiled
def predict(
    fits: Fits, pixels: NDArray[np.int32], at: int, plane_size: int, x: int, means: Float64, c: int, found: Int64
) -> None:
    """Fill in two predictions in 1/16, 0..4080, of a sample.

    - fits: state of the fits
    - pixels, plane_size: samples of all planes, flat, and numbers of a plane
    - at: place of the sample's pixel in the first plane
    - x, c: column and channel
    - means: [channels], what inputs of each plane are taken relative to
    - found: int64, filled
    """
    s0 = means[c]
    s1 = means[c]
    for i in range(fits.counts[c]):
        plane = fits.planes[c, i]
        u = np.float64(pixels[plane * plane_size + at + fits.offsets[c, i]]) - means[plane]
        fits.row[x, i, c] = u
        s0 += fits.weights[i, c] * u
        s1 += fits.weights[i, CHANNELS + c] * u
    found[0] = sixteenths(s0)
    found[1] = sixteenths(s1)


@compiled
def sixteenths(s: float) -> int:
    """A prediction in 1/16, 0..4080; 0 for what is no number."""
    if not s > 0.0:
        return 0
    if s >= 255.0:
        return 4080
    return int(s * 16.0 + 0.5)


@compiled
def update(fits: Fits, x: int, c: int, difference: float) -> None:
    """Take in how far the sample of channel c was from its mean; the last channel completes the pixel."""
    n = len(fits.weights)
    fits.row[x, n, c] = difference
    if c == len(fits.counts) - 1:
        _accumulate(fits.left, fits.row[x], DECAYS[0][1], DECAYS[1][1])


@compiled
def end_row(fits: Fits) -> None:
    """Take in the columns that the window had not left at the end of a row."""
    width = len(fits.columns)
    for x in range(max(0, width - RADIUS - 1), width):
        _accumulate(fits.columns[x], fits.row[x], DECAYS[0][0], DECAYS[1][0])
