"""Likelihood of the samples of an image given features at half its size: logistic mixtures for each sample.

The four positions of every 2 x 2 block are coded one after the other, each for all blocks at once; where the head is
``autoregressive``, the later positions see the earlier ones as well as the features (in the manner of Reed et al. 2017,
"Parallel multiscale autoregressive density estimation"), else they depend on the features alone, as in Bit-Swap. Within
a position green comes first, then red given green, then blue given both, by linear corrections (Salimans et al. 2017,
sec. 2.2).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rdzip.entropy.ans import AnsStack
from rdzip.entropy.cdf import MixtureCdf, MixtureTables
from rdzip.entropy.logarithm import log2_fixed
from rdzip.exact.convolution import QuantisedConv, requantise
from rdzip.exact.integers import INPUT_MAX
from rdzip.exact.layers import activate, clip, ste_round
from rdzip.exact.types import Float64, Int64
from rdzip.models.conv_vae.grid import CENTRE, MEAN_GAIN, SCALE_GAIN, USUAL_SCALE
from rdzip.models.shared import logistic_mixture
from rdzip.models.shared.layer_names import keep_in_checkpoints
from rdzip.models.shared.sites import FULL, Symbols, grid_bits, per_row
from rdzip.models.shared.units import LOGIT_UNIT, MEAN_MAX, MEAN_MIN, MEAN_UNIT, SCALE_MIN, SCALES, SCALES_PER_OCTAVE

POSITIONS = ((0, 0), (1, 1), (0, 1), (1, 0))
"""Rows and columns within a block, in the order of coding."""
COLOURS = (1, 0, 2)
"""Channels in the order of coding: green, red, blue."""
OUTPUT_UNIT = 32
CENTRE_MAX = 1 << 16
WIDER = 12
"""Scale indices by which samples without known neighbours begin wider: a factor of 4."""
_NEIGHBOURS = {
    1: ((0, 0, 0), (0, 0, 1), (0, 1, 0), (0, 1, 1)),
    2: ((0, 0, 0), (0, 0, 1), (1, -1, 0), (1, 0, 0)),
    3: ((0, 0, 0), (0, 1, 0), (1, 0, -1), (1, 0, 0)),
}
"""The four known neighbours of a position: (earlier position, rows down, columns right)."""


_NAMES = {"ahead": "autoregressive"}
"""Fields that have other names in model files and recipes."""


def fields_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a network's shape from the table of a model file or recipe."""
    return {_NAMES.get(name, f"no {name}" if name in _NAMES.values() else name): v for name, v in document.items()}


def document_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a network's shape as plain values under their names in model files."""
    names = {field: name for name, field in _NAMES.items()}
    return {names.get(field, field): list(v) if isinstance(v, tuple) else v for field, v in fields.items()}


@dataclass(frozen=True)
class HeadConfig:
    """Shape of a head.

    - channels: of the image, 1 or 3
    - features, width: channels of the features and of the head
    - blocks: residual blocks of each position
    - components: of the logistic mixtures
    - autoregressive: whether positions see the earlier ones
    """

    channels: int
    features: int
    width: int = 48
    blocks: int = 1
    components: int = 2
    autoregressive: bool = True

    def outputs(self, order: int) -> int:
        """Outputs for the channel that is coded as number ``order``: centre, offsets, scales, logits, corrections."""
        return 3 * self.components + order


