"""Linear prediction by weighted least squares, fitted anew for every block of pixels of a row.

What has been coded weighs by its distance: a window of blocks to both sides in the rows above and to the left in its
own row, weights that fall row by row, and once more the own row with weights that fall block by block. Sums of
products are kept per column of blocks, so a pixel costs one outer product, whatever the size of the window. Float64
with + - * / in the order written here, so the predictions are the same everywhere (docs/explanation/exactness.md). A
coarser and faster form of models/context_mixing/least_squares.py, with the same normal equations.

Functions take the arrays of a BlockFits one by one, which takes less time than tuples whole (see
models/context_mixing/fast_mixer.py).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rdzip.exact.compiled import compiled
from rdzip.models.context_mixing.least_squares import NEAREST, RIDGE, sixteenths

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

BLOCK = 8
RADIUS = 2
"""Blocks to each side of a window."""
ROW_DECAY, BLOCK_DECAY = 0.85, 0.5
INPUT_COUNTS = ((8, 0, 1), (6, 4, 0), (6, 3, 0))
"""Neighbours that a plane sees in itself, in each earlier plane (besides the current sample), in each later one."""
SIDE = 16
"""Rows of a matrix: at most 15 inputs, then the target."""
SQUARE = SIDE * SIDE
WINDOW, LEFT, FRESH, WORK, INPUTS, WEIGHTS = 0, SQUARE, 2 * SQUARE, 3 * SQUARE, 4 * SQUARE, 4 * SQUARE + SIDE
SUMS = 4 * SQUARE + 2 * SIDE
"""Places in a channel's sums: matrices of its window, its row, its block, one to work in; inputs, target; weights."""


