"""From the u_q of a fitted mixture to a weight whose lower bound is higher: sup_y C(y) comes down.

The fit makes E[-log u] as small as can be and leaves sup_y C(y) where the source is rare; a lower bound wants both
small. First the lifts of QuadraticU are chosen from a table. Where the source is known by samples only, weights, means
and variances of the components and the lifts then follow the gradient of E[log u] + log C_k, with fresh draws of
training samples, as many as the bound will use, so that the noise of C_k is part of what is minimised.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from rdzip.bounds.ck import DensityObjective, Objective, SampleObjective, Shape, starting_points
from rdzip.bounds.mixture_law import Mixture
from rdzip.bounds.quadratic import features
from rdzip.bounds.weights import Density, QuadraticU

LIFTS = (-12.0, -9.0, -7.0, -5.0, -4.0, -3.0, -2.0, -1.0, 0.0)
"""Candidates for the logarithms of floor and root, relative to the mean of log u and to half of it."""
SHARES = (-4.0, -3.0, -2.0, -1.5, -1.0, -0.7, -0.4, -0.2, -0.1, -0.05, -0.02, 0.0)
"""Candidates for the logarithm of the share of the density."""
SCALES = (-0.3, -0.7, -1.5, -3.0, -50.0)
"""Candidates for the logarithm of the scale of v beside the density with share 1."""
ROOTS = (-12.0, -7.0, -5.0, -4.0, -3.0, -2.0)
"""Candidates for the logarithm of root where there is a density."""
ROUNDS = 4  # draws on which weights are compared
KEPT = 24  # highest y of a draw that are looked at, where draws are not larger than MANY
MANY = 5000  # samples in a draw, beyond which tuning looks at fewer y and follows no gradient
PRECISION = 512  # draws around each y where there is a density


@dataclass(frozen=True)
class Setting:
    """What tuning works with: training samples at will, the density of the source (None: not known), sizes.

    k: samples of a draw of C_k; pool [m, dim]: where to look for the supremum.
    """

    draw: Callable[[int], Tensor]
    density: Density | None
    shape: Shape
    pool: Tensor
    k: int
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
    """Return a batch on samples x with the y that are highest under u, out of the pool and moved uphill."""
    if setting.density is None:
        log_u = u(x)
        kept = KEPT if len(x) <= MANY else KEPT // 4
        rare = x[log_u.topk(min(16, len(x)), largest=False).indices]
        y = _highest(SampleObjective(x, log_u, s2), torch.cat([setting.pool, rare, x[:128]]), kept, 3)
        return Batch(x, x, -0.5 * torch.cdist(y, x) ** 2 / s2)
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


def tuned(mixture: Mixture, setting: Setting, steps: int) -> QuadraticU:
    """Return the weight for the lower bound at the mixture's lambda, from training samples alone."""
    plain = QuadraticU.of(mixture, setting.density)
    rounds = ROUNDS // 2
    if setting.density is None and setting.k <= MANY:
        rounds = max(ROUNDS, min(16, 40_000 // setting.k))
    seeds = [setting.seed + 10 * i for i in range(rounds)]
    xs = [setting.draw(8192 if setting.density is not None else setting.k) for _ in seeds]

    def checks_of(u: QuadraticU) -> list[Batch]:
        return [batch(u, mixture.s2, setting, seed, x) for seed, x in zip(seeds, xs, strict=True)]

    mean = float(torch.stack([plain.log_v(x).mean() for x in xs]).mean())
    lifted = replace(plain, log_floor=mean - 7.0)
    checks = checks_of(lifted)
    for _ in range(3):  # where the weight just chosen is highest may be a place not yet seen
        lifted = _table(plain, checks, mean)
        checks = [a.joined(b) for a, b in zip(checks, checks_of(lifted), strict=True)]
    if steps <= 0 or setting.density is not None or setting.k > MANY:
        return _table(plain, checks, mean)
    followed = _descend(mixture, lifted, setting, steps)
    checks = [a.joined(b) for a, b in zip(checks, checks_of(followed), strict=True)]
    return min((lifted, followed), key=lambda u: _loss(u, checks))


def _loss(u: QuadraticU, checks: list[Batch]) -> float:
    """Return E[log u] + log sup C, mean over draws of samples without a density."""
    return sum(float(u(check.x).mean() + check.log_c(u(check.points)).max()) for check in checks) / len(checks)


def _table(plain: QuadraticU, checks: list[Batch], mean: float) -> QuadraticU:
    """Return the weight with the lifts that make the loss least; v and p are evaluated once."""
    known = plain.density is not None

    def at(x: Tensor) -> tuple[Tensor, Tensor | None]:
        flat = x.reshape(-1, x.shape[-1])
        log_cp = plain.log_cp(flat).reshape(x.shape[:-1]) if known else None
        return plain.log_v(flat).reshape(x.shape[:-1]), log_cp

    values = [(at(check.x), at(check.points)) for check in checks]
    far = LIFTS[0]
    if known:
        choices = [(root, far, share, 0.0) for root in ROOTS for share in SHARES]
        choices += [(-math.inf, -math.inf, 0.0, scale) for scale in SCALES]
    else:
        choices = [(root, floor, -math.inf, 0.0) for root in LIFTS for floor in LIFTS]
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


@dataclass(frozen=True)
class _Trained:
    """QuadraticU with parameters that have gradients: theta, and log root and log floor in lifts [2]."""

    mixture: Mixture
    theta: Tensor
    lifts: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        log_v = (features(self.mixture.frame.into(x), self.mixture.diagonal) @ self.theta).logsumexp(1)
        log_v = torch.logaddexp(log_v, 0.5 * log_v + self.lifts[0])
        return torch.logaddexp(log_v, self.lifts[1])

    def frozen(self) -> QuadraticU:
        """Return the weight without gradients."""
        root, floor = (float(lift) for lift in self.lifts.detach())
        return QuadraticU(self.mixture.frame, self.theta.detach(), self.mixture.diagonal, root, floor)


def _descend(mixture: Mixture, lifted: QuadraticU, setting: Setting, steps: int) -> QuadraticU:
    """Return the weight after `steps` of Adam, its parameters averaged over the last half."""
    m, dim = mixture.means.shape
    lifts = torch.tensor([lifted.log_root, lifted.log_floor], dtype=torch.float64)
    parameters = torch.cat([torch.zeros(m * (1 + 2 * dim), dtype=torch.float64), lifts]).requires_grad_(True)
    average = torch.zeros_like(parameters, requires_grad=False)

    def weight(p: Tensor) -> _Trained:
        logits, offsets, scales, rest = p.split([m, m * dim, m * dim, 2])
        moved = mixture.variances.sqrt() * offsets.reshape(m, dim)
        if mixture.axes is not None:
            moved = (mixture.axes @ moved[:, :, None])[:, :, 0]
        law = replace(
            mixture,
            weights=mixture.weights * logits.exp(),
            means=mixture.means + moved,
            variances=mixture.variances * scales.reshape(m, dim).exp(),
        )
        return _Trained(mixture, law.theta(), rest)

    optimizer = torch.optim.Adam([parameters], lr=0.02, betas=(0.9, 0.99))
    for step in range(steps):
        share = step / steps
        for group in optimizer.param_groups:
            group["lr"] = 0.001 + 0.019 * 0.5 * (1 + math.cos(math.pi * share))
        u = weight(parameters)
        current = batch(u.frozen(), mixture.s2, setting, setting.seed + 1000 + 2 * step, setting.draw(setting.k))
        log_u = u(current.x)
        temperature = 0.05 * 0.2**share
        loss = log_u.mean() + temperature * (current.log_c(log_u) / temperature).logsumexp(0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step >= steps // 2:
            average += parameters.detach() / (steps - steps // 2)
    return weight(average).frozen()
