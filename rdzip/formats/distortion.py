"""How much two pictures differ."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from rdzip.formats.arrangement import STRIP

if TYPE_CHECKING:
    from numpy.typing import NDArray


def psnr(one: NDArray[Any], other: NDArray[Any], alpha: NDArray[Any] | None) -> float:
    """Return the peak signal-to-noise ratio in dB of uint8 or uint16 samples, infinite if they are equal.

    alpha: the samples' last channel, which is left out, and so are pixels where it is 0.
    """
    errors, count = 0.0, 0
    for y in range(0, len(one), STRIP):
        unlike = one[y : y + STRIP].astype(np.float32) - other[y : y + STRIP]
        if alpha is not None:
            unlike = unlike[..., :-1][alpha[y : y + STRIP] > 0]
        errors += float(np.square(unlike, dtype=np.float64).sum())
        count += unlike.size
    peak = int(np.iinfo(one.dtype).max)
    return 10 * math.log10(peak**2 * count / errors) if errors else math.inf


def largest_error(one: NDArray[Any], other: NDArray[Any]) -> int:
    """Return the largest difference of two samples, uint8 or uint16."""
    strips = range(0, len(one), STRIP)
    return max(int(np.abs(one[y : y + STRIP].astype(np.int32) - other[y : y + STRIP]).max()) for y in strips)
