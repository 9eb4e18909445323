"""A tiny causal model with random weights, so that tests need no trained ones."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch

from rdzip.models import model_file
from rdzip.models.causal.config import CausalConfig
from rdzip.models.causal.export import export
from rdzip.models.causal.model import CausalModel, from_tensors
from rdzip.models.causal.network import CausalNet


def nets(seed: int = 0, components: int = 3) -> dict[str, CausalNet]:
    """Networks with weights large enough for every part to matter."""
    torch.manual_seed(seed)
    made = {
        kind: CausalNet(CausalConfig(c, 20, 12, width=24, blocks=1, head=16, components=components))
        for kind, c in (("colour", 3), ("grey", 1))
    }
    with torch.no_grad():
        for net in made.values():
            for layer in net.out:
                layer.bias.uniform_(-10, 10)
    return made


def write(path: Path, seed: int = 0, components: int = 3) -> Path:
    """The model file of ``nets``."""
    export(path, nets(seed, components), {"id": "tiny"})
    return path


@cache
def load(path: Path) -> CausalModel:
    """The model of a file."""
    return from_tensors(*model_file.read(path))


@cache
def in_torch(path: Path) -> CausalModel:
    """The same with its products in torch, as on other devices."""
    return from_tensors(*model_file.read(path)).to("cpu:0")
