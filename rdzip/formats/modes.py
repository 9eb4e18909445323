"""The pixel modes of a .rdz file and their numbers in it (docs/reference/format.md, section 2)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mode:
    """A pixel mode: its number in the container, its name, sample type, channels, and whether the last of these is
    alpha.
    """

    number: int
    name: str
    dtype: str
    channels: int
    alpha: bool = False


# Pillow's names, and "LA;16", "RGB;16", "RGBA;16" for what Pillow cuts to 8 bits. The numbers are part of the format.
MODES = [
    Mode(0, "RGB", "u1", 3),
    Mode(1, "RGBA", "u1", 4, alpha=True),
    Mode(2, "L", "u1", 1),
    Mode(3, "LA", "u1", 2, alpha=True),
    Mode(4, "P", "u1", 1),
    Mode(5, "1", "u1", 1),
    Mode(6, "CMYK", "u1", 4),
    Mode(7, "I;16", "<u2", 1),
    Mode(8, "RGB;16", "<u2", 3),
    Mode(9, "RGBA;16", "<u2", 4, alpha=True),
    Mode(10, "LA;16", "<u2", 2, alpha=True),
    Mode(11, "I", "<i4", 1),
    Mode(12, "F", "<f4", 1),
    Mode(13, "YCbCr", "u1", 3),
    Mode(14, "LAB", "u1", 3),
    Mode(15, "HSV", "u1", 3),
    Mode(16, "PA", "u1", 2, alpha=True),
    Mode(17, "La", "u1", 2, alpha=True),
    Mode(18, "RGBa", "u1", 4, alpha=True),
    Mode(19, "RGBX", "u1", 4),
    Mode(20, "I;16B", "<u2", 1),
]
BY_NAME = {mode.name: mode for mode in MODES}
BY_NUMBER = {mode.number: mode for mode in MODES}
