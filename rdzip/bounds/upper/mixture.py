"""Upper bound by a Gaussian mixture as the law of reproductions: method "mixture", for vectors.

For any law q, L(lambda) <= E[-log u_q(X)], u_q(x) = E_q exp(-lambda rho(x, Y)), and the channel p(y|x) ~ q(y)
exp(-lambda rho(x, y)) has that R + lambda D (Blahut 1972, Csiszar 1974; Yang & Mandt 2022, section 2). With q a mixture
of Gaussians all of it is in closed form: there is no bound on a bound, and no sampling of Y. A Gaussian source takes
one component, which is reverse water-filling.

The bound holds for whatever law the samples it is evaluated on have, as long as q is fixed without them. Where held-out
samples have another law than those for training (other recordings, say), cross_fit fits a q to training samples and one
half of the held-out ones, evaluates it on the other half, and the same the other way round. Both halves are bounds, and
so is their mean (time sharing).
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from rdzip.bounds.control_variates import controlled
from rdzip.bounds.point import Point, Report, check_lambdas
from rdzip.bounds.quadratic import FULL_DIM
from rdzip.bounds.sources.base import Source, grouped, held_out_halves, training_set
from rdzip.bounds.upper.mixture_law import Frame, Mixture, fit, one_component, start
from rdzip.errors import InputError
from rdzip.system.progress import Progress

MOST_DIM = 4096
ROTATED_DIM = 1024  # principal axes are tried up to here
FEATURES = 20_000_000  # numbers in the features of the samples that several components are fitted to


@dataclass(frozen=True)
class Options:
    """components: 0 chooses between one and a number by dimension, on samples apart. fit_samples, passes: of
    expectation maximisation. samples: that the bound stands on, or all held-out ones if there are fewer. cross_fit: fit
    to training samples and, up to as many, those of the half of the held-out ones that is not evaluated; None: where
    held-out samples come in groups, such as recordings."""

    components: int = 0
    fit_samples: int = 60_000
    passes: int = 40
    samples: int = 200_000
    cross_fit: bool | None = None
    seed: int = 0
    quick: bool = False

    def __post_init__(self) -> None:
        if self.components < 0 or self.passes < 1 or self.fit_samples < 2 or self.samples < 2:
            raise ValueError("components >= 0, passes >= 1, fit_samples >= 2 and samples >= 2 are needed")


def solve(source: Source, lambdas: Sequence[float], options: Options, report: Report) -> list[Point]:
    """Return upper Points at lambdas (nats), each from held-out or fresh samples, with their standard error."""
    descending = sorted(check_lambdas(lambdas), reverse=True)
    count = options.samples // (4 if options.quick else 1)
    other = None  # samples of a source whose moments are known, for control variates
    if source.variances is not None:
        other = vectors(source.train(20_000, np.random.default_rng([options.seed, 4])))
    began = time.perf_counter()

    def progress(share: float) -> None:
        report(0.8 * share, None)

    # What is evaluated, by the laws for it.
    folds: list[tuple[Tensor, dict[float, Mixture]]]
    crossed = grouped(source) if options.cross_fit is None else options.cross_fit
    if crossed:
        folds = _cross_fitted(source, descending, count, options, progress)
    else:
        folds = [(held_out(source, count, options.seed), fit_all(source, descending, options, progress))]
    fitted = (time.perf_counter() - began) / len(descending)
    whole = torch.cat([x for x, _ in folds])
    points: list[Point] = []
    for i, lam in enumerate(descending):
        began = time.perf_counter()
        law = folds[0][1][lam]
        value, mse = (torch.cat(parts) for parts in zip(*(laws[lam].evaluate(x) for x, laws in folds), strict=True))
        if other is not None:
            others = law.evaluate(other)
            value, mse = (controlled(source, a, whole, b, other) for a, b in zip((value, mse), others, strict=True))
        points.append(
            Point.measured(
                "mixture",
                "upper",
                lam=lam,
                value=float(value.mean()),
                mse=float(mse.mean()),
                error=float(value.std()) / math.sqrt(len(whole)),
                samples=len(whole),
                seconds=fitted + time.perf_counter() - began,
                data="fresh" if source.unlimited else "held-out",
                fitted_to="training and the other half of held-out" if crossed else "training",
                components=len(law.weights),
                covariances="diagonal" if law.diagonal else "full",
                control_variates=source.variances is not None,
            )
        )
        report(0.8 + 0.2 * (i + 1) / len(descending), points[-1])
    return points


def _cross_fitted(
    source: Source, descending: Sequence[float], count: int, options: Options, progress: Progress
) -> list[tuple[Tensor, dict[float, Mixture]]]:
    """Return both halves of `count` held-out samples, each with laws that have not seen it."""
    halves = [vectors(half) for half in held_out_halves(source, count, np.random.default_rng([options.seed, 1]))]
    if min(map(len, halves)) < 2:
        raise InputError(f"{source.name}: expected 4 held-out samples or more for cross_fit, two in each half")
    lams = tuple(descending)
    first = _fit_all(source, lams, options, lambda share: progress(0.5 * share), halves[1])
    second = _fit_all(source, lams, options, lambda share: progress(0.5 + 0.5 * share), halves[0])
    return [(halves[0], first), (halves[1], second)]


def vectors(samples: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> Tensor:
    """Return samples [n, *shape] as float64 [n, dim]."""
    return torch.from_numpy(samples.reshape(len(samples), -1).astype(np.float64))


def held_out(source: Source, n: int, seed: int) -> Tensor:
    """Return n held-out samples (all of a finite set, if there are fewer), float64 [n, dim]."""
    x = vectors(source.held_out(n, np.random.default_rng([seed, 1])))
    if len(x) < 2:
        raise InputError(f"{source.name}: expected at least 2 held-out samples, found {len(x)}")
    return x


_fitted: WeakKeyDictionary[Source, dict[tuple[Options, tuple[float, ...]], dict[float, Mixture]]] = WeakKeyDictionary()


def fit_all(source: Source, lambdas: Sequence[float], options: Options, progress: Progress) -> dict[float, Mixture]:
    """Return the mixture for each lambda, fitted to training samples; remembered for the source while it lives.

    Components are fitted at the largest lambda, where structure matters most, and followed down from there.
    """
    descending = tuple(sorted({float(lam) for lam in lambdas}, reverse=True))
    memory = _fitted.setdefault(source, {})
    if (options, descending) not in memory:
        memory[options, descending] = _fit_all(source, descending, options, progress)
    return memory[options, descending]


def _fit_all(
    source: Source, descending: tuple[float, ...], options: Options, progress: Progress, also: Tensor | None = None
) -> dict[float, Mixture]:
    if source.dim > MOST_DIM:
        raise InputError(f"mixture takes at most {MOST_DIM} dimensions, and {source.name} has {source.dim}: try vae")
    dim = source.dim
    full = dim <= FULL_DIM
    size = 1 + dim + (dim * (dim + 1) // 2 if full else dim)
    most = max(options.fit_samples, min(500_000, 40_000_000 // dim))
    x = vectors(training_set(source, most, np.random.default_rng([options.seed, 2])))
    if len(x) < 2:
        raise InputError(f"{source.name}: expected at least 2 training samples, found {len(x)}")
    if also is not None:
        also = also[: options.fit_samples // 2]
        x = torch.cat([also, x[: max(2, options.fit_samples - len(also))]])
        x = x[torch.randperm(len(x), generator=torch.Generator().manual_seed(options.seed))]
    some = x[: min(len(x), options.fit_samples, max(2000, FEATURES // size))]
    apart = some[: max(1, len(some) // 10)]  # choose between laws on these
    frames = [Frame(some.mean(0))]
    if not full and dim <= ROTATED_DIM:
        frames.append(Frame(frames[0].centre, torch.linalg.eigh(torch.cov(x.T)).eigenvectors))
    top = descending[0]

    count = options.components or min(_components(dim), len(some) // max(300, 5 * size))
    passes = max(1, options.passes // (2 if options.quick else 1))
    generator = torch.Generator().manual_seed(options.seed)

    def several(samples: Tensor) -> Mixture:
        return fit(start(samples, top, frame, count, not full, generator), samples, passes)[0]

    simple = []
    if options.components < 2:
        rest = x[len(apart) :] if len(x) > 20 * len(apart) or len(x) == len(some) else x[len(some) :]
        kinds = [(frame, diagonal) for frame in frames for diagonal in ((True, False) if full else (True,))]
        simple = [(one_component(rest, top, *kind), kind) for kind in kinds]
    frame, law = frames[0], None
    if simple:
        losses = [one.evaluate(apart)[0] for one, _ in simple]
        best = 0
        for i in range(1, len(simple)):
            best = i if _better(losses[i], losses[best]) else best
        frame, diagonal = simple[best][1]
    if count > 1:
        law = several(some[len(apart) :] if simple else some)
        if simple and not _better(law.evaluate(apart)[0], losses[best]):
            law = None
    progress(0.5)
    found: dict[float, Mixture] = {}
    for i, lam in enumerate(descending):
        if law is None:
            found[lam] = one_component(x, lam, frame, diagonal)
        else:
            law = fit(law.at(lam), some, passes)[0]
            found[lam] = law
        progress(0.5 + 0.5 * (i + 1) / len(descending))
    return found


def _better(loss: Tensor, other: Tensor) -> bool:
    """Whether the first of two losses [n] on the same samples is less, beyond two standard errors."""
    gain = other - loss
    return float(gain.mean()) > 2 * float(gain.std(unbiased=False)) / math.sqrt(len(gain))


def _components(dim: int) -> int:
    return 64 if dim <= 4 else 48 if dim <= 16 else 32 if dim <= FULL_DIM else 16
