"""Analysis and synthesis of the published hyperprior codecs, in floats: convolutions and divisive normalisation.

Four convolutions of 5 x 5 with stride 2, generalised divisive normalisation between them (GDN; Balle, Laparra and
Simoncelli 2016), and their mirror image (Minnen, Balle and Toderici 2018). They start as a tree of 2 x 2 Haar
transforms of luma and chroma that keeps the strongest channels, plus noise: as a codec that works.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rdzip.exact.layers import clip
from rdzip.models.shared.transforms import luma_chroma

PEDESTAL = 2.0**-36
"""Added to parameters under a root, so that their gradient does not vanish at 0."""
BETA_MIN = 1e-6
GAMMA = 0.01
"""Of a channel by itself at the start: so little that synthesis undoes analysis."""
LAYERS = 4
NOISE = 0.05
"""Of the weights around the Haar transforms, of what is usual."""
SAMPLE_SPREAD = (0.25, 0.09, 0.09)
"""About the standard deviations of luma and chroma in photographs."""
LOW_PASS = (2.0, 0.2, 0.2, 0.14)
"""About the standard deviations of sums, differences by column, by row and both, of smooth channels that have 1."""
BAND_PASS = (1.2, 1.0, 1.0, 0.8)
"""The same of other channels."""


class Gdn(nn.Module):
    """x / sqrt(beta + gamma x^2), gamma a matrix over channels; inverse: x * sqrt(beta + gamma x^2)."""

    def __init__(self, channels: int, inverse: bool = False) -> None:
        super().__init__()
        self.inverse = inverse
        self.beta = nn.Parameter(torch.full((channels,), math.sqrt(1 + PEDESTAL)))
        self.gamma = nn.Parameter(torch.sqrt(GAMMA * torch.eye(channels) + PEDESTAL))

    def forward(self, x: Tensor) -> Tensor:
        """Normalised x [n, channels, h, w]."""
        beta = clip(self.beta, math.sqrt(BETA_MIN + PEDESTAL), math.inf).square() - PEDESTAL
        gamma = clip(self.gamma, math.sqrt(PEDESTAL), math.inf).square() - PEDESTAL
        norm = F.conv2d(x.square(), gamma[:, :, None, None], beta)
        return x * (norm.sqrt_() if self.inverse else norm.rsqrt_())  # in place: large pictures take much memory


def haar(spread: Tensor, smooth: Tensor, outputs: int) -> tuple[Tensor, Tensor, Tensor]:
    """Weights [outputs, i, 2, 2] of the 2 x 2 Haar transform of i channels, and which channels come of it.

    spread [i]: about their standard deviations, smooth [i]: whether they are sums alone. The strongest outputs are kept
    and come first, and their spread and whether they are smooth are returned; rows beyond the 4 i of them are 0.
    """
    pair = torch.tensor([[1.0, 1.0], [1.0, -1.0]]) * math.sqrt(0.5)
    basis = torch.einsum("ui,vj->uvij", pair, pair).flatten(0, 1)
    of_each = spread[:, None] * torch.where(smooth[:, None], torch.tensor(LOW_PASS), torch.tensor(BAND_PASS))
    order = torch.argsort(of_each.flatten(), descending=True, stable=True)[:outputs]
    weight = torch.zeros(outputs, len(spread), 2, 2)
    weight[torch.arange(len(order)), order // 4] = basis[order % 4]
    kept = torch.zeros(outputs).index_copy(0, torch.arange(len(order)), of_each.flatten()[order])
    sums = torch.zeros(outputs, dtype=torch.bool)
    sums[: len(order)] = smooth[order // 4] & (order % 4 == 0)
    return weight, kept, sums


def haar_tree(widths: list[int]) -> tuple[list[Tensor], Tensor]:
    """Weights of haar for layers of so many channels after the 3 colours, and the spread of the last ones.

    The first layer also turns red, green and blue into luma and chroma. Channels that nothing reaches have spread 0.
    """
    spread, smooth = torch.tensor(SAMPLE_SPREAD), torch.ones(3, dtype=torch.bool)
    weights = []
    for width in widths:
        weight, spread, smooth = haar(spread, smooth, width)
        weights.append(weight)
    weights[0] = torch.einsum("ocij,cd->odij", weights[0], luma_chroma(3))
    return weights, spread


class GdnAnalysis(nn.Module):
    """Pictures to latents at a stride of 16. spread [latent]: about their standard deviations at the start."""

    def __init__(self, width: int, latent: int) -> None:
        super().__init__()
        sizes = [3, width, width, width, latent]
        self.convolutions = nn.ModuleList(nn.Conv2d(a, b, 5, 2, padding=2) for a, b in pairwise(sizes))
        self.norms = nn.ModuleList(Gdn(width) for _ in range(LAYERS - 1))
        weights, self.spread = haar_tree(sizes[1:])
        for layer, start in zip(self.convolutions, weights, strict=True):
            _start(cast(nn.Conv2d, layer), start)

    def forward(self, x: Tensor) -> Tensor:
        """Latents [n, latent, h / 16, w / 16] of pictures x [n, 3, h, w] in 0..1."""
        x = x - 0.5
        for layer, norm in zip(self.convolutions, self.norms, strict=False):
            x = norm(layer(x))
        out: Tensor = self.convolutions[-1](x)
        return out


class GdnSynthesis(nn.Module):
    """Latents to pictures, the mirror image of GdnAnalysis."""

    def __init__(self, width: int, latent: int) -> None:
        super().__init__()
        sizes = [latent, width, width, width, 3]
        self.convolutions = nn.ModuleList(
            nn.ConvTranspose2d(a, b, 5, 2, padding=2, output_padding=1) for a, b in pairwise(sizes)
        )
        self.norms = nn.ModuleList(Gdn(width, inverse=True) for _ in range(LAYERS - 1))
        weights, _ = haar_tree(sizes[-2::-1])
        for layer, start in zip(self.convolutions, weights[::-1], strict=True):
            _start(cast(nn.ConvTranspose2d, layer), start)

    def forward(self, y: Tensor) -> Tensor:
        """Pictures [n, 3, h, w], about 0..1, of latents."""
        for layer, norm in zip(self.convolutions, self.norms, strict=False):
            y = norm(layer(y))
        out: Tensor = self.convolutions[-1](y) + 0.5
        return out


def _start(layer: nn.Conv2d | nn.ConvTranspose2d, start: Tensor) -> None:
    """Begin with weights [., ., 2, 2] on the pixels of each square, and noise around and in channels without any."""
    with torch.no_grad():
        used = start.flatten(1).any(1)[:, None, None, None]
        layer.weight *= torch.where(used, NOISE, 1.0)
        layer.weight[:, :, 2:4, 2:4] += start


class HyperAnalysis(nn.Module):
    """Latents to hyper-latents at a quarter of their resolution: convolutions of 3 x 3, 5 x 5 and 5 x 5."""

    def __init__(self, latent: int, widths: tuple[int, int], hyper: int) -> None:
        super().__init__()
        first, second = widths
        self.convolutions = nn.ModuleList(
            [
                nn.Conv2d(latent, first, 3, padding=1),
                nn.Conv2d(first, second, 5, 2, padding=2),
                nn.Conv2d(second, hyper, 5, 2, padding=2),
            ]
        )

    def forward(self, y: Tensor) -> Tensor:
        """Hyper-latents [n, hyper, h / 4, w / 4] of latents y [n, latent, h, w]."""
        for layer in self.convolutions[:-1]:
            y = F.leaky_relu(layer(y))
        out: Tensor = self.convolutions[-1](y)
        return out
