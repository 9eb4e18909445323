"""The integer network of hyperprior models: distributions of latents given hyper-latents and earlier slices.

Hyper-latents become features at the latents' resolution; heads give means and scale indices of each slice from them
and from decoded slices, and predict what is left of the quantisation error (Minnen, Balle and Toderici 2018; Minnen and
Singh 2020). Strided transposed convolutions are convolutions of 3 x 3 and depth_to_space here. All layers are exact
(exact/convolution.py): the forward that trains is the one that codes.

Latents count in 1/16 of the quantiser's step. The layers see and give values in 1/16 of the finest step, so that they
know signals whatever the setting; `coarser` and `finer` are factors between both.

The program; z are the hyper-latents, which were drawn by a factorised prior before:

    z [hyper, h, w], setting
      |  HyperSynthesis (one tower, or one for means and one for scales)
    features [.., 4 h, 4 w] --+--------------------------+--------------------------+--- ...
                              |                          |                          |
                        means, scales              means, scales              means, scales
                              |                      ^   |                      ^   |
                        draw slice 0                 |   draw slice 1           |   draw slice 2
                              |                      |   |                      |   |
                        + corrections                |   + corrections          |   + corrections
                              |                      |   |                      |   |
                              +-- squash ------------+---+-- squash ------------+   ...    the first `support` slices

A head sees the features and the decoded slices before, never its own; `corrections`, if there are any, see its own
slice, too, and move decoded values by less than half a step. With one slice and no corrections it is the mean-scale
hyperprior of Minnen, Balle and Toderici 2018.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from rdzip.exact.convolution import QuantisedConv, depth_to_space
from rdzip.exact.integers import INPUT_MAX
from rdzip.exact.layers import activate, clip, ste_round
from rdzip.models.shared.residual_site import SCALES, SCALES_PER_OCTAVE
from rdzip.models.shared.settings import MEAN_MAX, OCTAVES, PLANES, SCALE_GAIN, SETTINGS, setting_planes, squash

HYPER_GAIN = 4
"""Units of a layer's input a unit of a hyper-latent."""
MEAN_GAIN = 2
"""1/16 finest steps a unit of the network's output."""
CORRECTION_MAX = 7
"""Largest prediction of a quantisation error, in 1/16 steps: less than half a step."""
MIDDLE_SCALE = 22
"""Scale index of an output of 0 at setting 0."""
COARSER_BITS, FINER_BITS = 16, 10
LARGEST = 1024
"""Most channels of a layer."""
MAX_SLICES = 64
QUALITIES = 100
"""Settings that a model has at least."""
Draw = Callable[[int, Tensor, Tensor], Tensor]
"""Called with the number of a slice, mean and scale index [n, c, h, w]; returns decoded values in 1/16 steps."""


