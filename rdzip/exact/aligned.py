"""Cache-aligned arrays: they begin with a line of the cache, of 64 bytes.

numpy's begin anywhere, and half of the vectors in them lie in two lines.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LINE = 64
"""Bytes of a line."""


def aligned_zeros(count: int, dtype: type[np.generic]) -> NDArray[Any]:
    """Zeros [count] of a type whose size divides LINE."""
    size = np.dtype(dtype).itemsize
    found = np.zeros(count + LINE // size, dtype)
    first = -found.ctypes.data % LINE // size
    return found[first : first + count]


def aligned(array: NDArray[Any]) -> NDArray[Any]:
    """A cache-aligned copy of an array [n]."""
    found = aligned_zeros(len(array), array.dtype.type)
    found[:] = array
    return found
