"""How a picture lies in the rows of a PNG: passes, and samples in bytes (PNG specification, sections 7 and 8)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rdzip.formats.carriers.carrier import NotCarriedError

WHOLE = ((0, 0, 1, 1),)
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Of each pass: first column, first row, columns to the next, rows to the next."""
COLOURS = {"1": 0, "L": 0, "I;16": 0, "RGB": 2, "RGB;16": 2, "P": 3, "LA": 4, "LA;16": 4, "RGBA": 6, "RGBA;16": 6}
"""Colour types of modes."""
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
NARROW = (1, 2, 4)


class Pass(NamedTuple):
    """Rows that follow each other in the stream: where their samples are, how many, bytes of each but its filter."""

    place: tuple[slice, slice]
    rows: int
    row_bytes: int


class Layout(NamedTuple):
    """What IHDR says but the size.

    colours: type, 0, 2, 3, 4 or 6; depth: bits of a sample; interlaced: whether by Adam7
    """

    colours: int
    depth: int
    interlaced: bool

    @property
    def mode(self) -> str:
        """Mode of the picture."""
        if self.depth == 1 and self.colours == 0:
            return "1"
        return next(
            mode
            for mode, colours in COLOURS.items()
            if colours == self.colours and mode != "1" and (self.depth == 16) == mode.endswith(";16")
        )

    @property
    def distance(self) -> int:
        """Bytes between a byte and the one that filters take for its left neighbour."""
        return max(1, CHANNELS[self.colours] * self.depth // 8)

    def passes(self, width: int, height: int) -> list[Pass]:
        """Return the passes that have samples, in their order."""
        found = []
        for x, y, dx, dy in ADAM7 if self.interlaced else WHOLE:
            columns, rows = -(-(width - x) // dx), -(-(height - y) // dy)
            if columns > 0 and rows > 0:
                bits = columns * CHANNELS[self.colours] * self.depth
                found.append(Pass((slice(y, None, dy), slice(x, None, dx)), rows, -(-bits // 8)))
        return found

    def header(self, width: int, height: int) -> bytes:
        """The data of IHDR."""
        return (
            width.to_bytes(4, "big")
            + height.to_bytes(4, "big")
            + bytes([self.depth, self.colours, 0, 0, self.interlaced])
        )


def read_header(data: bytes) -> tuple[Layout, int, int]:
    """Return layout, width and height of IHDR's data; NotCarriedError for what no PNG has."""
    if len(data) != 13:
        raise NotCarriedError("its header is damaged")
    width, height = int.from_bytes(data[:4], "big"), int.from_bytes(data[4:8], "big")
    depth, colours, compression, filters, interlaced = data[8:]
    depths = {0: (1, 2, 4, 8, 16), 3: (1, 2, 4, 8)}.get(colours, (8, 16))
    if colours not in CHANNELS or depth not in depths or compression or filters or interlaced > 1:
        raise NotCarriedError("its header says what no PNG has")
    if not width or not height:
        raise NotCarriedError("it has no pixels")
    return Layout(colours, depth, bool(interlaced)), width, height


def to_bytes(samples: NDArray[Any], depth: int) -> NDArray[np.uint8]:
    """Return the rows [h, row bytes] of samples [h, w] or [h, w, c]; bits of padding are 0."""
    height = len(samples)
    if depth == 16:
        return np.ascontiguousarray(samples, ">u2").view(np.uint8).reshape(height, -1)
    if depth == 8:
        return np.ascontiguousarray(samples).reshape(height, -1)
    bits = (samples[:, :, None] >> np.arange(depth - 1, -1, -1, dtype=np.uint8)) & 1
    return np.packbits(bits.reshape(height, -1), axis=1)


def from_bytes(rows: NDArray[np.uint8], depth: int, shape: tuple[int, ...]) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """Return the samples of rows [h, row bytes], and the bits of padding of each row, [h]; shape: of the samples."""
    if depth == 16:
        return rows.view(">u2").astype("<u2").reshape(shape), np.zeros(0, np.uint8)
    if depth == 8:
        return rows.reshape(shape), np.zeros(0, np.uint8)
    width = shape[1]
    bits = np.unpackbits(rows, axis=1)
    weights = (1 << np.arange(depth - 1, -1, -1)).astype(np.uint8)
    samples = (bits[:, : width * depth].reshape(shape[0], width, depth) * weights).sum(2, dtype=np.uint8)
    unused = rows.shape[1] * 8 - width * depth
    return samples, rows[:, -1] & np.uint8((1 << unused) - 1)
