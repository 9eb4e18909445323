"""Upper bounds by Gaussian mixtures: against Gaussians, and the law and its channel against sampling."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from helpers.hidden_density import exact_value, finite, gaussian, hidden

from rdzip.bounds.point import Point
from rdzip.bounds.sources.finite import FiniteSource
from rdzip.bounds.upper import mixture
from rdzip.bounds.upper.mixture import Options, solve
from rdzip.bounds.upper.mixture_law import Frame, Mixture, fit, one_component, start
from rdzip.errors import InputError

FEW = {"samples": 50_000, "fit_samples": 20_000}


def quiet(share: float, point: Point | None) -> None:
    assert 0 <= share <= 1


def law(lam: float) -> Mixture:
    axes = torch.linalg.qr(torch.randn(2, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1)))[0]
    s2 = 2 / (2 * lam)
    return Mixture(
        lam,
        Frame(torch.tensor([0.3, -0.2], dtype=torch.float64)),
        torch.tensor([0.3, 0.7], dtype=torch.float64),
        torch.tensor([[1.0, 0.0], [-0.5, 0.4]], dtype=torch.float64),
        torch.tensor([[s2, s2 + 1.0], [s2 + 0.2, s2]], dtype=torch.float64),
        axes,
    )


@pytest.mark.parametrize("variances", [[1.0], [1.0, 0.3], [2.0, 1.0, 0.5, 0.1]])
def test_gaussians_are_met_from_above(variances: list[float]) -> None:
    n = len(variances)
    lambdas = [n / 2 * slope for slope in (1, 10)]
    for point in solve(gaussian(variances), lambdas, Options(**FEW), quiet):
        exact = exact_value(variances, point.lam)
        assert exact - 1e-6 <= point.value_nats <= 1.01 * exact
        assert point.value_nats == pytest.approx(point.rate_nats + point.lam * point.mse)
        assert (point.method, point.role, point.facts["data"]) == ("mixture", "upper", "fresh")


def test_what_is_not_gaussian_takes_more_components() -> None:
    rng = np.random.default_rng(0)
    corners = (rng.integers(0, 2, (12_000, 2)) * 4 + 0.1 * rng.standard_normal((12_000, 2))).astype(np.float32)
    source = FiniteSource("corners", corners[:10_000], corners[10_000:])
    (point,) = solve(source, [2.0], Options(), quiet)
    (single,) = solve(source, [2.0], Options(components=1), quiet)
    assert point.facts["components"] > 1
    assert single.facts["components"] == 1
    assert point.value_nats < single.value_nats - 0.5
    assert point.value_nats == pytest.approx(math.log(4) + 2 * 0.01, abs=0.05)  # which corner, and what is left
    assert point.samples == 2000
    assert point.facts["data"] == "held-out"


def test_law_and_channel_agree_with_sampling() -> None:
    q, lam = law(1.5), 1.5
    x = torch.tensor([[0.5, 0.5], [2.0, -1.0]], dtype=torch.float64)
    generator = torch.Generator().manual_seed(2)
    which = torch.multinomial(q.weights, 400_000, replacement=True, generator=generator)
    z = torch.randn(400_000, 2, dtype=torch.float64, generator=generator)
    assert q.axes is not None
    spread = (q.variances - q.s2).clamp_min(0).sqrt()
    y = q.frame.out(q.means[which] + (q.axes[which] @ (spread[which] * z)[:, :, None])[:, :, 0])
    value, mse = q.evaluate(x)
    for i in range(2):
        rho = ((x[i] - y) ** 2).mean(1)
        weight = (-lam * rho).exp()
        assert float(value[i]) == pytest.approx(-math.log(float(weight.mean())), abs=0.01)
        assert float(mse[i]) == pytest.approx(float((weight * rho).sum() / weight.sum()), rel=0.02)


def test_fit_lowers_the_bound_and_keeps_variances_above_the_kernel() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(4000, 2, dtype=torch.float64, generator=generator)
    x[:, 1] += x[:, 0] ** 2
    frame = Frame(x.mean(0))
    one = one_component(x, 5.0, frame, False)
    first = start(x, 5.0, frame, 12, False, generator)
    last, passes = fit(first, x, 30)
    values = [float(m.evaluate(x)[0].mean()) for m in (one, first, last)]
    assert values[2] < values[1] < values[0]
    assert float(last.variances.min()) >= last.s2 * (1 - 1e-12)
    assert passes <= 30
    assert float(last.weights.sum()) == pytest.approx(1)


def test_the_same_seed_gives_the_same_points() -> None:
    def values(seed: int) -> list[float]:
        return [p.value_nats for p in solve(finite([1.0, 0.5], 2000, 500), [1.0, 4.0], Options(seed=seed), quiet)]

    assert values(1) == values(1)


def test_many_dimensions_are_diagonal() -> None:
    variances = [1.0] * 40 + [0.2] * 40
    (point,) = solve(hidden(variances), [40.0], Options(samples=10_000, fit_samples=5000), quiet)
    exact = exact_value(variances, 40.0)
    assert exact - 3 * (point.rate_nats - point.ci95_nats[0]) <= point.value_nats <= 1.01 * exact
    assert point.facts["covariances"] == "diagonal"


def shifted(held_out: int) -> FiniteSource:
    """Held-out samples narrower than those for training, which a law fitted to training alone pays for."""
    rng = np.random.default_rng(3)
    train, others = (rng.standard_normal((n, 2)).astype(np.float32) for n in (6000, held_out))
    return FiniteSource("shifted", train, others * np.float32(0.3))


def test_cross_fitting_bounds_the_law_of_held_out_samples_more_tightly() -> None:
    lam = 30.0
    points = {}
    for cross_fit in (False, True):
        (points[cross_fit],) = solve(shifted(6000), [lam], Options(cross_fit=cross_fit), quiet)
    point = points[True]
    exact = exact_value([0.09, 0.09], lam)
    noise = 2 * (point.rate_nats - point.ci95_nats[0])
    assert exact - noise <= point.value_nats <= exact + math.log(2)  # a mixture of both laws, evenly, costs no more
    assert point.value_nats < points[False].value_nats - 0.5
    assert point.samples == 6000
    assert (point.facts["data"], point.facts["fitted_to"]) == ("held-out", "training and the other half of held-out")
    assert points[False].facts["fitted_to"] == "training"


def test_samples_in_groups_are_cross_fitted_unless_told_otherwise() -> None:
    plain = shifted(400)
    rows = plain.train(6000, np.random.default_rng(0))
    source = FiniteSource("recordings", rows, rows[:400], np.repeat(np.arange(20), 20))
    for given, cross_fit, expected in ((plain, None, False), (source, None, True), (source, False, False)):
        (point,) = solve(given, [1.0], Options(cross_fit=cross_fit, **FEW), quiet)
        assert (point.facts["fitted_to"] != "training") == expected


def test_no_half_is_evaluated_by_a_law_that_has_seen_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    real = mixture._fit_all

    def spy(source: Any, wanted: Any, options: Any, progress: Any, also: Any = None) -> Any:
        seen.append({tuple(row) for row in also.tolist()})
        return real(source, wanted, options, progress, also)

    monkeypatch.setattr(mixture, "_fit_all", spy)
    source = shifted(2000)
    folds = mixture._cross_fitted(source, [1.0], 2000, Options(cross_fit=True), lambda share: None)
    evaluated = [{tuple(row) for row in x.tolist()} for x, _laws in folds]
    assert [len(part) for part in (*seen, *evaluated)] == [1000] * 4
    assert not seen[0] & evaluated[0]
    assert not seen[1] & evaluated[1]
    assert len(evaluated[0] | evaluated[1]) == 2000


def test_cross_fitting_needs_held_out_samples_to_part() -> None:
    with pytest.raises(InputError, match="expected a finite set"):
        solve(gaussian([1.0]), [1.0], Options(cross_fit=True, **FEW), quiet)
    with pytest.raises(InputError, match="4 held-out samples"):
        solve(shifted(3), [1.0], Options(cross_fit=True), quiet)


@pytest.mark.parametrize("wrong", [{"components": -1}, {"passes": 0}, {"samples": 1}])
def test_impossible_options(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="are needed"):
        Options(**wrong)


def test_too_many_dimensions() -> None:
    with pytest.raises(InputError, match="at most 4096 dimensions"):
        solve(hidden([1.0] * 4097), [1.0], Options(samples=4, fit_samples=4), quiet)
