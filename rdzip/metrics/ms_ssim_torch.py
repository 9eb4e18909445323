"""Multi-scale structural similarity as a training target (Wang, Simoncelli and Bovik 2003), differentiable."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the five scales, from the finest (Wang et al., section 3.2)."""
WINDOW, SIGMA = 11, 1.5
SMALLEST = WINDOW << (len(WEIGHTS) - 1)
"""Side from which a image has a whole window at every scale."""
C1, C2 = 0.01**2, 0.03**2  # of samples in 0..1
LEAST = 1e-4
"""Similarity of a scale below which it counts as this: roots have no slope at 0."""


def ms_ssim(x: Tensor, y: Tensor) -> Tensor:
    """Multi-scale structural similarity [n] of images [n, c, h, w] in 0..1, at most 1, averaged over channels.

    Only windows wholly inside count; scales are halved by averages of 2 x 2. ValueError for sides below SMALLEST.
    """
    if min(x.shape[2:]) < SMALLEST:
        raise ValueError(f"expected sides of at least {SMALLEST}, found {tuple(x.shape[2:])}")
    product: Tensor | float = 1.0
    x, y = x.float() - 0.5, y.float() - 0.5  # about zero, variances lose less as differences of squares
    for scale, weight in enumerate(WEIGHTS):
        if scale:
            x, y = (F.avg_pool2d(F.pad(z, (0, z.shape[3] % 2, 0, z.shape[2] % 2), mode="replicate"), 2) for z in (x, y))
        similarity, structure = _similarity(x, y)
        product = product * (similarity if scale == len(WEIGHTS) - 1 else structure).clamp_min(LEAST) ** weight
    assert isinstance(product, Tensor)
    return product.mean(1)


def _similarity(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Mean over windows of SSIM, and of its part without luminance (contrast and structure), [n, c] each."""
    mx, my = _blurred(x), _blurred(y)
    vx, vy, cov = _blurred(x * x) - mx * mx, _blurred(y * y) - my * my, _blurred(x * y) - mx * my
    structure = (2 * cov + C2) / (vx + vy + C2)
    mx, my = mx + 0.5, my + 0.5
    luminance = (2 * mx * my + C1) / (mx * mx + my * my + C1)
    return (luminance * structure).mean((2, 3)), structure.mean((2, 3))


def _blurred(x: Tensor) -> Tensor:
    """Gaussian averages over windows of 11 x 11, [n, c, h, w] to [n, c, h - 10, w - 10]."""
    half = WINDOW // 2
    taps = torch.exp(-(torch.arange(-half, half + 1, device=x.device) ** 2) / (2 * SIGMA**2))
    taps = (taps / taps.sum()).expand(x.shape[1], 1, 1, WINDOW)
    return F.conv2d(F.conv2d(x, taps, groups=x.shape[1]), taps.transpose(2, 3), groups=x.shape[1])
