"""Hashes of contexts."""

from __future__ import annotations

from rdzip.exact.compiled import compiled


@compiled
def hashed(h: int, value: int) -> int:
    """A hash of 32 bits with a value taken in."""
    h = ((h ^ (value & 0xFFFFFFFF)) * 0x2F0B4C47 + 0x1B873593) & 0xFFFFFFFF
    return h ^ (h >> 15)
