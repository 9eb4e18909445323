"""Gaussian sources with independent coordinates, whose rate-distortion function is known exactly."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdzip.bounds.sources.fresh import Fresh


class Gaussian(Fresh):
    """N(loc, diag(variances)), loc and variances float64 [dim], variances above 0."""

    def __init__(self, loc: NDArray[np.float64], variances: NDArray[np.float64]) -> None:
        super().__init__("gaussian", (len(loc),))
        self._loc, self._variances = loc, variances

    @property
    def variances(self) -> NDArray[np.float64]:
        """Variances [dim]."""
        return self._variances

    def draw(self, n: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Samples [n, dim]."""
        z = rng.standard_normal((n, self.dim))
        return (self._loc + np.sqrt(self._variances) * z).astype(np.float32)

    def log_density(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """Log density [n] at x [n, dim], nats."""
        squares = (x - self._loc) ** 2 / self._variances
        density: NDArray[np.float64] = -0.5 * (squares + np.log(2 * math.pi * self._variances)).sum(1)
        return density


def seeded_gaussian(dim: int, seed: int) -> Gaussian:
    """Return the Gaussian source of Yang & Mandt 2022: means uniform on -0.5..0.5, variances uniform on 0..2.

    With 1000 dimensions and seed 0 it is theirs: its parameters are those of gaussian_params-dim=1000.npz.
    """
    rng = np.random.RandomState(seed)
    loc, variances = rng.uniform(-0.5, 0.5, dim), rng.uniform(0, 2, dim)
    return Gaussian(*(p.astype(np.float32).astype(np.float64) for p in (loc, variances)))
