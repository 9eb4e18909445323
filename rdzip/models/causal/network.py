"""Causal pixel model: a small network sees the decoded neighbours of a pixel and gives each channel a logistic mixture.

Inputs are differences from the median edge predictor (MED; Weinberger, Seroussi & Sapiro 2000, eq. 1) of green and of
the colour differences R - G and B - G, log-compressed to 8 bits. One trunk serves the three channels; the heads of red
and blue also see what has been coded of the same pixel. A head gives, for each component, the mean as an offset from
the prediction in units of the local activity, the scale relative to that activity, and the weight; and coefficients of
a linear correction by the nearest differences, so that the predictor adapts to the texture.

Layers, n being what the template (models/shared/template.py) has of the three planes, with the widths of photo-fast:

    differences of the neighbours from each plane's MED [n], parities of x and y, level
      |  stem
      h [128] ------> h + block(activation of h)        three times
      |  head_in
      +----------------------+-----------------------+
      | [32]                 | [32]                  | [32]          one head a channel, in the order of coding
      |                      | + conditioning(g)     | + conditioning(g, r - g)
      u + head_block(u)      u + head_block(u)       u + head_block(u)
      |  out                 |  out                  |  out
      mixture of g  ..g..>   mixture of r - g ..r..> mixture of b - g        each K means, scales, weights, and
                                                                             coefficients of the correction

The dotted arrows are the samples themselves: an encoder has them all and runs the heads at once, a decoder has each
when the mixture before it was decoded. A layer is QuantisedLinear: int8 weights times integers within 127, sums exact
in float32, so that numpy, torch and compiled code (numpy_network.py, torch_network.py, compiled_network.py) agree to
the bit.
"""

from __future__ import annotations

import math
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from rdzip.exact.integers import INPUT_MAX
from rdzip.exact.layers import QuantisedLinear, activate, ste_round
from rdzip.models.causal.config import (
    ACTIVITY_MAX,
    COLOUR_DIFFERENCES,
    DIFFERENCE_MAX,
    FIRST_DIFFERENCES,
    OUTPUT_UNIT,
    SCALE_GAIN,
    CausalConfig,
)
from rdzip.models.shared.layer_names import keep_in_checkpoints
from rdzip.models.shared.units import LOGIT_UNIT, MEAN_MAX, MEAN_MIN, MEAN_UNIT, SCALE_MIN, SCALES, SCALES_PER_OCTAVE


class Mixture(NamedTuple):
    """Parameters of one channel, [n, components], integers held in floats: mean in 1/64, scale index, logit in 1/16."""

    mean: Tensor
    scale: Tensor
    logit: Tensor


def compression_table() -> Tensor:
    """Log-compressed differences, int16 [511]: entry d + 255 is sign(d) * round(c ln(1 + |d| / 2)), at most 127."""
    c = INPUT_MAX / math.log(1 + DIFFERENCE_MAX / 2)
    positive = [round(c * math.log(1 + d / 2)) for d in range(DIFFERENCE_MAX + 1)]
    return torch.tensor([-v for v in positive[:0:-1]] + positive, dtype=torch.int16)


def scale_table() -> Tensor:
    """Scale index of the local activity, int16 [2048]: that of the unit (64 + 26 a) / 256 on the grid of scales."""
    units = [(64 + 26 * a) / 256 for a in range(ACTIVITY_MAX + 1)]
    return torch.tensor([round(SCALES_PER_OCTAVE * math.log2(u / SCALE_MIN)) for u in units], dtype=torch.int16)


def median_predictor(nb: Tensor) -> Tensor:
    """MED prediction [n] from neighbours [n, k] in template order: the median of W, N and W + N - NW."""
    w, n, nw = nb[:, 0], nb[:, 1], nb[:, 2]
    low, high = torch.minimum(w, n), torch.maximum(w, n)
    return torch.maximum(low, torch.minimum(high, w + n - nw))


def activity(nb: Tensor) -> Tensor:
    """Local activity [n]: |W - NW| + |N - NW| + |N - NE| + |W - WW| + |N - NN|."""
    w, n, nw, ne, ww, nn_ = nb[:, :6].unbind(1)
    return (w - nw).abs() + (n - nw).abs() + (n - ne).abs() + (w - ww).abs() + (n - nn_).abs()


class Context(NamedTuple):
    """What is known of n pixels: neighbours int16 [n, k] of each plane, their MED predictions, coordinates [n]."""

    neighbours: list[Tensor]
    medians: list[Tensor]
    x: Tensor
    y: Tensor

    @classmethod
    def of(cls, neighbours: list[Tensor], x: Tensor, y: Tensor) -> Context:
        """Context from the neighbours in template order and the pixel coordinates [n]."""
        return cls(neighbours, [median_predictor(nb) for nb in neighbours], x, y)


