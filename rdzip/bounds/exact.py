"""The exact rate-distortion function of a Gaussian with independent coordinates, by reverse water-filling.

Cover & Thomas, "Elements of information theory", theorem 10.3.3: every coordinate is coded at distortion
min(variance, water level), and R = sum of ln(variance / level) / 2 over those above it. With D the mean over `dim`
coordinates the slope -dR/dD is dim / (2 level), so lambda alone gives the level.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdzip.bounds.point import Point, Report, check_lambdas
from rdzip.bounds.sources.base import Source
from rdzip.errors import InputError


@dataclass(frozen=True)
class Options:
    """No options: the result is exact."""


def water_filling(variances: NDArray[Any], lam: float) -> tuple[float, float]:
    """R in nats per sample and D as mean squared error where -dR/dD = lam; variances [dim], those of 0 cost nothing.

    Cover and Thomas (2006), theorem 10.3.3. The second of these coordinates lies below the water level of 1:

    >>> rate, mse = water_filling(np.array([4.0, 0.5]), lam=1.0)
    >>> round(rate, 4), mse  # ln(4) / 2, (1 + 0.5) / 2
    (0.6931, 0.75)
    """
    level = len(variances) / (2 * lam)
    distortions = np.minimum(variances, level)
    wet = variances > level
    rate = 0.5 * np.log(variances[wet] / level).sum()
    return float(rate), float(distortions.mean())


def solve(source: Source, lambdas: Sequence[float], options: Options, report: Report) -> list[Point]:
    """Return a point of R(D) for each lambda; InputError unless the source is Gaussian with independent coordinates."""
    if source.variances is None:
        raise InputError(
            f"{source.name}: its R(D) is not known exactly: expected a Gaussian of independent coordinates"
        )
    points = []
    for lam in check_lambdas(lambdas):
        start = time.perf_counter()
        rate, mse = water_filling(source.variances, lam)
        level = source.dim / (2 * lam)
        points.append(
            Point.measured(
                "exact",
                "exact",
                lam=lam,
                value=rate + lam * mse,
                mse=mse,
                error=0.0,
                samples=0,
                seconds=time.perf_counter() - start,
                level=level,
                coordinates_coded=int((source.variances > level).sum()),
            )
        )
        report(len(points) / len(lambdas), points[-1])
    return points
