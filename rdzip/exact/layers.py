"""Linear layers on integers held in floats: one forward that trains, ships and gives the same bits everywhere.

A layer multiplies 8-bit integer activations by int8 weights. Because ``sum|w| * max|a| < 2**24`` for every output
channel, each partial sum is an exact float32 integer, so the order of summation (threads, SIMD width, BLAS, fused
multiply-add) cannot change the result; the powers of two that follow are exact too. See docs/exactness.md.

Units: the activation unit is 1. The wide residual stream between layers holds multiples of 2**-FRACTION_BITS of it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

ACT_MAX = 255
INPUT_MAX = 127
WEIGHT_MAX = 127
FRACTION_BITS = 7
SUM_LIMIT = 2**24
STREAM_LIMIT = 2**23


def round_half_up(x: Tensor) -> Tensor:
    """Nearest integer, halves upwards: floor(x + 0.5), exact for the magnitudes used here."""
    return torch.floor(x + 0.5)


class _StraightThroughRound(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:  # type: ignore[override]
        return round_half_up(x)

    @staticmethod
    def backward(ctx: object, grad: Tensor) -> Tensor:  # type: ignore[override]
        return grad


def ste_round(x: Tensor) -> Tensor:
    """Nearest integer, with the straight-through gradient (Bengio, Leonard & Courville 2013, section 4)."""
    return _StraightThroughRound.apply(x)  # type: ignore[no-any-return, no-untyped-call]


class _Activation(torch.autograd.Function):
    """Fused clip(round(h), 0, ACT_MAX): few passes over memory, which is what training on a CPU is bound by."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, h: Tensor, quantise: bool, dtype: torch.dtype) -> Tensor:  # type: ignore[override]
        a = (h + 0.5).floor_() if quantise else h.clone()
        a = a.clamp_(0, ACT_MAX).to(dtype)
        ctx.save_for_backward(a)
        return a

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        (a,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return torch.ops.aten.hardtanh_backward(grad, a, 0.0, float(ACT_MAX)), None, None


def activate(h: Tensor, quantise: bool = True, dtype: torch.dtype = torch.float32) -> Tensor:
    """Clipped ReLU from the stream to 8 bits, clip(round(h), 0, 255), in ``dtype`` (bfloat16 holds it exactly)."""
    return _Activation.apply(h, quantise, dtype)  # type: ignore[no-any-return, no-untyped-call]


class QuantisedLinear(nn.Module):
    """Affine map from 8-bit activations [n, inputs] to stream increments [n, outputs], trainable.

    Weights are real parameters; each output channel has a power-of-two unit 2**-e, the smallest with which its largest
    weight fits int8. ``quantise=False`` evaluates the same map without any rounding: the float network against which the
    cost of exactness is measured.
    """

    def __init__(self, inputs: int, outputs: int, gain: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) * (gain / inputs**0.5))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def exponents(self) -> Tensor:
        """Binary exponents e of the weights, float [outputs]: the largest with max|w| * 2**e <= 127."""
        largest = self.weight.detach().abs().amax(1).clamp_min(2.0**-12)
        return torch.floor(torch.log2(WEIGHT_MAX / largest))

    def quantised_weight(self) -> Tensor:
        """Weights rounded to their int8 grid, float [outputs, inputs], with straight-through gradient."""
        scale = torch.exp2(self.exponents())[:, None]
        return ste_round(self.weight * scale).clamp(-WEIGHT_MAX, WEIGHT_MAX) / scale

    def forward(self, a: Tensor, quantise: bool = True) -> Tensor:
        """Stream increments, rounded to 2**-FRACTION_BITS where ``a`` is float32 (bfloat16 is coarser than that)."""
        w = self.quantised_weight() if quantise else self.weight
        y = F.linear(a, w.to(a.dtype)).float()
        b = self.bias
        if quantise:
            unit = 2.0**FRACTION_BITS
            b = ste_round(b * unit) / unit
            if a.dtype == torch.float32:
                y = ste_round(y * unit) / unit
        return y.add_(b) if y.dtype != a.dtype else y + b
