"""Tiny convolutional models with latents, with random weights, as model files and as model objects."""

from pathlib import Path
from typing import Any

import torch

from rdzip.models import build, model_file
from rdzip.models.conv_vae.bitswap import BitSwapConfig, BitSwapNet
from rdzip.models.conv_vae.file import export
from rdzip.models.conv_vae.resnet import ResNetConfig, ResNetVae


def nets(seed: int = 0) -> dict[str, BitSwapNet | ResNetVae]:
    """Small networks of both kinds, for grey and for colour."""
    torch.manual_seed(seed)
    return {
        "grey": BitSwapNet(BitSwapConfig(1, (2, 3), (2,), width=8, image_blocks=1, head=8)),
        "deep": BitSwapNet(BitSwapConfig(3, (2, 2, 2, 2), (3,), width=8, image_blocks=1, head=8, autoregressive=True)),
        "resnet": ResNetVae(ResNetConfig(3, ((2, 2), (3,)), width=8, head=8)),
    }


def write(folder: Path, kind: str) -> Path:
    """The model file of one of ``nets``."""
    path = folder / f"{kind}.safetensors"
    export(path, nets()[kind], {"id": f"tiny-{kind}"})
    return path


def load(folder: Path, kind: str) -> tuple[Any, dict[str, Any]]:
    """Model object and document."""
    tensors, meta = model_file.read(write(folder, kind))
    return build(tensors, meta), meta
