"""Wasserstein gradient descent: valid and nearly tight bounds, on samples that were not fitted to."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rdzip.bounds.exact import water_filling
from rdzip.bounds.point import Point
from rdzip.bounds.sources.base import open_source
from rdzip.bounds.upper import wgd
from rdzip.errors import InputError

SMALL: dict[str, Any] = {"steps": 60, "batch": 1024, "samples": 8000}


def ignore(share: float, point: Point | None) -> None: ...


@pytest.mark.parametrize("reweigh", [False, True])
def test_upper_and_close_for_a_gaussian(reweigh: bool) -> None:
    source = open_source("gaussian", dim=2)
    assert source.variances is not None
    for point in wgd.solve(source, [1.0, 4.0], wgd.Options(reweigh=reweigh, **SMALL), ignore):
        rate, mse = water_filling(source.variances, point.lam)
        half = point.rate_nats - point.ci95_nats[0]
        above = point.value_nats - rate - point.lam * mse
        assert -2 * half < above < 2 * half + 0.02
        assert (point.role, point.method) == ("upper", "wgd-ba" if reweigh else "wgd")
        assert (point.samples, point.facts["data"]) == (8000, "fresh")
        assert "warning" not in point.facts


def test_banana_is_near_what_the_reference_found() -> None:
    (point,) = wgd.solve(open_source("banana"), [1.0], wgd.Options(particles=256, reweigh=True, **SMALL), ignore)
    assert abs(point.value_nats - 1.836) < 0.05
    assert abs(point.mse - 0.612) < 0.03


def test_the_value_and_the_channel_are_those_of_the_definition() -> None:
    rng = np.random.default_rng(0)
    x, y, w = rng.standard_normal((40, 3)), rng.standard_normal((7, 3)), rng.dirichlet(np.ones(7))
    law = wgd.Particles(5.0, torch.zeros(3).double(), torch.from_numpy(y), torch.from_numpy(w).log())
    values, distortions = law.evaluate(torch.from_numpy(x))
    rho = ((x[:, None] - y[None]) ** 2).mean(-1)
    kernel = w * np.exp(-5 * rho)
    channel = kernel / kernel.sum(1, keepdims=True)
    assert np.allclose(values, -np.log(kernel.sum(1)))
    assert np.allclose(distortions, (channel * rho).sum(1))
    rate = (channel * np.log(channel / w)).sum(1)  # KL from the law of the particles
    assert np.allclose(rate, values - 5 * distortions)


def test_far_from_the_origin_and_at_large_lambda_nothing_is_lost() -> None:
    rng = np.random.default_rng(0)
    y = rng.standard_normal((9, 2))
    law = wgd.Particles(
        1e5, torch.full((2,), 1000.0).double(), torch.from_numpy(y), torch.zeros(9).double() - math.log(9)
    )
    values, distortions = law.evaluate(torch.from_numpy(y + 1000))
    assert np.allclose(values, math.log(9))
    assert np.allclose(distortions, 0, atol=1e-9)


def test_too_few_particles_are_told() -> None:
    (point,) = wgd.solve(open_source("banana"), [30.0], wgd.Options(particles=8, **SMALL), ignore)
    assert point.rate_nats <= math.log(8) + 1e-9
    assert "loose" in point.facts["warning"]


def test_the_number_of_particles_follows_the_rate() -> None:
    options = wgd.Options(**(SMALL | {"steps": 10, "samples": 500}))
    few, many = wgd.solve(open_source("banana"), [0.1, 3.0], options, ignore)
    assert few.facts["particles"] == wgd.FEWEST < many.facts["particles"]


def test_finite_sets_are_measured_on_what_was_held_out(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.random.default_rng(0).standard_normal((1000, 3)) + 50)
    (point,) = wgd.solve(open_source(str(tmp_path / "a.npy")), [3.0], wgd.Options(reweigh=True, **SMALL), ignore)
    rate, mse = water_filling(np.ones(3), 3.0)
    assert (point.samples, point.facts["data"]) == (200, "held-out")
    assert point.value_nats > rate + 3 * mse - 2 * (point.rate_nats - point.ci95_nats[0])
    with pytest.raises(InputError, match="at most as many particles as training samples, found 801 for 800"):
        wgd.solve(open_source(str(tmp_path / "a.npy")), [3.0], wgd.Options(particles=801), ignore)


def test_reports_as_it_goes_and_repeats() -> None:
    seen: list[tuple[float, Point | None]] = []
    options = wgd.Options(particles=64, **SMALL)
    points = wgd.solve(open_source("banana"), [1.0, 3.0], options, lambda share, point: seen.append((share, point)))
    shares = [share for share, _ in seen]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert len(shares) > 4
    assert [point for _, point in seen if point] == points
    again = wgd.solve(open_source("banana"), [1.0, 3.0], options, ignore)
    assert [p.value_nats for p in again] == [p.value_nats for p in points]


def test_what_cannot_be_solved(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="above 0"):
        wgd.solve(open_source("banana"), [-1.0], wgd.Options(), ignore)
    for wrong in ({"particles": 1}, {"particles": -2}):
        with pytest.raises(InputError, match="2 or more particles"):
            wgd.Options(**wrong)
    for other in ({"steps": 0}, {"batch": 0}, {"samples": 1}, {"rate": 2.0}, {"rate": 0.0}):
        with pytest.raises(InputError, match="at least 1 step"):
            wgd.Options(**other)  # type: ignore[arg-type]
    np.save(tmp_path / "a.npy", np.random.default_rng(0).standard_normal((4, 3)))
    with pytest.raises(InputError, match="at least 8 samples, found 4"):
        wgd.solve(open_source(str(tmp_path / "a.npy")), [3.0], wgd.Options(**SMALL), ignore)
