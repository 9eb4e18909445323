"""Lower bound by the samples themselves: network "atoms" of method "log-u".

L(lambda) of a law is the minimum over q of E[-log u_q(X)], which is linear in the law: so it is concave in the law, and
that of n samples, a random law whose mean is the source's, is at most L(lambda) on the average. No weight u fitted to
other samples can give more on the same ones: E[-log u] - log sup C is at most the maximum over u, which is L of the
samples (duality). What is needed is L of the samples, or a little less: atoms.py. There is no fit to be kept apart from
held-out samples, since the minimum is what the bound says.

The bias, downwards, is about the number of atoms over twice the number of samples; facts show the value against k.
Rates above log n cannot be reached.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from rdzip.bounds.lower.atoms import Atoms, fit
from rdzip.bounds.point import Point, Report
from rdzip.bounds.sources.base import Source, training_set
from rdzip.bounds.upper import mixture

PARTS = ("auto", "held-out", "all")
ENOUGH = 10_000
"""Held-out samples from which on all others are left alone."""
NUMBERS = 25_000_000
"""Largest number of coordinates in all samples together."""
FIRST, FEW_DIM, WIDE = 1500, 8, 5000
"""Samples that are the first atoms. In more dimensions than FEW_DIM all are, as few of them are near each other, and
there are WIDE at most: kernels of all pairs have to be held."""
SHARES = (16, 4)
"""The value is shown for the samples in so many parts, too."""


def solve(
    source: Source, lambdas: Sequence[float], most: int, part: str, exhaustive: bool, seed: int, report: Report
) -> list[Point]:
    """Return lower Points of the samples at lambdas (nats, the largest first).

    - source: gives the samples
    - lambdas: nats per unit of mean squared error
    - most: samples to take, fewer if there are no more
    - part: one of PARTS
    - exhaustive: as `atoms.fit` has it
    - seed: of the samples
    - report: called with each Point, and with progress
    """
    most = min(most, max(64, NUMBERS // source.dim), WIDE if source.dim > FEW_DIM else most)
    x, data = _samples(source, most, part, seed)
    points = []
    groups: list[tuple[list[Tensor], list[Atoms]]] = [(group, []) for group in _groups(x)]
    for i, lam in enumerate(lambdas):
        began = time.perf_counter()
        by_k = {}
        for group, laws in groups:
            whole = len(group) == 1
            before: Sequence[Atoms | None] = laws or [None] * len(group)
            laws[:] = [_next(law, some, lam, exhaustive and whole) for law, some in zip(before, group, strict=True)]
            by_k[str(len(group[0]))] = sum(law.value for law in laws) / len(laws)
        law = laws[0]
        value = law.value
        mse = max(0.0, min(law.mse, value / lam))
        points.append(
            Point.measured(
                "log-u",
                "lower",
                lam=lam,
                value=value,
                mse=mse,
                error=float(law.log_u.std()) / math.sqrt(len(x)),
                samples=len(x),
                seconds=time.perf_counter() - began,
                data=data,
                network="atoms",
                atoms=len(law.weights),
                log_c=law.log_c,
                k=len(x),
                draws=1,
                c_from="samples",
                interval="standard error of -log u",
                search="exhaustive" if exhaustive else "quick",
                value_by_k=by_k,
            )
        )
        report((i + 1) / len(lambdas), points[-1])
    return points


def _groups(x: Tensor) -> list[list[Tensor]]:
    """Return x in many parts, in fewer, and whole: the value against k."""
    parts = [[part for part in x.tensor_split(share) if len(part) > 1] for share in SHARES]
    return [*(group for group in parts if len(group) > 1), [x]]


def _next(law: Atoms | None, x: Tensor, lam: float, exhaustive: bool) -> Atoms:
    """Return the law for samples x at lam, from that at a larger lambda if there is one."""
    if law is None:
        few = len(x) if x.shape[1] > FEW_DIM else min(len(x), FIRST)
        start = x[torch.randperm(len(x), generator=torch.Generator().manual_seed(0))[:few]]
    else:
        start = law.y
    return fit(x, lam, start, exhaustive=exhaustive)


def _samples(source: Source, most: int, part: str, seed: int) -> tuple[Tensor, str]:
    """Return samples float64 [n, dim] in random order, and what they are: fresh, held-out or all."""
    own, others = source.held_out_count, source.train_count
    if own is None or others is None:
        return mixture.held_out(source, most, seed), "fresh"
    if part == "auto":
        part = "held-out" if own >= min(ENOUGH, most) else "all"
    if part == "held-out":
        return mixture.held_out(source, most, seed), part
    rng = np.random.default_rng([seed, 6])
    take = min(own + others, most)
    count = min(own, max(1, round(take * own / (own + others))))  # in the shares that the source has
    x = torch.cat([mixture.held_out(source, count, seed), mixture.vectors(training_set(source, take - count, rng))])
    return x[torch.from_numpy(rng.permutation(len(x)))], part
