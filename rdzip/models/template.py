"""Causal neighbourhood of a pixel, the slanted wavefronts that it allows, and the padding around an image.

Pixel (y, x) is coded at step t = x + SLANT * y. Every neighbour (dy, dx) of the template has dx + SLANT * dy < 0, so
all pixels of one step can be coded together without any loss: W + SLANT * (H - 1) steps for an H x W image.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SLANT = 3
RADIUS = 5
PAD = RADIUS
OUTSIDE = 128

_NEAREST = [(0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0), (-2, 1), (-2, -1), (-1, -2), (-1, 2)]


def _template() -> list[tuple[int, int]]:
    offsets = [
        (dy, dx)
        for dy in range(-RADIUS, 1)
        for dx in range(-RADIUS, RADIUS + 1)
        if (dy < 0 or dx < 0) and dx + SLANT * dy < 0 and (dy, dx) not in _NEAREST
    ]
    return _NEAREST + sorted(offsets, key=lambda o: (o[0] ** 2 + o[1] ** 2, o))


TEMPLATE = _template()
"""All causal offsets (dy, dx) within RADIUS, the ten that the predictors name first, then by distance."""


def pixel_planes(pixels: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Planes that the model sees, int16 [c, h, w]: G, R - G, B - G of uint8 [h, w, 3], or the one plane of [h, w]."""
    if pixels.ndim == 2:
        return pixels[None].astype(np.int16)
    red, green, blue = (pixels[..., i].astype(np.int16) for i in range(3))
    return np.stack([green, red - green, blue - green])


def padded_planes(pixels: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Planes with PAD rows above and PAD columns on both sides, int16 [c, h + PAD, w + 2 * PAD].

    Rows above the image hold OUTSIDE in the first plane and 0 in the differences. Left of row y stands the first pixel
    of row y - 1 (of row 0: OUTSIDE, 0), right of it its own last pixel: all known before they are first needed.
    """
    planes = pixel_planes(pixels)
    c, h, w = planes.shape
    padded = np.zeros((c, h + PAD, w + 2 * PAD), np.int16)
    padded[0, :PAD] = OUTSIDE
    padded[:, PAD:, PAD : PAD + w] = planes
    padded[:, PAD:, :PAD] = padded[:, PAD - 1 : -1, PAD : PAD + 1]
    padded[:, PAD:, PAD + w :] = planes[:, :, -1:]
    return padded
