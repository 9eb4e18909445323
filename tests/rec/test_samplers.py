"""Relative entropy coders by statistics: samples against q, bias against steps and beams, code length against KL."""

from __future__ import annotations

import math

import numpy as np
import pytest
from rec_samplers import Auxiliary, Coder, Importance, Ordered, Pair, Poisson, Rejection

from rdzip.entropy.ans import TOTAL
from rdzip.rec import index_code

DRAWS = 600
KS_999 = 1.95 / math.sqrt(DRAWS)
"""Distance that one in a thousand samples of this size from the right law exceeds."""


def distribution(mean: float, deviation: float, symbols: int = 256) -> np.ndarray:
    """Integer distribution function of a normal law on a grid."""
    edges = np.arange(1, symbols) - 0.5
    below = np.array([math.erfc(-(e - mean) / deviation / 2**0.5) / 2 for e in edges])
    inner = np.round(below * (TOTAL - symbols)).astype(np.int64) + np.arange(1, symbols)
    return np.concatenate([[0], inner, [TOTAL]])[:, None]


def pair(number: int, shift: float = 25, deviation: float = 8, variables: int = 1) -> Pair:
    """p normal of 16 grid steps around 128; q narrower, its mean moved."""
    p, q = distribution(128, 16), distribution(128 + shift, deviation)
    return Pair(np.repeat(p, variables, 1), np.repeat(q, variables, 1), 5, number)


def sampled(coder: Coder, variables: int = 1, **options: float) -> tuple[np.ndarray, list[np.ndarray]]:
    """Decoded samples [n, m] of pairs of their own, and their indices."""
    rng = np.random.default_rng(1)
    indices, samples = [], []
    for number in range(DRAWS // variables):
        one = pair(number, variables=variables, **options)
        index = coder.encode(one, rng)
        samples.append(coder.decode(one, index))
        indices.append(np.asarray(index))
    return np.stack(samples), indices


def distance(samples: np.ndarray, one: Pair) -> float:
    """Kolmogorov and Smirnov's distance of samples of one variable from q."""
    found = (samples.reshape(-1, 1) < np.arange(1, 256)).mean(0)
    return float(np.abs(found - one.q[1:-1, 0] / TOTAL).max())


@pytest.mark.parametrize("coder", [Poisson(), Rejection()])
def test_exact_coders_sample_q(coder: Coder) -> None:
    samples, indices = sampled(coder)
    one = pair(0)
    assert distance(samples, one) < KS_999
    assert samples.mean() == pytest.approx(153, abs=4 * 8 / math.sqrt(DRAWS))
    assert samples.std() == pytest.approx(8, rel=0.12)
    # E log2 index of the Poisson representation is at most KL + 1 bit (Li & El Gamal 2018, theorem 1: log e / e + 1)
    bits = float(one.targets.divergence().sum()) / math.log(2)
    assert np.mean(np.log2(np.array(indices) + 1)) < bits + 1.54
    assert np.mean(np.log2(np.array(indices) + 1)) > 0.4 * bits


@pytest.mark.parametrize("kind", [Importance, Ordered])
def test_importance_sampling_comes_nearer_with_candidates(kind: type[Importance]) -> None:
    one = pair(0)
    far, near = (distance(sampled(kind(count))[0], one) for count in (2, 256))
    assert far > 0.3
    assert near < KS_999 < far


def test_ordered_indices_cost_less() -> None:
    cost = []
    for kind in (Importance, Ordered):
        found = np.array(sampled(kind(256))[1])
        exponent = index_code.fitted(found, 256)
        cost.append(-np.log2(index_code.frequencies(256, exponent)[found] / TOTAL).mean())
    assert cost[0] > 7.9  # nothing to fit
    assert cost[1] < 6.5


def test_steps_by_weights_sample_q_and_more_candidates_remove_the_bias() -> None:
    """Auxiliary variables with one beam and choices by weights: importance sampling step by step."""
    one = pair(0)
    few = sampled(Auxiliary(1.0, 0.0, 1, sample=True))[0]
    many = sampled(Auxiliary(1.0, 4.0, 1, sample=True))[0]
    assert distance(many, one) < KS_999
    assert distance(few, one) > 2 * distance(many, one)
    assert many.std() == pytest.approx(8, rel=0.12)


def test_more_beams_find_larger_ratios() -> None:
    """Of 40 variables together; the exact ratio of what was decoded, against what choices cost."""
    found = []
    for beams in (1, 10, 100):
        coder = Auxiliary(3.0, 0.2, beams)
        rng = np.random.default_rng(0)
        pairs = [pair(number, 8, 11, variables=40) for number in range(6)]
        indices = [coder.encode(one, rng) for one in pairs]
        ratios = [one.log_ratio(coder.decode(one, i)[None])[0] for one, i in zip(pairs, indices, strict=True)]
        found.append(np.mean(ratios))
        nats = float(pairs[0].targets.divergence().sum())
        assert len(indices[0]) - 1 == math.ceil(nats / 3)
    assert found[0] < found[1] < found[2]
    assert found[2] > nats  # as large a ratio as a sample of q has, on average


def test_rejection_needs_one_variable_and_far_posteriors_are_an_error() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="one variable"):
        Rejection().encode(pair(0, variables=2), rng)
    with pytest.raises(ValueError, match="too far"):
        Poisson().encode(pair(0, 100, 0.5, variables=3), rng)
