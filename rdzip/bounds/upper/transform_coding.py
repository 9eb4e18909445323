"""A transform code of images with a hyperprior: noisy latents, and their densities given noisy hyper-latents.

Mean-scale hyperprior (Minnen, Balle, Toderici 2018): hyper-latents z of a factorised density tell mean and scale of a
Gaussian for every latent. With several slices, channels are coded slice by slice, each given those before it at all
positions, and the decoder predicts what is left of the quantisation error (Minnen and Singh 2020). Latents have noise
U(-1/2, 1/2) and all densities are convolved with it, so rates are those of dithered quantisation and an ideal entropy
coder. The decoder shrinks each latent towards its mean as far as mean and scale tell that it is noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from rdzip.bounds.upper.conditional import denoise, log_mass, quantise
from rdzip.bounds.upper.image_training import ImageModel
from rdzip.bounds.upper.priors import Deep
from rdzip.errors import InputError
from rdzip.models.shared.transforms import Analysis, BlockTransform, Embedding, Gain, Head, Stack, Synthesis, step_size

HYPER_STRIDE = 4
LEAST_SCALE = 0.003
"""Of a latent's Gaussian: with noise, a latent that is never used costs about as many nats."""


@dataclass(frozen=True)
class Shape:
    """What a code is made of.

    channels of images; widths of features at strides 2, 4, ..., blocks at each; latent: channels of latents, those of
    lowest frequency (None: all that blocks of the last stride have); hyper: channels of hyper-latents; slices of
    latents; residual: whether the decoder predicts the quantisation error.
    """

    channels: int = 3
    widths: tuple[int, ...] = (48, 64, 96)
    blocks: int = 2
    latent: int | None = None
    hyper: int = 48
    slices: int = 1
    residual: bool = False

    def __post_init__(self) -> None:
        if not self.widths or min(self.widths) < 2 or self.blocks < 1 or self.hyper < 1:
            raise InputError(f"expected widths of at least 2, blocks and hyper of at least 1, found {self.widths}, "
                             f"{self.blocks} and {self.hyper}")  # fmt: skip
        if not 1 <= self.slices <= self.kept:
            raise InputError(f"expected 1 to {self.kept} slices, found {self.slices}")

    @property
    def kept(self) -> int:
        """Channels of latents."""
        return self.channels * 4 ** len(self.widths) if self.latent is None else self.latent

    @property
    def stride(self) -> int:
        """Sides of images must be multiples of it: of blocks, and of four of them for a hyper-latent."""
        return HYPER_STRIDE * int(2 ** len(self.widths))


class HyperAnalysis(nn.Module):
    """Latents to hyper-latents at a quarter of their resolution."""

    def __init__(self, latent: int, width: int, blocks: int, hyper: int):
        super().__init__()
        self.enter = nn.Conv2d(latent, width, 3, padding=1)
        self.stack = Stack(width, blocks)
        self.first, self.second = nn.Conv2d(4 * width, width, 1), nn.Conv2d(4 * width, hyper, 1)
        self.gain = Gain(hyper)

    def forward(self, y: Tensor, embedding: Tensor) -> Tensor:
        """Return hyper-latents [n, hyper, h / 4, w / 4] of latents y that are scaled to a variance of about 1."""
        x = self.stack(self.enter(torch.asinh(y)), embedding)
        x = functional.silu(self.first(functional.pixel_unshuffle(x, 2)))
        out: Tensor = self.second(functional.pixel_unshuffle(x, 2)) * (4 * self.gain(embedding))
        return out


class HyperSynthesis(nn.Module):
    """Hyper-latents to features of width at the resolution of latents."""

    def __init__(self, hyper: int, width: int, blocks: int):
        super().__init__()
        self.enter, self.up = nn.Conv2d(hyper, 4 * width, 3, padding=1), nn.Conv2d(width, 4 * width, 3, padding=1)
        self.gain = Gain(hyper)
        self.stack = Stack(width, blocks)

    def forward(self, z: Tensor, embedding: Tensor) -> Tensor:
        """Return the features."""
        x = functional.silu(functional.pixel_shuffle(self.enter(0.25 * z * self.gain(embedding)), 2))
        out: Tensor = self.stack(functional.pixel_shuffle(self.up(x), 2), embedding)
        return out


