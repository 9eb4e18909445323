"""Defaults of a run: the methods that suit a source, and the lambdas that show its curve."""

from __future__ import annotations

import math

import numpy as np

from rdzip.bounds import methods
from rdzip.bounds.methods import IMAGES, kinds, why_not
from rdzip.bounds.sources.base import Source
from rdzip.errors import InputError

SANDWICH = "sandwich"
FULL, QUICK = (1.0, 3.0, 10.0, 30.0, 100.0), (1.0, 3.0, 10.0)
"""lambda of vectors, in units of dim / (2 mse) where the mse is the mean variance: rates from little up."""
BANANA = (0.3, 0.55, 1.0, 1.7, 3.0, 5.5, 10.0, 17.0, 30.0)
IMAGE_LAMBDAS = (0.0025, 0.005, 0.01, 0.02, 0.04, 0.08)
"""lambda of images in bits per pixel per squared error on 0..255, as papers on image compression have it."""
SMALLEST = 1e-16
"""Of variances for which lambdas are chosen."""
MOST_SAMPLES = 20000
MIXTURE_DIM = 4
"""Dimensions up to which the sandwich leaves it at a mixture of Gaussians."""


def suited(source: Source) -> list[str]:
    """Return the methods of a sandwich of this source: the best upper ones, a lower one, and what is exact or nearly.

    No autoencoder where a mixture of Gaussians is as good and faster: for Gaussians and in a few dimensions.
    """
    easy = source.variances is not None or source.dim <= MIXTURE_DIM
    suit = [entry for entry in methods.METHODS.values() if entry.sandwich and why_not(entry, source) is None]
    return [entry.name for entry in suit if not (easy and entry.name == "vae")]


def default_lambdas(source: Source, *, quick: bool = False) -> tuple[float, ...]:
    """Return lambdas, in nats per unit of mean squared error, that show the interesting part of a source's R(D)."""
    if IMAGES in kinds(source):
        height, width, _ = source.shape
        factor = height * width * math.log(2) * 255**2
        chosen = IMAGE_LAMBDAS[2:3] if quick else IMAGE_LAMBDAS
        return tuple(lam * factor for lam in chosen)
    if source.name == "banana" and source.dim == 2:
        return BANANA[2:-1:2] if quick else BANANA
    steps = QUICK if quick else FULL
    if source.variances is not None:
        return tuple(source.dim / 2 * step for step in steps)
    variance = mean_variance(source)
    if not SMALLEST <= variance <= 1 / SMALLEST:
        raise InputError(
            f"{source.name}: expected samples with a variance of {SMALLEST:g} to {1 / SMALLEST:g}, found "
            f"{variance:.3g}: scale them, or name `lambdas`"
        )
    first = round(2 * math.log10(source.dim / (2 * variance)))
    return tuple(_round_number(first + index) for index in range(len(steps)))


def mean_variance(source: Source) -> float:
    """Return the variance of a coordinate, mean over coordinates: about the distortion at rate 0."""
    count = max(64, min(MOST_SAMPLES, 2**22 // source.dim))
    samples = source.train(count, np.random.default_rng(0)).reshape(count, -1)
    return float(samples.var(0, dtype=np.float64).mean())


def _round_number(half_decades: int) -> float:
    """Return 1, 3, 10, 30, ... for 0, 1, 2, 3, ..., and 0.3, 0.1, ... for -1, -2, ..."""
    return float(f"{10 ** (half_decades / 2):.1g}")
