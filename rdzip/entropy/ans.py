"""The ANS stack: vectorised push and pop that are exact inverses in both directions.

A thin layer over constriction's ``AnsCoder`` (asymmetric numeral systems, Duda 2013; 64-bit state, 32-bit words, 24-bit
frequencies) which hands it integer frequencies. constriction turns a row p of m floats into cumulative frequencies
floor(cumsum(p) * (2**24 - m) / sum(p)) + index. A row of f - 1, with f integers that sum to 2**24, makes that factor
exactly 1 and every partial sum an exact float32 integer: the coder then uses f itself, on any machine.
"""

from __future__ import annotations

import constriction
import numpy as np
from numpy.typing import NDArray

from rdzip.errors import CoderError

PRECISION = 24
TOTAL = 1 << PRECISION
BOTTOM = 1 << PRECISION
"""State of an empty stack. Every push makes a state >= BOTTOM larger, so that popping too much is noticed."""

IntArray = NDArray[np.integer]
_CATEGORICAL = constriction.stream.model.Categorical(perfect=False)
_UNIFORM = constriction.stream.model.Uniform()
_SYMBOLS_AT_ONCE = 1 << 18
UNIFORM_MAX = 1 << 16
"""Largest size of a uniform distribution; the coder's frequencies for it are 2**24 // size, the last takes the rest."""


def _rows(frequencies: IntArray) -> NDArray[np.float32]:
    return np.ascontiguousarray(np.asarray(frequencies) - 1, np.float32)


class AnsStack:
    """A last-in-first-out stack of symbols. ``push`` n symbols, then ``pop`` n gives them back in the same order."""

    def __init__(self, payload: bytes | None = None) -> None:
        """Empty stack, or that of ``payload`` (32-bit little-endian words); CoderError for an impossible payload."""
        if payload is None:
            payload = np.array([BOTTOM], "<u4").tobytes()
        if len(payload) % 4:
            raise CoderError(f"coded data must be whole 32-bit words, found {len(payload)} bytes: the file is corrupt")
        words = np.frombuffer(payload, "<u4").astype(np.uint32)
        try:
            self._coder = constriction.stream.stack.AnsCoder(words)
        except ValueError as error:
            raise CoderError("coded data end in a zero word: the file is corrupt") from error

    def push(self, symbols: IntArray, frequencies: IntArray) -> None:
        """Put symbols [n] on the stack; frequencies int [n, m] are >= 1 and every row sums to 2**24. The first symbol
        ends on top."""
        self._check(frequencies)
        symbols = np.ascontiguousarray(symbols, np.int32)
        if len(symbols):
            self._coder.encode_reverse(symbols, _CATEGORICAL, _rows(frequencies))

    def pop(self, frequencies: IntArray) -> NDArray[np.int32]:
        """Take symbols [n] off the stack with rows of frequencies [n, m], checked as in push only by their maker.

        Raises CoderError if the stack holds less than what was asked for.
        """
        if not len(frequencies):
            return np.zeros(0, np.int32)
        if self._coder.pos() <= (0, BOTTOM):
            raise CoderError("coded data end before the last symbol: the file is corrupt")
        symbols: NDArray[np.int32] = self._coder.decode(_CATEGORICAL, _rows(frequencies))
        return symbols

    def push_shared(self, symbols: IntArray, frequencies: IntArray) -> None:
        """Put symbols [n] on the stack that share one row of frequencies int [m], as `push` would."""
        self._check(np.asarray(frequencies)[None])
        if len(symbols):
            model = constriction.stream.model.Categorical(_rows(frequencies), perfect=False)
            self._coder.encode_reverse(np.ascontiguousarray(symbols, np.int32), model)

    def pop_shared(self, count: int, frequencies: IntArray) -> NDArray[np.int32]:
        """Take `count` symbols off the stack that share one row of frequencies int [m]; CoderError if it holds less."""
        if not count:
            return np.zeros(0, np.int32)
        if self._coder.pos() <= (0, BOTTOM):
            raise CoderError("coded data end before the last symbol: the file is corrupt")
        model = constriction.stream.model.Categorical(_rows(frequencies), perfect=False)
        symbols: NDArray[np.int32] = self._coder.decode(model, count)
        return symbols

    def push_intervals(self, starts: IntArray, sizes: IntArray) -> None:
        """Put symbols on the stack of which only the interval [start, start + size) of 0..2**24 is known, int [n].

        The same words as ``push`` with a whole row whose cumulative frequencies hold that interval. It must leave two
        or more of 2**24 to other symbols.
        """
        if len(sizes) and (int(np.min(sizes)) < 1 or int(np.max(sizes)) > TOTAL - 2):
            raise ValueError(f"sizes of intervals must lie in 1..{TOTAL - 2}")
        for stop in range(len(starts), 0, -_SYMBOLS_AT_ONCE):
            begin = max(0, stop - _SYMBOLS_AT_ONCE)
            start, size = (np.asarray(a[begin:stop], np.int32) for a in (starts, sizes))
            rest = TOTAL - start - size
            first, last = start == 0, rest == 0
            rows = np.stack([start, size, rest], 1)
            rows[first] = np.stack([size, rest - 1, np.ones_like(rest)], 1)[first]
            rows[last] = np.stack([np.ones_like(rest), start - 1, size], 1)[last]
            symbols = np.where(first, 0, np.where(last, 2, 1)).astype(np.int32)
            self._coder.encode_reverse(symbols, _CATEGORICAL, _rows(rows))

    def push_uniform(self, symbols: IntArray, sizes: IntArray) -> None:
        """Put symbols [n] on the stack, each uniform over 0..size-1, sizes int [n] in 1..2**16; size 1 is free."""
        symbols, sizes = self._uniform(symbols, sizes)
        if len(symbols):
            self._coder.encode_reverse(symbols, _UNIFORM, sizes)

    def pop_uniform(self, sizes: IntArray) -> NDArray[np.int32]:
        """Take symbols [n] off the stack, each uniform over 0..size-1; CoderError if the stack holds less."""
        symbols = np.zeros(len(sizes), np.int32)
        _, many = self._uniform(symbols, sizes)
        if len(many):
            if self._coder.pos() <= (0, BOTTOM):
                raise CoderError("coded data end before the last symbol: the file is corrupt")
            symbols[np.asarray(sizes) > 1] = self._coder.decode(_UNIFORM, many)
        return symbols

    @staticmethod
    def _uniform(symbols: IntArray, sizes: IntArray) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        size = np.asarray(sizes, np.int32)
        if len(size) and (int(size.min()) < 1 or int(size.max()) > UNIFORM_MAX):
            raise ValueError(f"sizes of uniform distributions must lie in 1..{UNIFORM_MAX}")
        kept = size > 1
        return np.ascontiguousarray(np.asarray(symbols, np.int32)[kept]), np.ascontiguousarray(size[kept])

    def is_empty(self) -> bool:
        """Whether everything that was pushed has been popped."""
        return bool(self._coder.pos() == (0, BOTTOM))

    def bits(self) -> int:
        """Bits on the stack, without the padding to whole words."""
        return int(self._coder.num_valid_bits())

    def to_bytes(self) -> bytes:
        """The stack as 32-bit little-endian words."""
        return np.asarray(self._coder.get_compressed(), "<u4").tobytes()

    @staticmethod
    def _check(frequencies: IntArray) -> None:
        f = np.asarray(frequencies)
        if f.ndim != 2 or (f.size and (int(f.min()) < 1 or bool((f.sum(1) != TOTAL).any()))):
            raise ValueError(f"frequencies must be [n, m] integers >= 1 whose rows sum to {TOTAL}")
