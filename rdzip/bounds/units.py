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

    about: str
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

    def their_distortion(self, mse: float, shape: Shape) -> float:
        """Return their distortion, of a mean squared error."""
        return mse * self.distortion(shape)

    def their_lam(self, lam: float, shape: Shape) -> float:
        """Return their l, of our lambda."""
        return lam * self.rate(shape) / self.distortion(shape)


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
    "nats": Convention("ours; RD-sandwich ba.py, rdlb.py, rdub_mlp.py --nats", _one, _one),
    "nats-per-dim": Convention("RD-sandwich rdub_mlp.py --nats --rpd", _per_dim, _one),
    "bits": Convention("RD-sandwich rdub_mlp.py", _bits, _one),
    "bits-per-dim": Convention("RD-sandwich rdub_mlp.py --rpd", _bits_per_dim, _one),
    "bpp-255": Convention(
        "learned image compression (RD-sandwich resnet_vae.py, tensorflow/compression, CompressAI): bits per pixel, "
        "squared error on 0..255, mean over samples",
        _bits_per_pixel,
        lambda shape: 255.0**2,
    ),
    "half-sse": Convention(
        "WGD (Yang et al. 2023): nats, half the squared error, summed", _one, lambda s: math.prod(s) / 2
    ),
    "sse": Convention("nats, squared error, summed over dimensions", _one, lambda shape: float(math.prod(shape))),
}


def convention(name: str) -> Convention:
    """Return the convention of that name; InputError if there is none."""
    try:
        return CONVENTIONS[name]
    except KeyError:
        raise InputError(f"no such units: {name!r}; expected one of {', '.join(CONVENTIONS)}") from None


def psnr(mse: float) -> float:
    """Peak signal to noise ratio in dB of a mean squared error of samples in 0..1; infinite for 0."""
    return -10 * math.log10(mse) if mse > 0 else math.inf


def mse_of_psnr(decibel: float) -> float:
    """Mean squared error of samples in 0..1 at a peak signal to noise ratio in dB."""
    return float(10 ** (-decibel / 10))
