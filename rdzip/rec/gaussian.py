"""Targets of the search: posteriors of latents where their priors are standard normal, and Gaussians near them.

A latent of prior p is the quantile of p at Phi(g), g standard normal. In g a posterior q has the density q(z(g)) /
p(z(g)) times that of g; the search takes the Gaussian of its mean and variance, and exact ratios q / p at its end.
Encoders only: floats.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from rdzip.exact.types import Float64
from rdzip.rec.schedule import BENDS

TOTAL = 1 << 24
SMALLEST = 1e-6
"""Variance."""


@dataclass(frozen=True)
class Targets:
    """Posteriors and priors of m latents, by distribution functions int [symbols + 1, m] of 2**24."""

    q: NDArray[np.integer]
    p: NDArray[np.integer]

    def _masses(self) -> tuple[Float64, Float64]:
        return np.diff(self.q, axis=0) / TOTAL, np.diff(self.p, axis=0) / TOTAL

    def divergence(self) -> Float64:
        """KL(q || p) of each latent in nats, float64 [m]."""
        q, p = self._masses()
        return np.asarray((q * np.log(q / p)).sum(0))

    def moments(self) -> tuple[Float64, Float64]:
        """Mean and variance of g under q, float64 [m] each."""
        q, p = self._masses()
        edges = torch.special.ndtri(torch.from_numpy(self.p / TOTAL)).numpy()
        edges = np.clip(edges, -40, 40)  # the ends, where densities are 0
        density = np.exp(-edges * edges / 2) / math.sqrt(2 * math.pi)
        first = (density[:-1] - density[1:]) / p
        second = 1 + ((edges * density)[:-1] - (edges * density)[1:]) / p
        mean = (q * first).sum(0)
        return mean, np.maximum((q * second).sum(0) - mean * mean, SMALLEST)

    def log_ratio(self, g: Float64) -> Float64:
        """ln q / p of the latents at values g [n, m], summed: float64 [n]."""
        u = torch.special.ndtr(torch.from_numpy(g)).numpy() * TOTAL
        column = np.arange(self.p.shape[1])
        symbol = np.zeros(g.shape, np.int64)
        count = len(self.p) - 1
        step = 1 << (count - 1).bit_length() - 1 if count > 1 else 0
        while step:
            tried = np.minimum(symbol + step, count)
            symbol = np.where((tried < count) & (self.p[tried, column] <= u), tried, symbol)
            step >>= 1
        mass_q = self.q[symbol + 1, column] - self.q[symbol, column]
        mass_p = self.p[symbol + 1, column] - self.p[symbol, column]
        return np.asarray(np.log(mass_q / mass_p).sum(1))


def partial_divergence(mean: Float64, variance: Float64, share: float) -> float:
    """KL in nats of the partial sum of variance ``share``: of its laws under Gaussians q and p, all variables.

    Given z, the partial sum is normal with mean share z and variance share (1 - share).
    """
    if share >= 1:
        return float(0.5 * (mean * mean + variance - 1 - np.log(variance)).sum())
    return float(0.5 * (share * (mean * mean + variance - 1) - np.log1p(-share * (1 - variance))).sum())


def fitted_bend(mean: Float64, variance: Float64, steps: int) -> int:
    """The bend of the schedule (rec/schedule.py) at which the KL of steps is most nearly the same."""
    k = np.arange(steps + 1)
    unevenness = []
    for c in BENDS:
        shares = k * (4 + c) / (4 * steps + c * k)
        nats = np.diff([partial_divergence(mean, variance, float(share)) for share in shares])
        unevenness.append(float((nats * nats).sum()))
    return int(np.argmin(unevenness))
