"""Rows of samples in bytes: 1 to 32 bits a sample, either byte order, rows filled up to whole bytes or more.

Samples of fewer than 8 bits, and of 9 to 15, lie one after the other from the highest bit of a byte down.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdzip.formats.carriers.raw.checks import require

BAND = 1 << 22
"""Bits that are spread out at once."""
UNITS = {8: "u1", 16: "u2", 32: "u4"}


@dataclass(frozen=True)
class Rows:
    """How a block of rows lies in bytes.

    height, width: rows, and samples of each. bits: of a sample, 1 to 16 or 32. big: whether the high byte of 16 and 32
    bits comes first. align: bytes of which a row is a multiple. low_first: whether bits of all bytes are mirrored.
    """

    height: int
    width: int
    bits: int = 8
    big: bool = False
    align: int = 1
    low_first: bool = False

    @property
    def stride(self) -> int:
        """Bytes of a row."""
        return -(-self.width * self.bits // (8 * self.align)) * self.align

    @property
    def size(self) -> int:
        """Bytes of all rows."""
        return self.height * self.stride

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the samples in memory, little-endian."""
        return np.dtype("<" + UNITS[8 if self.bits <= 8 else 16 if self.bits <= 16 else 32])

    def read(self, data: bytes | memoryview, at: int = 0) -> tuple[NDArray[Any], bytes]:
        """Return samples [height, width] of ``dtype``, and what fills the rows up: for each row the bytes from the one
        with its first unused bit on, with bits of samples 0; nothing where all of it is 0.
        """
        block = np.frombuffer(data, np.uint8, self.size, at).reshape(self.height, self.stride)
        if self.low_first:
            block = mirrored(block)
        whole, rest = divmod(self.width * self.bits, 8)
        filling = b""
        if whole < self.stride:
            unused = block[:, whole:].copy()
            unused[:, 0] &= 0xFF >> rest
            filling = unused.tobytes() if unused.any() else b""
        if self.bits in UNITS:
            used = np.ascontiguousarray(block[:, :whole])
            order = np.dtype((">" if self.big else "<") + UNITS[self.bits])
            return used.view(order).astype(self.dtype, copy=False), filling
        samples = np.empty((self.height, self.width), self.dtype)
        step = max(1, BAND // max(1, self.width * self.bits))
        for first in range(0, self.height, step):
            spread = np.unpackbits(block[first : first + step], axis=1, count=self.width * self.bits)
            spread = spread.reshape(-1, self.width, self.bits)
            part = samples[first : first + step]
            part[...] = spread[:, :, 0]
            for i in range(1, self.bits):
                part <<= 1
                part |= spread[:, :, i]
        return samples, filling

    def write(self, samples: NDArray[Any], filling: bytes = b"") -> bytes:
        """Return the bytes of samples [height, width], and of what fills the rows up; FormatError for samples of more
        bits, or another filling than `read` gives.
        """
        whole, rest = divmod(self.width * self.bits, 8)
        block = np.zeros((self.height, self.stride), np.uint8)
        if self.bits in UNITS:
            order = np.dtype((">" if self.big else "<") + UNITS[self.bits])
            block[:, :whole] = np.ascontiguousarray(samples.astype(order, copy=False)).view(np.uint8)
        else:
            require(int(samples.max()) < 1 << self.bits, f"a picture has samples of more than {self.bits} bits")
            step = max(1, BAND // max(1, self.width * self.bits))
            for first in range(0, self.height, step):
                part = samples[first : first + step]
                spread = np.empty((len(part), self.width, self.bits), np.uint8)
                for i in range(self.bits):
                    spread[:, :, i] = (part >> (self.bits - 1 - i)) & 1
                packed = np.packbits(spread.reshape(len(part), -1), axis=1)
                block[first : first + step, : packed.shape[1]] = packed
        if filling:
            unused = self.stride - whole
            require(len(filling) == self.height * unused, "what fills rows up has the wrong length")
            more = np.frombuffer(filling, np.uint8).reshape(self.height, unused)
            require(not (more[:, 0] & (0xFF00 >> rest & 0xFF)).any(), "what fills rows up covers samples")
            block[:, whole:] |= more
        return (mirrored(block) if self.low_first else block).tobytes()


def mirrored(block: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return bytes with the order of their bits turned round."""
    table = np.packbits(np.unpackbits(np.arange(256, dtype=np.uint8)).reshape(256, 8)[:, ::-1], axis=1)[:, 0]
    return table[block]
