"""Another component of an image at a component's resolution: its coefficients as they are, or of blocks put together.

Where a component has twice or four times as many blocks one way, the blocks that lie in one of the other's are scaled
down as they are put together: of each, the lowest frequencies make 4 or 2 samples, and those of all are transformed as
one block (Dugad & Ahuja 2001, "A fast scheme for image size change in the compressed domain", section II).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from rdzip.exact.compiled import compiled
from rdzip.exact.types import Int16, Int64

ONE = 13
"""log2 of 1 in the tables."""
HALVES = (
    (4096, 0, 0, 0, 3711, 1703, -306, 94, 0, 4096, 0, 0, -1303, 3240, 2102, -400,
     0, 0, 4096, 0, 871, -1444, 3146, 2009, 0, 0, 0, 4096, -738, 1138, -1537, 3546),
    (4096, 0, 0, 0, -3711, 1703, 306, 94, 0, -4096, 0, 0, 1303, 3240, -2102, -400,
     0, 0, 4096, 0, -871, -1444, -3146, 2009, 0, 0, 0, -4096, 738, 1138, 1537, 3546),
)  # fmt: skip
QUARTERS = (
    (2048, 0, 2624, 216, 1892, 784, 922, 1487, 0, 2048, -616, 2225, -784, 1892, -522, 1087),
    (2048, 0, 1087, 522, -1892, 784, -2225, -616, 0, -2048, 1487, -922, 784, 1892, -216, 2624),
    (2048, 0, -1087, 522, -1892, -784, 2225, -616, 0, 2048, -1487, -922, 784, -1892, 216, 2624),
    (2048, 0, -2624, 216, 1892, -784, -922, 1487, 0, -2048, 616, 2225, -784, -1892, 522, 1087),
)
"""Of the halves and quarters of a block in turn, [8 frequencies, 8 / f of the parts], in 2**-13:
sum over samples x of a part of phi_8(u, x) phi_n(w, x) / sqrt f, phi being the cosines of the orthonormal DCT."""
RATIOS = (1, 2, 4)


@lru_cache(maxsize=3)
def table(ratio: int) -> Int64:
    """The tables of a ratio, int64 [ratio * 8 * 8 / ratio], flat."""
    if ratio == 1:
        return np.eye(8, dtype=np.int64).reshape(-1) << ONE
    return np.array(HALVES if ratio == 2 else QUARTERS, np.int64).reshape(-1)


def resampled(
    blocks: Int16, steps: Int64, size: tuple[int, int], ratios: tuple[int, int], target: tuple[int, int]
) -> Int16:
    """Coefficients of a component at another's resolution, not quantised, in whole units, int16 [rows * columns * 64].

    - blocks: int16, those of the component, flat
    - steps: int64 [64], its quantisation
    - size: its rows and columns of blocks
    - ratios: how many of its blocks lie in one of the other's, vertically and horizontally, each one of RATIOS
    - target: rows and columns of the other
    """
    found = np.zeros(target[0] * target[1] * 64, np.int16)
    _resample(blocks, steps, *size, table(ratios[0]), table(ratios[1]), *ratios, *target, np.zeros(64, np.int64), found)
    return found


@compiled
def _resample(
    blocks: Int16,
    steps: Int64,
    rows: int,
    columns: int,
    vertical: Int64,
    horizontal: Int64,
    down: int,
    across: int,
    target_rows: int,
    target_columns: int,
    sums: Int64,
    found: Int16,
) -> None:
    """Fill coefficients at another resolution.

    - blocks, steps, rows, columns: a component
    - vertical, horizontal: tables of the ratios
    - down, across: the ratios
    - target_rows, target_columns: of the other component
    - sums: int64 [64], room
    - found: filled
    """
    high, wide = 8 // down, 8 // across
    for y in range(target_rows):
        for x in range(target_columns):
            for i in range(64):
                sums[i] = 0
            for j in range(down):
                for i in range(across):
                    row, column = y * down + j, x * across + i
                    if row < rows and column < columns:
                        base = (row * columns + column) * 64
                        for v in range(high):
                            for u in range(wide):
                                t = np.int64(blocks[base + 8 * v + u]) * steps[8 * v + u]
                                if t:
                                    for a in range(8):
                                        part = t * vertical[(j * 8 + a) * high + v]
                                        if part:
                                            for b in range(8):
                                                sums[8 * a + b] += part * horizontal[(i * 8 + b) * wide + u]
            at = (y * target_columns + x) * 64
            for i in range(64):
                found[at + i] = min(max((sums[i] + (1 << (2 * ONE - 1))) >> (2 * ONE), -32768), 32767)
