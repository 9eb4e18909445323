"""Buckets of hashed contexts are those of docs/reference/format.md, for hashes that differ in any single bit, too."""

from __future__ import annotations

import numpy as np
import pytest
from reference import fast_mixing, slow_mixing
from reference.binary_coder import hashed

from rdzip.models.context_mixing import fast_mixer, slow_mixer

BITS = 12
WORD = (1 << 32) - 1
RNG = np.random.default_rng(4)


def before(h: int, value: int) -> int:
    """What `hashed` makes h of, with this value."""
    h ^= h >> 15 ^ h >> 30
    return (h - 0x1B873593) * pow(0x2F0B4C47, -1, 1 << 32) % (1 << 32) ^ value


def cases(count: int) -> list[int]:
    """Hashes that differ from one another in one bit, and come again."""
    found = []
    for h in RNG.integers(0, 1 << 32, count).tolist():
        found += [h, 0, *(v for bit in range(32) for v in (h ^ 1 << bit, h))]
    return found


@pytest.mark.parametrize("node", [0, 16, 255])
def test_fast_presets(node: int) -> None:
    slow = fast_mixing.Fast(1, 1)
    assert slow.buckets == 1 << BITS
    slots, scratch = np.zeros(16 << BITS, np.uint32), np.zeros(64, np.int64)
    for number, h in enumerate(cases(9), 1):
        hashes = [before(h, node), before(h ^ 5, node)]
        assert hashed(hashes[0], node) == h
        buckets = slow.look(hashes, node)
        fast_mixer._find(slots, np.array(hashes, np.int64), node, scratch)
        assert scratch[fast_mixer.BASE :][:2].tolist() == [16 * bucket for bucket in buckets]
        counters = slots.reshape(-1, 16)
        for bucket in buckets:
            assert (counters[bucket, 1:] == 1 << 31).all() == (slow.counters[bucket][1].n == 0)
            counters[bucket, 1:] = slow.counters[bucket][1].n = number


def test_slow_presets() -> None:
    slow = slow_mixing.Mixing(1, [])
    assert slow.buckets == 1 << BITS
    slots, checks = np.full(16 << BITS, 1 << 31, np.uint32), np.zeros(1 << BITS, np.uint16)
    base, check, touched = np.zeros((3, slow_mixer.CONTEXTS), np.int64)
    for number, h in enumerate(cases(9), 1):
        hashes = [before(v, 3) for v in (h, h ^ 5, *RNG.integers(0, 1 << 32, slow_mixer.CONTEXTS - 2).tolist())]
        slow_mixer._find_buckets(slots, checks, np.array(hashes, np.int64), 3, base, check, touched)
        buckets = []
        for v in hashes:
            bucket, seen = hashed(v, 3) % slow.buckets, hashed(hashed(v, 3), 77) >> 16
            if slow.checks[bucket] != seen:
                slow.checks[bucket] = seen
                slow.counters.pop(bucket, None)
            buckets.append(bucket)
        assert base.tolist() == [16 * bucket for bucket in buckets]
        counters = slots.reshape(-1, 16)
        for bucket in buckets:
            assert (counters[bucket] == 1 << 31).all() == (slow.counters[bucket][1].n == 0)
        for bucket in buckets:
            counters[bucket] = slow.counters[bucket][1].n = number
