"""Wasserstein gradient descent: an upper bound on R(D) from a reproduction law of moving particles, without networks.

Yang, Eckstein, Nutz & Mandt 2023, "Estimating the rate-distortion function by Wasserstein gradient descent". Particles
y_j of weights w_j make the law q; with rho = |x - y|^2 / dim
    F(q) = E[-ln u(X)],   u(x) = sum_j w_j k(x, y_j),   k = exp(-lambda rho),   c_j = E[k(X, y_j) / u(X)].
The gradient of the first variation of F moves y_j by -step (2 lambda / dim) c_j (y_j - m_j), where m_j is the mean of
samples weighted by k / u; in steps of dim / (2 lambda) that is an EM step of a mixture of Gaussians. The hybrid also
re-weights the particles in the manner of Blahut-Arimoto, w_j <- w_j c_j.

Any q gives a valid bound, L(lambda) <= F(q), on samples that it was not fitted to: R and D are those of the channel
p(y_j | x) = w_j k / u. As R <= ln(particles), the bound is loose where R comes near: the facts of a point say so.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rdzip.bounds.point import Point, Report, check_lambdas
from rdzip.bounds.sources.base import Source
from rdzip.errors import InputError

ROOM = 2.5
"""Nats from the rate to ln(particles) below which a point is called loose."""
PLENTY = 4.5
"""Nats from the rate to ln(particles) that are aimed at where the number of particles is left open."""
FEWEST, MOST = 256, 8192
TRIAL_STEPS = 40
"""Steps with FEWEST particles that tell how many are needed."""
LONGEST = 1.5
"""No step takes a particle further than this times its way to the mean of its samples; 2 would not converge."""
LIGHTEST = -40.0
"""Log weight of particles that are as good as gone."""
CHUNK = 2**20
"""Elements of the largest intermediate result."""

Fresh = Callable[[int], Tensor]


@dataclass(frozen=True)
class Options:
    """particles: 0 to choose by the rate. batch: samples a step. reweigh: the hybrid. samples: to measure the bound on.

    rate: length of the first half of the steps, where 1 is that of EM; then it falls to 0. quick: a quarter of it all.
    """

    particles: int = 0
    steps: int = 400
    batch: int = 4096
    rate: float = 1.0
    reweigh: bool = False
    samples: int = 50_000
    seed: int = 0
    device: str = "cpu"
    quick: bool = False

    def __post_init__(self) -> None:
        if self.particles < 0 or self.particles == 1:
            raise InputError(f"expected 2 or more particles, or 0 to choose by the rate, found {self.particles}")
        if min(self.steps, self.batch, self.samples - 1) < 1 or not 0 < self.rate < 2:
            raise InputError(
                "expected at least 1 step, 1 sample a batch, 2 samples to measure on and a rate in 0..2, found "
                f"{self.steps}, {self.batch}, {self.samples}, {self.rate:g}"
            )


@dataclass(frozen=True)
class Particles:
    """A reproduction law: places y [particles, dim] and log weights [particles], about `centre` [dim], in float64."""

    lam: float
    centre: Tensor
    y: Tensor
    log_w: Tensor

    def evaluate(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return -ln u(x) and the mean distortion of its channel, float64 [n] each, at x [n, dim]."""
        pairs = [self._evaluate(part) for part in _parts(x.double() - self.centre, self.y)]
        return torch.cat([a for a, _ in pairs]), torch.cat([b for _, b in pairs])

    def _evaluate(self, x: Tensor) -> tuple[Tensor, Tensor]:
        squares = x.square().sum(1, keepdim=True) + self.y.square().sum(1)
        rho = torch.addmm(squares, x, self.y.T, alpha=-2).clamp_min_(0) / x.shape[1]
        logits = self.log_w - self.lam * rho
        log_u = logits.logsumexp(1)
        return -log_u, ((logits - log_u[:, None]).exp_() * rho).sum(1)


