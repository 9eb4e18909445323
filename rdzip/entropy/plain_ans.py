"""The entropy coder of docs/reference/format.md in plain integers, without any dependency: slow."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

PRECISION = 24
TOTAL = 1 << PRECISION
WORD = 32
_LOW = (1 << WORD) - 1

IntArray = NDArray[np.integer]


class PlainAns:
    """A stack of symbols: a state of 64 bits and words of 32 bits. Rows of frequencies are >= 1 and sum to 2**24."""

    def __init__(self, words: NDArray[np.uint32]) -> None:
        """The stack that these words are; ValueError if the last one is 0."""
        self._words: list[int] = words.tolist()
        if self._words and not self._words[-1]:
            raise ValueError("the last word is 0")
        self._state = self._words.pop() if self._words else 0
        self._refill()

    def push_rows(self, symbols: NDArray[np.int32], frequencies: IntArray) -> None:
        """Put symbols [n] on the stack with rows of frequencies [n, m], the last symbol first."""
        ends = np.cumsum(frequencies, 1, np.int64)
        rows = np.arange(len(symbols))
        size = np.asarray(frequencies)[rows, symbols]
        self.push_intervals(ends[rows, symbols] - size, size)

    def pop_rows(self, frequencies: IntArray) -> NDArray[np.int32]:
        """Take symbols [n] off the stack with rows of frequencies [n, m]."""
        return np.array([self._pop(row) for row in np.cumsum(frequencies, 1, np.int64).tolist()], np.int32)

    def push_shared(self, symbols: NDArray[np.int32], frequencies: IntArray) -> None:
        """Put symbols [n] on the stack that share frequencies [m]."""
        size = np.asarray(frequencies, np.int64)
        self.push_intervals((np.cumsum(size) - size)[symbols], size[symbols])

    def pop_shared(self, count: int, frequencies: IntArray) -> NDArray[np.int32]:
        """Take symbols off the stack that share frequencies [m]."""
        ends = np.cumsum(frequencies, dtype=np.int64).tolist()
        return np.array([self._pop(ends) for _ in range(count)], np.int32)

    def push_intervals(self, starts: IntArray, sizes: IntArray) -> None:
        """Put symbols on the stack of which the intervals [start, start + size) of 0..2**24 are known, int [n]."""
        for start, size in zip(reversed(starts.tolist()), reversed(sizes.tolist()), strict=True):
            if self._state >> (2 * WORD - PRECISION) >= size:
                self._words.append(self._state & _LOW)
                self._state >>= WORD
            self._state = (self._state // size << PRECISION) + start + self._state % size

    def push_uniform(self, symbols: NDArray[np.int32], sizes: NDArray[np.int32]) -> None:
        """Put symbols [n] on the stack, each uniform over 0..size-1, sizes in 2..2**16: 2**24 // size for each, the
        last takes the rest."""
        each = TOTAL // sizes
        starts = symbols * each
        self.push_intervals(starts, np.where(symbols == sizes - 1, TOTAL - starts, each))

    def pop_uniform(self, sizes: NDArray[np.int32]) -> NDArray[np.int32]:
        """Take symbols [n] off the stack, each uniform over 0..size-1."""
        found = np.zeros(len(sizes), np.int32)
        for i, size in enumerate(sizes.tolist()):
            each = TOTAL // size
            found[i] = min((self._state & (TOTAL - 1)) // each, size - 1)
            start = int(found[i]) * each
            self._take(start, each if found[i] < size - 1 else TOTAL - start)
        return found

    def height(self) -> tuple[int, int]:
        """Words below the state, and the state."""
        return len(self._words), self._state

    def words(self) -> NDArray[np.uint32]:
        """All words, uint32 [n]."""
        state = [self._state >> shift & _LOW for shift in (0, WORD) if self._state >> shift]
        return np.array(self._words + state, np.uint32)

    def _pop(self, ends: Sequence[int]) -> int:
        """Take the symbol whose interval ends at ``ends[symbol]``, where the next one begins."""
        symbol = bisect_right(ends, self._state & (TOTAL - 1))
        start = ends[symbol - 1] if symbol else 0
        self._take(start, ends[symbol] - start)
        return symbol

    def _take(self, start: int, size: int) -> None:
        self._state = (self._state >> PRECISION) * size + (self._state & (TOTAL - 1)) - start
        self._refill()

    def _refill(self) -> None:
        if self._state < 1 << WORD and self._words:
            self._state = self._state << WORD | self._words.pop()
