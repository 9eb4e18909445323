"""Control variates: less variance for means over samples of Gaussian sources, whose moments are known."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from rdzip.bounds.sources.base import Source

BY_COORDINATE = 64
"""Largest dimension with variates of its own for each coordinate; beyond it -log p alone serves."""


def variates(source: Source, x: Tensor) -> Tensor | None:
    """Return functions of x [n, dim] whose mean over the source is 0, [n, m]; None unless it is a diagonal Gaussian."""
    if source.variances is None:
        return None
    variances = torch.from_numpy(np.asarray(source.variances, np.float64))
    unit = np.eye(source.dim)
    right, left = source.log_density(unit), source.log_density(-unit)
    assert right is not None
    assert left is not None
    mean = 0.5 * variances * torch.from_numpy(right - left)  # log p(e) - log p(-e) = 2 mean / variance
    z = (x - mean) / variances.sqrt()
    squares = z * z - 1
    return torch.cat([z, squares], 1) if source.dim <= BY_COORDINATE else squares.sum(1, keepdim=True)


def controlled(source: Source, values: Tensor, x: Tensor, other_values: Tensor, other: Tensor) -> Tensor:
    """Return values [n] at x [n, dim] less what the variates tell of their deviation: the same mean, less variance.

    - source: gives the variates and their expectations
    - values, x: a value [n] for each sample [n, dim]
    - other_values, other: the same of the samples that the factors are fitted to

    The factors come from `other` samples, so that the expectation is exactly that of `values`. Unchanged where the
    source has no variates.
    """
    here, there = variates(source, x), variates(source, other)
    if here is None or there is None:
        return values
    design = torch.cat([there, torch.ones(len(there), 1, dtype=there.dtype)], 1)
    factors: Tensor = torch.linalg.lstsq(design, other_values[:, None], driver="gelsd").solution[:-1, 0]
    less: Tensor = here @ factors
    return values - less