@dataclass(frozen=True)
class HyperConfig:
    """width: features of analysis and synthesis; latent, hyper: channels of latents and hyper-latents (with one level
    there are none); hyper_analysis: features of the hyper-analysis; hyper_synthesis: of the hyper-synthesis at
    strides 32, 16 and, if there are three, after a further layer; towers: 1 hyper-synthesis for means and scales, or 2;
    slices of latents; support: how many of the first ones later slices see; heads: hidden features of heads, whose
    kernels have this side; residual: whether the quantisation error is predicted; finest: the first setting that is
    trained and used."""

    width: int = 192
    latent: int = 320
    hyper: int = 192
    hyper_analysis: tuple[int, int] = (192, 192)
    hyper_synthesis: tuple[int, ...] = (192, 288)
    towers: int = 1
    slices: int = 1
    support: int = 0
    heads: tuple[int, ...] = ()
    kernel: int = 3
    residual: bool = False
    finest: int = 0

    @property
    def stride(self) -> int:
        """Pixels a hyper-latent."""
        return 64

    @property
    def slice_size(self) -> int:
        """Channels of a slice."""
        return self.latent // self.slices

    def as_dict(self) -> dict[str, Any]:
        """As a model file's document has it."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    def problem(self) -> str | None:
        """What is wrong with the sizes, as a line; None if nothing is."""
        sizes = (self.width, self.latent, *self.hyper_analysis, *self.hyper_synthesis, *self.heads)
        if not all(type(n) is int and 1 <= n <= LARGEST for n in sizes):
            return f"expected widths of 1 to {LARGEST}, found {str(sizes)[:60]}"
        if type(self.hyper) is not int or not 0 <= self.hyper <= LARGEST:
            return f"expected 0 to {LARGEST} hyper-latents, found {str(self.hyper)[:20]}"
        if len(self.hyper_analysis) != 2 or len(self.hyper_synthesis) not in (2, 3) or len(self.heads) > 4:
            return "expected 2 widths of hyper_analysis, 2 or 3 of hyper_synthesis and at most 4 of heads"
        if type(self.slices) is not int or not 1 <= self.slices <= MAX_SLICES or self.latent % self.slices:
            return f"expected 1 to {MAX_SLICES} slices that divide {self.latent} latents, found {str(self.slices)[:20]}"
        if type(self.support) is not int or not 0 <= self.support < self.slices:
            return f"expected support of 0 to {self.slices - 1} slices, found {str(self.support)[:20]}"
        whole = type(self.towers) is int and type(self.kernel) is int and type(self.residual) is bool
        if not whole or self.towers not in (1, 2) or self.kernel not in (1, 3, 5):
            return "expected 1 or 2 towers, kernels of 1, 3 or 5 and residual true or false"
        if type(self.finest) is not int or not 0 <= self.finest <= SETTINGS - QUALITIES:
            return f"expected a finest setting of 0 to {SETTINGS - QUALITIES}, found {str(self.finest)[:20]}"
        return None


def coarser() -> Tensor:
    """2**16 times the finest step over the step of each setting, int32 [SETTINGS]."""
    octaves = torch.arange(SETTINGS, dtype=torch.float64) * (OCTAVES / (SETTINGS - 1))
    return torch.round(torch.exp2(COARSER_BITS - octaves)).to(torch.int32)


def finer() -> Tensor:
    """2**10 times the step of each setting over the finest, int32 [SETTINGS]."""
    octaves = torch.arange(SETTINGS, dtype=torch.float64) * (OCTAVES / (SETTINGS - 1))
    return torch.round(torch.exp2(FINER_BITS + octaves)).to(torch.int32)


class HyperSynthesis(nn.Module):
    """Hyper-latents and planes of settings, as inputs of layers, to features 0..ACT_MAX at 4 times the resolution."""

    def __init__(self, hyper: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.first = QuantisedConv(hyper + PLANES, 4 * widths[0], gain=2.0, input_max=INPUT_MAX + 1)
        self.second = QuantisedConv(widths[0], 4 * widths[1])
        self.last = nn.ModuleList(QuantisedConv(a, b) for a, b in pairwise(widths[1:]))

    def forward(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        """Return the features."""
        x = activate(depth_to_space(self.first(x)), dtype=dtype)
        x = activate(depth_to_space(self.second(x)), dtype=dtype)
        for layer in self.last:
            x = activate(layer(x), dtype=dtype)
        return x


class Head(nn.Module):
    """Features and decoded slices, all within ACT_MAX, to outputs that start near 0."""

    def __init__(self, inputs: int, widths: tuple[int, ...], outputs: int, kernel: int) -> None:
        super().__init__()
        sizes = (inputs, *widths)
        self.hidden = nn.ModuleList(QuantisedConv(a, b, kernel) for a, b in pairwise(sizes))
        self.out = QuantisedConv(sizes[-1], outputs, gain=0.02)

    def forward(self, parts: list[Tensor]) -> Tensor:
        """Outputs, in units of the stream, of the parts of the input."""
        x = torch.cat(parts, 1)
        for layer in self.hidden:
            x = activate(layer(x), dtype=x.dtype)
        out: Tensor = self.out(x)
        return out


class HyperSlices(nn.Module):
    """The network. usual [latent]: scale indices of the latents at setting 0 that it starts with."""

    def __init__(self, config: HyperConfig, usual: Tensor) -> None:
        super().__init__()
        self.config = config
        c = config
        self.coarser: Tensor
        self.finer: Tensor
        self.register_buffer("coarser", coarser(), persistent=False)
        self.register_buffer("finer", finer(), persistent=False)
        self.table: Tensor | None = None
        self.towers = nn.ModuleList(HyperSynthesis(c.hyper, c.hyper_synthesis) for _ in range(c.towers))
        self.means, self.scales, self.corrections = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for i in range(c.slices):
            inputs = c.hyper_synthesis[-1] + min(i, c.support) * c.slice_size
            self.means.append(Head(inputs, c.heads, c.slice_size, c.kernel))
            scale = Head(inputs, c.heads, c.slice_size, c.kernel)
            with torch.no_grad():
                of_slice = usual[i * c.slice_size : (i + 1) * c.slice_size]
                scale.out.bias.copy_((of_slice - MIDDLE_SCALE) * (1 / SCALE_GAIN))
            self.scales.append(scale)
            if c.residual:
                self.corrections.append(Head(inputs + c.slice_size, c.heads, c.slice_size, c.kernel))

    def forward(self, draw: Draw, z: Tensor, setting: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Run the program for hyper-latents z [n, hyper, h, w], whole numbers, and settings [n].

        Returns decoded latents [n, latent, 4 h, 4 w] in 1/16 steps.
        """
        n, _, rows, columns = z.shape
        at = setting.long()
        coarser, finer = (t[at].double()[:, None, None, None] for t in (self.coarser, self.finer))
        base = (510 * MIDDLE_SCALE - 2 * OCTAVES * SCALES_PER_OCTAVE * at + 255) // 510  # to the nearest
        hyper_latents = clip(HYPER_GAIN * z, -INPUT_MAX, INPUT_MAX)
        x = torch.cat([hyper_latents, setting_planes(setting).expand(n, PLANES, rows, columns)], 1).to(dtype)
        features = [tower(x, dtype) for tower in self.towers]
        found: list[Tensor] = []
        seen: list[Tensor] = []
        for i in range(self.config.slices):
            beside = seen[: self.config.support]
            mean = self._scaled(self.means[i]([features[0], *beside]), coarser)
            index = clip(
                ste_round(self.scales[i]([features[-1], *beside]) * SCALE_GAIN) + base[:, None, None, None],
                0,
                SCALES - 1,
            )
            y = draw(i, mean, index)
            if self.corrections:
                inputs = [features[0], *beside, self._squash(y, finer, dtype)]
                y = y + clip(ste_round(self.corrections[i](inputs)), -CORRECTION_MAX, CORRECTION_MAX)
            found.append(y)
            if i < self.config.support:
                seen.append(self._squash(y, finer, dtype))
        return torch.cat(found, 1)

    @staticmethod
    def _scaled(output: Tensor, coarser: Tensor) -> Tensor:
        """Means in 1/16 steps; products of whole numbers below 2**53 and powers of two are exact."""
        value = ste_round(output.double() * (MEAN_GAIN * coarser) * (1 / 2**COARSER_BITS))
        return clip(value, -MEAN_MAX, MEAN_MAX).float()

    def _squash(self, y: Tensor, finer: Tensor, dtype: torch.dtype) -> Tensor:
        """Inputs of layers, whole numbers within INPUT_MAX, of decoded values."""
        v = ste_round(y.double() * finer * (1 / 2**FINER_BITS))
        if self.table is None:
            return squash(v).to(dtype)
        size = self.table[v.abs().clamp_max(len(self.table) - 1).long()]
        return torch.where(v < 0, -size, size).to(dtype)
