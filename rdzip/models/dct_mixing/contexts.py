"""Contexts of decisions about coefficients: lists of features, hashed to places of counters.

A coefficient is coded relative to a reference, 0 but for DC, as: is it other than 0? is its |value| at least 2, 4, ...?
the bits below its highest one; its sign. In each context a coefficient has a bucket of 16 counters, a node each. The
end of a block, the place of its last AC coefficient that is not 0 in zigzag order, is coded in 6 bits before them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from rdzip.entropy.binary import HALF
from rdzip.exact.compiled import inlined
from rdzip.exact.types import Int64, UInt32
from rdzip.models.dct_mixing.features import F

AC = (
    "K SIZE4, K SIZE2 RATIO, K TO_END SIZE2, K W N, K DOWN RIGHT DIAGONAL, K SUM COUNT, K NEAR4, SIZE_FINE, "
    "K LEFT TOP, K END COUNT, K A B, K MEAN SIZE1, K ROW COLUMN, K END4 END_W END_N, K NEAR2 BLOCK3, K NE NW, "
    "SIZE4 RATIO TO_END, K W3 N3 DOWN RIGHT, SIZE4 APART, K SIZE1 SUM_W SUM_N, K SIZE1 LEFT A, K TOP SIZE2, "
    "DISTANCE SIZE4, K DISTANCE SIZE2, K SIZE2 LOCAL_RATIO, SIZE2 RATIO LOCAL_RATIO, K DOWN W N RIGHT, K END A SIZE1"
)
DC = (
    "SIZE4, SIZE2 FRACTION, ERROR_W ERROR_N, APART SIZE2, SLOPES SIZE2, END SIZE2, SUM ERRORS, NONE, DISTANCE SIZE4, "
    "FRACTION DISTANCE"
)
AC_SIGN = (
    "K SIGN_RATIO MAGNITUDE, SIGN_MEAN MAGNITUDE, K SIGN_LEFT MAGNITUDE, K SIGN_TOP MAGNITUDE, "
    "SIGN_LEFT SIGN_TOP MAGNITUDE, K SIGNS_NEAR, K SIGNS_BLOCK, K SIGN_A MAGNITUDE, K SIGN_B MAGNITUDE, "
    "SIGN_A SIGN_B MAGNITUDE, K SIGN_MEAN SIZE2, SIGN_MEAN VALUE, K SIGN_LOCAL MAGNITUDE, "
    "SIGN_LOCAL SIGN_RATIO MAGNITUDE"
)
DC_SIGN = "FRACTION, FRACTION EXPONENT, SIGN_LEFT SIGN_TOP"
"""Contexts of |AC|, of |DC| relative to its reference, and of their signs: lists of features. Presets have the first
ones; those with DISTANCE change from decision to decision and are hashed anew."""
LENGTH = 5
"""Features of a context at most."""
AC_CONTEXTS, SIGN_CONTEXTS = 28, 14
DISTANCE_AC, DISTANCE_DC = (22, 23), (8, 9)
SIGN_BITS = 16
"""log2 of the counters of each context of a sign."""


@lru_cache(maxsize=1)
def context_table() -> Int64:
    """Features of the contexts of AC, DC, and their signs, int64 [4 * AC_CONTEXTS * LENGTH]; F.NONE, 0, for none."""
    table = np.zeros((4, AC_CONTEXTS, LENGTH), np.int64)
    for kind, text in enumerate((AC, DC, AC_SIGN, DC_SIGN)):
        for i, context in enumerate(text.split(", ")):
            for j, name in enumerate(context.split()):
                table[kind, i, j] = F[name]
    return table.reshape(-1)


class Counters(NamedTuple):
    """Counters in contexts, flat: sizes uint32 [contexts, 2**bits, 16]; signs [SIGN_CONTEXTS, 2**SIGN_BITS].

    bits: log2 of the buckets of a context; table: int64, of `context_table`; buckets: int64 [AC_CONTEXTS], where those
    of the coefficient are.
    """

    bits: int
    sizes: UInt32
    signs: UInt32
    table: Int64
    buckets: Int64

    @classmethod
    def of(cls, contexts: int, bits: int) -> Counters:
        """Those that have seen nothing, with 2**bits buckets for each of so many contexts."""
        return cls(
            bits,
            np.full(contexts << (bits + 4), HALF, np.uint32),
            np.full(SIGN_CONTEXTS << SIGN_BITS, HALF, np.uint32),
            context_table(),
            np.zeros(AC_CONTEXTS, np.int64),
        )


@inlined
def _place(table: Int64, f: Int64, kind: int, i: int, bits: int) -> int:
    """Place among 2**bits of the features of context i of a kind: a multiplicative hash."""
    at = np.uintp((kind * AC_CONTEXTS + i) * LENGTH)
    h = kind * 0x1B873593
    h += f[table[at]] * 0x2F0B4C47
    h += f[table[at + np.uintp(1)]] * 0x16A3B1C5
    h += f[table[at + np.uintp(2)]] * 0x3C6EF372
    h += f[table[at + np.uintp(3)]] * 0x1F83D9AB
    h += f[table[at + np.uintp(4)]] * 0x2545F491
    h &= 0xFFFFFFFF
    h = ((h ^ (h >> 15)) * 0x2C1B3C6D) & 0xFFFFFFFF
    place: int = h >> (32 - bits)
    return place


@inlined
def find_buckets(counters: Counters, f: Int64, kind: int, first: int, stop: int) -> None:
    """Find the buckets of a coefficient in the contexts first..stop-1.

    - counters, f: counters and features
    - kind: 0 for AC, 1 for DC
    - first, stop: which contexts
    """
    for i in range(first, stop):
        counters.buckets[i] = ((i << counters.bits) + _place(counters.table, f, kind, i, counters.bits)) << 4


@inlined
def find_sign(counters: Counters, f: Int64, kind: int, count: int, places: Int64) -> None:
    """Fill the places of a sign's counters.

    - counters, f: counters and features
    - kind: 2 for AC, 3 for DC
    - count: of contexts
    - places: filled
    """
    for i in range(count):
        places[i] = (i << SIGN_BITS) + _place(counters.table, f, kind, i, SIGN_BITS)
