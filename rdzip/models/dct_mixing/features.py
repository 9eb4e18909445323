"""Features of a coefficient: what its neighbours, the edges of its block and other components say about it.

    blocks to the left and above, this block's higher frequencies, other components, edges
        --> inputs of two fits --> mean and size expected --> features F --> contexts (contexts.py)

A block's edge with its neighbours is smooth: continued in a line, the cosines of both blocks have the same sum there,
for each frequency along the edge (the idea of Lepton's edge prediction, Horn et al. 2017, "The design, implementation,
and deployment of a system to transparently compress hundreds of petabytes of image files", section 3.2). What is left
of the sum when the coefficients known so far are taken off predicts the next one.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

import numpy as np

from rdzip.exact.compiled import compiled, inlined
from rdzip.exact.types import Float64, Int16, Int32, Int64
from rdzip.models.dct_mixing.fits import Fits, accumulate, predict, solve
from rdzip.models.dct_mixing.tables import (
    edge_table,
    log_class,
    logarithm_table,
    rounded_down,
    signed_class,
    zigzag_table,
)

MEAN_INPUTS, SIZE_INPUTS = 16, 18
"""Inputs of the fit of a coefficient's mean, and of that of its size."""
LEFT, TOP, LEFT_FAR, TOP_FAR, CONSTANT = 0, 1, 14, 15, 13
"""Inputs of the mean: what the edges leave, by half a step and by a whole one; 1 for DC. Others: see `_mean_inputs`."""
GROWTH, DC_GROWTH, LOCAL_GROWTH = 1.0015, 1.01, 1.02
"""What a coefficient is heavier by in a fit than the one before; LOCAL_GROWTH in the fit that forgets soon."""
LEAST_SIZE, MOST_SIZE, LEAST_MEAN, MOST_MEAN = 0.02, 2000.0, 0.0001, 4000.0
SOON, EARLY = 512, 2
"""Up to how many blocks fits are solved every EARLY ones."""


class F(IntEnum):
    """Features of a coefficient. Classes are logarithmic; "size" is what is expected of |coefficient|."""

    NONE = 0
    K = 1  # place in zigzag order
    END = 2  # that of the last one that is not 0
    TO_END = 3  # END - K, at most 31
    SIZE4 = 4  # size in 1/64, in 4 classes an octave; then in 2, in 1
    SIZE2 = 5
    SIZE1 = 6
    SIZE_FINE = 7  # size in 1/256, in 4, with the first frequencies apart
    RATIO = 8  # |mean| / size in 1/8
    MEAN = 9  # |mean| in 1/16
    W = 10  # |coefficients| of this frequency in other blocks, at most 7
    N = 11
    NW = 12
    NE = 13
    W3 = 14  # at most 3
    N3 = 15
    NEAR4 = 16  # weighted sum of those, of WW and of NN
    NEAR2 = 17
    DOWN = 18  # |coefficients| of this block at the next vertical, horizontal frequency, at most 7; both, at most 3
    RIGHT = 19
    DIAGONAL = 20
    BLOCK3 = 21  # their sum
    SUM = 22  # sum of |coefficients| of this block so far
    COUNT = 23  # how many are not 0
    LEFT = 24  # |what the edges leave| in 1/8
    TOP = 25
    APART = 26  # how far apart both are
    A = 27  # |other component| in 1/4 steps
    B = 28
    ROW = 29  # sums of |coefficients| of this block with the same vertical, horizontal frequency
    COLUMN = 30
    END_W = 31  # ends of neighbours in 1/4
    END_N = 32
    END4 = 33
    SUM_W = 34  # sums of |coefficients| of neighbours
    SUM_N = 35
    LOCAL_RATIO = 36  # |mean by the fit that forgets soon| / size
    FRACTION = 37  # of a DC's prediction in 1/16
    ERROR_W = 38  # errors of DC nearby
    ERROR_N = 39
    ERRORS = 40
    SLOPES = 41  # sum of the first two |AC|
    # of a sign; all signs are relative to the mean's
    SIGN_RATIO = 42  # |mean| / size in 1/16
    SIGN_MEAN = 43  # |mean| in 1/32
    MAGNITUDE = 44  # exponent of the coefficient, at most 3
    SIGN_LEFT = 45
    SIGN_TOP = 46
    SIGNS_NEAR = 47  # of W and N, at most 1 each
    SIGNS_BLOCK = 48  # of the four next vertical and horizontal frequencies
    SIGN_A = 49
    SIGN_B = 50
    VALUE = 51  # |coefficient|
    SIGN_LOCAL = 52
    EXPONENT = 53  # at most 15
    DISTANCE = 54  # of a decision's threshold from the mean, by size


