"""Latents on a grid of 256 values: integer parameters of their distributions, sampling and code lengths for training.

A logistic distribution of mean m (in 1/64 grid step) and scale s (an index into 64 scales, six to the octave, the least
0.06 steps; the same grids as models/shared/logistic_mixture.py). Its mass on [v - 1/2, v + 1/2) is
    sigma(u) - sigma(l) = (1 - exp(l - u)) sigma(u) sigma(-l),   u, l = (v +- 1/2 - m) / s.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from rdzip.exact.layers import clip, ste_round
from rdzip.models.shared.shared_random import uniform
from rdzip.models.shared.units import MEAN_MAX, MEAN_MIN, MEAN_UNIT, SCALE_MIN, SCALES, SCALES_PER_OCTAVE

CENTRE = 128
MEAN_GAIN = 32
"""1/64 steps a unit of a network's output: 32 units are 16 steps."""
SCALE_GAIN = 0.25
"""Scale indices a unit of a network's output."""
USUAL_SCALE = 46
"""Index of a scale of about 12 steps, where networks begin."""
LN2 = math.log(2)


def mean_of(output: Tensor, base: Tensor | float = CENTRE * MEAN_UNIT) -> Tensor:
    """Means in 1/64 steps, integers held in floats, from network outputs in addition to ``base``."""
    return clip(ste_round(output * MEAN_GAIN) + base, MEAN_MIN, MEAN_MAX)


def scale_of(output: Tensor, base: Tensor | float = USUAL_SCALE) -> Tensor:
    """Scale indices, integers held in floats, from network outputs in addition to ``base``."""
    return clip(ste_round(output * SCALE_GAIN) + base, 0, SCALES - 1)


def width(scale: Tensor) -> Tensor:
    """Scales in grid steps of scale indices."""
    return torch.exp2(scale * (1 / SCALES_PER_OCTAVE)) * SCALE_MIN


def sample(mean: Tensor, scale: Tensor, generator: torch.Generator | None) -> Tensor:
    """Grid values 0..255 from the logistic distributions, with gradients by reparametrisation, straight through."""
    u = uniform(mean.shape, generator).to(mean.device).clamp_(1e-6, 1 - 1e-6)
    noise = torch.log(u) - torch.log1p(-u)
    return ste_round(mean * (1 / MEAN_UNIT) + width(scale) * noise).clamp(0, 255)


def bits(mean: Tensor, scale: Tensor, z: Tensor) -> Tensor:
    """-log2 of the masses of grid values z, elementwise, differentiable in all three; the ends take the tails."""
    inverse = 1 / width(scale)
    centred = (z - mean * (1 / MEAN_UNIT)) * inverse
    half = 0.5 * inverse
    below, above = F.logsigmoid(centred + half), F.logsigmoid(half - centred)
    mass = below + above + torch.log(-torch.expm1(-inverse))
    mass = torch.where(z >= 255, above, torch.where(z <= 0, below, mass))
    return mass * (-1 / LN2)
