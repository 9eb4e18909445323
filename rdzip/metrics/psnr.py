"""Peak signal-to-noise ratio (PSNR), and the largest error, of two images.

PSNR = 10 log10(peak^2 / MSE) in dB.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from rdzip.system.strips import strips

if TYPE_CHECKING:
    from numpy.typing import NDArray


def psnr(one: NDArray[Any], other: NDArray[Any], alpha: NDArray[Any] | None) -> float:
    """Return the peak signal-to-noise ratio in dB of uint8 or uint16 samples, infinite if they are equal.

    alpha: the samples' last channel, which is left out, and so are pixels where it is 0.
    """
    errors, count = 0.0, 0
    for s in strips(one):
        unlike = one[s].astype(np.float32) - other[s]
        if alpha is not None:
            unlike = unlike[..., :-1][alpha[s] > 0]
        errors += float(np.square(unlike, dtype=np.float64).sum())
        count += unlike.size
    peak = int(np.iinfo(one.dtype).max)
    return 10 * math.log10(peak**2 * count / errors) if errors else math.inf


def largest_error(one: NDArray[Any], other: NDArray[Any]) -> int:
    """Return the largest difference of two samples, uint8 or uint16."""
    return max(int(np.abs(one[s].astype(np.int32) - other[s]).max()) for s in strips(one))


def psnr_of_mse(mse: float) -> float:
    """Return the PSNR in dB of a mean squared error of samples in 0..1; infinite for 0.

    >>> round(psnr_of_mse(0.001), 6)
    30.0
    """
    return -10 * math.log10(mse) if mse > 0 else math.inf


def mse_of_psnr(decibel: float) -> float:
    """Return the mean squared error of samples in 0..1 at a PSNR in dB, the inverse of `psnr_of_mse`."""
    return float(10 ** (-decibel / 10))
