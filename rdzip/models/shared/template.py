"""Causal neighbourhood of a pixel, the slanted wavefronts that it allows, and the padding around an image.

Pixel (y, x) is coded at step t = x + SLANT * y. Every neighbour (dy, dx) of the template has dx + SLANT * dy < 0, so
all pixels of one step can be coded together without any loss: W + SLANT * (H - 1) steps for an H x W image.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SLANT = 3
RADIUS = 5
PAD = RADIUS
OUTSIDE = 128
SAMPLE_ORDER = (1, 0, 2)
"""Colour channels in the order of coding: green, red, blue."""

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


class Wavefronts(NamedTuple):
    """The steps of a picture of height x width pixels, of which a narrow one has many of few pixels, or of none."""

    height: int
    width: int

    @property
    def steps(self) -> int:
        """Number of steps."""
        return self.width + SLANT * (self.height - 1)

    @property
    def most(self) -> int:
        """Pixels that a step has at most."""
        return min(self.height, -(-self.width // SLANT))

    def rows(self, step: int) -> tuple[int, int]:
        """Rows [begin, end) that have a pixel in a step; as many end as begin where none has."""
        begin = max(0, -((self.width - 1 - step) // SLANT))
        return begin, max(begin, min(self.height - 1, step // SLANT) + 1)

    def bands(self, pixels: int) -> list[tuple[int, int]]:
        """The steps [first, stop) of bands of about so many pixels, the last band first."""
        length = max(1, pixels // self.most)
        return [(max(0, stop - length), stop) for stop in range(self.steps, 0, -length)]

    def pixels(self, first: int, stop: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Rows and columns int64 [n] of the pixels of steps first..stop-1, by step and then downwards, and how many
        pixels each step has, int64 [stop - first]."""
        step = np.arange(first, stop)
        begin = np.maximum(0, -((self.width - 1 - step) // SLANT))
        counts = np.maximum(0, np.minimum(self.height - 1, step // SLANT) + 1 - begin)
        before = np.cumsum(counts) - counts
        y = np.arange(counts.sum()) + np.repeat(begin - before, counts)
        return y, np.repeat(step, counts) - SLANT * y, counts


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


def padded_samples(pixels: NDArray[np.uint8], first: int, stop: int) -> NDArray[np.int32]:
    """Samples of rows first..stop-1 of uint8 pixels [h, w] or [h, w, 3], int32 [c, PAD + stop - first, w + 2 * PAD],
    with the PAD rows before them and what stands to both sides, as in ``padded_planes``. Channels are in SAMPLE_ORDER.
    """
    top = max(0, first - PAD)
    above = pixels[max(0, top - 1) : stop]
    samples = above[..., SAMPLE_ORDER] if pixels.ndim == 3 else above[..., None]
    width = samples.shape[1]
    padded = np.full((samples.shape[2], PAD + stop - first, width + 2 * PAD), OUTSIDE, np.int32)
    found = padded[:, PAD - (first - top) :]
    found[:, :, PAD : PAD + width] = samples[1 if top else 0 :].transpose(2, 0, 1)
    found[:, :, PAD + width :] = found[:, :, PAD + width - 1, None]
    found[:, 1:, :PAD] = found[:, :-1, PAD : PAD + 1]
    if top:
        found[:, 0, :PAD] = samples[0, 0][:, None]
    return padded
