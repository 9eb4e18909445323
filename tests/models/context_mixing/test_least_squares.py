"""The least squares' weights and sums: bit for bit those of plain Python, whatever the processor flushes to zero."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from helpers import synthetic
from reference.fast_mixing import BlockFit
from reference.slow_mixing import Fit

from rdzip.codecs.mixing.band import Band
from rdzip.codecs.mixing.presets import FAST_LS, SLOW, Preset
from rdzip.models.context_mixing import block_least_squares, least_squares

NO_NETWORK = np.zeros(0, np.int32)
ROWS = 9


class Plain:
    """Samples and their means by docs/reference/format.md, for the second decoders' fits."""

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


def row_by_row(coded: Any, pixels: np.ndarray) -> Iterator[int]:
    """Encode the pixels by a band, row by row."""
    for y in range(len(pixels)):
        coded.window.move(1)
        coded.window.write(pixels[y : y + 1])
        coded.code(y, 1, NO_NETWORK)
        yield y


def band(preset: Preset, pixels: np.ndarray) -> Band:
    """A band that is to encode the pixels."""
    return Band(None, preset, pixels.shape, np.zeros(4 * pixels.size + 64, np.uint8), 0)


def same(found: list[float], expected: list[float]) -> None:
    """The same bytes, which tells -0 from 0, too."""
    assert struct.pack(f"{len(found)}d", *found) == struct.pack(f"{len(expected)}d", *expected)


def upper(triangle: list[list[float]]) -> list[float]:
    return [v for i, row in enumerate(triangle) for v in row[i:]]


@pytest.mark.parametrize("shape", [(ROWS, 19, 3), (ROWS, 30, 1)])
def test_fits_of_a_pixel_are_those_of_plain_python(shape: tuple[int, int, int]) -> None:
    """Weights of the last pixel of each row, the window's sums and those of each column, in the compiled codec."""
    pixels = synthetic.picture(*shape)
    coded, planes = band(SLOW, pixels), Plain(of_the_codec(pixels))
    channels, width = len(planes.planes), planes.width
    fits = {(c, k): Fit(c, channels, width, d) for c in range(channels) for k, d in enumerate(least_squares.DECAYS)}
    assert least_squares.DECAYS == ((0.8, 0.9), (0.94, 0.97))
    for y in row_by_row(coded, pixels):
        for (c, k), fit in fits.items():
            fit.begin()
            for x in range(width):
                means = planes.means(y, x)
                fit.predict(y, x, planes.at, means)
                fit.update(planes.at(c, y, x) - means[c])
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
    coded, planes = band(FAST_LS, pixels), Plain(of_the_codec(pixels))
    channels, width = len(planes.planes), planes.width
    fits = [BlockFit(c, channels, width) for c in range(channels)]
    for y in row_by_row(coded, pixels):
        for c, fit in enumerate(fits):
            fit.begin()
            for x in range(width):
                means = planes.means(y, x)
                fit.predict(y, x, planes.at, means)
                fit.update(x, planes.at(c, y, x) - means[c])
            sums = coded.fits.sums.reshape(channels, -1)[c]
            same(sums[block_least_squares.WEIGHTS :][: fit.n].tolist(), fit.w)
            side = block_least_squares.SIDE
            inputs = [*range(fit.n), side - 1]
            matrices = {block_least_squares.WINDOW: fit.a, block_least_squares.LEFT: fit.left}
            pairs = [(sums[at : at + block_least_squares.SQUARE], known) for at, known in matrices.items()]
            columns = coded.fits.columns.reshape(channels, -1, block_least_squares.SQUARE)[c]
            for own, known in [*pairs, *zip(columns, fit.v, strict=True)]:
                same(own.reshape(side, side)[: fit.n, inputs].ravel().tolist(), [v for row in known for v in row])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("shape", [(4600, 3, 3), (3, 8500)])
@pytest.mark.parametrize("preset", [SLOW, FAST_LS], ids=["slow", "fast"])
def test_numbers_that_are_flushed_to_zero_decide_nothing(preset: Preset, shape: tuple[int, ...]) -> None:
    """docs/explanation/exactness.md, section 9: sums of what lies thousands of rows or pixels back, in areas that are
    flat."""
    pixels = np.full(shape, 70, np.uint8)
    pixels[:60, :40] = synthetic.picture(*pixels[:60, :40].shape[:2], 2 * pixels.ndim - 3)
    for y in (3330 if preset.slow else -1, -1):  # in the 100 to 200 rows in which sums are subnormal
        if y < shape[0]:
            pixels[y, -300:] = synthetic.picture(1, 300, 2 * pixels.ndim - 3)[0, : len(pixels[y, -300:])]
    found = []
    for flush in (False, True):
        torch.set_flush_denormal(flush)
        try:
            coded = band(preset, pixels)
            tiny, predicted = 0, []
            for y in row_by_row(coded, pixels):
                predicted.append(coded.features.means.tolist())
                if shape[0] < 9 or y % 40 == 0:
                    tiny += subnormal(coded)
        finally:
            torch.set_flush_denormal(False)
        found.append((predicted, coded.coder.tolist(), coded.data.tobytes()))
        if shape[0] > 9 or not preset.slow:  # nothing in a row of the other decays so fast
            assert (tiny == 0) == flush
    assert found[0] == found[1]


def subnormal(coded: Any) -> int:
    """How many of a band's sums and weights are subnormal, by their bits."""
    arrays = coded.fits[3 if isinstance(coded.fits, least_squares.Fits) else 2 :]
    bits = np.concatenate([part.ravel().view(np.uint64) & (1 << 63) - 1 for part in arrays])
    return int(((bits > 0) & (bits < 1 << 52)).sum())
