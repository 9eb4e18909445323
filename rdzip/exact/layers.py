"""Linear layers on integers held in floats: one forward that trains, ships and gives the same bits everywhere.

What makes them exact, and the finished layer in numpy: exact/integers.py.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rdzip.exact.integers import ACT_MAX, BIAS_UNIT, EXPONENT_MAX, SUM_LIMIT, WEIGHT_MAX, IntegerLayer
from rdzip.exact.products import fast_products

FAST_SIZE = 2**22  # multiply-adds from which fast_products pays


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
    if not x.requires_grad:
        return round_half_up(x)
    return _StraightThroughRound.apply(x)  # type: ignore[no-any-return, no-untyped-call]


class _Clip(torch.autograd.Function):
    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor, low: float, high: float) -> Tensor:  # type: ignore[override]
        ctx.save_for_backward(x)
        ctx.ends = (low, high)  # type: ignore[attr-defined]
        return x.clamp(low, high)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        (x,) = ctx.saved_tensors  # type: ignore[attr-defined]
        low, high = ctx.ends  # type: ignore[attr-defined]
        stuck = ((x < low) & (grad > 0)) | ((x > high) & (grad < 0))
        return grad.masked_fill(stuck, 0), None, None


def clip(x: Tensor, low: float, high: float) -> Tensor:
    """x within low..high; its gradient passes wherever a descent along it does not lead further out."""
    if not x.requires_grad:
        return x.clamp(low, high)
    return _Clip.apply(x, low, high)  # type: ignore[no-any-return, no-untyped-call]


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
    if not h.requires_grad and quantise:
        return (h + 0.5).floor_().clamp_(0, ACT_MAX).to(dtype)
    return _Activation.apply(h, quantise, dtype)  # type: ignore[no-any-return, no-untyped-call]


class QuantisedLinear(nn.Module):
    """Affine map from 8-bit activations [n, inputs] to stream increments [n, outputs], trainable.

    Weights are real parameters; each output channel has a power-of-two unit 2**-e, the smallest with which its largest
    weight fits int8. ``quantise=False`` evaluates the same map without any rounding: the float network against which
    the cost of exactness is measured.
    """

    def __init__(self, inputs: int, outputs: int, gain: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) * (gain / inputs**0.5))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.cap = torch.full((outputs,), float(EXPONENT_MAX))

    def exponents(self) -> Tensor:
        """Binary exponents e of the weights, float [outputs]: the largest with max|w| * 2**e <= 127."""
        largest = self.weight.detach().abs().amax(1).clamp_min(2.0**-12)
        return torch.floor(torch.log2(WEIGHT_MAX / largest)).minimum(self.cap.to(largest.device))

    def quantised_weight(self) -> Tensor:
        """Weights rounded to their int8 grid, float [outputs, inputs], with straight-through gradient."""
        scale = torch.exp2(self.exponents())[:, None]
        return ste_round(self.weight * scale).clamp(-WEIGHT_MAX, WEIGHT_MAX) / scale

    def forward(self, a: Tensor, quantise: bool = True) -> Tensor:
        """Stream increments [n, outputs]; exact for float32 activations, bfloat16 rounds them to 8 bits."""
        w = self.quantised_weight() if quantise else self.weight
        b = ste_round(self.bias * BIAS_UNIT) / BIAS_UNIT if quantise else self.bias
        y = F.linear(a, w.to(a.dtype)).float()
        return y.add_(b) if y.dtype != a.dtype else y + b

    def to_integer(self, input_max: int = ACT_MAX) -> IntegerLinear:
        """The integer layer of the rounded weights; ModelError if a channel breaks the bound of exactness."""
        e = self.exponents()
        weight = torch.round(self.quantised_weight().detach() * torch.exp2(e)[:, None]).to(torch.int8)
        bias = round_half_up(self.bias.detach() * BIAS_UNIT).to(torch.int32)
        return IntegerLinear(weight, e.to(torch.int8), bias, input_max)


class IntegerLinear:
    """A finished layer (exact/integers.py, which raises ModelError) with its products in torch.

    integers: Tensors int8 [outputs, inputs], int8 and int32 [outputs].
    """

    def __init__(self, weight: Tensor, exponent: Tensor, bias: Tensor, input_max: int = ACT_MAX) -> None:
        layer = IntegerLayer(weight.cpu().numpy(), exponent.cpu().numpy(), bias.cpu().numpy(), input_max)
        self.integers = {"weight": weight, "exponent": exponent, "bias": bias}
        self.bound, self.finest = layer.bound, layer.finest
        self.weight, self.bias = torch.from_numpy(layer.weight), torch.from_numpy(layer.bias)

    def to(self, device: torch.device) -> None:
        """Keep the weights on a device."""
        self.weight, self.bias = self.weight.to(device), self.bias.to(device)

    def __call__(self, a: Tensor) -> Tensor:
        """Exact stream increments, float32 [n, outputs], from integer activations [n, inputs]."""
        if a.shape[0] * self.weight.numel() < FAST_SIZE:
            return F.linear(a, self.weight, self.bias)
        with fast_products:
            return F.linear(a, self.weight, self.bias)


def limit_stream(layers: Sequence[QuantisedLinear], parts: Sequence[slice], input_max: Sequence[int]) -> None:
    """Cap the exponents of layers so that the sum of their outputs keeps the bound of ``check_stream``.

    A channel that would overflow gets a coarser unit: that with which its worst case, with a margin for rounding,
    stays below 2**24. ``parts`` picks the outputs of each layer that are added.
    """
    bound = torch.stack(
        [
            layer.weight.detach().abs().sum(1)[part] * largest + layer.bias.detach().abs()[part]
            for layer, part, largest in zip(layers, parts, input_max, strict=True)
        ]
    ).sum(0)
    cap = torch.floor(torch.log2(0.9 * SUM_LIMIT / bound.cpu()))
    for layer, part in zip(layers, parts, strict=True):
        layer.cap[part] = torch.minimum(layer.cap[part], cap)
