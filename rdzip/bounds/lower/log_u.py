"""Csiszar's dual (Csiszar 1974; Yang and Mandt 2022, section 4): method "log-u".

See estimator.py for the bound, ck.py for the supremum over y.

Where the density of the source is known, the weight u is that of a Gaussian mixture, tuned, and C is estimated by
importance sampling around each y (network "mixture"). Else the best weight for the very samples is found (network
"atoms", see empirical.py), or that of a network of its own, trained on the C_k objective, is held against samples it
has not seen (networks.py: "mlp", "cnn"); then k must be large against 1 / u, and the facts have the value against k.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rdzip.bounds.control_variates import controlled
from rdzip.bounds.lower import empirical
from rdzip.bounds.lower.ck import DensityObjective, Objective, SampleObjective, Shape, starting_points, supremum
from rdzip.bounds.lower.empirical import PARTS
from rdzip.bounds.lower.estimator import Estimate, one_draw, two_fold
from rdzip.bounds.lower.tuning import Setting, pool_of, tuned
from rdzip.bounds.lower.weights import Density, LogU
from rdzip.bounds.point import Point, Report, check_lambdas
from rdzip.bounds.sources.base import Source, training_set
from rdzip.bounds.upper import mixture
from rdzip.bounds.upper.mixture import vectors
from rdzip.bounds.upper.mixture_law import Mixture
from rdzip.errors import InputError

NETWORKS = ("auto", "atoms", "mixture", "mlp", "cnn")
SEARCHES = ("quick", "exhaustive")
ATOMS_K = 20_000
FEW = 4000  # draws of fewer samples than this give way to a single one
BLOCKS = 20  # of the jackknife
MARGIN = 1.5  # nats of log C below the best, down to which starting points are kept for further draws


@dataclass(frozen=True)
class Options:
    """network: "auto" is "mixture" where there is a density, up to 1024 dimensions; else "atoms".

    k: samples (draws around each y, where there is a density) in a draw of C_k; 0: as many as there are, up to 100,000
    (20,000 for atoms, 5000 in more than 8 dimensions; 2048 with a density). part: of a finite set, for atoms: held-out
    or all; auto: held-out where it has 10,000 samples. draws: of C_k. samples: for E[-log u], where they are endless.
    search: "quick" climbs from the highest starting points, "exhaustive" from all of them and from every sample.
    starts, grid: numbers of starting points among samples, and on a grid in one or two dimensions. components: of the
    mixture, 0 chooses.
    train_steps, train_k, rate, beta, hidden: steps per lambda, k, learning rate, the weight of the newest C_k in alpha,
    and layers of "mlp" (and of the head of "cnn").
    """

    network: str = "auto"
    k: int = 0
    part: str = "auto"
    draws: int = 8
    samples: int = 400_000
    search: str = "quick"
    starts: int = 512
    grid: int = 4096
    components: int = 0
    train_steps: int = 2000
    train_k: int = 1024
    rate: float = 5e-4
    beta: float = 0.2
    hidden: tuple[int, ...] = (200, 200, 200)
    seed: int = 0
    quick: bool = False

    def __post_init__(self) -> None:
        if self.network not in NETWORKS or self.search not in SEARCHES:
            raise ValueError(f"network is one of {', '.join(NETWORKS)}, search one of {', '.join(SEARCHES)}")
        if self.part not in PARTS:
            raise ValueError(f"part is one of {', '.join(PARTS)}")
        if self.draws < 4 or self.k < 0 or self.starts < 1 or self.train_k < 2 or not 0 < self.beta <= 1:
            raise ValueError("draws >= 4, k >= 0, starts >= 1, train_k >= 2 and 0 < beta <= 1 are needed")


@dataclass(frozen=True)
class Weight:
    """A weight u at one lambda, points where its C may be high, a distortion for the Point, and what to tell of it."""

    lam: float
    log_u: LogU
    means: Tensor | None
    mse: float | None
    facts: dict[str, Any]


def solve(source: Source, lambdas: Sequence[float], options: Options, report: Report) -> list[Point]:
    """Return lower Points at lambdas (nats), from held-out or fresh samples, with 95 % intervals."""
    descending = sorted(check_lambdas(lambdas), reverse=True)
    known = source.log_density(np.zeros((1, source.dim))) is not None
    network = options.network
    if network == "auto":
        network = "mixture" if known and source.dim <= mixture.ROTATED_DIM else "atoms"
    if network == "cnn" and len(source.shape) != 3:
        raise InputError(f"{source.name}: expected images for a cnn, found vectors: take mlp or atoms")
    if network == "mixture" and not known:
        raise InputError(f"{source.name}: expected a source with a known density for network mixture: take atoms")
    if network == "atoms":
        most = options.k or ATOMS_K // (8 if options.quick else 1)
        return empirical.solve(
            source, descending, most, options.part, options.search == "exhaustive", options.seed, report
        )
    train = _draw(source, options.seed)
    density: Density | None = source.log_density if network == "mixture" else None
    held = _HeldOut(source, options, density)
    if network == "mixture":
        laws = mixture.fit_all(
            source,
            descending,
            mixture.Options(components=options.components, seed=options.seed, quick=options.quick),
            lambda share: report(0.2 * share, None),
        )

        def weights(lam: float) -> Weight:
            return _from_mixture(laws[lam], train, source.log_density, options, lam)

        begin = 0.2
    else:
        from rdzip.bounds.lower.networks import floored, train_all

        start = time.perf_counter()
        trained = train_all(source, descending, network, options, train, lambda share: report(0.8 * share, None))
        speed = options.train_steps * len(descending) / (time.perf_counter() - start)
        facts = {"network": network, "steps": options.train_steps, "steps_per_second": round(speed, 2)}

        def weights(lam: float) -> Weight:
            return Weight(lam, floored(trained[lam], source.dim / (2 * lam), train, held.k), None, None, facts)

        begin = 0.8
    points = []
    for i, lam in enumerate(descending):
        began = time.perf_counter()
        weight = weights(lam)
        points.append(_point(source, weight, held, train, options, began))
        report(begin + (1 - begin) * (i + 1) / len(descending), points[-1])
    return points


def _draw(source: Source, seed: int) -> Callable[[int], Tensor]:
    """Return what draws n training samples, each of a finite set at most once where it has as many."""
    rng = np.random.default_rng([seed, 3])

    def draw(n: int) -> Tensor:
        enough = source.train_count is None or n <= source.train_count
        return vectors(training_set(source, n, rng) if enough else source.train(n, rng))

    return draw


class _HeldOut:
    """The samples that bounds stand on, in draws: x [n, dim], k in a draw (of the samples, or around y), draws."""

    def __init__(self, source: Source, options: Options, density: Density | None) -> None:
        self.density = density
        self.data = "fresh" if source.unlimited else "held-out"
        least = 2 if options.quick else 1
        if density is not None:
            self.k, self.draws = options.k or 2048 // least, options.draws
            count = options.samples // (4 if options.quick else 1)
        else:
            most = options.k or 100_000 // (5 if options.quick else 1)
            count = most * options.draws
            if source.held_out_count is not None:
                count = min(count, source.held_out_count)
            self.draws = options.draws if count >= FEW * options.draws or options.k else 1
            if self.draws > 1 and count < 2 * self.draws:
                self.draws = 1
            self.k = count // self.draws
            count = self.k * self.draws
        self.x = mixture.held_out(source, count, options.seed)

    def parts(self, values: Tensor) -> list[Tensor]:
        """Return what belongs to each draw."""
        return list(values.tensor_split(self.draws))


def _from_mixture(
    law: Mixture, train: Callable[[int], Tensor], density: Density, options: Options, lam: float
) -> Weight:
    x = train(20_000)
    setting = Setting(train, density, Shape.of(x), pool_of(x, law, 128 if options.quick else 256), options.seed + 77)
    u = tuned(law, setting)
    facts = {"network": "mixture", "components": len(law.weights), "log_share": u.log_share}
    mse = float(law.evaluate(x)[1].mean())
    return Weight(lam, u, law.frame.out(law.means), mse, facts)


def _point(
    source: Source, weight: Weight, held: _HeldOut, train: Callable[[int], Tensor], options: Options, began: float
) -> Point:
    s2 = source.dim / (2 * weight.lam)
    x = held.x
    minus = -weight.log_u(x)
    near = train(max(4 * options.starts, 2000 if source.variances is None else 20_000))
    if source.variances is not None:
        minus = controlled(source, minus, x, -weight.log_u(near), near)
    grid = options.grid // (4 if options.quick else 1)
    starts = starting_points(near, s2, options.starts, weight.means, grid)
    ascend = 0 if options.search == "exhaustive" else 16 if held.density is not None else 48
    estimate: Estimate
    if held.density is not None:
        estimate, by_k = _with_density(weight, held, minus, starts, near, s2, ascend, options)
        kind = "importance sampling around y"
    else:
        estimate, by_k = _with_samples(weight, held, minus, starts, near, s2, ascend, options, train)
        kind = "samples"
    mse = weight.mse if weight.mse is not None else s2
    mse = max(0.0, min(mse, estimate.value / weight.lam))
    rate = estimate.value - weight.lam * mse
    return Point(
        "log-u",
        "lower",
        weight.lam,
        rate,
        mse,
        estimate.value,
        (rate - estimate.half_width, rate + estimate.half_width),
        len(x),
        time.perf_counter() - began,
        {
            "data": held.data,
            "k": held.k,
            "draws": held.draws,
            "c_from": kind,
            "interval": "independent draws of C_k" if held.draws > 1 else "jackknife of one draw",
            "search": options.search,
            "control_variates": source.variances is not None,
            "value_by_k": by_k,
            **weight.facts,
        },
    )


def _with_density(
    weight: Weight,
    held: _HeldOut,
    minus: Tensor,
    starts: Tensor,
    near: Tensor,
    s2: float,
    ascend: int,
    options: Options,
) -> tuple[Estimate, dict[str, float]]:
    shape = Shape.of(near)
    assert held.density is not None

    def objective(k: int, draw: int) -> DensityObjective:
        assert held.density is not None
        return DensityObjective(held.density, weight.log_u, s2, shape, k, 1000 * options.seed + 10 * draw + 5)

    scan = objective(64, 0)(starts)[0]
    kept = starts[scan > float(scan.max()) - MARGIN]
    kept = kept[torch.randperm(len(kept), generator=torch.Generator().manual_seed(0))[:1500]]
    found: list[tuple[float, Tensor]] = []
    for draw in range(held.draws):
        coarse = None if ascend == 0 else objective(64, draw + 100)
        pool = torch.cat([*(y[None] for _c, y in found), kept])
        found.append(supremum(objective(held.k, draw), pool, s2, ascend=ascend, steps=12, coarse=coarse))
    log_c = torch.tensor([c for c, _y in found], dtype=torch.float64)
    means = torch.stack([part.mean() for part in held.parts(minus)])
    by_k = {}
    for k in (max(16, held.k // 16), max(16, held.k // 4)):
        c = supremum(objective(k, 0), torch.stack([y for _c, y in found]), s2, ascend=0, steps=12)[0]
        by_k[str(k)] = float(minus.mean()) - c
    estimate = two_fold(means, log_c)
    return estimate, {**by_k, str(held.k): estimate.value}


def _with_samples(
    weight: Weight,
    held: _HeldOut,
    minus: Tensor,
    starts: Tensor,
    near: Tensor,
    s2: float,
    ascend: int,
    options: Options,
    train: Callable[[int], Tensor],
) -> tuple[Estimate, dict[str, float]]:
    def search(objective: Objective, x: Tensor, log_u: Tensor, pool: Tensor) -> tuple[float, Tensor]:
        rare = x[log_u.topk(min(512 if ascend else len(x), len(x)), largest=False).indices]
        return supremum(objective, torch.cat([rare, x[: len(pool)], pool]), s2, ascend=ascend)

    found = []
    pool = starts
    for x, log_u in zip(held.parts(held.x), held.parts(-minus), strict=True):
        found.append(search(SampleObjective(x, log_u, s2), x, log_u, pool))
    x, log_u = held.parts(held.x)[0], held.parts(-minus)[0]
    by_k = {}
    for share in (16, 4):
        k = len(x) // share
        if k >= 2:
            some = [slice(i * k, (i + 1) * k) for i in range(min(share, 4))]
            values = [
                float(-log_u[s].mean()) - search(SampleObjective(x[s], log_u[s], s2), x[s], log_u[s], pool)[0]
                for s in some
            ]
            by_k[str(k)] = sum(values) / len(values)
    if held.draws > 1:
        log_c = torch.tensor([c for c, _y in found], dtype=torch.float64)
        estimate = two_fold(torch.stack([part.mean() for part in held.parts(minus)]), log_c)
    else:
        objective = SampleObjective(held.x, -minus, s2)
        fresh = [train(held.k) for _ in range(4)]
        others = []
        for x in fresh:
            log_u = weight.log_u(x)
            others.append(search(SampleObjective(x, log_u, s2), x, log_u, pool)[0])
        log_a = float(torch.tensor(others, dtype=torch.float64).logsumexp(0)) - math.log(len(others))
        best, where = found[0]
        height = objective(pool)[0]
        near_top = torch.cat([where[None], pool[height.topk(min(64, len(pool))).indices]])
        left_out = []
        for block in torch.arange(held.k).tensor_split(min(BLOCKS, held.k)):
            keep = torch.ones(held.k, dtype=torch.bool)
            keep[block] = False
            left_out.append(supremum(objective.without(keep), near_top, s2, ascend=16, steps=10)[0])
        estimate = one_draw(minus, best, log_a, torch.tensor(left_out, dtype=torch.float64))
    return estimate, {**by_k, str(held.k): estimate.value}
