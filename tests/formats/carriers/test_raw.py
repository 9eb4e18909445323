"""Rows of samples, samples as pictures, patches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdzip.errors import FormatError
from rdzip.formats.carriers.raw import grouping, patches
from rdzip.formats.carriers.raw.rows import Rows


@given(data=st.binary(max_size=60), expected=st.binary(max_size=60))
def test_a_patch_makes_the_data_of_what_was_expected(data: bytes, expected: bytes) -> None:
    assert patches.patched(patches.difference(data, expected), expected) == data


def test_patches_are_small() -> None:
    assert patches.difference(b"same", b"same") == []
    assert patches.difference(b"a line of text", b"a lime of test") == [4, 1, b"n", 7, 1, b"x"]
    assert patches.difference(b"P6\n# by hand\n3 4", b"P6\n3 4") == [3, 0, b"# by hand\n"]


@pytest.mark.parametrize("patch", [[1], [1, 2, 3], [5, 0, b""], [0, 9, b""], [-1, 0, b""], "text", [True, 0, b""], 5])
def test_no_patch(patch: object) -> None:
    with pytest.raises(FormatError):
        patches.patched(patch, b"four")


@given(
    bits=st.sampled_from([*range(1, 17), 32]),
    shape=st.tuples(st.integers(1, 6), st.integers(1, 9)),
    big=st.booleans(),
    align=st.sampled_from([1, 2, 4]),
    low_first=st.booleans(),
    seed=st.integers(0, 99),
)
def test_any_bytes_are_rows(
    bits: int, shape: tuple[int, int], big: bool, align: int, low_first: bool, seed: int
) -> None:
    rows = Rows(*shape, bits, big, align, low_first)
    data = np.random.default_rng(seed).bytes(rows.size)
    samples, filling = rows.read(b"x" + data, 1)
    assert samples.shape == shape
    assert int(samples.max()) < 1 << bits
    assert rows.write(samples, filling) == data


def test_rows_of_twelve_bits_begin_at_the_highest_bit() -> None:
    samples, filling = Rows(1, 3, 12).read(bytes([0x12, 0x34, 0x56, 0x78, 0x9A]))
    assert samples.tolist() == [[0x123, 0x456, 0x789]]
    assert filling == b"\x0a"
    assert Rows(1, 3, 12).read(bytes([0x12, 0x34, 0x56, 0x78, 0x90]))[1] == b""


def test_samples_of_too_many_bits_and_fillings_over_samples() -> None:
    with pytest.raises(FormatError, match="more than 4 bits"):
        Rows(1, 2, 4).write(np.array([[3, 16]], np.uint8))
    with pytest.raises(FormatError, match="covers"):
        Rows(1, 3, 4).write(np.zeros((1, 3), np.uint8), b"\x10")
    with pytest.raises(FormatError, match="length"):
        Rows(1, 3, 4).write(np.zeros((1, 3), np.uint8), b"\0\0")


@given(
    bits=st.sampled_from([8, 16, 32]),
    kind=st.sampled_from(["u", "i", "f"]),
    channels=st.integers(1, 6),
    colour=st.sampled_from(["", "planes"]),
    seed=st.integers(0, 99),
)
def test_any_samples_are_pictures(bits: int, kind: str, channels: int, colour: str, seed: int) -> None:
    dtype = np.dtype(f"<u{bits // 8}")
    samples = np.frombuffer(np.random.default_rng(seed).bytes(6 * channels * bits // 8), dtype)
    samples = samples.reshape(3, 2, channels)
    made = grouping.as_pictures(samples, kind, colour)
    assert [p.mode for p in made] == grouping.modes_of(channels, bits, kind, colour)
    back = grouping.samples_of(made, samples.shape, dtype, kind, colour)
    assert back.dtype == dtype
    assert np.array_equal(back, samples)


def test_signed_samples_and_halves_rise() -> None:
    for values, kind in ((np.arange(-4, 4, dtype="<i2"), "i"), (np.linspace(-3, 3, 8).astype("<f2"), "f")):
        picture = grouping.as_pictures(values.view("<u2").reshape(2, 4, 1), kind)[0]
        assert picture.mode == "I;16"
        assert (np.diff(picture.samples.ravel().astype(int)) > 0).all()


def test_other_pictures_than_the_skeleton_needs() -> None:
    made = grouping.as_pictures(np.zeros((2, 2, 3), np.uint8), "u")
    with pytest.raises(FormatError, match="mode RGBA"):
        grouping.samples_of(made, (2, 2, 4), np.dtype("u1"), "u")
    with pytest.raises(FormatError, match="3 x 2"):
        grouping.samples_of(made, (2, 3, 3), np.dtype("u1"), "u")
