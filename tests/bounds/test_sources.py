"""Sources: laws as stated, parts that never mix, one clear line for what cannot be a source."""

from __future__ import annotations

import json
import logging
import math
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers.needs import posix
from helpers.trust_support import Harm
from PIL import Image
from safetensors.torch import save_file

from rdzip.bounds.sources.banana import ROTATION
from rdzip.bounds.sources.base import held_out_halves, open_source, training_set
from rdzip.bounds.sources.finite import FiniteSource
from rdzip.bounds.sources.images import _read
from rdzip.bounds.sources.speech import log_spectra
from rdzip.errors import InputError


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("dim", [1, 2, 1000])
def test_gaussian_has_the_moments_and_the_density_that_it_says(dim: int) -> None:
    source = open_source("gaussian", dim=dim)
    x = source.train(5000, rng())
    assert source.variances is not None
    assert x.shape == (5000, dim)
    assert x.dtype == np.float32
    assert np.allclose(x.var(0), source.variances, rtol=0.1)
    entropy = 0.5 * np.log(2 * math.pi * math.e * source.variances).sum()
    density = source.log_density(x)
    assert density is not None
    assert abs(-density.mean() - entropy) < 4 * math.sqrt(dim / 2 / len(x))


def test_gaussian_of_1000_dimensions_is_that_of_the_paper(shared_data: Path) -> None:
    with np.load(shared_data / "gaussian" / "gaussian_params-dim=1000.npz") as file:
        stored = dict(file)
    source = open_source("gaussian", dim=1000)
    assert np.array_equal(source.variances, stored["var"])
    assert np.abs(source.train(4096, rng()).mean(0) - stored["loc"]).max() < 0.12


