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


def extremes(height: int, width: int) -> NDArray[np.uint8]:
    """Nearly black and nearly white areas, now and then a sample of the other kind: what clips contexts at their ends;
    uint8 [h, w].
    """
    random = noise(2 * height * width, 5).reshape(2, height, width)
    bright = (np.arange(width) // 6 % 2).astype(bool) ^ (random[0] >= 236)
    return np.where(bright, 255 - random[1] % 11, random[1] % 11).astype(np.uint8)


def one_bucket(height: int = 24, width: int = 32) -> NDArray[np.uint8]:
    """Two contexts of layout 1 (prediction 108 beside 82, 55 beside 128) whose hashes differ in bit 12 alone: of 2**12
    buckets they share one, and its check, which leaves out that bit; uint8 [h, w].
    """
    found = np.tile(np.array([82, 108, 128, 55], np.uint8), (height, width // 4))
    random = noise(height * width, 6).reshape(height, width)
    found[1::2, 1::4] = random[1::2, 1::4]
    found[1::2, 3::4] = 255 - random[1::2, 3::4] // 3
    return found
