"""A tiny lossy model "transform-code" with random weights, so that tests need no trained ones."""

from __future__ import annotations

from pathlib import Path

import torch

from rdzip.models.lapped_transform.file import export
from rdzip.models.lapped_transform.model import CodeConfig, TransformNet
from rdzip.models.lapped_transform.slices import SliceConfig

CONFIG = CodeConfig((8, 8, 16), 1, SliceConfig((3, 8, 16, 165), (4, 2, 1), 16, 1, 16))


def net(config: CodeConfig = CONFIG, seed: int = 0, *, wild: bool = True) -> TransformNet:
    """A network whose parts all matter: what starts as nothing is given some weight. wild: so are means and scales."""
    torch.manual_seed(seed)
    made = TransformNet(config)
    with torch.no_grad():
        for name, value in made.named_parameters():
            if not name.startswith("slices.") and not value.any():
                value.normal_(0, 0.02)
            elif wild and "out" in name:
                value.normal_(0, 0.5)
    return made


def write(path: Path, *, wild: bool = True) -> Path:
    """The model file of ``net``."""
    export(path, net(wild=wild), {"id": path.stem})
    return path
