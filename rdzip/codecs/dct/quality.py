"""The quality that a quantisation table looks like. No numpy here."""

from __future__ import annotations

from collections.abc import Sequence

LUMINANCE = (
    16, 11, 12, 14, 12, 10, 16, 14, 13, 14, 18, 17, 16, 19, 24, 40,
    26, 24, 22, 22, 24, 49, 35, 37, 29, 40, 58, 51, 61, 60, 57, 51,
    56, 55, 64, 72, 92, 78, 64, 68, 87, 69, 55, 56, 80, 109, 81, 87,
    95, 98, 103, 104, 103, 62, 77, 113, 121, 112, 100, 120, 92, 101, 103, 99,
)  # fmt: skip
"""Steps of ITU-T T.81, table K.1, in zigzag order."""


def scaled(quality: int) -> list[int]:
    """Return the steps that the Independent JPEG Group's library makes of table K.1 at a quality 1 to 100."""
    factor = 5000 // quality if quality < 50 else 200 - 2 * quality
    return [min(max((step * factor + 50) // 100, 1), 255) for step in LUMINANCE]


def estimated(steps: Sequence[int]) -> int:
    """Return the quality 1 to 100 whose scaled table differs least, in sum, from steps in zigzag order."""
    return min(range(100, 0, -1), key=lambda q: sum(abs(a - b) for a, b in zip(scaled(q), steps, strict=True)))
