"""The integer network of a lossy model: distributions of latents, slice by slice, each given all that is decoded.

Channels of latents come in slices from low to high frequencies (Minnen & Singh 2020), without hyper-latents: the first
slice, means of blocks, is coded from coarse to fine; a trunk of features takes in every slice that is decoded; within a
slice, passes over the grid see the cells of earlier ones. All layers are exact (exact/convolution.py): the forward that
trains is the one that codes. Latents count in 1/16 of the quantiser's step.

The program, for photo-lossy's slices of 3, 8, 16, 32, 56 and 77 channels (y0 ... y5), top to bottom in the order of
coding:

    setting ---+----> first ------------------> mean, scale --> draw y0     8 x 8 apart, then the cells in between:
               |        ^ neighbours of y0 that are decoded -----'          three passes each at spacings 4, 2, 1
               v
    enter(views of y0, setting) = h [96]        the trunk, at the grid of the blocks
               |
               +--> dense --> head --> mean, scale --> draw y1              in 4 passes over the grid (a, b, c, d):
               |               ^ conditioning: cells of y1 that are         a b a b   h at the pass's cells, and
               |                 decoded in earlier passes                  c d c d   what earlier passes decoded
               + <-- taken(y1)
               |
               +--> dense --> head --> mean, scale --> draw y2              and so on; y5 in one pass
               + <-- taken(y2)
              ...

`draw` is the codec's: an encoder quantises its latent less the mean and pushes, a decoder pops, a trainer adds noise;
it returns the decoded values, and all that follows depends on these alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from rdzip.exact.convolution import QuantisedConv, requantise
from rdzip.exact.integers import INPUT_MAX
from rdzip.exact.layers import activate, clip, ste_round
from rdzip.models.lapped_transform.scan import NEAREST, NEIGHBOURS, SPACINGS, Pass, coarse_to_fine, detail_passes
from rdzip.models.shared.layer_names import keep_in_checkpoints
from rdzip.models.shared.residual_site import SCALES, SCALES_PER_OCTAVE
from rdzip.models.shared.settings import MEAN_MAX, OCTAVES, PLANES, SCALE_GAIN, setting_planes, squash

MEAN_GAIN = 2
"""1/16 steps a unit of the network's output."""
VIEWS = 5
"""Inputs for each channel of the first slice: its value, slopes and curvatures."""
Draw = Callable[[str, Pass, Tensor, Tensor], Tensor]
"""Called with name, pass, mean and scale index [n, c, p]; returns decoded values [n, c, p] in 1/16 steps."""


