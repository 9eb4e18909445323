"""What a foreign file may claim before it is decoded: pixels, time and memory (docs/reference/format.md, section 6).

What a decoder is to do is claimed in microseconds of a slow core and in bytes, both known from the heads of a file
alone, so that a file is refused, or not, on every machine alike. What a file may claim grows with its length: of files
of photographs and drawings it is far more than they need. Limits hold within ``bounded``; encoders, which check what
they have made, work without them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from rdzip.errors import FormatError

MAX_PIXELS = 178_956_970
"""Pixels of a picture, or of a batch in all: from twice Pillow's MAX_IMAGE_PIXELS on, Pillow refuses a picture, too."""
FREE_TIME = 5_000_000
"""Microseconds that a file of any length may claim."""
TIME_A_BYTE = 250
"""Microseconds more for each byte."""
FREE_MEMORY = 400_000_000
"""Bytes of memory that a file of up to LONG bytes may claim."""
MEMORY_A_BYTE = 1 << 13
LONG = 1 << 16


class Budget:
    """What is left of the time that may be claimed, in microseconds, and the memory that may be claimed at once.

    strict: whether claiming more is refused; else ``needed`` tells how many times the default limits there must be.
    """

    def __init__(self, max_pixels: int | None = None, *, strict: bool = True) -> None:
        """max_pixels: the limit of pixels; more than MAX_PIXELS raise all limits in proportion. None: MAX_PIXELS."""
        self.strict = strict
        self.needed = self._scale = max(1.0, (max_pixels or 0) / MAX_PIXELS)
        self._time = self._memory = 0.0
        self._free = FREE_TIME * self._scale
        self._claimed = 0.0

    def credit(self, size: int) -> None:
        """Allow for what a file of so many bytes may claim."""
        self._time += TIME_A_BYTE * size * self._scale
        self._memory = (FREE_MEMORY + MEMORY_A_BYTE * max(0, size - LONG)) * self._scale

    def claim(self, microseconds: float, what: str) -> None:
        """Claim time; FormatError if there is not so much left."""
        self._claimed += microseconds
        if self._claimed > self._free + self._time:
            self._lacks(self._claimed / (self._free + self._time), f"{what} would take too long to decode")

    def claim_memory(self, size: float, what: str) -> None:
        """Claim memory that is held at once; FormatError if it is more than there may be."""
        if size > self._memory:
            self._lacks(size / self._memory, f"{what} would take {size / 1e9:.1f} GB of memory")

    def _lacks(self, factor: float, problem: str) -> None:
        self.needed = max(self.needed, self._scale * factor)
        if self.strict:
            raise FormatError(
                f"{problem}, too much for a file of this length: raise `max_pixels` to {self.pixels} if you trust it"
            )

    @property
    def pixels(self) -> int:
        """The limit of pixels at which all that was claimed is allowed."""
        return math.ceil(self.needed * 1.01) * MAX_PIXELS


_budget: ContextVar[Budget | None] = ContextVar("_budget", default=None)


@contextmanager
def bounded(size: int, budget: Budget) -> Iterator[None]:
    """Within the context, decoders may claim what a file of ``size`` bytes may; within another such context, what is
    left there as well, so that the many parts of an archive share what is free.
    """
    budget = _budget.get() or budget
    budget.credit(size)
    token = _budget.set(budget)
    try:
        yield
    finally:
        _budget.reset(token)


def claim(microseconds: float, what: str) -> None:
    """Claim time for a part of the work; FormatError, which names what to raise, if the file may not claim so much.

    what: the work, in the plural: "4096 particles of 3 images".
    """
    if budget := _budget.get():
        budget.claim(microseconds, what)


def claim_memory(size: float, what: str) -> None:
    """Claim memory, in bytes, that is held at once; FormatError if it is too much. what: as in claim."""
    if budget := _budget.get():
        budget.claim_memory(size, what)


def fits(microseconds: float, size: int) -> bool:
    """Whether a file of ``size`` bytes may claim so much time by default."""
    return microseconds <= FREE_TIME + TIME_A_BYTE * size


def fits_memory(memory: float, size: int) -> bool:
    """Whether a file of ``size`` bytes may claim so many bytes of memory by default."""
    return memory <= FREE_MEMORY + MEMORY_A_BYTE * max(0, size - LONG)