class BlockFits(NamedTuple):
    """State of the predictors of all channels; arrays are flat.

    - places: int64 [channels, 2, SIDE], where the inputs are, and in which planes
    - counts: int64 [channels], how many inputs there are
    - columns: float64 [channels, blocks, SIDE, SIDE], sums of products by column of blocks
    - sums: float64 [channels, SUMS]

    Matrices are symmetric; of WORK the upper triangle counts.
    """

    places: Int64
    counts: Int64
    columns: Float64
    sums: Float64

    @classmethod
    def of(cls, channels: int, width: int, stride: int) -> BlockFits:
        """An empty state for an image whose planes have a stride."""
        places = np.zeros((channels, 2, SIDE), np.int64)
        counts = np.zeros(channels, np.int64)
        for c in range(channels):
            own, earlier, later = INPUT_COUNTS[c]
            inputs = [(c, place) for place in NEAREST[:own]]
            for q in range(channels):
                if q < c:
                    inputs += [(q, place) for place in ((0, 0), *NEAREST[:earlier])]
                elif q > c:
                    inputs += [(q, place) for place in NEAREST[:later]]
            counts[c] = len(inputs)
            places[c, 0, : len(inputs)] = [dy * stride + dx for _, (dy, dx) in inputs]
            places[c, 1, : len(inputs)] = [q for q, _ in inputs]
        blocks = -(-width // BLOCK)
        return cls(places.reshape(-1), counts, np.zeros(channels * blocks * SQUARE), np.zeros(channels * SUMS))


@compiled
def _solve(sums: Float64, own: int, n: int) -> None:
    """Weights from the sums of the window and of this row, by Gauss's elimination."""
    work = own + WORK
    for i in range(n):
        row = work + i * SIDE
        for j in range(i, n):
            k = i * SIDE + j
            sums[np.uintp(work + k)] = sums[np.uintp(own + WINDOW + k)] + sums[np.uintp(own + LEFT + k)]
        k = i * SIDE + SIDE - 1
        sums[np.uintp(row + n)] = sums[np.uintp(own + WINDOW + k)] + sums[np.uintp(own + LEFT + k)]
        sums[np.uintp(row + i)] += RIDGE
    for k in range(n):
        source = work + k * SIDE
        inverse = 1.0 / sums[np.uintp(source + k)]
        for i in range(k + 1, n):
            target = work + i * SIDE
            factor = sums[np.uintp(source + i)] * inverse
            for j in range(i, n + 1):
                sums[np.uintp(target + j)] -= factor * sums[np.uintp(source + j)]
    for i in range(n - 1, -1, -1):
        row = work + i * SIDE
        s = sums[np.uintp(row + n)]
        for j in range(i + 1, n):
            s -= sums[np.uintp(row + j)] * sums[np.uintp(own + WEIGHTS + j)]
        sums[np.uintp(own + WEIGHTS + i)] = s / sums[np.uintp(row + i)]


@compiled
def start_row(columns: Float64, sums: Float64, channels: int) -> None:
    """Prepare the sums for the first sample of a row."""
    blocks = len(columns) // (channels * SQUARE)
    square = len(columns) // (channels * blocks)
    for c in range(channels):
        own = c * SUMS
        for i in range(square):
            sums[np.uintp(own + WINDOW + i)] = 0.0
            sums[np.uintp(own + LEFT + i)] = 0.0
            sums[np.uintp(own + FRESH + i)] = 0.0
        for b in range(min(RADIUS, blocks)):
            column = (c * blocks + b) * SQUARE
            for i in range(square):
                sums[np.uintp(own + WINDOW + i)] += columns[np.uintp(column + i)]


@compiled
def predict(
    places: Int64,
    n: int,
    columns: Float64,
    sums: Float64,
    pixels: NDArray[np.int32],
    at: int,
    plane_size: int,
    x: int,
    means: Float64,
    c: int,
) -> int:
    """Prediction in 1/16, 0..4080, of a sample.

    - places, n: where inputs are from a pixel, by channel, and how many the channel has
    - columns, sums: state of the fits
    - pixels, plane_size: samples of all planes, flat, and numbers of a plane
    - at: place of the sample's pixel in the first plane
    - x, c: column and channel
    - means: [channels], what inputs of each plane are taken relative to
    """
    own = c * SUMS
    if x % BLOCK == 0:
        b = x // BLOCK
        blocks = len(columns) // (len(means) * SQUARE)
        square = len(columns) // (len(means) * blocks)
        if b + RADIUS < blocks:
            column = (c * blocks + b + RADIUS) * SQUARE
            for i in range(square):
                sums[np.uintp(own + WINDOW + i)] += columns[np.uintp(column + i)]
        if b - RADIUS - 1 >= 0:
            column = (c * blocks + b - RADIUS - 1) * SQUARE
            for i in range(square):
                sums[np.uintp(own + WINDOW + i)] -= columns[np.uintp(column + i)]
        _solve(sums, own, n)
    s = means[c]
    for i in range(n):
        plane = places[(2 * c + 1) * SIDE + i]
        u = np.float64(pixels[plane * plane_size + at + places[2 * c * SIDE + i]]) - means[plane]
        sums[own + INPUTS + i] = u
        s += sums[own + WEIGHTS + i] * u
    found: int = sixteenths(s)
    return found


@compiled
def update(columns: Float64, sums: Float64, n: int, x: int, last: int, value: float, channels: int, c: int) -> None:
    """Take in a sample.

    - columns, sums: state of the fits
    - n: how many inputs the channel has
    - x: the sample's column; last: whether its row ends here
    - value: the sample, relative to its plane's mean
    - channels, c: how many there are, and which it is
    """
    own = c * SUMS
    blocks = len(columns) // (channels * SQUARE)
    side = len(columns) // (channels * blocks * SIDE)
    sums[own + INPUTS + SIDE - 1] = value
    for i in range(n):
        u = sums[own + INPUTS + i]
        row = own + FRESH + i * SIDE
        for j in range(side):
            sums[np.uintp(row + j)] += u * sums[np.uintp(own + INPUTS + j)]
    if x % BLOCK == BLOCK - 1 or last:
        column = (c * blocks + x // BLOCK) * SQUARE
        for i in range(n * side):
            fresh = sums[np.uintp(own + FRESH + i)]
            old = columns[np.uintp(column + i)]
            new = ROW_DECAY * old + fresh
            sums[np.uintp(own + WINDOW + i)] += new - old
            columns[np.uintp(column + i)] = new
            sums[np.uintp(own + LEFT + i)] = BLOCK_DECAY * (sums[np.uintp(own + LEFT + i)] + fresh)
            sums[np.uintp(own + FRESH + i)] = 0.0