@dataclass(frozen=True)
class SliceConfig:
    """slices: channels of each, the first of them means of blocks; passes over the grid of each but the first: 1, 2 or
    4; width of the trunk; blocks of each head; first: width of the first slice's networks."""

    slices: tuple[int, ...] = (3, 8, 16, 32, 56, 77)
    passes: tuple[int, ...] = (4, 4, 2, 2, 1)
    width: int = 96
    blocks: int = 2
    first: int = 64

    def as_dict(self) -> dict[str, Any]:
        """As a model file's document has it."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


class SliceNet(nn.Module):
    """The network. base int16 [channels]: 255 times the usual scale index of a channel at setting 0, rounded."""

    def __init__(self, config: SliceConfig, base: Tensor) -> None:
        super().__init__()
        keep_in_checkpoints(self)
        self.config = config
        c, w = config, config.width
        self.base: Tensor
        self.register_buffer("base", base.to(torch.int32))
        self.table: Tensor | None = None
        means = c.slices[0]
        extra = PLANES + len(SPACINGS)
        self.first = nn.ModuleList(
            QuantisedConv(means * count + extra, c.first, 1, input_max=INPUT_MAX + 1)
            for count in (0, *map(len, NEIGHBOURS))
        )
        self.first_head_blocks = nn.ModuleList(
            nn.ModuleList(QuantisedConv(c.first, c.first, 1, gain=0.7) for _ in range(c.blocks)) for _ in self.first
        )
        self.first_out = nn.ModuleList(QuantisedConv(c.first, 2 * means, 1, gain=0.02) for _ in self.first)
        self.enter = QuantisedConv(VIEWS * means + PLANES, w, input_max=INPUT_MAX + 1)
        rest = c.slices[1:]
        self.taken = nn.ModuleList(QuantisedConv(size, w, input_max=INPUT_MAX + 1, gain=0.5) for size in rest[:-1])
        self.dense = nn.ModuleList(QuantisedConv(w, w, gain=0.5) for _ in rest)
        self.conditioning = nn.ModuleList(
            nn.ModuleList(QuantisedConv(size, w, input_max=INPUT_MAX + 1, gain=0.5) for _ in range(many - 1))
            for size, many in zip(rest, c.passes, strict=True)
        )
        self.head_blocks = nn.ModuleList(
            nn.ModuleList(QuantisedConv(w, w, 1, gain=0.5) for _ in range(c.blocks)) for _ in rest
        )
        self.out = nn.ModuleList(QuantisedConv(w, 2 * size, 1, gain=0.02) for size in rest)

    def forward(
        self, draw: Draw, setting: Tensor, rows: int, columns: int, dtype: torch.dtype = torch.float32
    ) -> Tensor:
        """Run the program: decoded latents [n, channels, rows, columns] in 1/16 steps.

        - draw: called for each pass
        - setting: of the quantiser, int [n]
        - rows, columns: cells of the grid of blocks
        - dtype: of the layers
        """
        planes = setting_planes(setting)
        base = torch.floor(
            (self.base[None] - OCTAVES * SCALES_PER_OCTAVE * setting[:, None]).double() / 255 + 0.5
        ).float()
        base = base[:, :, None]
        starts = [sum(self.config.slices[:i]) for i in range(len(self.config.slices))]
        found = [self._means(draw, planes, base[:, : self.config.slices[0]], rows, columns, dtype)]
        n = len(setting)
        spread = planes.expand(n, PLANES, rows, columns)
        h = requantise(self.enter(torch.cat([self._views(found[0]), spread], 1).to(dtype)))
        for i, size in enumerate(self.config.slices[1:]):
            h = requantise(h + self.dense[i](activate(h, dtype=dtype)))
            y = self._detail(i, draw, h, base[:, starts[i + 1] : starts[i + 1] + size], rows, columns, dtype)
            found.append(y)
            if i < len(self.taken):
                h = requantise(h + self.taken[i](self._squash(y).to(dtype)))
        return torch.cat(found, 1)

    def _squash(self, v: Tensor) -> Tensor:
        if self.table is None:
            return squash(v)
        size = self.table[v.abs().clamp_max(len(self.table) - 1).long()].float()
        return torch.where(v < 0, -size, size)

    def _law(self, output: Tensor, middle: Tensor | float, base: Tensor, gain: int) -> tuple[Tensor, Tensor]:
        mean, index = output.chunk(2, 1)
        return (
            clip(ste_round(mean * gain) + middle, -MEAN_MAX, MEAN_MAX),
            clip(ste_round(index * SCALE_GAIN) + base, 0, SCALES - 1),
        )

    def _means(self, draw: Draw, planes: Tensor, base: Tensor, rows: int, columns: int, dtype: torch.dtype) -> Tensor:
        """The first slice [n, c, rows, columns], coarse to fine."""
        n, c = len(planes), self.config.slices[0]
        y = planes.new_zeros(n, c, rows * columns)
        for at in coarse_to_fine(rows, columns):
            count = len(at.places)
            level = planes.new_zeros(n, len(SPACINGS), count)
            middle: Tensor | float = 0.0
            inputs = [planes[..., 0].expand(n, PLANES, count), level]
            if at.neighbours is not None and at.inside is not None:
                level[:, SPACINGS.index(at.spacing)] = INPUT_MAX
                values = y[:, :, at.neighbours.reshape(-1)].view(n, c, *at.neighbours.shape) * at.inside
                near = list(NEAREST[at.kind])
                many = at.inside[near].sum(0)
                middle = ste_round(values[:, :, near].sum(2) / many)  # of whole numbers below 2**23: exact
                differences = torch.where(at.inside, values - middle[:, :, None], 0.0)
                inputs.append(self._squash(differences).reshape(n, -1, count))
            h = requantise(self.first[at.kind + 1](torch.cat(inputs, 1)[..., None].to(dtype)))
            for layer in cast(nn.ModuleList, self.first_head_blocks[at.kind + 1]):
                h = requantise(h + layer(activate(h, dtype=dtype)))
            output = self.first_out[at.kind + 1](activate(h, dtype=dtype))[..., 0]
            name = f"0.{at.spacing}.{at.kind}"
            y = y.index_copy(2, at.places, draw(name, at, *self._law(output, middle, base, MEAN_GAIN)))
        return y.view(n, c, rows, columns)

    def _views(self, y: Tensor) -> Tensor:
        """Value, slopes and curvatures of the first slice, squashed, [n, VIEWS * c, rows, columns]."""
        wide = torch.nn.functional.pad(y, (1, 1, 1, 1), mode="replicate")
        left, right, up, down = wide[:, :, 1:-1, :-2], wide[:, :, 1:-1, 2:], wide[:, :, :-2, 1:-1], wide[:, :, 2:, 1:-1]
        views = [y, right - left, down - up, left + right - 2 * y, up + down - 2 * y]
        return self._squash(torch.cat(views, 1))

    def _detail(
        self, i: int, draw: Draw, h: Tensor, base: Tensor, rows: int, columns: int, dtype: torch.dtype
    ) -> Tensor:
        """Slice i + 1 [n, c, rows, columns] given the trunk h."""
        n, size = len(h), self.config.slices[i + 1]
        y = h.new_zeros(n, size, rows * columns)
        flat = h.flatten(2)
        for number, at in enumerate(detail_passes(rows, columns, self.config.passes[i])):
            u = flat[:, :, at.places]
            if number:
                conditioning = cast(nn.ModuleList, self.conditioning[i])[number - 1]
                u = u + conditioning(self._squash(y.view(n, size, rows, columns)).to(dtype)).flatten(2)[:, :, at.places]
            u = requantise(u)[..., None]
            for layer in cast(nn.ModuleList, self.head_blocks[i]):
                u = requantise(u + layer(activate(u, dtype=dtype)))
            output = self.out[i](activate(u, dtype=dtype))[..., 0]
            y = y.index_copy(2, at.places, draw(f"{i + 1}.{number}", at, *self._law(output, 0.0, base, 1)))
        return y.view(n, size, rows, columns)
