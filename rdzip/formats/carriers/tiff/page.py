"""What the tags of a directory say of its samples, and which pictures hold them. Source: TIFF 6.0, sections 3 to 16."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdzip.formats.carriers.carrier import NotCarriedError
from rdzip.formats.carriers.raw.grouping import FLOAT, SIGNED, UNSIGNED, modes_of
from rdzip.formats.carriers.raw.rows import Rows
from rdzip.formats.carriers.tiff import predictors
from rdzip.formats.carriers.tiff.directories import Directory, Form
from rdzip.system.limits import MAX_PIXELS

PLAIN, PACKBITS, LZW, DEFLATE, OLD_DEFLATE = 0, 1, 2, 3, 4
METHODS = {1: PLAIN, 32773: PACKBITS, 5: LZW, 8: DEFLATE, 32946: OLD_DEFLATE}
"""Numbers of rdzip's own for values of the tag Compression."""
WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER = 256, 257, 258, 259, 262, 266
STRIP_OFFSETS, CHANNELS, ROWS_PER_STRIP, STRIP_COUNTS, PLANAR, PREDICTOR = 273, 277, 278, 279, 284, 317
COLOR_MAP, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_COUNTS, SUBSAMPLING = 320, 322, 323, 324, 325, 530
SAMPLE_FORMAT = 339
KINDS = {1: UNSIGNED, 2: SIGNED, 3: FLOAT, 4: UNSIGNED}
CODES = (UNSIGNED, SIGNED, FLOAT)
"""Kinds of samples by rdzip's number."""
COLOURS = {2: "", 5: "CMYK", 6: "YCbCr", 8: "LAB"}
COLOURED = {"CMYK": 4, "YCbCr": 3, "LAB": 3}
MOST_TILE = 1 << 16


