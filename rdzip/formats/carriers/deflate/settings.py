"""What zlib's deflate is told: level, memory, window, strategy; and what it makes of a level.

Sources: zlib's manual (deflateInit2) and algorithm.txt; the numbers of a level are part of zlib's documented behaviour
since 1995 and decide every stream.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rdzip.errors import FormatError
from rdzip.exact.types import Int64

DEFAULT, FILTERED, HUFFMAN, RUNS, FIXED = range(5)
"""Strategies."""
FAST, SLOW, ONLY_HUFFMAN, ONLY_RUNS = range(4)
"""Ways to find matches."""
LEVELS = (
    (0, 0, 0, 0), (4, 4, 8, 4), (4, 5, 16, 8), (4, 6, 32, 32), (4, 4, 16, 16), (8, 16, 32, 32),
    (8, 16, 128, 128), (8, 32, 128, 256), (32, 128, 258, 1024), (32, 258, 258, 4096),
)  # fmt: skip
"""By level: the length from which a quarter of a chain is searched, the length from which no better match is looked for
at the next byte (levels 1 to 3: up to which all strings of a match are inserted), the length that ends a search, and
the longest search."""
FIRST_SLOW = 4
NEAR = 4096
"""Distance beyond which a match of three bytes is not worth its bits."""
WAY, WINDOW, HASH_BITS, GOOD, LAZY, NICE, CHAIN, LIMIT, STRATEGY, TOO_FAR, PIECE, FIELDS = range(12)
"""Places in what compiled code is told."""
_MIXED = (10, 9, 2, 5, 2, 7, 2)
"""How many there are of each, in the number of settings."""


class Settings(NamedTuple):
    """Arguments of deflateInit2, and what else decides a stream.

    - level: 0..9; memory: 1..9; window: bits, 9..15; strategy: 0..4
    - old: of zlib before 1.2.12, which took fixed codes for strategy 4 where storing is shorter
    - far: takes matches of three bytes at any distance, as some builds of zlib do; else up to NEAR
    - wrapped: with a header of zlib (RFC 1950) and Adler's checksum
    """

    level: int = 6
    memory: int = 8
    window: int = 15
    strategy: int = DEFAULT
    old: bool = False
    far: bool = False
    wrapped: bool = True

    @property
    def number(self) -> int:
        """One number for all: level 6 of zlib's defaults is 6."""
        places = (
            self.level, (8 - self.memory) % 9, int(self.far), self.strategy, int(self.old), 15 - self.window,
            int(not self.wrapped),
        )  # fmt: skip
        number = 0
        for value, base in zip(reversed(places), reversed(_MIXED), strict=True):
            number = number * base + value
        return number

    @classmethod
    def of(cls, number: int) -> Settings:
        """The settings of a number; FormatError if there are none."""
        places = []
        for base in _MIXED:
            number, place = divmod(number, base)
            places.append(place)
        if number:
            raise FormatError("a carrier names settings of deflate that there are not; the file is corrupt")
        level, memory, far, strategy, old, window, raw = places
        return cls(level, (8 - memory - 1) % 9 + 1, 15 - window, strategy, bool(old), bool(far), not raw)

    @property
    def header(self) -> bytes:
        """The two bytes that zlib begins with (RFC 1950, section 2.2); none if it is not wrapped."""
        if not self.wrapped:
            return b""
        speed = (
            0 if self.strategy >= HUFFMAN or self.level < 2 else 1 if self.level < 6 else 2 if self.level == 6 else 3
        )
        value = (8 + ((self.window - 8) << 4)) << 8 | speed << 6
        return (value + 31 - value % 31).to_bytes(2, "big")

    @property
    def way(self) -> int:
        """How matches are found."""
        if self.strategy in (HUFFMAN, RUNS):
            return ONLY_HUFFMAN if self.strategy == HUFFMAN else ONLY_RUNS
        return SLOW if self.level >= FIRST_SLOW else FAST

    def fields(self, piece: int = 0) -> Int64:
        """What compiled code is told, int64 [FIELDS]; piece: bytes that are fed at once, 0 for all."""
        good, lazy, nice, chain = LEVELS[self.level]
        fields = np.zeros(FIELDS, np.int64)
        fields[:] = (
            self.way, 1 << self.window, self.memory + 7, good, lazy, nice, chain, (1 << (self.memory + 6)) - 1,
            self.strategy, 1 << 15 if self.far else NEAR, piece,
        )  # fmt: skip
        return fields
