"""Methods of bounds that need no work: L(lambda) = ln(1 + lambda), upper and lower bounds a little off it.

`installed` puts them in the table. Options: `off` from the exact value, `fail` at a lambda (1000 above it: by
an error that nobody foresaw), `pause` in seconds.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from rdzip.bounds import methods
from rdzip.bounds.methods import GAUSSIANS, IMAGES, VECTORS, Method
from rdzip.bounds.point import Point, Report
from rdzip.bounds.sources.base import Source
from rdzip.errors import InputError

HERE = __name__


@dataclass(frozen=True)
class Options:
    role: str = "upper"
    off: float = 0.0
    error: float = 0.0
    fail: float = 0.0
    pause: float = 0.0
    widths: tuple[int, ...] = (3, 4)
    seed: int = 0


def exact_point(lam: float, role: str = "exact", off: float = 0.0, error: float = 0.0, method: str = "stub") -> Point:
    """The point of R(D) = -ln D - 1 + D where D < 1, plus `off`: D = 1 / (1 + lambda), L = ln(1 + lambda)."""
    mse = 1 / (1 + lam)
    value = math.log(1 + lam) + off
    return Point.measured(method, role, lam=lam, value=value, mse=mse, error=error, samples=10, seconds=0.5)


def solve(source: Source, lambdas: Sequence[float], options: Options, report: Report) -> list[Point]:
    found = []
    for index, lam in enumerate(lambdas):
        for step in range(10):
            time.sleep(options.pause / 10)
            report((index + step / 10) / len(lambdas), None)
        if lam == options.fail:
            raise InputError("this lambda fails")
        if lam == options.fail - 1000:
            raise KeyError("nobody foresaw this")
        name = {"upper": "up", "lower": "low", "exact": "true", "estimate": "guess"}[options.role]
        found.append(exact_point(lam, options.role, options.off, options.error, name))
        report((index + 1) / len(lambdas), found[-1])
    return found


def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    both = (VECTORS, IMAGES)
    table = [
        Method("up", "upper", HERE, both, options={"role": "upper", "off": 0.05}),
        Method("low", "lower", HERE, both, options={"role": "lower", "off": -0.03}, cost=2),
        Method("true", "exact", HERE, (GAUSSIANS,), options={"role": "exact"}, joint=False),
        Method("guess", "estimate", HERE, most_dim=2, options={"role": "estimate"}, joint=False),
    ]
    monkeypatch.setattr(methods, "METHODS", {entry.name: entry for entry in table})