class Surroundings(NamedTuple):
    """What is known of a component's blocks; a block of zeros follows the last one, for those that are not there.

    - blocks: int16 [(rows * columns + 1) * 64], coefficients in natural order
    - first, second: int16, other components at this one's resolution, not quantised; empty for none
    - steps: int64 [64]
    - left, above: int64 [16], [16 * columns], what the edges of the block to the left, of the blocks above ask for
    - known_left, known_top: int64 [16], what the coefficients known so far give
    - ends, sums, errors: int64 [2 * (columns + 2)], by parity of the row, of each block
    - zigzag, edges, logarithms: tables
    - features: int64 [len(F)]
    - values: float64 [4], mean, size, the mean of the fit that forgets soon, weight
    """

    blocks: Int16
    first: Int16
    second: Int16
    steps: Int64
    left: Int64
    above: Int64
    known_left: Int64
    known_top: Int64
    ends: Int64
    sums: Int64
    errors: Int64
    zigzag: Int64
    edges: Int64
    logarithms: Int32
    features: Int64
    values: Float64

    @classmethod
    def of(cls, blocks: Int16, others: tuple[Int16, Int16], steps: Int64, columns: int) -> Surroundings:
        """Those of a component before its first block."""
        ends, sums, errors = np.zeros((3, 2 * (columns + 2)), np.int64)
        return cls(
            blocks,
            others[0],
            others[1],
            steps,
            np.zeros(16, np.int64),
            np.zeros(16 * columns, np.int64),
            np.zeros(16, np.int64),
            np.zeros(16, np.int64),
            ends,
            sums,
            errors,
            zigzag_table(),
            edge_table(),
            logarithm_table(),
            np.zeros(len(F), np.int64),
            np.zeros(4),
        )


def first_fits() -> tuple[Fits, Fits, Fits]:
    """Fits of the mean, of the size, and of the mean that forgets soon, that have seen nothing."""
    mean = {LEFT: 0.2, TOP: 0.2}
    return Fits.of(MEAN_INPUTS, mean), Fits.of(SIZE_INPUTS, {0: 0.1, 1: 0.3, 2: 0.3}), Fits.of(MEAN_INPUTS, mean)


@inlined
def take_in(s: Surroundings, place: int, value: int) -> None:
    """Take off a coefficient at a natural place from what the edges ask for."""
    v, u = place >> 3, place & 7
    t = value * s.steps[place]
    s.known_left[v] += t * s.edges[u]
    s.known_top[u] += t * s.edges[v]
    s.known_left[8 + v] += t * s.edges[8 + u]
    s.known_top[8 + u] += t * s.edges[8 + v]


@inlined
def end_block(s: Surroundings, base: int, x: int) -> None:
    """Note what the right and the lower edge of a block ask for of the next ones."""
    for i in range(16):
        s.left[i] = 0
        s.above[16 * x + i] = 0
        s.known_left[i] = 0
        s.known_top[i] = 0
    for place in range(64):
        t = np.int64(s.blocks[np.uintp(base + place)])
        if t:
            t *= s.steps[place]
            v, u = place >> 3, place & 7
            across = -t if u & 1 else t
            down = -t if v & 1 else t
            s.left[v] += across * s.edges[u]
            s.left[8 + v] += across * s.edges[8 + u]
            s.above[16 * x + u] += down * s.edges[v]
            s.above[16 * x + 8 + u] += down * s.edges[8 + v]


