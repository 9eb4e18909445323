"""Channel-wise autoregressive transform coding (Minnen and Singh 2020), method "channel-ar".

Method "hyperprior" with channels coded slice by slice and latent residual prediction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rdzip.bounds.point import Point, Report
from rdzip.bounds.sources.base import Source
from rdzip.bounds.upper import hyperprior


@dataclass(frozen=True)
class Options(hyperprior.Options):
    """Those of "hyperprior", with more slices than one."""

    slices: int = 6
    residual: bool = True


def solve(source: Source, lambdas: Sequence[float], options: Options, report: Report) -> list[Point]:
    """Return the upper bounds at each lambda, on held-out (or fresh) images."""
    return hyperprior.solve_as("channel-ar", source, lambdas, options, report)
