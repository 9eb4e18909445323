"""A hierarchical VAE of images on the Haar pyramid: coefficients from coarse to fine, each group given those before.

The transform is orthonormal, so with a Gaussian prior N(m, P) of a coefficient w, given what was decoded before, the
best channel y is known (the exponent of the rate-distortion Lagrangian times the prior): with D = 1 / (2 beta),
    y ~ N((m / P + w / D) V, V),  1 / V = 1 / P + 1 / D,  rate = KL against the prior.
That is where training starts; residual networks learn the priors (m and P from coarser levels, and channel by channel
within a level), corrections of the posterior, and a correction of the image after the inverse transform.

One network serves all lambdas: ln beta enters every block. beta = lambda / dim, nats per squared error of one sample.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from rdzip.bounds.upper.image_training import ImageModel
from rdzip.errors import InputError
from rdzip.models.shared.transforms import EMBEDDING, Block, Head, luma_chroma

DETAIL = 0.03
"""Typical standard deviation of a detail of the finest level, where samples are in 0..1; it doubles a level."""


@dataclass(frozen=True)
class Shape:
    """channels of images; widths of features at strides 2, 4, ...; blocks at each; slices of a level's channels."""

    channels: int = 3
    widths: tuple[int, ...] = (48, 64, 96, 96, 96)
    blocks: int = 2
    slices: int = 3

    def __post_init__(self) -> None:
        if self.slices < 1 or (3 * self.channels) % self.slices:
            raise InputError(f"expected slices that divide {3 * self.channels} channels, found {self.slices}")
        if not self.widths or min(self.widths) < 2 or self.blocks < 1:
            raise InputError(f"expected widths of at least 2 and blocks, found {self.widths} and {self.blocks}")

    @property
    def stride(self) -> int:
        """Sides of images must be multiples of it."""
        return int(2 ** len(self.widths))


