"""Pictures made by integers alone, so that every machine makes the same: for golden files and second decoders."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def noise(count: int, seed: int) -> NDArray[np.int64]:
    """Numbers 0..255 that look random, int64 [count], by a linear congruential generator of 32 bits."""
    found = np.zeros(count, np.int64)
    state = seed * 0x9E3779B1 + 1
    for i in range(count):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        found[i] = state >> 24
    return found


def picture(height: int, width: int, channels: int = 3, seed: int = 0) -> NDArray[np.uint8]:
    """What makes coders differ, side by side: slopes, waves, edges, texture that repeats, noise weak and strong, flat
    areas, extremes; uint8 [h, w] for one channel, else [h, w, channels].
    """
    y, x = np.mgrid[0:height, 0:width].astype(np.int64)
    random = noise(height * width * channels, seed).reshape(height, width, channels)
    triangle = abs((3 * x + 2 * y) % 96 - 48)
    texture = (x * y * 7 + (x >> 2) * 29 + (y >> 1) * 53) % 8 * 9
    edge = np.where(2 * x + y > width, 90, 0)
    smooth = 60 + 2 * triangle + edge
    planes = []
    for c in range(channels):
        kind = (x // 8 + 2 * (y // 8) + c // 3) % 5
        weak, strong = random[..., c] >> 5, random[..., c]
        values = np.select(
            [kind == 0, kind == 1, kind == 2, kind == 3],
            [smooth + 11 * c + weak, smooth + texture, 40 + 50 * c, smooth - 7 * c + (strong >> 3)],
            strong,
        )
        planes.append(np.where((x + 5 * y + c) % 61 == 0, 255 * (strong & 1), values))
    found = np.clip(np.stack(planes, 2), 0, 255).astype(np.uint8)
    return found[..., 0] if channels == 1 else found
