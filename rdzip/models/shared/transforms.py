"""Analysis and synthesis of transform coding: a block transform and residual networks that correct it.

The linear part is orthonormal: colours, then the discrete cosine transform of blocks of stride x stride, channels from
low to high frequencies (chroma as if at twice its frequency). Its coefficients are divided by the quantiser's step
that is the best at high rate, sqrt(6 / beta) (noise of variance 1 / (2 beta)), so that training starts with a codec
that works at any rate. Networks learn gains by channel and lambda, gates and shifts of latents, and a correction of the
decoded picture. beta = lambda / dim enters every block: one network serves all lambdas.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from rdzip.errors import InputError

EMBEDDING = 32
"""Features of the embedding of lambda."""
SHRINK_LIMIT = 3 / 16
"""Steps of the quantiser below which values of latents count little, at the start of training."""


def step_size(beta: Tensor) -> Tensor:
    """Step of the quantiser [n, 1, 1, 1] at beta [n]."""
    return torch.sqrt(6 / beta)[:, None, None, None]


def luma_chroma(channels: int) -> Tensor:
    """Orthonormal transform of colours [channels, channels], luma first; the identity unless there are 3."""
    if channels != 3:
        return torch.eye(channels)
    colours = torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [1.0, -2.0, 1.0]])
    return colours / colours.square().sum(1, keepdim=True).sqrt()


class Block(nn.Module):
    """Residual bottleneck, scaled and shifted by the embedding of lambda; starts as the identity."""

    def __init__(self, width: int):
        super().__init__()
        inner = max(2, width // 2)
        self.first = nn.Conv2d(width, inner, 1)
        self.middle = nn.Conv2d(inner, inner, 3, padding=1)
        self.last = nn.Conv2d(inner, width, 1)
        self.condition = nn.Linear(EMBEDDING, 2 * inner)
        for layer in (self.last, self.condition):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(cast(Tensor, layer.bias))

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """Return x + f(x)."""
        gain, shift = self.condition(embedding)[:, :, None, None].chunk(2, 1)
        inner = functional.silu(self.first(x)) * (1 + gain) + shift
        out: Tensor = x + self.last(functional.silu(self.middle(inner)))
        return out


class Shrink(nn.Module):
    """Values of latents near 0 drawn to 0: v^5 / (v^4 + c^4), with c by channel, in steps; the first ones are kept.

    Where nothing is coded a latent is its predicted mean, which is right to about 1/16 of a step only; over all
    channels that shows as a pattern in smooth places.
    """

    def __init__(self, channels: int, kept: int):
        super().__init__()
        self.kept = kept
        self.log_limit = nn.Parameter(torch.full((channels - kept,), math.log(SHRINK_LIMIT)))

    def forward(self, y: Tensor) -> Tensor:
        """Latents [n, channels, h, w] in steps, shrunk."""
        first, rest = y[:, : self.kept], y[:, self.kept :]
        fourth = rest.square().square()
        share = fourth / (fourth + torch.exp(4 * self.log_limit)[:, None, None])
        return torch.cat([first, rest * share], 1)


class Head(nn.Module):
    """Features and maps beside them to outputs that start at 0: a convolution of a given size and one of 1x1."""

    def __init__(self, width: int, beside: int, outputs: int, size: int = 3):
        super().__init__()
        self.first = nn.Conv2d(width + beside, width, size, padding=size // 2)
        self.last = nn.Conv2d(width, outputs, 1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(cast(Tensor, self.last.bias))

    def forward(self, *maps: Tensor) -> Tensor:
        """Return the outputs."""
        out: Tensor = self.last(functional.silu(self.first(torch.cat(maps, 1))))
        return out


class Embedding(nn.Module):
    """Features [n, EMBEDDING] of beta [n]."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, EMBEDDING), nn.SiLU(), nn.Linear(EMBEDDING, EMBEDDING), nn.SiLU())

    def forward(self, beta: Tensor) -> Tensor:
        """Return the features."""
        t = torch.log(beta) - 5
        out: Tensor = self.layers(torch.stack([t, 0.3 * t.square(), torch.sin(t)], 1))
        return out


