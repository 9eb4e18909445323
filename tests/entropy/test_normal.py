"""Integer normal values: the stored table, the interpolation, and the distribution that comes out."""

from __future__ import annotations

import hashlib
import math
import re
import subprocess
import sys
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from rdzip.entropy import normal
from rdzip.entropy.philox import Philox
from rdzip.errors import InputError, RdzipError

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "random.md").read_text(encoding="utf-8")
UNIT = 1 << normal.SCALE_BITS


def plain(word: int) -> int:
    """The arithmetic as docs/reference/random.md states it."""
    table = normal.table()
    tail = 2 * (2**32 - 1 - word if word >= 2**31 else word) + 1
    octave = tail.bit_length() - 1
    rest = tail * 2 ** (31 - octave) - 2**31
    index, fraction = 256 * octave + rest // 2**23, rest % 2**23
    near, far = int(table[index]), int(table[index + 1])
    magnitude = (near * 2**23 - (near - far) * fraction + 2**30) >> 31
    return magnitude if word >= 2**31 else -magnitude


def test_vectors_of_the_documentation() -> None:
    known = re.findall(r"(?m)^\| `([0-9a-f]{8})` \| (-?\d+) \|$", PAGE)
    assert len(known) == 14
    words = np.array([int(word, 16) for word, _ in known], np.uint32)
    assert normal.from_words(words).tolist() == [int(value) for _, value in known]
    many = normal.from_words(Philox(1, 2).words(0, 1 << 20))
    assert hashlib.sha256(many.astype("<i4").tobytes()).hexdigest() in PAGE
    assert normal.TABLE_SHA256 in PAGE
    indices, entries = (
        [int(cell) for cell in re.findall(r"\d+", re.findall(rf"(?m)^\| {head} \|(.*)$", PAGE)[0])]
        for head in ("i", r"T\[i\]")
    )
    assert len(indices) == 7
    assert normal.table()[indices].tolist() == entries


def test_the_table_falls_and_holds_the_quantiles() -> None:
    table = normal.table()
    assert table.shape == (8193,)
    assert (np.diff(table) < 0).all()
    for index in range(0, 8192, 37):
        octave, step = divmod(index, 256)
        tail = (256 + step) * 2.0 ** (octave - 41)
        assert abs(table[index] + NormalDist().inv_cdf(tail) * 2**24) < 0.51
    assert table[-1] == 0


def test_the_tool_computes_the_stored_table() -> None:
    run = subprocess.run([sys.executable, ROOT / "tools" / "make_normal_table.py", "--check"], check=False)
    assert run.returncode == 0


def test_a_damaged_table_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(normal, "TABLE_SHA256", "0" * 64)
    normal.table.cache_clear()
    with pytest.raises(RdzipError, match="damaged"):
        normal.table()


@given(hnp.arrays(np.uint32, st.integers(0, 20), elements=st.integers(0, 2**32 - 1)))
def test_values_equal_the_second_implementation(words: np.ndarray[tuple[int], np.dtype[np.uint32]]) -> None:
    values = normal.from_words(words)
    assert values.dtype == np.int32
    assert values.tolist() == [plain(int(word)) for word in words]


def interesting_words() -> np.ndarray[tuple[int], np.dtype[np.uint32]]:
    """Words near both ends, around every power of two and every table step there, and at random; sorted."""
    powers = np.arange(32, dtype=np.int64)
    near = (2**powers)[:, None] + np.arange(-3, 4)
    steps = ((2**31 + (np.arange(256) << 23)) >> powers[:, None]).ravel()[:, None] + np.arange(-1, 2)
    rest = np.random.default_rng(1).integers(0, 2**31, 100_000)
    half = np.concatenate([np.arange(5000), near.ravel(), steps.ravel() >> 1, rest])
    half = np.unique(half[(half >= 0) & (half < 2**31)])
    return np.concatenate([half, 2**32 - 1 - half[::-1]]).astype(np.uint32)


def test_values_are_odd_monotone_and_close_to_the_exact_ones() -> None:
    words = interesting_words()
    values = normal.from_words(words)
    np.testing.assert_array_equal(normal.from_words(~words), -values)
    assert (np.diff(values) >= 0).all()
    lower = words[words < 2**31]
    exact = np.array([NormalDist().inv_cdf((int(word) + 0.5) / 2**32) for word in lower]) * UNIT
    assert np.abs(values[: len(lower)] - exact).max() < 0.56


def test_the_distribution_is_normal() -> None:
    """Kolmogorov-Smirnov against the normal CDF, moments, and the tails' counts."""
    count = 1 << 18
    values = normal.from_words(Philox(2026, 11).words(0, count)) / UNIT
    ordered = np.sort(values)
    cdf = np.array([0.5 * math.erfc(-z / math.sqrt(2)) for z in ordered])
    steps = np.arange(count + 1) / count
    distance = max(np.abs(cdf - steps[1:]).max(), np.abs(cdf - steps[:-1]).max())
    assert distance * math.sqrt(count) < 1.63  # the 1 % point; the seed is fixed
    assert abs(values.mean()) < 4 / math.sqrt(count)
    assert abs(values.var() - 1) < 4 * math.sqrt(2 / count)
    assert abs((values**4).mean() - 3) < 4 * math.sqrt(96 / count)
    for limit in (1, 2, 3, 4):
        expected = count * math.erfc(limit / math.sqrt(2))
        assert abs((np.abs(values) > limit).sum() - expected) < 4 * math.sqrt(expected)


def test_all_words_of_a_coarse_grid_have_variance_one() -> None:
    """No sampling error: the midpoints of 2**20 equal cells of probability."""
    words = (np.arange(1 << 20, dtype=np.uint32) << 12) + np.uint32(1 << 11)
    values = normal.from_words(words) / UNIT
    assert abs(values.mean()) < 1e-4
    assert abs(values.var() - 1) < 1e-4


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (2, 3, 4), (normal._CHUNK + 3,)])
def test_the_shape_is_kept(shape: tuple[int, ...]) -> None:
    words = np.full(shape, 0xC0000000, np.uint32)
    assert (normal.from_words(words) == 44203).all()
    assert normal.from_words(words).shape == shape


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.uint64, np.float32])
def test_other_words_are_refused(dtype: type) -> None:
    with pytest.raises(InputError, match="uint32"):
        normal.from_words(np.zeros(3, dtype))


def test_the_distribution_function_inverts_the_quantiles() -> None:
    known = re.findall(r"(?m)^\| (-?\d+) \| (\d+) \|$", PAGE)
    assert len(known) == 10
    found = normal.to_uniform(np.array([int(value) for value, _ in known]))
    assert found.tolist() == [int(u) for _, u in known]
    values = np.arange(-430_000, 430_000, 3)
    uniform = normal.to_uniform(values)
    assert (np.diff(uniform) >= 0).all()
    assert (uniform.min(), uniform.max()) == (0, (1 << 24) - 1)
    exact = np.array([NormalDist().cdf(v / UNIT) for v in values[::97]]) * (1 << 24)
    assert np.abs(uniform[::97] - exact).max() < 5
    words = Philox(3, 4).words(0, 10_000)
    assert np.abs(normal.to_uniform(normal.from_words(words)) - (words >> 8).astype(np.int64)).max() < 60
