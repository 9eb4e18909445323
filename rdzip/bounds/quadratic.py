"""Sums of exponentials of quadratics: log u(x) = log sum_j exp(phi(x) . theta_j), for laws and weights of vectors.

A Gaussian, whatever its covariance, is one column theta_j; so one product of matrices evaluates a mixture, and its
transpose gives all statistics that expectation maximisation needs. All tensors are float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

FULL_DIM = 64
"""Largest dimension with cross products among the features; beyond it covariances are diagonal."""


def is_full(dim: int, diagonal: bool) -> bool:
    """Whether features of so many dimensions have cross products."""
    return dim <= FULL_DIM and not diagonal


def features(x: Tensor, diagonal: bool = False) -> Tensor:
    """Return phi(x) [n, p]: 1, x_i, and x_i x_j for i <= j (squares alone where diagonal), of x [n, dim]."""
    one = x.new_ones(x.shape[0], 1)
    if not is_full(x.shape[1], diagonal):
        return torch.cat([one, x, x * x], 1)
    i, j = torch.triu_indices(x.shape[1], x.shape[1])
    return torch.cat([one, x, x[:, i] * x[:, j]], 1)


def coefficients(constant: Tensor, means: Tensor, precisions: Tensor) -> Tensor:
    """Return theta [p, m] with phi(x) . theta_j = constant_j - (x - m_j)' P_j (x - m_j) / 2.

    constant [m], means [m, dim], precisions [m, dim, dim], or [m, dim] where they are diagonal.
    """
    if precisions.ndim == 2:
        linear = precisions * means
        square = -0.5 * precisions
    else:
        linear = (precisions @ means[:, :, None])[:, :, 0]
        i, j = torch.triu_indices(means.shape[1], means.shape[1])
        square = -precisions[:, i, j] * torch.where(i == j, 0.5, 1.0).to(precisions)
    return torch.cat([(constant - 0.5 * (linear * means).sum(1))[:, None], linear, square], 1).T.contiguous()


@dataclass(frozen=True)
class Moments:
    """Weighted counts [m], sums [m, dim] and sums of squares [m, dim, dim] or [m, dim] of samples by component."""

    count: Tensor
    mean: Tensor
    scatter: Tensor


def moments(statistics: Tensor, dim: int, diagonal: bool = False) -> Moments:
    """Return counts, means and covariances by component from statistics [m, p] = responsibilities' phi(x)."""
    count = statistics[:, 0].clamp_min(1e-12)
    mean = statistics[:, 1 : dim + 1] / count[:, None]
    square = statistics[:, dim + 1 :] / count[:, None]
    if not is_full(dim, diagonal):
        return Moments(count, mean, (square - mean * mean).clamp_min(0))
    i, j = torch.triu_indices(dim, dim)
    full = square.new_zeros(square.shape[0], dim, dim)
    full[:, i, j] = square
    full[:, j, i] = square
    return Moments(count, mean, full - mean[:, :, None] * mean[:, None, :])
