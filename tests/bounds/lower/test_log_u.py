"""Lower bounds by Csiszar's dual: below the exact values, and close to them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from helpers.hidden_density import exact_value, finite, gaussian, hidden

from rdzip.bounds.lower.estimator import one_draw, two_fold
from rdzip.bounds.lower.log_u import Options, solve
from rdzip.bounds.point import Point
from rdzip.bounds.sources.finite import FiniteSource
from rdzip.errors import InputError

FAST = {"samples": 40_000, "starts": 64, "grid": 400, "quick": True}


def quiet(share: float, point: Point | None) -> None:
    assert 0 <= share <= 1


def half_width(point: Point) -> float:
    return (point.ci95_nats[1] - point.ci95_nats[0]) / 2


@pytest.mark.parametrize("variances", [[0.7], [1.0, 0.3], [2.0, 1.0, 0.5, 0.1]])
def test_gaussians_with_a_density_are_met_from_below(variances: list[float]) -> None:
    n = len(variances)
    for point in solve(gaussian(variances), [n / 2 * slope for slope in (1, 30)], Options(**FAST), quiet):
        exact = exact_value(variances, point.lam)
        assert max(0.97 * exact, exact - 0.02 * n) <= point.value_nats <= exact + half_width(point) + 1e-6
        assert point.rate_nats >= 0
        assert point.facts["c_from"] == "importance sampling around y"
        assert (point.method, point.role) == ("log-u", "lower")


@pytest.mark.parametrize("search", ["quick", pytest.param("exhaustive", marks=pytest.mark.slow)])
def test_samples_alone_give_a_bound_that_rises_with_k(search: str) -> None:
    options = Options(**FAST | {"search": search, "k": 1600})
    (point,) = solve(hidden([1.0, 0.5]), [3.0], options, quiet)
    exact = exact_value([1.0, 0.5], 3.0)
    assert exact - 0.02 - half_width(point) <= point.value_nats <= exact + half_width(point)
    by_k = point.facts["value_by_k"]
    assert list(by_k) == ["100", "400", "1600"]
    assert list(by_k.values()) == sorted(by_k.values())
    assert point.facts["interval"] == "standard error of -log u"


@pytest.mark.slow
def test_searches_agree() -> None:
    values = []
    for search in ("quick", "exhaustive"):
        values.append(solve(hidden([1.0, 0.5]), [8.0], Options(**FAST | {"search": search, "k": 1000}), quiet))
    for quick, whole in zip(*values, strict=True):
        assert quick.value_nats == pytest.approx(whole.value_nats, abs=1e-3)


@pytest.mark.parametrize(("part", "data", "samples"), [("auto", "all", 1500), ("held-out", "held-out", 300)])
def test_few_samples_stand_on_themselves(part: str, data: str, samples: int) -> None:
    (point,) = solve(finite([1.0, 0.5], 1200, 300), [2.0], Options(**FAST | {"part": part}), quiet)
    exact = exact_value([1.0, 0.5], 2.0)
    assert abs(point.value_nats - exact) <= 1.5 * half_width(point)
    assert (point.facts["k"], point.samples, point.facts["data"]) == (samples, samples, data)


def test_a_network_sees_few_samples_in_one_draw() -> None:
    options = Options(**FAST | {"network": "mlp", "train_steps": 40, "train_k": 200, "hidden": (16,)})
    (point,) = solve(finite([1.0, 0.5], 4000, 1500), [2.0], options, quiet)
    assert point.value_nats <= exact_value([1.0, 0.5], 2.0) + half_width(point)
    assert (point.facts["draws"], point.facts["k"], point.samples) == (1, 1500, 1500)
    assert point.facts["interval"] == "jackknife of one draw"
    assert point.facts["data"] == "held-out"


@pytest.mark.slow
def test_no_weight_of_a_network_beats_the_samples_own() -> None:
    source = finite([1.0, 0.5], 4000, 1500)
    network = Options(**FAST | {"network": "mlp", "train_steps": 200, "train_k": 400, "hidden": (32,)})
    (own,) = solve(source, [2.0], Options(**FAST | {"part": "held-out"}), quiet)
    (other,) = solve(source, [2.0], network, quiet)
    assert other.value_nats <= own.value_nats


def test_a_perceptron_gives_a_valid_bound() -> None:
    options = Options(**FAST | {"network": "mlp", "train_steps": 200, "train_k": 200, "hidden": (16,), "k": 2000})
    points = solve(hidden([1.0, 0.5]), [1.0, 3.0], options, quiet)
    assert [point.lam for point in points] == [3.0, 1.0]
    for point in points:
        exact = exact_value([1.0, 0.5], point.lam)
        assert exact - 0.4 <= point.value_nats <= exact + half_width(point)
        assert point.facts["network"] == "mlp"


def test_images_take_atoms_and_a_convolutional_network() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (600, 8, 8, 1)).astype(np.uint8)
    source = FiniteSource("noise", images[:400], images[400:])
    options = Options(**FAST | {"network": "cnn", "train_steps": 8, "train_k": 64, "hidden": (8,)})
    (own,) = solve(source, [1.0], Options(**FAST), quiet)
    (point,) = solve(source, [1.0], options, quiet)
    assert (own.facts["network"], point.facts["network"]) == ("atoms", "cnn")
    assert point.value_nats <= own.value_nats + 0.02 <= 1.0 / 12 + 0.04  # rate 0 costs lambda times the variance
    with pytest.raises(InputError, match="expected images for a cnn"):
        solve(gaussian([1.0]), [1.0], Options(network="cnn"), quiet)
    with pytest.raises(InputError, match="known density for network mixture"):
        solve(source, [1.0], Options(network="mixture"), quiet)


def test_the_same_seed_gives_the_same_bound() -> None:
    def once() -> list[Point]:
        return solve(gaussian([1.0]), [1.0], Options(**FAST | {"samples": 4000}), quiet)

    assert once()[0].value_nats == once()[0].value_nats


def test_the_two_fold_estimator_is_the_formula() -> None:
    c = torch.tensor([1.0, 1.2, 0.8, 1.4], dtype=torch.float64)
    minus = torch.tensor([3.0, 3.1, 2.9, 3.2], dtype=torch.float64)
    found = two_fold(minus, c.log())
    first, second = 1.1, 1.1
    xi = minus - c / torch.tensor([second, second, first, first]) - math.log(1.1) + 1
    assert found.value == pytest.approx(float(xi.mean()))
    assert found.half_width == pytest.approx(3.182 * float(xi.std()) / 2)


def test_one_draw_is_the_formula_and_its_interval_that_of_the_mean() -> None:
    minus = torch.randn(2000, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = one_draw(minus, math.log(1.3), math.log(1.1), torch.full((20,), math.log(1.3), dtype=torch.float64))
    assert found.value == pytest.approx(float(minus.mean()) - 1.3 / 1.1 - math.log(1.1) + 1)
    assert found.half_width == pytest.approx(1.96 / math.sqrt(2000), rel=0.5)


@pytest.mark.parametrize(
    "wrong", [{"network": "gru"}, {"search": "slow"}, {"draws": 2}, {"beta": 0.0}, {"part": "training"}]
)
def test_impossible_options(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"is one of|are needed"):
        Options(**wrong)
