"""Multi-scale structural similarity, MS-SSIM (Wang, Simoncelli and Bovik 2003), on RGB, channels averaged."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the five scales, from the finest (Wang et al., section 3.2)."""
WINDOW = 11
SIGMA = 1.5
SMALLEST = WINDOW << (len(WEIGHTS) - 1)
"""Side from which an image has a whole window at every scale."""
C1, C2 = 0.01**2, 0.03**2  # of samples in 0..1

Plane = NDArray[np.float32]


def ms_ssim(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float | None:
    """Multi-scale structural similarity of two images uint8 [h, w, channels], at most 1; None for sides below 176.

    Computed for each channel, then averaged, as papers on learned compression do. Only windows wholly inside count.
    Scales are halved by averages of 2 x 2, of an odd side's last row or column with itself. A scale whose mean
    structure is negative counts as 0.
    """
    if min(a.shape[:2]) < SMALLEST:
        return None
    if np.array_equal(a, b):
        return 1.0
    channels = [_of_plane(_plane(a[..., c]), _plane(b[..., c])) for c in range(a.shape[2])]
    return float(np.mean(channels))


def _plane(samples: NDArray[np.uint8]) -> Plane:
    # About zero: a variance is a difference of squares, and loses less where these are small.
    plane: Plane = samples.astype(np.float32) / np.float32(255)
    plane -= np.float32(0.5)
    return plane


def _of_plane(x: Plane, y: Plane) -> float:
    product = 1.0
    for scale, weight in enumerate(WEIGHTS):
        if scale:
            x, y = _halved(x), _halved(y)
        similarity, structure = _similarity(x, y)
        last = scale == len(WEIGHTS) - 1
        product *= max(similarity if last else structure, 0.0) ** weight
    return product


def _similarity(x: Plane, y: Plane) -> tuple[float, float]:
    """Mean of SSIM over all windows, and of its part without luminance (contrast and structure)."""
    mx, my = _blurred(x), _blurred(y)
    vx, vy, cov = _blurred(x * x) - mx * mx, _blurred(y * y) - my * my, _blurred(x * y) - mx * my
    structure = (2 * cov + C2) / (vx + vy + C2)
    mx += np.float32(0.5)
    my += np.float32(0.5)
    luminance = (2 * mx * my + C1) / (mx * mx + my * my + C1)
    return float(np.mean(luminance * structure, dtype=np.float64)), float(np.mean(structure, dtype=np.float64))


def _blurred(x: Plane) -> Plane:
    """Gaussian averages over windows of 11 x 11: [h, w] to [h - 10, w - 10]."""
    half = WINDOW // 2
    taps = np.exp(-(np.arange(-half, half + 1) ** 2) / (2 * SIGMA**2))
    taps = (taps / taps.sum()).astype(np.float32)
    for _ in range(2):
        n = len(x) - WINDOW + 1
        total = taps[half] * x[half : half + n]
        for k in range(half):
            pair = x[k : k + n] + x[WINDOW - 1 - k : WINDOW - 1 - k + n]
            pair *= taps[k]
            total += pair
        x = total.T
    return x


def _halved(x: Plane) -> Plane:
    h, w = x.shape
    x = np.pad(x, ((0, h % 2), (0, w % 2)), mode="edge")
    total: Plane = x[::2, ::2] + x[1::2, ::2] + x[::2, 1::2] + x[1::2, 1::2]
    total *= np.float32(0.25)
    return total
