"""Units of rate, distortion and lambda in the literature, converted to and from those of rdzip, here and only here.

Ours: rate in nats per source sample, distortion as squared error, mean over dimensions (images: samples in 0..1),
lambda = -dR/dD. Where a paper minimises r R + l d D, with factors r and d for its units, our lambda is l d / r.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from rdzip.errors import InputError

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Convention:
    """Units of some papers: their rate is rate(shape) times ours, their distortion distortion(shape) times ours."""

    rate: Callable[[Shape], float]
    distortion: Callable[[Shape], float]

    def rate_nats(self, rate: float, shape: Shape) -> float:
        """Nats per sample, of a rate of theirs."""
        return rate / self.rate(shape)

    def mse(self, distortion: float, shape: Shape) -> float:
        """Mean squared error, of a distortion of theirs."""
        return distortion / self.distortion(shape)

    def lam(self, theirs: float, shape: Shape) -> float:
        """Lambda in nats per unit of mean squared error, of the l with which they minimise rate + l * distortion."""
        return theirs * self.distortion(shape) / self.rate(shape)

    def their_rate(self, nats: float, shape: Shape) -> float:
        """Return their rate, of nats per sample."""
        return nats * self.rate(shape)


def _one(shape: Shape) -> float:
    return 1.0


def _per_dim(shape: Shape) -> float:
    return 1 / math.prod(shape)


def _bits(shape: Shape) -> float:
    return 1 / math.log(2)


def _bits_per_dim(shape: Shape) -> float:
    return 1 / math.log(2) / math.prod(shape)


def _bits_per_pixel(shape: Shape) -> float:
    if len(shape) != 3:
        raise InputError(
            f"bits per pixel are of images [height, width, channels], found samples of shape {list(shape)}"
        )
    return 1 / math.log(2) / (shape[0] * shape[1])


CONVENTIONS = {
    "nats": Convention(_one, _one),
    "nats-per-dim": Convention(_per_dim, _one),
    "bits": Convention(_bits, _one),
    "bits-per-dim": Convention(_bits_per_dim, _one),
    "bpp-255": Convention(
        _bits_per_pixel,
        lambda shape: 255.0**2,
    ),
    "half-sse": Convention(_one, lambda s: math.prod(s) / 2),
    "sse": Convention(_one, lambda shape: float(math.prod(shape))),
}


def convention(name: str) -> Convention:
    """Return the convention of that name; InputError if there is none.

    Learned image compression minimises bits per pixel + l MSE on 0..255; l = 0.01 of images 256 x 256 in our units:

    >>> round(convention("bpp-255").lam(0.01, (256, 256, 3)))
    29538317
    """
    try:
        return CONVENTIONS[name]
    except KeyError:
        raise InputError(f"no such units: {name!r}; expected one of {', '.join(CONVENTIONS)}") from None
