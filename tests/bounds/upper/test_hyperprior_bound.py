"""Transform codes of pictures: the transform, densities, slices, points of "hyperprior" and "channel-ar"."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from helpers.pictures_support import check_resuming, pictures, silent

from rdzip.bounds.point import Point
from rdzip.bounds.sources.base import Source, open_source
from rdzip.bounds.upper import channel_ar, hyperprior
from rdzip.bounds.upper.conditional import denoise, log_mass, quantise
from rdzip.bounds.upper.image_training import evaluate
from rdzip.bounds.upper.transform_coding import Shape, Slices, TransformCode
from rdzip.errors import InputError
from rdzip.models.shared.transforms import BlockTransform

TINY = {"widths": (8, 8), "blocks": 1, "hyper": 4, "steps": 30, "batch": 4, "crop": 16, "lr": 3e-3}
HYPERPRIOR, CHANNEL_AR = hyperprior.Options(**TINY), channel_ar.Options(**TINY, slices=3)
BOTH = pytest.mark.parametrize(("module", "options"), [(hyperprior, HYPERPRIOR), (channel_ar, CHANNEL_AR)])


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return pictures(tmp_path_factory.mktemp("pictures"))


@pytest.mark.parametrize("channels", [1, 3])
def test_the_block_transform_is_orthonormal_and_undone(channels: int) -> None:
    linear = BlockTransform(channels, 4, 16 * channels)
    x = torch.rand(2, channels, 8, 12)
    w = linear(x)
    assert w.shape == (2, 16 * channels, 2, 3)
    assert w.square().sum().item() == pytest.approx((x - 0.5).square().sum().item(), rel=1e-5)
    torch.testing.assert_close(linear.inverse(w), x)
    # A flat grey picture is in the first channel alone.
    assert linear(torch.full_like(x, 0.7))[:, 1:].abs().max() < 1e-5


@pytest.mark.parametrize(("mean", "scale"), [(0.0, 0.003), (0.3, 0.1), (-2.2, 1.0), (5.0, 30.0)])
def test_masses_of_unit_intervals_sum_to_one(mean: float, scale: float) -> None:
    y = torch.arange(-400, 401).double() + 0.123
    total = torch.exp(log_mass(y, torch.tensor(mean), torch.tensor(scale).double())).sum()
    assert total.item() == pytest.approx(1, abs=1e-6)


def test_the_density_integrates_to_one_and_is_that_of_a_convolution() -> None:
    y = torch.linspace(-8, 8, 16001).double()
    mean, scale = torch.tensor(0.4).double(), torch.tensor(0.5).double()
    density = torch.exp(log_mass(y, mean, scale))
    assert torch.trapezoid(density, y).item() == pytest.approx(1, abs=1e-6)
    normal = torch.distributions.Normal(mean, scale)
    torch.testing.assert_close(density, normal.cdf(y + 0.5) - normal.cdf(y - 0.5), atol=1e-9, rtol=1e-6)


def test_noise_rounding_and_the_best_linear_estimate() -> None:
    generator = torch.Generator().manual_seed(0)
    mean, scale = torch.tensor(3.3), torch.tensor(0.2)
    y = mean + scale * torch.randn(100_000, generator=generator)
    noisy = quantise(y, generator)
    assert (noisy - y).abs().max() <= 0.5
    assert (noisy - y).var().item() == pytest.approx(1 / 12, rel=0.02)
    error = (denoise(noisy, mean, scale) - y).square().mean().item()
    assert error == pytest.approx(1 / (1 / 0.04 + 12), rel=0.03)
    rounded = quantise(y, None, mean)
    assert (rounded - y).abs().max() <= 0.5
    torch.testing.assert_close(torch.remainder(rounded - mean + 0.5, 1), torch.full_like(y, 0.5), atol=1e-5, rtol=0)


def test_hyper_latents_have_a_density() -> None:
    net = TransformCode(Shape(1, (4, 4), 1, hyper=1))
    z = torch.arange(-60.0, 61.0)[:, None, None, None] + 0.3
    assert torch.exp(-net.hyper_rate(z)).sum().item() == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("shape", [Shape(3, (4, 6), 1), Shape(3, (4, 6), 1, latent=20, slices=3, residual=True)])
def test_shapes_and_gradients_of_every_parameter(shape: Shape) -> None:
    torch.manual_seed(0)
    net = TransformCode(shape)
    with torch.no_grad():
        for parameter in net.parameters():  # away from the start, where layers after zeros have no gradient
            parameter += 0.02 * torch.randn(parameter.shape)
    x, beta = torch.rand(2, 3, 32, 16), torch.tensor([30.0, 1000.0])
    y, rate = net(x, beta, torch.Generator().manual_seed(0))
    assert y.shape == x.shape
    assert rate.shape == (2,)
    assert rate[0] < rate[1]
    (rate + beta * (x - y).square().flatten(1).sum(1)).sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


def test_a_slice_depends_on_earlier_ones_only() -> None:
    torch.manual_seed(0)
    slices = Slices(8, 6, 4, True)
    for head in (*slices.densities, *slices.residuals):
        torch.nn.init.normal_(head.last.weight)
    features, y = torch.randn(1, 6, 3, 3), torch.randn(1, 8, 3, 3)
    spread = torch.ones(1, 8, 1, 1)
    before = slices(y, spread, features, torch.Generator().manual_seed(0))[0]
    y[:, 4:6] += 1
    after = slices(y, spread, features, torch.Generator().manual_seed(0))[0]
    same = [torch.equal(before[:, i : i + 2], after[:, i : i + 2]) for i in range(0, 8, 2)]
    assert same == [True, True, False, False]


@BOTH
def test_points_are_upper_bounds_that_training_lowers(
    source: Source, module: ModuleType, options: hyperprior.Options
) -> None:
    lambdas = [30.0 * source.dim, 300.0 * source.dim]
    trained = module.solve(source, lambdas, options, silent)
    start = module.solve(source, lambdas, replace(options, steps=1), silent)
    for lam, point, before in zip(lambdas, trained, start, strict=True):
        assert (point.role, point.lam) == ("upper", lam)
        assert point.method == {hyperprior: "hyperprior", channel_ar: "channel-ar"}[module]
        assert point.value_nats < before.value_nats
        assert point.ci95_nats[0] < point.rate_nats < point.ci95_nats[1]
    assert trained[0].rate_nats < trained[1].rate_nats
    assert trained[0].mse > trained[1].mse
    record = trained[0].record(source)
    assert record["facts"]["data"] == "held-out"
    assert "estimated rate" in record["facts"]["label"]
    assert record["facts"]["rounded_rate_nats"] > 0
    assert record["facts"]["steps"] == 30
    assert Point.from_record(record).rate_nats == trained[0].rate_nats


def test_a_stopped_run_goes_on_to_the_same_numbers(source: Source, tmp_path: Path) -> None:
    check_resuming(channel_ar, source, replace(CHANNEL_AR, widths=(4, 4), steps=60, batch=1), tmp_path)


@pytest.mark.parametrize(("size", "channels"), [((16, 16), 1), ((1, 1), 3), ((13, 50), 3)])
@pytest.mark.parametrize("rounded", [False, True])
def test_pictures_of_any_size(size: tuple[int, int], channels: int, rounded: bool) -> None:
    net = TransformCode(Shape(channels, (4, 4), 1))
    rate, mse = evaluate(net, [np.full((*size, channels), 0.3, np.float32)], 1000.0, rounded=rounded)
    assert rate.shape == mse.shape == (1,)
    assert rate[0] > 0
    assert mse[0] < 0.01


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (replace(CHANNEL_AR, slices=49), "expected 1 to 48 slices, found 49"),
        (replace(HYPERPRIOR, latent=49), "expected 1 to 48 channels of latents, found 49"),
        (replace(HYPERPRIOR, widths=()), "expected widths of at least 2"),
        (replace(HYPERPRIOR, crop=24), "expected a crop that is a multiple of 16, found 24"),
        (replace(HYPERPRIOR, batch=0), "expected batch of at least 1, found 0"),
    ],
)
def test_options_that_cannot_be_are_refused(source: Source, options: hyperprior.Options, message: str) -> None:
    with pytest.raises(InputError, match=message):
        hyperprior.solve(source, [1e5], options, silent)


def test_vectors_are_refused() -> None:
    with pytest.raises(InputError, match="hyperprior takes images"):
        hyperprior.solve(open_source("gaussian", dim=4), [1.0], HYPERPRIOR, silent)
