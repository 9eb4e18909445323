"""Linear predictions of a coefficient by weighted least squares over the blocks coded so far, one for each frequency.

Sums of products are kept for each of the 64 frequencies, and forget block by block; a fit is solved anew every few
coefficients. A coefficient's own spread weighs it, since coefficients of smooth blocks say more. Instead of what is old
getting lighter, what is new gets heavier, until all is scaled down together. Float64 with + - * / in the order written
here, so that predictions are the same everywhere (docs/explanation/exactness.md).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rdzip.exact.compiled import compiled, inlined
from rdzip.exact.types import Float64

RIDGE = 0.05
"""Added to the diagonal where a fit is solved, times how heavy the newest coefficient is."""
FIRST = 0.1
"""Sum of squares that each input begins with."""
WIDTH = 20
"""Inputs and the target at most, and length of a row of sums, for the sake of vectors."""
HEAVIEST = 1099511627776.0
"""2**40, from which on sums are scaled down."""


class Fits(NamedTuple):
    """States of the fits of 64 frequencies with n inputs; arrays are flat.

    sums float64 [64, n, WIDTH]: of products of an input and the later ones and the target; weights [64, WIDTH]; heavy
    [64]: how heavy the next coefficient is; inputs [WIDTH]: of one coefficient, its target in place n; work [n, WIDTH].
    """

    sums: Float64
    weights: Float64
    heavy: Float64
    inputs: Float64
    work: Float64

    @classmethod
    def of(cls, n: int, initial: dict[int, float]) -> Fits:
        """Fits of n inputs that have seen nothing; initial: weights that are not 0 at first, by input."""
        sums, weights = np.zeros((64, n, WIDTH)), np.zeros((64, WIDTH))
        for i in range(n):
            sums[:, i, i] = FIRST
        for i, weight in initial.items():
            weights[:, i] = weight
        return cls(sums.reshape(-1), weights.reshape(-1), np.ones(64), np.zeros(WIDTH), np.zeros(n * WIDTH))


@inlined
def predict(fits: Fits, k: int) -> float:
    """Prediction of frequency k: the sum of products of weights and inputs, from the first on."""
    s = 0.0
    for i in range(len(fits.work) // WIDTH):
        s += fits.weights[np.uintp(k * WIDTH + i)] * fits.inputs[i]
    return s


@inlined
def accumulate(fits: Fits, k: int, growth: float, share: float) -> None:
    """Take the coefficient of the inputs, of frequency k, into the sums.

    growth: what the next one is heavier by; share: weight of this one.
    """
    n = len(fits.work) // WIDTH
    sums, inputs = fits.sums, fits.inputs
    share *= fits.heavy[k]
    for i in range(n):
        a = inputs[i] * share
        first = i & -4
        row = np.uintp((k * n + i) * WIDTH)
        for j in range(first, WIDTH):
            sums[row + np.uintp(j)] += a * inputs[np.uintp(j)]
    heavy = fits.heavy[k] * growth
    if heavy > HEAVIEST:
        for i in range(k * n * WIDTH, (k + 1) * n * WIDTH):
            sums[i] *= 1.0 / HEAVIEST
        heavy *= 1.0 / HEAVIEST
    fits.heavy[k] = heavy


@compiled
def solve(fits: Fits, k: int) -> None:
    """Find the weights of frequency k from its sums, by elimination; those of pivots next to nothing are 0."""
    work, weights = fits.work, fits.weights
    n = len(work) // WIDTH
    ridge = RIDGE * fits.heavy[k]
    for i in range(n * WIDTH):
        work[i] = fits.sums[k * n * WIDTH + i]
    for i in range(n):
        work[i * WIDTH + i] += ridge
    for i in range(n):
        pivot = work[i * WIDTH + i]
        inverse = 1.0 / pivot if pivot > ridge * 0.001 else 0.0
        for j in range(i + 1, n):
            factor = work[i * WIDTH + j] * inverse
            for m in range(j, n + 1):
                work[j * WIDTH + m] -= factor * work[i * WIDTH + m]
    for i in range(n - 1, -1, -1):
        s = work[i * WIDTH + n]
        for j in range(i + 1, n):
            s -= work[i * WIDTH + j] * weights[k * WIDTH + j]
        pivot = work[i * WIDTH + i]
        weights[k * WIDTH + i] = s / pivot if pivot > ridge * 0.001 else 0.0
