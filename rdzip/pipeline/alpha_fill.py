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

    Means of small squares of pixels, of squares of these and so on; each hole takes its colour from the finest.
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
    """Weighted means of what is known of 4 x 4 pixels, two by two apart, and where anything is."""
    height, width, channels = values.shape
    mean = np.zeros((-(-height // 2), -(-width // 2), channels), np.float32)
    known = np.zeros(mean.shape[:2], np.bool_)
    for y in range(0, height, ROWS):
        first, end = max(0, y - 1), min(height, y + ROWS + 1)
        seen = ~hidden[first:end]
        both = np.ones((end - first, width, channels + 1), np.float32)
        both[:, :, 1:] = values[first:end]
        both *= seen[:, :, None]
        rows = min(height, y + ROWS) - y
        # a row before and one behind, or two where the number is odd; the same of columns
        around = ((first - y + 1, y + rows + rows % 2 + 1 - end), (1, 1 + width % 2), (0, 0))
        sums = _fewer(_fewer(np.pad(both, around)).swapaxes(0, 1)).swapaxes(0, 1)
        place = slice(y // 2, y // 2 + len(sums))
        mean[place] = sums[:, :, 1:] / np.maximum(sums[:, :, :1], 1)
        known[place] = sums[:, :, 0] > 0
    return mean, known


def _fewer(values: Float32) -> Float32:
    """Weighted sums of rows 0..3, 2..5, ... of an even number of rows."""
    sums: Float32 = values[:-2:2] + 3 * (values[1:-1:2] + values[2::2]) + values[3::2]
    return sums


def _doubled(values: Float32, shape: tuple[int, ...]) -> Float32:
    rows = np.repeat(values[: -(-shape[0] // 2)], 2, 0)[: shape[0]]
    return np.repeat(rows, 2, 1)[:, : shape[1]]
