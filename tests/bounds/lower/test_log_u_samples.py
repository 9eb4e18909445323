"""The lower bound from samples alone, against C by brute force: one draw and its a, and where the search begins."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from rdzip.bounds.lower.log_u import Options, Weight, _HeldOut, _with_samples
from rdzip.bounds.sources.finite import FiniteSource

S2 = 0.25
"""Variance of the kernel; lambda is 1 / (2 S2) in one dimension."""


def flat(x: Tensor) -> Tensor:
    return torch.zeros(len(x), dtype=torch.float64)


def held_out(samples: np.ndarray) -> _HeldOut:
    source = FiniteSource("samples", samples.astype(np.float32), samples.astype(np.float32))
    return _HeldOut(source, Options(), None)


def log_c(x: Tensor, log_u: Tensor) -> float:
    """log sup_y of the mean of exp(-(x - y)^2 / (2 S2)) / u(x), y on a fine grid."""
    y = torch.linspace(float(x.min()), float(x.max()), 4001, dtype=torch.float64)
    return float((-((x - y) ** 2) / (2 * S2) - log_u[:, None]).logsumexp(0).max()) - math.log(len(x))


@pytest.mark.parametrize("training", [1.0, 0.7])
def test_a_is_the_mean_of_c_over_draws_of_training_samples(training: float) -> None:
    """With u = 1 the bound is 1 - log a - C / a: valid for any a, and as tight as a is near C."""
    rng = np.random.default_rng(0)
    held = held_out(rng.standard_normal((1500, 1)))
    draws = [torch.from_numpy(training * rng.standard_normal((1500, 1))) for _ in range(4)]
    left = iter(draws)
    weight = Weight(2.0, flat, None, None, {})
    starts = torch.linspace(-2, 2, 41, dtype=torch.float64)[:, None]
    estimate, by_k = _with_samples(
        weight, held, flat(held.x), starts, draws[0], S2, 16, Options(), lambda k: next(left)
    )
    c = math.exp(log_c(held.x, flat(held.x)))
    a = float(np.mean([math.exp(log_c(x, flat(x))) for x in draws]))
    assert next(left, None) is None
    assert estimate.value == pytest.approx(-c / a - math.log(a) + 1, abs=1e-4)
    assert estimate.value <= -math.log(c)
    if training == 1:
        assert estimate.value == pytest.approx(-math.log(c), abs=0.01)
    assert by_k == {str(1500 // n): pytest.approx(by_k["1500"], abs=0.2) for n in (16, 4)} | {"1500": estimate.value}


def test_the_supremum_is_found_where_few_samples_weigh_most() -> None:
    """Eight samples far from all starting points, to which u gives almost nothing, are where C is highest."""
    samples = np.zeros((3000, 1))
    samples[:, 0] = np.random.default_rng(0).standard_normal(3000)
    samples[-8:, 0] = 20 + 0.1 * np.arange(8)

    def log_u(x: Tensor) -> Tensor:
        return torch.where(x[:, 0] > 10, -30.0, 0.0).double()

    held = held_out(samples)
    starts = torch.zeros(5, 1, dtype=torch.float64)
    weight = Weight(2.0, log_u, None, None, {})
    estimate, _ = _with_samples(weight, held, -log_u(held.x), starts, held.x, S2, 48, Options(), lambda k: held.x)
    highest = log_c(held.x, log_u(held.x))
    assert highest > 20  # at the eight; 0 at most elsewhere
    assert estimate.value == pytest.approx(float(-log_u(held.x).mean()) - highest, abs=1e-3)
