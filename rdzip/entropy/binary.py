"""Binary decisions: integer logistic tables, adaptive counters, and an arithmetic coder.

A probability is an integer of 16 bits. ``stretch`` is the logistic function's inverse in 1/256 nat, ``squash`` the
function (Mahoney 2005, "Adaptive weighing of context models for lossless data compression", section 3.1). A counter is
a probability of 22 bits and, below it, the number of its observations in 10 bits.
"""

from __future__ import annotations

from decimal import Decimal, localcontext
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from rdzip.exact.compiled import compiled
from rdzip.exact.types import Int32

SQUASH_MAX = 3071
"""Largest argument of squash, 12 nats in 1/256."""
HALF = 1 << 31
"""A counter of probability 1/2 that has seen nothing."""


@lru_cache(maxsize=1)
def squash_table() -> Int32:
    """Probabilities 1..65535 of 2**16 at s / 256 nat, int32 [6143]: entry s + 3071, rounded to nearest."""
    half = []
    with localcontext() as context:
        context.prec = 30
        for s in range(SQUASH_MAX + 1):
            p = 65536 / (1 + (Decimal(-s) / 256).exp())
            half.append(min(65535, int(p + Decimal("0.5"))))
    return np.array([65536 - p for p in half[:0:-1]] + half, np.int32)


@lru_cache(maxsize=1)
def stretch_table() -> Int32:
    """Logarithms of odds in 1/256 nat of the probability (i + 1/2) / 4096, int32 [4096], rounded to nearest."""
    upper = []
    with localcontext() as context:
        context.prec = 30
        for i in range(2048, 4096):
            odds = Decimal(2 * i + 1) / Decimal(8191 - 2 * i)
            upper.append(int(odds.ln() * 256 + Decimal("0.5")))
    return np.array([-s for s in reversed(upper)] + upper, np.int32)


@lru_cache(maxsize=1)
def rate_table() -> Int32:
    """Share of 2**16 that observation n moves a counter by, int32 [1024]: 2**16 / (n + 1.6), rounded down."""
    return np.array([655360 // (10 * n + 16) for n in range(1024)], np.int32)


@compiled
def count(counters: NDArray[np.uint32], at: int, bit: int, rates: Int32, first: int, limit: int) -> None:
    """Take a bit into a counter; it counts observations no further than ``limit``.

    - counters, at: uint32, and the place of the counter
    - bit: what came
    - rates, first: what ``rate_table`` gives, from entry ``first`` on
    - limit: of observations
    """
    counter = np.int64(counters[np.uintp(at)])
    n = counter & 1023
    p = counter >> 10
    p += (((bit << 22) - bit - p) * np.int64(rates[np.uintp(first + n)])) >> 16
    counters[np.uintp(at)] = p << 10 | min(n + 1, limit)


CODER = 4
"""Numbers of a coder's state: low and high end of its interval, the code within it, bytes written or left behind."""


@compiled
def start_coder(coder: NDArray[np.int64], data: NDArray[np.uint8], decoding: int) -> None:
    """Set the state of a coder [CODER] for encoding to ``data`` or decoding from it."""
    coder[0] = 0
    coder[1] = 0xFFFFFFFF
    coder[2] = 0
    coder[3] = 0
    if decoding:
        for i in range(4):
            coder[2] = (coder[2] << 8) | (np.int64(data[i]) if i < len(data) else 0)


@compiled
def code_bit(coder: NDArray[np.int64], data: NDArray[np.uint8], decoding: int, bit: int, p: int) -> int:
    """Code a bit; returns it.

    - coder: state of the arithmetic coder
    - data: what it reads or writes
    - decoding: 1 to decode, 0 to encode
    - bit: the bit; of no meaning when decoding
    - p: probability that it is 1, of 2**16, 1 <= p < 2**16
    """
    low = coder[0]
    high = coder[1]
    middle = low + (((high - low) * p) >> 16)
    if decoding:
        bit = 1 if coder[2] <= middle else 0
    if bit:
        high = middle
    else:
        low = middle + 1
    while (low ^ high) & 0xFF000000 == 0:
        at = coder[3]
        if decoding:
            coder[2] = ((coder[2] << 8) & 0xFFFFFFFF) | (np.int64(data[at + 4]) if at + 4 < len(data) else 0)
        elif at < len(data):
            data[at] = high >> 24
        coder[3] = at + 1
        low = (low << 8) & 0xFFFFFFFF
        high = ((high << 8) & 0xFFFFFFFF) | 255
    coder[0] = low
    coder[1] = high
    return bit


def finish_coder(coder: NDArray[np.int64], data: NDArray[np.uint8]) -> int:
    """Write the last byte, after which a decoder reads zeros; returns how many bytes there are."""
    at = int(coder[3])
    data[at] = (int(coder[0]) >> 24) + 1  # low and high differ in this byte, so this and zeros lie between them
    return at + 1
