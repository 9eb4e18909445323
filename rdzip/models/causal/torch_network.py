"""The products of a finished causal network in torch: on other devices, and for many pixels at once on fast units."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rdzip.exact.devices import exact_inference
from rdzip.exact.integers import ACT_MAX, IntegerLayer
from rdzip.exact.layers import IntegerLinear
from rdzip.models.causal.numpy_network import ExactNet


def _activate(h: Tensor) -> Tensor:
    """clip(floor(h), 0, 255): the rounding half has been added to the biases of the first layers."""
    return torch.floor(h).clamp_(0, ACT_MAX)


class TorchNet(ExactNet):
    """A network whose ``head_inputs`` are Tensors on a device, and whose ``outputs`` are computed there."""

    def __init__(self, net: ExactNet, device: torch.device) -> None:
        super().__init__(net.config, net.layers, net.compression, net.activity_scale)
        self.device = device

        def moved(layer: IntegerLayer) -> IntegerLinear:
            weight, exponent, bias = (torch.from_numpy(layer.integers[p]) for p in ("weight", "exponent", "bias"))
            made = IntegerLinear(weight, exponent, bias, layer.input_max)
            made.to(device)
            return made

        found = net.layers
        self.stem, self.head_in = moved(found.stem), moved(found.head_in)
        self.blocks, self.conditioning, self.out = (
            [moved(layer) for layer in part] for part in (found.blocks, found.conditioning, found.out)
        )
        self.head_blocks = [[moved(layer) for layer in part] for part in found.head_blocks]
        for layer in (self.stem, self.head_in):
            layer.bias += 0.5

    def head_inputs(self, inputs: NDArray[np.float32]) -> list[Tensor]:
        """First layer of each head, float32 [rows, head] and a half, from the inputs of the network [k, rows]."""
        with exact_inference():
            h = self.stem(torch.from_numpy(inputs).to(self.device).t())
            for block in self.blocks:
                h += block(_activate(h))
            return list(self.head_in(_activate(h)).split(self.config.head, 1))

    def outputs(self, channel: int, head_in: Tensor, conditioning: NDArray[np.float32] | None) -> NDArray[np.float32]:
        """Outputs of a head, float32 [rows, outputs], from its first layer and what it sees of earlier planes."""
        with exact_inference():
            u = head_in
            if conditioning is not None:
                u = u + self.conditioning[channel - 1](torch.from_numpy(conditioning).to(self.device).t())
            for layer in self.head_blocks[channel]:
                u = u + layer(_activate(u))
            return cast(NDArray[np.float32], self.out[channel](_activate(u)).cpu().numpy())
