"""docs/reference/latents.md says enough: decoders of plain integers, written from it alone, read every chain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import tiny_latent, tiny_vae, tiny_vrnn, toy_models
from reference import container as slow_decoder
from reference import latents as slow_latents

from rdzip.codecs.bits_back import chain
from rdzip.codecs.bits_back import tiles as tiled
from rdzip.codecs.bits_back.options import Options
from rdzip.codecs.classic import codec as classic
from rdzip.codecs.names import LATENT_CODECS
from rdzip.hub import registry
from rdzip.models import build, model_file
from rdzip.models.toy import ToyHmm, ToyMixture
from rdzip.models.vae_mlp.file import export

FILES = ("sites", "bits_back", "irec", "models", "images", "latents")
BUNDLED = [entry.id for entry in registry.entries() if set(entry.codecs) <= set(LATENT_CODECS)]
CONVOLUTIONAL = {"grey": (5, 6), "deep": (5, 4, 3), "resnet": (3, 5, 3)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file of each kind."""
    folder = tmp_path_factory.mktemp("models")
    toy_models.write_models(folder)
    for kind in CONVOLUTIONAL:
        tiny_latent.write(folder, kind)
    tiny_vrnn.write(folder / "vrnn.safetensors")
    export(folder / "vae.safetensors", tiny_vae.net(), {"id": "tiny-vae"})
    return folder


def both(folder: Path, kind: str) -> tuple[Any, Any]:
    """A model of rdzip, and the slow one of the same file."""
    path = folder / f"{kind}.safetensors"
    return build(*model_file.read(path)), slow_latents.load(path.read_bytes())


