"""Asymmetric numeral systems (Duda 2009): a stack of symbols, push and pop exact inverses in both directions.

What computes it is constriction where that is at hand and gives what it must (fast_ans.py), else plain Python
(plain_ans.py): docs/reference/format.md says what the coder is, not a library.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rdzip.entropy.fast_ans import coder_here
from rdzip.entropy.plain_ans import PRECISION, TOTAL, IntArray
from rdzip.errors import CoderError

BOTTOM = 1 << PRECISION
"""State of an empty stack. Every push makes a state >= BOTTOM larger, so that popping too much is noticed."""
UNIFORM_MAX = 1 << 16
"""Largest size of a uniform distribution; the coder's frequencies for it are 2**24 // size, the last takes the rest."""
__all__ = ["BOTTOM", "PRECISION", "TOTAL", "UNIFORM_MAX", "AnsStack", "IntArray"]


class AnsStack:
    """A last-in-first-out stack of symbols. ``push`` n symbols, then ``pop`` n gives them back in the same order.

    >>> stack = AnsStack()
    >>> frequencies = np.array([[3 << 22, 1 << 22]] * 4)  # of 2**24: probabilities 3/4 and 1/4
    >>> stack.push(np.array([0, 0, 1, 0]), frequencies)
    >>> AnsStack(stack.to_bytes()).pop(frequencies).tolist()
    [0, 0, 1, 0]
    """

    def __init__(self, payload: bytes | None = None) -> None:
        """Empty stack, or that of ``payload`` (32-bit little-endian words); CoderError for an impossible payload."""
        if payload is None:
            payload = np.array([BOTTOM], "<u4").tobytes()
        if len(payload) % 4:
            raise CoderError(f"coded data must be whole 32-bit words, found {len(payload)} bytes: the file is corrupt")
        words = np.frombuffer(payload, "<u4").astype(np.uint32)
        try:
            self._coder = coder_here()(words)
        except ValueError as error:
            raise CoderError("coded data end in a zero word: the file is corrupt") from error

    def push(self, symbols: IntArray, frequencies: IntArray) -> None:
        """Put symbols [n] on the stack; frequencies int [n, m] are >= 1 and every row sums to 2**24. The first symbol
        ends on top."""
        self._check(frequencies)
        if len(symbols):
            self._coder.push_rows(np.ascontiguousarray(symbols, np.int32), frequencies)

    def pop(self, frequencies: IntArray) -> NDArray[np.int32]:
        """Take symbols [n] off the stack with rows of frequencies [n, m], checked as in push only by their maker.

        Raises CoderError if the stack holds less than what was asked for.
        """
        if not len(frequencies):
            return np.zeros(0, np.int32)
        self._need_more()
        return self._taken(self._coder.pop_rows(frequencies))

    def push_shared(self, symbols: IntArray, frequencies: IntArray) -> None:
        """Put symbols [n] on the stack that share one row of frequencies int [m], as `push` would."""
        self._check(np.asarray(frequencies)[None])
        if len(symbols):
            self._coder.push_shared(np.ascontiguousarray(symbols, np.int32), frequencies)

    def pop_shared(self, count: int, frequencies: IntArray) -> NDArray[np.int32]:
        """Take `count` symbols off the stack that share one row of frequencies int [m]; CoderError if it holds less."""
        if not count:
            return np.zeros(0, np.int32)
        self._need_more()
        return self._taken(self._coder.pop_shared(count, frequencies))

    def push_intervals(self, starts: IntArray, sizes: IntArray) -> None:
        """Put symbols on the stack of which only the interval [start, start + size) of 0..2**24 is known, int [n].

        The same words as ``push`` with a whole row whose cumulative frequencies hold that interval. It must leave two
        or more of 2**24 to other symbols.
        """
        if len(sizes) and (int(np.min(sizes)) < 1 or int(np.max(sizes)) > TOTAL - 2):
            raise ValueError(f"sizes of intervals must lie in 1..{TOTAL - 2}")
        if len(starts):
            self._coder.push_intervals(starts, sizes)

    def push_uniform(self, symbols: IntArray, sizes: IntArray) -> None:
        """Put symbols [n] on the stack, each uniform over 0..size-1, sizes int [n] in 1..2**16; size 1 is free."""
        symbols, sizes = self._uniform(symbols, sizes)
        if len(symbols):
            self._coder.push_uniform(symbols, sizes)

    def pop_uniform(self, sizes: IntArray) -> NDArray[np.int32]:
        """Take symbols [n] off the stack, each uniform over 0..size-1; CoderError if the stack holds less."""
        symbols = np.zeros(len(sizes), np.int32)
        _, many = self._uniform(symbols, sizes)
        if len(many):
            self._need_more()
            symbols[np.asarray(sizes) > 1] = self._taken(self._coder.pop_uniform(many))
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
        return self._coder.height() == (0, BOTTOM)

    def words_below(self) -> int:
        """Words below the coder's state."""
        return self._coder.height()[0]

    def bits(self) -> int:
        """Bits on the stack, without the padding to whole words and the highest bit of the state, which is always 1."""
        words, state = self._coder.height()
        return 32 * words + state.bit_length() - 1

    def to_bytes(self) -> bytes:
        """The stack as 32-bit little-endian words."""
        return self._coder.words().astype("<u4").tobytes()

    def _need_more(self) -> None:
        """Raise CoderError if the stack is empty."""
        if self._coder.height() <= (0, BOTTOM):
            raise CoderError("coded data end before the last symbol: the file is corrupt")

    def _taken(self, symbols: NDArray[np.int32]) -> NDArray[np.int32]:
        """What was popped; CoderError if there was less: what is pushed next, as by bits back, would hide that."""
        if self._coder.height() < (0, BOTTOM):
            raise CoderError("coded data end before the last symbol: the file is corrupt")
        return symbols

    @staticmethod
    def _check(frequencies: IntArray) -> None:
        f = np.asarray(frequencies)
        if f.ndim != 2 or (f.size and (int(f.min()) < 1 or bool((f.sum(1) != TOTAL).any()))):
            raise ValueError(f"frequencies must be [n, m] integers >= 1 whose rows sum to {TOTAL}")
