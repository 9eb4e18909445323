"""The hierarchical VAE of pictures: its transform, its Gaussian channel, pictures of any size, points."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.pictures_support import check_resuming, pictures, silent

from rdzip.bounds.sources.base import Source, open_source
from rdzip.bounds.upper import image_vae
from rdzip.bounds.upper.pyramid import Pyramid, Shape, draw, haar, inverse_haar
from rdzip.errors import InputError

TINY = image_vae.Options(widths=(8, 8), blocks=1, steps=30, batch=4, crop=16, lr=3e-3)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return pictures(tmp_path_factory.mktemp("pictures"))


def test_the_transform_is_orthonormal_and_undone() -> None:
    x = torch.randn(2, 3, 8, 12).double()
    low, details = haar(x)
    torch.testing.assert_close(inverse_haar(low, details), x)
    assert low.square().sum() + details.square().sum() == pytest.approx(x.square().sum().item())


def test_the_uncorrected_channel_is_that_of_a_gaussian() -> None:
    spread, d, n = 0.5, 0.01, 40000
    generator = torch.Generator().manual_seed(0)
    w = 0.3 + spread * torch.randn(n, 1, 1, 1, generator=generator).double()
    constant = torch.ones(n, 1, 1, 1).double()
    y, rate = draw(w, 0.3 * constant, spread * constant, d * constant, torch.zeros(n, 2, 1, 1).double(), generator)
    assert rate.mean().item() == pytest.approx(0.5 * np.log(spread**2 / d), rel=0.02)
    assert (w - y).square().mean().item() == pytest.approx(d, rel=0.03)


def test_slices_see_earlier_channels_of_their_level_only() -> None:
    net = Pyramid(Shape(3, (4,), 1, 3))
    assert [prior.first.in_channels for prior in net.levels[0].priors] == [4, 7, 10]


def test_points_are_upper_bounds_that_training_lowers(source: Source) -> None:
    lambdas = [30.0 * source.dim, 300.0 * source.dim]
    trained = image_vae.solve(source, lambdas, TINY, silent)
    start = image_vae.solve(source, lambdas, replace(TINY, steps=1), silent)
    for lam, point, before in zip(lambdas, trained, start, strict=True):
        assert point.role == "upper"
        assert point.lam == lam
        assert point.value_nats < before.value_nats
        assert point.facts["data"] == "held-out"
        assert "simulation" in point.facts["label"]
    assert trained[0].rate_nats < trained[1].rate_nats
    assert trained[0].mse > trained[1].mse


def test_a_stopped_run_goes_on_to_the_same_numbers(source: Source, tmp_path: Path) -> None:
    check_resuming(image_vae, source, replace(TINY, widths=(4,), steps=60, batch=2, crop=8), tmp_path)


@pytest.mark.parametrize(("size", "channels"), [((16, 16), 1), ((1, 1), 3), ((13, 50), 3)])
def test_pictures_of_any_size(size: tuple[int, int], channels: int) -> None:
    net = Pyramid(Shape(channels, (4, 4), 1, 1))
    rate, mse = image_vae.evaluate(net, [np.full((*size, channels), 0.3, np.float32)], 1000.0)
    assert rate.shape == mse.shape == (1,)
    assert rate[0] > 0
    assert mse[0] < 0.01


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (replace(TINY, slices=4), "expected slices that divide 9 channels, found 4"),
        (replace(TINY, crop=18), "expected a crop that is a multiple of 4, found 18"),
        (replace(TINY, batch=0), "expected batch of at least 1, found 0"),
    ],
)
def test_options_that_cannot_be_are_refused(source: Source, options: image_vae.Options, message: str) -> None:
    with pytest.raises(InputError, match=message):
        image_vae.solve(source, [1e5], options, silent)


def test_vectors_are_refused() -> None:
    with pytest.raises(InputError, match="takes images"):
        image_vae.solve(open_source("gaussian", dim=4), [1.0], TINY, silent)
