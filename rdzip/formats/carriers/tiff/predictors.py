"""What is done to rows of samples before they are compressed: differences, and bytes of floats put apart.

Source: TIFF 6.0, section 14; TIFF Technical Note 3, "Floating Point Predictor".
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

NONE, DIFFERENCES, FLOATS = 1, 2, 3
"""Values of the tag Predictor."""


def apply(samples: NDArray[Any], channels: int, predictor: int) -> NDArray[Any]:
    """Return what is compressed, for rows [h, w * channels] of uint8, uint16 or uint32; of FLOATS as bytes."""
    if predictor == DIFFERENCES:
        result = samples.copy()
        result[:, channels:] -= samples[:, :-channels]
        return result
    if predictor == FLOATS:
        height, width = samples.shape
        size = samples.dtype.itemsize
        parts = samples.astype(samples.dtype.newbyteorder(">")).view(np.uint8).reshape(height, width, size)
        return apply(parts.transpose(0, 2, 1).reshape(height, width * size), channels, DIFFERENCES)
    return samples


def undo(rows: NDArray[Any], channels: int, predictor: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the samples of what was compressed. dtype: theirs."""
    if predictor == DIFFERENCES:
        height, width = rows.shape
        apart = rows.reshape(height, width // channels, channels)
        return np.cumsum(apart, axis=1, dtype=rows.dtype).reshape(height, width)
    if predictor == FLOATS:
        size = dtype.itemsize
        height, width = rows.shape[0], rows.shape[1] // size
        parts = undo(rows, channels, DIFFERENCES, dtype).reshape(height, size, width).transpose(0, 2, 1)
        return np.ascontiguousarray(parts).view(dtype.newbyteorder(">")).reshape(height, width).astype(dtype)
    return rows
