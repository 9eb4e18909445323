"""Gaussian mixtures q as laws of reproductions: u_q = E_q exp(-lambda rho), its channel, and their fit.

rho is the squared error, mean over dimensions, so exp(-lambda rho(x, y)) is a Gaussian kernel of variance
s2 = dim / (2 lambda), and u_q(x) = (2 pi s2)^(dim/2) sum_j w_j N(x; m_j, S_j + s2 I): the best q is the most likely
mixture whose covariances T_j = S_j + s2 I are at least s2. Expectation maximisation finds it: its maximisation over
covariances is the weighted scatter with eigenvalues raised to s2, which is reverse water-filling by component.
All tensors are float64 on the CPU; samples are [n, dim] in the frame of the law.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from rdzip.bounds.quadratic import coefficients, features, is_full, moments

CHUNK = 8192


@dataclass(frozen=True)
class Frame:
    """A change of coordinates that keeps distances: (x - centre) basis. centre [dim], basis [dim, dim] or None."""

    centre: Tensor
    basis: Tensor | None = None

    def into(self, x: Tensor) -> Tensor:
        """Return x [n, dim] in these coordinates."""
        x = x - self.centre
        return x if self.basis is None else x @ self.basis

    def out(self, x: Tensor) -> Tensor:
        """Return points [n, dim] in these coordinates as they were drawn."""
        return (x if self.basis is None else x @ self.basis.T) + self.centre


@dataclass(frozen=True)
class Mixture:
    """A mixture q at one lambda, as the law T_j = S_j + s2 I of a source that it would suit.

    weights [m], means [m, dim]; covariances T_j as variances [m, dim] along axes [m, dim, dim] (columns), or along the
    coordinates where axes is None.
    """

    lam: float
    frame: Frame
    weights: Tensor
    means: Tensor
    variances: Tensor
    axes: Tensor | None

    @property
    def dim(self) -> int:
        """Number of dimensions."""
        return self.means.shape[1]

    @property
    def s2(self) -> float:
        """Variance of the kernel exp(-lambda rho)."""
        return self.dim / (2 * self.lam)

    @property
    def diagonal(self) -> bool:
        """Whether the features of this law have no cross products."""
        return self.axes is None

    def _along(self, values: Tensor) -> Tensor:
        """Return matrices [m, dim, dim] with these eigenvalues, or the diagonals [m, dim]."""
        return values if self.axes is None else (self.axes * values[:, None, :]) @ self.axes.mT

    def theta(self) -> Tensor:
        """Return [p, m] such that u_q = sum_j exp(phi(x) . theta_j)."""
        ratio = (self.variances / self.s2).log().sum(1)
        return coefficients(self.weights.log() - 0.5 * ratio, self.means, self._along(1 / self.variances))

    def theta_distortion(self) -> Tensor:
        """Return [p, m] such that phi(x) . column j is E[rho(x, Y) | x, component j] under the channel."""
        t, s2, n = self.variances, self.s2, self.dim
        spread = s2 * (1 - s2 / t).sum(1) / n
        return coefficients(spread, self.means, self._along(-2 * s2 * s2 / n / t**2))

    def evaluate(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return -log u_q(x) and E[rho(x, Y)] of the channel p(y|x) ~ q(y) exp(-lambda rho), each [n]; x as drawn."""
        theta, error = self.theta(), self.theta_distortion()
        values, mse = [], []
        for part in self.frame.into(x).split(CHUNK):
            phi = features(part, self.diagonal)
            logits = phi @ theta
            log_u = logits.logsumexp(1)
            values.append(-log_u)
            mse.append(((logits - log_u[:, None]).exp_() * (phi @ error)).sum(1))
        return torch.cat(values), torch.cat(mse)

    def at(self, lam: float) -> Mixture:
        """Return the same law of the source at another lambda, with eigenvalues raised to what that one needs."""
        least = self.dim / (2 * lam)
        return Mixture(lam, self.frame, self.weights, self.means, self.variances.clamp_min(least), self.axes)


def _maximised(lam: float, frame: Frame, statistics: Tensor, dim: int, diagonal: bool) -> Mixture:
    """Return the most likely mixture given statistics [m, p] of the responsibilities."""
    found = moments(statistics, dim, diagonal)
    s2 = dim / (2 * lam)
    alive = found.count > 1e-9 * found.count.sum()
    count, mean, scatter = found.count[alive], found.mean[alive], found.scatter[alive]
    if scatter.ndim == 2:
        return Mixture(lam, frame, count / count.sum(), mean, scatter.clamp_min(s2), None)
    values, axes = torch.linalg.eigh(scatter)
    return Mixture(lam, frame, count / count.sum(), mean, values.clamp_min(s2), axes)


