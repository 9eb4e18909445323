"""A tiny recurrent model with random weights, so that tests need no trained ones."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch

from rdzip.models.vrnn.file import export
from rdzip.models.vrnn.network import Layer, VrnnConfig, VrnnNet

CONFIG = VrnnConfig(dims=88, latents=5, state=12, width=16, features=8)


def net(seed: int = 0) -> VrnnNet:
    """A network whose weights are large enough for every part to matter."""
    torch.manual_seed(seed)
    made = VrnnNet(CONFIG)
    with torch.no_grad():
        for name, gain in (("p2", 3.0), ("q2", 3.0), ("e2", 2.0)):
            cast(Layer, made.layers[name]).linear.weight.mul_(gain)
        for layer in made.layers.values():
            cast(Layer, layer).offset.uniform_(-0.3, 0.3)
        cast(Layer, made.layers["e2"]).offset.sub_(1.0)
    return made


def write(path: Path, seed: int = 0) -> Path:
    """The model file of ``net``."""
    export(path, net(seed), {"id": "tiny-vrnn"})
    return path
