"""The quantiser of near-lossless files: which modes have one, and what the header says of it (docs/reference/format.md,
section 2).
"""

from __future__ import annotations

from dataclasses import dataclass

from rdzip.formats.modes import BY_NAME

QUANTISED = (
    "L", "LA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I;16", "I;16B", "LA;16", "RGB;16", "RGBA;16",
)  # fmt: skip
NARROWED = {"I;16": "L", "I;16B": "L", "RGB;16": "RGB"}
"""Modes of 16 bits whose indices are coded in 8 bits, as samples of another mode, where they are small enough."""
_BITS = {"u1": 8, "<u2": 16}


@dataclass(frozen=True)
class Quantiser:
    """Samples v are coded as indices floor((v + max_error) / step) of `bits` bits, which stand for index * step, at
    most the largest sample; alpha is coded as it is.
    """

    max_error: int
    bits: int

    @property
    def step(self) -> int:
        """Distance of two levels."""
        return 2 * self.max_error + 1

    def coded_mode(self, mode: str) -> str:
        """Return the mode as samples of which the indices of a picture are coded."""
        return NARROWED.get(mode, mode) if self.bits == 8 else mode

    def suits(self, mode: str) -> bool:
        """Return whether a picture of this mode can have such a quantiser."""
        if mode not in QUANTISED or not 1 <= self.max_error <= largest_allowed(mode):
            return False
        return self.bits == depth(mode) or (self.bits == 8 and mode in NARROWED)


def depth(mode: str) -> int:
    """Return the bits of a sample of one of the QUANTISED modes."""
    return _BITS[BY_NAME[mode].dtype]


def largest_allowed(mode: str) -> int:
    """Return the largest error that may be asked for: an eighth of the range of samples."""
    return (1 << depth(mode) - 3) - 1
