"""The command line with the codecs of latents themselves, on models small enough for a test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers import tiny_vae, toy_models
from helpers.cli_support import Cli, same_image
from PIL import Image

import rdzip
from rdzip import hub
from rdzip.errors import FormatError, RdzipError
from rdzip.formats import container
from rdzip.formats.container import Section
from rdzip.models.toy import ToyMixture
from rdzip.models.vae_mlp import file as vae_mlp_file
from rdzip.pipeline.batch_decompress import decompress_batch


@pytest.fixture
def mixture(tmp_path: Path) -> Path:
    """The toy mixture's file, in the cache too."""
    path = toy_models.write_models(tmp_path)[0]
    hub.pull(path)
    return path


@pytest.fixture
def hmm(tmp_path: Path) -> Path:
    """The toy hidden Markov model's file, in the cache too."""
    path = toy_models.write_models(tmp_path)[1]
    hub.pull(path)
    return path


@pytest.fixture
def vae(tmp_path: Path) -> Path:
    """The file of a tiny autoencoder of binary images of 5 x 6, in the cache too."""
    path = tmp_path / "vae.safetensors"
    vae_mlp_file.export(path, tiny_vae.net(), {"id": "tiny-vae"})
    hub.pull(path)
    return path


def model_of(path: Path) -> ToyMixture:
    return hub.load(path)  # type: ignore[return-value]


@pytest.mark.parametrize("options", [["stochastic"], ["bb-ans"], ["bb-is", 5], ["bb-cis", 50], ["irec"]])
def test_arrays(rdzip: Cli, mixture: Path, tmp_path: Path, options: list[object]) -> None:
    source, packed, part = tmp_path / "toy.npy", tmp_path / "toy.npy.rdz", tmp_path / "part.npy"
    data = model_of(mixture).sample(300, np.random.default_rng(0))
    np.save(source, data)
    wanted = source.read_bytes()
    arguments = ["--codec", options[0], *(["--particles", options[1]] if len(options) > 1 else [])]
    (found,) = rdzip("compress", source, "-m", mixture, *arguments, "--segment", 100, "--rm", "--json").objects
    assert (found["codec"], found["shape"]) == (options[0], [300, 1, 1])
    assert found["bits"]["net"] <= found["bits"]["total"] <= 8 * found["bytes_out"]
    (facts,) = rdzip("info", packed, "--json").objects
    assert (facts["codec"], facts["segments"]) == (options[0], 3)
    if len(options) > 1:
        assert facts["options"]["particles"] == options[1]
    assert rdzip("decompress", packed, "--items", "299,100", "-o", part).code == 0
    np.testing.assert_array_equal(np.load(part), data[[299, 100]])
    assert rdzip("decompress", packed).code == 0
    assert source.read_bytes() == wanted


def test_sequences(rdzip: Cli, hmm: Path, tmp_path: Path) -> None:
    source, packed = tmp_path / "toy.npz", tmp_path / "toy.npz.rdz"
    rng = np.random.default_rng(0)
    lengths = np.array([5, 9, 0, 5, 1, 30])
    data = hub.load(hmm).sample(1, int(lengths.sum()), rng)[0]  # type: ignore[attr-defined]
    np.savez(source, data=data, lengths=lengths)
    for options in (["bb-ans"], ["bb-is", "--particles", 3], ["bb-smc", "--particles", 6, "--resample", "always"]):
        there = rdzip("compress", source, "-m", hmm, "--codec", *options, "--segment", 2, "-f", "--json")
        assert there.objects[0]["shape"] == [50, 1]
        assert rdzip("test", packed, "--items", "2,5").code == 0
        assert rdzip("decompress", packed, "-f", "-o", tmp_path / "back.npz").code == 0
        with np.load(tmp_path / "back.npz") as back:
            np.testing.assert_array_equal(back["data"], data)
            np.testing.assert_array_equal(back["lengths"], lengths)


def test_folders_and_refinement(rdzip: Cli, vae: Path, tmp_path: Path) -> None:
    folder, packed = tmp_path / "digits", tmp_path / "digits.rdz"
    folder.mkdir()
    for number, image in enumerate(tiny_vae.images(20)):
        Image.fromarray(255 * image, "L").save(folder / f"{number:02}.png")
    there = rdzip(
        "compress", "-r", folder, "--archive", packed, "-m", vae, "--codec", "bb-cis", "--particles", 7, "--refine", 2
    )
    assert there.code == 0
    assert rdzip("decompress", packed, "-o", tmp_path / "back").code == 0
    for path in folder.iterdir():
        assert same_image(path, tmp_path / "back" / path.name)
    assert "bb-cis, particles 7, refine 2" in rdzip("info", packed).out.decode()
    one = rdzip("compress", folder / "00.png", "-m", vae, "-o", tmp_path / "one.rdz", "--json").objects
    assert one[0]["codec"] == "bb-ans"
    assert rdzip("decompress", tmp_path / "one.rdz", "-o", tmp_path / "one.png").code == 0
    assert same_image(folder / "00.png", tmp_path / "one.png")
    assert rdzip("info", tmp_path / "one.rdz", "--json").objects[0]["planes"]["colour"]["codec"] == "bb-ans"


OPTIONS = 12
"""Bytes of a payload that hold options at most: large ones are in order and take long."""


@pytest.mark.parametrize("kind", ["array", "picture"])
@pytest.mark.parametrize("codec", ["bb-ans", "bb-is", "bb-cis", "stochastic"])
def test_damage_behind_the_checksums_is_refused(vae: Path, kind: str, codec: str) -> None:
    """Payloads are changed and cut, and get sound checksums, as a hostile writer would give them."""
    rng = np.random.default_rng(0)
    images = tiny_vae.images(12)
    data = rdzip.compress(images if kind == "array" else images[0], model=str(vae), codec=codec)
    parsed = container.unpack(data)
    header, (section,) = parsed.header, parsed.sections
    for _ in range(40):
        body = bytearray(section.body)
        for _ in range(int(rng.integers(1, 4))):
            place = int(rng.integers(min(len(body), 30) if rng.random() < 0.7 else len(body)))
            body[place] = int(rng.integers(10 if place < OPTIONS else 256))
        body = body[: int(rng.integers(len(body)))] if rng.random() < 0.2 else body
        bad = container.pack({int(key): value for key, value in header.items()}, [Section(section.type, bytes(body))])
        for run in (rdzip.info, rdzip.decompress_array):
            try:
                found = run(bad)
            except RdzipError:
                continue
            assert run is rdzip.info or np.array_equal(np.asarray(found), images if kind == "array" else images[0])


def test_a_chain_that_is_cut(vae: Path) -> None:
    images = tiny_vae.images(40)
    data = rdzip.compress(images, model=str(vae), codec="bb-ans")
    parsed = container.unpack(data)
    body = bytes(parsed.sections[0].body)
    header = {int(key): value for key, value in parsed.header.items()}
    for cut in (len(body) // 2, len(body) - 4, len(body) - 1, 9, 20):
        with pytest.raises(FormatError) as caught:
            decompress_batch(container.pack(header, [Section(parsed.sections[0].type, body[:cut])]))
        assert "\n" not in str(caught.value)
    for shape in ([41, 5, 6], [39, 5, 6], [1, 5, 6]):
        with pytest.raises(FormatError, match="expected"):
            decompress_batch(container.pack({**header, 0: shape}, parsed.sections))
