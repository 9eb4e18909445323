"""Blahut-Arimoto: against a slow one, against what is known exactly, and what it refuses."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from rdzip.bounds import blahut_arimoto as ba
from rdzip.bounds.exact import water_filling
from rdzip.bounds.point import Point
from rdzip.bounds.sources.base import open_source
from rdzip.errors import InputError


def ignore(share: float, point: Point | None) -> None: ...


def slow(cells: ba.Histogram, lam: float, steps: int) -> tuple[float, float]:
    """R and D by the plain algorithm, with the whole matrix of distortions."""
    grid = np.stack(np.meshgrid(*cells.centres, indexing="ij"), -1).reshape(-1, cells.p.ndim)
    rho = ((grid[:, None] - grid[None]) ** 2).mean(-1)
    p, q = cells.p.ravel(), np.full(len(grid), 1 / len(grid))
    for _ in range(steps):
        joint = q * np.exp(-lam * rho)
        channel = joint / joint.sum(1, keepdims=True)
        q = p @ channel
    mse = float((p[:, None] * channel * rho).sum())
    rate = float((p[:, None] * channel * np.log(np.maximum(channel, 1e-300) / np.maximum(q, 1e-300))).sum())
    return rate, mse


@pytest.mark.parametrize(("dim", "bins"), [(1, 40), (2, 12), (3, 6)])
def test_as_the_plain_algorithm(dim: int, bins: int) -> None:
    rng = np.random.default_rng(dim)
    cells = ba.histogram((rng.standard_normal((5000, dim)) * [1, 0.5, 2][:dim]).astype(np.float32), bins)
    found = ba.blahut_arimoto(cells, 2.0, steps=5000, tolerance=1e-7)
    rate, mse = slow(cells, 2.0, 3000)
    assert rate + 2 * mse - 3e-4 < found.value < rate + 2 * mse + 1e-7  # the plain one is slow to settle
    assert found.low <= found.value
    assert found.low - 1e-9 <= rate + 2 * mse
    assert math.isclose(found.mse, mse, rel_tol=1e-2)


def test_gaussian_is_near_its_exact_curve() -> None:
    source = open_source("gaussian", dim=2)
    assert source.variances is not None
    points = ba.solve(source, [2.0, 8.0], ba.Options(bins=60, samples=300_000), ignore)
    for point in points:
        rate, mse = water_filling(source.variances, point.lam)
        assert abs(point.value_nats - rate - point.lam * mse) < 0.02 * (rate + point.lam * mse)
        assert point.role == "estimate"
        assert point.facts["converged"]
        assert point.facts["data"] == "fresh"


def test_banana_is_where_the_reference_found_it() -> None:
    (point,) = ba.solve(open_source("banana"), [1.0], ba.Options(bins=60, samples=200_000, tolerance=1e-4), ignore)
    assert abs(point.value_nats - 1.836) < 0.01
    assert abs(point.rate_nats - 1.224) < 0.02
    assert abs(point.mse - 0.612) < 0.015


def test_little_and_much_rate() -> None:
    source = open_source("banana")
    few, many = ba.solve(source, [0.01, 1e6], ba.Options(bins=20, samples=20_000), ignore)
    assert few.rate_nats < 0.01
    cells = ba.histogram(source.train(20_000, np.random.default_rng(0)), 20)
    spread = np.mean([np.cov(cells.centres[i], aweights=cells.p.sum(1 - i), ddof=0) for i in (0, 1)])
    nearest = few.facts["cell_mse"] * 3  # how far the mean is from a centre, at most
    assert 0.01 * spread - 1e-6 < few.value_nats < 0.01 * (spread + nearest)
    entropy = -(cells.p[cells.p > 0] * np.log(cells.p[cells.p > 0])).sum()
    assert abs(many.rate_nats - entropy) < 1e-6
    assert many.mse < 1e-6


def test_reports_as_it_goes_and_repeats() -> None:
    seen: list[tuple[float, Point | None]] = []
    options = ba.Options(bins=20, samples=4000, tolerance=1e-9, steps=1000)
    points = ba.solve(open_source("banana"), [1.0, 3.0], options, lambda share, point: seen.append((share, point)))
    shares = [share for share, _ in seen]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert [point for _, point in seen if point] == points
    again = ba.solve(open_source("banana"), [1.0, 3.0], options, ignore)
    assert [p.value_nats for p in again] == [p.value_nats for p in points]
    (quick,) = ba.solve(open_source("banana"), [1.0], ba.Options(bins=20, samples=40_000, quick=True), ignore)
    assert quick.samples == 4000
    assert abs(quick.value_nats - points[0].value_nats) < 1e-3


def test_finite_sets_use_the_part_that_is_asked_for(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.random.default_rng(0).standard_normal((500, 2)))
    (point,) = ba.solve(open_source(str(tmp_path / "a.npy")), [1.0], ba.Options(), ignore)
    assert point.samples == 400
    assert point.facts["data"] == "training"
    assert point.facts["bins"] == 14  # two samples a bin
    for part, count in (("held-out", 100), ("all", 500)):
        (point,) = ba.solve(open_source(str(tmp_path / "a.npy")), [1.0], ba.Options(part=part), ignore)
        assert (point.samples, point.facts["data"]) == (count, part)
    with pytest.raises(InputError, match="expected a part of auto, training, held-out, all, found 'none'"):
        ba.Options(part="none")


@pytest.mark.parametrize(
    ("samples", "bins", "message"),
    [
        (np.zeros((50, 2)), 5, "coordinate 0 constant"),
        (np.stack([np.arange(50.0), np.ones(50)], 1), 5, "coordinate 1 constant"),
        (np.array([[1.0, 2], [np.nan, 1]]), 2, "NaN"),
        (np.random.default_rng(0).normal(size=(99, 2)), 10, "99 samples for 100 bins .* at most 9 a dimension"),
        (np.random.default_rng(0).normal(size=(99, 4)), 2, "at most 3 dimensions, found 4"),
    ],
)
def test_samples_that_make_no_histogram(samples: np.ndarray, bins: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ba.histogram(samples.astype(np.float32), bins)


def test_what_cannot_be_solved() -> None:
    with pytest.raises(InputError, match="at most 3 dimensions"):
        ba.solve(open_source("gaussian", dim=4), [1.0], ba.Options(), ignore)
    with pytest.raises(InputError, match="above 0"):
        ba.solve(open_source("banana"), [0.0], ba.Options(), ignore)
    for wrong in ({"bins": 1}, {"bins": -3}, {"samples": 1}, {"steps": 0}, {"tolerance": 0.0}):
        with pytest.raises(InputError, match="expected at least 2 bins"):
            ba.Options(**wrong)  # type: ignore[arg-type]
