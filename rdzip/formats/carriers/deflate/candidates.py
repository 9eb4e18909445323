"""Settings of zlib that may have made a stream, likely ones first."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rdzip.formats.carriers.deflate.codes import FIXED as FIXED_BLOCK
from rdzip.formats.carriers.deflate.codes import LENGTH_MASK, MATCH_SHIFT, SHORTEST, STORED
from rdzip.formats.carriers.deflate.parse import FINAL, KIND, RAW_END, TOKENS, Parsed
from rdzip.formats.carriers.deflate.settings import (
    DEFAULT,
    FILTERED,
    FIRST_SLOW,
    FIXED,
    HUFFMAN,
    NEAR,
    RUNS,
    Settings,
)
from rdzip.formats.carriers.deflate.tokens import FILTERED_LENGTH, LOOKAHEAD

LEVELS_OF = {0: (1, 2, 3), 1: (5, 4, 3, 2), 2: (6,), 3: (9, 8, 7)}
"""Levels of zlib by what a header says of speed."""
ANY_LEVEL = (6, 9, 5, 4, 3, 2, 1, 8, 7)


def memories(parsed: Parsed) -> list[int]:
    """Return what memory zlib may have had: full blocks have a number of tokens of their own."""
    blocks = parsed.blocks
    first = start = 0
    most = 9
    for kind, final, tokens, end in blocks[:, [KIND, FINAL, TOKENS, RAW_END]].tolist():
        if final:
            if first:
                break
            return [m for m in (8, 9, *range(7, 0, -1)) if kind == STORED or tokens < 1 << (m + 6)]
        if kind != STORED:
            return [m for m in range(1, 10) if tokens == (1 << (m + 6)) - 1]
        first = first or end - start
        start = end
    while most > 1 and (1 << (most + 6)) - 1 > first:  # a stored block has a byte or more for each token
        most -= 1
    return list(range(most, 0, -1))


def _windows(farthest: int, header: int) -> list[int]:
    """Return what windows reach so far; header: the first byte of zlib's."""
    least = next((w for w in range(9, 15) if (1 << w) - LOOKAHEAD >= farthest), 15)
    named = max(9, (header >> 4) + 8)
    order = [named, 15, *range(least, 15)]
    return [w for i, w in enumerate(order) if least <= w <= 15 and w not in order[:i]]


def candidates(parsed: Parsed, header: bytes) -> Iterator[Settings]:
    """Settings in the order in which to try them; header: zlib's, or nothing."""
    tokens = parsed.expected[parsed.expected >= 1 << MATCH_SHIFT]
    lengths, distances = tokens & LENGTH_MASK, tokens >> MATCH_SHIFT
    farthest = int(distances.max(initial=0))
    shortest = int(lengths.min(initial=258))
    hint = LEVELS_OF[header[1] >> 6] if header else ()
    levels = [*hint, *(level for level in ANY_LEVEL if level not in hint)]
    kinds = parsed.blocks[:, KIND]
    special = [
        strategy
        for strategy, possible in (
            (HUFFMAN, len(tokens) == 0),
            (RUNS, farthest <= 1),
            (FIXED, not np.any((kinds != FIXED_BLOCK) & (kinds != STORED))),
        )
        if possible
    ]
    filtered = shortest > FILTERED_LENGTH
    unlimited = bool(np.any((lengths == SHORTEST) & (distances > NEAR)))
    general = [
        (strategy, level)
        for level in levels
        for strategy in ((FILTERED, DEFAULT) if filtered and level >= FIRST_SLOW else (DEFAULT,))
    ]
    named = [(s, level) for s in special for level in (levels if s == FIXED else levels[:1])]
    likely = not header or header[1] >> 6 == 0
    pairs = [*named, *general] if likely else [*general, *named]
    wrapped = bool(header)
    for window in _windows(farthest, header[0] if header else 0x78):
        for memory in memories(parsed):
            for strategy, level in pairs:
                far = unlimited and level >= FIRST_SLOW
                yield Settings(level, memory, window, strategy, False, far, wrapped)
                if strategy == FIXED:
                    yield Settings(level, memory, window, strategy, True, far, wrapped)
