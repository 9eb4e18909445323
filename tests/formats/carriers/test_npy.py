"""Arrays of numpy come back byte for byte."""

from __future__ import annotations

import io

import numpy as np
import pytest
from helpers.carrier_support import carried, carried_or_not, close_hostile, cost, mutants
from hypothesis import given
from hypothesis import strategies as st

from rdzip.formats.carriers.carrier import NotCarriedError
from rdzip.formats.carriers.table import CARRIERS

NPY = 5
TYPES = ["?", "u1", "i1", "<u2", ">u2", "<i2", ">i2", "<f2", ">f2", "<u4", ">u4", "<i4", ">i4", "<f4", ">f4"]
SHAPES = [(5, 7), (5, 7, 3), (3, 5, 7), (2, 5, 7, 4), (2, 3, 5, 7), (4, 5, 2), (6, 7, 5), (1, 1), (2, 1, 1, 1)]


def saved(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def array(kind: str, shape: tuple[int, ...], fortran: bool = False) -> np.ndarray:
    dtype = np.dtype(kind)
    data = np.random.default_rng(len(shape)).bytes(int(np.prod(shape)) * dtype.itemsize)
    items = np.frombuffer(data, np.uint8) & 1 if kind == "?" else np.frombuffer(data, np.uint8)
    order = "F" if fortran else "C"
    return items.view(dtype).reshape(shape, order=order)  # type: ignore[call-overload]


@pytest.mark.parametrize("fortran", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("kind", TYPES)
def test_each_type_and_shape(kind: str, shape: tuple[int, ...], fortran: bool) -> None:
    opened = carried(saved(array(kind, shape, fortran)), NPY)
    assert cost(opened) <= 60
    assert sum(p.samples.nbytes for p in opened.pictures) == int(np.prod(shape)) * np.dtype(kind).itemsize


@pytest.mark.parametrize(
    ("kind", "shape", "mode", "pictures"),
    [
        ("u1", (5, 7), "L", 1), ("u1", (5, 7, 3), "RGB", 1), ("?", (5, 7), "1", 1), ("<u2", (4, 5, 7), "I;16", 4),
        ("<f4", (5, 7), "F", 1), ("<i4", (5, 7), "I", 1), ("<u2", (3, 5, 7, 4), "RGBA;16", 3),
    ],
)  # fmt: skip
def test_ordinary_arrays_cost_three_bytes(kind: str, shape: tuple[int, ...], mode: str, pictures: int) -> None:
    opened = carried(saved(array(kind, shape)), NPY)
    assert [p.mode for p in opened.pictures] == [mode] * pictures
    assert cost(opened) <= 3


def test_pictures_hold_the_items() -> None:
    colours = array("u1", (5, 7, 3))
    assert np.array_equal(carried(saved(colours), NPY).pictures[0].samples, colours)
    turned = np.asfortranarray(colours)
    assert np.array_equal(carried(saved(turned), NPY).pictures[0].samples, colours.transpose(1, 0, 2))
    stack = array("<f4", (4, 5, 7))
    for picture, items in zip(carried(saved(stack), NPY).pictures, stack, strict=True):
        assert picture.samples.tobytes() == items.tobytes()


def test_numbers_of_numpy_that_are_none() -> None:
    halves = np.array([[np.nan, -np.nan, np.inf, -np.inf], [0.0, -0.0, 6e-8, -6e-8]], "<f2")
    carried(saved(halves), NPY)
    quiet = np.array([[0x7FA00000, 0xFFC00001, 0x80000000, 1]], "<u4").view("<f4")
    carried(saved(quiet), NPY)


def test_other_heads_and_what_follows() -> None:
    data = saved(array("u1", (5, 7)))
    carried(data + b"after the end", NPY)
    text = b"{'descr': '|u1', 'fortran_order': False, 'shape': (5, 7)}\n"
    for start in (b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little"), b"\x93NUMPY\x03\x00\x3a\x00\x00\x00"):
        carried(start + text + data[128:], NPY)
    truth = bytearray(saved(array("?", (5, 7))))
    truth[-1] = 7
    assert carried(bytes(truth), NPY).pictures[0].mode == "L"


def test_what_is_not_carried() -> None:
    for data, why in (
        (saved(array("u1", (5, 7)))[:-1], "cut short"),
        (saved(np.zeros((3, 3))), "f8"),
        (saved(np.zeros((3, 3), complex)), "c16|unusual"),
        (saved(np.zeros(9, np.uint8)), "shape"),
        (saved(np.zeros((3, 0), np.uint8)), "unusual|shape"),
        (saved(np.zeros((3, 3), [("a", "u1")])), "unusual"),
        (saved(array("u1", (5, 7))).replace(b"(5, 7)", b"(10**9, 10**9)"), "unusual"),
        (b"\x93NUMPY\x09\x00" + bytes(99), "version"),
    ):
        with pytest.raises(NotCarriedError, match=why):
            CARRIERS[NPY].open(data)


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    carried_or_not(CARRIERS[NPY], b"\x93NUMPY" + data)


FILES = [saved(array("u1", (5, 7, 3))), saved(array(">i2", (3, 5, 7), True)), saved(array("?", (6, 7)))]


def test_mutants_come_back_or_are_refused() -> None:
    hits = [carried_or_not(CARRIERS[NPY], m) for i, f in enumerate(FILES) for m in mutants(f, 700, i, 140)]
    assert 100 < sum(hits) < len(hits)


def test_hostile_skeletons() -> None:
    for i, data in enumerate(FILES):
        close_hostile(NPY, CARRIERS[NPY].open(data + b"\1"), 300, i)
