"""A tiny perceptron autoencoder with random weights, so that tests need no trained ones."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from rdzip.models import model_file
from rdzip.models.vae_mlp.file import export, from_tensors
from rdzip.models.vae_mlp.model import VaeMlpModel
from rdzip.models.vae_mlp.network import VaeConfig, VaeMlp

CONFIG = VaeConfig(height=5, width=6, hidden=24, layers=2, latents=3)


def net(seed: int = 0) -> VaeMlp:
    """A network with posteriors and likelihoods that differ much from sample to sample."""
    torch.manual_seed(seed)
    made = VaeMlp(CONFIG)
    with torch.no_grad():
        made.decoder[-1].weight.mul_(3)  # type: ignore[operator]
        made.decoder[-1].bias.uniform_(-40, 10)  # type: ignore[operator]
    return made


@cache
def model(seed: int = 0) -> VaeMlpModel:
    """The model of a file with that network."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "tiny.safetensors"
        export(path, net(seed), {"id": "tiny-vae"})
        return from_tensors(*model_file.read(path))


def images(n: int, seed: int = 0) -> np.ndarray:
    """Binary images uint8 [n, 5, 6]."""
    rng = np.random.default_rng(seed)
    return (rng.random((n, CONFIG.height, CONFIG.width)) < rng.random((n, 1, 1)) * 0.6).astype(np.uint8)
