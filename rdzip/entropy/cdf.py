"""Frequencies of a mixture over 256 values, logistic or normal, computed with integers only.

A sample is coded as two symbols of 16 values, its high and its low nibble, so that a decoder evaluates 32 points of the
distribution function instead of 256. All numbers here are integers; docs/reference/format.md specifies each step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from rdzip.entropy.ans import PRECISION, TOTAL
from rdzip.exact.types import Int32

MEAN_BITS = 6
WEIGHT_BITS = 12
SIGMOID_BITS = 16
SIGMOID_SIZE = 1 << 14
FLOOR = 16
"""Frequency of 2**24 that every value keeps, at most. Latents may keep 1: far values that are popped spoil a rate."""
SIGMOID_MAX = (1 << SIGMOID_BITS) - FLOOR
INVERSE_BITS = 8
LOGIT_SIZE = 192
_SIXTEENTHS = np.arange(16, 256, 16, dtype=np.int32)[:, None]
_LOW = np.arange(17, dtype=np.int32)[:, None]


@dataclass(frozen=True)
class MixtureTables:
    """Tables of a model file.

    sigmoid int32 [2**14]: 0..2**16 - floor over z in [-12, 12); inverse_scale int32 [scales]: steps of the sigmoid
    table per 1/64 of a sample value, in 1/256; exponential int32 [192]: 2**16 exp(-i / 16).
    """

    sigmoid: Int32
    inverse_scale: Int32
    exponential: Int32

    @property
    def floor(self) -> int:
        """Frequency of 2**24 that every value keeps: what the sigmoid table leaves of 2**16, 1..FLOOR."""
        return min(FLOOR, (1 << SIGMOID_BITS) - int(self.sigmoid[-1]))

    def weights(self, logits: Int32) -> Int32:
        """Mixture weights [k, n] that sum to 2**12, from logits [k, n] in 1/16 nat; the first takes the remainder."""
        e = self.exponential.take(logits.max(0) - logits, mode="clip")
        quotient = e * float(1 << WEIGHT_BITS)
        quotient /= e.sum(0)  # both below 2**28: the floor of the correctly rounded quotient is that of the true one
        w: Int32 = np.floor(quotient, out=quotient).astype(np.int32)
        w[0] += (1 << WEIGHT_BITS) - w.sum(0, dtype=np.int32)
        return w


class Intervals(NamedTuple):
    """Where samples lie, int32 [n], of 2**24: intervals of their high and low symbols, and their probability mass."""

    high_start: Int32
    high_size: Int32
    low_start: Int32
    low_size: Int32
    mass: Int32


class MixtureCdf:
    """Distribution functions of n samples, from int32 arrays [k, n]: mean in 1/64 within -16..272 sample values, scale
    index, logit in 1/16 nat. Samples are the last axis throughout, which keeps inner loops long."""

    def __init__(self, tables: MixtureTables, mean: Int32, scale: Int32, logit: Int32) -> None:
        self._set(tables, mean, tables.inverse_scale.take(scale), tables.weights(logit))

    @classmethod
    def of_weights(cls, tables: MixtureTables, mean: Int32, inverse_scale: Int32, weight: Int32) -> MixtureCdf:
        """The same of what the tables give for scales and logits: inverse scales, and weights of 2**12."""
        made = cls.__new__(cls)
        made._set(tables, mean, inverse_scale, weight)
        return made

    def _set(self, tables: MixtureTables, mean: Int32, inverse_scale: Int32, weight: Int32) -> None:
        self._sigmoid, self._floor = tables.sigmoid, tables.floor
        self._inverse, self._weight = inverse_scale, weight
        self._shift = (SIGMOID_SIZE << INVERSE_BITS >> 1) - (mean + (1 << MEAN_BITS >> 1)) * inverse_scale

    def at(self, values: Int32) -> Int32:
        """C(v) for values [m, n] in 0..256: 2**24 times the probability of less than v; C(0) = 0, C(256) = 2**24."""
        c = self._inner(values)
        c[values == 0] = 0
        c[values == 256] = TOTAL
        return c

    def _inner(self, values: Int32) -> Int32:
        """C(v) for values [m, n] or [m, 1] in 1..255."""
        point = values << MEAN_BITS
        c = self._floor * values
        total: Int32 | None = None
        for shift, inverse, weight in zip(self._shift, self._inverse, self._weight, strict=True):
            index = point * inverse
            index += shift
            index >>= INVERSE_BITS
            part = self._sigmoid.take(index, mode="clip")
            part *= weight
            total = part if total is None else np.add(total, part, out=total)
        if total is None:
            raise ValueError("a mixture needs at least one component")
        total >>= WEIGHT_BITS + SIGMOID_BITS - PRECISION
        total += c
        return total

    def high_cumulative(self) -> Int32:
        """C(16 h) for h = 0..16, [17, n]."""
        c = np.empty((17, self._weight.shape[1]), np.int32)
        c[0] = 0
        c[1:16] = self._inner(_SIXTEENTHS)
        c[16] = TOTAL
        return c

    def high_frequencies(self, cumulative: Int32 | None = None) -> Int32:
        """Frequencies [n, 16] of the high nibble; rows sum to 2**24. cumulative: as in ``low_frequencies``."""
        return _rows(self.high_cumulative() if cumulative is None else cumulative)

    def low_frequencies(self, high: Int32, cumulative: Int32 | None = None) -> Int32:
        """Frequencies [n, 16] of the low nibble given the high one [n]; rows sum to 2**24.

        cumulative: what ``high_cumulative`` gave, to spare its evaluation.
        """
        whole = self.high_cumulative() if cumulative is None else cumulative
        samples = np.arange(len(high))
        start = whole[high, samples]
        c = np.empty((17, len(high)), np.int32)
        c[0] = 0
        np.subtract(self._inner((high << 4) + _LOW[1:16]), start, out=c[1:16])
        np.subtract(whole[high + 1, samples], start, out=c[16])
        return _rows(_stretch(c, c[16], _LOW))

    def intervals(self, samples: Int32) -> Intervals:
        """Intervals of the two symbols of samples [n] in 0..255."""
        high = samples & ~15
        c = self.at(np.stack([high, high + 16, samples, samples + 1]))
        size = c[1] - c[0]
        low = samples & 15
        begin, end = _stretch(c[2:] - c[0], size, np.stack([low, low + 1]))
        return Intervals(c[0], size, begin, end - begin, c[3] - c[2])


def _rows(c: Int32) -> Int32:
    """Frequencies [n, m] from cumulative ones [m + 1, n]."""
    frequencies: Int32 = (c[1:] - c[:-1]).T
    return frequencies


def _stretch(c: Int32, size: Int32, index: Int32) -> Int32:
    """Cumulative frequencies c within an interval of ``size``, scaled to 2**24, at least 1 for each of 16 symbols."""
    quotient = c * float(TOTAL - 16)
    quotient /= size  # both below 2**48: the floor of the correctly rounded quotient is that of the true one
    stretched: Int32 = np.floor(quotient, out=quotient).astype(np.int32)
    return np.add(stretched, index, out=stretched)


def make_tables(
    scales: int, smallest: float, per_octave: int, kind: Literal["logistic", "normal"] = "logistic", floor: int = FLOOR
) -> MixtureTables:
    """Tables for a new model file, from the formulas; a decoder never calls this but reads them from the file.

    - scales: how many there are
    - smallest, per_octave: the first scale, and how many double it
    - kind: the distribution function that the sigmoid table holds, of unit scale or standard deviation
    - floor: frequency of 2**24 that every value keeps
    """
    z = (np.arange(SIGMOID_SIZE) - SIGMOID_SIZE / 2 + 0.5) * (24 / SIGMOID_SIZE)
    below = np.array([math.erfc(-v * 0.5**0.5) / 2 for v in z]) if kind == "normal" else 1 / (1 + np.exp(-z))
    sigmoid = np.round(((1 << SIGMOID_BITS) - floor) * below).astype(np.int32)
    scale = smallest * 2.0 ** (np.arange(scales) / per_octave)
    steps = SIGMOID_SIZE / 24 / (1 << MEAN_BITS) / scale
    inverse = np.round(steps * (1 << INVERSE_BITS)).astype(np.int32)
    exponential = np.round(2.0**16 * np.exp(-np.arange(LOGIT_SIZE) / 16)).astype(np.int32)
    return MixtureTables(sigmoid, inverse, exponential)
