"""Tables of the logistic function, counters, and the arithmetic coder of binary decisions."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rdzip.entropy.binary import (
    CODER,
    HALF,
    SQUASH_MAX,
    code_bit,
    count,
    finish_coder,
    rate_table,
    squash_table,
    start_coder,
    stretch_table,
)


def test_tables_are_the_logistic_function_and_its_inverse() -> None:
    s = np.arange(-SQUASH_MAX, SQUASH_MAX + 1)
    assert np.abs(squash_table() - 65536 / (1 + np.exp(-s / 256))).max() <= 1
    p = (np.arange(4096) + 0.5) / 4096
    assert np.abs(stretch_table() - 256 * np.log(p / (1 - p))).max() <= 0.5 + 1e-9
    assert (squash_table() + squash_table()[::-1] == 65536).all()
    assert (np.diff(squash_table()) >= 0).all()
    assert squash_table()[0] >= 1


def code(bits: list[int], p: list[int]) -> bytes:
    coder, data = np.zeros(CODER, np.int64), np.zeros(4 * len(bits) + 8, np.uint8)
    start_coder(coder, data, 0)
    for bit, q in zip(bits, p, strict=True):
        code_bit(coder, data, 0, bit, q)
    return data[: finish_coder(coder, data)].tobytes()


def cost(bits: list[int], p: list[int]) -> float:
    return sum(-math.log2((q if bit else 65536 - q) / 65536) for bit, q in zip(bits, p, strict=True))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 65535) | st.sampled_from([1, 65535])), max_size=200))
def test_decoding_gives_the_bits_back_at_their_cost(decisions: list[tuple[bool, int]]) -> None:
    bits, p = [int(bit) for bit, _ in decisions], [q for _, q in decisions]
    payload = code(bits, p)
    coder, data = np.zeros(CODER, np.int64), np.frombuffer(bytearray(payload), np.uint8)
    start_coder(coder, data, 1)
    assert [code_bit(coder, data, 1, 0, q) for q in p] == bits
    assert coder[3] + 1 == len(payload)
    # where the interval straddles a carry for long it may become narrow: that costs bits, seldom
    assert 8 * len(payload) <= 1.1 * cost(bits, p) + 32


def test_likely_bits_cost_what_they_tell() -> None:
    """Single decisions may happen to end in zeros, which are not written; many that follow their law cannot."""
    rng = np.random.default_rng(0)
    for high in (65535, 3000):
        p = rng.integers(1, high, 3000).tolist()
        bits = [int(rng.integers(65536) < q) for q in p]
        assert cost(bits, p) - 24 <= 8 * len(code(bits, p)) <= 1.01 * cost(bits, p) + 32


def test_a_counter_follows_the_share_of_ones_and_forgets() -> None:
    rates, counters = np.concatenate([[0, 0], rate_table()]).astype(np.int32), np.full(2, HALF, np.uint32)
    for _ in range(100):
        count(counters, 1, 1, rates, 2, 30)
    assert counters[1] & 1023 == 30
    assert (counters[1] >> 10) / (1 << 22) > 0.97
    for _ in range(100):
        count(counters, 1, 0, rates, 2, 30)
    assert 0 < (counters[1] >> 10) / (1 << 22) < 0.06
    assert counters[0] == HALF
