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

from rdzip.bounds.lower.ck import SampleObjective, supremum

ROUNDS = 40
CLIMBERS = 400  # samples with the largest C, from which new atoms are sought, beside the atoms there are
STEPS = 20  # of mean shift to each maximum
LONG = 1.7  # times the mean shift is a step: it converges linearly, and overshoots seldom
RELAXED = 1.7  # power of a step of expectation maximisation; below 2 it converges
APART = 0.03  # kernel widths, nearer than which two atoms are one
CONVERGED = 0.003  # kernel widths, of a shift that ends a climb
CLIMB_SLACK = 0.02  # nats of log C below 0 from which a climb goes on
MANY = 2500  # atoms, beyond which Newton's method is too slow: their weights are improved, not optimal
MANY_ROUNDS = 5
LEAST = 1e-3  # samples' worth of weight that an atom must have to stay


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
    """Return atoms for samples whose value is within a tolerance of L of the samples.

    - x: samples, float64 [n, dim]
    - lam: lambda, nats per unit of mean squared error
    - start: atoms to begin with, [m, dim]
    - tolerance: nats
    - exhaustive: C is looked at from every sample in the end, else from the atoms and the samples where it is largest

    Fewer than ROUNDS rounds are usual; after them it is the best value found.
    """
    s2 = x.shape[1] / (2 * lam)
    y, weights = start, start.new_full((len(start),), 1 / len(start))
    best: Atoms | None = None
    for number in range(ROUNDS):
        log_kernel = -torch.cdist(x, y).square_() / (2 * s2)
        top = log_kernel.max(1, keepdim=True).values
        kernel = (log_kernel - top).exp_()
        weights = (optimal_weights if len(y) <= MANY else better_weights)(kernel, weights, 1e-4 * tolerance)
        keep = weights > LEAST / len(x)
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
        if found < tolerance or (len(weights) > MANY and number >= MANY_ROUNDS):
            break
        added = at[log_c > min(0.3 * tolerance, found - 1e-12)]
        y = torch.cat([added, y])
        weights = torch.cat([weights.new_full((len(added),), 0.1 / len(x)), weights])
        y, weights = _merged(y, weights, APART * math.sqrt(s2))
    assert best is not None
    return best


def better_weights(kernel: Tensor, start: Tensor, tolerance: float = 1e-7, steps: int = 300) -> Tensor:
    """Return weights as `optimal_weights` does, but only near the optimum where `steps` are too few for `tolerance`.

    Over-relaxed steps of expectation maximisation, which is Blahut-Arimoto here.
    """
    small = kernel.float()
    w = start.float().clamp_min(1e-3 / len(start))
    for _ in range(steps):
        w = w / w.sum()
        ratio = small.T @ (1 / (small @ w)) / len(small)
        if float(ratio.max()) < 1 + tolerance:
            break
        w = w * ratio**RELAXED
    return (w / w.sum()).to(start.dtype)


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
        scaled = (kernel / u[:, None]).float()  # a direction need not be exact
        hessian = (scaled.T @ scaled).double() / n
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
    if len(y) > MANY:
        y = y[objective(y)[0].topk(CLIMBERS).indices]
    at = torch.cat([y, x[objective(x)[0].topk(min(CLIMBERS, len(x))).indices]])
    log_c, shift = objective(at)
    going = torch.arange(len(at))
    least = CONVERGED * math.sqrt(objective.s2)
    for step in range(STEPS):
        far = at[going] + LONG * (shift[going] - at[going])
        value, further = objective(far)
        worse = value < log_c[going]
        if bool(worse.any()):
            far[worse] = shift[going[worse]]
            value[worse], further[worse] = objective(far[worse])
        at[going], log_c[going], shift[going] = far, value, further
        on = (further - far).square().sum(1) > least * least
        if step % 5 == 4:
            on &= value > -CLIMB_SLACK
        going = going[on]
        if not len(going):
            break
    return log_c, at


def _merged(y: Tensor, weights: Tensor, distance: float) -> tuple[Tensor, Tensor]:
    """Return atoms y [m, dim], the first of those that share a cell of a grid of this distance, with their weights."""
    _, cell = torch.unique(torch.round(y / distance), dim=0, return_inverse=True)
    count = int(cell.max()) + 1
    first = torch.full((count,), len(y), dtype=torch.int64).scatter_reduce(0, cell, torch.arange(len(y)), "amin")
    return y[first], weights.new_zeros(count).index_add(0, cell, weights)
