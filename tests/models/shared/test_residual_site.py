"""Residuals on the stack: exact inverses, escapes, tables that are refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rdzip.entropy.ans import TOTAL, AnsStack
from rdzip.errors import CoderError, ModelError
from rdzip.models.shared.residual_site import SCALES, ResidualSite, ResidualTables, make_tables, scale

TABLES = make_tables()


def site(index: np.ndarray) -> ResidualSite:
    return ResidualSite(TABLES, index.astype(np.int32), np.zeros(len(index), np.int32))


@given(st.integers(0, 2**31), st.integers(0, 300), st.sampled_from([0.5, 3.0, 1e3]))
@settings(max_examples=40, deadline=None)
def test_pop_undoes_push_and_leaves_what_was_there(seed: int, n: int, spread: float) -> None:
    rng = np.random.default_rng(seed)
    where = site(rng.integers(0, SCALES, n))
    symbols = np.round(rng.standard_normal(n) * spread * scale(where.scale)).clip(-(2**20) + 1, 2**20 - 1)
    symbols = symbols.astype(np.int32)
    stack = AnsStack(rng.integers(1, 2**32, 4, dtype=np.uint32).astype("<u4").tobytes())
    before = stack.to_bytes()
    where.push(stack, symbols)
    assert (where.pop(stack) == symbols).all()
    assert stack.to_bytes() == before


@pytest.mark.parametrize("spread", [0.3, 20.0])
def test_real_bits_are_the_estimate(spread: float) -> None:
    rng = np.random.default_rng(1)
    index = rng.integers(0, SCALES, 20_000)
    symbols = np.round(rng.logistic(size=len(index)) * scale(index) * spread).clip(-50_000, 50_000).astype(np.int32)
    stack = AnsStack()
    site(index).push(stack, symbols)
    assert stack.bits() == pytest.approx(site(index).bits(symbols), rel=1e-4, abs=64)


def test_the_estimate_is_the_entropy_where_the_model_is_right() -> None:
    rng = np.random.default_rng(2)
    index = np.full(200_000, 40)
    s = float(scale(np.array(40)))
    bits = site(index).bits(np.round(rng.logistic(size=len(index)) * s).astype(np.int32)) / len(index)
    assert bits == pytest.approx((np.log(s) + 2) / np.log(2), abs=0.01)  # entropy of a logistic law, in bits


def test_values_far_outside_are_escapes() -> None:
    where = site(np.zeros(5))
    symbols = np.array([0, 1 - 2**20, 2**20 - 1, 2, -3], np.int32)
    stack = AnsStack()
    where.push(stack, symbols)
    assert (where.pop(stack) == symbols).all()
    with pytest.raises(ValueError, match=r"less than 2\*\*20"):
        where.push(stack, np.full(5, 2**20, np.int32))


def test_noise_pops_as_something_or_is_damage() -> None:
    rng = np.random.default_rng(3)
    for _ in range(50):
        stack = AnsStack(rng.integers(1, 2**32, 3, dtype=np.uint32).astype("<u4").tobytes())
        try:
            found = site(rng.integers(0, SCALES, 400)).pop(stack)
            assert int(np.abs(found).max()) < 2**21
        except CoderError:
            pass


def test_tables_are_sound_and_others_are_refused() -> None:
    assert all(int(row.sum(dtype=np.int64)) == TOTAL and row.min() >= 1 for row in TABLES.rows)
    assert all((row[:-1] == row[:-1][::-1]).all() for row in TABLES.rows)
    tensors = TABLES.tensors()
    assert all((a == b).all() for a, b in zip(ResidualTables.of(tensors).rows, TABLES.rows, strict=True))
    with pytest.raises(ModelError, match=r"residual\.lengths"):
        ResidualTables.of({})
    for name, value in tensors.items():
        broken = value.copy()
        broken[3] += 1
        with pytest.raises(ModelError, match="residual"):
            ResidualTables.of(tensors | {name: broken})