class PixelHead(nn.Module):
    """From features [n, f, h, w] to mixtures of the samples of 2h x 2w pixels."""

    def __init__(self, config: HeadConfig) -> None:
        super().__init__()
        keep_in_checkpoints(self)
        self.config = config
        c, many = config, len(POSITIONS)
        self.head_in = QuantisedConv(c.features, many * c.width)
        self.conditioning = nn.ModuleList(
            QuantisedConv(p * c.channels, c.width, input_max=INPUT_MAX + 1)
            for p in range(1, many if c.autoregressive else 1)
        )
        self.head_blocks = nn.ModuleList(
            nn.ModuleList(QuantisedConv(c.width, c.width, 1, gain=0.7) for _ in range(c.blocks)) for _ in range(many)
        )
        self.parts = [c.outputs(order) for order in range(c.channels)]
        self.out = nn.ModuleList(QuantisedConv(c.width, sum(self.parts), 1, gain=0.3) for _ in range(many))
        with torch.no_grad():
            for position, layer in enumerate(self.out):
                at = 0
                k = c.components
                for order, part in enumerate(self.parts):
                    if not (position and c.autoregressive):
                        cast(QuantisedConv, layer).bias[at + k : at + 2 * k] = WIDER / SCALE_GAIN
                    for other in range(order):  # red and blue begin as their own prediction plus green's residual
                        cast(QuantisedConv, layer).bias[at + part - order + other] = OUTPUT_UNIT * float(other == 0)
                    at += part

    def streams(self) -> list[tuple[list[QuantisedConv], list[slice]]]:
        """Layers of which outputs are added before they are requantised, and the parts of them."""
        width = self.config.width
        conditioning = [cast(QuantisedConv, layer) for layer in self.conditioning]
        return [
            ([self.head_in, layer], [slice(p * width, (p + 1) * width), slice(None)])
            for p, layer in enumerate(conditioning, 1)
        ]

    def features(self, h: Tensor, dtype: torch.dtype) -> tuple[Tensor, ...]:
        """First layers of the four positions, from features [n, f, h, w]."""
        return self.head_in(activate(h, dtype=dtype)).split(self.config.width, 1)  # type: ignore[no-any-return]

    def outputs(self, position: int, head_in: Tensor, planes: list[Tensor], dtype: torch.dtype) -> tuple[Tensor, ...]:
        """Outputs for the channels of a position from its part of ``features`` and the earlier planes [n, c, h, w]."""
        u = head_in
        if position and self.config.autoregressive:
            u = u + self.conditioning[position - 1]((torch.cat(planes, 1) - CENTRE).to(dtype))
        u = requantise(u)
        for layer in cast(nn.ModuleList, self.head_blocks[position]):
            u = requantise(u + layer(activate(u, dtype=dtype)))
        return self.out[position](activate(u, dtype=dtype)).split(self.parts, 1)  # type: ignore[no-any-return]

    def base(self, position: int, planes: list[Tensor], like: Tensor) -> Tensor:
        """What outputs are added to, in 1/64, [n, c, h, w]: the mean of the known neighbours, or the middle."""
        if not position or not self.config.autoregressive:
            return torch.full_like(like, CENTRE * MEAN_UNIT)
        around = [_moved(planes[p], down, right) for p, down, right in _NEIGHBOURS[position]]
        return sum(around[1:], around[0]) * (MEAN_UNIT // 4)

    def mixture(self, output: Tensor, base: Tensor, residuals: list[Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Mean, scale, logit [n, k, h, w] and centre [n, h, w] of a channel, in the integer units of
        models/shared/logistic_mixture.py.

        output [n, o, h, w]; base [n, h, w]; residuals: 64 x - centre [n, h, w] of the channels coded before.
        """
        k = self.config.components
        o = output.double() if not output.requires_grad else output  # float64 holds every product below exactly
        shift, offsets, scale, logit, corrections = o.split([1, k - 1, k, k, len(residuals)], 1)
        centre = ste_round(shift[:, 0] * MEAN_GAIN) + base
        for j, residual in enumerate(residuals):
            centre = centre + ste_round(corrections[:, j] * residual * (1 / OUTPUT_UNIT))
        centre = centre.clamp(-CENTRE_MAX, CENTRE_MAX)
        mean = torch.cat([centre[:, None], centre[:, None] + ste_round(offsets * (MEAN_GAIN // 2))], 1)
        scale = ste_round(scale * SCALE_GAIN) + USUAL_SCALE - 2
        return (clip(mean, MEAN_MIN, MEAN_MAX), clip(scale, 0, SCALES - 1),
                ste_round(logit * (LOGIT_UNIT / OUTPUT_UNIT)), centre)  # fmt: skip

    def bits(self, h: Tensor, x: Tensor, dtype: torch.dtype) -> Tensor:
        """Estimated code length of images x [n, c, 2h, 2w] given features [n, f, h, w]: bits of each image [n]."""
        planes = [x[:, :, row::2, column::2] for row, column in POSITIONS]
        total = torch.zeros(len(x), device=x.device)
        for p, head_in in enumerate(self.features(h, dtype)):
            outputs = self.outputs(p, head_in, planes[:p], dtype)
            base, residuals = self.base(p, planes[:p], planes[p]), list[Tensor]()
            for output, channel in zip(outputs, _order(self.config.channels), strict=True):
                mean, scale, logit, centre = self.mixture(output, base[:, channel], residuals)
                value = planes[p][:, channel]
                residuals.append(value * MEAN_UNIT - centre)
                m, s, w = (t.permute(0, 2, 3, 1).reshape(-1, t.shape[1]) for t in (mean, scale, logit))
                total = total + logistic_mixture.bits(m, s, w, value.reshape(-1)).view(len(x), -1).sum(1)
        return total


def _order(channels: int) -> tuple[int, ...]:
    return COLOURS if channels == 3 else (0,)


def _moved(plane: Tensor, down: int, right: int) -> Tensor:
    """The values ``down`` rows below and ``right`` columns to the right, the edges repeated."""
    h, w = plane.shape[2:]
    rows = torch.arange(h, device=plane.device).add_(down).clamp_(0, h - 1)
    columns = torch.arange(w, device=plane.device).add_(right).clamp_(0, w - 1)
    if down:
        plane = plane[:, :, rows]
    return plane[:, :, :, columns] if right else plane


@dataclass(frozen=True)
class PixelSite:
    """Site of images uint8 [rows, height, width(, channels)] given features float32 [rows, f, h, w] (requantised).

    2h >= height, 2w >= width: samples outside the image are not coded and count as 128.
    """

    head: PixelHead
    tables: MixtureTables
    features: Tensor
    shape: tuple[int, ...]

    @property
    def rows(self) -> int:
        return len(self.features)

    def _walk(self, value: Callable[[int, int, MixtureCdf, Any], NDArray[np.int32]]) -> None:
        """Go through positions and channels; ``value`` gives the samples [n] inside the image of each."""
        n, _, h, w = self.features.shape
        channels = self.head.config.channels
        planes: list[Tensor] = []
        with torch.inference_mode():
            for p, head_in in enumerate(self.head.features(self.features, torch.float32)):
                rows, columns = ((size - at + 1) // 2 for size, at in zip(self.shape[:2], POSITIONS[p], strict=True))
                inside = (slice(None), slice(None), slice(rows), slice(columns))
                plane = torch.full((n, channels, h, w), float(CENTRE))
                outputs = self.head.outputs(p, head_in, planes, torch.float32)
                base, residuals = self.head.base(p, planes, plane).double(), list[Tensor]()
                for output, channel in zip(outputs, _order(channels), strict=True):
                    mean, scale, logit, centre = self.head.mixture(output, base[:, channel], residuals)
                    cdf = MixtureCdf(self.tables, *(_flat(t[inside]) for t in (mean, scale, logit)))
                    parameters = (mean[inside], scale[inside], logit[inside])
                    found = value(p, channel, cdf, parameters)
                    plane[:, channel, :rows, :columns] = torch.from_numpy(found.astype(np.float32)).view(
                        n, rows, columns
                    )
                    residuals.append(plane[:, channel].double() * MEAN_UNIT - centre)
                planes.append(plane)

    def _of(self, x: Symbols, position: int, channel: int) -> NDArray[np.int32]:
        row, column = POSITIONS[position]
        part = x[:, row::2, column::2]
        return (part[..., channel] if x.ndim == 4 else part).reshape(-1).astype(np.int32)

    def push(self, stack: AnsStack, symbols: Symbols) -> None:
        coded = []

        def know(position: int, channel: int, cdf: MixtureCdf, _: object) -> NDArray[np.int32]:
            values = self._of(symbols, position, channel)
            coded.append(cdf.intervals(values))
            return values

        self._walk(know)
        for i in reversed(coded):
            stack.push_intervals(i.low_start, i.low_size)
            stack.push_intervals(i.high_start, i.high_size)

    def pop(self, stack: AnsStack) -> Symbols:
        x = np.zeros((self.rows, *self.shape), np.uint8)

        def take(position: int, channel: int, cdf: MixtureCdf, _: object) -> NDArray[np.int32]:
            cumulative = cdf.high_cumulative()
            high = stack.pop(cdf.high_frequencies(cumulative))
            values = (high << 4) | stack.pop(cdf.low_frequencies(high, cumulative))
            row, column = POSITIONS[position]
            part = x[:, row::2, column::2]
            part = part[..., channel] if x.ndim == 4 else part
            part[...] = values.reshape(part.shape)
            return values

        self._walk(take)
        return x

    def log2(self, symbols: Symbols) -> Int64:
        sums = np.zeros(self.rows, np.int64)

        def add(position: int, channel: int, cdf: MixtureCdf, _: object) -> NDArray[np.int32]:
            values = self._of(symbols, position, channel)
            if values.size:
                start, end = cdf.at(np.stack([values, values + 1])).astype(np.int64)
                sums[:] += per_row(log2_fixed(end - start) - FULL, self.rows)
            return values

        self._walk(add)
        return sums

    def bits(self, symbols: Symbols) -> Float64:
        sums = np.zeros(self.rows)

        def add(position: int, channel: int, _: object, parameters: Any) -> NDArray[np.int32]:
            values = self._of(symbols, position, channel)
            mean, scale, logit = (t.numpy().astype(np.float64) for t in parameters)
            if values.size:
                width = SCALE_MIN * np.exp2(scale / SCALES_PER_OCTAVE)
                share = np.exp((logit - logit.max(1, keepdims=True)) / LOGIT_UNIT)
                v = values.reshape(self.rows, 1, *mean.shape[2:])
                mass = np.exp2(-grid_bits(v, mean / MEAN_UNIT, width, normal=False)) * share
                sums[:] += per_row(-np.log2(mass.sum(1) / share.sum(1)), self.rows)
            return values

        self._walk(add)
        return sums

    def take(self, index: NDArray[np.integer]) -> PixelSite:
        return PixelSite(self.head, self.tables, self.features[torch.from_numpy(np.asarray(index))], self.shape)


def _flat(t: Tensor) -> NDArray[np.int32]:
    """[n, k, h, w] to int32 [k, n h w]."""
    k = t.shape[1]
    return t.permute(1, 0, 2, 3).reshape(k, -1).to(torch.int32).numpy()
