"""Linear prediction by weighted least squares over what has been coded, fitted anew for each sample.

The window of a sample is the rows above, within RADIUS columns and with weights that fall row by row, and its own row
to the left, with weights that fall pixel by pixel. Sums of products are kept per column (rows above) and per row, so
that a window costs a few vector additions whatever its size. Float64 with + - * / in the order written here, so the
predictions are the same everywhere (docs/exactness.md). After Li & Orchard 2001 ("Edge-directed prediction for lossless
compression of natural images"), who weigh no samples, and Ye & Hou 2008 on recursive forms.
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
SEEN = ((12, 0, 3), (10, 5, 3), (10, 4, 0))
"""Neighbours that a plane sees in itself, in each earlier plane (besides the current sample), in each later one."""
NEAREST = (
    (0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0), (-2, 1), (-2, -1), (-1, -2), (-1, 2), (0, -3), (-3, 0)
)  # fmt: skip


class Fit(NamedTuple):
    """State of one predictor of one channel with n inputs; m = n + 1 with the target, t = m (m + 1) / 2.

    offsets, planes int64 [n]: where the inputs are; columns [w, t]: sums of the rows above; above [t], left [t]: sums
    within the window; row [w, m]: inputs of this row; work [m, m], weights [n]; decay [2]: of rows, of pixels.
    """

    offsets: Int64
    planes: Int64
    columns: Float64
    above: Float64
    left: Float64
    row: Float64
    work: Float64
    weights: Float64
    decay: Float64

    @classmethod
    def of(cls, offsets: list[int], planes: list[int], width: int, decay: tuple[float, float]) -> Fit:
        """An empty state for an image of a width."""
        n = len(offsets)
        m = n + 1
        t = m * (m + 1) // 2
        return cls(
            np.array(offsets, np.int64),
            np.array(planes, np.int64),
            np.zeros((width, t)),
            np.zeros(t),
            np.zeros(t),
            np.zeros((width, m)),
            np.zeros((m, m)),
            np.zeros(n),
            np.array(decay, np.float64),
        )


def fits(channels: int, width: int, stride: int) -> tuple[Fit, ...]:
    """Empty states for planes with a stride: three of each of DECAYS, those of channels that are not there unused."""
    found = []
    for decay in DECAYS:
        for c in range(3):
            own, earlier, later = SEEN[c]
            inputs = [(c, place) for place in NEAREST[:own]]
            for q in range(channels):
                if q < c:
                    inputs += [(q, place) for place in ((0, 0), *NEAREST[:earlier])]
                elif q > c:
                    inputs += [(q, place) for place in NEAREST[:later]]
            offsets = [dy * stride + dx for _, (dy, dx) in inputs]
            found.append(Fit.of(offsets, [q for q, _ in inputs], width if c < channels else 1, decay))
    return tuple(found)


@compiled
def _add(total: Float64, part: Float64) -> None:
    for i in range(len(total)):
        total[i] += part[i]


@compiled
def _subtract(total: Float64, part: Float64) -> None:
    for i in range(len(total)):
        total[i] -= part[i]


@compiled
def _accumulate(total: Float64, decay: float, u: Float64) -> None:
    """total = decay * total + u u^T, upper triangle row by row."""
    m = len(u)
    k = 0
    for i in range(m):
        a = u[i]
        part = total[k : k + m - i]
        right = u[i:m]
        for j in range(m - i):
            part[j] = decay * part[j] + a * right[j]
        k += m - i


@compiled
def _eliminate(target: Float64, source: Float64, factor: float) -> None:
    for i in range(len(target)):
        target[i] -= factor * source[i]


@compiled
def _solve(a: Float64, w: Float64) -> None:
    """Weights w [n] from the upper triangle of the normal equations a [n + 1, n + 1], which is overwritten."""
    n = len(w)
    for k in range(n):
        inverse = 1.0 / a[k, k]
        for i in range(k + 1, n):
            _eliminate(a[i, i:], a[k, i:], a[k, i] * inverse)
    for i in range(n - 1, -1, -1):
        s = a[i, n]
        for j in range(i + 1, n):
            s -= a[i, j] * w[j]
        w[i] = s / a[i, i]


@compiled
def start_row(fit: Fit) -> None:
    """Prepare a fit for the first sample of a row."""
    fit.left[:] = 0.0
    fit.above[:] = 0.0
    for x in range(min(RADIUS, len(fit.columns))):
        _add(fit.above, fit.columns[x])


@compiled
def predict(fit: Fit, pixels: NDArray[np.int32], at: int, plane_size: int, x: int, means: Float64, own: int) -> int:
    """Prediction in 1/16, 0..4080, of the sample at ``at`` of the first plane, column x.

    means [channels]: what inputs of each plane are taken relative to; own: the sample's plane.
    """
    width = len(fit.columns)
    if x + RADIUS < width:
        _add(fit.above, fit.columns[x + RADIUS])
    gone = x - RADIUS - 1
    if gone >= 0:
        _subtract(fit.above, fit.columns[gone])
        _accumulate(fit.columns[gone], fit.decay[0], fit.row[gone])
    n = len(fit.weights)
    k = 0
    for i in range(n):
        a = fit.work[i, i:]
        above = fit.above[k : k + n + 1 - i]
        left = fit.left[k : k + n + 1 - i]
        for j in range(n + 1 - i):
            a[j] = above[j] + left[j]
        a[0] += RIDGE
        k += n + 1 - i
    _solve(fit.work, fit.weights)
    u = fit.row[x]
    s = means[own]
    for i in range(n):
        plane = fit.planes[i]
        u[i] = np.float64(pixels[plane * plane_size + at + fit.offsets[i]]) - means[plane]
        s += fit.weights[i] * u[i]
    if not s > 0.0:
        return 0
    if s >= 255.0:
        return 4080
    return int(s * 16.0 + 0.5)


@compiled
def learn(fit: Fit, x: int, value: int, mean: float) -> None:
    """Take in the sample's value."""
    u = fit.row[x]
    u[len(u) - 1] = value - mean
    _accumulate(fit.left, fit.decay[1], u)


@compiled
def end_row(fit: Fit) -> None:
    """Take in the columns that the window had not left at the end of a row."""
    width = len(fit.columns)
    for x in range(max(0, width - RADIUS - 1), width):
        _accumulate(fit.columns[x], fit.decay[0], fit.row[x])