@inlined
def _mean_inputs(s: Surroundings, inputs: Float64, base: int, place: int, x: int, y: int, columns: int) -> None:
    """Fill the inputs of the mean of a coefficient."""
    blocks, edges = s.blocks, s.edges
    zeros = len(blocks) - 64
    v, u = place >> 3, place & 7
    step = s.steps[place]
    above = base - 64 * columns
    for i in range(2):
        inputs[LEFT + i * LEFT_FAR] = 0.0
        inputs[TOP + i * LEFT_FAR] = 0.0
        if x > 0:
            asked = s.left[8 * i + v] - s.known_left[8 * i + v]
            inputs[LEFT + i * LEFT_FAR] = np.float64(asked) / np.float64(step * edges[8 * i + u])
        if y > 0:
            asked = s.above[16 * x + 8 * i + u] - s.known_top[8 * i + u]
            inputs[TOP + i * LEFT_FAR] = np.float64(asked) / np.float64(step * edges[8 * i + v])
    inputs[2] = blocks[(base - 64 if x > 0 else zeros) + place]
    inputs[3] = blocks[(above if y > 0 else zeros) + place]
    inputs[4] = blocks[(above - 64 if x > 0 and y > 0 else zeros) + place]
    inputs[5] = blocks[(above + 64 if x < columns - 1 and y > 0 else zeros) + place]
    at = base + place
    inputs[6] = blocks[at + 8] if v < 7 else 0
    inputs[7] = blocks[at + 1] if u < 7 else 0
    inputs[8] = blocks[at + 16] if v < 6 else 0
    inputs[9] = blocks[at + 2] if u < 6 else 0
    inputs[10] = blocks[at + 9] if u < 7 and v < 7 else 0
    if len(s.first) > 0:
        inputs[11] = np.float64(s.first[at]) / np.float64(step)
    else:
        inputs[11] = blocks[(base - 128 if x > 1 else zeros) + place]
    if len(s.second) > 0:
        inputs[12] = np.float64(s.second[at]) / np.float64(step)
    else:
        inputs[12] = blocks[(above - 64 * columns if y > 1 else zeros) + place]
    inputs[CONSTANT] = 0.0 if place else 1.0


@inlined
def _size_inputs(
    s: Surroundings, inputs: Float64, of_mean: Float64, mean: float, k: int, base: int, x: int, y: int, columns: int
) -> None:
    """Fill the inputs of the size of an AC coefficient.

    - inputs, of_mean: filled; those of the mean
    - mean: the prediction
    - k, base, x, y, columns: place in zigzag order, the block's first place, column, row, columns
    """
    place = s.zigzag[k]
    zeros = len(s.blocks) - 64
    inputs[0] = 0.25
    for i in range(4):
        inputs[1 + i] = abs(of_mean[2 + i])
    inputs[5] = abs(int(np.int64(s.blocks[(base - 128 if x > 1 else zeros) + place])))
    inputs[6] = abs(int(np.int64(s.blocks[(base - 128 * columns if y > 1 else zeros) + place])))
    inputs[7] = abs(of_mean[6])
    inputs[8] = abs(of_mean[7])
    inputs[9] = abs(of_mean[10])
    inputs[10] = abs(of_mean[8])
    inputs[11] = abs(of_mean[9])
    inputs[12] = abs(of_mean[11]) if len(s.first) > 0 else 0.0
    inputs[13] = abs(of_mean[12]) if len(s.second) > 0 else 0.0
    inputs[14] = abs(mean)
    inputs[15] = min(abs(of_mean[LEFT]), 64.0)
    inputs[16] = min(abs(of_mean[TOP]), 64.0)
    inputs[17] = np.float64(s.sums[_own(y, columns, x)]) / np.float64(66 - k)


@inlined
def _size_inputs_of_dc(
    s: Surroundings, inputs: Float64, of_mean: Float64, base: int, x: int, y: int, columns: int
) -> None:
    """Fill the inputs of the size of a DC coefficient's error."""
    own, above = _own(y, columns, x), _own(y + 1, columns, x)
    inputs[0] = 1.0
    inputs[1] = s.errors[own - 1]
    inputs[2] = s.errors[above]
    inputs[3] = s.errors[above - 1]
    inputs[4] = s.errors[above + 1]
    inputs[5] = log_class(s.logarithms, s.sums[own], 2, 127)
    inputs[6] = min(abs(of_mean[LEFT] - of_mean[TOP]), 1000.0)
    inputs[7] = abs(int(np.int64(s.blocks[base + 1])))
    inputs[8] = abs(int(np.int64(s.blocks[base + 8])))
    inputs[9] = abs(int(np.int64(s.blocks[base + 9])))
    for i in range(10, SIZE_INPUTS):
        inputs[i] = 0.0


