"""From the u_q of a fitted mixture to a weight whose lower bound is higher: sup_y C(y) comes down.

The fit makes E[-log u] as small as can be and leaves sup_y C(y) where the source is rare; a lower bound wants both
small. The lifts of QuadraticU are chosen from a table, by draws around each y from the density of the source.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from rdzip.bounds.lower.ck import DensityObjective, Objective, Shape, starting_points
from rdzip.bounds.lower.weights import Density, QuadraticU
from rdzip.bounds.upper.mixture_law import Mixture

FAR = -12.0
"""Logarithm of a floor that is none, relative to the mean of log u."""
SHARES = (-4.0, -3.0, -2.0, -1.5, -1.0, -0.7, -0.4, -0.2, -0.1, -0.05, -0.02, 0.0)
"""Candidates for the logarithm of the share of the density."""
SCALES = (-0.3, -0.7, -1.5, -3.0, -50.0)
"""Candidates for the logarithm of the scale of v beside the density with share 1."""
ROOTS = (-12.0, -7.0, -5.0, -4.0, -3.0, -2.0)
"""Candidates for the logarithm of root, relative to half of the mean of log u."""
ROUNDS = 2  # draws on which weights are compared
KEPT = 24  # highest y of a draw that are looked at
PRECISION = 512  # draws around each y where there is a density


@dataclass(frozen=True)
class Setting:
    """What tuning works with: training samples at will, and the density of the source.

    pool [m, dim]: where to look for the supremum.
    """

    draw: Callable[[int], Tensor]
    density: Density
    shape: Shape
    pool: Tensor
    seed: int


@dataclass(frozen=True)
class Batch:
    """x [n, dim] for E[log u]; log C(y_i) = log mean_j exp(terms_ij - log u(points_j)).

    points [k, dim] or [m, k, dim], terms [m, k].
    """

    x: Tensor
    points: Tensor
    terms: Tensor

    def joined(self, other: Batch) -> Batch:
        """Return the batch with the y of another of the same samples too."""
        points = self.points if self.points.ndim == 2 else torch.cat([self.points, other.points])
        return Batch(self.x, points, torch.cat([self.terms, other.terms]))

    def log_c(self, log_u: Tensor) -> Tensor:
        """Return log C [m] from log u at the points."""
        return (self.terms - log_u).logsumexp(1) - math.log(self.terms.shape[1])


def batch(u: QuadraticU, s2: float, setting: Setting, seed: int, x: Tensor) -> Batch:
    """Return a batch with the y that are highest under a weight, out of the pool and moved uphill.

    - u: the weight
    - s2: variance of the kernel in each coordinate
    - setting: what tuning works with, among it the pool
    - seed: of the draws
    - x: samples [n, dim]
    """
    make = (setting.density, u, s2, setting.shape)
    y = _highest(DensityObjective(*make, 64, seed), setting.pool, 4 * KEPT, 1)
    draws = DensityObjective(*make, PRECISION, seed + 1)
    points, terms = draws.terms(_highest(draws, y, KEPT, 2))
    return Batch(x, points, terms)


def _highest(objective: Objective, y: Tensor, count: int, shifts: int) -> Tensor:
    value, shift = objective(y)
    top = value.topk(min(count, len(y))).indices
    y, moved = y[top], shift[top]
    for _ in range(shifts - 1):
        moved = objective(moved)[1]
    return torch.cat([y, moved])


def pool_of(x: Tensor, mixture: Mixture, points: int) -> Tensor:
    """Return where to look for the supremum while tuning: samples, means, and a grid in one or two dimensions."""
    return starting_points(x, mixture.s2, points, mixture.frame.out(mixture.means), 4 * points)


def tuned(mixture: Mixture, setting: Setting) -> QuadraticU:
    """Return the weight for the lower bound at the mixture's lambda, from training samples and the density alone."""
    plain = QuadraticU.of(mixture, setting.density)
    seeds = [setting.seed + 10 * i for i in range(ROUNDS)]
    xs = [setting.draw(8192) for _ in seeds]

    def checks_of(u: QuadraticU) -> list[Batch]:
        return [batch(u, mixture.s2, setting, seed, x) for seed, x in zip(seeds, xs, strict=True)]

    mean = float(torch.stack([plain.log_v(x).mean() for x in xs]).mean())
    checks = checks_of(replace(plain, log_floor=mean - 7.0))
    for _ in range(3):  # where the weight just chosen is highest may be a place not yet seen
        lifted = _table(plain, checks, mean)
        checks = [a.joined(b) for a, b in zip(checks, checks_of(lifted), strict=True)]
    return _table(plain, checks, mean)


def _table(plain: QuadraticU, checks: list[Batch], mean: float) -> QuadraticU:
    """Return the weight with the lifts that make the loss least; v and p are evaluated once."""

    def at(x: Tensor) -> tuple[Tensor, Tensor]:
        flat = x.reshape(-1, x.shape[-1])
        return plain.log_v(flat).reshape(x.shape[:-1]), plain.log_cp(flat).reshape(x.shape[:-1])

    values = [(at(check.x), at(check.points)) for check in checks]
    choices = [(root, FAR, share, 0.0) for root in ROOTS for share in SHARES]
    choices += [(-math.inf, -math.inf, 0.0, scale) for scale in SCALES]
    best, choice = math.inf, plain
    for root, floor, share, scale in choices:
        u = replace(plain, log_root=root + 0.5 * mean, log_floor=floor + mean, log_share=share, log_scale=scale)
        loss = sum(
            float(u.lifted(*at_x).mean() + check.log_c(u.lifted(*at_points)).max())
            for check, (at_x, at_points) in zip(checks, values, strict=True)
        )
        if loss < best:
            best, choice = loss, u
    return choice
