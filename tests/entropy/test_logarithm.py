"""Integer logarithms and weights: close to the real ones, exact in what they promise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import sites as slow_sites

from rdzip.entropy.ans import TOTAL
from rdzip.entropy.logarithm import LOG_UNIT, effective_size, log2_fixed, to_frequencies, weights


def test_logarithms_of_all_powers_and_many_values() -> None:
    powers = 1 << np.arange(25)
    np.testing.assert_array_equal(log2_fixed(powers), np.arange(25) * LOG_UNIT)
    values = np.unique(np.concatenate([np.arange(1, 9000), np.random.default_rng(0).integers(1, TOTAL, 20000)]))
    found = log2_fixed(values)
    error = np.log2(values) - found / LOG_UNIT
    assert error.min() >= 0
    assert error.max() < 4e-4
    assert (np.diff(found) >= 0).all()


@given(st.lists(st.integers(-60 * LOG_UNIT, 0), min_size=1, max_size=40))
def test_frequencies_are_in_proportion(logarithms: list[int]) -> None:
    rows = np.array([logarithms, logarithms[::-1]], np.int64)
    f = to_frequencies(rows)
    assert (f.sum(1) == TOTAL).all()
    assert f.min() >= 1
    p = np.exp2((rows - rows.max(1, keepdims=True)) / LOG_UNIT)
    p /= p.sum(1, keepdims=True)
    np.testing.assert_allclose(f / TOTAL, p, atol=3e-4)


def test_effective_size_is_that_of_the_weights() -> None:
    equal = np.zeros((1, 8), np.int64)
    assert effective_size(equal)[0] == 8 * 256
    one = np.array([[0, -30 * LOG_UNIT, -40 * LOG_UNIT]])
    assert effective_size(one)[0] == 256
    assert weights(one)[0, 2] == 0
    mixed = np.array([[0, -LOG_UNIT]])
    assert effective_size(mixed)[0] / 256 == pytest.approx(1.5**2 / 1.25, abs=0.01)


@pytest.mark.parametrize("particles", [1, 2, 2896, 2897, 4096])
def test_effective_sizes_of_many_particles_are_those_of_whole_numbers(particles: int) -> None:
    rng = np.random.default_rng(particles)
    rows = np.stack([np.zeros(particles), -rng.integers(0, 9 * LOG_UNIT, particles)]).astype(np.int64)
    for found, row in zip(effective_size(rows), weights(rows).tolist(), strict=True):
        w = [v >> 14 for v in row]
        assert found == 256 * sum(w) ** 2 // sum(v * v for v in w)
    assert effective_size(rows)[0] == 256 * particles


@pytest.mark.parametrize(
    "below", [range(1 << 16), range(0, 40 * LOG_UNIT, 997), range(33 * LOG_UNIT - 40, 34 * LOG_UNIT + 40)]
)
def test_weights_are_those_of_whole_numbers(below: range) -> None:
    """Every part of a bit, which meets each entry of the table, and the ends of the range."""
    rows = np.stack([np.zeros(len(below), np.int64), -np.array(below)], 1)
    assert weights(rows).tolist() == [slow_sites.weights(row) for row in rows.tolist()]


@settings(deadline=None)
@given(st.lists(st.integers(-36 * LOG_UNIT, 0), min_size=1, max_size=9))
def test_frequencies_and_sizes_are_those_of_whole_numbers(logarithms: list[int]) -> None:
    rows = np.array([logarithms], np.int64)
    assert np.cumsum(to_frequencies(rows)[0]).tolist() == slow_sites.frequencies(logarithms)[1:]
    assert effective_size(rows)[0] == slow_sites.effective_size(logarithms)


def test_logarithms_are_those_of_whole_numbers() -> None:
    values = np.unique(np.concatenate([np.arange(1, 1 << 14), np.random.default_rng(1).integers(1, TOTAL, 2000)]))
    assert log2_fixed(values).tolist() == [slow_sites.log2(v) for v in values.tolist()]
