"""The best law of reproductions for finitely many samples, and how near to the best it surely is.

For samples x_1 ... x_n, L_n = min over q of F(q) = -1/n sum_i log u_q(x_i), u_q(x) = E_q exp(-lambda rho(x, Y)), is the
most likely mixture of Gaussian kernels of variance s2 = dim / (2 lambda), of which finitely many atoms are enough
(Lindsay 1983). For any q, F(q) >= L_n >= F(q) - log sup_y C(y) with C(y) = 1/n sum_i exp(-lambda rho(x_i, y)) /
u_q(x_i) (Csiszar 1974, of the samples' own law): at the optimum C is at most 1 and both ends meet.

Weights of given atoms are found by a primal-dual interior point method (a convex problem; Koenker & Mizera 2014 solve
its dual); atoms are added at all maxima of C that exceed 1 until the two ends are as near as asked for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from rdzip.bounds.ck import SampleObjective, supremum

ROUNDS = 40
CLIMBERS = 400  # samples with the largest C, from which new atoms are sought, beside the atoms there are
STEPS = 20  # of mean shift to each maximum
LONG = 1.7  # times the mean shift is a step: it converges linearly, and overshoots seldom
APART = 0.1  # kernel widths, nearer than which two maxima are one
CLIMB_SLACK = 0.02  # nats of log C below 0 from which a climb goes on


@dataclass(frozen=True)
class Atoms:
    """A law of atoms y [m, dim] with weights [m] at one lambda, fitted to samples.

    log_u [n]: of the samples; mse: of the channel q(y) exp(-lambda rho) / u; log_c: the largest log C found.
    """

    y: Tensor
    weights: Tensor
    log_u: Tensor
    mse: float
    log_c: float

    @property
    def value(self) -> float:
        """A lower bound on L of the samples, nats: F(q) - log sup C."""
        return -float(self.log_u.mean()) - self.log_c


def fit(x: Tensor, lam: float, start: Tensor, *, tolerance: float = 1e-3, exhaustive: bool = False) -> Atoms:
    """Return atoms for samples x float64 [n, dim] whose value is within `tolerance` nats of L of the samples.

    start [m, dim]: atoms to begin with. exhaustive: C is looked at from every sample in the end, else from the atoms
    and the samples where it is largest. Fewer than ROUNDS rounds are usual; after them it is the best value found.
    """
    s2 = x.shape[1] / (2 * lam)
    y, weights = start, start.new_full((len(start),), 1 / len(start))
    best: Atoms | None = None
    for _ in range(ROUNDS):
        log_kernel = -torch.cdist(x, y).square_() / (2 * s2)
        top = log_kernel.max(1, keepdim=True).values
        kernel = (log_kernel - top).exp_()
        weights = optimal_weights(kernel, weights)
        keep = weights > 1e-5 / len(x)
        y, weights, kernel = y[keep], weights[keep] / weights[keep].sum(), kernel[:, keep]
        u = kernel @ weights
        log_u = u.log() + top[:, 0]
        objective = SampleObjective(x, log_u, s2)
        log_c, at = _maxima(objective, x, y)
        found = float(log_c.max())
        if found < tolerance:
            # No search proves a supremum: look once more, from elsewhere and with other steps.
            rare = x[log_u.topk(min(512, len(x)), largest=False).indices]
            starts = x if exhaustive else torch.cat([rare, y])
            found = max(found, supremum(objective, starts, s2, ascend=0 if exhaustive else 64)[0])
        if best is None or -float(log_u.mean()) - found > best.value:
            share = kernel * weights / u[:, None]
            mse = float((share * (log_kernel[:, keep] * (-2 * s2 / x.shape[1]))).sum() / len(x))
            best = Atoms(y, weights, log_u, mse, found)
        if found < tolerance:
            break
        added = _apart(log_c, at, APART * math.sqrt(s2), 0.3 * tolerance)
        y = torch.cat([y, added])
        weights = torch.cat([weights, weights.new_full((len(added),), 0.1 / len(x))])
    assert best is not None
    return best


def optimal_weights(kernel: Tensor, start: Tensor, tolerance: float = 1e-7, steps: int = 80) -> Tensor:
    """Return weights w [m] >= 0 of sum 1 that minimise -mean(log(kernel w)), kernel [n, m] >= 0, to `tolerance` nats.

    A primal-dual interior point method for min -mean(log(kernel w)) + sum w, whose minimum has sum w = 1. start [m].
    """
    n, m = kernel.shape
    w = start.clamp_min(1e-3 / m)
    u = kernel @ w
    gradient = 1 - kernel.T @ (1 / u) / n
    dual = gradient.clamp_min(0) + 1e-2
    value = float(w.sum() - u.log().mean())
    for _ in range(steps):
        slack = float(w @ dual)
        if slack < tolerance and float((gradient - dual).abs().max()) < 10 * tolerance:
            break
        aim = 0.1 * slack / m
        scaled = kernel / u[:, None]
        hessian = scaled.T @ scaled / n
        hessian.diagonal().add_(dual / w)
        factor, failed = torch.linalg.cholesky_ex(hessian)
        if int(failed):
            break
        step = torch.cholesky_solve((aim / w - gradient)[:, None], factor)[:, 0]
        dual_step = aim / w - dual - dual / w * step
        length = _longest(w, step)
        while True:  # shorter, until the value does not rise by more than the barrier may cost
            moved = w + length * step
            u = kernel @ moved
            risen = float(moved.sum() - u.log().mean())
            if risen <= value + slack + 1e-9 or length < 1e-6:
                break
            length /= 2
        w, value = moved, risen
        dual = dual + _longest(dual, dual_step) * dual_step
        gradient = 1 - kernel.T @ (1 / u) / n
    return w / w.sum()


def _longest(at: Tensor, step: Tensor) -> float:
    """Return the largest factor up to 1 for which at + factor step stays above 0, with a margin."""
    falling = step < 0
    return min(1.0, 0.995 * float((-at[falling] / step[falling]).min())) if bool(falling.any()) else 1.0


def _maxima(objective: SampleObjective, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return log C [k] at local maxima [k, dim], among them the highest found from atoms y and samples x."""
    height = objective(x)[0]
    at = torch.cat([y, x[height.topk(min(CLIMBERS, len(x))).indices]])
    log_c, shift = objective(at)
    for step in range(STEPS):
        far = at + LONG * (shift - at)
        value, further = objective(far)
        worse = value < log_c
        at = torch.where(worse[:, None], shift, far)
        log_c, shift = value, further
        if bool(worse.any()):
            log_c[worse], shift[worse] = objective(at[worse])
        if step % 5 == 4:
            keep = log_c > min(-CLIMB_SLACK, float(log_c.max()) - 1e-9)
            log_c, at, shift = log_c[keep], at[keep], shift[keep]
    return log_c, at


def _apart(log_c: Tensor, at: Tensor, distance: float, least: float) -> Tensor:
    """Return those of points at [k, dim] with log C above `least`, the highest first, that are apart."""
    order = log_c.argsort(descending=True)
    order = order[: max(1, int((log_c[order] > least).sum()))]
    chosen = at[order[:1]]
    for point in at[order[1:]]:
        if float((chosen - point).square().sum(1).min()) > distance * distance:
            chosen = torch.cat([chosen, point[None]])
    return chosen
