"""Exact evaluation of a finished causal network: the forward of models/causal/network.py, lean enough to decode.

Matrix products are those of integer layers (exact float32), the features and the last products are numpy's on integers
and on float64 that holds them exactly; docs/explanation/exactness.md lists the bounds. Arrays of neighbours are [k, n].
Needs no torch; models/causal/torch_network.py has the same products in torch, on any device.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rdzip.exact.integers import ACT_MAX, IntegerLayer
from rdzip.exact.types import Int16, Int32
from rdzip.models.causal.config import (
    ACTIVITY_MAX,
    COLOUR_DIFFERENCES,
    DIFFERENCE_MAX,
    FIRST_DIFFERENCES,
    OUTPUT_UNIT,
    SCALE_GAIN,
    CausalConfig,
)
from rdzip.models.shared.units import LOGIT_UNIT, MEAN_MAX, MEAN_MIN, MEAN_UNIT, SCALES

SMALLEST_BATCH_STEP = 32


def _padded(n: int) -> int:
    """Rows of the batch in which n pixels are evaluated: n rounded up to one of at most eight sizes an octave.

    A library that prepares (and keeps) a kernel for each shape so meets few shapes.
    """
    unit = max(SMALLEST_BATCH_STEP, 1 << max(0, n.bit_length() - 4))
    return -(-n // unit) * unit


class Context(NamedTuple):
    """What the network sees of n pixels: neighbours int16 [k, n] of each plane, MED predictions, activities [c, n]."""

    neighbours: list[Int16]
    medians: Int16
    activities: Int32


class Parameters(NamedTuple):
    """Mixture of a channel, int32 [components, n]: mean in 1/64, scale index, logit in 1/16."""

    mean: Int32
    scale: Int32
    logit: Int32


@dataclass
class ExactLayers:
    """The integer layers of a network, named as in models/causal/network.py."""

    stem: IntegerLayer
    blocks: list[IntegerLayer]
    head_in: IntegerLayer
    conditioning: list[IntegerLayer]
    head_blocks: list[list[IntegerLayer]]
    out: list[IntegerLayer]


def _activate(h: NDArray[np.float32]) -> NDArray[np.float32]:
    """Activations of a stream: clip(round(h), 0, 255), halves upwards."""
    a: NDArray[np.float32] = np.floor(h + np.float32(0.5))
    np.maximum(a, 0, out=a)
    np.minimum(a, ACT_MAX, out=a)
    return a


class ExactNet:
    """A finished network of one image kind. ``compression`` int16 [511], ``activity_scale`` int16 [2048]."""

    def __init__(
        self,
        config: CausalConfig,
        layers: ExactLayers,
        compression: NDArray[np.number],
        activity_scale: NDArray[np.number],
    ) -> None:
        self.config = config
        self.layers = layers
        self.compression = compression.astype(np.float32)
        self.activity_scale = activity_scale.astype(np.float64)
        self._units = (64.0 + 26.0 * np.arange(ACTIVITY_MAX + 1)) * (1 / 256)
        k = config.components
        coefficients = max(config.outputs(i) for i in range(config.channels)) - 3 * k
        gains = [MEAN_UNIT] * k + [SCALE_GAIN] * k + [LOGIT_UNIT] * k + [MEAN_UNIT] * coefficients
        self._gains = np.array(gains, np.float64)[:, None] * (1 / OUTPUT_UNIT)
        self._lowest = np.array([MEAN_MIN] * k + [0] * k, np.float64)[:, None]
        self._highest = np.array([MEAN_MAX] * k + [SCALES - 1] * k, np.float64)[:, None]

    def context(self, neighbours: list[Int16]) -> Context:
        """View of n pixels from the neighbours int16 [k, n] of each plane in template order."""
        first = np.stack([nb[:6] for nb in neighbours])
        w, n, nw, ne, ww, nn = (first[:, i] for i in range(6))
        low, high = np.minimum(w, n), np.maximum(w, n)
        medians = np.maximum(low, np.minimum(high, w + n - nw))
        activities = np.abs(w - nw) + np.abs(n - nw)
        activities += np.abs(n - ne)
        activities += np.abs(w - ww)
        activities += np.abs(n - nn)
        return Context(neighbours, medians, activities.astype(np.int32))

    def trunk(self, context: Context, x: NDArray[np.integer], y: NDArray[np.integer]) -> list[Any]:
        """First layer of each head, float32 [rows, head], from the view and the pixel coordinates [n].

        The rows from n on are padding, which ``head`` expects and leaves out.
        """
        count = sum(len(nb) for nb in context.neighbours)
        n = len(x)
        inputs = np.zeros((count + 4, _padded(n)), np.float32)
        start = 0
        for nb, median in zip(context.neighbours, context.medians, strict=True):
            index = nb - median
            index += DIFFERENCE_MAX
            inputs[start : start + len(nb), :n] = self.compression.take(index, mode="clip")
            start += len(nb)
        px, py = x & 1, y & 1
        inputs[start, :n] = px * 64 - 32
        inputs[start + 1, :n] = py * 64 - 32
        inputs[start + 2, :n] = (px ^ py) * 64 - 32
        inputs[start + 3, :n] = (context.medians[0] - 128) >> 1
        return self.head_inputs(inputs)

    def head(self, channel: int, head_in: Any, context: Context, conditioning: list[Int16]) -> Parameters:
        """Mixture of a channel from its part of the trunk [rows, head] and the values [n] of the earlier planes."""
        compressed = None
        if channel:
            seen = []
            for nb, median, value in zip(context.neighbours, context.medians, conditioning, strict=False):
                seen += [value - median, value - nb[0], value - nb[1]]
            index = np.stack(seen)
            index += DIFFERENCE_MAX
            compressed = np.zeros((len(index), len(head_in)), np.float32)
            compressed[:, : index.shape[1]] = self.compression.take(index, mode="clip")
        o = self.outputs(channel, head_in, compressed)[: context.medians.shape[1]]
        return self._parameters(channel, o, context, conditioning)

    def head_inputs(self, inputs: NDArray[np.float32]) -> list[Any]:
        """First layer of each head, float32 [rows, head], from the inputs of the network [k, rows]."""
        h = self.layers.stem(inputs.T)
        for block in self.layers.blocks:
            h += block(_activate(h))
        return np.split(self.layers.head_in(_activate(h)), self.config.channels, 1)

    def outputs(self, channel: int, head_in: Any, conditioning: NDArray[np.float32] | None) -> NDArray[np.float32]:
        """Outputs of a head, float32 [rows, outputs], from its first layer and what it sees of earlier planes."""
        u: NDArray[np.float32] = head_in
        if conditioning is not None:
            u = u + self.layers.conditioning[channel - 1](conditioning.T)
        for layer in self.layers.head_blocks[channel]:
            u = u + layer(_activate(u))
        return self.layers.out[channel](_activate(u))

    def _parameters(
        self, channel: int, o: NDArray[np.float32], context: Context, conditioning: list[Int16]
    ) -> Parameters:
        k = self.config.components
        median = context.medians[channel]
        activity = context.activities[channel]
        count = COLOUR_DIFFERENCES if channel else FIRST_DIFFERENCES
        differences = np.empty((count + channel, o.shape[0]), np.float64)
        np.subtract(context.neighbours[channel][:count], median, out=differences[:count])
        base = median
        if channel:
            residuals = np.stack(conditioning) - context.medians[:channel]
            differences[count:] = residuals
            activity = activity + (np.abs(residuals[-1]) >> 1)
            base = conditioning[0] + median
        activity = np.minimum(activity, ACTIVITY_MAX)
        scaled = np.multiply(o.T, self._gains[: o.shape[1]], dtype=np.float64)
        differences *= scaled[3 * k :]
        correction = differences.sum(0)
        correction += base * float(MEAN_UNIT)
        mixture = scaled[: 3 * k]
        mixture[:k] *= self._units[activity]
        mixture[:k] += correction
        mixture[k : 2 * k] += self.activity_scale[activity]
        mixture += 0.5
        np.floor(mixture, out=mixture)
        bounded = mixture[: 2 * k]
        np.maximum(bounded, self._lowest, out=bounded)
        np.minimum(bounded, self._highest, out=bounded)
        integers = mixture.astype(np.int32)
        return Parameters(integers[:k], integers[k : 2 * k], integers[2 * k :])