class BlockTransform(nn.Module):
    """The orthonormal transform; `latent` of its channels are kept, those of lowest frequency.

    spread [latent, 1, 1]: about the standard deviation that coefficients have in photographs.
    """

    def __init__(self, channels: int, stride: int, latent: int):
        super().__init__()
        if not 1 <= latent <= channels * stride**2:
            raise InputError(f"expected 1 to {channels * stride**2} channels of latents, found {latent}")
        self.stride = stride
        k = torch.arange(stride, dtype=torch.float64)
        cosines = torch.cos(math.pi / stride * (k[None] + 0.5) * k[:, None]) * math.sqrt(2 / stride)
        cosines[0] /= math.sqrt(2)
        colours = luma_chroma(channels).double()
        kernel = torch.einsum("ab,ui,vj->auvbij", colours, cosines, cosines).flatten(0, 2)
        radius = torch.sqrt(k[:, None].square() + k.square()).expand(channels, -1, -1)
        chroma = torch.full((channels, 1, 1), 1.0)
        if channels == 3:
            chroma[1:] = 2.0
        order = torch.argsort((radius * chroma + 0.3 * chroma).flatten(), stable=True)[:latent]
        spread = torch.where(radius > 0, 0.025 * stride / radius.clamp_min(1), 0.25 * stride) / chroma**1.5
        self.order = order
        self.kernel: Tensor
        self.register_buffer("kernel", kernel[order].float(), persistent=False)
        self.spread: Tensor
        self.register_buffer("spread", spread.flatten()[order].float()[:, None, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Coefficients [n, latent, h / stride, w / stride] of pictures [n, c, h, w] in 0..1."""
        return functional.conv2d(x - 0.5, self.kernel, stride=self.stride)

    def inverse(self, w: Tensor) -> Tensor:
        """Return the picture of its coefficients."""
        return functional.conv_transpose2d(w, self.kernel, stride=self.stride) + 0.5


class Stack(nn.Module):
    """Residual blocks one after the other."""

    def __init__(self, width: int, blocks: int):
        super().__init__()
        self.blocks = nn.ModuleList(Block(width) for _ in range(blocks))

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        """Return x through all blocks."""
        for block in self.blocks:
            x = block(x, embedding)
        return x


class Gain(nn.Module):
    """A factor by channel and lambda, [n, channels, 1, 1]; starts at 1."""

    def __init__(self, channels: int):
        super().__init__()
        self.layer = nn.Linear(EMBEDDING, channels)
        nn.init.zeros_(self.layer.weight)
        nn.init.zeros_(cast(Tensor, self.layer.bias))

    def forward(self, embedding: Tensor) -> Tensor:
        """Return the factors."""
        return torch.exp(self.layer(embedding))[:, :, None, None]


class Analysis(nn.Module):
    """Pictures to latents in units of the quantiser's step; widths of features at strides 2, 4, ..."""

    def __init__(self, linear: BlockTransform, channels: int, widths: tuple[int, ...], blocks: int):
        super().__init__()
        latent = len(linear.spread)
        self.linear, self.gain = linear, Gain(latent)
        before = (channels, *widths)
        self.down = nn.ModuleList(nn.Conv2d(4 * before[i], width, 1) for i, width in enumerate(widths))
        self.stacks = nn.ModuleList(Stack(width, blocks) for width in widths)
        self.head = Head(widths[-1], latent, 2 * latent)

    def forward(self, x: Tensor, step: Tensor, embedding: Tensor) -> Tensor:
        """Latents of pictures x [n, c, h, w] in 0..1; step: see `step_size`."""
        y = self.linear(x) / step * self.gain(embedding)
        features = 4 * (x - 0.5)
        for down, stack in zip(self.down, self.stacks, strict=True):
            features = stack(down(functional.pixel_unshuffle(features, 2)), embedding)
        gate, shift = self.head(features, torch.asinh(y * step / self.linear.spread)).chunk(2, 1)
        out: Tensor = y * 2 * torch.sigmoid(gate) + shift
        return out


class Synthesis(nn.Module):
    """Decoded latents to pictures, the reverse of Analysis."""

    def __init__(self, linear: BlockTransform, channels: int, widths: tuple[int, ...], blocks: int):
        super().__init__()
        latent = len(linear.spread)
        self.linear, self.gain = linear, Gain(latent)
        self.enter = nn.Conv2d(latent, widths[-1], 3, padding=1)
        self.stacks = nn.ModuleList(Stack(width, blocks) for width in widths)
        self.up = nn.ModuleList(nn.Conv2d(b, 4 * a, 1) for a, b in pairwise(widths))
        self.beside = nn.Conv2d(4 * channels, widths[0], 3, padding=1)
        self.head = Head(widths[0], 4 * channels, 4 * channels)

    def forward(self, y: Tensor, step: Tensor, embedding: Tensor) -> Tensor:
        """Return pictures [n, c, h, w] of decoded latents."""
        base = self.linear.inverse(y * step * self.gain(embedding))
        seen = functional.pixel_unshuffle(4 * (base - 0.5), 2)
        features = self.enter(torch.asinh(y * step / self.linear.spread))
        for i in reversed(range(len(self.stacks))):
            if i == 0:
                features = features + self.beside(seen)
            features = self.stacks[i](features, embedding)
            if i:
                features = functional.pixel_shuffle(self.up[i - 1](features), 2)
        # In units of the noise's standard deviation.
        correction = functional.pixel_shuffle(self.head(features, seen), 2)
        out: Tensor = base + step * math.sqrt(1 / 12) * correction
        return out