@compiled
def _own(y: int, columns: int, x: int) -> int:
    """Where a block's numbers are among those of two rows."""
    place: int = (y & 1) * (columns + 2) + x + 1
    return place


@inlined
def expect(
    s: Surroundings, mean: Fits, size: Fits, local: Fits, k: int, base: int, x: int, y: int, columns: int, soon: int
) -> int:
    """Expect mean and size of a coefficient (s.values); returns what it is coded relative to: 0, or a DC's prediction.

    - s, mean, size, local: surroundings and fits
    - k, base, x, y, columns: place in zigzag order, the block's first place, column, row, columns
    - soon: whether there is a fit that forgets soon
    """
    place = s.zigzag[k]
    _mean_inputs(s, mean.inputs, base, place, x, y, columns)
    mu = _within(predict(mean, k))
    reference = 0
    if k:
        _size_inputs(s, size.inputs, mean.inputs, mu, k, base, x, y, columns)
    else:
        reference = int(mu + 4096.5) - 4096
        _size_inputs_of_dc(s, size.inputs, mean.inputs, base, x, y, columns)
    expected = predict(size, k)
    if not expected > LEAST_SIZE:
        expected = LEAST_SIZE
    if expected > MOST_SIZE:
        expected = MOST_SIZE
    s.values[0] = mu
    s.values[1] = expected
    s.values[2] = mu
    if soon:
        for i in range(MEAN_INPUTS):
            local.inputs[i] = mean.inputs[i]
        s.values[2] = _within(predict(local, k))
    return reference


@compiled
def _within(mu: float) -> float:
    """A mean within MOST_MEAN; MOST_MEAN for what is no number, 0 for what is next to 0, whose sign has no meaning."""
    if not mu < MOST_MEAN:
        return MOST_MEAN
    if abs(mu) < LEAST_MEAN:
        return 0.0
    return max(mu, -MOST_MEAN)


@inlined
def learn(
    s: Surroundings,
    mean: Fits,
    size: Fits,
    local: Fits,
    k: int,
    value: int,
    error: int,
    block: int,
    interval: int,
    soon: int,
) -> None:
    """Take a coefficient into the fits.

    - s, mean, size, local: surroundings and fits
    - k, value, error: place in zigzag order, the coefficient, and how far it was from what it was coded relative to
    - block: number of its block
    - interval: every how many blocks a fit is solved
    - soon: whether there is a fit that forgets soon
    """
    share = 1.0 / (s.values[1] * s.values[1] + 0.1)
    growth = GROWTH if k else DC_GROWTH
    mean.inputs[MEAN_INPUTS] = value
    size.inputs[SIZE_INPUTS] = abs(error)
    accumulate(mean, k, growth, share)
    accumulate(size, k, growth, share)
    if soon:
        local.inputs[MEAN_INPUTS] = value
        accumulate(local, k, LOCAL_GROWTH, share)
    if (block + k) % interval == 0 or (block < SOON and (block + k) % EARLY == 0):
        solve(mean, k)
        solve(size, k)
        if soon:
            solve(local, k)


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
    own, above = _own(y, columns, x), _own(y + 1, columns, x)
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
    f[F.SUM] = log_class(t, s.sums[own], 1, 31)
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
    f[F.END_W] = s.ends[own - 1] >> 2
    f[F.END_N] = s.ends[above] >> 2
    f[F.SUM_W] = log_class(t, s.sums[own - 1], 1, 15)
    f[F.SUM_N] = log_class(t, s.sums[above], 1, 15)
    if k == 0:
        f[F.FRACTION] = int((mu - np.float64(reference)) * 16.0 + 8.5)
        f[F.ERROR_W] = log_class(t, s.errors[own - 1], 1, 31)
        f[F.ERROR_N] = log_class(t, s.errors[above], 1, 31)
        f[F.ERRORS] = log_class(t, s.errors[own - 1] + s.errors[above], 1, 31)
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
