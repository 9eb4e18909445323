"""Latents with the uniform noise of dithered quantisation, and Gaussians convolved with it as their densities.

Elementwise on tensors of any shape, in units of the quantiser's step; natural logarithms. Balle et al. 2018; Minnen,
Balle and Toderici 2018.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rdzip.bounds.upper.priors import gaussian_mass

VARIANCE = 1 / 12
"""Of U(-1/2, 1/2)."""


def quantise(y: Tensor, noise: torch.Generator | None, mean: Tensor | float = 0.0) -> Tensor:
    """Return y with noise U(-1/2, 1/2) of a generator of the CPU; without one, y - mean rounded, plus mean."""
    if noise is None:
        return mean + torch.round(y - mean)
    return y + (torch.rand(y.shape, generator=noise) - 0.5).to(y)


def log_mass(y: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """Return ln of the density of N(mean, scale^2) * U(-1/2, 1/2) at y: the mass of y - 1/2 ... y + 1/2."""
    return gaussian_mass((y - mean) / scale, 0.5 / scale)


def denoise(y: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    """Return the best linear estimate of what y was before the noise, if it was of N(mean, scale^2)."""
    signal = scale.square()
    return mean + (y - mean) * (signal / (signal + VARIANCE))