@dataclass(frozen=True)
class Page:
    """How samples lie in strips or tiles.

    width, height, channels, bits, kind: of the samples. colour: as raw.grouping has it. planar: whether each channel
    is by itself. tile_width: 0 for strips. tile_height: or the rows of a strip. method: one of METHODS. order:
    "<" or ">". low_first: whether bits of bytes are mirrored.
    """

    width: int
    height: int
    channels: int
    bits: int
    kind: str
    colour: str
    planar: bool
    tile_width: int
    tile_height: int
    method: int
    predictor: int
    order: str
    low_first: bool

    @property
    def together(self) -> int:
        """Channels that lie together."""
        return 1 if self.planar else self.channels

    @property
    def planes(self) -> int:
        """Parts that lie one after the other."""
        return self.channels if self.planar else 1

    @property
    def across(self) -> int:
        """Tiles beside one another."""
        return -(-self.width // self.tile_width) if self.tile_width else 1

    @property
    def down(self) -> int:
        """Tiles or strips below one another."""
        return -(-self.height // self.tile_height)

    @property
    def units(self) -> int:
        """Strips or tiles in all."""
        return self.planes * self.across * self.down

    @property
    def modes(self) -> list[str]:
        """Modes of the pictures that hold the samples."""
        return modes_of(self.channels, 8 * self.dtype.itemsize, self.kind, self.colour)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the samples in memory."""
        return Rows(1, 1, self.bits).dtype

    def rows(self, height: int) -> Rows:
        """How so many rows of a strip or tile lie in bytes."""
        width = self.tile_width or self.width
        return Rows(height, width * self.together, self.bits, self.order == ">", 1, self.low_first)

    def size(self, unit: int) -> int:
        """Bytes of a strip or tile before it is compressed."""
        height = self.tile_height
        if not self.tile_width:
            height = min(height, self.height - unit % self.down * height)
        return self.stride * height

    @property
    def stride(self) -> int:
        """Bytes of a row of a strip or tile."""
        return self.rows(1).stride

    @property
    def raw(self) -> int:
        """Bytes of all units before they are compressed."""
        if self.tile_width:
            return self.units * self.stride * self.tile_height
        return self.planes * self.height * self.stride

    def tiles(self) -> Iterator[tuple[int, slice, slice]]:
        """The place of each tile of a page: its plane, its rows and its columns of pixels, some beyond the page."""
        for plane in range(self.planes):
            for y in range(self.down):
                for x in range(self.across):
                    yield (
                        plane,
                        slice(y * self.tile_height, (y + 1) * self.tile_height),
                        slice(x * self.tile_width, (x + 1) * self.tile_width),
                    )

    @property
    def good(self) -> bool:
        """Whether samples can be read and written so; what tags and skeletons are held to."""
        deep = self.bits in (8, 16, 32)
        return (
            min(self.width, self.height, self.tile_height) > 0 and 0 < self.channels <= 1 << 16
            and self.width * self.height * -(-self.channels // 4) <= MAX_PIXELS
            and (self.bits == 32 or 0 < self.bits <= 16)
            and self.kind in CODES and (self.kind == UNSIGNED or deep) and (self.kind != FLOAT or self.bits > 8)
            and COLOURED.get(self.colour, self.channels) == self.channels
            and (self.colour == "" or self.channels > 1 or self.bits <= 8)
            and 0 <= self.tile_width <= MOST_TILE
            and (not self.tile_width or self.tile_height <= MOST_TILE)
            and self.method in METHODS.values()
            and (self.predictor == predictors.NONE or (self.method >= LZW and deep))
            and self.predictor in (1, 2, 3) and (self.predictor != predictors.FLOATS or self.kind == FLOAT)
        )  # fmt: skip


def page_of(data: bytes, form: Form, directory: Directory) -> tuple[Page, NDArray[np.int64], NDArray[np.int64], bytes]:
    """Return how the samples of a directory lie, the offsets and byte counts of its strips or tiles, and its palette of
    RGB; NotCarriedError where no picture can hold them.
    """
    entries = directory.entries

    def one(tag: int, default: int) -> int:
        if tag not in entries:
            return default
        return int(entries[tag].values(data, form, 1 << 16)[0])

    width, height, channels = one(WIDTH, 0), one(HEIGHT, 0), one(CHANNELS, 1)
    compression, photometric = one(COMPRESSION, 1), one(PHOTOMETRIC, 1)
    if compression not in METHODS:
        raise NotCarriedError(f"its compression {compression} is not carried")
    bits, formats = (
        set(entries[tag].values(data, form, 1 << 16).tolist()) if tag in entries else {1}
        for tag in (BITS, SAMPLE_FORMAT)
    )
    if len(bits) > 1 or len(formats) > 1 or not formats <= set(KINDS):
        raise NotCarriedError("its channels are of several or unusual types")
    (depth,), (kind,) = bits, formats
    if photometric == 6 and not (SUBSAMPLING in entries and _ones(data, form, directory)):
        raise NotCarriedError("its colours are subsampled")
    tiled = TILE_OFFSETS in entries or TILE_WIDTH in entries
    tile_width, tile_height = (one(TILE_WIDTH, 0), one(TILE_HEIGHT, 0)) if tiled else (0, one(ROWS_PER_STRIP, height))
    if tiled and not tile_width:
        raise NotCarriedError("its tiles have no width")
    page = Page(
        width, height, channels, depth, UNSIGNED if depth < 8 else KINDS[kind], "",
        one(PLANAR, 1) == 2 and channels > 1, tile_width, tile_height if tiled else min(tile_height, height),
        METHODS[compression], one(PREDICTOR, 1), form.order, one(FILL_ORDER, 1) == 2,
    )  # fmt: skip
    if page.method < LZW:
        page = replace(page, predictor=predictors.NONE)
    palette = b""
    if channels == 1 and depth <= 8:
        if depth == 1 and photometric != 3:
            page = replace(page, colour="1")
        elif photometric == 3 and COLOR_MAP in entries:
            palette = palette_of(entries[COLOR_MAP].values(data, form, 3 << depth).tolist(), depth)
            page = replace(page, colour="P")
    elif photometric in COLOURS and COLOURED.get(COLOURS[photometric]) == channels and depth == 8:
        page = replace(page, colour=COLOURS[photometric])
    if not page.good:
        raise NotCarriedError(f"its samples of {depth} bits and {channels} channels are not carried")
    tags = (TILE_OFFSETS, TILE_COUNTS) if TILE_OFFSETS in entries else (STRIP_OFFSETS, STRIP_COUNTS)
    if tags[0] not in entries:
        raise NotCarriedError("it names no strips or tiles")
    offsets = entries[tags[0]].values(data, form, page.units)
    if tags[1] in entries:
        counts = entries[tags[1]].values(data, form, page.units)
    elif page.method == PLAIN:
        counts = np.array([page.size(i) for i in range(min(page.units, len(offsets)))], np.int64)
    else:
        raise NotCarriedError("it does not say how long its strips are")
    if len(offsets) != page.units or len(counts) != page.units:
        raise NotCarriedError("it has not as many strips or tiles as it needs")
    return page, offsets, counts, palette


def _ones(data: bytes, form: Form, directory: Directory) -> bool:
    return bool(set(directory.entries[SUBSAMPLING].values(data, form, 2).tolist()) == {1})


def palette_of(values: list[int], depth: int) -> bytes:
    """Return RGB entries of 8 bits: the high bytes of a ColorMap."""
    if len(values) != 3 << depth:
        raise NotCarriedError("its palette has not as many colours as it needs")
    return (np.array(values).reshape(3, -1).T >> 8).astype(np.uint8).tobytes()
