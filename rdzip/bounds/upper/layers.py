"""Layers that hold one network for each lambda: weights have a leading axis of copies, so one pass serves them all.

A batch is [copies, n, width]; an input that all copies share is [1, n, width] or [n, width]. A small network is bound
by the number of its operations, not by their size: eight copies in one pass take little longer than one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional


class Linear(nn.Module):
    """A linear layer for each copy: [copies, n, inputs] to [copies, n, outputs], float32.

    mask [inputs, outputs] of 0 and 1: which weights there are (all). zero: the layer starts as zero.
    """

    mask: Tensor | None

    def __init__(self, copies: int, inputs: int, outputs: int, *, mask: Tensor | None = None, zero: bool = False):
        super().__init__()
        bound = 0.0 if zero else 1 / math.sqrt(max(inputs, 1))
        # Every copy starts from the same numbers, so that its result does not depend on which others there are.
        weight = torch.empty(inputs, outputs).uniform_(-bound, bound)
        self.weight = nn.Parameter(weight.expand(copies, -1, -1).clone())
        self.bias = nn.Parameter(torch.zeros(copies, 1, outputs))
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return x W + b."""
        weight = self.weight if self.mask is None else self.weight * self.mask
        return torch.baddbmm(self.bias, x.expand(weight.shape[0], -1, -1), weight)


class Perceptron(nn.Module):
    """SiLU layers of the given widths and a last linear one; [copies, n, inputs] to [copies, n, outputs].

    It starts as the zero function: what it is added to starts as it is.
    """

    def __init__(self, copies: int, inputs: int, units: Sequence[int], outputs: int):
        super().__init__()
        widths = [inputs, *units]
        self.hidden = nn.ModuleList(Linear(copies, a, b) for a, b in pairwise(widths))
        self.last = Linear(copies, widths[-1], outputs, zero=True)

    def features(self, x: Tensor) -> Tensor:
        """Return the last hidden layer, [copies, n, units[-1]]."""
        for layer in self.hidden:
            x = functional.silu(layer(x))
        return x

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs."""
        out: Tensor = self.last(self.features(x))
        return out


class Autoregressive(nn.Module):
    """MADE (Germain et al. 2015): outputs of coordinate i see the coordinates before i, and the context, only.

    z [copies, n, dim], context [copies, n, width] -> [copies, n, dim, outputs]. Starts as the zero function.
    """

    def __init__(self, copies: int, dim: int, units: Sequence[int], outputs: int, context: int = 0):
        """Make the layers.

        - copies: independent networks
        - dim: coordinates
        - units: widths of the hidden layers
        - outputs: of each coordinate
        - context: entries of what is seen beside, 0 for nothing
        """
        super().__init__()
        self.dim, self.outputs = dim, outputs
        degrees = torch.arange(1, dim + 1)
        self.hidden = nn.ModuleList()
        first = degrees
        for width in units:
            # A unit of degree m sees the coordinates 1 .. m; those of degree 0 see the context alone.
            second = torch.arange(width) % dim
            mask = (first[:, None] <= second[None, :]).float()
            self.hidden.append(Linear(copies, len(first), width, mask=mask))
            first = second
        columns = degrees.repeat_interleave(outputs)
        self.last = Linear(copies, len(first), dim * outputs, mask=(first[:, None] < columns).float(), zero=True)
        straight = (degrees[:, None] < columns).float()
        self.skip = Linear(copies, dim, dim * outputs, mask=straight, zero=True) if units else None
        self.context = Linear(copies, context, units[0]) if context and units else None

    def forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """Return the outputs of every coordinate."""
        x = z
        for i, layer in enumerate(self.hidden):
            x = layer(x)
            if i == 0 and self.context is not None and context is not None:
                x = x + self.context(context)
            x = functional.silu(x)
        out: Tensor = self.last(x)
        if self.skip is not None:
            out = out + self.skip(z)
        return out.view(*out.shape[:2], self.dim, self.outputs)
