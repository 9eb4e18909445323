"""Toy models: their entropy is exact, their files build, their proposals are crude."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from helpers.toy_models import entropy_of_hmm, entropy_of_mixture, evidence_bound, make_hmm, make_mixture, write_models

from rdzip.entropy.ans import TOTAL, AnsStack
from rdzip.errors import InputError, ModelError
from rdzip.models import build, check_known_answer, model_file
from rdzip.models.shared.sites import Site
from rdzip.models.toy import ToyHmm, ToyMixture


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toy")
    write_models(folder)
    return folder


def test_files_build_and_give_their_known_answers(folder: Path) -> None:
    for name, kind in (("toy-mixture", ToyMixture), ("toy-hmm", ToyHmm)):
        tensors, meta = model_file.read(folder / f"{name}.safetensors")
        model = build(tensors, meta)
        assert isinstance(model, kind)
        check_known_answer(model, meta)


def test_broken_tables_are_refused(folder: Path) -> None:
    tensors, meta = model_file.read(folder / "toy-hmm.safetensors")
    tensors["emission"][0, 0] += 1
    with pytest.raises(ModelError, match="rows sum to"):
        build(tensors, meta)
    tensors, meta = model_file.read(folder / "toy-mixture.safetensors")
    tensors["proposal"] = tensors["proposal"][1:]
    with pytest.raises(ModelError, match="expected tables of shapes"):
        build(tensors, meta)


@pytest.mark.parametrize(("m", "k"), [(257, 4), (4, 257), (1, 4), (4, 1)])
def test_impossible_numbers_of_values_are_refused(folder: Path, m: int, k: int) -> None:
    """256 symbols are what a byte holds, the coder needs two."""
    for name, make in (("toy-mixture", make_mixture), ("toy-hmm", make_hmm)):
        _, meta = model_file.read(folder / f"{name}.safetensors")
        with pytest.raises(ModelError, match="2 to 256"):
            build(make(m, k), meta)
        build(make(256, 256) if name == "toy-mixture" else make(256, 2), meta)


def test_tables_without_axes_are_refused(folder: Path) -> None:
    for name in ("toy-mixture", "toy-hmm"):
        tensors, meta = model_file.read(folder / f"{name}.safetensors")
        for changed in tensors:
            for wrong in (np.array(TOTAL, np.int32), tensors[changed][None], tensors[changed].astype(np.int16)):
                with pytest.raises(ModelError):
                    build(tensors | {changed: wrong}, meta)
            with pytest.raises(ModelError, match="expected"):
                build({other: tensors[other] for other in tensors if other != changed}, meta)


def test_the_mixture_is_worse_by_its_bound_than_by_its_entropy() -> None:
    mixture = ToyMixture(**make_mixture())
    p = mixture.probabilities()
    assert p.sum() == pytest.approx(1)
    assert entropy_of_mixture(mixture) < np.log2(mixture.values())
    assert evidence_bound(mixture) > 1.02 * entropy_of_mixture(mixture)
    exact = ToyMixture(mixture.prior, mixture.emission, mixture.proposal)
    posterior = (mixture.prior[:, None] / TOTAL * mixture.emission / TOTAL / p).T
    object.__setattr__(exact, "proposal", posterior * TOTAL)
    assert evidence_bound(exact) == pytest.approx(entropy_of_mixture(mixture))


def test_the_mixture_runs_as_a_program() -> None:
    mixture = ToyMixture(**make_mixture())
    x = mixture.sample(50, np.random.default_rng(0))
    mixture.check_item((1, 1))
    stack = AnsStack(np.arange(1, 400, dtype="<u4").tobytes())
    before = stack.to_bytes()
    known: dict[str, np.ndarray] = {}

    def pop(name: str, site: Site) -> np.ndarray:
        known[name] = site.pop(stack)
        return known[name]

    sites: list[tuple[Site, np.ndarray]] = []

    def replay(name: str, site: Site) -> np.ndarray:
        sites.append((site, known[name]))
        return known[name]

    mixture.infer(x, pop)
    known["x"] = x
    np.testing.assert_array_equal(mixture.generate(50, (1, 1), replay), x)
    for site, symbols in reversed(sites):
        site.push(stack, symbols)
        assert (site.log2(symbols) <= 0).all()
        assert abs(site.bits(symbols) + site.log2(symbols) / 2**16).max() < 0.01
        assert site.take(np.array([1])).bits(symbols[1:2]) == site.bits(symbols)[1]
    np.testing.assert_array_equal(mixture.generate(50, (1, 1), pop), x)

    def push(name: str, site: Site) -> np.ndarray:
        site.push(stack, known[name])
        return known[name]

    mixture.infer(x, push)
    assert stack.to_bytes() == before


def test_the_forward_algorithm_is_a_sum_over_all_paths() -> None:
    hmm = ToyHmm(**make_hmm(3, 4))
    x = hmm.sample(2, 3, np.random.default_rng(1))
    t, e = hmm.transition / TOTAL, hmm.emission / TOTAL
    for roll, bits in zip(x[:, :, 0], hmm.bits(x), strict=True):
        p = sum(
            t[-1, a] * e[a, roll[0]] * t[a, b] * e[b, roll[1]] * t[b, c] * e[c, roll[2]]
            for a in range(3)
            for b in range(3)
            for c in range(3)
        )
        assert bits == pytest.approx(-np.log2(p))


def test_the_entropy_is_the_mean_rate_of_samples() -> None:
    hmm = ToyHmm(**make_hmm(4, 6))
    x = hmm.sample(20000, 5, np.random.default_rng(0))
    assert hmm.bits(x).mean() / 5 == pytest.approx(entropy_of_hmm(hmm, 5), rel=0.005)


def test_items_of_other_shapes_are_refused() -> None:
    with pytest.raises(InputError, match="one pixel"):
        ToyMixture(**make_mixture()).check_item((28, 28))
    with pytest.raises(InputError, match="one value"):
        ToyHmm(**make_hmm()).check_item((88,))
