"""What every codec's encode returns: the payload, its layout number, and the rates in bits."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Bits:
    """Rates of one payload in bits: the model's bound, net of initial bits, and in all."""

    ideal: float
    net: float
    total: float

    def __add__(self, other: Bits) -> Bits:
        return Bits(self.ideal + other.ideal, self.net + other.net, self.total + other.total)


@dataclass(frozen=True)
class Encoded:
    """A payload, its rates, and the layout number that the codec's decode needs beside it; of lossy codecs also the
    SHA-256 of its symbols, which readers check, and its bits by the model's estimate.
    """

    payload: bytes
    bits: Bits
    layout: int
    digest: bytes = b""
    estimated: float = 0.0
