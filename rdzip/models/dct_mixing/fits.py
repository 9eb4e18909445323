"""Linear predictions of a coefficient by weighted least squares over the blocks coded so far, one for each frequency.

Sums of products are kept for each of the 64 frequencies, and forget block by block; a fit is solved anew every few
coefficients. A coefficient's own spread weighs it, since coefficients of calm blocks tell more. Float64 with + - * / in
the order written here, so that predictions are the same everywhere (docs/explanation/exactness.md).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rdzip.exact.compiled import compiled
from rdzip.exact.types import Float64

RIDGE = 0.05
"""Added to the diagonal where a fit is solved."""
FIRST = 0.1
"""Sum of squares that each input begins with."""


class Fits(NamedTuple):
    """States of the fits of 64 frequencies with n inputs; t = (n + 1)(n + 2) / 2.

    sums float64 [64 * t]: of products of inputs and target, upper triangles row by row; weights [64 * n]; inputs
    [n + 1]: of one coefficient, the last one its target; work [t]: room to solve.
    """

    sums: Float64
    weights: Float64
    inputs: Float64
    work: Float64

    @classmethod
    def of(cls, n: int, initial: dict[int, float]) -> Fits:
        """Fits of n inputs that have seen nothing; initial: weights that are not 0 at first, by input."""
        size = (n + 1) * (n + 2) // 2
        sums, weights = np.zeros((64, size)), np.zeros((64, n))
        at = 0
        for i in range(n):
            sums[:, at] = FIRST
            at += n + 1 - i
        for i, weight in initial.items():
            weights[:, i] = weight
        return cls(sums.reshape(-1), weights.reshape(-1), np.zeros(n + 1), np.zeros(size))


@compiled
def predict(weights: Float64, inputs: Float64, k: int) -> float:
    """Prediction of frequency k; weights and inputs of a Fits."""
    n = len(inputs) - 1
    s = 0.0
    for i in range(n):
        s += weights[k * n + i] * inputs[i]
    return s


@compiled
def accumulate(sums: Float64, inputs: Float64, k: int, decay: float, share: float) -> None:
    """Take a coefficient of frequency k into the sums.

    - sums, inputs: of a Fits, the target among the inputs
    - k: the frequency
    - decay: what earlier ones are multiplied by
    - share: weight of this one
    """
    n = len(inputs) - 1
    at = np.uintp(k * ((n + 1) * (n + 2) // 2))
    for i in range(np.uintp(n)):
        a = inputs[i] * share
        for j in range(i, np.uintp(n + 1)):
            sums[at] = decay * sums[at] + a * inputs[j]
            at += np.uintp(1)


@compiled
def solve(sums: Float64, weights: Float64, work: Float64, k: int, n: int) -> None:
    """Find the weights of frequency k from its sums, by elimination; sums, weights, work: of a Fits of n inputs."""
    size = len(work)
    for i in range(size):
        work[i] = sums[k * size + i]
    first = 0
    for i in range(n):
        work[first] += RIDGE
        first += n + 1 - i
    first = 0
    for i in range(n):
        length = n + 1 - i
        inverse = 1.0 / work[first] if work[first] > RIDGE * 0.001 else 0.0
        at = first + length
        for j in range(1, length - 1):
            factor = work[first + j] * inverse
            for m in range(j, length):
                work[at + m - j] -= factor * work[first + m]
            at += length - j
        first += length
    for i in range(n - 1, -1, -1):
        length = n + 1 - i
        first -= length
        s = work[first + length - 1]
        for j in range(1, length - 1):
            s -= work[first + j] * weights[k * n + i + j]
        weights[k * n + i] = s / work[first] if work[first] > RIDGE * 0.001 else 0.0
