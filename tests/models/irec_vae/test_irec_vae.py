"""The lossy VAE coded by relative entropy: there and back, rates near its KL, model files, training."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from helpers import lossy_stub, tiny_irec
from PIL import Image

import rdzip
from rdzip import hub
from rdzip.codecs.transform import codec as transform
from rdzip.entropy.ans import AnsStack
from rdzip.errors import CoderError, InputError, ModelError
from rdzip.models import check_known_answer, model_file
from rdzip.models.hyperprior.network import HYPER, NAME
from rdzip.models.irec_vae.file import DEVIATION, HYPER_DEVIATION, from_tensors
from rdzip.models.irec_vae.model import IrecModel, deviations, divergence
from rdzip.models.irec_vae.normal_site import NormalSite
from rdzip.rec.beam import Search
from rdzip.rec.level import Level
from rdzip.rec.settings import LOSSY, Settings
from rdzip.train.recipe import load_recipe
from rdzip.train.run import run

KINDS = tuple(tiny_irec.CONFIGS)
TINY = """
name = "tiny-irec"
task = "irec-code"
steps = 2
batch = 2
crop = 64
lr = 1e-3
warmup = 2
bf16 = false
checkpoint_every = 1
validate_every = 1
[model]
width = 8
latent = 12
hyper = 6
hyper_analysis = [8, 8]
hyper_synthesis = [8, 12]
finest = 128
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("irec")
    for kind in KINDS:
        tiny_irec.write(folder / f"{kind}.safetensors", kind)
    return folder


FEW_BEAMS = replace(LOSSY, beams=2)
"""Tests of what is coded, not of how well, search little."""


SLOW = [pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS if kind != "two"]
"""Other numbers of levels than photo-irec has."""


@pytest.fixture(scope="module", params=["two", *SLOW])
def model(request: pytest.FixtureRequest, folder: Path) -> IrecModel:
    path = folder / f"{request.param}.safetensors"
    found = tiny_irec.read(path)
    check_known_answer(found, model_file.read_meta(path))
    return found


@pytest.mark.parametrize("size", [(1, 1), (65, 64), (66, 130)])
@pytest.mark.parametrize("setting", [0, 120])
def test_there_and_back(model: IrecModel, size: tuple[int, int], setting: int) -> None:
    for pixels in (lossy_stub.photo(*size), lossy_stub.photo(*size)[:, :, 0]):
        coded = transform.encode(model, pixels, setting, rec_settings=FEW_BEAMS)
        payload, layout = coded.payload, coded.layout
        found = transform.unpack(model, payload, pixels.shape, layout)
        assert found.digest == coded.digest
        assert transform.synthesise(model, found, pixels.shape).shape == pixels.shape
        assert 8 * len(payload) == pytest.approx(coded.estimated, rel=0.02, abs=60)
        assert layout == 2


def test_the_rate_is_near_the_divergence(folder: Path) -> None:
    """Of all latents of a picture: KL of the training's forward, and bits of choices."""
    net, model = tiny_irec.net("two"), tiny_irec.read(folder / "two.safetensors")
    pixels = lossy_stub.photo(192, 192)
    x = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        decoded, bits = net(x, torch.tensor([float(model.finest)]))
    coded = transform.encode(model, pixels, 0)
    assert coded.bits.ideal == pytest.approx(float(bits), rel=0.3)
    found = transform.unpack(model, coded.payload, pixels.shape, coded.layout)
    ours = transform.synthesise(model, found, pixels.shape).astype(float)
    theirs = decoded[0].permute(1, 2, 0).clamp(0, 1).numpy() * 255
    errors = [float(((p - pixels) ** 2).mean()) for p in (ours, theirs)]
    assert errors[0] < 1.5 * errors[1]


def test_divergence_is_that_of_normal_laws() -> None:
    mean, width, centre, log_deviation = (torch.tensor([[v]]) for v in (1.5, 0.3, 0.5, 0.7))
    q, p = torch.distributions.Normal(mean, width), torch.distributions.Normal(centre, log_deviation.exp())
    expected = torch.distributions.kl_divergence(q, p)
    assert float(divergence(mean, width, centre, log_deviation)) == pytest.approx(float(expected))


