"""A tiny recipe, a folder of small images, and readers of what a run leaves."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

TINY = """
name = "tiny"
task = "causal"
steps = 6
batch = 2
crop = 8
lr = 1e-3
warmup = 2
bf16 = false
checkpoint_every = 3
validate_every = 3
[data]
copies = ["plain", "chroma-mirror"]
[model]
grey_every = 2
[model.colour]
neighbours = 12
colour_neighbours = 10
width = 16
blocks = 1
head = 8
[model.grey]
neighbours = 12
width = 8
blocks = 1
head = 8
"""


def picture(i: int, height: int = 40, width: int = 48) -> np.ndarray:
    rng = np.random.default_rng(i)
    y, x = np.mgrid[:height, :width]
    layers = np.stack([120 + 60 * np.sin((x + 9 * i) / (6 + c)) + 30 * np.cos(y / 5) for c in range(3)], -1)
    return np.clip(layers + rng.normal(0, 2, layers.shape), 0, 255).astype(np.uint8)


def fill(folder: Path, count: int, grey: bool = False) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(count):
        Image.fromarray(picture(i)[..., 0] if grey else picture(i)).save(folder / f"{i}.png")
    return folder


def log(out: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
