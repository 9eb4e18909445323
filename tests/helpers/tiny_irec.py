"""Tiny lossy models "irec-code" with random weights, so that tests need no trained ones."""

from __future__ import annotations

from pathlib import Path

import torch

from rdzip.models import build, model_file
from rdzip.models.hyperprior.slices import HyperConfig
from rdzip.models.irec_vae.file import export
from rdzip.models.irec_vae.model import IrecModel, IrecNet

CONFIGS = {
    "one": HyperConfig(8, 12, 0, (1, 1), (8, 8), finest=100),
    "two": HyperConfig(8, 12, 6, (8, 8), (8, 12), finest=100),
    "four": HyperConfig(8, 12, 6, (8, 8), (8, 12), 1, 3, 2, (8,), 3, False, 100),
}


def net(kind: str, seed: int = 0) -> IrecNet:
    """A network whose parts all matter: what starts as nothing is given some weight."""
    torch.manual_seed(seed)
    made = IrecNet(CONFIGS[kind])
    with torch.no_grad():
        for name, value in made.named_parameters():
            if not name.startswith("slices.") and not value.any():
                value.normal_(0, 0.05)
            elif name.endswith("out.weight"):
                value *= 8
        if made.config.hyper:
            made.hyper_analysis.convolutions[-1].weight *= 3
    return made


def write(path: Path, kind: str) -> Path:
    """The model file of ``net``."""
    export(path, net(kind), {"id": path.stem})
    return path


def read(path: Path) -> IrecModel:
    """The model of a file."""
    found = build(*model_file.read(path))
    assert isinstance(found, IrecModel)
    return found
