"""Tiny lossy models "hyper-code" with random weights, so that tests need no trained ones."""

from __future__ import annotations

from pathlib import Path

import torch

from rdzip.models import build, model_file
from rdzip.models.hyperprior.file import export
from rdzip.models.hyperprior.model import HyperModel
from rdzip.models.hyperprior.network import HyperNet
from rdzip.models.hyperprior.slices import HyperConfig

CONFIGS = {
    "hyperprior": HyperConfig(8, 12, 6, (8, 8), (8, 12)),
    "channel-ar": HyperConfig(8, 12, 6, (8, 8), (8, 8, 12), 2, 4, 2, (8, 8), 5, True, 9),
}


def net(kind: str, seed: int = 0) -> HyperNet:
    """A network whose parts all matter: what starts as nothing, or near it, is given some weight."""
    torch.manual_seed(seed)
    made = HyperNet(CONFIGS[kind])
    with torch.no_grad():
        for name, value in made.named_parameters():
            if not name.startswith("slices.") and not value.any():
                value.normal_(0, 0.05)
            elif name.endswith("out.weight"):
                value *= 20 if name.startswith("slices.corrections") else 8
        made.hyper_analysis.convolutions[-1].weight *= 3
    return made


def write(path: Path, kind: str) -> Path:
    """The model file of ``net``."""
    export(path, net(kind), {"id": path.stem})
    return path


def read(path: Path) -> HyperModel:
    """The model of a file."""
    found = build(*model_file.read(path))
    assert isinstance(found, HyperModel)
    return found
