"""Philox4x32-10 against its published known answers, docs/reference/random.md and plain integers."""

from __future__ import annotations

import hashlib
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdzip.entropy import philox
from rdzip.entropy.philox import Philox
from rdzip.errors import InputError

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "random.md").read_text(encoding="utf-8")
WORD = st.integers(0, 2**32 - 1)


def hexadecimal(text: str) -> list[int]:
    return [int(word, 16) for word in text.split()]


def rows(columns: int) -> list[list[str]]:
    """Table rows of the page whose every cell is hexadecimal."""
    cell = r" `([0-9a-f ]+)` \|"
    return [list(match) for match in re.findall(r"(?m)^\|" + cell * columns + "$", PAGE)]


def plain(key: tuple[int, int], counter: tuple[int, int, int, int]) -> list[int]:
    """The generator as docs/reference/random.md states it."""
    k0, k1 = key
    x0, x1, x2, x3 = counter
    for number in range(10):
        if number:
            k0, k1 = (k0 + 0x9E3779B9) % 2**32, (k1 + 0xBB67AE85) % 2**32
        p0, p1 = 0xD2511F53 * x0, 0xCD9E8D57 * x2
        x0, x1, x2, x3 = (p1 // 2**32) ^ x1 ^ k0, p1 % 2**32, (p0 // 2**32) ^ x3 ^ k1, p0 % 2**32
    return [x0, x1, x2, x3]


def plain_word(seed: int, stream: int, position: int) -> int:
    block, word = divmod(position, 4)
    counter = (block % 2**32, block // 2**32, stream % 2**32, stream // 2**32)
    return plain((seed % 2**32, seed // 2**32), counter)[word]


def test_published_known_answers() -> None:
    known = rows(3)
    assert len(known) == 3
    for counter, key, expected in known:
        assert philox.block(hexadecimal(key), [hexadecimal(counter)]).tolist() == [hexadecimal(expected)]


def test_vectors_of_the_documentation() -> None:
    known = rows(4)
    assert len(known) == 5
    for seed, stream, start, expected in known:
        words = Philox(int(seed, 16), int(stream, 16)).words(int(start, 16), 8)
        assert words.dtype == np.uint32
        assert words.tolist() == hexadecimal(expected)
    digest = hashlib.sha256(Philox(1, 2).words(0, 1 << 20).astype("<u4").tobytes()).hexdigest()
    assert digest in PAGE


@given(st.tuples(WORD, WORD), st.lists(st.tuples(WORD, WORD, WORD, WORD), min_size=1, max_size=5))
def test_blocks_equal_the_second_implementation(
    key: tuple[int, int], counters: list[tuple[int, int, int, int]]
) -> None:
    assert philox.block(key, counters).tolist() == [plain(key, counter) for counter in counters]


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**66 - 9), st.integers(0, 9))
def test_words_equal_the_second_implementation(seed: int, stream: int, start: int, count: int) -> None:
    expected = [plain_word(seed, stream, start + i) for i in range(count)]
    assert Philox(seed, stream).words(start, count).tolist() == expected


@pytest.mark.parametrize("start", [0, 1, 4 * philox._CHUNK - 1, 4 * (2**32 - 5)])
def test_any_division_into_calls_gives_the_same_words(start: int) -> None:
    generator, count = Philox(7, 8), 3 * 4 * philox._CHUNK + 5
    whole = generator.words(start, count)
    cuts = [0, 1, 2, 3, 5, 4 * philox._CHUNK, count - 2, count]
    pieces = [generator.words(start + a, b - a) for a, b in pairwise(cuts)]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)


def test_words_look_uniform_and_streams_unrelated() -> None:
    count = 1 << 18
    words = [Philox(seed, stream).words(0, count) for seed, stream in ((1, 0), (0, 1), (1, 1))]
    for one in words:
        bits = np.unpackbits(one.view(np.uint8)).reshape(count, 32).mean(axis=0)
        assert np.abs(bits - 0.5).max() < 5 * 0.5 / count**0.5
        counts = np.bincount(one >> 24, minlength=256)
        chi2 = float(((counts - count / 256) ** 2 / (count / 256)).sum())
        assert 255 - 5 * 510**0.5 < chi2 < 255 + 5 * 510**0.5
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert abs(np.corrcoef(words[a], words[b])[0, 1]) < 5 / count**0.5


def test_no_words() -> None:
    assert Philox(0).words(5, 0).shape == (0,)
    assert philox.block((0, 0), np.zeros((0, 4), np.uint32)).shape == (0, 4)


@pytest.mark.parametrize(("seed", "stream"), [(-1, 0), (2**64, 0), (0, -1), (0, 2**64)])
def test_wrong_seeds_are_refused(seed: int, stream: int) -> None:
    with pytest.raises(InputError, match=r"2\*\*64"):
        Philox(seed, stream)


@pytest.mark.parametrize(("start", "count"), [(-1, 1), (0, -1), (2**66, 1), (2**66 - 3, 4)])
def test_wrong_positions_are_refused(start: int, count: int) -> None:
    with pytest.raises(InputError, match="positions"):
        Philox(0).words(start, count)


@pytest.mark.parametrize(
    ("key", "counters"),
    [((0,), [[0] * 4]), ((0, 0), [[0] * 3]), ((0, 0), [0] * 4), ((0, 2**32), [[0] * 4]), ((0.0, 0.0), [[0] * 4])],
)
def test_wrong_keys_and_counters_are_refused(key: tuple[int, ...], counters: list[int]) -> None:
    with pytest.raises(InputError, match="32-bit words"):
        philox.block(key, counters)
