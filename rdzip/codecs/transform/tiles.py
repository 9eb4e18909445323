"""A picture as a grid of strides, cut into tiles that are coded apart and transformed with what surrounds them.

A stride is a square of the model's `stride` pixels. The last row and column of strides may reach beyond the picture,
which then goes on with its last row and column of pixels.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rdzip.errors import CoderError, ModelError
from rdzip.exact.types import Pixels

TILE = 1024
"""Side of an encoder's tiles in pixels, at most."""
MAX_TILE_PIXELS = 1 << 22
"""Pixels of a tile that decoders take, which bounds their memory."""
MAX_TILES = 1 << 20
Int = NDArray[Any]


class Region(NamedTuple):
    """Strides top..bottom-1 of left..right-1."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def rows(self) -> int:
        """Height in strides."""
        return self.bottom - self.top

    @property
    def columns(self) -> int:
        """Width in strides."""
        return self.right - self.left

    def within(self, outer: Region) -> tuple[slice, slice]:
        """Rows and columns of this region, counted from where an outer one begins."""
        return (
            slice(self.top - outer.top, self.bottom - outer.top),
            slice(self.left - outer.left, self.right - outer.left),
        )


class Grid(NamedTuple):
    """A picture of rows x columns strides in tiles of tile_rows x tile_columns; those at its end may be smaller."""

    rows: int
    columns: int
    tile_rows: int
    tile_columns: int

    @classmethod
    def of(cls, shape: tuple[int, ...], stride: int) -> Grid:
        """An encoder's grid for a picture of `shape` [h, w, ...]: few tiles, of about the same size."""
        rows, columns = -(-shape[0] // stride), -(-shape[1] // stride)
        most = max(1, TILE // stride)
        return cls(rows, columns, -(-rows // -(-rows // most)), -(-columns // -(-columns // most)))

    @classmethod
    def read(cls, shape: tuple[int, ...], stride: int, tile_rows: int, tile_columns: int) -> Grid:
        """The grid that a payload states; CoderError if it cannot be."""
        grid = cls(-(-shape[0] // stride), -(-shape[1] // stride), tile_rows, tile_columns)
        if not (
            1 <= tile_rows <= grid.rows
            and 1 <= tile_columns <= grid.columns
            and tile_rows * tile_columns * stride * stride <= MAX_TILE_PIXELS
            and grid.number <= MAX_TILES
        ):
            raise CoderError(
                f"tiles of {tile_rows} x {tile_columns} do not suit {grid.rows} x {grid.columns}: the file is corrupt"
            )
        return grid

    @property
    def number(self) -> int:
        """Number of tiles."""
        return -(-self.rows // self.tile_rows) * -(-self.columns // self.tile_columns)

    def tiles(self) -> list[Region]:
        """The tiles by rows."""
        return [
            Region(y, min(y + self.tile_rows, self.rows), x, min(x + self.tile_columns, self.columns))
            for y in range(0, self.rows, self.tile_rows)
            for x in range(0, self.columns, self.tile_columns)
        ]

    def around(self, tile: Region, halo: int) -> Region:
        """A tile with up to `halo` strides on each side, as far as the picture goes."""
        return Region(
            max(0, tile.top - halo),
            min(self.rows, tile.bottom + halo),
            max(0, tile.left - halo),
            min(self.columns, tile.right + halo),
        )


def cut(pixels: Pixels, region: Region, stride: int) -> Pixels:
    """Pixels uint8 [rows, columns, 3] of a region of a picture [h, w] or [h, w, 3], whose last row and column go on."""
    height, width = pixels.shape[:2]
    y, x = region.top * stride, region.left * stride
    part = pixels[y : region.bottom * stride, x : region.right * stride]
    below, beyond = region.bottom * stride - height, region.right * stride - width
    if part.ndim == 2:
        part = np.repeat(part[:, :, None], 3, 2)
    if below > 0 or beyond > 0:
        part = np.pad(part, ((0, max(0, below)), (0, max(0, beyond)), (0, 0)), mode="edge")
    return np.array(part, np.uint8, order="C")


class Assembly:
    """Decoded latents of a whole picture by name, [channels, rows * k, columns * k], put together from tiles.

    They are kept in the smallest integers that hold them: padding makes many of few pixels of a narrow picture.
    """

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._arrays: dict[str, Int] = {}

    def put(self, tile: Region, decoded: dict[str, Int]) -> None:
        """Keep a tile's latents. Raises ModelError for sizes that are no multiples of the tile's."""
        for name, values in decoded.items():
            fine = values.shape[1] // tile.rows
            if values.ndim != 3 or values.shape[1:] != (tile.rows * fine, tile.columns * fine) or not fine:
                raise ModelError(f"model: expected latents {name!r} in multiples of its stride, found {values.shape}")
            whole = self._arrays.get(name)
            if whole is None:
                shape = (len(values), self._grid.rows * fine, self._grid.columns * fine)
                whole = self._arrays[name] = np.zeros(shape, np.int8)
            if values.size:
                kind = np.promote_types(whole.dtype, _kind(int(values.min()), int(values.max())))
                whole = self._arrays[name] = whole.astype(kind, copy=False)
            rows, columns = _finer(tile, fine)
            whole[:, rows, columns] = values

    def region(self, region: Region) -> dict[str, NDArray[np.int32]]:
        """Latents of a region, int32."""
        found = {}
        for name, whole in self._arrays.items():
            rows, columns = _finer(region, whole.shape[1] // self._grid.rows)
            found[name] = np.ascontiguousarray(whole[:, rows, columns], np.int32)
        return found


def _kind(low: int, high: int) -> type[np.signedinteger[Any]]:
    kinds = (np.int8, np.int16, np.int32)
    return next(kind for kind in kinds if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max)


def _finer(region: Region, fine: int) -> tuple[slice, slice]:
    return (
        slice(region.top * fine, region.bottom * fine),
        slice(region.left * fine, region.right * fine),
    )
