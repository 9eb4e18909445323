"""Settings of lossy models with one network for all rates: step sizes of the quantiser, and what networks see of them.

The step of the quantiser is STEP_MIN * 2**(OCTAVES * setting / 255) of 0..255 at settings 0 .. SETTINGS - 1.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from rdzip.exact.integers import INPUT_MAX
from rdzip.exact.layers import clip, ste_round
from rdzip.models.shared.residual_site import SCALE_MIN, SCALES_PER_OCTAVE

UNIT = 16
"""Values of a latent a step of the quantiser."""
SETTINGS = 256
OCTAVES = 5
"""Of the quantiser's step from setting 0 to the last."""
SCALE_GAIN = 0.25
"""Scale indices a unit of the network's output."""
MEAN_MAX = 1 << 20
PLANES = 3
"""Inputs that tell the setting."""


def squash(v: Tensor) -> Tensor:
    """Whole numbers -127 ... 127, about 16 asinh(v / 16), of values v in 1/16 steps: inputs of layers.

    For training; coding looks the same numbers up (`SliceNet.table`).
    """
    return clip(ste_round(UNIT * torch.asinh(v / UNIT)), -INPUT_MAX, INPUT_MAX)


def squash_table(size: int = 1 << 15) -> Tensor:
    """squash(v) of v = 0 ... size - 1, int8 [size]; beyond it is the last value."""
    return squash(torch.arange(size, dtype=torch.float64)).to(torch.int8)


def setting_planes(setting: Tensor) -> Tensor:
    """Inputs that tell settings [n], [n, PLANES, 1, 1], whole numbers within 127; exact."""
    t = setting.double() - (SETTINGS - 1) / 2
    square = torch.floor(t * t / 64) - 127
    return torch.stack([torch.floor(t), square, torch.full_like(t, 127)], 1)[:, :, None, None].float().clamp(-127, 127)


STEP_MIN = 6.0
"""Step of the quantiser, of samples 0..255, at setting 0; the transform is orthonormal."""
LN2 = math.log(2)


def step_size(setting: Tensor) -> Tensor:
    """Steps of the quantiser [n, 1, 1, 1], of samples in 0..1, at settings [n]."""
    return (STEP_MIN / 255 * torch.exp2(setting.float() * (OCTAVES / (SETTINGS - 1))))[:, None, None, None]


def residual_bits(symbol: Tensor, index: Tensor) -> Tensor:
    """-log2 of the logistic mass of whole numbers given scale indices, elementwise, differentiable in both."""
    inverse = torch.exp2(index * (-1 / SCALES_PER_OCTAVE)) / SCALE_MIN
    centred = symbol.abs() * inverse
    half = 0.5 * inverse
    mass = F.logsigmoid(centred + half) + F.logsigmoid(half - centred) + torch.log(-torch.expm1(-inverse))
    return mass * (-1 / LN2)
