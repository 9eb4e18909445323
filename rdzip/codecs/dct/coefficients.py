"""What the codec dct takes and gives: the quantised DCT coefficients of an image, as a JPEG holds them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rdzip.exact.types import Int16
from rdzip.models.dct_mixing.zigzag import ZIGZAG

__all__ = ["ZIGZAG", "Coefficients", "Component"]


@dataclass(frozen=True, eq=False)
class Component:
    """One component of an image: its quantised coefficients and how they were quantised.

    coefficients: int16 [rows, columns, 64], a block in natural order (8 v + u: v vertical, u horizontal frequency);
        DC as it is, not its difference. Rows and columns are those that the image's MCUs have; of a single component,
        those that its samples need. Blocks that no scan has are zeros.
    quantisation: uint16 [64], steps in natural order.
    sampling: horizontal and vertical sampling factor, 1 to 4 (ITU-T T.81, A.1.1).
    """

    coefficients: Int16
    quantisation: NDArray[np.uint16]
    sampling: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Coefficients:
    """An image of 1 to 4 components, in the order of its frame header."""

    components: tuple[Component, ...]


def together(coefficients: Coefficients) -> Int16:
    """Return the coefficients of all components one after the other, int16 [64 * blocks]: the array of which they all
    are parts, if there is one, else a copy."""
    parts = [component.coefficients for component in coefficients.components]
    whole, at = parts[0].base, 0
    if isinstance(whole, np.ndarray) and whole.ndim == 1:
        for part in parts:
            inside = part.ctypes.data - whole.ctypes.data == 2 * at
            if not (inside and part.base is whole and part.dtype == whole.dtype and part.flags.c_contiguous):
                break
            at += part.size
        if at == whole.size:
            return whole
    return np.concatenate([part.reshape(-1) for part in parts])
