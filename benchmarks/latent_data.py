"""Files of samples for benchmarks/latent.py: test halves, and draws of the toy models."""

from __future__ import annotations

import gzip
import json
import lzma
from pathlib import Path

import numpy as np

STEPS = 100
"""Sequences are cut to this length, as in Ruan et al. 2021."""


def mnist(data: Path, count: int) -> np.ndarray:
    """The first test images, uint8 [n, 28, 28]."""
    raw = gzip.decompress((data / "mnist" / "mnist-test-images-idx3-ubyte.gz").read_bytes())
    return np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 28, 28)[:count]


def binarised(grey: np.ndarray) -> np.ndarray:
    """Bits drawn once with the grey values as probabilities (numpy PCG64, seed 0), uint8 of 0 and 1."""
    return (np.random.default_rng(0).random(grey.shape) < grey / 255).astype(np.uint8)


def cifar(data: Path, count: int) -> np.ndarray:
    """The first test images, uint8 [n, 32, 32, 3]."""
    return np.asarray(np.load(lzma.open(data / "cifar10" / "test_images.npy.xz"))[:count])


def chorales(data: Path) -> list[np.ndarray]:
    """The test split as binary rolls [steps, 88], cut to 100 steps."""
    split = json.loads((data / "pianoroll" / "jsb-chorales-quarter.json").read_text())["test"]
    rolls = []
    for sequence in split:
        roll = np.zeros((min(len(sequence), STEPS), 88), np.uint8)
        for step, notes in enumerate(sequence[:STEPS]):
            roll[step, [note - 21 for note in notes]] = 1
        rolls.append(roll)
    return rolls


def save_sequences(path: Path, rolls: list[np.ndarray]) -> Path:
    """A .npz file of sequences (docs/reference/format.md)."""
    np.savez(path, data=np.concatenate(rolls), lengths=np.array([len(roll) for roll in rolls], np.int64))
    return path
