"""Exact R(D) of Gaussians, and units of the literature converted to ours."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from rdzip.bounds import exact, units
from rdzip.bounds.point import Point, check_lambdas
from rdzip.bounds.sources.base import open_source
from rdzip.errors import InputError


def ignore(share: float, point: Point | None) -> None: ...


@pytest.mark.parametrize("dim", [1, 2, 16, 1000])
@pytest.mark.parametrize("step", [0.3, 1.0, 10.0, 300.0])
def test_water_filling_has_the_slope_that_it_was_asked_for(dim: int, step: float) -> None:
    variances, lam = open_source("gaussian", dim=dim).variances, step * dim / 2
    assert variances is not None
    value = sum(f * p for f, p in zip((1, lam), exact.water_filling(variances, lam), strict=True))
    for other in (0.9 * lam, 1.1 * lam):  # no other point of R(D) has a smaller Lagrangian
        rate, mse = exact.water_filling(variances, other)
        assert rate + lam * mse >= value - 1e-9


def test_water_filling_in_closed_form() -> None:
    rate, mse = exact.water_filling(np.array([4.0, 0.25]), 2.0)  # level 2 / (2 * 2) = 1/2: the second is not coded
    assert math.isclose(rate, 0.5 * math.log(8))
    assert math.isclose(mse, (0.5 + 0.25) / 2)
    assert exact.water_filling(np.array([1.0, 1.0]), 0.5) == (0.0, 1.0)
    rate, mse = exact.water_filling(np.ones(2), 10.0)
    assert math.isclose(rate + 10 * mse, 3.302585, rel_tol=1e-6)  # as measured for the reference


def test_exact_points_of_a_source() -> None:
    source = open_source("gaussian", dim=4)
    seen: list[tuple[float, Point | None]] = []
    points = exact.solve(source, [10, 1.0], exact.Options(), lambda share, point: seen.append((share, point)))
    assert [(p.role, p.lam, p.ci95_nats[0] == p.rate_nats) for p in points] == [("exact", 10, True), ("exact", 1, True)]
    assert seen == [(0.5, points[0]), (1.0, points[1])]
    with pytest.raises(InputError, match="not known exactly"):
        exact.solve(open_source("banana"), [1.0], exact.Options(), ignore)


@pytest.mark.parametrize("lambdas", [[0.0], [1.0, -2.0], [math.nan], [math.inf], []])
def test_lambdas_are_above_zero(lambdas: list[float]) -> None:
    with pytest.raises(InputError, match=r"expected (every lambda above 0|at least one lambda)"):
        check_lambdas(lambdas)
    with pytest.raises(InputError):
        exact.solve(open_source("gaussian"), lambdas, exact.Options(), ignore)


def test_records_hold_a_point_in_the_units_of_the_design() -> None:
    source = open_source("gaussian", dim=4)
    point = Point.measured(
        "vae", "upper", lam=2.0, value=3.0, mse=0.5, error=0.1, samples=7, seconds=1.5, k=np.int64(9), odd=math.inf
    )
    record = json.loads(json.dumps(point.record(source), allow_nan=False))
    assert record["source"] == "gaussian"
    assert record["dim"] == 4
    assert record["rate_nats"] == 2.0
    assert math.isclose(record["rate_bits_per_dim"], 0.5 / math.log(2))
    assert np.allclose(record["ci95_nats"], [2 - 0.19599640, 2 + 0.19599640])
    assert record["facts"] == {"k": 9, "odd": None}
    assert record["units"]["rate"] == "nats per source sample"
    back = Point.from_record(record)
    assert (back.method, back.role, back.lam, back.value_nats, back.samples) == ("vae", "upper", 2.0, 3.0, 7)
    for wrong in ({"role": "guess"}, {"value_nats": 9.0}, {"mse": "much"}, {"ci95_nats": [1]}):
        with pytest.raises(InputError, match="record of a point"):
            Point.from_record(record | wrong)
    with pytest.raises(InputError, match="rate_nats"):
        Point.from_record({key: value for key, value in record.items() if key != "rate_nats"})


SHAPES = {"bpp-255": (128, 128, 3)}


@pytest.mark.parametrize("name", units.CONVENTIONS)
def test_conversions_there_and_back_keep_the_trade(name: str) -> None:
    shape = SHAPES.get(name, (16,))
    theirs = units.convention(name)
    assert math.isclose(theirs.rate_nats(theirs.their_rate(3.7, shape), shape), 3.7)
    assert math.isclose(theirs.mse(0.2 * theirs.distortion(shape), shape), 0.2)
    # What they minimise is ours times one factor: the same optimum.
    ratio = [
        (theirs.their_rate(rate, shape) + 40 * mse * theirs.distortion(shape)) / (rate + theirs.lam(40.0, shape) * mse)
        for rate, mse in ((1.0, 0.3), (5.0, 0.01))
    ]
    assert math.isclose(*ratio)


def test_conventions_of_each_reference() -> None:
    # RD-sandwich, images: lambda of the lower bound = lambda of the upper one * H W ln 2 255^2, 7.38e8 at 128 x 128.
    images = units.convention("bpp-255")
    assert math.isclose(images.lam(1.0, (128, 128, 3)), 7.38e8, rel_tol=1e-3)
    assert math.isclose(images.lam(5.4e-6, (128, 128, 3)), 4000, rel_tol=5e-3)
    assert math.isclose(images.rate_nats(0.226, (512, 768, 3)), 0.226 * 512 * 768 * math.log(2))
    assert math.isclose(images.mse(65.025, (8, 8, 3)), 0.001)
    # rdub_mlp.py: bits a sample by default; --nats; --rpd divides the rate by the dimensions.
    assert math.isclose(units.convention("bits").rate_nats(1.0, (2,)), math.log(2))
    assert math.isclose(units.convention("bits").lam(3.0, (2,)), 3 * math.log(2))
    assert math.isclose(units.convention("bits-per-dim").lam(3.0, (16,)), 3 * math.log(2) * 16)
    assert math.isclose(units.convention("nats-per-dim").lam(3.0, (16,)), 48)
    assert units.convention("nats").lam(3.0, (16,)) == 3.0
    # wgd: half the squared error, summed: lambda = 1 there is an EM step of unit variance, ours is dim / 2.
    assert math.isclose(units.convention("half-sse").lam(1.0, (16,)), 8)
    assert math.isclose(units.convention("sse").lam(1.0, (16,)), 16)


def test_units_that_do_not_fit() -> None:
    with pytest.raises(InputError, match="no such units"):
        units.convention("decibel")
    with pytest.raises(InputError, match="bits per pixel are of images"):
        units.convention("bpp-255").rate_nats(1.0, (16,))
