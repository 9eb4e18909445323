"""What a picture was before it became pixels, where coding that takes less."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rdzip.system.strips import strips

if TYPE_CHECKING:
    from numpy.typing import NDArray

DEAR = 5
"""How many bits of such estimates a bit of exceptions counts for: mixing saves far less than estimates say."""
CLEARLY = 0.97
"""Share of the estimated bits of colours below which luma and chroma are taken to be smaller, unless the picture is so
small that both are tried."""


class Found(NamedTuple):
    """What to code in place of samples, what turns it into them, and whether quick statistics leave no doubt that this
    takes less."""

    samples: NDArray[np.uint8]
    description: bytes
    surely_smaller: bool


def described(samples: NDArray[Any]) -> Found | None:
    """Return what colours uint8 [h, w, 3..4] were made of, None if nothing is known of it or it takes more."""
    if samples.ndim != 3 or samples.shape[2] < 3 or samples.dtype != np.uint8:
        return None
    from rdzip.codecs.history import luma_chroma

    colour = samples[:, :, :3]
    number = luma_chroma.find(colour)
    found = None if number is None else luma_chroma.describe(colour, number)
    if found is None:
        return None
    planes, beside = found
    green = colour[:, :, 1]
    before = residual_bits(green) + sum(residual_bits(colour[:, :, c] - green) for c in (0, 2))
    after = sum(residual_bits(planes[:, :, c]) for c in range(3)) + DEAR * 8 * len(beside)
    if after >= before:
        return None
    if samples.shape[2] > 3:
        planes = np.concatenate([planes, samples[:, :, 3:]], axis=2)
    return Found(planes, beside, after < CLEARLY * before)


def residual_bits(plane: NDArray[np.uint8]) -> float:
    """Return the bits that the mean of the samples to the left and above leaves of a plane uint8 [h, w], by the entropy
    of the differences."""
    counts = np.zeros(256, np.int64)
    for s in strips(plane):
        part = plane[s]
        if len(part) > 1 and part.shape[1] > 1:
            mean = (part[1:, :-1].astype(np.uint16) + part[:-1, 1:] + 1) >> 1
            counts += np.bincount((part[1:, 1:] - mean.astype(np.uint8)).reshape(-1), minlength=256)
    used = counts[counts > 0]
    return float((used * np.log2(used.sum() / used)).sum()) if len(used) else 0.0
