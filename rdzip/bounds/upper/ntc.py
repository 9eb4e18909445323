"""Nonlinear transform coding, method "ntc": its operational rate is an upper bound as well (see vae.py).

Latents with uniform noise, as dithered quantisation adds it, coded with a prior of independent coordinates that is
convolved with that noise (Balle et al. 2018; Yang and Mandt 2022, section 6).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rdzip.bounds.point import Point, Report
from rdzip.bounds.sources.base import Source
from rdzip.bounds.upper import vae
from rdzip.errors import InputError


@dataclass(frozen=True)
class Options(vae.Options):
    """Those of "vae", but for the posterior, which is uniform, and the prior: deep, unless another is chosen."""

    posterior: str = "uniform"


def solve(source: Source, lambdas: Sequence[float], options: Options, report: Report) -> list[Point]:
    """Return the upper bounds of "ntc" at each lambda: operational rates of transform coding with dither."""
    if options.posterior != "uniform":
        raise InputError(f"transform coding has a uniform posterior, not {options.posterior!r}: use method vae")
    return vae.bound("ntc", source, lambdas, options, report)
