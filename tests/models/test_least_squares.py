"""The least squares' weights and sums: bit for bit those of plain Python, whatever the processor flushes to zero."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
import synthetic
from slow_brisk import BlockFit
from slow_mixing import Fit

from rdzip.codecs import brisk, thorough
from rdzip.codecs.options import BRISK_FITTED, CALM_ALONE
from rdzip.models import block_fit, least_squares

NO_NETWORK = np.zeros(0, np.int32)
ROWS = 9


class Plain:
    """Samples and their means by docs/format.md, for the second decoders' fits."""

    def __init__(self, planes: np.ndarray) -> None:
        self.planes = planes.tolist()
        self.width = planes.shape[2]

    def at(self, q: int, y: int, x: int) -> int:
        if x < 0:
            y, x = y - 1, 0
        return 128 if y < 0 else int(self.planes[q][y][min(x, self.width - 1)])

    def means(self, y: int, x: int) -> list[float]:
        return [(self.at(q, y, x - 1) + self.at(q, y - 1, x)) / 2 for q in range(len(self.planes))]


def of_the_codec(pixels: np.ndarray) -> np.ndarray:
    """Planes [channels, h, w] in the codec's order."""
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)[[1, 0, 2]]


def band(kind: Any, layout: int, pixels: np.ndarray) -> Any:
    """A band that encodes the pixels."""
    found = kind(None, layout, pixels.shape, np.zeros(4 * pixels.size + 64, np.uint8), 0)
    inside = found.planes[:, -pixels.shape[0] :, 5 : 5 + pixels.shape[1]]
    inside[:] = of_the_codec(pixels)
    return found


def same(found: list[float], expected: list[float]) -> None:
    """The same bytes, which tells -0 from 0, too."""
    assert struct.pack(f"{len(found)}d", *found) == struct.pack(f"{len(expected)}d", *expected)


def upper(triangle: list[list[float]]) -> list[float]:
    return [v for i, row in enumerate(triangle) for v in row[i:]]


@pytest.mark.parametrize("shape", [(ROWS, 19, 3), (ROWS, 30, 1)])
def test_fits_of_a_pixel_are_those_of_plain_python(shape: tuple[int, int, int]) -> None:
    """Weights of the last pixel of each row, the window's sums and those of each column, in the compiled codec."""
    pixels = synthetic.picture(*shape)
    coded, planes = band(thorough.Band, CALM_ALONE, pixels), Plain(of_the_codec(pixels))
    channels, width = len(planes.planes), planes.width
    fits = {(c, k): Fit(c, channels, width, d) for c in range(channels) for k, d in enumerate(least_squares.DECAYS)}
    assert least_squares.DECAYS == ((0.8, 0.9), (0.94, 0.97))
    for y in range(ROWS):
        coded.code(y, NO_NETWORK)
        for (c, k), fit in fits.items():
            fit.begin()
            for x in range(width):
                means = planes.means(y, x)
                fit.predict(y, x, planes.at, means)
                fit.learn(planes.at(c, y, x) - means[c])
            fit.end()
            lane = c + k * least_squares.CHANNELS
            same(coded.fits.weights[: fit.n, lane].tolist(), fit.w)
            # a fit with fewer inputs than the largest has others that are 0 before its target
            inputs = [*range(fit.n), len(coded.fits.weights)]
            for own, known in [(coded.fits.left, fit.b), *zip(coded.fits.columns, fit.v, strict=True)]:
                square = np.zeros((len(coded.fits.weights) + 1,) * 2)
                square[np.triu_indices(len(square))] = own[:, lane]
                same(square[np.ix_(inputs, inputs)][np.triu_indices(fit.n + 1)].tolist(), upper(known))


@pytest.mark.parametrize("shape", [(ROWS, 44, 3), (ROWS, 53, 1)])
def test_fits_of_a_block_are_those_of_plain_python(shape: tuple[int, int, int]) -> None:
    pixels = synthetic.picture(*shape)
    coded, planes = band(brisk.Band, BRISK_FITTED, pixels), Plain(of_the_codec(pixels))
    channels, width = len(planes.planes), planes.width
    fits = [BlockFit(c, channels, width) for c in range(channels)]
    for y in range(ROWS):
        coded.code(y, NO_NETWORK)
        for c, fit in enumerate(fits):
            fit.begin()
            for x in range(width):
                means = planes.means(y, x)
                fit.predict(y, x, planes.at, means)
                fit.learn(x, planes.at(c, y, x) - means[c])
            sums = coded.fit.sums.reshape(channels, -1)[c]
            same(sums[block_fit.WEIGHTS :][: fit.n].tolist(), fit.w)
            side = block_fit.SIDE
            inputs = [*range(fit.n), side - 1]
            matrices = {block_fit.WINDOW: fit.a, block_fit.LEFT: fit.left}
            pairs = [(sums[at : at + block_fit.SQUARE], known) for at, known in matrices.items()]
            columns = coded.fit.columns.reshape(channels, -1, block_fit.SQUARE)[c]
            for own, known in [*pairs, *zip(columns, fit.v, strict=True)]:
                same(own.reshape(side, side)[: fit.n, inputs].ravel().tolist(), [v for row in known for v in row])
