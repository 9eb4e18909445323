"""The entropy coder by constriction's ``AnsCoder``, which is written in Rust, and the test whether it is that coder.

Asymmetric numeral systems (Duda 2013) with a state of 64 bits, words of 32, frequencies of 24. It is handed integer
frequencies: constriction turns a row p of m floats into cumulative frequencies floor(cumsum(p) * (2**24 - m) / sum(p))
+ index. A row of f - 1, with f integers that sum to 2**24, makes that factor exactly 1 and every partial sum an exact
float32 integer: the coder then uses f itself, on any machine. docs/reference/format.md says what the coder is, in
integers; whether a version of constriction computes it is found out by `agrees`.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdzip.entropy.plain_ans import TOTAL, IntArray, PlainAns

_AT_ONCE = 1 << 18
_log = logging.getLogger(__name__)


class FastAns:
    """What PlainAns is, by constriction."""

    def __init__(self, words: NDArray[np.uint32]) -> None:
        """The stack that these words are; ValueError if the last one is 0."""
        import constriction

        self._models: Any = constriction.stream.model
        self._rows = self._models.Categorical(perfect=False)
        self._uniform = self._models.Uniform()
        self._coder: Any = constriction.stream.stack.AnsCoder(words)

    def push_rows(self, symbols: NDArray[np.int32], frequencies: IntArray) -> None:
        """As in PlainAns."""
        self._coder.encode_reverse(symbols, self._rows, _floats(frequencies))

    def pop_rows(self, frequencies: IntArray) -> NDArray[np.int32]:
        """As in PlainAns."""
        symbols: NDArray[np.int32] = self._coder.decode(self._rows, _floats(frequencies))
        return symbols

    def push_shared(self, symbols: NDArray[np.int32], frequencies: IntArray) -> None:
        """As in PlainAns."""
        self._coder.encode_reverse(symbols, self._models.Categorical(_floats(frequencies), perfect=False))

    def pop_shared(self, count: int, frequencies: IntArray) -> NDArray[np.int32]:
        """As in PlainAns."""
        model = self._models.Categorical(_floats(frequencies), perfect=False)
        symbols: NDArray[np.int32] = self._coder.decode(model, count)
        return symbols

    def push_intervals(self, starts: IntArray, sizes: IntArray) -> None:
        """As in PlainAns; intervals must leave two or more of 2**24 to other symbols."""
        for stop in range(len(starts), 0, -_AT_ONCE):
            begin = max(0, stop - _AT_ONCE)
            start, size = (np.asarray(a[begin:stop], np.int32) for a in (starts, sizes))
            rest = TOTAL - start - size
            first, last = start == 0, rest == 0
            rows = np.stack([start, size, rest], 1)
            rows[first] = np.stack([size, rest - 1, np.ones_like(rest)], 1)[first]
            rows[last] = np.stack([np.ones_like(rest), start - 1, size], 1)[last]
            self.push_rows(np.where(first, 0, np.where(last, 2, 1)).astype(np.int32), rows)

    def push_uniform(self, symbols: NDArray[np.int32], sizes: NDArray[np.int32]) -> None:
        """As in PlainAns."""
        self._coder.encode_reverse(symbols, self._uniform, sizes)

    def pop_uniform(self, sizes: NDArray[np.int32]) -> NDArray[np.int32]:
        """As in PlainAns."""
        symbols: NDArray[np.int32] = self._coder.decode(self._uniform, sizes)
        return symbols

    def height(self) -> tuple[int, int]:
        """As in PlainAns."""
        words, state = self._coder.pos()
        return int(words), int(state)

    def words(self) -> NDArray[np.uint32]:
        """As in PlainAns."""
        return np.asarray(self._coder.get_compressed(), np.uint32)


def _floats(frequencies: IntArray) -> NDArray[np.float32]:
    return np.ascontiguousarray(np.asarray(frequencies) - 1, np.float32)


def agrees(kind: type[FastAns]) -> bool:
    """Return whether a coder does what PlainAns does: with the same symbols, the same words after each step."""
    words = (np.arange(1, 9, dtype=np.uint64) * 0x9E3779B1 & 0xFFFFFFFF).astype(np.uint32)
    rest = np.arange(1, 25)
    rows = np.array([[1, 1, TOTAL - 2], [TOTAL // 3, TOTAL - TOTAL // 3 - 7, 7], [TOTAL - 2, 1, 1]] * 4)
    many = np.append(rest * rest * 97 + 1, TOTAL - int((rest * rest * 97 + 1).sum()))
    sizes = np.array([2, 3, 65536, 1000, 255, 65535], np.int32)
    starts = np.array([0, 5, TOTAL - 9, 1 << 20, 0, 77])
    lengths = np.array([1, 1 << 22, 9, 3, TOTAL - 2, 1 << 12])
    found = []
    for coder in (kind(words), PlainAns(words)):
        results: list[Any] = [coder.pop_rows(rows), coder.height(), coder.pop_shared(9, many), coder.height()]
        results += [coder.pop_uniform(sizes), coder.height()]
        coder.push_intervals(starts, lengths)
        results.append(coder.height())
        coder.push_shared(np.arange(25, dtype=np.int32), many)
        results.append(coder.height())
        coder.push_rows(np.arange(12, dtype=np.int32) % 3, rows)
        coder.push_uniform(np.array([1, 2, 65535, 0, 254, 7], np.int32), sizes)
        found.append([*(np.asarray(part).tolist() for part in results), coder.words().tolist()])
    return bool(found[0] == found[1])


@lru_cache(maxsize=1)
def coder_here() -> type[FastAns] | type[PlainAns]:
    """The fastest coder that is the coder of docs/reference/format.md: found out once a process, in a millisecond."""
    try:
        if agrees(FastAns):
            return FastAns
        fault = "computes another coder"
    except Exception as error:  # not installed, or another interface: whatever it is, it cannot be used
        fault = f"cannot be used ({type(error).__name__})"
    _log.warning("constriction %s: plain Python codes in its place, slowly; pip install constriction==0.5", fault)
    return PlainAns