def fit(source: Source, lam: float, options: Options, report: Callable[[float], None]) -> Particles:
    """Fit particles to fresh samples, or to those of a finite training part; report(share done) as it goes."""
    rng = np.random.default_rng([options.seed, 0x574744])
    device = torch.device(options.device)

    def fresh(n: int) -> Tensor:
        return torch.from_numpy(source.train(n, rng).reshape(n, -1)).double().to(device)

    limit = MOST if source.train_count is None else min(MOST, source.train_count)
    count = options.particles or min(FEWEST, limit)
    steps = max(1, options.steps // 4) if options.quick else options.steps
    centre = fresh(options.batch).mean(0)
    if not options.particles:
        first = _descend(fresh, centre, lam, count, min(steps, TRIAL_STEPS), options)
        value, mse = (part.mean().item() for part in first.evaluate(fresh(options.batch)))
        needed = math.exp(min(value - lam * mse + PLENTY, math.log(MOST)))
        count = min(max(count, FEWEST * math.ceil(needed / FEWEST)), limit)
    return _descend(fresh, centre, lam, count, steps, options, report)


def _descend(
    fresh: Fresh,
    centre: Tensor,
    lam: float,
    count: int,
    steps: int,
    options: Options,
    report: Callable[[float], None] = lambda share: None,
) -> Particles:
    y = (fresh(count) - centre).float()
    log_w = torch.full((count,), -math.log(count), device=y.device)
    for step in range(steps):
        length = options.rate * min(1.0, 2 * (1 - step / steps))
        x = (fresh(options.batch) - centre).float()
        c, pull = torch.zeros_like(log_w), torch.zeros_like(y)
        for part in _parts(x, y):
            share = _shares(part, y, log_w, lam)
            c += share.sum(0) / len(x)
            pull += share.T @ part / len(x)
        # share = w k / u, so c is w_j c_j of the text, and pull is that times m_j.
        strength = c / log_w.exp()
        way = pull / c.clamp_min(1e-30)[:, None] - y
        y = y + (length * strength).clamp_max(LONGEST)[:, None] * torch.where(c[:, None] > 1e-20, way, 0.0)
        if options.reweigh:
            log_w = (log_w + length * strength.clamp(1e-3, 1e3).log()).log_softmax(0).clamp_min(LIGHTEST)
        if step % 20 == 19:
            report((step + 1) / steps)
    return Particles(lam, centre, y.double(), log_w.double().log_softmax(0))


def _shares(x: Tensor, y: Tensor, log_w: Tensor, lam: float) -> Tensor:
    """Return w_j k(x, y_j) / u(x), [n, particles]: terms in |x|^2 cancel."""
    scale = lam / x.shape[1]
    return torch.addmm(log_w - scale * y.square().sum(1), x, y.T, alpha=2 * scale).softmax(1)


def _parts(x: Tensor, y: Tensor) -> Iterator[Tensor]:
    yield from x.split(max(1, CHUNK // len(y)))


def solve(source: Source, lambdas: Sequence[float], options: Options, report: Report) -> list[Point]:
    """Return an upper bound for each lambda, measured on samples that the particles were not fitted to."""
    lambdas = check_lambdas(lambdas)
    if source.train_count is not None and options.particles > source.train_count:
        raise InputError(
            f"{source.name}: expected at most as many particles as training samples, found {options.particles} for "
            f"{source.train_count}"
        )
    points: list[Point] = []
    for lam in lambdas:
        done = len(points)
        start = time.perf_counter()
        law = fit(
            source,
            lam,
            options,
            lambda share, done=done: report((done + 0.9 * share) / len(lambdas), None),  # type: ignore[misc]
        )
        needed = options.samples // 4 if options.quick else options.samples
        held_out = source.held_out(max(2, needed), np.random.default_rng([options.seed, 1]))
        if len(held_out) < 2:
            raise InputError(f"{source.name}: expected at least 2 held-out samples, found {len(held_out)}")
        x = torch.from_numpy(held_out.reshape(len(held_out), -1)).to(law.y.device)
        values, distortions = law.evaluate(x)
        points.append(
            Point.measured(
                "wgd-ba" if options.reweigh else "wgd",
                "upper",
                lam=lam,
                value=values.mean().item(),
                mse=distortions.mean().item(),
                error=values.std().item() / math.sqrt(len(values)),
                samples=len(values),
                seconds=time.perf_counter() - start,
                particles=len(law.y),
                steps=options.steps // 4 if options.quick else options.steps,
                batch=options.batch,
                data="fresh" if source.unlimited else "held-out",
            )
        )
        room = math.log(len(law.y)) - points[-1].rate_nats
        points[-1].facts["room_nats"] = room
        if room < ROOM:
            points[-1].facts["warning"] = (
                f"loose: the rate is {room:.1f} nats below ln({len(law.y)} particles), which it cannot exceed"
            )
        report(len(points) / len(lambdas), points[-1])
    return points
