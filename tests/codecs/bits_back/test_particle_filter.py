"""bb-smc: exact inverses with the stack restored, whatever is resampled, and rates that are the filter's bound."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import tiny_vrnn
from helpers.toy_models import make_hmm
from hypothesis import given, settings
from hypothesis import strategies as st

from rdzip.codecs.bits_back import particle_filter
from rdzip.codecs.bits_back.options import Options
from rdzip.entropy.initial_bits import InitialBitsStack
from rdzip.errors import InputError
from rdzip.models import build, model_file
from rdzip.models.latent_model import SequenceModel
from rdzip.models.toy import ToyHmm
from rdzip.models.vrnn.model import VrnnModel


@pytest.fixture(scope="module")
def vrnn(tmp_path_factory: pytest.TempPathFactory) -> VrnnModel:
    path = tiny_vrnn.write(tmp_path_factory.mktemp("vrnn") / "tiny.safetensors")
    model = build(*model_file.read(path))
    assert isinstance(model, VrnnModel)
    return model


@pytest.fixture(scope="module")
def hmm() -> ToyHmm:
    return ToyHmm(**make_hmm())


def rolls(rows: int, steps: int, seed: int = 0) -> np.ndarray:
    return (np.random.default_rng(seed).random((rows, steps, 88)) < 0.05).astype(np.uint8)


def coded(model: SequenceModel, x: np.ndarray, options: Options) -> tuple[float, float]:
    """Net and ideal bits of one group, after a round trip that restored the stack."""
    stack = InitialBitsStack(words=1 << 20)
    before = InitialBitsStack(words=1 << 20).to_bytes()
    ideal = particle_filter.encode(model, x, stack, options)
    net = stack.net_bits()
    np.testing.assert_array_equal(particle_filter.decode(model, len(x), x.shape[1:], stack, options), x)
    assert stack.net_bits() == 0
    assert stack.to_bytes()[-len(before) :] == before
    return net, float(ideal.sum())


@pytest.mark.parametrize("resample", [0, 1, 2])
@pytest.mark.parametrize("particles", [1, 2, 5])
def test_what_is_decoded_is_what_was_encoded(vrnn: VrnnModel, particles: int, resample: int) -> None:
    net, ideal = coded(vrnn, rolls(3, 9), Options(particles=particles, resample=resample))
    assert net == pytest.approx(ideal, rel=0.02, abs=70)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 4), st.integers(0, 7), st.integers(1, 9), st.integers(0, 2), st.integers(0, 1000))
def test_any_group_of_sequences_comes_back(rows: int, steps: int, particles: int, resample: int, seed: int) -> None:
    hmm = ToyHmm(**make_hmm())
    x = np.random.default_rng(seed).integers(0, 16, (rows, steps, 1)).astype(np.uint8)
    coded(hmm, x, Options(particles=particles, resample=resample))


def test_sequences_are_coded_one_after_the_other(vrnn: VrnnModel) -> None:
    options = Options(particles=3)
    stack = InitialBitsStack()
    groups = [rolls(1, 4, 1), rolls(2, 6, 2), rolls(1, 4, 3)]
    for x in groups:
        particle_filter.encode(vrnn, x, stack, options)
    for x in reversed(groups):
        np.testing.assert_array_equal(particle_filter.decode(vrnn, len(x), x.shape[1:], stack, options), x)
    assert stack.net_bits() == 0


def test_the_filter_resamples_where_it_should(hmm: ToyHmm) -> None:
    x = hmm.sample(5, 40, np.random.default_rng(5))

    def count(rule: int) -> int:
        run = particle_filter._run(
            hmm, x, Options(particles=4, resample=rule), particle_filter._Popped(InitialBitsStack())
        )
        return sum(len(step.resampled) for step in run.steps)

    assert count(particle_filter.ALWAYS) == 5 * 39
    assert count(particle_filter.NEVER) == 0
    assert 10 < count(particle_filter.ADAPTIVE) < 5 * 39


def test_the_rate_is_the_bound(hmm: ToyHmm) -> None:
    x = hmm.sample(20, 60, np.random.default_rng(7))
    for resample in (0, 1, 2):
        net, ideal = coded(hmm, x, Options(particles=8, resample=resample))
        assert net == pytest.approx(ideal, rel=0.0005)


def test_one_particle_is_bits_back_by_the_evidence_bound(hmm: ToyHmm) -> None:
    x = hmm.sample(40, 50, np.random.default_rng(8))
    net, _ = coded(hmm, x, particle_filter.options_for("bb-ans", Options(particles=9)))
    assert net / hmm.bits(x).sum() > 1.1
    many, _ = coded(hmm, x, Options(particles=8))
    assert many < 0.95 * net


def test_many_particles_reach_the_entropy(hmm: ToyHmm) -> None:
    x = hmm.sample(20, 60, np.random.default_rng(0))
    limit = hmm.bits(x).sum()
    net, _ = coded(hmm, x, Options(particles=256))
    assert abs(net / limit - 1) < 0.001


def test_without_resampling_it_is_importance_sampling(hmm: ToyHmm) -> None:
    x = hmm.sample(6, 1, np.random.default_rng(3))
    assert coded(hmm, x, Options(particles=6)) == coded(
        hmm, x, particle_filter.options_for("bb-is", Options(particles=6))
    )


def test_latents_from_a_generator_cost_their_bits(hmm: ToyHmm) -> None:
    x = hmm.sample(7, 20, np.random.default_rng(9))
    stack = InitialBitsStack()
    ideal = particle_filter.encode_stochastic(hmm, x, stack, Options())
    assert stack.net_bits() == pytest.approx(ideal.sum(), rel=0.01)
    assert stack.initial_words == 1
    np.testing.assert_array_equal(particle_filter.decode_stochastic(hmm, 7, (20, 1), stack, Options()), x)
    assert stack.net_bits() == 0


def test_only_codecs_of_sequences_are_known() -> None:
    assert particle_filter.options_for("bb-smc", Options(particles=4)).particles == 4
    assert particle_filter.options_for("stochastic", Options(particles=4)).particles == 1
    with pytest.raises(InputError, match="expected a codec of sequences"):
        particle_filter.options_for("bit-swap", Options())


def test_many_particles_are_handled_in_parts(hmm: ToyHmm, monkeypatch: pytest.MonkeyPatch) -> None:
    x = hmm.sample(4, 10, np.random.default_rng(4))
    expected = coded(hmm, x, Options(particles=16))
    monkeypatch.setattr(particle_filter, "_ENTRIES", 600)
    assert coded(hmm, x, Options(particles=16)) == expected