def one_component(x: Tensor, lam: float, frame: Frame, diagonal: bool) -> Mixture:
    """Return the best single Gaussian at lam for samples x [n, dim] as drawn: their moments, water-filled."""
    inside = frame.into(x)
    diagonal = not is_full(x.shape[1], diagonal)
    statistics = sum(features(part, diagonal).sum(0) for part in inside.split(CHUNK))
    assert isinstance(statistics, Tensor)
    return _maximised(lam, frame, statistics[None], x.shape[1], diagonal)


def start(x: Tensor, lam: float, frame: Frame, components: int, diagonal: bool, generator: torch.Generator) -> Mixture:
    """Return a mixture to fit from: means at samples, far from each other with high probability.

    - x: samples [n, dim], as drawn
    - lam: lambda, nats per unit of mean squared error
    - frame: the coordinates in which it is fitted
    - components: how many
    - diagonal: whether covariances are diagonal
    - generator: of the choice
    """
    inside = frame.into(x)
    n, dim = inside.shape
    take = inside[torch.randperm(n, generator=generator)[: 50 * components]]
    chosen = [0]
    far = ((take - take[0]) ** 2).sum(1)
    for _ in range(components - 1):
        chosen.append(int(torch.multinomial(far.clamp_min(1e-300), 1, generator=generator)))
        far = torch.minimum(far, ((take - take[chosen[-1]]) ** 2).sum(1))
    nearest = torch.cdist(take, take[chosen]).argmin(1)
    own = torch.zeros(len(take), components, dtype=torch.float64)
    own[torch.arange(len(take)), nearest] = 1.0
    diagonal = not is_full(dim, diagonal)
    statistics = own.T @ features(take, diagonal)
    return _maximised(max(lam, 1e-300), frame, statistics, dim, diagonal)


def fit(mixture: Mixture, x: Tensor, passes: int, tolerance: float = 1e-5) -> tuple[Mixture, int]:
    """Return the mixture after incremental expectation maximisation over x [n, dim] as drawn, and the passes made.

    Each chunk's statistics are replaced in the sum as it is visited, and the mixture follows after every chunk
    (Neal & Hinton 1998). Ends early once a pass improves E[-log u_q] by less than `tolerance` nats.
    """
    parts = list(features_of(mixture, x))
    held = [torch.zeros(0)] * len(parts)
    before = math.inf
    for done in range(passes):
        loss, fresh = 0.0, done == 0
        total = None if fresh else torch.stack(held).sum(0)
        if fresh:  # one ordinary pass, so that no component is judged by a single chunk
            theta = mixture.theta()
            for i, phi in enumerate(parts):
                held[i], chunk_loss = _expect(phi, theta)
                loss += chunk_loss
            mixture = _update(mixture, torch.stack(held).sum(0))
        else:
            for i, phi in enumerate(parts):
                assert total is not None
                if held[i].shape[0] != mixture.weights.shape[0]:  # components have died: begin the sums anew
                    return fit(mixture, x, passes - done, tolerance)
                own, chunk_loss = _expect(phi, mixture.theta())
                total += own - held[i]
                held[i], loss = own, loss + chunk_loss
                mixture = _update(mixture, total)
        loss /= x.shape[0]
        if before - loss < tolerance and done > 1:
            return mixture, done + 1
        before = loss
    return mixture, passes


def features_of(mixture: Mixture, x: Tensor) -> list[Tensor]:
    """Return phi of x [n, dim] as drawn, in chunks."""
    return [features(part, mixture.diagonal) for part in mixture.frame.into(x).split(CHUNK)]


def _expect(phi: Tensor, theta: Tensor) -> tuple[Tensor, float]:
    """Return statistics [m, p] of a chunk and its sum of -log u."""
    logits = phi @ theta
    log_u = logits.logsumexp(1)
    return (logits - log_u[:, None]).exp_().T @ phi, -float(log_u.sum())


def _update(mixture: Mixture, statistics: Tensor) -> Mixture:
    return _maximised(mixture.lam, mixture.frame, statistics, mixture.dim, mixture.diagonal)
