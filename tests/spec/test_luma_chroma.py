"""Luma and chroma are read alike by rdzip and by the second decoder, written from docs/reference/format.md."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from reference.luma_chroma import MATRICES as STATED
from reference.luma_chroma import coloured

from rdzip.codecs.history import luma_chroma
from rdzip.codecs.history.matrices import BITS, MATRICES
from rdzip.formats import container
from rdzip.formats.container import SectionType

GOLDEN = sorted((Path(__file__).parents[1] / "golden").glob("*/history/*.rdz"))


def test_the_page_has_the_matrices() -> None:
    assert [list(matrix[1:8]) for matrix in MATRICES] == STATED


@pytest.mark.parametrize(
    ("number", "red", "blue", "luma", "chroma"),
    [
        (1, ".299", ".114", 255, 255),
        (2, ".299", ".114", 219, 224),
        (3, ".2126", ".0722", 219, 224),
        (4, ".2126", ".0722", 255, 255),
    ],
)
def test_coefficients_are_those_of_the_standards(number: int, red: str, blue: str, luma: int, chroma: int) -> None:
    kr, kb = Fraction(red), Fraction(blue)
    kg = 1 - kr - kb
    y, c = Fraction(255, luma), Fraction(255, chroma)
    to_red, to_blue = 2 * (1 - kr) * c, 2 * (1 - kb) * c
    stated = (y, to_red, -kb / kg * to_blue, -kr / kg * to_red, to_blue)
    assert list(MATRICES[number][2:7]) == [round(v * (1 << BITS)) for v in stated]
    rows = (
        (kr / y, kg / y, kb / y),
        (-kr / to_blue, -kg / to_blue, (1 - kb) / to_blue),
        ((1 - kr) / to_red, -kg / to_red, -kb / to_red),
    )
    assert MATRICES[number].forward == tuple(tuple(round(v * (1 << BITS)) for v in row) for row in rows)


@pytest.mark.parametrize("number", range(len(MATRICES)))
@pytest.mark.parametrize("wrong", [0, 9])
def test_both_make_the_same_colours(number: int, wrong: int) -> None:
    rng = np.random.default_rng(number)
    pixels = luma_chroma.colours(rng.integers(90, 150, (23, 17, 3), np.uint8), bytes([number]))
    for _ in range(wrong):
        pixels[rng.integers(23), rng.integers(17)] = rng.integers(0, 256, 3)
    described = luma_chroma.describe(pixels, number)
    assert described is not None
    found = coloured([int(v) for v in described.planes.flat], described.beside, 23, 17, 3)
    assert found == [int(v) for v in pixels.flat]


def test_golden_files_are_of_each_matrix_and_of_exceptions() -> None:
    beside = [container.unpack(file.read_bytes()).find(SectionType.DESCRIPTION) for file in GOLDEN]
    assert {body[0] for body in beside if body is not None} == {0, 2, 3, 4}
    assert any(body is not None and len(body) > 1 for body in beside)
