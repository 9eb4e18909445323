"""A Gaussian source whose methods see samples only, and a finite one, for tests of bounds."""

from __future__ import annotations

from typing import Any

import numpy as np

from rdzip.bounds.sources.finite import FiniteSource
from rdzip.bounds.sources.gaussian import Gaussian


class HiddenGaussian(Gaussian):
    """A Gaussian that tells neither its variances nor its density."""

    @property
    def variances(self) -> Any:
        return None

    def log_density(self, x: Any) -> Any:
        return None


def gaussian(variances: list[float]) -> Gaussian:
    return Gaussian(np.zeros(len(variances)), np.array(variances))


def hidden(variances: list[float]) -> HiddenGaussian:
    return HiddenGaussian(np.zeros(len(variances)), np.array(variances))


def finite(variances: list[float], train: int, held_out: int) -> FiniteSource:
    rng = np.random.default_rng(5)
    both = (rng.standard_normal((train + held_out, len(variances))) * np.sqrt(variances)).astype(np.float32)
    return FiniteSource("finite", both[:train], both[train:])


def exact_value(variances: list[float], lam: float) -> float:
    """L(lambda) by reverse water-filling, nats."""
    ratio = np.array(variances) * 2 * lam / len(variances)
    return float(0.5 * (np.log(np.maximum(ratio, 1)) + np.minimum(ratio, 1)).sum())
