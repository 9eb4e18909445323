"""A PNG from its pictures and its skeleton, as docs/reference/carriers.md says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdzip.formats.carriers.deflate import rebuild
from rdzip.formats.carriers.png.chunks import LARGEST_DATA, SIGNATURE, Chunk, cut
from rdzip.formats.carriers.png.filters import FILTERS, RULES, apply, choose, distances
from rdzip.formats.carriers.png.layout import COLOURS, NARROW, Layout, to_bytes
from rdzip.formats.carriers.raw.checks import fields, integer, octets, require
from rdzip.formats.images.picture import Picture
from rdzip.system import limits

MEMORY_A_BYTE = 4
"""Bytes that making rows takes for each of theirs."""
CONTROL_SIZE = 26


def close(pictures: Sequence[Picture], skeleton: Any) -> bytes:
    """Return the file."""
    recipe, filters, sizes, before, after, flags, tail, more = fields(skeleton, 8)
    before, after = before or [], after or []
    require(isinstance(before, list) and isinstance(after, list), "a skeleton lacks a list of chunks")
    require(len(pictures) == 1 + sum(isinstance(item, list) for item in after), "a skeleton has other frames")
    first = pictures[0]
    layout = _layout(first, integer(flags, 9))
    for picture in pictures:
        same = (picture.mode, picture.palette, picture.palette_mode) == (first.mode, first.palette, first.palette_mode)
        require(same and max(picture.shape[:2]) <= LARGEST_DATA, "frames differ in what they share")
    palette = [] if first.mode != "P" else [Chunk(b"PLTE", first.palette)]
    if palette and 0 not in before:
        before = [*before, 0]
    out = _Writer()
    out.put(Chunk(b"IHDR", layout.header(first.shape[1], first.shape[0])))
    for item in before:
        if item == 0 and not isinstance(item, bytes):
            require(palette, "a skeleton has a palette too many")
            out.put(palette.pop())
        else:
            out.item(item)
    out.image(cut(_stream(first, layout, recipe, filters, more), sizes), first=True)
    frames = iter(pictures[1:])
    for item in after:
        if isinstance(item, list):
            recipe, filters, sizes, more = fields(item, 4)
            out.image(cut(_stream(next(frames), layout, recipe, filters, more), sizes), first=False)
        else:
            out.item(item)
    out.put(Chunk(b"IEND", b""))
    return b"".join([*out.parts, octets(tail or b"")])


class _Writer:
    """The file so far, and the next number of a frame's chunks."""

    def __init__(self) -> None:
        self.parts = [SIGNATURE]
        self.sequence = 0

    def put(self, chunk: Chunk) -> None:
        """Add a chunk."""
        require(len(chunk.data) <= LARGEST_DATA, "a chunk is too long")
        self.parts.append(chunk.whole)

    def item(self, item: Any) -> None:
        """Add a chunk of a skeleton: name and data."""
        item = octets(item)
        require(len(item) >= 4, "a skeleton has a chunk without a name")
        name, data = item[:4], item[4:]
        if name == b"fcTL":
            require(len(data) == CONTROL_SIZE - 4, "a skeleton has a frame without its size")
            data = self._number() + data
        self.put(Chunk(name, data))

    def image(self, pieces: list[bytes], first: bool) -> None:
        """Add a stream in pieces."""
        for piece in pieces:
            self.put(Chunk(b"IDAT", piece) if first else Chunk(b"fdAT", self._number() + piece))

    def _number(self) -> bytes:
        self.sequence += 1
        return (self.sequence - 1).to_bytes(4, "big")


def _layout(picture: Picture, flags: int) -> Layout:
    """Return what a picture and the flags of a skeleton say of the file; FormatError if they do not suit."""
    mode, depth = picture.mode, flags >> 1
    require(mode in COLOURS, "no PNG has such pictures")
    if depth:
        require(mode in ("L", "P") and depth in NARROW, "a skeleton has no such depth")
        require(int(picture.samples.max()) < 1 << depth, "samples have more bits than a skeleton says")
    if mode == "1":
        depth = 1
        require(int(picture.samples.max()) <= 1, "samples have more bits than a skeleton says")
    if mode == "P":
        require(picture.palette_mode == "RGB" and len(picture.palette) % 3 == 0, "a palette is not RGB")
    return Layout(COLOURS[mode], depth or (16 if mode.endswith(";16") else 8), bool(flags & 1))


def _stream(picture: Picture, layout: Layout, recipe: Any, filters: Any, more: Any) -> bytes:
    """Return the stream of a picture."""
    more = more or {}
    require(isinstance(more, dict) and set(more) <= {1, 2, 3}, "a skeleton lacks a map")
    padding, behind, rest = (octets(more.get(key, b"")) for key in (1, 2, 3))
    height, width = picture.shape[:2]
    passes = layout.passes(width, height)
    size = sum(p.rows * (p.row_bytes + 1) for p in passes)
    limits.claim_memory(MEMORY_A_BYTE * size, f"the rows of {width} x {height} pixels")
    rows_in_all = sum(p.rows for p in passes)
    require(len(padding) in (0, rows_in_all), "a skeleton has padding for other rows")
    data = np.empty(size, np.uint8)
    at = done = 0
    for place, rows, row_bytes in passes:
        px = to_bytes(picture.samples[place], layout.depth)
        require(px.shape == (rows, row_bytes), "a picture has other rows")
        if padding:
            unused = np.frombuffer(padding, np.uint8)[done : done + rows]
            most = px.shape[1] * 8 - picture.samples[place].shape[1] * layout.depth
            require(layout.depth < 8 and int(unused.max()) < 1 << most, "a skeleton has padding for other rows")
            px[:, -1] |= unused
        px = px.reshape(-1)
        kinds = _kinds(filters, px, rows, row_bytes, layout.distance, done, rows_in_all)
        apply(px, rows, row_bytes, layout.distance, kinds, data, at)
        at += rows * (row_bytes + 1)
        done += rows
    return rebuild(data.tobytes() + behind, recipe) + rest


def _kinds(
    code: Any, px: NDArray[np.uint8], rows: int, row_bytes: int, distance: int, done: int, rows_in_all: int
) -> NDArray[np.uint8]:
    """Return the filters of a pass.

    - code: of the skeleton; done: rows of passes before; rows_in_all: rows of all passes
    - px, rows, row_bytes, distance: the pass, as `filters.apply` takes it
    """
    if isinstance(code, int) and 0 <= code < FILTERS:
        return np.full(rows, code, np.uint8)
    difference = b""
    if isinstance(code, list):
        require(len(code) == 2, "a skeleton lacks filters")
        code, difference = code[0], octets(code[1])
        require(len(difference) == rows_in_all, "a skeleton has filters for other rows")
    if isinstance(code, bytes):
        require(len(code) == rows_in_all and max(code) < FILTERS, "a skeleton has filters for other rows")
        return np.frombuffer(code, np.uint8)[done : done + rows].copy()
    rule = integer(code, FILTERS + len(RULES) - 1) - FILTERS
    require(rule >= 0, "a skeleton lacks filters")
    kinds = choose(distances(px, rows, row_bytes, distance), rule)
    if difference:
        kinds = (kinds + np.frombuffer(difference, np.uint8)[done : done + rows] % FILTERS) % FILTERS
    return kinds.astype(np.uint8)
