"""LZW, PackBits and predictors: what decodes comes back, and what encoders are known to write."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdzip.formats.carriers.tiff import packbits, predictors
from rdzip.formats.carriers.tiff.lzw import FULL, Lzw

RNG = np.random.default_rng(2)
CODER = Lzw()
RUNS = st.lists(st.tuples(st.integers(0, 3), st.sampled_from([1, 1, 1, 2, 2, 3, 5, 130, 400])), max_size=40).map(
    lambda runs: b"".join(bytes([value]) * count for value, count in runs)
)


def test_the_example_of_the_specification() -> None:
    data = bytes([7, 7, 7, 8, 8, 7, 7, 6, 6])
    codes = [256, 7, 258, 8, 8, 258, 6, 6, 257]
    expected = int("".join(f"{c:09b}" for c in codes) + "0" * (-9 * len(codes) % 8), 2).to_bytes(11, "big")
    assert CODER.encode(data, []) == expected
    assert CODER.decode(expected, len(data)) == (data, 11, [], 258 + 7, True)


@given(data=RUNS, end=st.sampled_from([0, 1, 2]), full=st.sampled_from([4094, 4095, 4096, 300]), old_form=st.booleans())
def test_lzw_comes_back(data: bytes, end: int, full: int, old_form: bool) -> None:
    coded = CODER.encode(data, [], full, 0, end, old_form)
    found = CODER.decode(coded + b"more" if end < 2 else coded, len(data), old_form)
    if found is not None:  # without an end code the last bits may look like one more code
        assert found[:2] == (data, len(coded))
        assert CODER.encode(data, found[2] or [], full, 0, end, old_form) == coded


def test_lzw_of_before_the_specification() -> None:
    """Low bits first: the clear code 256 begins with a byte 0, and 10 bits come one code later."""
    data = RNG.bytes(300)
    coded = CODER.encode(data, [], old_form=True)
    assert coded[0] == 0
    assert coded[1] & 1 == 1
    value = int.from_bytes(coded, "little")
    assert [value >> 9 * i & 511 for i in range(1, 256)] == list(data[:255])
    assert value >> 9 * 256 & 1023 == data[255]
    assert (CODER.decode(coded, 300, True) or [b""])[0] == data


@pytest.mark.parametrize("values", [2, 256])
def test_lzw_of_many_tables(values: int) -> None:
    data = RNG.integers(0, values, 60000).astype(np.uint8).tobytes()
    coded = CODER.encode(data, [])
    raw, used, clears, _, ended = CODER.decode(coded, len(data)) or pytest.fail("not decoded")
    assert (raw, used, ended) == (data, len(coded), True)
    assert set(clears) <= {FULL}
    assert CODER.encode(data, clears) == coded
    other = [400, 700, 4000] * 40
    coded = CODER.encode(data, other)
    raw, _, clears, _, _ = CODER.decode(coded, len(data)) or pytest.fail("not decoded")
    assert raw == data
    assert clears == other[: len(clears)]


@given(st.binary(max_size=80), st.integers(0, 200))
def test_lzw_of_any_bytes(data: bytes, size: int) -> None:
    for start in (b"", b"\x80\x00", b"\x80\x01\xe0\x40"):
        found = CODER.decode(start + data, size)
        assert found is None or len(found[0]) == size


@given(data=RUNS, row=st.integers(1, 300), way=st.integers(0, packbits.RULES - 1))
def test_packbits_come_back(data: bytes, row: int, way: int) -> None:
    coded = packbits.encode(data, row, way)
    assert packbits.decode(coded + b"more", len(data)) == (data, len(coded))
    assert len(coded) <= 2 * len(data)


@given(st.binary(max_size=80), st.integers(0, 200))
def test_packbits_of_any_bytes(data: bytes, size: int) -> None:
    found = packbits.decode(data, size)
    assert found is None or len(found[0]) == size


def test_rules_of_packbits() -> None:
    """libtiff lets a pair between literals join them; the other ways do not, or take no pairs at all."""
    assert packbits.encode(b"abbc", 4, 0) == b"\x03abbc"
    assert packbits.encode(b"abbc", 4, 1) == b"\x00a\xffb\x00c"
    assert packbits.encode(b"aabbb", 5, 2) == b"\xffa\xfeb"
    assert packbits.encode(b"aabbb", 5, 3) == b"\x01aa\xfeb"
    assert packbits.encode(b"aaaa", 2, 0) == b"\xffa\xffa"
    assert packbits.encode(b"a" * 300, 300, 0) == b"\x81a\x81a\xd5a"


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("dtype", "predictor"), [("u1", 2), ("u2", 2), ("u4", 2), ("u2", 3), ("u4", 3), ("u1", 1)])
def test_predictors_come_back(dtype: str, predictor: int, channels: int) -> None:
    samples = np.frombuffer(RNG.bytes(5 * 6 * 4 * channels), f"<{dtype}").reshape(5, -1)
    samples = samples[:, : samples.shape[1] // channels * channels]
    rows = predictors.apply(samples, channels, predictor)
    assert np.array_equal(predictors.undo(rows, channels, predictor, samples.dtype), samples)
