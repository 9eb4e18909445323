"""BD-rate: how much more rate one codec needs than another for the same PSNR (Bjontegaard 2001, VCEG-M33).

Between measured points, log rate is a piecewise cubic of PSNR that keeps their order (PCHIP, as in later revisions of
the method, which replaced the one cubic of 2001): slopes by Fritsch and Butland (1984).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

HALVINGS = 60
GAUSS = math.sqrt(1 / 3)
"""Gauss's rule with two points is exact for cubics."""


@dataclass(frozen=True)
class Interpolant:
    """A piecewise cubic through (x, y) with x rising and these slopes; between points it rises where they do."""

    x: Floats
    y: Floats
    slopes: Floats

    @classmethod
    def through(cls, x: Sequence[float], y: Sequence[float]) -> Interpolant:
        """Return the one through at least two points."""
        places, values = np.array(x, np.float64), np.array(y, np.float64)
        return cls(places, values, _slopes(places, values))

    def __call__(self, at: Floats) -> Floats:
        """Values at places within the range of x."""
        i = np.clip(np.searchsorted(self.x, at, side="right") - 1, 0, len(self.x) - 2)
        h = self.x[i + 1] - self.x[i]
        t = (at - self.x[i]) / h
        s = 1 - t
        ends = (1 + 2 * t) * s * s * self.y[i] + t * t * (3 - 2 * t) * self.y[i + 1]
        return ends + h * t * s * (s * self.slopes[i] - t * self.slopes[i + 1])

    def mean(self, low: float, high: float) -> float:
        """Mean over a range within that of x, exactly."""
        inside = self.x[(self.x > low) & (self.x < high)]
        ends = np.concatenate([[low], inside, [high]])
        middles, halves = (ends[1:] + ends[:-1]) / 2, np.diff(ends) / 2
        values = self(middles - halves * GAUSS) + self(middles + halves * GAUSS)
        return float(np.sum(values * halves) / (high - low))

    def inverse(self, value: float) -> float:
        """Return the x where a rising interpolant has that value; the end of its range where it has not."""
        low, high = float(self.x[0]), float(self.x[-1])
        if value <= self.y[0]:
            return low
        if value >= self.y[-1]:
            return high
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            if float(self(np.array([middle]))[0]) < value:
                low = middle
            else:
                high = middle
        return (low + high) / 2


def _slopes(x: Floats, y: Floats) -> Floats:
    h = np.diff(x)
    d = np.diff(y) / h
    if len(d) == 1:
        return np.repeat(d, 2)
    slopes = np.zeros(len(x))
    for k in range(1, len(d)):
        if d[k - 1] * d[k] > 0:
            a, b = 2 * h[k] + h[k - 1], h[k] + 2 * h[k - 1]
            slopes[k] = (a + b) / (a / d[k - 1] + b / d[k])
    slopes[0], slopes[-1] = _end(h[0], h[1], d[0], d[1]), _end(h[-1], h[-2], d[-1], d[-2])
    return slopes


def _end(h: float, h_next: float, d: float, d_next: float) -> float:
    """Slope at an end by three points, cut so that nothing overshoots."""
    slope = ((2 * h + h_next) * d - h * d_next) / (h + h_next)
    if slope * d <= 0:
        return 0.0
    if d * d_next <= 0 and abs(slope) > 3 * abs(d):
        return 3 * d
    return slope


@dataclass(frozen=True)
class BdRate:
    """percent: 100 (rate / rate of the anchor - 1), geometric mean over PSNRs from low to high, in dB."""

    percent: float
    low: float
    high: float


def useful(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Points (bpp, PSNR) in rising order without those at which another has the PSNR at no higher rate, and without
    infinite PSNR.
    """
    kept: list[tuple[float, float]] = []
    for rate, decibel in sorted(points, key=lambda point: (point[0], -point[1])):
        if math.isfinite(decibel) and rate > 0 and (not kept or decibel > kept[-1][1]):
            kept.append((rate, decibel))
    return kept


def bd_rate(
    anchor: Sequence[tuple[float, float]],
    points: Sequence[tuple[float, float]],
    rates: tuple[float, float] | None = None,
) -> BdRate | None:
    """Return the BD-rate of points (bits per pixel, PSNR in dB) against an anchor's, over the PSNRs that both have.

    >>> anchor = [(0.25, 30.0), (0.5, 33.0), (1.0, 36.0)]
    >>> round(bd_rate(anchor, [(0.9 * rate, psnr) for rate, psnr in anchor]).percent, 6)
    -10.0

    rates: cut both curves to these bits per pixel first. None where a curve has fewer than two useful points, or they
    have no PSNR in common.
    """
    curves = []
    for given in (anchor, points):
        kept = useful(given)
        if len(kept) < 2:
            return None
        curves.append(Interpolant.through([p for _, p in kept], [math.log(r) for r, _ in kept]))
    one, other = curves
    low, high = max(curve.x[0] for curve in curves), min(curve.x[-1] for curve in curves)
    if rates is not None:
        if any(curve.y[-1] <= math.log(rates[0]) or curve.y[0] >= math.log(rates[1]) for curve in curves):
            return None
        low = max(low, *(curve.inverse(math.log(rates[0])) for curve in curves))
        high = min(high, *(curve.inverse(math.log(rates[1])) for curve in curves))
    if not low < high:
        return None
    difference = other.mean(low, high) - one.mean(low, high)
    return BdRate(100 * math.expm1(difference), float(low), float(high))
