"""What both sides of relative entropy coding draw: rows, turns, orders, schedules, frequencies, values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import irec as slow_irec

from rdzip.entropy import normal
from rdzip.entropy.ans import TOTAL
from rdzip.entropy.philox import Philox
from rdzip.rec import auxiliary, index_code, schedule, shared
from rdzip.rec.shared import BLOCK


def test_rows_of_choices_are_those_of_all_candidates() -> None:
    steps, choices = np.array([0, 5, 5, 700]), np.array([3, 0, 6, 2])
    found = shared.rows(9, steps, choices)
    for row, step, choice in zip(found, steps, choices, strict=True):
        np.testing.assert_array_equal(row, shared.candidates(9, int(step), 7)[choice])
    assert len({row.tobytes() for row in found}) == 4
    np.testing.assert_array_equal(found[1], normal.from_words(Philox(9, 5).words(0, BLOCK)))


def test_orders_are_permutations_of_their_own() -> None:
    first, second = shared.order(1, 3000), shared.order(2, 3000)
    for found in (first, second):
        np.testing.assert_array_equal(np.sort(found), np.arange(3000))
    assert (first != second).mean() > 0.99


def test_paths_turn_rows_evenly() -> None:
    paths = shared.start(np.arange(64))
    for _ in range(3):
        paths = shared.extend(np.repeat(paths, 16), np.tile(np.arange(16), len(paths)))[:4096]
    turns = shared.turn(paths)
    assert turns.min() >= 0
    assert turns.max() < BLOCK
    counts = np.bincount(turns, minlength=BLOCK)
    assert counts.max() < 20
    assert (counts > 0).mean() > 0.9


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 300), st.integers(0, len(schedule.BENDS) - 1))
def test_shares_of_the_variance_sum_to_one(steps: int, bend: int) -> None:
    w = schedule.weights(steps, bend)
    assert len(w) == steps
    assert (w > 0).all()
    share = (w / 2.0**schedule.WEIGHT_BITS) ** 2
    assert share.sum() == pytest.approx(1, abs=1e-3)
    assert (np.diff(share) <= 1e-5).all()
    c = schedule.BENDS[bend] / 4
    assert share[0] == pytest.approx((1 + c) / (steps + c), rel=1e-3)


@pytest.mark.parametrize("exponent", [0, 1, 8, 32])
@pytest.mark.parametrize("count", [2, 20, 1024])
def test_frequencies_follow_a_power_law(count: int, exponent: int) -> None:
    f = index_code.frequencies(count, exponent)
    assert f.sum() == TOTAL
    law = np.arange(1, count + 1) ** (-exponent / 16)
    np.testing.assert_allclose(f / TOTAL, law / law.sum(), rtol=3e-3, atol=1e-4)  # the first takes the rest


def test_the_exponent_fits_what_was_chosen() -> None:
    rng = np.random.default_rng(0)
    for exponent in (0, 6, 20):
        law = np.arange(1, 37) ** (-exponent / 16)
        assert abs(index_code.fitted(rng.choice(36, 20000, p=law / law.sum()), 36) - exponent) <= 1
    assert index_code.fitted(np.zeros(0, np.int64), 36) == 0


@pytest.mark.parametrize(
    ("omega", "epsilon", "count"), [(300, 20, 36), (300, 0, 20), (20, 0, 2), (690, 0, 992), (690, 1000, 1024)]
)
def test_candidates(omega: int, epsilon: int, count: int) -> None:
    assert index_code.candidates(omega, epsilon) == count
    exact = math.floor(math.exp(omega / 100 * (1 + epsilon / 100)))
    assert count in (exact, max(2, exact), 1024)


def test_values_are_normal_whatever_was_chosen() -> None:
    rng = np.random.default_rng(0)
    for steps, bend in ((1, 0), (7, 4), (60, 15)):
        v = auxiliary.values(3, range(20), [bend] * 20, list(rng.integers(0, 36, (20, steps)))) / 65536
        assert abs(v.mean()) < 0.03
        assert v.std() == pytest.approx(1, abs=0.02)
    np.testing.assert_array_equal(auxiliary.values(3, [1], [0], [np.zeros(0, np.int64)]), 0)


def test_values_of_blocks_are_those_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many rows are drawn together; blocks have more and fewer steps, and the slow decoder says the same."""
    rng = np.random.default_rng(0)
    choices = [rng.integers(0, 1024, steps) for steps in (3, 0, 40, 41, 1)]
    bends = [2, 0, 15, 0, 0]
    whole = auxiliary.values(9, range(5), bends, choices)
    monkeypatch.setattr(auxiliary, "_AT_ONCE", 7)
    np.testing.assert_array_equal(auxiliary.values(9, range(5), bends, choices), whole)
    for number, (bend, chosen) in enumerate(zip(bends, choices, strict=True)):
        slow = slow_irec.values(9, number, schedule.BENDS[bend], chosen.tolist(), 30)
        assert whole[number, :30].tolist() == slow
