"""The rows of a picture that are coded now and those above that models see: memory does not grow with its height."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rdzip.exact.compiled import compiled
from rdzip.models.shared.template import OUTSIDE, PAD, SAMPLE_ORDER

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK_PIXELS = 1 << 12
"""Pixels of a block of rows, if a row has not more."""


def rows_at_once(height: int, width: int) -> int:
    """Rows of a block."""
    return min(height, max(1, BLOCK_PIXELS // width))


def blocks(height: int, width: int) -> Iterator[tuple[int, int]]:
    """First row and last row + 1 of each block."""
    rows = rows_at_once(height, width)
    for first in range(0, height, rows):
        yield first, min(first + rows, height)


class Window:
    """Samples int32 [channels, PAD + rows of a block, w + 2 PAD], channels in SAMPLE_ORDER, OUTSIDE above a picture."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        channels, rows = (1 if len(shape) == 2 else shape[2]), rows_at_once(shape[0], shape[1])
        self.planes = np.full((channels, PAD + rows, shape[1] + 2 * PAD), OUTSIDE, np.int32)
        self._before = 0

    def move(self, rows: int) -> None:
        """Make the next block's rows, so many of them, those that are coded: the last PAD rows before are above it."""
        self.planes[:, :PAD] = self.planes[:, self._before : self._before + PAD]
        self._before = rows

    def write(self, pixels: NDArray[np.uint8]) -> None:
        """Set the samples of the block to pixels [rows, w] or [rows, w, 3]."""
        self._inside()[:] = pixels[..., SAMPLE_ORDER].transpose(2, 0, 1) if pixels.ndim == 3 else pixels

    def read(self, pixels: NDArray[np.uint8]) -> None:
        """Set pixels [rows, w] or [rows, w, 3] to the samples of the block."""
        if pixels.ndim == 2:
            pixels[:] = self._inside()[0]
        else:
            pixels[..., SAMPLE_ORDER] = self._inside().transpose(1, 2, 0)

    def _inside(self) -> NDArray[np.int32]:
        return self.planes[:, PAD : PAD + self._before, PAD:-PAD]


@compiled
def pad_left(px: NDArray[np.int32], plane: int, channels: int, stride: int, row: int) -> None:
    """Put what is known to the left of a row of a window: the first sample of the row above.

    - px: samples of all planes, flat
    - plane, channels: numbers of a plane, and how many planes there are
    - stride: numbers of a row
    - row: which of the window's
    """
    start = (row + PAD) * stride
    for c in range(channels):
        for k in range(PAD):
            px[c * plane + start + k] = px[c * plane + start - stride + PAD]


@compiled
def pad_right(px: NDArray[np.int32], plane: int, channels: int, stride: int, row: int) -> None:
    """Put what is known to the right of a row of a window: its last sample.

    Arguments as of rdzip.codecs.mixing.window.pad_left.
    """
    end = (row + PAD + 1) * stride - PAD
    for c in range(channels):
        for k in range(PAD):
            px[c * plane + end + k] = px[c * plane + end - 1]
