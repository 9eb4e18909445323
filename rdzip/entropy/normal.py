"""Standard normal values from random words and back, in integers: a stored table of quantiles, interpolated linearly.

No floating point is involved, so encoder and decoder get the same values on every machine. docs/reference/random.md
specifies table and arithmetic, with test vectors; tools/make_normal_table.py computed the table.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdzip.errors import InputError, RdzipError

SCALE_BITS = 16
"""A returned integer n stands for the value n / 2**SCALE_BITS."""

STEP_BITS = 8
"""Each halving of the tail probability is cut into 2**STEP_BITS = 256 equal steps of probability."""

TABLE_BITS = 24
"""A table entry n stands for the value n / 2**TABLE_BITS."""

TABLE_SHA256 = "5658672c467c6200b44253449d9e15241c271c8421e9a9615aca69a1a4f58f6a"

_FRACTION_BITS = 31 - STEP_BITS
_CHUNK = 1 << 16


@lru_cache(maxsize=1)
def table() -> NDArray[np.int32]:
    """The stored table of quantiles: entry 256 * k + j has the upper-tail probability 2**(k - 33) * (1 + j / 256).

    [8193] int32, falling from 6.338 (tail probability 2**-33) to 0 (one half), in units of
    2**-TABLE_BITS. Raises RdzipError when the stored file is damaged.
    """
    path = Path(__file__).with_name("normal_table.bin")
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != TABLE_SHA256:
        raise RdzipError(f"the table {path} is damaged: reinstall rdzip")
    return np.frombuffer(data, "<i4").astype(np.int32)


def from_words(words: NDArray[np.uint32]) -> NDArray[np.int32]:
    """Standard normal value for each uniform 32-bit word, in units of 2**-SCALE_BITS.

    The inverse CDF at (word + 1/2) / 2**32, within 0.56 units of the exact value; never falling in the word, and
    odd: from_words(~words) == -from_words(words). Largest value 6.338 standard deviations. words: uint32 of any
    shape; returns int32 of that shape. Raises InputError for another dtype.
    """
    array: NDArray[Any] = np.asarray(words)
    if array.dtype != np.uint32:
        raise InputError(f"normal values are made from uint32 words, {array.dtype} was given")
    flat = array.reshape(-1)
    out = np.empty(flat.shape, np.int32)
    for start in range(0, flat.size, _CHUNK):
        out[start : start + _CHUNK] = _from_words(flat[start : start + _CHUNK])
    return out.reshape(array.shape)


def to_uniform(values: NDArray[np.integer]) -> NDArray[np.int64]:
    """The normal distribution function of values in units of 2**-SCALE_BITS, in 0..2**24 - 1, rounded down.

    The inverse of from_words, but for rounding: the same table, read the other way. values: integers of any shape,
    those beyond the table's ends counting as its ends; returns int64 of that shape.
    """
    given = np.asarray(values, np.int64)
    nodes = table().astype(np.int64)
    distance = np.minimum(np.abs(given) << (TABLE_BITS - SCALE_BITS), int(nodes[0]))
    # entries fall: the last one that is not below the distance
    index = np.minimum(len(nodes) - 1 - np.searchsorted(nodes[::-1], distance, side="left"), len(nodes) - 2)
    near, far = nodes[index], nodes[index + 1]
    fraction = ((near - distance) << _FRACTION_BITS) // (near - far)
    octave, step = index >> STEP_BITS, index & (1 << STEP_BITS) - 1
    # 2**33 times the tail's probability, then in 2**-24
    tail = (((1 << STEP_BITS) + step << _FRACTION_BITS) + fraction) >> (31 - octave)
    below = tail >> 9
    uniform: NDArray[np.int64] = np.where(given < 0, below, np.minimum((1 << 24) - 1, (1 << 24) - below))
    return uniform


def _from_words(words: NDArray[np.uint32]) -> NDArray[np.int64]:
    word = words.astype(np.int64)
    upper = word >> 31 == 1
    # Twice the distance from the nearer end of the range, plus one: odd, 1 to 2**32 - 1; tail probability * 2**33.
    tail = 2 * np.where(upper, (1 << 32) - 1 - word, word) + 1
    # A 32-bit integer is exact in float64, and frexp only reads its exponent.
    octave = np.frexp(tail.astype(np.float64))[1].astype(np.int64) - 1
    within = (tail << (31 - octave)) - (1 << 31)
    index = (octave << STEP_BITS) + (within >> _FRACTION_BITS)
    fraction = within & ((1 << _FRACTION_BITS) - 1)
    nodes = table()
    near, far = nodes[index].astype(np.int64), nodes[index + 1].astype(np.int64)
    value = (near << _FRACTION_BITS) - (near - far) * fraction
    shift = _FRACTION_BITS + TABLE_BITS - SCALE_BITS
    magnitude = (value + (1 << (shift - 1))) >> shift
    signed: NDArray[np.int64] = np.where(upper, magnitude, -magnitude)
    return signed
