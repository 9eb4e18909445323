"""A PNG, taken apart: pictures, and a skeleton as docs/reference/carriers.md says."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdzip.formats.carriers.carrier import NotCarriedError, Opened
from rdzip.formats.carriers.deflate import recover
from rdzip.formats.carriers.png.chunks import Chunk, cut, size_code, split
from rdzip.formats.carriers.png.filters import FILTERS, RULES, choose, distances, unfilter
from rdzip.formats.carriers.png.layout import NARROW, Layout, from_bytes, read_header
from rdzip.formats.carriers.raw.checks import few_pixels, shortened
from rdzip.formats.images.picture import Picture
from rdzip.formats.packing import pack_bytes

MOST_RAW = 1 << 30
"""Bytes that all filtered rows of a file may have."""
SLACK = 1 << 16
"""Bytes that a stream may have beyond its rows."""
PALETTE = 0
"""Stands for PLTE among chunks."""
FRAME_CONTROL, FRAME_DATA, SEQUENCE = b"fcTL", b"fdAT", 4
CONTROL_SIZE = 26


class _Reader:
    """Takes the images of a file apart, one after the other."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.pixels = self.raw = 0
        self.samples: list[NDArray[Any]] = []

    def image(self, pieces: list[bytes], width: int, height: int) -> list[Any]:
        """Keep the samples of an image whose stream comes in pieces; return the fields of the skeleton that are its:
        recipe, filters, sizes, and a map of what few have (1 padding, 2 data behind the rows, 3 bytes behind the
        stream).
        """
        layout = self.layout
        self.pixels += width * height
        few_pixels(self.pixels)
        passes = layout.passes(width, height)
        expected = sum(p.rows * (p.row_bytes + 1) for p in passes)
        self.raw += expected
        if self.raw > MOST_RAW:
            raise NotCarriedError("its rows are too long")
        stream = b"".join(pieces)
        raw, recipe, consumed = recover(stream, expected + SLACK)
        if len(raw) < expected:
            raise NotCarriedError("it has too few rows")
        data = np.frombuffer(raw, np.uint8)
        samples = self._empty(width, height)
        at, all_kinds, sums, padding = 0, [], [], []
        for place, rows, row_bytes in passes:
            px, kinds = np.empty(rows * row_bytes, np.uint8), np.empty(rows, np.uint8)
            if not unfilter(data, at, rows, row_bytes, layout.distance, px, kinds):
                raise NotCarriedError("it has an unknown filter")
            at += rows * (row_bytes + 1)
            target = samples[place]
            target[...], unused = from_bytes(px.reshape(rows, row_bytes), layout.depth, target.shape)
            all_kinds.append(kinds)
            sums.append(distances(px, rows, row_bytes, layout.distance))
            padding.append(unused)
        self.samples.append(samples)
        unused = np.concatenate(padding)
        more = {1: unused.tobytes() if unused.any() else b"", 2: raw[expected:], 3: stream[consumed:]}
        sizes = [len(piece) for piece in pieces]
        code = size_code(sizes)
        if [len(piece) for piece in cut(stream, code)] != sizes:
            raise NotCarriedError("its stream is cut into pieces too oddly")
        filters = _filter_code(np.concatenate(all_kinds), np.concatenate(sums))
        return [recipe, filters, code, {key: value for key, value in more.items() if value}]

    def _empty(self, width: int, height: int) -> NDArray[Any]:
        channels = {2: 3, 4: 2, 6: 4}.get(self.layout.colours)
        shape = (height, width, channels) if channels else (height, width)
        return np.empty(shape, "<u2" if self.layout.depth == 16 else np.uint8)


def _filter_code(kinds: NDArray[np.uint8], sums: NDArray[np.int64]) -> Any:
    """Return what says which filters rows have: one of all, FILTERS and a rule, [that, differences], or the filters."""
    if (kinds == kinds[0]).all():
        return int(kinds[0])
    right, best, difference = 0, 0, kinds
    for rule in range(len(RULES)):
        other = (kinds + np.uint8(FILTERS) - choose(sums, rule)) % FILTERS
        if not other.any():
            return FILTERS + rule
        same = int((other == 0).sum())
        if same > right:
            right, best, difference = same, rule, other
    by_rule, plain = difference.tobytes(), kinds.tobytes()
    return [FILTERS + best, by_rule] if len(pack_bytes(by_rule)) < len(pack_bytes(plain)) else plain


def open(data: bytes) -> Opened:
    """Return the pictures and the skeleton of a PNG or APNG; NotCarriedError for what is damaged, is no PNG, or has a
    deflate stream of an unknown encoder.
    """
    chunks, tail = split(data)
    if chunks[0].name != b"IHDR" or chunks[-1].data:
        raise NotCarriedError("its first or last chunk is damaged")
    layout, width, height = read_header(chunks[0].data)
    reader = _Reader(layout)
    palette, first = b"", list[Any]()
    before, after = list[Any](), list[Any]()
    sequence, frame = 0, (0, 0)
    runs = _runs(chunks[1:-1])
    for chunk, pieces in runs:
        items = after if first else before
        if chunk.name == b"IDAT":
            if first:
                raise NotCarriedError("its image data are in two places")
            first = reader.image(pieces, width, height)
        elif chunk.name == FRAME_DATA:
            numbers = [int.from_bytes(piece[:SEQUENCE], "big") for piece in pieces]
            if min(map(len, pieces)) < SEQUENCE or numbers != list(range(sequence, sequence + len(pieces))):
                raise NotCarriedError("its frames are not in order")
            sequence += len(pieces)
            if not first or not all(frame):
                raise NotCarriedError("it has a frame of no size")
            items.append(shortened(reader.image([piece[SEQUENCE:] for piece in pieces], *frame)))
            frame = (0, 0)
        elif chunk.name == FRAME_CONTROL:
            if len(chunk.data) != CONTROL_SIZE or int.from_bytes(chunk.data[:SEQUENCE], "big") != sequence:
                raise NotCarriedError("its frames are not in order")
            sequence += 1
            frame = (int.from_bytes(chunk.data[4:8], "big"), int.from_bytes(chunk.data[8:12], "big"))
            items.append(chunk.name + chunk.data[SEQUENCE:])
        elif chunk.name == b"PLTE" and layout.mode == "P" and not palette and not first:
            palette = chunk.data
            items.append(PALETTE)
        else:
            items.append(chunk.name + chunk.data)
    if not first or (layout.mode == "P" and (not palette or len(palette) % 3 or len(palette) > 768)):
        raise NotCarriedError("it has no image data, or no palette")
    if before and before[-1] == PALETTE:
        before.pop()
    recipe, filters, sizes, more = first
    flags = (layout.depth if layout.depth in NARROW and layout.mode != "1" else 0) << 1 | layout.interlaced
    skeleton = shortened([recipe, filters, sizes, before, after, flags, tail, more])
    pictures = [Picture(s, layout.mode, palette, "RGB" if palette else "") for s in reader.samples]
    return Opened(pictures, skeleton)


def _runs(chunks: list[Chunk]) -> list[tuple[Chunk, list[bytes]]]:
    """Return chunks, those of image data that follow each other as one, with the data of all of them."""
    runs: list[tuple[Chunk, list[bytes]]] = []
    for chunk in chunks:
        if runs and chunk.name in (b"IDAT", FRAME_DATA) and runs[-1][0].name == chunk.name:
            runs[-1][1].append(chunk.data)
        else:
            runs.append((chunk, [chunk.data]))
    return runs
