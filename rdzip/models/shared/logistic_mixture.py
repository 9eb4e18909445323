"""Discretised logistic mixture over the 256 values of a sample: parameters on integer grids, and its training loss.

Salimans et al. 2017 (PixelCNN++, eq. 2):
    P(x) = sum_k w_k [sigma((x + 1/2 - mu_k) / s_k) - sigma((x - 1/2 - mu_k) / s_k)],
the ends of the range taking the tails. Here mu is a multiple of 1/64, s one of 64 scales, six to the octave, and ln w a
multiple of 1/16, so that entropy/cdf.py turns them into frequencies with integers only.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rdzip.models.shared.units import LOGIT_UNIT, MEAN_UNIT, SCALE_MIN, SCALES_PER_OCTAVE

FLOOR = 2.0**-20


def bits(mean: Tensor, scale: Tensor, logit: Tensor, x: Tensor) -> Tensor:
    """Estimated code length of samples, bits, float32 [n]: -log2 P(x), differentiable in the parameters.

    mean, scale (index), logit: float [n, k] in the integer units of this module (rounding already applied, straight
    through); x: [n] in 0..255. FLOOR is the probability that the coder grants every value.
    """
    t = x.float()[:, None]
    inverse = torch.exp2(scale * (-1 / SCALES_PER_OCTAVE)) / SCALE_MIN
    mean = mean * (1 / MEAN_UNIT)
    z = (t - mean) * inverse
    half = 0.5 * inverse
    far = 1e4
    upper = torch.sigmoid(z + half + far * (t >= 255))
    lower = torch.sigmoid(z - half - far * (t <= 0))
    p = ((upper - lower) * torch.softmax(logit * (1 / LOGIT_UNIT), 1)).sum(1)
    return -torch.log2(p + FLOOR)