@pytest.fixture(autouse=True)
def large_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups that grow at once, though it costs initial bits."""
    monkeypatch.setattr(chain, "MARGIN", 9.0)


def check(folder: Path, kind: str, items: list[np.ndarray], codec: str, options: Options) -> None:
    """Decode what rdzip coded."""
    model, slow = both(folder, kind)
    coded = chain.encode(model, items, codec, options)
    found = slow_latents.decode_chain(slow, coded.payload, [tuple(item.shape) for item in items])
    for samples, item in zip(found, items, strict=True):
        np.testing.assert_array_equal(np.array(samples, np.uint8).reshape(item.shape), item)
    assert len(items) == 1 or max(group.rows for group in coded.groups) > 1


@pytest.mark.parametrize(
    ("codec", "options"),
    [
        ("stochastic", Options()),
        ("bb-ans", Options()),
        ("bb-is", Options(particles=5)),
        ("bb-cis", Options(particles=50)),
        ("bb-cis", Options(particles=3, precision=16)),
        ("bb-cis", Options(particles=3, precision=4)),
        ("bb-ais", Options(steps=6)),
        ("bb-ais", Options(steps=9, interleave=0)),
        ("irec", Options()),
        ("irec", Options(omega=50, epsilon=30, beams=3, seed=12345)),
    ],
)
def test_toy_mixture(folder: Path, codec: str, options: Options) -> None:
    x = ToyMixture(**toy_models.make_mixture()).sample(40, np.random.default_rng(0))
    check(folder, "toy-mixture", list(x), codec, options)


@pytest.mark.parametrize(
    ("codec", "options"),
    [
        ("stochastic", Options()),
        ("bb-ans", Options(particles=3)),
        ("bb-is", Options(particles=4)),
        ("bb-smc", Options(particles=4)),
        ("bb-smc", Options(particles=5, resample=1)),
        ("bb-smc", Options(particles=5, resample=2)),
        ("bb-smc", Options(particles=1)),
    ],
)
def test_toy_hmm(folder: Path, codec: str, options: Options) -> None:
    hmm, rng = ToyHmm(**toy_models.make_hmm()), np.random.default_rng(0)
    x = [hmm.sample(1, steps, rng)[0] for steps in (3, 7, 7, 1, 7, 3, 9, *[7] * 9)]
    check(folder, "toy-hmm", x, codec, options)


@pytest.mark.parametrize(
    ("codec", "options"),
    [
        ("stochastic", Options()),
        ("bb-ans", Options()),
        ("bb-ans", Options(refine=3)),
        ("bb-is", Options(particles=5)),
        ("bb-cis", Options(particles=7, refine=1)),
        ("bb-ais", Options(steps=8)),
        ("bb-ais", Options(steps=8, interleave=0, refine=1)),
        ("irec", Options(beams=5)),
    ],
)
def test_perceptron(folder: Path, codec: str, options: Options) -> None:
    check(folder, "vae", list(tiny_vae.images(4)), codec, options)


@pytest.mark.parametrize(
    ("codec", "options"),
    [
        ("stochastic", Options()),
        ("bb-ans", Options()),
        ("bb-is", Options(particles=3)),
        ("bb-smc", Options(particles=3)),
        ("bb-smc", Options(particles=3, resample=1)),
    ],
)
def test_recurrent(folder: Path, codec: str, options: Options) -> None:
    rng = np.random.default_rng(1)
    x = [(rng.random((steps, 88)) < 0.05).astype(np.uint8) for steps in (2, 4, 2, 2)]
    check(folder, "vrnn", x, codec, options)


@pytest.mark.parametrize(
    ("kind", "codec"),
    [
        ("grey", "bb-ans"),
        ("grey", "bit-swap"),
        ("grey", "bb-is"),
        ("grey", "stochastic"),
        ("deep", "bit-swap"),
        ("deep", "bb-ans"),
        ("resnet", "bb-ans"),
        ("resnet", "bb-cis"),
        ("grey", "irec"),
        ("deep", "irec"),
        ("resnet", "irec"),
    ],
)
def test_convolutional(folder: Path, kind: str, codec: str) -> None:
    x = np.random.default_rng(2).integers(100, 156, (3, *CONVOLUTIONAL[kind])).astype(np.uint8)
    check(folder, kind, list(x), codec, Options(particles=2))


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_models(name: str) -> None:
    """The weights that users have, with their large sums."""
    meta = model_file.read_meta(registry.WEIGHTS / f"{name}.safetensors")
    shape = [side or 3 for side in meta["sample"]["shape"]]
    x = np.random.default_rng(4).integers(0, meta["sample"]["values"], (1, *shape)).astype(np.uint8)
    check(registry.WEIGHTS, name, list(x), meta["codecs"][0], Options())


def test_picture(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles whose initial bits are the first rows."""
    monkeypatch.setattr(tiled, "TILE", 8)
    monkeypatch.setattr(tiled, "SPARE", 64)
    y, x = np.mgrid[:30, :12]
    noise = np.random.default_rng(3).normal(0, 6, x.shape)
    pixels = np.clip(120 + 30 * np.sin(x / 5) + 20 * np.cos(y / 4) + noise, 0, 255).astype(np.uint8)
    model, slow = both(folder, "grey")
    coded = tiled.encode(model, pixels, "bit-swap", Options())
    samples, rows, kind, first = slow_latents.decode_picture(slow, coded.payload, pixels.shape)
    assert rows > 0
    np.testing.assert_array_equal(classic.decode(first, (rows, 12), np.dtype(np.uint8), kind), pixels[:rows])
    assert samples == {(y, x): int(pixels[y, x]) for y in range(rows, 30) for x in range(12)}


def test_damage_is_noticed(folder: Path) -> None:
    model, slow = both(folder, "toy-mixture")
    x = ToyMixture(**toy_models.make_mixture()).sample(40, np.random.default_rng(0))
    payload = chain.encode(model, x, "bb-ans", Options()).payload
    for at in range(len(payload) - 4, len(payload)):
        damaged = bytearray(payload)
        damaged[at] ^= 1
        with pytest.raises(slow_decoder.Damaged):
            slow_latents.decode_chain(slow, bytes(damaged), [(1, 1)] * 40)
