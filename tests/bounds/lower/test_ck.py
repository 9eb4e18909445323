"""C(y) and its supremum over y, against quadrature and against a search of everything."""

from __future__ import annotations

import math

import pytest
import torch
from helpers.hidden_density import gaussian

from rdzip.bounds.lower.ck import DensityObjective, SampleObjective, Shape, starting_points, supremum
from rdzip.bounds.sources.banana import Banana


def rough(x: torch.Tensor) -> torch.Tensor:
    """A weight with many bumps."""
    return -0.3 * (x * x).sum(1) + 0.5 * torch.sin(3 * x).sum(1)


def samples(k: int, dim: int) -> torch.Tensor:
    return torch.randn(k, dim, dtype=torch.float64, generator=torch.Generator().manual_seed(dim)) * 1.5


@pytest.mark.parametrize(("dim", "per"), [(1, 20_001), (2, 401)])
@pytest.mark.parametrize("s2", [0.02, 0.5])
def test_the_supremum_is_that_of_a_fine_grid(dim: int, per: int, s2: float) -> None:
    x = samples(300, dim)
    objective = SampleObjective(x, rough(x), s2)
    line = torch.linspace(-8, 8, per, dtype=torch.float64)
    grid = torch.cartesian_prod(*[line] * dim).reshape(-1, dim)
    brute = float(objective(grid)[0].max())
    for ascend in (48, 0):
        found, y = supremum(objective, torch.cat([x, starting_points(x, s2, 200, None, 1000)]), s2, ascend=ascend)
        assert found >= brute - 1e-4
        assert found == pytest.approx(float(objective(y[None])[0]))


def test_samples_are_summed_as_they_should() -> None:
    x, y, s2 = samples(50, 3), samples(7, 3), 0.7
    log_c, shift = SampleObjective(x, rough(x), s2)(y)
    terms = (-((x - y[:, None]) ** 2).sum(2) / (2 * s2)).exp() / rough(x).exp()
    torch.testing.assert_close(log_c, terms.mean(1).log())
    torch.testing.assert_close(shift, (terms @ x) / terms.sum(1, keepdim=True))
    keep = torch.arange(50) % 2 == 0
    torch.testing.assert_close(SampleObjective(x, rough(x), s2).without(keep)(y)[0], terms[:, keep].mean(1).log())


@pytest.mark.parametrize("s2", [0.05, 2.0])
def test_a_density_gives_the_integral(s2: float) -> None:
    source = Banana()
    line = torch.linspace(-14, 14, 801, dtype=torch.float64)
    grid = torch.cartesian_prod(line, line)

    def log_u(x: torch.Tensor) -> torch.Tensor:
        return -0.05 * (x * x).sum(1)

    import numpy as np

    near = torch.from_numpy(source.train(2000, np.random.default_rng(0)).astype(np.float64))
    objective = DensityObjective(source.log_density, log_u, s2, Shape.of(near), 8192, 3)
    y = near[:4]
    found = objective(y)[0]
    log_p = torch.from_numpy(source.log_density(grid.numpy()))
    cell = math.log(float(line[1] - line[0]) ** 2)
    for i in range(4):
        exponent = log_p - log_u(grid) - ((grid - y[i]) ** 2).sum(1) / (2 * s2)
        assert float(found[i]) == pytest.approx(float(exponent.logsumexp(0)) + cell, abs=0.02)


def test_narrow_sources_need_the_second_proposal() -> None:
    variances = [1.0, 0.01, 0.3, 0.02]
    source, s2 = gaussian(variances), 0.5
    x = samples(4000, 4) / 1.5 * torch.tensor(variances, dtype=torch.float64).sqrt()
    raised = torch.tensor(variances, dtype=torch.float64).clamp_min(s2)

    def log_u(x: torch.Tensor) -> torch.Tensor:  # u of the optimal law: C is at most 1, and 1 on its support
        return -0.5 * (x * x / raised).sum(1) - 0.5 * (raised / s2).log().sum()

    objective = DensityObjective(source.log_density, log_u, s2, Shape.of(x), 2048, 0)
    value, _y = supremum(objective, x[:200], s2, ascend=16)
    assert value + 1e-3 >= 0
    assert value < 0.02


def test_starting_points_reach_beyond_the_samples() -> None:
    x = samples(100, 2)
    points = starting_points(x, 0.1, 10, x[:3], 100)
    assert float(points.abs().max()) > 1.5 * float(x.abs().max())
    assert len(points) > 100
