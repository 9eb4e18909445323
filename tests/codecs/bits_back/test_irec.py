"""The codec irec: what was coded comes back, each image alone, at rates near the model's; damage is noticed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from helpers import tiny_latent, tiny_vae, toy_models
from hypothesis import given, settings
from hypothesis import strategies as st

from rdzip.codecs.bits_back import chain
from rdzip.codecs.bits_back import tiles as tiled
from rdzip.codecs.bits_back.head import describe, describe_tiles, read_head
from rdzip.codecs.bits_back.options import Options
from rdzip.codecs.varint import read_numbers, write_numbers
from rdzip.entropy.ans import AnsStack
from rdzip.errors import CoderError, InputError
from rdzip.exact.devices import threads
from rdzip.models import architectures, codecs_of, toy
from rdzip.rec import level
from rdzip.rec.level import Cut, Level

SHAPES = {"grey": (7, 6), "deep": (9, 8, 3), "resnet": (5, 11, 3)}
QUICK = Options(beams=4)


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    with threads(1):
        yield


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("models")
    return {kind: tiny_latent.load(folder, kind)[0] for kind in SHAPES}


def smooth(rows: int, shape: tuple[int, ...]) -> np.ndarray:
    noise = np.random.default_rng(rows).normal(0, 4, (rows, *shape))
    return np.clip(120 + 40 * np.sin(np.arange(rows)).reshape(-1, *[1] * len(shape)) + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("kind", SHAPES)
def test_samples_come_back_without_initial_bits(models: dict[str, Any], kind: str) -> None:
    x = smooth(4, SHAPES[kind])
    coded = chain.encode(models[kind], x, "irec", QUICK)
    np.testing.assert_array_equal(chain.decode(models[kind], coded.payload, x.shape), x)
    assert coded.bits.total == coded.bits.net + 24  # the stack's first word
    assert coded.bits.total == pytest.approx(coded.bits.ideal, rel=0.15)
    assert describe(coded.payload) == {"codec": "irec", "omega": 3.0, "epsilon": 0.2, "beams": 4, "seed": 0}


def test_one_image_costs_what_each_of_many_does() -> None:
    model, x = tiny_vae.model(), tiny_vae.images(40)
    many = chain.encode(model, x, "irec", QUICK).bits.total / 40
    single = np.mean([chain.encode(model, one[None], "irec", QUICK).bits.total for one in x[:10]])
    assert single < many + 24 + 12  # the first word; the exponent, and steps without a row before


def test_rates_are_near_the_bound_of_the_model() -> None:
    """The toy mixture, one latent of 64 symbols: 1 to 4 steps, far from what the codec is for, yet it decodes."""
    mixture = toy.ToyMixture(**toy_models.make_mixture())
    x = mixture.sample(100, np.random.default_rng(0))
    ideal = chain.encode(mixture, x, "bb-ans", Options()).bits.ideal
    coded = chain.encode(mixture, x, "irec", Options(omega=50, epsilon=100))
    np.testing.assert_array_equal(chain.decode(mixture, coded.payload, x.shape), x)
    assert coded.bits.total < 2 * ideal


@settings(max_examples=10, deadline=None)
@given(
    rows=st.integers(1, 3),
    omega=st.integers(20, 400),
    epsilon=st.integers(0, 60),
    beams=st.integers(1, 9),
    seed=st.integers(0, (1 << 28) - 1),
    refine=st.integers(0, 2),
)
def test_any_options(rows: int, omega: int, epsilon: int, beams: int, seed: int, refine: int) -> None:
    options = Options(omega=omega, epsilon=epsilon, beams=beams, seed=seed, refine=refine)
    model, x = tiny_vae.model(), tiny_vae.images(rows, seed % 100)
    coded = chain.encode(model, x, "irec", options)
    np.testing.assert_array_equal(chain.decode(model, coded.payload, x.shape), x)
    facts = describe(coded.payload)
    assert (facts["omega"], facts["seed"]) == (omega / 100, seed)
    assert "refine" not in facts  # a decoder has no posterior to refine


def test_levels_of_several_blocks_are_inverses() -> None:
    rng = np.random.default_rng(0)
    steps = [[3, 0, 5], [0, 0, 0], [1, 1, 0], [200, 0, 7]]
    choices = [[rng.integers(0, 20, count) for count in row] for row in steps]
    made = Level([4, 0, 0, 15], choices)
    stack = AnsStack()
    made.push(stack, 20, 8)
    found = Level.pop(stack, 4, 3, 20, 8)
    assert stack.is_empty()
    assert found.bends == made.bends
    for a, b in zip(found.choices, choices, strict=True):
        for one, other in zip(a, b, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("variables", [1, 1024, 1025, 5000])
def test_blocks_hold_every_variable_once(variables: int) -> None:
    cut = Cut.of(3, variables)
    parts = cut.parts
    assert len(parts) == cut.blocks == -(-variables // 1024)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(variables))


def test_pictures(models: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiled, "WIDE_TILE", 16)
    pixels = smooth(1, (37, 20, 3))[0]
    coded = tiled.encode(models["resnet"], pixels, "irec", QUICK)
    np.testing.assert_array_equal(tiled.decode(models["resnet"], coded.payload, pixels.shape, coded.layout), pixels)
    assert read_numbers(coded.payload, 0, 4)[0] == [16, 0, 0, 0]
    assert describe_tiles(coded.payload)["codec"] == "irec"


def test_damage_is_noticed() -> None:
    model, x = tiny_vae.model(), tiny_vae.images(5)
    payload = chain.encode(model, x, "irec", QUICK).payload
    rng = np.random.default_rng(0)
    silent = 0
    for at in [*range(12), *rng.integers(12, len(payload), 20)]:
        broken = bytearray(payload)
        broken[at] ^= 1 << int(rng.integers(8))
        try:
            silent += np.array_equal(chain.decode(model, bytes(broken), x.shape), x)
        except CoderError:
            continue
    assert silent <= 4  # beams, and parts of omega and epsilon that leave the number of candidates
    for cut in (0, 3, len(payload) - 4, len(payload) - 1):
        with pytest.raises(CoderError):
            chain.decode(model, payload[:cut], x.shape)


def test_numbers_that_no_encoder_writes_are_refused() -> None:
    def popped(bits: list[int], rows: int = 1) -> None:
        stack = AnsStack()
        stack.push_uniform(np.array(bits), np.full(len(bits), 2))
        Level.pop(stack, rows, 1, 20, 0)

    with pytest.raises(CoderError, match="damaged"):
        popped([0] * 30)
    with pytest.raises(CoderError, match="out of range"):
        popped(level._gamma(3))  # one step less than none
    with pytest.raises(CoderError, match="more choices"):
        popped(level._gamma(2 * 60_000) + [0] * 4)
    with pytest.raises(CoderError, match="omega"):
        read_head(write_numbers([7, 10, 0, 1, 0, 0]))
    with pytest.raises(InputError, match="beams"):
        Options(beams=0)


def test_models_of_images_have_the_codec_and_those_of_sequences_not() -> None:
    """Codecs follow from the architecture, whatever the file says."""
    have = {name for name in architectures() if "irec" in codecs_of({"architecture": name, "codecs": []})}
    assert have == {"bit-swap", "resnet-vae", "toy-mixture", "vae-mlp"}
    for slices, codec in ((1, "hyperprior"), (5, "channel-ar")):
        meta = {"architecture": "hyper-code", "codecs": ["causal"], "network": {"slices": slices}}
        assert codecs_of(meta) == (codec,)
