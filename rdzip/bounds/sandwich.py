r"""The sandwich: R(D) between the convex hull of upper points and the envelope of lower lines (Yang and Mandt 2022).

    rate |u
         | \                u   achievable points (mse, rate): upper bounds, one or more at each lambda
         |. \               \   their lower convex hull, an upper bound at every mse
         | . \u             .   R(D), which is to be found
         |l .  \__           l   envelope: the greatest of the lines rate = value - lambda * mse of lower bounds
         | l .     \_u__
         |  ll . .      \__u
         |    lll   . . . .
         |       lllllllll
         +------------------- mse

Every upper point (mse, rate) lies on or above R(D), and R is convex: so does each point of their lower convex hull.
Every lower point stands for a line rate = value - lambda * mse on or below R(D): so does the largest of them.
At one lambda, the bounds compare by their values, L = rate + lambda * mse, which is one number for a whole line:
lower value <= L(lambda) <= upper value. An estimate (Blahut-Arimoto) takes no part in what is checked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rdzip.bounds.point import Point

Order = Literal["ok", "within", "wrong"]
ROUNDING = 1e-6  # relative difference of two values that is taken for none


@dataclass(frozen=True)
class Bound:
    """A value L at one lambda, in nats per sample, with its 95 % interval and the method that gave it."""

    value: float
    ci95: tuple[float, float]
    method: str


@dataclass(frozen=True)
class Row:
    """What is known of L at one lambda; None where no method says anything.

    order: "ok" if lower <= exact <= upper hold for the values, "within" if only once the intervals of 95 % are allowed
    for, "wrong" if not even then.
    """

    lam: float
    lower: Bound | None
    exact: Bound | None
    upper: Bound | None
    estimate: Bound | None
    order: Order

    @property
    def gap(self) -> float | None:
        """Upper value minus lower value in nats per sample, None unless both are known."""
        return None if self.upper is None or self.lower is None else self.upper.value - self.lower.value

    @property
    def pairs(self) -> int:
        """How many inequalities between neighbours were checked."""
        return max(0, sum(bound is not None for bound in (self.lower, self.exact, self.upper)) - 1)


def of_role(points: Iterable[Point], role: str) -> list[Point]:
    """Return the points of one role (upper, lower, exact, estimate), by falling rate."""
    return sorted((point for point in points if point.role == role), key=lambda point: (point.mse, -point.rate_nats))


def hull(points: Iterable[Point]) -> NDArray[np.float64]:
    """Return the corners of the lower convex hull of the upper points, [m, 2] of (mse, rate in nats).

    By rising mse and falling rate; left of the first and right of the last corner the hull says nothing more than that
    R does not rise. Empty without upper points.

    >>> def upper(mse: float, rate: float) -> Point:
    ...     return Point("m", "upper", 1.0, rate, mse, rate + mse, (rate, rate), 1, 0.0)
    >>> hull([upper(0.0, 2.0), upper(1.0, 0.0), upper(0.6, 1.5)]).tolist()  # the third lies above
    [[0.0, 2.0], [1.0, 0.0]]
    """
    corners: list[tuple[float, float]] = []
    for mse, rate in sorted((point.mse, point.rate_nats) for point in points if point.role == "upper"):
        if corners and rate >= corners[-1][1]:
            continue
        while len(corners) >= 2 and _turns_up(corners[-2], corners[-1], (mse, rate)):
            corners.pop()
        corners.append((mse, rate))
    return np.array(corners, np.float64).reshape(-1, 2)


def _turns_up(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> bool:
    """Whether b lies on or above the line from a to c."""
    return (b[0] - a[0]) * (c[1] - a[1]) <= (c[0] - a[0]) * (b[1] - a[1])


def envelope(points: Iterable[Point], mse: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the greatest of the lower lines at each mse, in nats, at least 0: the lower bound on R(D), [n]."""
    lines = [value(point) - point.lam * mse for point in points if point.role == "lower"]
    highest: NDArray[np.float64] = np.max([np.zeros_like(mse), *lines], axis=0)
    return highest


def value(point: Point, lam: float | None = None) -> float:
    """Return rate + lambda * mse of a point, in nats: at its own lambda, or at another."""
    return point.rate_nats + (point.lam if lam is None else lam) * point.mse


def _bound(point: Point, lam: float) -> Bound:
    low, high = (rate + lam * point.mse for rate in point.ci95_nats)
    return Bound(value(point, lam), (low, high), point.method)


def compare(points: Sequence[Point]) -> list[Row]:
    """Return what the points say of L at each lambda among them, by rising lambda.

    The upper value is the least of any upper point, of whatever lambda, as each is achieved; lower, exact and estimated
    values are those of the same lambda (the greatest lower value, the least estimate).
    """
    rows = []
    upper_points = of_role(points, "upper")
    for lam in sorted({point.lam for point in points}):
        same = [point for point in points if point.lam == lam]
        upper = min((_bound(p, lam) for p in upper_points), key=lambda b: b.value, default=None)
        lower = max((_bound(p, lam) for p in of_role(same, "lower")), key=lambda b: b.value, default=None)
        exact = min((_bound(p, lam) for p in of_role(same, "exact")), key=lambda b: b.value, default=None)
        estimate = min((_bound(p, lam) for p in of_role(same, "estimate")), key=lambda b: b.value, default=None)
        rows.append(Row(lam, lower, exact, upper, estimate, _order(lower, exact, upper)))
    return rows


def _order(lower: Bound | None, exact: Bound | None, upper: Bound | None) -> Order:
    known = [bound for bound in (lower, exact, upper) if bound is not None]
    order: Order = "ok"
    for i, small in enumerate(known):
        for large in known[i + 1 :]:
            room = ROUNDING * max(1.0, abs(small.value), abs(large.value))
            if small.ci95[0] > large.ci95[1] + room:
                return "wrong"
            if small.value > large.value + room:
                order = "within"
    return order


def verdict(rows: Sequence[Row]) -> tuple[bool, str]:
    """Return whether the bounds are in order at every lambda, and one line that says so with the largest gap."""
    checked = [row for row in rows if row.pairs]
    if not checked:
        return True, "nothing to compare: a sandwich needs an upper and a lower bound at one lambda"
    names = [name for name in ("lower", "exact", "upper") if any(getattr(row, name) is not None for row in checked)]
    claim = " <= ".join(names)
    wrong = [row for row in checked if row.order == "wrong"]
    if wrong:
        where = ", ".join(f"{row.lam:g}" for row in wrong)
        return False, f"not {claim} at lambda {where}, beyond the intervals of 95 %: do not trust these bounds there"
    within = [row for row in checked if row.order == "within"]
    count = len(checked)
    text = f"{claim} at {'all ' if count > 1 else ''}{count} lambda{'s' if count > 1 else ''}"
    if within:
        where = ", ".join(f"{row.lam:g}" for row in within)
        text += f" (at {where} only within the intervals of 95 %)"
    gaps = [(row.gap, row.lam) for row in checked if row.gap is not None]
    if gaps:
        gap, lam = max(gaps)
        text += f"; largest gap {gap:.3f} nats at lambda {lam:g}"
    return True, text