class Slices(nn.Module):
    """Densities of latents, slice by slice, given features and the slices before; what is decoded of each."""

    def __init__(self, latent: int, width: int, slices: int, residual: bool):
        super().__init__()
        self.sizes = [len(part) for part in torch.arange(latent).tensor_split(slices)]
        self.densities, self.residuals = nn.ModuleList(), nn.ModuleList()
        done = 0
        for size in self.sizes:
            self.densities.append(Head(width, done, 2 * size))
            done += size
            if residual:
                self.residuals.append(Head(width, done, size))

    def forward(
        self, y: Tensor, spread: Tensor, features: Tensor, noise: torch.Generator | None
    ) -> tuple[Tensor, Tensor]:
        """Decoded latents and rate (nats, [n]) of latents y; spread [n, latent, 1, 1]: their usual deviation."""
        decoded: list[Tensor] = []
        seen: list[Tensor] = []  # the same for networks: in units of spread, large ones compressed
        rate = torch.zeros(len(y), device=y.device)
        for i, (part, unit) in enumerate(zip(y.split(self.sizes, 1), spread.split(self.sizes, 1), strict=True)):
            m, raw = self.densities[i](features, *seen).chunk(2, 1)
            mean = unit * m
            scale = torch.sqrt((unit * torch.exp(6 * torch.tanh(raw / 6))).square() + LEAST_SCALE**2)
            noisy = quantise(part, noise, mean)
            rate = rate - log_mass(noisy, mean, scale).flatten(1).sum(1)
            found = denoise(noisy, mean, scale)
            if self.residuals:
                found = found + 0.5 * torch.tanh(self.residuals[i](features, *seen, torch.asinh(found / unit)))
            decoded.append(found)
            seen.append(torch.asinh(found / unit))
        return torch.cat(decoded, 1), rate


class TransformCode(ImageModel):
    """The whole code; see PictureModel and the module."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.shape, self.stride = shape, shape.stride
        widths, blocks, latent = shape.widths, shape.blocks, shape.kept
        self.linear = BlockTransform(shape.channels, 2 ** len(widths), latent)
        self.embed = Embedding()
        self.analysis = Analysis(self.linear, shape.channels, widths, blocks)
        self.synthesis = Synthesis(self.linear, shape.channels, widths, blocks)
        self.hyper_analysis = HyperAnalysis(latent, widths[-1], blocks, shape.hyper)
        self.hyper_synthesis = HyperSynthesis(shape.hyper, widths[-1], blocks)
        self.prior = Deep(1, shape.hyper)
        self.slices = Slices(latent, widths[-1], shape.slices, shape.residual)

    def hyper_rate(self, z: Tensor) -> Tensor:
        """Rate in nats [n] of noisy hyper-latents [n, hyper, h, w]."""
        n, hyper = z.shape[:2]
        each = self.prior.log_mass(z.permute(0, 2, 3, 1).reshape(1, -1, hyper))
        return -each.view(n, -1).sum(1)

    def forward(self, x: Tensor, beta: Tensor, noise: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """Reconstruction, and rate in nats [n], of images x at beta [n]; noise None: rounded."""
        step, embedding = step_size(beta), self.embed(beta)
        spread = self.linear.spread / step
        y = self.analysis(x, step, embedding)
        z = quantise(self.hyper_analysis(y / spread, embedding), noise)
        features = self.hyper_synthesis(z, embedding)
        decoded, rate = self.slices(y, spread, features, noise)
        return self.synthesis(decoded, step, embedding), rate + self.hyper_rate(z)
