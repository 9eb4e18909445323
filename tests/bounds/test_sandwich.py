from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from helpers.bounds_stub import exact_point

from rdzip.bounds.defaults import default_lambdas, suited
from rdzip.bounds.point import Point
from rdzip.bounds.sandwich import compare, envelope, hull, verdict
from rdzip.bounds.sources.base import open_source

LAMBDAS = (0.5, 1.0, 3.0, 10.0)


def points(role: str, off: float = 0.0, error: float = 0.0) -> list[Point]:
    return [exact_point(lam, role, off, error) for lam in LAMBDAS]


def at(mse: float, rate: float, role: str = "upper", lam: float = 1.0) -> Point:
    return Point("m", role, lam, rate, mse, rate + lam * mse, (rate, rate), 1, 0.0)


def test_hull_is_the_lower_convex_one() -> None:
    found = hull([at(1, 1), at(0.5, 2), at(0.7, 2.5), at(0.25, 3.5), at(2, 1.5), at(0.75, 1.45), at(0.76, 1.52)])
    # (2, 1.5) has more rate at more distortion, (.7, 2.5) and (.76, 1.52) lie above lines between others.
    assert found.tolist() == [[0.25, 3.5], [0.5, 2], [0.75, 1.45], [1, 1]]
    assert hull([]).shape == (0, 2)
    assert hull([at(1, 1), at(1, 0.5), at(1, 0.5)]).tolist() == [[1, 0.5]]
    assert len(hull([at(1, 1), at(2, 0.5), at(3, 0.0)])) == 2  # the middle of a line is no corner


def test_hull_of_random_points_has_them_all_above_it() -> None:
    rng = np.random.default_rng(0)
    cloud = [at(*xy) for xy in rng.exponential(size=(300, 2)).tolist()]
    corners = hull(cloud)
    slopes = np.diff(corners[:, 1]) / np.diff(corners[:, 0])
    assert (slopes < 0).all()
    assert (np.diff(slopes) > 0).all()
    for point in cloud:
        if point.mse >= corners[0, 0]:
            assert point.rate_nats >= np.interp(point.mse, *corners.T) - 1e-12


def test_envelope_is_the_greatest_line_and_below_the_curve() -> None:
    mse = np.geomspace(1e-3, 3, 200)
    found = envelope(points("lower"), mse)
    curve = np.maximum(-np.log(mse) - 1 + mse, 0) * (mse < 1)
    assert (found <= curve + 1e-12).all()
    for lam in LAMBDAS:
        own = 1 / (1 + lam)
        assert envelope(points("lower"), np.array([own]))[0] == pytest.approx(-math.log(own) - 1 + own)
    assert (found >= 0).all()
    assert envelope(points("upper"), mse).max() == 0


def test_order_of_true_bounds() -> None:
    rows = compare(points("lower", -0.03) + points("exact") + points("upper", 0.05) + points("estimate", -0.2))
    assert [row.lam for row in rows] == list(LAMBDAS)
    assert all(row.order == "ok" for row in rows)
    assert rows[0].gap is not None
    assert 0 < rows[0].gap <= 0.08 + 1e-9
    in_order, text = verdict(rows)
    assert in_order
    assert text.startswith("lower <= exact <= upper at all 4 lambdas; largest gap 0.0")


def test_upper_values_come_from_any_point() -> None:
    """A point of another lambda may be better at this one."""
    bad = replace(exact_point(3.0, "upper"), rate_nats=9.0, value_nats=9.0 + 3 / 4, ci95_nats=(9.0, 9.0))
    (row,) = [row for row in compare([bad, exact_point(2.5, "upper")]) if row.lam == 3.0]
    assert row.upper is not None
    assert row.upper.value == pytest.approx(math.log(3.5) + 0.5 / 3.5)


@pytest.mark.parametrize(("error", "order"), [(0.1, "within"), (0.001, "wrong")])
def test_crossed_bounds_are_told(error: float, order: str) -> None:
    rows = compare(points("lower", 0.05, error) + points("upper", 0.0, error))
    assert {row.order for row in rows} == {order}
    in_order, text = verdict(rows)
    assert in_order == (order == "within")
    assert ("only within the intervals" in text) == (order == "within")
    assert ("do not trust" in text) == (order == "wrong")


def test_exact_between_is_checked_against_both() -> None:
    for lower, upper in ((0.01, 0.02), (-0.02, -0.01)):
        rows = compare(points("lower", lower) + points("exact") + points("upper", upper))
        assert {row.order for row in rows} == {"wrong"}


def test_estimates_prove_nothing() -> None:
    assert verdict(compare(points("upper") + points("estimate", -1)))[1].startswith("nothing to compare")
    assert verdict([])[0]


@pytest.mark.parametrize(
    ("spec", "dim", "expected"),
    [("gaussian", 2, {"exact", "ba"}), ("gaussian", 16, {"exact"}), ("banana", None, {"ba"}), ("banana", 5, set())],
)
def test_methods_suit_the_source(spec: str, dim: int | None, expected: set[str]) -> None:
    found = suited(open_source(spec, dim=dim))
    assert {name for name in found if name in ("exact", "ba")} == expected
    assert "log-u" in found
    assert "resnet-vae" not in found


def test_default_lambdas_show_the_curve() -> None:
    assert default_lambdas(open_source("gaussian", dim=16)) == (8, 24, 80, 240, 800)
    assert len(default_lambdas(open_source("banana"), quick=True)) < len(default_lambdas(open_source("banana")))
    found = default_lambdas(open_source("banana", dim=6))
    assert len(found) == 5
    assert all(float(f"{lam:.1e}"[0]) in (1, 3) for lam in found)
