"""Initial bits of bits-back coding: an ANS stack that begins on them, and counts how many were used.

The first sample of a chain pops its latents before anything was pushed (Townsend, Bird & Barber 2019, section 2.2).
What it pops are the initial bits: random words that everybody can compute, or data that are to be coded anyway.

       before          pop z1 ~ q(z1|x1)   push x1, z1        ...          file
                                           _________
                                          |  x1, z1 |       |  xn, zn |   |  xn, zn |  top
                                          |         |       |   ...   |   |   ...   |
      |  empty   |                        |         |       |  x1, z1 |   |  x1, z1 |
      |==========|     |          |       |         |       |         |   |         |
      | initial  |     |__________|       |_________|       |_________|   |_________|
      |   bits   |     |          |       |         |       |         |   | (not    |
      |__________|     |__________|       |_________|       |_________|   | written)|  bottom

Words below the lowest point that the stack has reached were never touched, and are not written: a decoder computes
them. `net` bits are what the samples cost by the model, `total` bits have the initial ones that were used in them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rdzip.entropy.ans import BOTTOM, AnsStack, IntArray
from rdzip.entropy.philox import Philox
from rdzip.errors import CoderError

SEED = 0x72647A6970  # "rdzip"
STREAM = 0
WORDS = 1 << 14
"""Random words that a stack begins on."""
_CORRUPT = "what is left after the last sample is not what was there before the first: the file is corrupt"
_EMPTY = np.array([BOTTOM], "<u4").tobytes()


def random_words(first: int, count: int) -> NDArray[np.uint32]:
    """Random initial bits: words first..first+count-1, the word 0 being the one that is used first, uint32 [count].

    Words of Philox (docs/reference/random.md) with bit 0 set, so that none is zero.
    """
    words: NDArray[np.uint32] = Philox(SEED, STREAM).words(first, count) | np.uint32(1)
    return words


class InitialBitsError(CoderError):
    """The stack began on too few initial bits: begin again with more."""


class InitialBitsStack(AnsStack):
    """An ANS stack on initial bits: ``data`` (32-bit little-endian words), or up to ``words`` random words.

    Popping more than there are raises InitialBitsError. Who undoes the pops is left with what was there before:

    >>> stack = InitialBitsStack()
    >>> frequencies = np.full((3, 256), 1 << 16)  # three symbols of 8 bits each
    >>> symbols = stack.pop(frequencies)
    >>> stack.push(symbols, frequencies)
    >>> stack.net_bits(), stack.initial_words
    (0, 1)
    >>> check_initial_bits(stack)
    """

    def __init__(self, data: bytes | None = None, words: int = WORDS) -> None:
        self._random = data is None
        initial = _below(words) if data is None else data
        super().__init__(initial + _EMPTY)
        self._words = len(initial) // 4
        self._untouched = self.words_below()
        self._lowest = self._marked = self._untouched
        self._start_bits = super().bits()

    def mark(self) -> None:
        """From now on, ``taken_bits`` counts anew."""
        self._lowest = self._marked = self.words_below()

    def taken_bits(self) -> int:
        """How far below its height at the mark the stack has been since, in bits, rounded up to whole words."""
        return 32 * (self._marked - self._lowest + 1)

    def pop(self, frequencies: IntArray) -> NDArray[np.int32]:
        """As in AnsStack; how deep it reached is noted."""
        symbols = super().pop(frequencies)
        self._note()
        return symbols

    def pop_uniform(self, sizes: IntArray) -> NDArray[np.int32]:
        """As in AnsStack; how deep it reached is noted."""
        symbols = super().pop_uniform(sizes)
        self._note()
        return symbols

    def _taken(self, symbols: NDArray[np.int32]) -> NDArray[np.int32]:
        """What was popped; that there were too few initial bits is found by ``_note``."""
        return symbols

    def _note(self) -> None:
        self._lowest = min(self._lowest, self.words_below())
        self._untouched = min(self._untouched, self._lowest)
        if not self._untouched:
            raise InitialBitsError("there were too few initial bits")

    @property
    def initial_words(self) -> int:
        """Words of initial bits that were touched (the first always is)."""
        return self._words - self._untouched if self._random else self._words

    def net_bits(self) -> int:
        """Bits on the stack, less those that it began with."""
        return super().bits() - self._start_bits

    def total_bits(self) -> int:
        """Bits of ``to_bytes``, without the padding to whole words."""
        return super().bits() - 32 * (self._words - self.initial_words)

    def to_bytes(self) -> bytes:
        """The stack as 32-bit little-endian words, without random words that were never touched."""
        return super().to_bytes()[4 * (self._words - self.initial_words) :]


def _below(words: int) -> bytes:
    return random_words(0, words)[::-1].astype("<u4").tobytes()


def check_initial_bits(stack: AnsStack) -> None:
    """Check that a decoder left nothing but random initial bits on the stack; CoderError if the file is corrupt."""
    left = stack.to_bytes()
    if left != _below(len(left) // 4 - 1) + _EMPTY:
        raise CoderError(_CORRUPT)


def initial_data(stack: AnsStack) -> bytes:
    """The data on which a stack began, once all else was decoded; CoderError if the file is corrupt."""
    left = stack.to_bytes()
    if left[-4:] != _EMPTY:
        raise CoderError(_CORRUPT)
    return left[:-4]