def test_sites_code_themselves_and_come_near_their_posteriors() -> None:
    rng = np.random.default_rng(0)
    n = 1500
    site = NormalSite(rng.integers(-500, 500, n).astype(np.int32), deviations()[rng.integers(20, 50, n)], Settings())
    unit = site.deviation / 256
    mean, width = site.mean + rng.normal(0, 0.8, n) * unit, 0.5 * unit
    symbols = site.choose(mean, width)
    values = site.values(symbols)
    error = np.sqrt((((values - mean) / unit) ** 2).mean())
    assert error < 0.75  # a sample of the prior is 1.3 away, one of the posterior 0.5
    stack = AnsStack()
    site.push(stack, symbols)
    assert stack.bits() == pytest.approx(site.bits(symbols) + 24, abs=30)
    np.testing.assert_array_equal(site.pop(stack), symbols)
    assert stack.is_empty()


@pytest.mark.parametrize("rec_settings", [Settings(100, 50, 4, 7), Settings(500, 0, 2, (1 << 28) - 1)])
def test_other_settings(model: IrecModel, rec_settings: Settings) -> None:
    pixels = lossy_stub.photo(30, 40)
    coded = transform.encode(model, pixels, 60, rec_settings=rec_settings)
    found = transform.unpack(model, coded.payload, pixels.shape, 2)
    assert (found.digest, found.head.rec_settings) == (coded.digest, rec_settings)
    assert found.digest != transform.encode(model, pixels, 60).digest
    assert model.rec_settings == LOSSY


