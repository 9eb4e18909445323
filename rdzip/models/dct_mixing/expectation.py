"""What is expected of a coefficient: its mean and its size, each by a fit.

A block's edge with its neighbours is smooth: continued in a line, the cosines of both blocks have the same sum there,
for each frequency along the edge (the idea of Lepton's edge prediction, Horn et al. 2017, "The design, implementation,
and deployment of a system to transparently compress hundreds of petabytes of image files", section 3.2). What is left
of the sum when the coefficients known so far are taken off predicts the next one.
"""

from __future__ import annotations

import numpy as np

from rdzip.exact.compiled import compiled, inlined
from rdzip.exact.types import Float64
from rdzip.models.dct_mixing.fits import Fits, accumulate, predict, solve
from rdzip.models.dct_mixing.surroundings import Surroundings, own
from rdzip.models.dct_mixing.tables import log_class

MEAN_INPUTS, SIZE_INPUTS = 16, 18
"""Inputs of the fit of a coefficient's mean, and of that of its size."""
LEFT, TOP, LEFT_FAR, TOP_FAR, CONSTANT = 0, 1, 14, 15, 13
"""Inputs of the mean: what the edges leave, by half a step and by a whole one; 1 for DC. Others: see `_mean_inputs`."""
GROWTH, DC_GROWTH, LOCAL_GROWTH = 1.0015, 1.01, 1.02
"""What a coefficient is heavier by in a fit than the one before; LOCAL_GROWTH in the fit that forgets soon."""
LEAST_SIZE, MOST_SIZE, LEAST_MEAN, MOST_MEAN = 0.02, 2000.0, 0.0001, 4000.0
SOON, EARLY = 512, 2
"""Up to how many blocks fits are solved every EARLY ones."""


def first_fits() -> tuple[Fits, Fits, Fits]:
    """Fits of the mean, of the size, and of the mean that forgets soon, that have seen nothing."""
    mean = {LEFT: 0.2, TOP: 0.2}
    return Fits.of(MEAN_INPUTS, mean), Fits.of(SIZE_INPUTS, {0: 0.1, 1: 0.3, 2: 0.3}), Fits.of(MEAN_INPUTS, mean)


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
    inputs[17] = np.float64(s.sums[own(y, columns, x)]) / np.float64(66 - k)


@inlined
def _size_inputs_of_dc(
    s: Surroundings, inputs: Float64, of_mean: Float64, base: int, x: int, y: int, columns: int
) -> None:
    """Fill the inputs of the size of a DC coefficient's error."""
    here, above = own(y, columns, x), own(y + 1, columns, x)
    inputs[0] = 1.0
    inputs[1] = s.errors[here - 1]
    inputs[2] = s.errors[above]
    inputs[3] = s.errors[above - 1]
    inputs[4] = s.errors[above + 1]
    inputs[5] = log_class(s.logarithms, s.sums[here], 2, 127)
    inputs[6] = min(abs(of_mean[LEFT] - of_mean[TOP]), 1000.0)
    inputs[7] = abs(int(np.int64(s.blocks[base + 1])))
    inputs[8] = abs(int(np.int64(s.blocks[base + 8])))
    inputs[9] = abs(int(np.int64(s.blocks[base + 9])))
    for i in range(10, SIZE_INPUTS):
        inputs[i] = 0.0


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