class CausalNet(nn.Module):
    """The network of one image kind (colour or grey). Registered tables are part of the model file."""

    compression: Tensor
    activity_scale: Tensor

    def __init__(self, config: CausalConfig) -> None:
        super().__init__()
        keep_in_checkpoints(self)
        self.config = config
        c, k = config, config.components
        self.register_buffer("compression", compression_table())
        self.register_buffer("activity_scale", scale_table())
        self.stem = QuantisedLinear(c.inputs, c.width)
        self.blocks = nn.ModuleList(QuantisedLinear(c.width, c.width, gain=0.7) for _ in range(c.blocks))
        self.head_in = QuantisedLinear(c.width, c.channels * c.head)
        self.conditioning = nn.ModuleList(QuantisedLinear(3 * i, c.head) for i in range(1, c.channels))
        self.head_blocks = nn.ModuleList(
            nn.ModuleList(QuantisedLinear(c.head, c.head, gain=0.7) for _ in range(c.head_blocks))
            for _ in range(c.channels)
        )
        self.out = nn.ModuleList(QuantisedLinear(c.head, c.outputs(i), gain=0.3) for i in range(c.channels))
        spread = torch.linspace(-1, 1, k) if k > 1 else torch.zeros(1)
        with torch.no_grad():
            for layer in self.out:
                cast(QuantisedLinear, layer).bias[:k] = spread * OUTPUT_UNIT * 0.3

    def _compress(self, d: Tensor, dtype: torch.dtype) -> Tensor:
        index = d.clamp(-DIFFERENCE_MAX, DIFFERENCE_MAX).to(torch.int32) + DIFFERENCE_MAX
        return self.compression.to(dtype)[index]

    def inputs(self, context: Context, dtype: torch.dtype) -> Tensor:
        """Network inputs [n, i], integers in -127..127: compressed differences, position parities, level."""
        first = context.medians[0]
        x, y = context.x & 1, context.y & 1
        rest = torch.stack([x * 64 - 32, y * 64 - 32, (x ^ y) * 64 - 32, (first - 128) >> 1], 1)
        parts = [nb - m[:, None] for nb, m in zip(context.neighbours, context.medians, strict=True)]
        return torch.cat([self._compress(torch.cat(parts, 1), dtype), rest.to(dtype)], 1)

    def trunk(self, inputs: Tensor, quantise: bool = True) -> Tensor:
        """First layer of every head before what is known of the pixel, stream [n, channels * head]."""
        dtype = inputs.dtype
        h = self.stem(inputs, quantise)
        for block in self.blocks:
            h = h + block(activate(h, quantise, dtype), quantise)
        return self.head_in(activate(h, quantise, dtype), quantise)  # type: ignore[no-any-return]

    def head(
        self,
        channel: int,
        head_in: Tensor,
        context: Context,
        conditioning: list[Tensor],
        quantise: bool = True,
        dtype: torch.dtype = torch.float32,
    ) -> Mixture:
        """Mixture of a channel of n pixels.

        - channel: which
        - head_in: its slice [n, head] of the trunk
        - context: of the pixels
        - conditioning: values [n] of the earlier planes
        - quantise: round as a decoder does
        - dtype: of the layers
        """
        u = head_in
        if channel:
            seen = []
            for plane, value in enumerate(conditioning):
                nb = context.neighbours[plane]
                seen += [value - context.medians[plane], value - nb[:, 0], value - nb[:, 1]]
            u = u + self.conditioning[channel - 1](self._compress(torch.stack(seen, 1), dtype), quantise)
        for layer in cast(nn.ModuleList, self.head_blocks[channel]):
            u = u + layer(activate(u, quantise, dtype), quantise)
        o = self.out[channel](activate(u, quantise, dtype), quantise)
        return self._mixture(channel, o, context, conditioning, quantise, dtype)

    def _mixture(
        self, channel: int, o: Tensor, context: Context, conditioning: list[Tensor], quantise: bool, dtype: torch.dtype
    ) -> Mixture:
        k = self.config.components
        # float64 holds every product and sum below exactly, as models/causal/numpy_network.py needs; training does
        # without
        real = torch.float64 if quantise and dtype == torch.float32 else torch.float32
        o = o.to(real)
        nb, med = context.neighbours[channel], context.medians[channel]
        act = activity(nb)
        base = med
        count = COLOUR_DIFFERENCES if channel else FIRST_DIFFERENCES
        differences = [nb[:, :count] - med[:, None]]
        if channel:
            residuals = [value - m for value, m in zip(conditioning, context.medians, strict=False)]
            differences.append(torch.stack(residuals, 1))
            act = act + (residuals[-1].abs() >> 1)
            base = conditioning[0] + med
        act = act.clamp(0, ACTIVITY_MAX).to(torch.int32)
        unit = (64 + 26 * act).to(real)[:, None]
        offset, spread, weight, coefficients = o.split([k, k, k, o.shape[1] - 3 * k], 1)
        correction = (coefficients * torch.cat(differences, 1).to(real)).sum(1, keepdim=True)
        mean = base.to(real)[:, None] * MEAN_UNIT + offset * unit * (MEAN_UNIT / (256 * OUTPUT_UNIT))
        mean = mean + correction * (MEAN_UNIT / OUTPUT_UNIT)
        scale = self.activity_scale[act].to(real)[:, None] + spread * (SCALE_GAIN / OUTPUT_UNIT)
        logit = weight * (LOGIT_UNIT / OUTPUT_UNIT)
        if quantise:
            mean, scale, logit = ste_round(mean), ste_round(scale), ste_round(logit)
        return Mixture(mean.clamp(MEAN_MIN, MEAN_MAX), scale.clamp(0, SCALES - 1), logit)

    def forward(
        self, context: Context, current: list[Tensor], dtype: torch.dtype, quantise: bool = True
    ) -> list[Mixture]:
        """Mixtures of every channel given the true values ``current`` of each plane [n]: the training forward."""
        head_inputs = self.trunk(self.inputs(context, dtype), quantise).split(self.config.head, 1)
        mixtures = []
        for i, head_in in enumerate(head_inputs):
            mixtures.append(self.head(i, head_in, context, current[:i], quantise, dtype))
        return mixtures
