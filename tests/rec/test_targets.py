"""Gaussian targets and the search: moments, what partial sums tell, weights of paths against their definition."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from rec.test_samplers import distribution

from rdzip.entropy.ans import TOTAL
from rdzip.rec import auxiliary, index_code, shared
from rdzip.rec.beam import Block, Search
from rdzip.rec.gaussian import Targets, fitted_bend, partial_divergence
from rdzip.rec.schedule import BENDS


def test_moments_and_divergence_are_those_of_normal_laws() -> None:
    target = Targets(distribution(150, 5), distribution(128, 16))
    mean, variance = target.moments()
    assert mean[0] == pytest.approx(22 / 16, abs=2e-3)
    assert math.sqrt(variance[0]) == pytest.approx(5 / 16, rel=0.02)  # and the grid's own width
    exact = math.log(16 / 5) + (25 + 22**2) / 512 - 0.5
    assert target.divergence()[0] == pytest.approx(exact, rel=0.01)
    g = np.array([[-1.0], [0.0], [1.375], [3.0]])
    z = np.round(128 + 16 * g)
    density = -0.5 * ((z - 150) / 5) ** 2 + 0.5 * ((z - 128) / 16) ** 2 + math.log(16 / 5)
    np.testing.assert_allclose(target.log_ratio(g)[1:], density[1:, 0], rtol=0.1)  # the table keeps more in tails


def test_few_symbols() -> None:
    q = np.array([[0], [TOTAL // 8], [TOTAL]])
    p = np.array([[0], [TOTAL // 2], [TOTAL]])
    target = Targets(q, p)
    np.testing.assert_allclose(target.log_ratio(np.array([[-1.0], [1.0]])), [math.log(1 / 4), math.log(7 / 4)])
    mean, variance = target.moments()
    assert mean[0] == pytest.approx(0.75 * math.sqrt(2 / math.pi), rel=1e-4)
    assert variance[0] == pytest.approx(1 - mean[0] ** 2, rel=1e-4)


def test_partial_sums_tell_what_their_laws_tell() -> None:
    mean, variance, share = np.array([1.2]), np.array([0.1]), 0.6
    m, v = share * 1.2, share**2 * 0.1 + share * (1 - share)
    expected = 0.5 * (v / share + m * m / share - 1 - math.log(v / share))
    assert partial_divergence(mean, variance, share) == pytest.approx(expected)
    assert partial_divergence(mean, variance, 1.0) == pytest.approx(0.5 * (0.1 + 1.44 - 1 - math.log(0.1)))


def test_the_bend_evens_out_what_steps_tell() -> None:
    mean, variance = np.zeros(100), np.full(100, 0.01)
    bend = fitted_bend(mean, variance, 50)
    assert BENDS[bend] > 4

    def unevenness(c: int) -> float:
        k = np.arange(51)
        return float(np.diff([partial_divergence(mean, variance, t) for t in k * (4 + c) / (200 + c * k)]).std())

    assert unevenness(BENDS[bend]) < 0.5 * unevenness(0)
    assert fitted_bend(np.full(100, 0.1), np.ones(100), 50) == 0  # all steps tell alike


def test_one_step_takes_the_best_candidate() -> None:
    """The only step of a block knows z: its choice is the largest exact weight, cost included."""
    rng = np.random.default_rng(0)
    mean, variance = rng.normal(0, 1, 30), np.full(30, 0.3)
    frequencies = index_code.frequencies(64, 8)
    found = Search(7, 5, frequencies).choices([Block(mean, variance, 1, 0, 2)])[0]
    z = np.stack([auxiliary.values(7, [2], [0], [np.array([j])])[0, :30] for j in range(64)]) / 65536
    weight = (z * z / 2 - (z - mean) ** 2 / 0.6).sum(1) + np.log(frequencies / TOTAL)
    assert found.tolist() == [int(weight.argmax())]


def test_blocks_are_searched_apart_in_any_company() -> None:
    rng = np.random.default_rng(1)
    blocks = [
        Block(rng.normal(0, 1, size), rng.uniform(0.05, 1, size), steps, bend, number)
        for number, (size, steps, bend) in enumerate([(50, 4, 3), (1024, 9, 0), (3, 1, 0), (200, 9, 7)])
    ]
    search = Search(1, 8, index_code.frequencies(20, 0))
    together = search.choices(blocks)
    for block, chosen in zip(blocks, together, strict=True):
        np.testing.assert_array_equal(search.choices([block])[0], chosen)
        assert len(chosen) == block.steps


def test_search_reaches_the_posterior() -> None:
    """Sums end near the means of narrow posteriors, by integers that only know the choices."""
    mean, variance = np.linspace(-1.5, 1.5, 12), np.full(12, 0.02)
    steps = math.ceil(partial_divergence(mean, variance, 1.0) / 3)
    bend = fitted_bend(mean, variance, steps)
    chosen = Search(0, 200, index_code.frequencies(36, 0)).choices([Block(mean, variance, steps, bend, 0)])[0]
    z = auxiliary.values(0, [0], [bend], [chosen])[0, :12] / 65536
    assert np.sqrt(((z - mean) ** 2).mean()) < 1.5 * math.sqrt(0.02)
    assert shared.BLOCK == 1024


def test_a_search_that_keeps_all_paths_finds_the_best() -> None:
    """Weights by their definition, for all paths: what they lead to, and what each of their choices costs."""
    rng = np.random.default_rng(0)
    frequencies = np.array([9, 3, 2, 1, 1], np.int32) << 20
    frequencies[0] += TOTAL - frequencies.sum()
    cost = -np.log(frequencies / TOTAL)
    paths = np.array(list(product(range(5), repeat=3)))
    search, matters = Search(5, len(paths), frequencies), 0
    for number in range(20):
        bend, mean, variance = number % 16, rng.normal(0, 1.2, 3), rng.uniform(0.05, 0.7, 3)
        b = np.stack([auxiliary.values(5, [number], [bend], [path])[0, :3] for path in paths]) / 65536
        ratio = ((mean * b - (1 - variance) * b * b / 2) / variance).sum(1)
        best = int(np.argmax(ratio - cost[paths].sum(1)))
        (chosen,) = search.choices([Block(mean, variance, 3, bend, number)])
        assert chosen.tolist() == paths[best].tolist()
        matters += best not in (np.argmax(ratio), np.argmax(ratio - cost[paths[:, -1]]))
    assert matters > 3
