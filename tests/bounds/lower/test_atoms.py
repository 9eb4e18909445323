"""The best law of atoms: against laws that are known, and against weights found in another way."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rdzip.bounds.lower import atoms
from rdzip.bounds.lower.atoms import better_weights, fit, optimal_weights

SEEDS = st.integers(0, 2**31)


def samples(n: int, dim: int, seed: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal((n, dim)))


def test_two_samples_far_apart_cost_one_bit() -> None:
    x = torch.tensor([[0.0], [100.0]], dtype=torch.float64)
    law = fit(x, 1.0, x[:1])
    assert law.value == pytest.approx(math.log(2), abs=1e-3)
    assert law.mse == pytest.approx(0, abs=1e-3)


def test_near_samples_are_sent_as_their_mean() -> None:
    x = torch.tensor([[-0.1, 0.0], [0.1, 0.0]], dtype=torch.float64)
    law = fit(x, 1.0, x)
    assert law.value == pytest.approx(0.005, abs=1e-3)  # lambda times the variance, mean over two dimensions
    assert len(law.weights) <= 2


@given(SEEDS, st.integers(1, 3), st.sampled_from([0.5, 4.0, 40.0, 1e4]))
@settings(max_examples=20, deadline=None)
def test_no_law_gives_less_than_the_value(seed: int, dim: int, lam: float) -> None:
    x = samples(150, dim, seed)
    law = fit(x, lam, x[:20])
    assert law.log_c <= 1e-2  # slow where two atoms are about to part, and lower by as much
    assert float(law.weights.sum()) == pytest.approx(1)
    assert -1e-9 <= law.mse <= float(x.var(0, correction=0).mean()) + 2e-2 / lam
    assert -1e-2 <= law.value <= math.log(len(x)) + 1e-9
    # The value plus what the search found too much is reached by the law, and no other law stays below the value.
    other = torch.cat([samples(40, dim, seed + 1), x[:30]])
    kernel = (-(torch.cdist(x, other) ** 2) * lam / dim).exp() + 1e-300
    weights = optimal_weights(kernel, torch.full((len(other),), 1 / len(other), dtype=torch.float64))
    assert -float((kernel @ weights).log().mean()) >= law.value - 1e-6


@given(SEEDS)
@settings(max_examples=10, deadline=None)
def test_weights_are_those_of_many_multiplicative_steps(seed: int) -> None:
    rng = np.random.default_rng(seed)
    kernel = torch.from_numpy(rng.random((60, 8)) ** 3)
    found = optimal_weights(kernel, torch.full((8,), 1 / 8, dtype=torch.float64))
    slow = torch.full((8,), 1 / 8, dtype=torch.float64)
    for _ in range(20_000):  # Blahut-Arimoto
        slow = slow * (kernel / (kernel @ slow)[:, None]).mean(0)
    assert float((found - slow).abs().max()) < 1e-3
    assert float((kernel @ found).log().mean()) >= float((kernel @ slow).log().mean()) - 1e-7
    gradient = (kernel / (kernel @ found)[:, None]).mean(0)
    assert float(gradient.max()) < 1 + 1e-5


def test_the_mean_over_few_samples_is_below_that_over_many() -> None:
    x = samples(1200, 2, 3)
    whole = fit(x, 10.0, x[:100]).value
    parts = [fit(part, 10.0, part).value for part in x.tensor_split(12)]
    assert sum(parts) / 12 <= whole


def test_many_atoms_get_weights_that_are_nearly_optimal(monkeypatch: pytest.MonkeyPatch) -> None:
    x = samples(300, 3, 4)
    exact = fit(x, 30.0, x)
    monkeypatch.setattr(atoms, "MANY", 20)
    monkeypatch.setattr(atoms, "CLIMBERS", 20)
    near = fit(x, 30.0, x)
    assert exact.value - 0.15 <= near.value <= exact.value + 1e-3
    kernel = (-(torch.cdist(x, x) ** 2) * 10).exp()
    start = torch.full((300,), 1 / 300, dtype=torch.float64)
    best, other = (kernel @ f(kernel, start) for f in (optimal_weights, better_weights))
    assert 0 <= float(best.log().mean() - other.log().mean()) < 1e-3
