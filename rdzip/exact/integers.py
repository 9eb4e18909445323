"""The integers of a finished layer, the bound that makes its sums exact, and its products in numpy.

A layer multiplies 8-bit integer activations by int8 weights. Because ``sum|w| * max|a| < 2**24`` for every output
channel, each partial sum is an exact float32 integer, so the order of summation (threads, SIMD width, BLAS, fused
multiply-add) cannot change the result; the powers of two that follow are exact too. See docs/explanation/exactness.md.

Units: the activation unit is 1. The wide residual stream between layers holds exact multiples of 2**-e of it, where e,
the binary exponent of the weights, is chosen for each output channel; biases are multiples of 2**-FRACTION_BITS.
Needs no torch, which takes longer to import than a small picture to code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rdzip.errors import ModelError

ACT_MAX = 255
INPUT_MAX = 127
WEIGHT_MAX = 127
FRACTION_BITS = 7
BIAS_UNIT = 2**FRACTION_BITS
EXPONENT_MAX = 11
SUM_LIMIT = 2**24
PRODUCT_ROWS = 64
PRODUCT_ALONE = 2**18
"""Rows and multiply-adds of one product: OpenBLAS shares larger ones among threads that spin until the last is done."""


class Bounded(Protocol):
    """A layer with the largest absolute value of each output and the inverse of its finest unit, float64 [outputs]."""

    bound: NDArray[np.float64]
    finest: NDArray[np.float64]


class IntegerLayer:
    """A finished layer: int8 weights [outputs, inputs], int8 exponents e and int32 biases (in 1/128) [outputs].

    It computes sum_i w_i a_i 2**-e + b, with every partial sum an exact float32 multiple of 2**-max(e, 7). Raises
    ModelError unless sum|w| * input_max + |b| 2**e < 2**24 for every output channel.
    """

    def __init__(
        self, weight: NDArray[Any], exponent: NDArray[Any], bias: NDArray[Any], input_max: int = ACT_MAX
    ) -> None:
        if weight.ndim != 2 or exponent.shape != weight.shape[:1] or bias.shape != weight.shape[:1]:
            raise ModelError(
                f"layer: expected weight [o, i] with exponent and bias [o], found {tuple(weight.shape)}, "
                f"{tuple(exponent.shape)}, {tuple(bias.shape)}"
            )
        if int(weight.min()) < -WEIGHT_MAX or int(exponent.min()) < -EXPONENT_MAX or int(exponent.max()) > EXPONENT_MAX:
            raise ModelError(f"layer: expected |weight| <= {WEIGHT_MAX} and |exponent| <= {EXPONENT_MAX}")
        self.integers = {"weight": weight, "exponent": exponent, "bias": bias}
        self.input_max = input_max
        scale = np.ldexp(1.0, -exponent.astype(np.int32))
        biases = bias.astype(np.float64) * (1 / BIAS_UNIT)
        self.finest = np.ldexp(1.0, np.maximum(exponent.astype(np.int32), FRACTION_BITS))
        self.bound = np.abs(weight.astype(np.float64)).sum(1) * input_max * scale + np.abs(biases)
        check_stream([self])
        self.weight = (weight * scale[:, None]).astype(np.float32)
        self.bias = biases.astype(np.float32)

    def __call__(self, a: NDArray[np.float32]) -> NDArray[np.float32]:
        """Exact stream increments, float32 [n, outputs], from integer activations [n, inputs]."""
        found = np.empty((len(a), len(self.weight)), np.float32)
        outputs, inputs = self.weight.shape
        many = max(1, PRODUCT_ALONE // (inputs * max(1, min(len(a), PRODUCT_ROWS))))
        for first in range(0, len(a), PRODUCT_ROWS):
            rows = slice(first, first + PRODUCT_ROWS)
            for output in range(0, outputs, many):
                part = slice(output, output + many)
                np.matmul(a[rows], self.weight[part].T, out=found[rows, part])
        found += self.bias
        return found


def check_stream(layers: Sequence[Bounded], parts: Sequence[slice] | None = None) -> None:
    """Check that the sum of the outputs of layers stays exact: its largest value in its finest unit is below 2**24.

    ``parts`` picks the outputs of each layer that are added (all by default). Raises ModelError naming the figures.
    """
    chosen = parts or [slice(None)] * len(layers)
    bound = np.sum([layer.bound[part] for layer, part in zip(layers, chosen, strict=True)], 0)
    finest = np.max([layer.finest[part] for layer, part in zip(layers, chosen, strict=True)], 0)
    worst = float((bound * finest).max())
    if worst >= SUM_LIMIT:
        raise ModelError(
            f"layer: sums reach {worst:.0f}, exactness needs them below {SUM_LIMIT}: the model file is unusable"
        )
