"""Convolutions on integers: matrix products over gathered neighbours, exact like the layers of exact/layers.py.

Arrays are [n, channels, h, w] in the memory format channels_last. A finished layer gathers the neighbours of each
position and multiplies, because libraries may compute convolutions by transforms (Winograd, FFT) that are not exact.
Between layers runs a residual stream that is requantised, rounded to whole numbers within +-STREAM_MAX, after each
sum, so that every sum keeps the bound of exactness by itself.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from rdzip.errors import ModelError
from rdzip.exact.integers import ACT_MAX, BIAS_UNIT, INPUT_MAX, SUM_LIMIT
from rdzip.exact.layers import IntegerLinear, QuantisedLinear, ste_round

STREAM_MAX = 2047
ADDENDS = 3
"""Requantised streams that may be added to the output of one layer."""


class _Requantise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, h: Tensor) -> Tensor:  # type: ignore[override]
        requantised = (h + 0.5).floor_().clamp_(-STREAM_MAX, STREAM_MAX)
        ctx.save_for_backward(requantised)
        return requantised

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # type: ignore[override]
        (requantised,) = ctx.saved_tensors
        return torch.ops.aten.hardtanh_backward(grad, requantised, -float(STREAM_MAX), float(STREAM_MAX))  # type: ignore[no-any-return]


def requantise(h: Tensor) -> Tensor:
    """Round the stream to whole numbers (halves upwards) and clip it to +-STREAM_MAX, gradient straight through."""
    if not h.requires_grad:
        return (h + 0.5).floor_().clamp_(-STREAM_MAX, STREAM_MAX)
    return _Requantise.apply(h)  # type: ignore[no-any-return, no-untyped-call]


class QuantisedConv(QuantisedLinear):
    """Convolution [n, i, h, w] -> stream increments [n, o, h, w], odd size, zero padding; trainable, or finished.

    ``input_max`` is the largest magnitude of its inputs: ACT_MAX after an activation, INPUT_MAX for samples and
    latents. Once ``load`` has given it integers it computes with these, exactly.
    """

    def __init__(self, inputs: int, outputs: int, size: int = 3, gain: float = 1.0, input_max: int = ACT_MAX) -> None:
        """Make a layer with random weights.

        - inputs, outputs: channels
        - size: of the kernel, odd
        - gain: of the random weights
        - input_max: largest magnitude of the inputs
        """
        super().__init__(inputs * size * size, outputs, gain)
        self.inputs, self.size, self.input_max = inputs, size, input_max
        self.integer: IntegerLinear | None = None

    def forward(self, a: Tensor, quantise: bool = True) -> Tensor:
        """Stream increments, float32, of integer inputs in float32 or bfloat16 (which rounds the sums to 8 bits)."""
        if self.integer is not None:
            return self._exact(a, self.integer)
        w = self.quantised_weight() if quantise else self.weight
        b = ste_round(self.bias * BIAS_UNIT) / BIAS_UNIT if quantise else self.bias
        kernel = w.to(a.dtype).view(-1, self.inputs, self.size, self.size)
        return F.conv2d(
            a, kernel.contiguous(memory_format=torch.channels_last), b.to(a.dtype), padding=self.size // 2
        ).float()

    def _exact(self, a: Tensor, layer: IntegerLinear) -> Tensor:
        x = a.permute(0, 2, 3, 1)
        n, h, w, c = x.shape
        if self.size > 1:
            reach = self.size // 2
            padded = F.pad(x, (0, 0, reach, reach, reach, reach)).contiguous()
            rows, columns = h + 2 * reach, w + 2 * reach
            strides = (rows * columns * c, columns * c, c, columns * c, c, 1)
            x = padded.as_strided((n, h, w, self.size, self.size, c), strides)
        y = layer(x.reshape(n * h * w, -1))
        return y.reshape(n, h, w, -1).permute(0, 3, 1, 2)

    def _limit(self) -> None:
        bound = self.weight.detach().abs().sum(1) * self.input_max + self.bias.detach().abs() + ADDENDS * STREAM_MAX
        self.cap = torch.minimum(self.cap, torch.floor(torch.log2(0.9 * SUM_LIMIT / bound)).to(self.cap.device))

    def to_integer(self, input_max: int | None = None) -> IntegerLinear:
        """The finished integer layer, its inputs ordered by row, column, channel; ModelError if it cannot be exact."""
        self._limit()
        layer = super().to_integer(self.input_max)
        weight = layer.integers["weight"].view(-1, self.inputs, self.size, self.size).permute(0, 2, 3, 1)
        return self._checked(weight.reshape(len(weight), -1), layer.integers["exponent"], layer.integers["bias"])

    def _checked(self, weight: Tensor, exponent: Tensor, bias: Tensor) -> IntegerLinear:
        layer = IntegerLinear(weight, exponent, bias, self.input_max)
        worst = float(((layer.bound + ADDENDS * STREAM_MAX) * layer.finest).max())
        if worst >= SUM_LIMIT:
            raise ModelError(
                f"layer: sums reach {worst:.0f}, exactness needs them below {SUM_LIMIT}: the model file is unusable"
            )
        return layer

    def load(self, weight: Tensor, exponent: Tensor, bias: Tensor) -> None:
        """Compute with these integers from now on: int8 [o, size * size * i], int8 [o], int32 [o]."""
        if tuple(weight.shape) != (self.weight.shape[0], self.weight.shape[1]):
            raise ModelError(
                f"layer: expected a weight of shape {tuple(self.weight.shape)}, found {tuple(weight.shape)}"
            )
        self.integer = self._checked(weight, exponent, bias)


def space_to_depth(x: Tensor) -> Tensor:
    """[n, c, 2h, 2w] to [n, 4c, h, w]: the channels of each 2 x 2 block, its positions by rows first."""
    n, c, h, w = x.shape
    return x.reshape(n, c, h // 2, 2, w // 2, 2).permute(0, 3, 5, 1, 2, 4).reshape(n, 4 * c, h // 2, w // 2)


def depth_to_space(x: Tensor) -> Tensor:
    """Inverse of space_to_depth."""
    n, c, h, w = x.shape
    return x.reshape(n, 2, 2, c // 4, h, w).permute(0, 3, 4, 1, 5, 2).reshape(n, c // 4, 2 * h, 2 * w)


__all__ = ["INPUT_MAX", "QuantisedConv", "depth_to_space", "requantise", "space_to_depth"]
