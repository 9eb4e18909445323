"""BD-rates whose value is known beforehand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rdzip.metrics.bd_rate import Interpolant, bd_rate, useful

CURVE = [(0.2, 27.0), (0.4, 29.5), (0.7, 31.0), (1.3, 34.2), (2.4, 38.0)]


def scaled(factor: float) -> list[tuple[float, float]]:
    return [(rate * factor, decibel) for rate, decibel in CURVE]


def test_identical_curves_differ_by_nothing() -> None:
    for rates in (None, (0.2, 1.5)):
        found = bd_rate(CURVE, list(reversed(CURVE)), rates)
        assert found is not None
        assert found.percent == 0
    assert (found.low, found.high) == (27.0, pytest.approx(34.95, abs=0.1))


@pytest.mark.parametrize("factor", [0.5, 0.9, 1.1, 3.0])
@pytest.mark.parametrize("rates", [None, (0.3, 1.5)])
def test_a_scaled_rate_gives_exactly_that(factor: float, rates: tuple[float, float] | None) -> None:
    found = bd_rate(CURVE, scaled(factor), rates)
    assert found is not None
    assert found.percent == pytest.approx(100 * (factor - 1), rel=1e-12)


def test_log_rates_linear_in_psnr() -> None:
    """Interpolation is exact for them, and the mean of their difference is the one in the middle."""

    def line(start: float, slope: float, places: list[float]) -> list[tuple[float, float]]:
        return [(math.exp(start + slope * p), p) for p in places]

    found = bd_rate(line(-5, 0.15, [28, 30, 37]), line(-6, 0.17, [26, 31, 33, 35]))
    assert found is not None
    assert (found.low, found.high) == (28, 35)
    assert found.percent == pytest.approx(100 * (math.exp(-1 + 0.02 * 31.5) - 1), rel=1e-12)
    two = bd_rate(line(-5, 0.15, [28, 37]), line(-6, 0.17, [28, 37]))
    assert two is not None
    assert two.percent == pytest.approx(100 * (math.exp(-1 + 0.02 * 32.5) - 1), rel=1e-12)


def test_there_and_back_is_one() -> None:
    other = [(0.25, 28.0), (0.6, 31.5), (1.9, 37.5)]
    for rates in (None, (0.3, 1.5)):
        there, back = bd_rate(CURVE, other, rates), bd_rate(other, CURVE, rates)
        assert there is not None
        assert back is not None
        assert (1 + there.percent / 100) * (1 + back.percent / 100) == pytest.approx(1, rel=1e-12)
        assert (there.low, there.high) == (back.low, back.high)


def test_a_range_of_rates_cuts_both_curves() -> None:
    found = bd_rate(CURVE, scaled(0.5), (0.35, 1.3))
    assert found is not None
    assert found.low == pytest.approx(31.0)  # where the cheaper one is at 0.35, and the anchor at 0.7
    assert found.high == pytest.approx(34.2)  # where the dearer one, the anchor, is at 1.3
    assert bd_rate(CURVE, scaled(10), (0.2, 1.5)) is None
    assert bd_rate(CURVE, CURVE, (3, 5)) is None


def test_curves_without_common_psnr_or_points() -> None:
    assert bd_rate(CURVE, [(rate, decibel + 20) for rate, decibel in CURVE]) is None
    assert bd_rate(CURVE, CURVE[:1]) is None
    assert bd_rate([], CURVE) is None
    assert bd_rate(CURVE, [(0.5, 30.0), (1.0, math.inf)]) is None


def test_points_that_another_beats_do_not_count() -> None:
    worse = [*CURVE, (1.0, 30.0), (0.4, 29.0), (0.4, 29.5), (5.0, math.inf)]
    assert useful(worse) == CURVE
    found = bd_rate(CURVE, worse)
    assert found is not None
    assert found.percent == 0


def test_values_between_points() -> None:
    """Values of scipy 1.16's PchipInterpolator."""
    f = Interpolant.through([0, 1, 3, 4], [0, 2, 3, 7])
    expected = [1.2053571428571428, 2.471042471042471, 4.475788288288288]
    np.testing.assert_allclose(f(np.array([0.5, 2, 3.5])), expected, rtol=1e-14)
    assert 3 * f.mean(0.5, 3.5) == pytest.approx(7.586081617331618, rel=1e-14)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0.1, 5), st.floats(0.01, 3)), min_size=2, max_size=8))
def test_rising_points_give_a_rising_curve(steps: list[tuple[float, float]]) -> None:
    x, y = np.cumsum([a for a, _ in steps]), np.cumsum([b for _, b in steps])
    f = Interpolant.through(x.tolist(), y.tolist())
    values = f(np.linspace(x[0], x[-1], 200))
    assert np.all(np.diff(values) >= -1e-12)
    np.testing.assert_allclose(f(x), y, rtol=1e-12)
    middle = float((y[0] + y[-1]) / 2)
    assert float(f(np.array([f.inverse(middle)]))[0]) == pytest.approx(middle, rel=1e-9)
