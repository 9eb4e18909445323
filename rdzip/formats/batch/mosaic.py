"""Many small images of one size as one large picture, and back: so that picture codecs can code arrays of images."""

from __future__ import annotations

from math import isqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from rdzip.errors import FormatError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def columns_of(count: int, height: int, width: int) -> int:
    """Return how many items stand side by side for a mosaic that is about square: 1..count."""
    return max(1, min(count, isqrt(count * height // width)))


def join(items: NDArray[Any]) -> NDArray[Any]:
    """Return the mosaic of items [n, h, w] or [n, h, w, c], row after row; what is left of the last row is 0."""
    count, height, width = items.shape[:3]
    columns = columns_of(count, height, width)
    rows = -(-count // columns)
    rest = items.shape[3:]
    grid = np.zeros((rows * columns, height, width, *rest), items.dtype)
    grid[:count] = items
    grid = grid.reshape(rows, columns, height, width, *rest).swapaxes(1, 2)
    return np.ascontiguousarray(grid.reshape(rows * height, columns * width, *rest))


def split(mosaic: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Return the items [n, h, w] or [n, h, w, c] of a mosaic; FormatError if its size is not that of such a mosaic."""
    count, height, width = shape[:3]
    columns = mosaic.shape[1] // width
    rows = -(-count // max(columns, 1))
    if mosaic.shape != (rows * height, columns * width, *shape[3:]) or not 1 <= columns <= count:
        raise FormatError(
            f"header is inconsistent: a mosaic of {list(mosaic.shape)} for items of {list(shape)}; the file is corrupt"
        )
    grid = mosaic.reshape(rows, height, columns, width, *shape[3:]).swapaxes(1, 2)
    return np.ascontiguousarray(grid.reshape(rows * columns, *shape[1:])[:count])