def test_seeds_change_parameters_and_repeat() -> None:
    one, same, other = (open_source("gaussian", dim=4, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one.train(9, rng()), same.train(9, rng()))
    assert not np.array_equal(one.variances, other.variances)


def test_banana_is_bent_as_the_formula_says() -> None:
    source = open_source("banana")
    x = source.train(200000, rng())
    assert np.allclose(x.mean(0), [-0.22, -0.55], atol=0.03)
    assert np.allclose(np.cov(x.T), [[3.65, -3.09], [-3.09, 7.19]], rtol=0.03)
    u = (x + 1) @ ROTATION.T
    z = np.stack([u[:, 0], u[:, 1] + 0.1 * u[:, 0] ** 2], 1)
    assert np.allclose(np.cov(z.T), [[9, 0], [0, 0.25]], atol=0.08)
    density = source.log_density(x)
    assert density is not None
    assert abs(-density.mean() - math.log(2 * math.pi * math.e * 1.5)) < 0.01


def test_density_of_the_banana_sums_to_one() -> None:
    axes = np.linspace(-20, 20, 801)
    grid = np.stack(np.meshgrid(axes, axes), -1).reshape(-1, 2)
    density = open_source("banana").log_density(grid)
    assert density is not None
    assert abs(np.exp(density).sum() * 0.05**2 - 1) < 1e-3


@pytest.mark.parametrize("dim", [3, 16, 100])
def test_embedded_banana_is_a_surface_at_the_scale_of_the_banana(dim: int) -> None:
    source = open_source("banana", dim=dim, seed=5)
    x = source.train(5000, rng())
    assert x.shape == (5000, dim)
    assert source.log_density(x) is None
    near = source.train(3000, rng(1))
    flat = open_source("banana").train(3000, rng(1))  # the same draws before the network
    steps = np.square(np.diff(near, axis=0)).mean(1), np.square(np.diff(flat, axis=0)).mean(1)
    assert 0.5 < steps[0].mean() / steps[1].mean() < 2
    assert np.array_equal(x, open_source("banana", dim=dim, seed=5).train(5000, rng()))


def test_held_out_draws_are_never_training_draws() -> None:
    source = open_source("banana")
    assert not np.isin(source.held_out(500, rng(3)), source.train(500, rng(3))).any()
    assert np.array_equal(source.held_out(5, rng(3)), source.held_out(5, rng(3)))


def test_parts_of_a_finite_set_never_mix(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(300.0).reshape(100, 3))
    source = open_source(str(tmp_path / "a.npy"), held_out=0.3)
    assert (source.name, source.shape, source.train_count, source.held_out_count) == ("a.npy", (3,), 70, 30)
    train, held_out = source.train(4000, rng()), source.held_out(99, rng())
    assert len(train) == 4000
    assert len(held_out) == 30
    assert set(train[:, 0]).isdisjoint(held_out[:, 0])
    assert len(set(train[:, 0]) | set(held_out[:, 0])) == 100
    assert len(set(training_set(source, 500, rng())[:, 0])) == len(training_set(source, 500, rng())) == 70
    assert len(training_set(open_source("banana"), 500, rng())) == 500


def test_halves_of_held_out_samples_part_no_group() -> None:
    samples = np.arange(60, dtype=np.float32)[:, None]
    groups = np.repeat([7, 3, 9, 5], [4, 6, 8, 2])
    grouped = FiniteSource("a", samples[20:], samples[:20], groups)
    halves = [half[:, 0].astype(int) for half in held_out_halves(grouped, 99, rng())]
    assert [sorted(set(groups[half].tolist())) for half in halves] == [[3, 7], [5, 9]]
    assert not set(groups[halves[0]]) & set(groups[halves[1]])
    assert sorted(np.concatenate(halves)) == list(range(20))
    plain = held_out_halves(FiniteSource("a", samples[20:], samples[:20]), 15, rng())
    assert [len(half) for half in plain] == [8, 7]
    assert len(np.unique(np.concatenate(plain))) == 15
    with pytest.raises(InputError, match="banana: expected a finite set"):
        held_out_halves(open_source("banana"), 10, rng())


def test_physics(shared_data: Path) -> None:
    full, flat = (open_source(name, data=shared_data) for name in ("physics", "physics-2d"))
    assert (full.dim, full.train_count, full.held_out_count) == (16, 8000, 2000)
    x, y = full.held_out(2000, rng()), flat.held_out(2000, rng())
    assert np.array_equal(x[:, [12, 11]], y)
    assert np.linalg.eigvalsh(np.cov(x.T))[:2].max() < 1e-9  # as is said of it: two dependent dimensions
    assert np.allclose(np.square(x[:, 12:15]).sum(1), np.square(x[:, 15]), atol=1e-6)


@pytest.mark.slow
def test_speech(shared_data: Path) -> None:
    source = open_source("speech-2d", data=shared_data)
    assert (source.shape, source.train_count, source.held_out_count) == ((2,), 1398748, 125701)
    assert -20 < source.train(1000, rng()).mean() < 0


def test_features_of_speech_are_the_spectrum_of_windowed_frames() -> None:
    sound = rng().uniform(-1, 1, 80)
    features = log_spectra(sound)
    assert features.shape == (18, 33)
    window = 0.5 - 0.5 * np.cos(2 * math.pi * np.arange(63) / 62)
    frame = np.append(sound[5:68] * window, 0)
    direct = abs(sum(frame[i] * np.exp(-2j * math.pi * 7 * i / 64) for i in range(64)))
    assert math.isclose(features[5, 7], math.log(direct), rel_tol=1e-5)
    assert np.allclose(log_spectra(np.zeros(63)), math.log(2.220446049250313e-16))


def pictures(folder: Path, sizes: list[tuple[int, ...]]) -> Path:
    folder.mkdir()
    for i, size in enumerate(sizes):
        Image.fromarray(rng(i).integers(0, 256, size).astype(np.uint8)).save(folder / f"{i}.png")
    (folder / "notes.txt").write_text("not an image")
    return folder


def test_images_of_a_folder(tmp_path: Path) -> None:
    colour = open_source(str(pictures(tmp_path / "a", [(6, 8, 3)] * 5 + [(6, 8)])), held_out=0.34)
    assert (colour.name, colour.shape, colour.dim) == ("a", (6, 8, 3), 144)
    assert (colour.train_count, colour.held_out_count) == (4, 2)
    x = colour.train(10, rng())
    assert x.shape == (10, 6, 8, 3)
    assert x.dtype == np.float32
    assert 0 <= x.min() < 0.1 < 0.9 < x.max() <= 1
    assert open_source(str(pictures(tmp_path / "b", [(6, 8)] * 3))).shape == (6, 8, 1)


def test_squares_of_images(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "a", [(20, 17, 3), (16, 40, 3), (9, 9, 3), (8, 30, 3)])
    source = open_source(str(folder), held_out=0.5, crop=8)
    assert source.shape == (8, 8, 3)
    shown = {tuple(np.round(x[0, 0] * 255).astype(int)) for x in source.train(300, rng())}
    assert len(shown) > 20
    held_out = source.held_out(1000, rng())
    assert len(held_out) == source.held_out_count
    assert shown.isdisjoint(tuple(np.round(x[0, 0] * 255).astype(int)) for x in held_out)
    with pytest.raises(InputError, match="at least 9 x 9"):
        open_source(str(folder), crop=9)


def test_images_of_different_sizes_are_refused(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "a", [(6, 8, 3), (8, 6, 3)])
    with pytest.raises(InputError, match=r"one size, found 8 x 6 \(0.png\) and 6 x 8 \(1.png\)"):
        open_source(str(folder))


def test_damaged_and_missing_images_are_refused(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "a", [(60, 80, 3)] * 2)
    data = (folder / "1.png").read_bytes()
    (folder / "1.png").write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match=r"1.png: expected an image"):
        open_source(str(folder))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="expected images, found none"):
        open_source(str(tmp_path / "empty"))


