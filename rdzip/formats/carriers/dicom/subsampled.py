"""Pixels of which two share their colour differences, Y Y Cb Cr (DICOM PS3.3, section C.7.6.3.1.2, YBR_FULL_422)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rdzip.formats.carriers.carrier import NotCarriedError
from rdzip.formats.carriers.raw.array import Array
from rdzip.formats.carriers.raw.checks import require
from rdzip.formats.images.picture import Picture
from rdzip.system import limits


@dataclass(frozen=True)
class Subsampled(Array):
    """Frames of 8 bits and an even width: the pictures are Y of all frames, then Cb, then Cr, all of mode "L"."""

    @property
    def size(self) -> int:
        """Bytes of all samples."""
        return 2 * self.pixels

    @property
    def each(self) -> int:
        """Pictures of a frame."""
        return 3

    def read(self, data: bytes, at: int) -> list[Picture]:
        """Return the pictures of samples that begin at a place; NotCarriedError if there are too few or too many."""
        self.check()
        if at + self.size > len(data):
            raise NotCarriedError("its samples are cut short")
        items = np.frombuffer(data, np.uint8, self.size, at).reshape(self.count, self.height, self.width // 2, 4)
        luma = items[..., :2].reshape(self.count, self.height, self.width)
        blocks = (luma, items[..., 2], items[..., 3])
        return [Picture(np.ascontiguousarray(part), "L") for block in blocks for part in block]

    def write(self, pictures: Sequence[Picture], filling: bytes = b"") -> bytes:
        """Return the bytes of the samples; FormatError if the pictures do not suit."""
        require(len(pictures) == self.total and not filling, "a skeleton needs another number of pictures")
        for i, picture in enumerate(pictures):
            shape = (self.height, self.width if i < self.count else self.width // 2)
            require(picture.mode == "L" and picture.shape == shape, "a skeleton needs pictures of another kind")
        limits.claim_memory(3 * self.size, "the samples of a file")
        items = np.empty((self.count, self.height, self.width // 2, 4), np.uint8)
        for i, frame in enumerate(items):
            frame[..., :2] = pictures[i].samples.reshape(self.height, self.width // 2, 2)
            frame[..., 2] = pictures[self.count + i].samples
            frame[..., 3] = pictures[2 * self.count + i].samples
        return items.tobytes()
