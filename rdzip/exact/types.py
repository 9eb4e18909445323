"""Names of numpy arrays by the type of their elements, for annotations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Int16 = NDArray[np.int16]
Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]
UInt32 = NDArray[np.uint32]
UInt64 = NDArray[np.uint64]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

Pixels = NDArray[np.uint8]
"""Samples of 8 bits of a picture, [height, width] or [height, width, channels]."""
