"""Upper bounds: above the exact value and near it, on samples of their own, repeatable, resumable."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from rdzip.bounds.moments import moments
from rdzip.bounds.point import Point
from rdzip.bounds.sources.base import Source, open_source
from rdzip.bounds.upper import ntc, vae
from rdzip.errors import InputError

SHORT = vae.Options(units=(16,), prior_units=(8,), prior="maf_2", steps=60, batch=64, samples=4000)


def silent(share: float, point: Point | None) -> None:
    assert 0 <= share <= 1


def exact(source: Source, lam: float) -> float:
    """L of a Gaussian source by reverse water-filling."""
    assert source.variances is not None
    d = np.minimum(source.variances, source.dim / (2 * lam))
    return float(0.5 * np.log(source.variances / d).sum() + lam * d.mean())


@pytest.fixture(scope="module")
def finite(tmp_path_factory: pytest.TempPathFactory) -> Source:
    path = tmp_path_factory.mktemp("finite") / "x.npy"
    np.save(path, np.random.default_rng(0).standard_normal((500, 2)) * [1, 3])
    return open_source(str(path))


@pytest.mark.parametrize(
    "options",
    [
        SHORT,
        replace(SHORT, decoder=False, prior="gmm_2"),
        replace(SHORT, units=(), prior="std_gaussian"),
        replace(SHORT, posterior="iaf", order="shift", prior="maf"),
    ],
)
def test_upper_bounds_of_a_gaussian_are_above_the_exact_value_and_near(options: vae.Options) -> None:
    source = open_source("gaussian", dim=2)
    lambdas = (0.7, 5.0, 30.0)
    for lam, point in zip(lambdas, vae.solve(source, lambdas, options, silent), strict=True):
        error = (point.ci95_nats[1] - point.rate_nats) / 1.96
        assert point.role == "upper"
        assert point.lam == lam
        assert -4 * error < point.value_nats - exact(source, lam) < 4 * error + 0.05
        assert point.value_nats == pytest.approx(point.rate_nats + lam * point.mse)
        assert point.facts["data"] == "fresh"


def test_no_dimension_is_too_many_for_diagonal_maps() -> None:
    source = open_source("gaussian", dim=300)
    lam = 150.0
    (point,) = vae.solve(source, [lam], vae.Options(steps=10, samples=500), silent)
    assert exact(source, lam) * 0.99 < point.value_nats < exact(source, lam) * 1.02


def test_transform_coding_loses_at_most_a_quarter_bit_a_dimension() -> None:
    source = open_source("gaussian", dim=2)
    lam = 30.0
    (point,) = ntc.solve(source, [lam], ntc.Options(units=(), steps=60, samples=4000), silent)
    loss = (point.value_nats - exact(source, lam)) / source.dim
    assert 0.1 < loss < 0.5 * math.log(2 * math.pi * math.e / 12) + 0.05
    assert point.facts["rounded_value_nats"] == pytest.approx(point.value_nats, abs=0.2)
    assert "operational" in point.facts["label"]


def test_held_out_samples_judge_a_finite_source(finite: Source) -> None:
    (point,) = vae.solve(finite, [1.0], SHORT, silent)
    assert point.facts["data"] == "held-out"
    assert point.samples == 75
    again = vae.solve(finite, [1.0], SHORT, silent)[0]
    assert (again.rate_nats, again.mse) == (point.rate_nats, point.mse)


def test_a_lambda_does_not_depend_on_its_companions(finite: Source) -> None:
    alone = vae.solve(finite, [3.0], replace(SHORT, units=(), prior="std_gaussian", steps=0 + 1), silent)[0]
    found = vae.solve(finite, [3.0, 30.0], replace(SHORT, units=(), prior="std_gaussian", steps=1), silent)[0]
    assert found.value_nats == pytest.approx(alone.value_nats, abs=0.05)


def test_a_stopped_run_goes_on_to_the_same_numbers(finite: Source, tmp_path: Path) -> None:
    options = replace(SHORT, steps=120, folder=tmp_path)
    whole = vae.solve(finite, [1.0, 4.0], replace(options, folder=None), silent)

    def stop(share: float, point: Point | None) -> None:
        if share > 0.4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        vae.solve(finite, [1.0, 4.0], options, stop)
    assert len(list(tmp_path.glob("vae-*.pt"))) == 1
    resumed = vae.solve(finite, [1.0, 4.0], options, silent)
    assert [(p.rate_nats, p.mse) for p in resumed] == [(p.rate_nats, p.mse) for p in whole]


def test_a_file_that_is_no_checkpoint_is_named(finite: Source, tmp_path: Path) -> None:
    options = replace(SHORT, folder=tmp_path)
    vae.solve(finite, [1.0], options, silent)
    next(tmp_path.glob("vae-*.pt")).write_bytes(b"nothing")
    with pytest.raises(InputError, match="not a checkpoint of this run"):
        vae.solve(finite, [1.0], options, silent)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (replace(SHORT, posterior="uniform"), "the uniform posterior belongs to method ntc"),
        (replace(SHORT, posterior="none"), "expected a posterior of gaussian, iaf, uniform, found 'none'"),
        (replace(SHORT, prior="none"), "expected a prior of"),
        (replace(SHORT, latent=3), "expected 1 to 2 latent dimensions, found 3"),
        (replace(SHORT, steps=0), "expected steps of at least 1, found 0"),
    ],
)
def test_options_that_cannot_be_are_refused(finite: Source, options: vae.Options, message: str) -> None:
    with pytest.raises(InputError, match=message):
        vae.solve(finite, [1.0], options, silent)


def test_transform_coding_refuses_other_noise(finite: Source) -> None:
    with pytest.raises(InputError, match="uniform posterior"):
        ntc.solve(finite, [1.0], ntc.Options(posterior="gaussian"), silent)


def test_constant_samples_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = open_source("gaussian", dim=2)
    monkeypatch.setattr(type(source), "train", lambda self, n, rng: np.ones((n, 2), np.float32))
    with pytest.raises(InputError, match="constant"):
        moments(source, np.random.default_rng(0))


def test_moments_of_independent_coordinates_are_diagonal() -> None:
    found = moments(open_source("gaussian", dim=100), np.random.default_rng(0))
    assert np.count_nonzero(np.abs(found.basis) > 0.01) == 100


def test_training_leaves_the_callers_generator_alone(finite: Source) -> None:
    before = torch.get_rng_state()
    vae.solve(finite, [1.0], SHORT, silent)
    assert torch.equal(torch.get_rng_state(), before)


def test_directions_without_variance_are_left_out() -> None:
    source = open_source("banana", dim=20)
    found = moments(source, np.random.default_rng(0))
    few, more = vae._worthwhile(found, 1.0), vae._worthwhile(found, 1000.0)
    assert 1 <= few <= more <= 20
    assert 1000.0 * found.variances[more:].sum() / 20 <= vae.DROPPED
    options = replace(SHORT, steps=1, samples=200)
    (point,) = vae.solve(source, [1.0], options, silent)
    assert point.facts["latent"] == few
