"""FITS files come back byte for byte."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
from helpers.carrier_support import carried, carried_or_not, close_hostile, cost, mutants
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from rdzip.formats.carriers.carrier import NotCarriedError
from rdzip.formats.carriers.table import CARRIERS

FITS = 8
BLOCK = 2880
TYPES = {8: ("u1", "L"), 16: (">i2", "I;16"), 32: (">i4", "I"), -32: (">f4", "F"), 64: (">i8", ""), -64: (">f8", "")}


def padded(data: bytes, by: bytes) -> bytes:
    return data + by * (-len(data) % BLOCK)


def head(cards: Mapping[str, object]) -> bytes:
    text = ""
    for name, value in cards.items():
        shown = f"'{value:8}'" if isinstance(value, str) and value != "T" else f"{value!s:>20}"
        text += f"{name:8}= {shown}".ljust(80)
    return padded((text + "END".ljust(80)).encode(), b" ")


def unit(bits: int, axes: tuple[int, ...], first: bool = True, data: bytes | None = None, **more: object) -> bytes:
    """A header and data unit; axes: the fastest first."""
    start: dict[str, object] = {"SIMPLE": "T"} if first else {"XTENSION": "IMAGE"}
    cards = start | {"BITPIX": bits, "NAXIS": len(axes)} | {f"NAXIS{i + 1}": n for i, n in enumerate(axes)}
    if not first:
        cards |= {"PCOUNT": 0, "GCOUNT": 1}
    size = int(np.prod(axes)) * abs(bits) // 8 if axes else 0
    samples = np.random.default_rng(3).bytes(size) if data is None else data
    return head(cards | more) + padded(samples, b"\0")


def table(rows: int) -> bytes:
    cards = {"XTENSION": "BINTABLE", "BITPIX": 8, "NAXIS": 2, "NAXIS1": 5, "NAXIS2": rows, "PCOUNT": 7, "GCOUNT": 1}
    return (
        head(cards)
        + padded(b"row" * rows, b"\0")
        + b"\0" * (BLOCK * (-(-(5 * rows + 7) // BLOCK) - -(-3 * rows // BLOCK)))
    )


@pytest.mark.parametrize("bits", [8, 16, 32, -32])
@pytest.mark.parametrize("axes", [(7, 5), (7, 5, 3), (4, 3, 2, 2)], ids=str)
def test_each_type_and_shape(bits: int, axes: tuple[int, ...]) -> None:
    opened = carried(unit(bits, axes), FITS)
    assert [p.mode for p in opened.pictures] == [TYPES[bits][1]] * int(np.prod(axes[2:]))
    assert opened.pictures[0].shape == (axes[1], axes[0])
    assert cost(opened) <= 80


def test_pictures_hold_the_samples() -> None:
    image: NDArray[np.int16] = np.arange(-6, 6, dtype=">i2").reshape(3, 4)
    opened = carried(unit(16, (4, 3), data=image.tobytes(), BZERO=32768, BSCALE=1), FITS)
    assert np.array_equal(opened.pictures[0].samples, image.astype(np.int32) + 32768)
    reals = np.array([[np.nan, -0.0, 1.5]], ">f4")
    assert (
        carried(unit(-32, (3, 1), data=reals.tobytes()), FITS).pictures[0].samples.tobytes()
        == reals.byteswap().tobytes()
    )


def test_the_head_that_astropy_writes_costs_a_few_bytes() -> None:
    text = (
        "SIMPLE  =                    T / conforms to FITS standard                      "
        "BITPIX  =                   16 / array data type                                "
        "NAXIS   =                    2 / number of array dimensions                     "
        "NAXIS1  =                    7                                                  "
        "NAXIS2  =                    5                                                  "
        "END"
    )
    opened = carried(padded(text.encode(), b" ") + padded(b"ab" * 35, b"\0"), FITS)
    assert opened.skeleton == []


def test_many_units() -> None:
    data = (
        unit(8, ())
        + unit(16, (9, 8), False)
        + table(30)
        + unit(64, (4, 4), False)
        + unit(8, (5, 4, 2), False)
        + table(800)
    )
    opened = carried(data, FITS)
    assert [p.mode for p in opened.pictures] == ["I;16", "L", "L"]
    carried(data + b"after the end", FITS)
    carried(unit(8, (5, 5))[:-1], FITS)
    carried(unit(8, (5, 5))[: BLOCK + 25], FITS)
    carried(unit(8, (5, 5))[:-1] + b"\1" + unit(8, (4, 4), False), FITS)
    carried(unit(8, (5, 5)) + unit(16, (30, 30), False)[:-2000], FITS)


def test_what_is_not_carried() -> None:
    for data, why in (
        (unit(8, (5, 5))[: BLOCK + 24], "cut short"),
        (unit(8, (5, 5))[:300], "cut short"),
        (unit(-64, (5, 5)), "no image"),
        (unit(64, (5, 5)), "no image"),
        (unit(8, ()) + table(9), "no image"),
        (unit(8, (0, 5), GROUPS="T", PCOUNT=4, GCOUNT=9), "no image"),
        (unit(8, (5,)), "no image"),
        (unit(8, (5, -5), data=b""), "length of an axis"),
        (unit(7, (5, 5)), "lacks BITPIX"),
        (unit(8, (10**9, 10**9), data=b""), "pixels"),
        (unit(8, (1, 1, 10**7), data=b""), "pictures"),
    ):
        with pytest.raises(NotCarriedError, match=why):
            CARRIERS[FITS].open(data)


@given(
    st.lists(st.integers(1, 6), min_size=2, max_size=5).filter(lambda axes: np.prod(axes) < 3000),
    st.sampled_from(list(TYPES)), st.sampled_from((8, 16, 32, -32)), st.binary(max_size=40),
)  # fmt: skip
def test_round_trips(axes: list[int], one: int, two: int, rest: bytes) -> None:
    carried(unit(one, tuple(axes)) + unit(two, tuple(axes), False) + rest, FITS)


@given(st.binary(max_size=400), st.integers(0, 500))
def test_any_bytes(data: bytes, at: int) -> None:
    whole = bytearray(unit(8, (7, 5, 3)))
    whole[at : at + len(data)] = data
    carried_or_not(CARRIERS[FITS], bytes(whole))
    carried_or_not(CARRIERS[FITS], b"SIMPLE  =" + data)


FILES = [unit(8, (7, 5, 3)), unit(16, (7, 5), BZERO=32768), unit(8, ()) + unit(-32, (4, 3), False) + table(3)]


def test_mutants_come_back_or_are_refused() -> None:
    hits = [carried_or_not(CARRIERS[FITS], m) for i, f in enumerate(FILES) for m in mutants(f, 700, i, 480)]
    assert 100 < sum(hits) < len(hits)


def test_hostile_skeletons() -> None:
    for i, data in enumerate(FILES):
        close_hostile(FITS, CARRIERS[FITS].open(data + b"\1"), 300, i)
