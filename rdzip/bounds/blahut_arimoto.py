"""Blahut-Arimoto on a histogram of samples: an estimate of R(D), not a bound on that of the continuous source.

Blahut 1972, "Computation of channel capacity and rate-distortion functions"; Csiszar 1974, "On the computation of
rate-distortion functions". For p(x) on the cells and a reproduction law q(y) on all cell centres
    u(x) = sum_y q(y) k(x, y),   c(y) = sum_x p(x) k(x, y) / u(x),   k = exp(-lambda rho),   rho = |x - y|^2 / dim,
and q <- q c lowers F(q) = -sum_x p(x) ln u(x) to L(lambda) of the histogram, with L >= F - ln max_y c(y). The steps
end when that gap is small, or when F fell little in the last half of them: F - L falls about as 1 / steps, so the rest
is as small. The gap, which falls later, is in the facts of a point: it is certain.

Fast: k is a product over dimensions, so u and c take one matrix product a dimension, [bins, bins] each. Steps are
lengthened, q <- q c^e with e growing while F falls; a step that raises F is taken back. q is held as its logarithm.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from rdzip.bounds.point import Point, Report, check_lambdas
from rdzip.bounds.sources.base import Source, training_set
from rdzip.errors import InputError

MOST_DIM = 3
MOST_BINS = (2000, 700, 60)
"""Unasked, in one, two and three dimensions; fewer where there are fewer than SAMPLES_A_CELL samples a cell."""
LEAST_BINS = 40
SAMPLES_A_CELL = 2
CELL_NATS = 0.003
"""What the width of the cells may cost unasked: lambda times a cell's variance."""
GROWTH, LONGEST = 1.1, 64.0
"""Steps grow by this factor while F falls, up to this length."""
LEAST_STEPS = 64
PARTS = ("auto", "training", "held-out", "all")
ENOUGH = 10_000
"""Held-out samples from which on they are the part of choice."""
NOTICE = 200
"""Steps from one report to the next."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Options:
    """bins: a dimension, 0 for as many as lambda asks for; samples: of unlimited sources; steps: at most.

    tolerance: of F, relative. part: of a finite set, training, held-out or all; auto: held-out where it has ENOUGH
    samples, as the bounds stand on it, else training. Where the two differ, as recordings do, an estimate is only
    comparable with bounds that were measured on the same part. quick: a tenth of the samples, ten times the tolerance.
    """

    bins: int = 0
    samples: int = 1_000_000
    steps: int = 20_000
    tolerance: float = 1e-5
    part: str = "auto"
    seed: int = 0
    quick: bool = False

    def __post_init__(self) -> None:
        if self.part not in PARTS:
            raise InputError(f"expected a part of {', '.join(PARTS)}, found {self.part!r}")
        if self.bins < 0 or self.bins == 1 or self.samples < 2 or self.steps < 1 or not self.tolerance > 0:
            raise InputError(
                "expected at least 2 bins (or 0 for a default), 2 samples, 1 step and a tolerance above 0, found "
                f"{self.bins}, {self.samples}, {self.steps}, {self.tolerance:g}"
            )


@dataclass(frozen=True)
class Histogram:
    """Shares of samples p [bins] * dim, which sum to 1; centres of the cells along each dimension, dim x [bins]."""

    p: Array
    centres: list[Array]
    samples: int


@dataclass(frozen=True)
class Solution:
    """What Blahut-Arimoto found: L in nats is in low..value; mse; q [bins] * dim; error: of value, by sampling."""

    value: float
    low: float
    mse: float
    error: float
    steps: int
    q: Array


def histogram(samples: NDArray[np.float32], bins: int = 0, lam: float = math.inf) -> Histogram:
    """Count samples [n, dim] in equal cells from their least to their greatest values.

    bins: a dimension; 0: so many that cells are small beside the distortion at slope -lam (CELL_NATS), within limits.
    """
    n, dim = samples.shape
    if dim > MOST_DIM:
        raise InputError(f"a histogram takes at most {MOST_DIM} dimensions, found {dim}: ask for wgd or mixture")
    if not np.isfinite(samples).all():
        raise InputError("expected finite samples, found NaN or infinite values")
    lows, highs = samples.min(0).astype(np.float64), samples.max(0).astype(np.float64)
    if (lows == highs).any():
        raise InputError(f"expected samples that vary, found coordinate {int((lows == highs).argmax())} constant")
    if bins == 0:
        needed = math.sqrt(lam * float(np.mean((highs - lows) ** 2)) / (12 * CELL_NATS))
        most = min(MOST_BINS[dim - 1], max(2, int((n / SAMPLES_A_CELL) ** (1 / dim))))
        bins = min(most, max(LEAST_BINS, math.ceil(min(needed, most))))
    if n < bins**dim:
        raise InputError(
            f"expected at least as many samples as bins, found {n} samples for {bins**dim} bins ({bins} a dimension): "
            f"ask for at most {int(n ** (1 / dim) + 1e-9)} a dimension"
        )
    width = (highs - lows) / bins
    index = np.zeros(n, np.int64)
    for x, low, step in zip(samples.T, lows, width, strict=True):
        index = index * bins + np.clip((x - low) / step, 0, bins - 1).astype(np.int64)
    counts = np.bincount(index, minlength=bins**dim).reshape((bins,) * dim)
    return Histogram(
        counts / n, [low + step * (np.arange(bins) + 0.5) for low, step in zip(lows, width, strict=True)], n
    )


def blahut_arimoto(
    source: Histogram, lam: float, *, steps: int, tolerance: float, notice: Callable[[float], None] = lambda share: None
) -> Solution:
    """Return R and D of a histogram at slope -lam, by Blahut's and Arimoto's alternating minimisation.

    - source: the histogram
    - lam: lambda, nats per unit of mean squared error
    - steps: iterations at most
    - tolerance: how near, as a share of R + lam D, the value must be to its lower bound or to where it goes
    - notice: called now and then with the share that is done
    """
    dim = source.p.ndim
    squares = [np.subtract.outer(centre, centre) ** 2 for centre in source.centres]
    kernels = [np.exp(-lam / dim * square) for square in squares]
    seen = source.p > 0
    p = source.p[seen]
    log_q = np.full(source.p.shape, -math.log(source.p.size))
    best, low, length = math.inf, -math.inf, 1.0
    best_q, best_log_c = log_q, log_q
    ratio = np.zeros_like(source.p)
    values: list[float] = []
    while len(values) < steps and not _converged(values, low, tolerance):
        u = _apply(kernels, np.exp(log_q))[seen]
        value = -float(p @ np.log(u)) if u.min() > 0 else math.inf
        if value > best:  # too long a step
            log_q, length = _normalised(best_q + best_log_c), 1.0
        else:
            ratio[seen] = p / u
            with np.errstate(divide="ignore"):
                log_c = np.log(_apply(kernels, ratio))
            best, low = value, max(low, value - float(log_c.max()))
            best_q, best_log_c = log_q, log_c
            length = min(length * GROWTH, LONGEST)
            log_q = _normalised(log_q + length * log_c)
        values.append(best)
        if len(values) % NOTICE == 0:
            notice(min(max(len(values) / steps, tolerance * best / max(_fall(values), 1e-300)), 0.99))
    return _measured(source, best_q, kernels, squares, best, low, len(values))


def _converged(values: list[float], low: float, tolerance: float) -> bool:
    if len(values) < LEAST_STEPS:
        return False
    return min(values[-1] - low, _fall(values)) <= tolerance * abs(values[-1])


def _fall(values: list[float]) -> float:
    """By how much F fell in the last half of the steps: about what it still has to fall."""
    return values[len(values) // 2] - values[-1]


def _measured(
    source: Histogram, log_q: Array, kernels: list[Array], squares: list[Array], value: float, low: float, steps: int
) -> Solution:
    q, dim = np.exp(log_q), source.p.ndim
    u = _apply(kernels, q)
    seen = source.p > 0
    ratio = np.divide(source.p, u, out=np.zeros_like(u), where=seen)
    mse = 0.0
    for i, square in enumerate(squares):
        weighted = [kernel * square if i == j else kernel for j, kernel in enumerate(kernels)]
        mse += float((ratio * _apply(weighted, q)).sum()) / dim
    spread = (source.p[seen] * (np.log(u[seen]) + value) ** 2).sum()
    return Solution(value, low, mse, math.sqrt(spread / source.samples), steps, q)


def solve(source: Source, lambdas: Sequence[float], options: Options, report: Report) -> list[Point]:
    """Return an estimate of R(D) for each lambda, from a histogram of fresh samples, or of a part of a finite set."""
    lambdas = check_lambdas(lambdas)
    if source.dim > MOST_DIM:
        raise InputError(f"a histogram takes at most {MOST_DIM} dimensions, found {source.dim}: ask for wgd or mixture")
    start = time.perf_counter()
    if options.quick:
        options = replace(options, samples=max(2, options.samples // 10), tolerance=10 * options.tolerance, quick=False)
    if options.part == "auto":
        enough = (source.held_out_count or 0) >= ENOUGH
        options = replace(options, part="held-out" if enough else "training")
    samples = _samples(source, options)
    points: list[Point] = []
    for lam in lambdas:
        done = len(points)
        cells = histogram(samples.reshape(len(samples), -1), options.bins, lam)
        found = blahut_arimoto(
            cells,
            lam,
            steps=options.steps,
            tolerance=options.tolerance,
            notice=lambda share, done=done: report((done + share) / len(lambdas), None),  # type: ignore[misc]
        )
        now = time.perf_counter()
        points.append(
            Point.measured(
                "ba",
                "estimate",
                lam=lam,
                value=found.value,
                mse=found.mse,
                error=found.error,
                samples=cells.samples,
                seconds=now - start,
                bins=cells.p.shape[0],
                cells_seen=int((cells.p > 0).sum()),
                cell_mse=float(np.mean([(centre[1] - centre[0]) ** 2 / 12 for centre in cells.centres])),
                steps=found.steps,
                gap_nats=found.value - found.low,
                converged=found.steps < options.steps,
                data="fresh" if source.unlimited else options.part,
                note="an estimate for the histogram, not a bound",
            )
        )
        start = now
        report(len(points) / len(lambdas), points[-1])
    return points


def _samples(source: Source, options: Options) -> NDArray[np.float32]:
    rng = np.random.default_rng(options.seed)
    if source.unlimited or options.part == "training":
        return training_set(source, options.samples, rng)
    if options.part == "held-out":
        return source.held_out(options.samples, rng)
    most = 2**62  # all there are, so that the parts keep their shares
    both = np.concatenate([training_set(source, most, rng), source.held_out(most, rng)])
    return both if len(both) <= options.samples else rng.choice(both, options.samples, replace=False)


def _apply(kernels: list[Array], a: Array) -> Array:
    """Sum over y of a(y) times the product over dimensions of kernels[i][x_i, y_i]; they are symmetric."""
    shape = a.shape
    for kernel in kernels:  # the dimension in front is worked off and goes to the end
        a = a.reshape(len(kernel), -1).T @ kernel
    return a.reshape(shape)


def _normalised(log_q: Array) -> Array:
    log_q = log_q - log_q.max()
    shifted: Array = log_q - math.log(np.exp(log_q).sum())
    return shifted