@pytest.mark.parametrize(
    ("array", "shape"),
    [
        (np.arange(8.0), (1,)),
        (np.arange(24, dtype=np.int16).reshape(8, 3), (3,)),
        (np.arange(48, dtype=np.uint8).reshape(8, 2, 3), (2, 3, 1)),
        (np.linspace(0, 1, 144).reshape(8, 2, 3, 3), (2, 3, 3)),
    ],
)
def test_arrays_of_vectors_and_images(tmp_path: Path, array: np.ndarray, shape: tuple[int, ...]) -> None:
    np.save(tmp_path / "a.npy", array)
    source = open_source(str(tmp_path / "a.npy"))
    assert source.shape == shape
    assert source.train(4, rng()).shape == (4, *shape)
    if len(shape) == 3:
        assert source.train(100, rng()).max() <= 1


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([[1.0, 2], [np.nan, 3], [3, 4]] * 3), r"[1-3] of \d with NaN"),
        (np.array([[1.0, 2], [np.inf, 3], [3, 4]] * 3), "NaN or infinite"),
        (np.full((9, 2), 1e300), "NaN or infinite"),
        (np.ones((9, 2)), "equal ones"),
        (np.ones((1, 2)), "at least 8 samples"),
        (np.ones((0, 2)), "at least 2 samples"),
        (np.ones((9, 0)), "expected samples"),
        (np.ones((9, 2, 2, 5), np.uint8), r"found an array of shape \[9, 2, 2, 5\]"),
        (np.full((9, 2, 2), 7.0), "in 0..1"),
        (np.ones((9, 2, 2, 2, 2)), r"found an array of shape"),
        (np.array([["a", "b"]]), "real numbers"),
        (np.ones((9, 2), complex), "real numbers"),
        (np.array(1.0), "real numbers"),
    ],
)
def test_arrays_that_are_no_source(tmp_path: Path, array: np.ndarray, message: str) -> None:
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(InputError, match=message) as caught:
        open_source(str(tmp_path / "a.npy"))
    assert "\n" not in str(caught.value)


def save_generator(path: Path, layers: list[Any], network: torch.nn.Sequential, *, image: bool = False) -> str:
    tensors = {name: value.contiguous() for name, value in network.state_dict().items() if value.ndim}
    save_file(tensors, path, metadata={"generator": json.dumps({"latent": 3, "layers": layers, "image": image})})
    return str(path)


def test_generator_of_vectors_in_safetensors(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(3, 7), torch.nn.Softplus(), torch.nn.Linear(7, 5, bias=False))
    spec = save_generator(tmp_path / "g.safetensors", ["linear", "softplus", "linear"], network)
    source = open_source(spec)
    assert (source.shape, source.unlimited, source.held_out_count) == ((5,), True, None)
    z = torch.from_numpy(rng(4).standard_normal((2000, 3))).float()
    assert np.allclose(source.train(2000, rng(4)), network(z).detach().numpy(), atol=1e-5)
    line = open_source(spec, dim=1).train(50, rng(4))
    z = torch.zeros(50, 3)
    z[:, :1] = torch.from_numpy(rng(4).standard_normal((50, 1)))
    assert np.allclose(line, network(z).detach().numpy(), atol=1e-5)
    with pytest.raises(InputError, match="from 1 to 3 random"):
        open_source(spec, dim=4)


