"""Pictures that were luma and chroma: found, described, made again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

import rdzip
from rdzip.codecs.history import luma_chroma
from rdzip.codecs.history.matrices import MATRICES
from rdzip.commands.demo import picture
from rdzip.errors import CoderError
from rdzip.formats.describe import describe

Pixels = NDArray[np.uint8]


def colours_of(number: int, size: int = 96) -> Pixels:
    """A photograph of integer luma and chroma, by a matrix."""
    photo = np.asarray(picture().crop((300, 200, 300 + size, 200 + size)).convert("RGB"))
    triples = np.ascontiguousarray(np.asarray(Image.fromarray(photo).convert("YCbCr"))[:, :, ::-1])
    return luma_chroma.colours(triples[:, :, [0, 1, 2]], bytes([number]))


def test_the_matrix_of_jpegs_is_that_of_the_usual_decoder() -> None:
    rng = np.random.default_rng(1)
    triples = rng.integers(0, 256, (256, 256, 3), np.uint8)
    y, cb, cr = (triples[:, :, c].astype(np.int64) for c in range(3))
    red = np.clip(y + ((91881 * (cr - 128) + 32768) >> 16), 0, 255)
    green = np.clip(y + ((-22554 * (cb - 128) - 46802 * (cr - 128) + 32768) >> 16), 0, 255)
    blue = np.clip(y + ((116130 * (cb - 128) + 32768) >> 16), 0, 255)
    found = luma_chroma.colours(np.ascontiguousarray(triples[:, :, ::-1]), b"\0")
    assert np.array_equal(found, np.stack([red, green, blue], axis=2))


@pytest.mark.parametrize("number", range(len(MATRICES)))
def test_each_matrix_is_found_and_comes_back(number: int) -> None:
    pixels = colours_of(number)
    found = luma_chroma.find(pixels)
    assert found is not None
    assert MATRICES[found].y == MATRICES[number].y or MATRICES[found].bits != MATRICES[number].bits
    described = luma_chroma.describe(pixels, found)
    assert described is not None
    assert np.array_equal(luma_chroma.colours(*described), pixels)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 40), st.integers(1, 40), st.integers(0, 4), st.integers(0, 12))
def test_exceptions_come_back(seed: int, height: int, width: int, number: int, wrong: int) -> None:
    rng = np.random.default_rng(seed)
    pixels = luma_chroma.colours(rng.integers(0, 256, (height, width, 3), np.uint8), bytes([number])).copy()
    for _ in range(wrong):
        pixels[rng.integers(height), rng.integers(width)] = rng.integers(0, 256, 3)
    described = luma_chroma.describe(pixels, number)
    if described is not None:
        assert np.array_equal(luma_chroma.colours(*described), pixels)


def test_noise_has_no_history() -> None:
    assert luma_chroma.find(np.random.default_rng(2).integers(0, 256, (64, 64, 3), np.uint8)) is None


def test_corrupt_descriptions_are_refused() -> None:
    pixels = colours_of(0).copy()
    pixels[5, 5:60] = np.random.default_rng(3).integers(0, 256, (55, 3))
    described = luma_chroma.describe(pixels, 0)
    assert described is not None
    assert len(described.beside) > 3
    for beside in (b"", b"\xff", described.beside[:-1], described.beside + b"\1", b"\0\1"):
        with pytest.raises(CoderError):
            luma_chroma.colours(described.planes, beside)


@pytest.mark.parametrize("effort", [1, 3])
@pytest.mark.parametrize("alpha", [False, True])
def test_files_take_less_and_come_back(effort: int, alpha: bool) -> None:
    pixels = colours_of(0, 200)
    pixels[3, 4:9] = 250, 3, 9
    image = Image.fromarray(pixels)
    if alpha:
        image.putalpha(Image.fromarray((np.add.outer(np.arange(200), np.arange(200)) // 2).astype(np.uint8)))
    data = rdzip.compress(image, effort=effort)
    facts = describe(data)
    assert facts["arrangement"] == "luma chroma"
    assert facts["history"] == "luma and chroma (BT.601, full range, of a JPEG)"
    assert np.array_equal(np.asarray(rdzip.decompress(data)), np.asarray(image))
