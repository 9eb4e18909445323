"""Mean, variances and Karhunen-Loeve basis of a source, estimated from training samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rdzip.bounds.sources.base import Source, training_set
from rdzip.errors import InputError

SAMPLES = 20_000
SHARES = (0.0, 0.01, 0.03, 0.1, 0.3, 0.6, 0.9, 1.0)


@dataclass(frozen=True)
class Moments:
    """mean [dim], basis [dim, dim] (columns: directions of falling variance), variances [dim]; float64."""

    mean: NDArray[np.float64]
    basis: NDArray[np.float64]
    variances: NDArray[np.float64]

    def coefficients(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return samples [n, *shape] in the basis, float32 [n, dim]: distances are those of the samples."""
        flat = x.reshape(len(x), -1).astype(np.float64) - self.mean
        return (flat @ self.basis).astype(np.float32)


def moments(source: Source, rng: np.random.Generator) -> Moments:
    """Return the moments of a source.

    The covariance is shrunk towards its diagonal by the share of SHARES whose Gaussian is likeliest on a fifth of the
    samples that it was not estimated from: that of many independent coordinates becomes diagonal. InputError for
    samples that are not finite, or constant.
    """
    x = training_set(source, SAMPLES, rng).reshape(-1, source.dim).astype(np.float64)
    x = x[rng.permutation(len(x))]
    if not np.isfinite(x).all():
        raise InputError(f"{source.name}: expected finite samples, found NaN or infinity in the training part")
    if len(x) < 10:
        raise InputError(f"{source.name}: expected at least 10 training samples, found {len(x)}")
    mean = x.mean(0)
    x -= mean
    if not float(x.var(0).max()) > 0:
        raise InputError(f"{source.name}: expected samples that differ, found constant ones: their rate is 0")
    share = 0.0
    if source.dim > 1:
        fit, check = x[len(x) // 5 :], x[: len(x) // 5]
        share = min(SHARES, key=lambda s: _cost(_shrunk(fit.T @ fit / len(fit), s), check))
    values, vectors = np.linalg.eigh(_shrunk(x.T @ x / len(x), share))
    return Moments(mean, vectors[:, ::-1].copy(), np.maximum(values[::-1], 0.0))


def _shrunk(covariance: NDArray[np.float64], share: float) -> NDArray[np.float64]:
    diagonal = np.diag(np.diag(covariance))
    return diagonal if share == 1 else (1 - share) * covariance + share * diagonal


def _cost(covariance: NDArray[np.float64], x: NDArray[np.float64]) -> float:
    """Mean of -2 ln of the Gaussian density at x, with a floor for directions without variance."""
    values, vectors = np.linalg.eigh(covariance)
    values = np.maximum(values, 1e-9 * values.max())
    return float(np.log(values).sum() + ((x @ vectors) ** 2 / values).mean(0).sum())