@pytest.mark.parametrize("setting", [0, 100])
def test_guesses_are_near_the_rates(model: IrecModel, setting: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels, rec_settings = lossy_stub.photo(64, 128), Settings(beams=2)
    coded = transform.encode(model, pixels, setting, rec_settings=rec_settings)
    monkeypatch.setattr("rdzip.rec.beam.Search.choices", None)  # no search
    guessed = transform.estimate(transform.searching(model, rec_settings, guess=True), pixels, setting)
    assert guessed == pytest.approx(coded.estimated, rel=0.05, abs=60)


def test_nothing_to_tell_costs_nothing() -> None:
    site = NormalSite(np.arange(40, dtype=np.int32), np.full(40, 4096, np.int32), Settings())
    symbols = site.choose(np.arange(40.0), np.full(40, 16.0))
    assert symbols.tolist() == [0, 0]
    np.testing.assert_array_equal(site.values(symbols), np.arange(40))


def test_damage_is_noticed(model: IrecModel) -> None:
    pixels = lossy_stub.photo(70, 90)
    coded = transform.encode(model, pixels, 30)
    rng = np.random.default_rng(0)
    for _ in range(25):
        bad = bytearray(coded.payload)
        bad[rng.integers(10, len(bad))] ^= 1 << rng.integers(8)
        try:
            found = transform.unpack(model, bytes(bad), pixels.shape, coded.layout)
        except CoderError:
            continue
        assert found.digest != coded.digest


def test_files_by_the_public_functions(folder: Path) -> None:
    path = folder / "two.safetensors"
    hub.pull(path)
    image = Image.fromarray(lossy_stub.photo(100, 120))
    data = rdzip.compress(image, model=str(path), codec="irec-vae", quality=80)
    facts = rdzip.info(data)
    assert (facts["lossy"], facts["planes"]["colour"]["codec"]) == (True, "irec-vae")
    assert rdzip.decompress(data).size == image.size


def test_options_of_the_search_are_in_the_file_or_refused(folder: Path) -> None:
    path = str(folder / "two.safetensors")
    hub.pull(path)
    pixels = lossy_stub.photo(40, 50)

    def code(**options: Any) -> bytes:
        return rdzip.compress(pixels, model=path, codec="irec-vae", quality=80, **options)

    data = code(omega=2.5, beams=3, seed=99)
    facts = rdzip.info(data)["planes"]["colour"]
    assert {name: facts[name] for name in ("omega", "epsilon", "beams", "seed")} == {
        "omega": 2.5, "epsilon": LOSSY.epsilon / 100, "beams": 3, "seed": 99
    }  # fmt: skip
    assert np.asarray(rdzip.decompress(data)).shape == pixels.shape
    for wrong, message in (
        ({"omega": 0.0}, "`omega` of 0.2 to 6.9, found 0.0"),
        ({"omega": 6.0, "epsilon": 1.0}, "at most 6.93 nats"),
        ({"beams": 0}, "`beams`: expected a whole number of 1 or more, found 0"),
        ({"seed": -1}, "`seed`: expected a whole number of 0 or more, found -1"),
        ({"particles": 3}, "expected `particles` with a codec that has it"),
    ):
        with pytest.raises(InputError, match=message):
            code(**wrong)


def test_target_rates_are_met_without_searching_at_every_look(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(folder / "two.safetensors")
    hub.pull(path)
    pixels = lossy_stub.photo(64, 128)
    given: dict[str, Any] = {"model": path, "codec": "irec-vae", "beams": 2}
    bpp = 8 * len(rdzip.compress(pixels, quality=70, **given)) / (64 * 128)
    searched = []
    choices = Search.choices

    def counted(self: Search, blocks: list[Any]) -> Any:
        searched.append(len(blocks))
        return choices(self, blocks)

    monkeypatch.setattr(Search, "choices", counted)
    data = rdzip.compress(pixels, target_bpp=bpp, **given)
    assert 8 * len(data) / (64 * 128) == pytest.approx(bpp, rel=0.03)
    assert len(searched) == 2  # levels


def test_values_stay_bounded_whatever_the_choices(model: IrecModel) -> None:
    rng = np.random.default_rng(0)

    def draw(name: str, site: NormalSite) -> Any:
        blocks = -(-len(site.mean) // 1024)
        choices = [rng.integers(0, 36, 5) for _ in range(blocks)]
        return NormalSite._symbols(Level([15], [choices]))

    for setting in (0, model.setting_count - 1):
        decoded = model.code(draw, 1, 2, setting)
        for name in (NAME, HYPER):
            assert np.abs(decoded[name]).max(initial=0) <= 1 << 20


def test_model_files_are_checked(folder: Path) -> None:
    tensors, meta = model_file.read(folder / "two.safetensors")
    assert meta["codecs"] == ["irec-vae"]
    for change, message in (
        ({DEVIATION: np.zeros(64, np.int32)}, "deviations of 1"),
        ({DEVIATION: np.ones(63, np.int32)}, DEVIATION),
        ({HYPER_DEVIATION: np.ones((8, 5), np.int32)}, HYPER_DEVIATION),
        ({"more": np.ones(1, np.int8)}, "more"),
    ):
        with pytest.raises(ModelError, match=message):
            from_tensors(tensors | change, meta)
    with pytest.raises(ModelError, match="found none"):
        from_tensors({name: value for name, value in tensors.items() if name != DEVIATION}, meta)
    answers = {meta["known_answer"]}
    for name in (DEVIATION, HYPER_DEVIATION, "slices.finer", "slices.means.0.out.bias"):
        answers.add(from_tensors(tensors | {name: tensors[name] + 300}, meta).known_answer())
    assert len(answers) >= 4


def test_a_run_ends_in_a_model_that_codes_and_resuming_changes_nothing(tmp_path: Path) -> None:
    for part, count in (("train", 2), ("valid", 1)):
        place = tmp_path / "data" / part
        place.mkdir(parents=True)
        for i in range(count):
            Image.fromarray(lossy_stub.photo(130, 140, i)).save(place / f"{i}.png")
    recipe = tmp_path / "tiny.toml"
    recipe.write_text(TINY)
    data = tmp_path / "data"
    whole = run(str(recipe), data, tmp_path / "whole", ["decay=0.1"])
    run(str(recipe), data, tmp_path / "cut", ["steps=1", "decay=0.1"])
    resumed = run(str(recipe), data, tmp_path / "cut", ["decay=0.1"], resume=True)
    assert whole.read_bytes() == resumed.read_bytes()
    tensors, meta = model_file.read(whole)
    found = from_tensors(tensors, meta)
    check_known_answer(found, meta)
    pixels = lossy_stub.photo(70, 80)
    coded = transform.encode(found, pixels, 50)
    assert transform.unpack(found, coded.payload, pixels.shape, 2).digest == coded.digest
    records = [json.loads(line) for line in (tmp_path / "whole" / "log.jsonl").read_text().splitlines()]
    assert records[-1]["bpp_128"] > records[-1]["bpp_255"] > 0


def test_shipped_recipes_load() -> None:
    from rdzip.models.hyperprior.file import config_of

    for name, slices, hyper in (("photo-irec-1", 1, 0), ("photo-irec", 1, 48), ("photo-irec-4", 3, 48)):
        recipe = load_recipe(name, [])
        config = config_of(recipe.model)
        assert (recipe.task, recipe.name, config.slices, config.hyper) == ("irec-code", name, slices, hyper)
        assert recipe.crop % 64 == 0
