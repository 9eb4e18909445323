"""bb-ais: an exact inverse that leaves the stack as it was; kernels leave their targets as they are; rates fall."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import tiny_vae
from hypothesis import given, settings
from hypothesis import strategies as st

from rdzip.codecs.bits_back import annealed, bb_ans
from rdzip.codecs.bits_back.options import Options
from rdzip.codecs.bits_back.trace import Trace
from rdzip.entropy.ans import AnsStack
from rdzip.entropy.initial_bits import InitialBitsStack
from rdzip.errors import CoderError, InputError
from rdzip.models.latent_model import Draw, Samples, Shape
from rdzip.models.shared.sites import CategoricalSite

SHAPE = (tiny_vae.CONFIG.height, tiny_vae.CONFIG.width)


@settings(max_examples=15, deadline=None)
@given(
    rows=st.integers(1, 5),
    steps=st.integers(0, 9),
    interleave=st.integers(0, 1),
    refine=st.integers(0, 1),
    seed=st.integers(0, 99),
)
def test_decode_restores_samples_and_stack(rows: int, steps: int, interleave: int, refine: int, seed: int) -> None:
    options = Options(steps=steps, interleave=interleave, refine=refine)
    model, x = tiny_vae.model(), tiny_vae.images(rows, seed)
    stack = InitialBitsStack()
    before = AnsStack.to_bytes(stack)
    annealed.encode(model, x, stack, options)
    np.testing.assert_array_equal(annealed.decode(model, rows, SHAPE, stack, options), x)
    assert AnsStack.to_bytes(stack) == before


def test_steps_tighten_the_rate_and_the_file_has_it() -> None:
    x = tiny_vae.images(200)
    rates = []
    for steps in (0, 6, 60):
        stack = InitialBitsStack(words=1 << 16)
        ideal = annealed.encode(tiny_vae.model(), x, stack, Options(steps=steps))
        assert stack.net_bits() == pytest.approx(ideal.sum(), rel=0.005)
        rates.append(ideal.mean())
    stack = InitialBitsStack(words=1 << 16)
    assert rates[0] == pytest.approx(bb_ans.encode(tiny_vae.model(), x, stack, Options()).mean(), rel=0.01)
    assert rates[0] > rates[1] > rates[2]


def test_interleaving_takes_fewer_initial_bits() -> None:
    used = []
    for interleave in (0, 1):
        stack = InitialBitsStack()
        annealed.encode(tiny_vae.model(), tiny_vae.images(1), stack, Options(steps=100, interleave=interleave))
        used.append(stack.initial_words)
    assert used[1] < used[0] / 2


class Three:
    """A latent of 3 values for one pixel of 4, with a crude posterior; ``names`` of what it draws."""

    def __init__(self, names: tuple[str, ...] = ("z1",)) -> None:
        rng = np.random.default_rng(0)
        self.names = names
        self.p = self._table(rng.dirichlet(np.ones(3)))
        self.x = self._table(rng.dirichlet(np.ones(4), 3))
        self.q = self._table(rng.dirichlet(np.ones(3), 4))

    @staticmethod
    def _table(p: np.ndarray) -> np.ndarray:
        f = np.floor(p * ((1 << 24) - 16)).astype(np.int32) + 1
        f[..., 0] += (1 << 24) - f.sum(-1)
        return f

    def infer(self, x: Samples, draw: Draw, refine: int = 0) -> None:
        for name in self.names:
            draw(name, CategoricalSite(self.q[x.reshape(-1)][:, None]))

    def generate(self, rows: int, shape: Shape, draw: Draw) -> Samples:
        for name in self.names:
            z = draw(name, CategoricalSite(np.broadcast_to(self.p, (rows, 1, 3))))
        return draw("x", CategoricalSite(self.x[z.reshape(-1)][:, None])).reshape(rows, *shape)


def test_many_steps_reach_the_entropy() -> None:
    model = Three()
    p = (model.p / 2.0**24) @ (model.x / 2.0**24)
    x = np.random.default_rng(1).choice(4, (4000, 1), p=p).astype(np.uint8)
    exact = -np.log2(p[x]).mean()
    bound = bb_ans.encode(model, x, InitialBitsStack(words=1 << 16), Options()).mean()  # type: ignore[arg-type]
    rates = [
        annealed.encode(model, x, InitialBitsStack(words=1 << 16), Options(steps=s)).mean()  # type: ignore[arg-type]
        for s in (3, 30)
    ]
    assert bound > rates[0] > rates[1] > exact - 0.01
    assert rates[1] - exact < 0.2 * (bound - exact)


def test_a_kernel_keeps_its_target() -> None:
    """From z ~ f_t, the step t gives z ~ f_t: exactly, as its table holds the whole distribution."""
    model = Three()
    x = np.array([[2]], np.uint8)
    inference, generation = Trace(), Trace()
    z = np.zeros((1, 1), np.uint8)
    model.infer(x, inference.knowing({"z1": z}))
    model.generate(1, (1,), generation.knowing({"z1": z, "x": x}))
    sites = [trace.draws[0][1] for trace in (inference, generation)]
    annealing = annealed._Annealing(model, x, *sites, 3)  # type: ignore[arg-type]
    f = model.q[2] ** 0.5 * (model.p * (model.x[:, 2] / 2.0**24)) ** 0.5
    for value in range(3):
        move = annealing.move(2, np.full((1, 1), value, np.uint8))
        table = np.empty(3)
        table[move.values[0]] = move.frequencies[0] / 2.0**24
        np.testing.assert_allclose(table, f / f.sum(), rtol=1e-3)


def test_what_it_cannot_code_is_refused() -> None:
    x = np.zeros((1, 1), np.uint8)
    with pytest.raises(InputError, match="one group of latents"):
        annealed.encode(Three(("z1", "z2")), x, InitialBitsStack(), Options())  # type: ignore[arg-type]
    with pytest.raises(InputError, match="1 particle"):
        annealed.encode(Three(), x, InitialBitsStack(), Options(particles=2))  # type: ignore[arg-type]
    with pytest.raises(CoderError, match="1 particle"):
        annealed.decode(Three(), 1, (1,), InitialBitsStack(), Options(particles=2))  # type: ignore[arg-type]
