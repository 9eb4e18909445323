"""The ANS stack: exact inverses both ways, the documented arithmetic word for word, and clear errors."""

import logging
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rdzip.entropy import ans, fast_ans
from rdzip.entropy.ans import BOTTOM, TOTAL, AnsStack
from rdzip.entropy.fast_ans import FastAns, agrees, coder_here
from rdzip.entropy.plain_ans import PlainAns
from rdzip.errors import CoderError


@pytest.fixture(autouse=True, scope="module", params=[FastAns, PlainAns], ids=["constriction", "plain"])
def _coder(request: pytest.FixtureRequest) -> Iterator[None]:
    """All that this file shows, of both coders."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ans, "coder_here", lambda: request.param)
        yield


def random_rows(rng: np.random.Generator, n: int, m: int) -> np.ndarray:
    weight = rng.gamma(0.2, 1, (n, m)) + 1e-12
    f = np.floor(weight / weight.sum(1, keepdims=True) * (TOTAL - m)).astype(np.int64) + 1
    f[:, rng.integers(m)] += TOTAL - f.sum(1)
    return f


class ReferenceStack:
    """rANS in plain integers, as docs/reference/format.md states it."""

    def __init__(self) -> None:
        self.state, self.words = BOTTOM, []

    def push(self, start: int, size: int) -> None:
        if self.state >> 40 >= size:
            self.words.append(self.state & 0xFFFFFFFF)
            self.state >>= 32
        self.state = ((self.state // size) << 24) + start + self.state % size

    def to_bytes(self) -> bytes:
        words, state = list(self.words), self.state
        while state:
            words.append(state & 0xFFFFFFFF)
            state >>= 32
        return np.array(words, "<u4").tobytes()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 200), st.integers(2, 40))
def test_push_then_pop(seed: int, n: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    f = random_rows(rng, n, m)
    symbols = rng.integers(0, m, n)
    stack = AnsStack()
    stack.push(symbols, f)
    again = AnsStack(stack.to_bytes())
    np.testing.assert_array_equal(again.pop(f), symbols)
    assert again.is_empty()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 100), st.integers(2, 40))
def test_pop_from_random_words_then_push_restores_them(seed: int, n: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    payload = rng.integers(1, 2**32, 2 * n + 4, dtype=np.uint32).astype("<u4").tobytes()
    f = random_rows(rng, n, m)
    stack = AnsStack(payload)
    symbols = stack.pop(f)
    stack.push(symbols, f)
    assert stack.to_bytes() == payload


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 60), st.integers(3, 20))
def test_words_are_those_of_the_documented_arithmetic(seed: int, n: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    f = random_rows(rng, n, m)
    symbols = rng.integers(0, m, n)
    start = np.take_along_axis(np.cumsum(f, 1) - f, symbols[:, None], 1)[:, 0]
    size = np.take_along_axis(f, symbols[:, None], 1)[:, 0]
    reference = ReferenceStack()
    for i in reversed(range(n)):
        reference.push(int(start[i]), int(size[i]))
    rows, intervals = AnsStack(), AnsStack()
    rows.push(symbols, f)
    intervals.push_intervals(start, size)
    assert rows.to_bytes() == intervals.to_bytes() == reference.to_bytes()


def test_known_words() -> None:
    stack = AnsStack()
    f = np.array([[TOTAL // 2, TOTAL // 4, TOTAL // 4]] * 40)
    stack.push(np.arange(40) % 3, f)
    assert stack.to_bytes().hex() == "0000c09c73ce39e79c737204"


def test_many_intervals_in_one_call() -> None:
    rng = np.random.default_rng(0)
    n = 300_000
    start = rng.integers(0, TOTAL - 100, n)
    size = rng.integers(1, 100, n)
    one, many = AnsStack(), AnsStack()
    one.push_intervals(start, size)
    for part in np.array_split(np.arange(n), 7)[::-1]:
        many.push_intervals(start[part], size[part])
    assert one.to_bytes() == many.to_bytes()


def test_nothing_and_empty() -> None:
    stack = AnsStack()
    stack.push(np.zeros(0, int), np.zeros((0, 4), int))
    stack.push_intervals(np.zeros(0, int), np.zeros(0, int))
    assert stack.pop(np.zeros((0, 4), int)).size == 0
    assert stack.is_empty()
    assert stack.to_bytes() == BOTTOM.to_bytes(4, "little")


def test_popping_more_than_there_is() -> None:
    f = np.array([[TOTAL // 2, TOTAL // 2]])
    stack = AnsStack()
    stack.push(np.array([0]), f)
    assert stack.pop(f).tolist() == [0]
    assert stack.is_empty()
    with pytest.raises(CoderError, match="end before"):
        stack.pop(f)
    with pytest.raises(CoderError, match="end before"):
        AnsStack(b"").pop(f)


@pytest.mark.parametrize("payload", [b"abc", b"\0" * 4, b"\1\0\0\0\0\0\0\0"])
def test_impossible_payloads(payload: bytes) -> None:
    with pytest.raises(CoderError):
        AnsStack(payload)


def test_intervals_of_the_whole_range_are_refused() -> None:
    with pytest.raises(ValueError, match="must lie"):
        AnsStack().push_intervals(np.array([1]), np.array([TOTAL - 1]))


@pytest.mark.parametrize("rows", [[[0, TOTAL]], [[5, 5]], [[-1, TOTAL + 1]]])
def test_unusable_frequencies(rows: list[list[int]]) -> None:
    with pytest.raises(ValueError, match="rows sum"):
        AnsStack().push(np.array([0]), np.array(rows))


def test_constriction_is_the_coder_of_the_format() -> None:
    assert agrees(FastAns)
    assert coder_here() is FastAns


class Ends(FastAns):
    """One that begins the last interval one later."""

    def pop_rows(self, frequencies: Any) -> Any:
        moved = np.array(frequencies)
        moved[:, 0] += 1
        moved[:, -1] -= 1
        return super().pop_rows(np.where(moved > 0, moved, frequencies))


class Uniform(FastAns):
    """One that gives what is left of a uniform distribution to the first value."""

    def pop_uniform(self, sizes: Any) -> Any:
        rows = [[TOTAL - (size - 1) * (TOTAL // size)] + [TOTAL // size] * (size - 1) for size in sizes.tolist()]
        return np.concatenate([self.pop_rows(np.array([row])) for row in rows])


class Words(FastAns):
    """One that writes the halves of its state in the other order."""

    def words(self) -> Any:
        found = super().words()
        return np.concatenate([found[:-2], found[:-3:-1]])


class Pushes(FastAns):
    def push_shared(self, symbols: Any, frequencies: Any) -> None:
        super().push_shared(symbols[::-1].copy(), frequencies)


class Interface(FastAns):
    def height(self) -> Any:
        raise AttributeError("pos")


@pytest.mark.parametrize("kind", [Ends, Uniform, Words, Pushes, Interface])
def test_what_is_another_coder_is_not_used(
    kind: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(fast_ans, "FastAns", kind)
    with caplog.at_level(logging.WARNING, "rdzip"):
        assert coder_here.__wrapped__() is PlainAns
    assert "plain Python codes in its place" in caplog.text


def test_a_file_can_be_read_without_constriction(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "constriction", None)
    with caplog.at_level(logging.WARNING, "rdzip"):
        assert coder_here.__wrapped__() is PlainAns
    assert "(ModuleNotFoundError)" in caplog.text


def test_one_call_that_takes_more_than_there_is_is_refused_by_itself():
    """What is pushed next, as by bits back, would hide that."""
    words = np.array([123456789, 987654321], "<u4").tobytes()
    row = np.full(256, 1 << 16, np.int32)
    for take in (
        lambda stack: stack.pop(np.tile(row, (40, 1))),
        lambda stack: stack.pop_shared(40, row),
        lambda stack: stack.pop_uniform(np.full(40, 256)),
    ):
        with pytest.raises(CoderError, match="end before the last symbol"):
            take(AnsStack(words))
