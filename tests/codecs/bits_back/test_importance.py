"""bb-is and bb-cis: exact inverses that leave the stack as it was, and rates below that of one particle."""

from __future__ import annotations

from contextlib import suppress
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import tiny_vae
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import sites as slow_sites

from rdzip.codecs.bits_back import bb_ans, importance
from rdzip.codecs.bits_back.options import Options
from rdzip.entropy.ans import AnsStack
from rdzip.entropy.initial_bits import InitialBitsStack
from rdzip.errors import CoderError

CODERS = {
    "bb-is": (importance.encode, importance.decode),
    "bb-cis": (importance.encode_coupled, importance.decode_coupled),
}
SHAPE = (tiny_vae.CONFIG.height, tiny_vae.CONFIG.width)


@settings(max_examples=15, deadline=None)
@given(
    codec=st.sampled_from(sorted(CODERS)),
    rows=st.integers(1, 5),
    particles=st.integers(1, 7),
    precision=st.integers(4, 16),
    refine=st.integers(0, 2),
    seed=st.integers(0, 99),
)
def test_decode_restores_samples_and_stack(
    codec: str, rows: int, particles: int, precision: int, refine: int, seed: int
) -> None:
    encode, decode = CODERS[codec]
    options = Options(particles=particles, precision=precision, refine=refine)
    model, x = tiny_vae.model(), tiny_vae.images(rows, seed)
    stack = InitialBitsStack()
    before = AnsStack.to_bytes(stack)
    ideal = encode(model, x, stack, options)
    assert ideal.shape == (rows,)
    np.testing.assert_array_equal(decode(model, rows, SHAPE, stack, options), x)
    assert AnsStack.to_bytes(stack) == before


@pytest.mark.parametrize("codec", sorted(CODERS))
def test_net_bits_are_the_ideal_ones(codec: str) -> None:
    x = tiny_vae.images(60)
    stack = InitialBitsStack(words=1 << 14)
    ideal = CODERS[codec][0](tiny_vae.model(), x, stack, Options(particles=20)).sum()
    assert stack.net_bits() == pytest.approx(ideal, rel=0.03)  # of one sample of j each row
    many = [InitialBitsStack(words=1 << 14) for _ in range(20)]
    for i, each in enumerate(many):
        each.push(np.full(i, 3), np.full((i, 4), 1 << 22))  # other random choices
        CODERS[codec][0](tiny_vae.model(), x, each, Options(particles=20))
    mean = np.mean([each.net_bits() - 2 * i for i, each in enumerate(many)])
    assert mean == pytest.approx(ideal, rel=0.01)


@pytest.mark.parametrize("codec", sorted(CODERS))
def test_particles_tighten_the_rate(codec: str) -> None:
    x = tiny_vae.images(200)
    rates = []
    for particles in (1, 4, 32):
        stack = InitialBitsStack(words=1 << 16)
        rates.append(CODERS[codec][0](tiny_vae.model(), x, stack, Options(particles=particles)).mean())
    assert rates[0] > rates[1] + 0.01
    assert rates[1] > rates[2]
    stack = InitialBitsStack(words=1 << 16)
    assert rates[0] == pytest.approx(bb_ans.encode(tiny_vae.model(), x, stack, Options()).mean(), rel=0.02)


def test_coupled_particles_take_no_more_initial_bits_than_one() -> None:
    x = tiny_vae.images(1)
    used = []
    for particles in (1, 64):
        stack = InitialBitsStack()
        importance.encode_coupled(tiny_vae.model(), x, stack, Options(particles=particles))
        used.append(stack.initial_words)
    assert used[1] <= used[0] + 1
    stack = InitialBitsStack()
    importance.encode(tiny_vae.model(), x, stack, Options(particles=64))
    assert stack.initial_words > 4 * used[1]


@pytest.mark.parametrize("codec", sorted(CODERS))
def test_damaged_stacks_give_wrong_samples_or_an_error(codec: str) -> None:
    encode, decode = CODERS[codec]
    options = Options(particles=5, precision=6)
    for seed in range(30):
        stack = InitialBitsStack()
        encode(tiny_vae.model(), tiny_vae.images(3), stack, options)
        damaged = bytearray(AnsStack.to_bytes(stack)[-40:])
        damaged[seed] ^= 1 << seed % 8
        with suppress(CoderError):
            assert decode(tiny_vae.model(), 3, SHAPE, AnsStack(bytes(damaged)), options).shape == (3, *SHAPE)


def test_particles_are_chosen_by_their_whole_weights() -> None:
    joint, proposal = np.random.default_rng(2).integers(-9 << 16, 0, (2, 12))
    given = (SimpleNamespace(log2=lambda: joint), SimpleNamespace(log2=proposal))
    found = importance._frequencies(*given, 4)  # type: ignore[arg-type]
    for row, logarithms in zip(found, (joint - proposal).reshape(3, 4).tolist(), strict=True):
        assert np.cumsum(row).tolist() == slow_sites.frequencies(logarithms)[1:]


@pytest.mark.parametrize("precision", [4, 11, 16])
def test_shifts_are_the_highest_bits_of_public_words(precision: int) -> None:
    particles = importance._Coupled(AnsStack(), 1, Options(particles=40, precision=precision), None, {})
    for stream in range(2):
        words = slow_sites.random_words(0x63636973, stream, 40 * 3)
        shifts = particles._new_shifts(3)
        assert shifts.tolist() == np.reshape([word >> 32 - precision for word in words], (40, 3)).tolist()
        assert shifts.max() >= 0.9 * 2**precision - 1
        particles._sites.append(None)  # type: ignore[arg-type]