class Level(nn.Module):
    """The details of one stride: trunk over what was decoded, and for every slice its prior and posterior."""

    def __init__(self, shape: Shape, depth: int):
        super().__init__()
        width, details = shape.widths[depth], 3 * shape.channels
        self.scale = DETAIL * 2.0**depth
        coarser = shape.widths[depth + 1] if depth + 1 < len(shape.widths) else 0
        self.up = nn.Conv2d(coarser, 4 * width, 1) if coarser else None
        self.enter = nn.Conv2d(shape.channels, width, 3, padding=1)
        self.blocks = nn.ModuleList(Block(width) for _ in range(shape.blocks))
        self.each = each = details // shape.slices
        self.priors = nn.ModuleList(Head(width, i * each, 2 * each) for i in range(shape.slices))
        self.encode = nn.Conv2d(details + shape.channels, width, 3, padding=1)
        self.encoder = nn.ModuleList(Block(width) for _ in range(max(1, shape.blocks // 2)))
        self.posteriors = nn.ModuleList(Head(width, width + i * each, 2 * each, 1) for i in range(shape.slices))
        self.leave = nn.Conv2d(details, width, 3, padding=1)

    def forward(
        self, low: Tensor, detail: Tensor, above: Tensor, features: Tensor | None, embedding: Tensor, d: Tensor,
        noise: torch.Generator,
    ) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
        """Decoded details, features for the next finer level, and rate (nats, [n]).

        - low, detail: coefficients of the image
        - above: the decoded low pass
        - features: of the next coarser level, None at the coarsest
        - embedding: of the distortion, [n, width]
        - d: D of every image, [n, 1, 1, 1]
        - noise: generator of the posterior's draws
        """
        x = self.enter(above / (self.scale * 10))
        if self.up is not None and features is not None:
            x = x + functional.pixel_shuffle(self.up(features), 2)
        for block in self.blocks:
            x = block(x, embedding)
        seen = self.encode(torch.cat([torch.asinh(detail / self.scale), (low - above) / d.sqrt()], 1))
        for block in self.encoder:
            seen = block(seen, embedding)
        decoded: list[Tensor] = []
        rate = torch.zeros(len(low), device=low.device)
        for i, w in enumerate(detail.split(self.each, 1)):
            before = [y / self.scale for y in decoded]
            m, raw = self.priors[i](x, *before).chunk(2, 1)
            correction = self.posteriors[i](x, seen, *before)
            y, nats = draw(w, self.scale * m, self.scale * torch.exp(5 * torch.tanh(raw / 5)), d, correction, noise)
            decoded.append(y)
            rate = rate + nats
        details = torch.cat(decoded, 1)
        return details, x + self.leave(details / self.scale), rate


def draw(
    w: Tensor, m: Tensor, spread: Tensor, d: Tensor, correction: Tensor, noise: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Decoded coefficients and rate (nats, [n]): the posterior of the module's text, moved by the correction.

    - w: coefficients
    - m: predicted mean of w
    - spread: predicted standard deviation of w; the prior's variance is smaller by about D: the decoded value is
      smoother than the original
    - d: D of every image, [n, 1, 1, 1]
    - correction: of the mean, in standard deviations, and of the logarithm of the scale
    - noise: generator of the draws
    """
    signal = spread.square()
    p = signal * (signal / (signal + d)) + 1e-6 * d
    v = p * d / (p + d)
    move, widen = correction.chunk(2, 1)
    log_scale = 2 * torch.tanh(widen / 2)
    mean = (m * d + w * p) / (p + d) + v.sqrt() * move
    v = v * torch.exp(2 * log_scale)
    e = torch.randn(w.shape, generator=noise, device="cpu").to(w)
    nats = 0.5 * ((v + (mean - m).square()) / p - 1 + torch.log(p / v))
    return mean + v.sqrt() * e, nats.flatten(1).sum(1)


def haar(x: Tensor) -> tuple[Tensor, Tensor]:
    """Orthonormal Haar transform of [n, c, h, w]: low pass [n, c, h/2, w/2], and details [n, 3c, h/2, w/2]."""
    n, c, h, w = x.shape
    a, b, e, f = functional.pixel_unshuffle(x, 2).view(n, c, 4, h // 2, w // 2).unbind(2)
    details = torch.stack([a - b + e - f, a + b - e - f, a - b - e + f], 2) / 2
    return (a + b + e + f) / 2, details.flatten(1, 2)


def inverse_haar(low: Tensor, details: Tensor) -> Tensor:
    """Return the image of its coefficients; see `haar`."""
    s = low
    h, v, d = details.unflatten(1, (-1, 3)).unbind(2)
    quads = torch.stack([s + h + v + d, s - h + v - d, s + h - v - d, s - h - v + d], 2) / 2
    return functional.pixel_shuffle(quads.flatten(1, 2), 2)


class Pyramid(ImageModel):
    """The whole model; images are [n, c, h, w] in 0..1, with sides that are multiples of shape.stride."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.shape, self.stride = shape, shape.stride
        depth, channels = len(shape.widths), shape.channels
        self.colours: Tensor
        self.register_buffer("colours", luma_chroma(channels)[:, :, None, None], persistent=False)
        self.embed = nn.Sequential(nn.Linear(3, EMBEDDING), nn.SiLU(), nn.Linear(EMBEDDING, EMBEDDING), nn.SiLU())
        self.levels = nn.ModuleList(Level(shape, i) for i in range(depth))
        self.top_mean = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.top_spread = nn.Parameter(torch.full((1, channels, 1, 1), math.log(0.3 * 2.0**depth)))
        self.finish_blocks = nn.ModuleList(Block(shape.widths[0]) for _ in range(shape.blocks))
        self.finish = Head(shape.widths[0], 0, 4 * channels)

    def forward(self, x: Tensor, beta: Tensor, noise: torch.Generator) -> tuple[Tensor, Tensor]:
        """Reconstruction, and rate in nats [n], of images x at beta [n]."""
        t = torch.log(beta) - 5
        embedding = self.embed(torch.stack([t, 0.3 * t.square(), torch.sin(t)], 1))
        d = (0.5 / beta)[:, None, None, None]
        low = functional.conv2d(x - 0.5, self.colours)
        lows, details = [], []
        for _ in self.levels:
            low, detail = haar(low)
            lows.append(low)
            details.append(detail)
        nothing = torch.zeros_like(low).repeat(1, 2, 1, 1)
        above, rate = draw(low, self.top_mean, torch.exp(self.top_spread), d, nothing, noise)
        features: Tensor | None = None
        for i in reversed(range(len(self.levels))):
            decoded, features, nats = self.levels[i](lows[i], details[i], above, features, embedding, d, noise)
            above, rate = inverse_haar(above, decoded), rate + nats
        assert features is not None
        for block in self.finish_blocks:
            features = block(features, embedding)
        above = above + DETAIL * functional.pixel_shuffle(self.finish(features), 2)
        return functional.conv_transpose2d(above, self.colours) + 0.5, rate
