"""Priors: densities integrate to one, masses are their integrals, fresh ones are near a standard Gaussian."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from rdzip.bounds.upper.priors import Prior, log_difference, make_prior
from rdzip.errors import InputError

FACTORISED = ["std_gaussian", "gmm_3", "gsm_3", "lmm_3", "lsm_3", "deep"]


def prior(name: str, dim: int, noise: float = 0.3, copies: int = 2) -> Prior:
    """A prior in float64 whose parameters, if they learn, are moved at random."""
    torch.manual_seed(0)
    made = make_prior(name, copies, dim, units=(16,)).double()
    for parameter in made.parameters():
        if parameter.requires_grad:
            parameter.data += noise * torch.randn_like(parameter)
    return made


def grid(low: float, high: float, n: int) -> tuple[Tensor, float]:
    points = torch.linspace(low, high, n, dtype=torch.float64)
    return points, (high - low) / (n - 1)


@pytest.mark.parametrize("name", [*FACTORISED, "maf", "maf_4"])
def test_a_density_integrates_to_one_in_one_dimension(name: str) -> None:
    z, step = grid(-60, 60, 60001)
    total = prior(name, 1).log_prob(z[None, :, None].expand(2, -1, -1)).exp().sum(1) * step
    torch.testing.assert_close(total, torch.ones(2).double(), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["gmm_3", "deep", "maf", "maf_1", "maf_4"])
def test_a_density_integrates_to_one_in_two_dimensions(name: str) -> None:
    z, step = grid(-16, 16, 401)
    plane = torch.cartesian_prod(z, z)[None]
    total = prior(name, 2, 0.2, copies=1).log_prob(plane).detach().exp().sum(1) * step**2
    torch.testing.assert_close(total, torch.ones(1).double(), atol=5e-3, rtol=0)


@pytest.mark.parametrize("name", FACTORISED)
def test_masses_are_integrals_of_the_density_and_sum_to_one(name: str) -> None:
    made = prior(name, 1)
    made.rescale(torch.full((2, 1), 3.0).double())
    whole = torch.arange(-300, 301, dtype=torch.float64)
    mass = made.log_mass(whole[None, :, None].expand(2, -1, -1)).exp()
    torch.testing.assert_close(mass.sum(1), torch.ones(2).double(), atol=1e-6, rtol=0)
    z, step = grid(1.5, 2.5, 2001)
    density = made.log_prob(z[None, :, None].expand(2, -1, -1)).exp()
    torch.testing.assert_close(torch.trapezoid(density, dx=step), mass[:, 302], atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("name", FACTORISED)
def test_masses_far_out_keep_their_gradient(name: str) -> None:
    made = prior(name, 1).float()
    z = torch.tensor([-40.0, 40.0]).view(1, 2, 1).repeat(2, 1, 1).requires_grad_()
    mass = made.log_mass(z)
    assert mass.isfinite().all()
    mass.sum().backward()
    assert (z.grad[:, 0] > 0).all()
    assert (z.grad[:, 1] < 0).all()


@pytest.mark.parametrize("name", [*FACTORISED, "maf", "maf_4"])
def test_a_fresh_prior_is_near_a_standard_gaussian(name: str) -> None:
    z = torch.randn(1, 20000, 3, generator=torch.Generator().manual_seed(0)).double()
    made = prior(name, 3, 0.0, copies=1)
    divergence = prior("std_gaussian", 3, 0.0, copies=1).log_prob(z) - made.log_prob(z)
    assert -0.01 < divergence.mean().item() < 0.4


@pytest.mark.parametrize("name", [*FACTORISED, "maf_4"])
def test_rescaling_widens(name: str) -> None:
    z = torch.randn(1, 50, 2).double()
    plain, wide = prior(name, 2, copies=1), prior(name, 2, copies=1)
    wide.rescale(torch.tensor([[2.0, 5.0]]).double())
    torch.testing.assert_close(
        wide.log_prob(z * torch.tensor([2.0, 5.0])) + torch.log(torch.tensor(10.0)), plain.log_prob(z)
    )


def test_log_difference() -> None:
    a, b = torch.tensor([0.0, -50.0, 3.0]).double(), torch.tensor([-1e-6, -50.5, -30.0]).double()
    torch.testing.assert_close(log_difference(a, b), torch.log(torch.exp(a) - torch.exp(b)), atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("name", ["gmm", "gmm_0", "maf_x", "normal", "std_gaussian_2", "deep_3"])
def test_an_unknown_prior_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="expected a prior of std_gaussian"):
        make_prior(name, 1, 2)


def test_a_flow_has_no_masses() -> None:
    with pytest.raises(InputError, match="the uniform posterior needs one of std_gaussian"):
        prior("maf", 2).log_mass(torch.zeros(2, 1, 2))
