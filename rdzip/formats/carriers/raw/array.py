"""Arrays of pictures of one shape, as they lie open in a file: frames, slices, planes of cubes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdzip.formats.carriers.carrier import NotCarriedError
from rdzip.formats.carriers.raw.checks import few_pixels, require
from rdzip.formats.carriers.raw.grouping import UNSIGNED, as_pictures, modes_of, samples_of
from rdzip.formats.carriers.raw.rows import Rows
from rdzip.formats.images.picture import Picture
from rdzip.system import limits

MANY = 1 << 18
"""Pictures of a file."""


@dataclass(frozen=True)
class Array:
    """How frames [count, height, width, channels] lie in bytes.

    bits: of a sample, 8, 16 or 32, or 1 (one channel; bits of all frames in one run, from the lowest bit of a byte up).
    kind: of the samples (raw.grouping). big: whether the high byte comes first. planar: whether a frame is one plane
    after the other, [channels, height, width]. colour: as for `modes_of`. palette: RGB entries, for colour "P".
    """

    count: int
    height: int
    width: int
    channels: int = 1
    bits: int = 8
    kind: str = UNSIGNED
    big: bool = False
    planar: bool = False
    colour: str = ""
    palette: bytes = b""

    @property
    def pixels(self) -> int:
        """Pixels of all frames."""
        return self.count * self.height * self.width

    @property
    def size(self) -> int:
        """Bytes of all samples."""
        return -(-self.pixels * self.channels * self.bits // 8)

    @property
    def each(self) -> int:
        """Pictures of a frame."""
        return len(modes_of(self.channels, max(8, self.bits), self.kind, self.colour))

    @property
    def total(self) -> int:
        """Pictures of all frames."""
        return self.count * self.each

    def check(self) -> None:
        """NotCarriedError if there is no sample, or there are more pixels or pictures than rdzip handles."""
        if self.size <= 0:
            raise NotCarriedError("it has no samples")
        few_pixels(self.pixels * self.channels)
        if self.total > MANY:
            raise NotCarriedError(f"it has more than {MANY} pictures")

    def read(self, data: bytes, at: int) -> list[Picture]:
        """Return the pictures of samples that begin at a place; NotCarriedError if there are too few or too many."""
        self.check()
        if at + self.size > len(data):
            raise NotCarriedError("its samples are cut short")
        if self.bits == 1:
            items, _ = self._bits.read(data, at)
        else:
            items = np.frombuffer(data, self._dtype, self.size * 8 // self.bits, at)
        native = self._dtype.newbyteorder("<")
        return [
            p
            for part in self._frames(items)
            for p in as_pictures(part.astype(native, copy=False), self.kind, self.colour, self.palette)
        ]

    def filling(self, data: bytes, at: int) -> bytes:
        """Return the last byte of samples that begin at a place, their bits 0 in it, if other bits there are set."""
        return self._bits.read(data, at)[1] if self.bits == 1 else b""

    def write(self, pictures: Sequence[Picture], filling: bytes = b"") -> bytes:
        """Return the bytes of the samples; FormatError if the pictures do not suit, or filling is not what it was."""
        require(len(pictures) == self.total, "a skeleton needs another number of pictures")
        shape = (self.height, self.width)
        require(all(p.shape[:2] == shape for p in pictures), "a skeleton needs pictures of another shape")
        limits.claim_memory(3 * sum(p.samples.nbytes for p in pictures), "the samples of a file")
        items = np.empty(self.pixels * self.channels, self._dtype)
        each = self.each
        for i, part in enumerate(self._frames(items)):
            some = pictures[i * each : (i + 1) * each]
            part[...] = samples_of(
                some, (*shape, self.channels), self._dtype.newbyteorder("<"), self.kind, self.colour
            )  # fmt: skip
        return self._bits.write(items[np.newaxis], filling) if self.bits == 1 else items.tobytes()

    @property
    def _dtype(self) -> np.dtype[Any]:
        return np.dtype((">" if self.big else "<") + f"u{max(8, self.bits) // 8}")

    @property
    def _bits(self) -> Rows:
        return Rows(1, self.pixels, 1, low_first=True)

    def _frames(self, items: NDArray[Any]) -> NDArray[Any]:
        """View of the items as [count, height, width, channels]."""
        if self.planar:
            return items.reshape(self.count, self.channels, self.height, self.width).transpose(0, 2, 3, 1)
        return items.reshape(self.count, self.height, self.width, self.channels)
