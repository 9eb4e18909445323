"""The supply of initial bits: counted, trimmed, and restored by whoever undoes the pops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdzip.entropy.ans import TOTAL, AnsStack
from rdzip.entropy.initial_bits import InitialBitsError, InitialBitsStack, check_initial_bits, initial_data
from rdzip.errors import CoderError

FLAT = np.full((1, 16), TOTAL // 16)


@given(st.integers(0, 200), st.integers(0, 300))
def test_pops_are_counted_and_restored(popped: int, pushed: int) -> None:
    stack = InitialBitsStack()
    symbols = stack.pop(FLAT.repeat(popped, 0))
    uniform = stack.pop_uniform(np.full(popped, 1000))
    stack.push_uniform(np.arange(pushed) % 7, np.full(pushed, 7))
    initial, data = stack.initial_words, stack.to_bytes()
    assert 4 * popped + 9.9 * popped <= 32 * initial + 64
    assert 32 * initial <= 14 * popped + 96
    assert stack.net_bits() == pytest.approx(pushed * np.log2(7) - popped * (4 + np.log2(1000)), abs=3)
    assert stack.total_bits() == pytest.approx(stack.net_bits() + 32 * initial, abs=32)
    assert 8 * len(data) - 32 <= stack.total_bits() <= 8 * len(data)
    again = AnsStack(data)
    np.testing.assert_array_equal(again.pop_uniform(np.full(pushed, 7)), np.arange(pushed) % 7)
    if pushed:
        with pytest.raises(CoderError, match="corrupt"):
            check_initial_bits(AnsStack(data))
    again.push_uniform(uniform, np.full(popped, 1000))
    again.push(symbols, FLAT.repeat(popped, 0))
    check_initial_bits(again)


def test_data_as_supply_come_back() -> None:
    data = np.random.default_rng(0).bytes(400)
    stack = InitialBitsStack(data)
    symbols = stack.pop(FLAT.repeat(500, 0))
    again = AnsStack(stack.to_bytes())
    again.push(symbols, FLAT.repeat(500, 0))
    assert initial_data(again) == data
    with pytest.raises(InitialBitsError):
        InitialBitsStack(data).pop(FLAT.repeat(900, 0))
    with pytest.raises(CoderError, match="corrupt"):
        initial_data(AnsStack(data[:-1] + b"\1"))


def test_uniform_of_one_value_is_free() -> None:
    stack = AnsStack()
    stack.push_uniform(np.zeros(3, np.int32), np.array([1, 1, 1]))
    assert stack.is_empty()
    np.testing.assert_array_equal(stack.pop_uniform(np.ones(2, np.int32)), [0, 0])
    with pytest.raises(CoderError, match="end before"):
        stack.pop_uniform(np.array([1, 5]))
    for size in (0, 1 << 17):
        with pytest.raises(ValueError, match="sizes"):
            stack.push_uniform(np.zeros(1, np.int32), np.array([size]))
