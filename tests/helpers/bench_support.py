"""Small pictures and a codec without libraries for tests of benchmarks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def pixels(h: int = 48, w: int = 64, seed: int = 0) -> np.ndarray:
    """A smooth picture with a little noise, uint8 [h, w, 3]."""
    y, x = np.mgrid[0:h, 0:w]
    planes = np.stack([127 + 80 * np.sin((x + seed) / 9), 60 + y * 120 / h, 127 + 60 * np.cos((x + y) / 13)], -1)
    return (planes + np.random.default_rng(seed).normal(0, 3, planes.shape)).round().clip(0, 255).astype(np.uint8)


def folder(path: Path, count: int = 2) -> Path:
    path.mkdir()
    for index in range(count):
        Image.fromarray(pixels(seed=index)).save(path / f"p{index}.png")
    return path
