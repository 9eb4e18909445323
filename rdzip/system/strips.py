"""Strips of rows of about the same size whatever the shape.

So comparing and hashing an image takes neither much memory nor a step for each of many short rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

STRIP = 1 << 18
"""Samples of a strip, where a row has not more."""


def strips(samples: NDArray[Any], size: int = STRIP) -> Iterator[slice]:
    """Rows (the first axis) of each strip of samples, about ``size`` samples."""
    rows = max(1, size * len(samples) // max(1, samples.size))
    for first in range(0, len(samples), rows):
        yield slice(first, min(first + rows, len(samples)))


def same(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Whether samples of one shape and type are the same bit for bit."""
    return all(
        np.array_equal(np.ascontiguousarray(one[s]).view(np.uint8), np.ascontiguousarray(other[s]).view(np.uint8))
        for s in strips(one)
    )
