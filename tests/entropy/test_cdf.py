"""Integer distribution functions of mixtures: proper, close to the real thing, and the same by both routes."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rdzip.entropy.ans import TOTAL, AnsStack
from rdzip.entropy.cdf import FLOOR, MixtureCdf, make_tables
from rdzip.models.shared import logistic_mixture, units

TABLES = make_tables(units.SCALES, units.SCALE_MIN, units.SCALES_PER_OCTAVE)


def parameters(seed: int, n: int, k: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    mean = rng.integers(units.MEAN_MIN, units.MEAN_MAX + 1, (n, k)).astype(np.int32)
    mean[::7] = rng.choice([units.MEAN_MIN, units.MEAN_MAX], mean[::7].shape)
    scale = rng.integers(0, units.SCALES, (n, k)).astype(np.int32)
    logit = rng.integers(-2000, 2001, (n, k)).astype(np.int32) >> rng.integers(0, 8, (n, 1))
    return mean.T, scale.T, logit.astype(np.int32).T


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 4))
def test_every_value_keeps_a_frequency_and_rows_sum_to_the_total(seed: int, k: int) -> None:
    cdf = MixtureCdf(TABLES, *parameters(seed, 40, k))
    c = cdf.at(np.broadcast_to(np.arange(257, dtype=np.int32)[:, None], (257, 40))).T
    assert (c[:, 0] == 0).all()
    assert (c[:, 256] == TOTAL).all()
    assert np.diff(c, axis=1).min() >= FLOOR
    high = cdf.high_frequencies()
    assert high.min() >= 1
    assert (high.sum(1) == TOTAL).all()
    for h in range(16):
        low = cdf.low_frequencies(np.full(40, h, np.int32))
        assert low.min() >= 1
        assert (low.sum(1) == TOTAL).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32))
def test_intervals_are_those_of_the_rows(seed: int) -> None:
    cdf = MixtureCdf(TABLES, *parameters(seed, 60))
    x = np.random.default_rng(seed).integers(0, 256, 60).astype(np.int32)
    i = cdf.intervals(x)
    stack = AnsStack()
    stack.push_intervals(i.low_start, i.low_size)
    stack.push_intervals(i.high_start, i.high_size)
    high = stack.pop(cdf.high_frequencies())
    low = stack.pop(cdf.low_frequencies(high))
    np.testing.assert_array_equal(high << 4 | low, x)


def test_two_symbols_cost_what_one_would() -> None:
    n = 20000
    mean, scale, logit = parameters(1, n)
    cdf = MixtureCdf(TABLES, mean, scale, logit)
    x = np.clip((mean[0] >> 6) + np.random.default_rng(1).integers(-9, 10, n), 0, 255).astype(np.int32)
    i = cdf.intervals(x)
    one = -np.log2(i.mass / TOTAL).sum()
    two = -np.log2(i.high_size / TOTAL).sum() - np.log2(i.low_size / TOTAL).sum()
    assert abs(two / one - 1) < 1e-3


def test_integer_tables_agree_with_the_real_mixture() -> None:
    n = 4000
    mean, scale, logit = parameters(2, n)
    logit = logit % 80
    x = np.clip((mean[0] >> 6) + np.random.default_rng(2).integers(-9, 10, n), 0, 255).astype(np.int32)
    exact = -np.log2(MixtureCdf(TABLES, mean, scale, logit).intervals(x).mass / TOTAL)
    real = logistic_mixture.bits(
        *(torch.from_numpy(p.T.astype(np.float64)) for p in (mean, scale, logit)), torch.from_numpy(x)
    )
    assert np.abs(exact - real.numpy()).mean() < 0.04
    assert abs(exact.mean() / real.numpy().mean() - 1) < 2e-3


@pytest.mark.parametrize("floor", [1, 5, FLOOR])
def test_values_keep_the_floor_of_their_tables(floor: int) -> None:
    """And all else is as docs/reference/format.md tells it, in plain integers."""
    tables = make_tables(units.SCALES, 0.25, 4, "normal", floor=floor)
    assert tables.floor == floor
    mean, scale, logit = parameters(5, 9)
    weight = tables.weights(logit)
    found = MixtureCdf(tables, mean, scale, logit).at(np.arange(257, dtype=np.int32)[:, None].repeat(9, 1))
    for n in range(9):
        for v in range(1, 256, 7):
            total = 0
            for k in range(3):
                i = (64 * v - 32 - int(mean[k, n])) * int(tables.inverse_scale[scale[k, n]]) >> 8
                total += int(weight[k, n]) * int(tables.sigmoid[min(max(i + 8192, 0), 16383)])
            assert found[v, n] == (total >> 4) + floor * v
    assert np.diff(found, axis=0).min() == floor
