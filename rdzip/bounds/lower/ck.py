"""C(y) = mean of exp(-lambda rho(x, y)) / u(x) over samples, and its supremum over y.

With independent samples of the source, or with any other unbiased estimate of E[exp(-lambda rho(X, y)) / u(X)] at every
y, the supremum is on the average at least the true one, so bounds made of it stay valid (Yang & Mandt 2022, section 4).
Both estimates here are functions `y [m, dim] -> (log C [m], shift [m, dim])`, float64; shift is the mean of the samples
weighted by their terms, which does not lower C: mean-shift ascent for kernels of Gaussian shape.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rdzip.bounds.lower.weights import LogU

Objective = Callable[[Tensor], tuple[Tensor, Tensor]]
CELLS = 4_000_000
"""Largest number of pairs of samples and y at a time."""


class SampleObjective:
    """C from samples x float64 [k, dim] of the source, log u there [k], and the kernel's variance s2."""

    def __init__(self, x: Tensor, log_u: Tensor, s2: float) -> None:
        self.x, self.s2 = x, s2
        self._half = 0.5 * (x * x).sum(1) / s2 + log_u

    def __call__(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return log C [m] and shifts [m, dim]."""
        k = self.x.shape[0]
        values, shifts = [], []
        for part in y.split(max(1, CELLS // k)):
            logits = torch.addmm(-self._half, part / self.s2, self.x.T)
            top = logits.max(1, keepdim=True).values
            terms = (logits - top).exp_()
            total = terms.sum(1)
            values.append(total.log() + top[:, 0] - 0.5 * (part * part).sum(1) / self.s2 - math.log(k))
            shifts.append((terms @ self.x) / total[:, None])
        return torch.cat(values), torch.cat(shifts)

    def without(self, keep: Tensor) -> SampleObjective:
        """Return C from some of the samples, keep bool [k]."""
        other = object.__new__(SampleObjective)
        other.x, other.s2, other._half = self.x[keep], self.s2, self._half[keep]
        return other


@dataclass(frozen=True)
class Shape:
    """Where a source is: centre [dim], axes [dim, dim] (columns) and variances [dim] along them."""

    centre: Tensor
    axes: Tensor
    variances: Tensor

    @classmethod
    def of(cls, x: Tensor) -> Shape:
        """Return the shape of samples x [n, dim]."""
        values, axes = torch.linalg.eigh(torch.atleast_2d(torch.cov(x.T)))
        return cls(x.mean(0), axes, values.clamp_min(0))


class DensityObjective:
    """C where the source has a density p: importance sampling around each y.

    Half of the draws (all, unless the source is narrower than the kernel somewhere) are x = y + s e, of the kernel's
    own law; the other half are of the law that the source, were it Gaussian, would have given y. Each is weighted by
    p(x) exp(-lambda rho) / u(x) over the mixture of both laws. e: quasi-random normal draws, the same for all y.
    """

    def __init__(
        self,
        log_density: Callable[[NDArray[np.float64]], NDArray[np.float64] | None],
        log_u: LogU,
        s2: float,
        shape: Shape,
        k: int,
        seed: int,
    ) -> None:
        """Prepare an estimate of C for one weight.

        - log_density: of the source, [n] at x [n, dim]
        - log_u: logarithm of the weight u
        - s2: variance of the kernel in each coordinate, 1 / (2 lambda)
        - shape: the Gaussian that has the source's moments
        - k: draws for each y
        - seed: of the draws
        """
        self.log_density, self.log_u, self.s2, self.shape = log_density, log_u, s2, shape
        dim = shape.centre.shape[0]
        narrow = shape.variances.clamp_min(1e-12 * s2) < s2
        self.both = bool(narrow.any())
        draws = k // 2 if self.both else k
        engine = torch.quasirandom.SobolEngine(dim, scramble=True, seed=seed)
        uniform = engine.draw(draws, dtype=torch.float64).clamp(1e-12, 1 - 1e-12)
        self.e = torch.special.ndtri(uniform)
        self.k = draws * (2 if self.both else 1)
        self.shrunk = (shape.variances / s2).clamp(1e-12, 1.0)  # share of y - centre that remains, and of s2

    def __call__(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return log C [m] and shifts [m, dim]."""
        values, shifts = [], []
        for part in y.split(max(1, CELLS // 8 // (self.k * y.shape[1]))):
            value, shift = self._few(part)
            values.append(value)
            shifts.append(shift)
        return torch.cat(values), torch.cat(shifts)

    def terms(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return draws [m, k, dim] and log p(x) exp(-lambda rho(x, y)) / law of the draw [m, k], all but 1 / u(x)."""
        s = math.sqrt(self.s2)
        dim = y.shape[1]
        x = y[:, None, :] + s * self.e
        volume = 0.5 * dim * math.log(2 * math.pi * self.s2)
        if self.both:
            axes = self.shape.axes
            offset = (y - self.shape.centre) @ axes  # [m, dim]
            middle = self.shape.centre + (offset * self.shrunk) @ axes.T
            x = torch.cat([x, middle[:, None, :] + ((s * self.shrunk.sqrt() * self.e) @ axes.T)], 1)
            kernel = -((x - y[:, None, :]) ** 2).sum(2) / (2 * self.s2)
            away = (x - middle[:, None, :]) @ axes
            other = -(away * away / self.shrunk).sum(2) / (2 * self.s2) - 0.5 * self.shrunk.log().sum()
            log_weight = volume + kernel - torch.logaddexp(kernel, other) + math.log(2.0)
        else:
            log_weight = x.new_full(x.shape[:2], volume)
        log_p = self.log_density(x.reshape(-1, dim).numpy())
        assert log_p is not None
        return x, log_weight + torch.from_numpy(log_p).reshape(x.shape[:2])

    def _few(self, y: Tensor) -> tuple[Tensor, Tensor]:
        x, log_term = self.terms(y)
        log_term = log_term - self.log_u(x.reshape(-1, y.shape[1])).reshape(x.shape[:2])
        total = log_term.logsumexp(1)
        share = (log_term - total[:, None]).exp()
        return total - math.log(self.k), (share[:, :, None] * x).sum(1)


def supremum(
    objective: Objective,
    starts: Tensor,
    s2: float,
    *,
    ascend: int = 64,
    steps: int = 30,
    coarse: Objective | None = None,
) -> tuple[float, Tensor]:
    """Return the largest log C found, and its y [dim]: from all starts at once by mean shift, then by pattern search.

    - objective: log C at many y
    - starts: points [m, dim] to begin with
    - s2: variance of the kernel in each coordinate
    - ascend: how many starts climb, the best ones (0: all of them: the exhaustive search)
    - steps: of the mean shift
    - coarse: a cheaper estimate that chooses among starts
    """
    value, shift = (coarse or objective)(starts)
    count = len(starts) if ascend <= 0 else min(ascend, len(starts))
    order = value.topk(count).indices
    y = starts[order]
    value, shift = objective(y)
    best, where = value.clone(), y.clone()
    stride = torch.ones(len(y), 1, dtype=y.dtype)
    for step in range(steps):
        move = where + stride * (shift - where)
        value, found = objective(move)
        better = value > best
        gain = float((value - best).clamp_min(0).max())
        top = float(best.max())
        best = torch.where(better, value, best)
        where = torch.where(better[:, None], move, where)
        shift = torch.where(better[:, None], found, shift)
        stride = torch.where(better[:, None], stride * 2, torch.full_like(stride, 1.0))
        if step >= 3:
            keep = best > float(best.max()) - 0.3 * (0.7 ** (step - 3)) - 1e-3
            best, where, shift, stride = best[keep], where[keep], shift[keep], stride[keep]
            if gain < 1e-5 and float(best.max()) - top < 1e-6:
                break
    top_values = best.topk(min(4, len(best)))
    return _polished(objective, where[top_values.indices], top_values.values, math.sqrt(s2))


def _polished(objective: Objective, y: Tensor, value: Tensor, scale: float) -> tuple[float, Tensor]:
    """Return the best of y [m, dim] after a pattern search along coordinates, with steps from scale / 2 down."""
    at = int(value.argmax())
    best, where = float(value[at]), y[at]
    dim = len(where)
    if dim > 32:
        return best, where
    directions = torch.cat([torch.eye(dim, dtype=y.dtype), -torch.eye(dim, dtype=y.dtype)])
    step = scale / 2
    for _ in range(12):
        tried = where + step * directions
        found, _shift = objective(tried)
        if float(found.max()) > best:
            best, where = float(found.max()), tried[int(found.argmax())]
        else:
            step /= 3
            if step < 0.01 * scale:
                break
    return best, where


def starting_points(x: Tensor, s2: float, count: int, means: Tensor | None = None, grid: int = 0) -> Tensor:
    """Return points [m, dim] from which to look for the supremum.

    - x: samples [n, dim]
    - s2: variance of the kernel in each coordinate
    - count: how many samples are taken
    - means: further points [k, dim]
    - grid: in one or two dimensions, so many points at most that cover the samples and three kernel widths beyond

    They are samples, samples moved away from their centre (1.5, 2 and 3 times as far), the centre, the means and the
    grid.
    """
    dim = x.shape[1]
    some = x[:count]
    centre = x.mean(0)
    out = x[((x - centre) ** 2).sum(1).topk(max(1, min(count // 4, len(x)))).indices]
    parts = [centre[None], some, *(centre + t * (out - centre) for t in (1.5, 2.0, 3.0))]
    if means is not None:
        parts.append(means)
    if grid and dim <= 2:
        parts.append(_grid(x, math.sqrt(s2), grid))
    return torch.cat(parts)


def _grid(x: Tensor, width: float, most: int) -> Tensor:
    low, high = x.min(0).values - 3 * width, x.max(0).values + 3 * width
    per = round(most ** (1 / x.shape[1]))
    lines = [
        torch.linspace(float(a), float(b), max(2, min(per, math.ceil(float(b - a) / (0.5 * width)))), dtype=x.dtype)
        for a, b in zip(low, high, strict=True)
    ]
    return torch.cartesian_prod(*lines).reshape(-1, x.shape[1])
