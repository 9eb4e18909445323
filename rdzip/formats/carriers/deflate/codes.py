"""The alphabets of deflate (RFC 1951, sections 3.2.5 to 3.2.7): lengths, distances, fixed codes.

A token is an integer: a literal is its byte, 0..255; a match is ``distance << 9 | length``.
"""

from __future__ import annotations

import numpy as np

from rdzip.exact.types import Int64

SHORTEST, LONGEST = 3, 258
"""Lengths of matches."""
MATCH_SHIFT = 9
LENGTH_MASK = (1 << MATCH_SHIFT) - 1
END = 256
"""The symbol that ends a block."""
LITERALS, DISTANCES, LENGTH_CODES = 286, 30, 19
"""Symbols of the three alphabets: literals and lengths, distances, lengths of codes."""
STORED, FIXED, DYNAMIC = 0, 1, 2
"""Kinds of blocks."""
LONGEST_STORED = 65535


def _ranges(extra: list[int], first: int) -> Int64:
    """Smallest value of each symbol, whose values are so many bits wide."""
    return first + np.concatenate(([0], np.cumsum(1 << np.array(extra, np.int64))[:-1])).astype(np.int64)


_LENGTH_EXTRA = [0] * 8 + [bits for bits in range(1, 6) for _ in range(4)]
_DISTANCE_EXTRA = [0] * 4 + [bits for bits in range(1, 14) for _ in range(2)]

LENGTH_EXTRA = np.array([*_LENGTH_EXTRA, 0], np.int64)
"""Extra bits of symbols 257 to 285."""
LENGTH_FIRST = np.append(_ranges(_LENGTH_EXTRA, SHORTEST), LONGEST).astype(np.int64)
"""Shortest length of symbols 257 to 285."""
DISTANCE_EXTRA = np.array(_DISTANCE_EXTRA, np.int64)
DISTANCE_FIRST = _ranges(_DISTANCE_EXTRA, 1)

LENGTH_SYMBOL = (np.searchsorted(LENGTH_FIRST, np.arange(LONGEST + 1), "right") - 1).astype(np.int64)
"""Symbol less 257 of each length, [259]; those below 3 mean nothing."""
DISTANCE_SYMBOL = (np.searchsorted(DISTANCE_FIRST, np.arange(32769), "right") - 1).astype(np.int64)
"""Symbol of each distance, [32769]."""

EXTRA_OF_LITERALS = np.concatenate((np.zeros(END + 1, np.int64), LENGTH_EXTRA))
EXTRA_OF_CODES = np.array([0] * 16 + [2, 3, 7], np.int64)
CODE_ORDER = np.array([16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15], np.int64)
"""The order of the lengths of the code of lengths."""
FIXED_LITERALS = np.array([8] * 144 + [9] * 112 + [7] * 24 + [8] * 8, np.int64)
"""Lengths of the fixed code, [288]."""
FIXED_DISTANCES = np.full(30, 5, np.int64)
NOTHING = np.zeros(0, np.int64)
