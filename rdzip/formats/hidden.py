"""Pixels that alpha hides: their colours are free, so they are chosen such that they cost little."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

ROWS = 256
"""Rows that are worked on together at full size, an even number."""
Float32 = NDArray[np.float32]


def fill(colour: NDArray[np.uint8], hidden: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return a picture [h, w] or [h, w, 3] whose hidden pixels [h, w] go on with the colours of those around them.

    Means of 2 x 2 pixels, of 2 x 2 of these and so on; each hole takes its colour from the finest that is none.
    """
    if not hidden.any():
        return colour
    if hidden.all():
        return np.full_like(colour, 128)
    filled: NDArray[np.uint8] = colour.reshape(*hidden.shape, -1).copy()
    coarse = _filled(*_halved(filled, hidden))
    for y in range(0, len(filled), ROWS):
        part, holes = filled[y : y + ROWS], hidden[y : y + ROWS]
        wide = _doubled(coarse[y // 2 :], part.shape[:2])
        part[holes] = np.floor(wide[holes] + 0.5).astype(np.uint8)
    whole: NDArray[np.uint8] = filled.reshape(colour.shape)
    return whole


def _filled(values: Float32, known: NDArray[np.bool_]) -> Float32:
    """Means [h, w, c] without holes."""
    if known.all():
        return values
    coarse = _filled(*_halved(values, ~known))
    return np.where(known[:, :, None], values, _doubled(coarse, known.shape))


def _halved(values: NDArray[Any], hidden: NDArray[np.bool_]) -> tuple[Float32, NDArray[np.bool_]]:
    """Means of what is known of 2 x 2 pixels, and where anything is."""
    height, width, channels = values.shape
    mean = np.zeros((-(-height // 2), -(-width // 2), channels), np.float32)
    known = np.zeros(mean.shape[:2], np.bool_)
    for y in range(0, height, ROWS):
        seen = ~hidden[y : y + ROWS]
        part = np.where(seen[:, :, None], values[y : y + ROWS], 0).astype(np.float32)
        odd = ((0, len(seen) % 2), (0, width % 2))
        weight = _sums(np.pad(seen.astype(np.float32), odd)[:, :, None])
        place = slice(y // 2, y // 2 + len(weight))
        mean[place] = _sums(np.pad(part, (*odd, (0, 0)))) / np.maximum(weight, 1)
        known[place] = weight[:, :, 0] > 0
    return mean, known


def _sums(values: Float32) -> Float32:
    sums: Float32 = values[::2, ::2] + values[1::2, ::2] + values[::2, 1::2] + values[1::2, 1::2]
    return sums


def _doubled(values: Float32, shape: tuple[int, ...]) -> Float32:
    rows = np.repeat(values[: -(-shape[0] // 2)], 2, 0)[: shape[0]]
    return np.repeat(rows, 2, 1)[:, : shape[1]]