def test_generator_of_images_in_safetensors(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Linear(3, 32),
        torch.nn.Unflatten(1, (8, 2, 2)),
        torch.nn.BatchNorm2d(8),
        torch.nn.LeakyReLU(0.2),
        torch.nn.ConvTranspose2d(8, 4, 4, 2, 1),
        torch.nn.ReLU(),
        torch.nn.Upsample(scale_factor=2),
        torch.nn.Conv2d(4, 3, 3, padding=1),
        torch.nn.Sigmoid(),
    ).eval()
    layers = [
        "linear",
        ["reshape", {"shape": [8, 2, 2]}],
        "batch_norm",
        ["leaky_relu", {"slope": 0.2}],
        ["conv_transpose", {"stride": 2, "padding": 1}],
        "relu",
        ["upsample", {"factor": 2}],
        ["conv", {"padding": 1}],
        "sigmoid",
    ]
    source = open_source(save_generator(tmp_path / "g.safetensors", layers, network, image=True))
    z = torch.from_numpy(rng(4).standard_normal((20, 3))).float()
    assert source.shape == (8, 8, 3)
    assert np.allclose(source.train(20, rng(4)), network(z).detach().numpy().transpose(0, 2, 3, 1), atol=1e-5)


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".ts", ".pkl", ".ckpt"])
def test_files_that_can_hold_code_are_refused_unread(tmp_path: Path, suffix: str) -> None:
    path, victim = tmp_path / f"g{suffix}", tmp_path / "victim.txt"
    path.write_bytes(pickle.dumps(Harm(victim)))
    with pytest.raises(InputError, match="can hold code and is never loaded"):
        open_source(str(path), dim=3)
    assert not victim.exists()


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({}, "expected a generator"),
        ({"generator": "{"}, "expected a generator"),
        ({"generator": json.dumps({"latent": 3, "layers": ["linear", "magic"]})}, "magic"),
        ({"generator": json.dumps({"latent": 3, "layers": [["linear", {"width": 3}]]})}, "unknown settings width"),
        ({"generator": json.dumps({"latent": 3, "layers": ["relu", "linear"]})}, "1.weight"),
        ({"generator": json.dumps({"latent": 2, "layers": ["linear"]})}, "does not take z"),
        ({"generator": json.dumps({"latent": 3, "layers": ["linear"], "image": True})}, "output has 2 dimensions"),
        ({"generator": json.dumps({"latent": "3", "layers": ["linear"]})}, "latent '3'"),
    ],
)
def test_generators_that_are_none(tmp_path: Path, metadata: dict[str, str], message: str) -> None:
    save_file({"0.weight": torch.ones(2, 3), "0.bias": torch.ones(2)}, tmp_path / "g.safetensors", metadata=metadata)
    with pytest.raises(InputError, match=message) as caught:
        open_source(str(tmp_path / "g.safetensors"))
    assert "\n" not in str(caught.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    for name in ("a.npy", "a.safetensors", "a.txt"):
        (tmp_path / name).write_bytes(b"not what its name says")
        with pytest.raises(InputError, match=r"expected (a|FILE).*"):
            open_source(str(tmp_path / name))


@pytest.mark.parametrize(
    ("spec", "options", "message"),
    [
        ("apple", {}, "no such source: expected gaussian, banana"),
        ("gaussian", {"dim": 0}, "at least 1 dimension"),
        ("banana", {"dim": 10**20}, "at most 1048576 dimensions"),
        ("banana", {"dim": 1}, "2 or more dimensions"),
        ("banana", {"held_out": 1.0}, "held-out share between 0 and 1"),
        ("banana", {"crop": 8}, "only folders of images"),
        ("physics", {}, "`data`"),
        ("speech-2d", {}, "`data`"),
        ("physics", {"data": Path("nowhere")}, "no such file"),
        ("speech", {"data": Path("nowhere")}, "no such file"),
    ],
)
def test_what_cannot_be_opened(spec: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        open_source(spec, **options)


def test_too_few_vectors_are_refused(tmp_path: Path) -> None:
    for count in (1, 2, 7):
        np.save(tmp_path / "a.npy", rng().standard_normal((count, 2)))
        with pytest.raises(InputError, match=f"at least 8 samples, found {count}"):
            open_source(str(tmp_path / "a.npy"))
    np.save(tmp_path / "a.npy", rng().standard_normal(8))
    assert (open_source(str(tmp_path / "a.npy")).held_out_count or 0) >= 2


def test_dimensions_must_be_those_of_the_data(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", rng().standard_normal((9, 2)))
    assert open_source(str(tmp_path / "a.npy"), dim=2).dim == 2
    with pytest.raises(InputError, match="has 2 dimensions, not 3"):
        open_source(str(tmp_path / "a.npy"), dim=3)


@posix
def test_pipes_in_a_folder_of_images_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for number in range(4):
        Image.new("L", (8, 8), number).save(tmp_path / f"{number}.png")
    os.mkfifo(tmp_path / "pipe.png")
    assert len(_read(tmp_path)) == 4
    assert "pipe.png is left out: it is a pipe" in caplog.text
