"""Conditional distributions of arrays of symbols, as codecs of latent-variable models use them.

A site stands for one random variable of a model given those before it: a latent, or the data. Its first axis are rows:
samples, chains or particles that are coded side by side. Sites code themselves on a stack; they also tell
probabilities, as integers where these decide what is coded and as real numbers for reports.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rdzip.entropy.ans import PRECISION, TOTAL, AnsStack
from rdzip.entropy.cdf import INVERSE_BITS, MEAN_BITS, SIGMOID_SIZE, MixtureCdf, MixtureTables
from rdzip.entropy.logarithm import LOG_BITS, log2_fixed
from rdzip.exact.types import Float64, Int32, Int64

Symbols = NDArray[Any]
FULL = PRECISION << LOG_BITS
"""Logarithm of the coder's total 2**24."""


class Site(Protocol):
    """The distribution of symbols [rows, ...], independent of each other or in an order that the site knows."""

    @property
    def rows(self) -> int:
        """Length of the first axis."""
        ...

    def push(self, stack: AnsStack, symbols: Symbols) -> None:
        """Put symbols [rows, ...] on the stack."""
        ...

    def pop(self, stack: AnsStack) -> Symbols:
        """Take symbols [rows, ...] off the stack: the inverse of push."""
        ...

    def log2(self, symbols: Symbols) -> Int64:
        """Logarithm of the coded probability of each row, int64 [rows], in 2**-16 bits: the same on all machines."""
        ...

    def bits(self, symbols: Symbols) -> Float64:
        """-log2 of the model's real-valued probability of each row, float64 [rows]: for reports only."""
        ...

    def take(self, index: NDArray[np.integer]) -> Site:
        """The site of some rows, by their numbers [m]."""
        ...


class LatentSite(Site, Protocol):
    """A site of independent symbols whose intervals of 0..2**24 are at hand, for coupled particles."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the symbols, [rows, ...]."""
        ...

    def quantile(self, u: Int64) -> Symbols:
        """Symbols whose intervals hold the values u, int64 [rows, ...] in 0..2**24-1."""
        ...

    def interval(self, symbols: Symbols) -> tuple[Int64, Int64]:
        """Where the intervals of symbols begin and how long they are, int64 [rows, ...] of 2**24."""
        ...

    def cumulative(self, index: NDArray[np.integer]) -> Int32:
        """Where the intervals of all symbols begin and end, int32 [symbols + 1, m], of the entries numbered index [m]
        in row-major order."""
        ...


def per_row(values: NDArray[Any], rows: int) -> NDArray[Any]:
    """Sums [rows] of values [rows, ...] over all but the first axis."""
    sums: NDArray[Any] = values.reshape(rows, -1).sum(1)
    return sums


@dataclass(frozen=True)
class GridSite:
    """Symbols 0..255: a logistic or normal distribution on a grid, by the integer tables of entropy/cdf.py.

    mean int32 [rows, ...] in 1/64 of the grid step, within -16..272 steps; scale int32 [rows, ...], an index into the
    tables' scales. normal: which distribution function the tables hold (for ``bits``).
    """

    tables: MixtureTables
    mean: Int32
    scale: Int32
    normal: bool = True

    @property
    def rows(self) -> int:
        return len(self.mean)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.mean.shape

    def _cdf(self) -> MixtureCdf:
        mean = self.mean.reshape(1, -1)
        return MixtureCdf(self.tables, mean, self.scale.reshape(1, -1), np.zeros_like(mean))

    def push(self, stack: AnsStack, symbols: Symbols) -> None:
        i = self._cdf().intervals(symbols.reshape(-1).astype(np.int32))
        stack.push_intervals(i.low_start, i.low_size)
        stack.push_intervals(i.high_start, i.high_size)

    def pop(self, stack: AnsStack) -> Symbols:
        cdf = self._cdf()
        cumulative = cdf.high_cumulative()
        high = stack.pop(cdf.high_frequencies(cumulative))
        low = stack.pop(cdf.low_frequencies(high, cumulative))
        return ((high << 4) | low).astype(np.uint8).reshape(self.shape)

    def interval(self, symbols: Symbols) -> tuple[Int64, Int64]:
        flat = symbols.reshape(-1).astype(np.int32)
        start, end = self._cdf().at(np.stack([flat, flat + 1])).astype(np.int64)
        return start.reshape(self.shape), (end - start).reshape(self.shape)

    def cumulative(self, index: NDArray[np.integer]) -> Int32:
        mean, scale = self.mean.reshape(1, -1)[:, index], self.scale.reshape(1, -1)[:, index]
        edges = np.broadcast_to(np.arange(257, dtype=np.int32)[:, None], (257, mean.shape[1]))
        return MixtureCdf(self.tables, mean, scale, np.zeros_like(mean)).at(edges)

    def quantile(self, u: Int64) -> Symbols:
        cdf, flat = self._cdf(), u.reshape(-1)
        symbol = np.zeros(flat.shape, np.int32)
        for step in (128, 64, 32, 16, 8, 4, 2, 1):
            symbol += step * (cdf.at(symbol[None] + step)[0] <= flat)
        return symbol.astype(np.uint8).reshape(self.shape)

    def log2(self, symbols: Symbols) -> Int64:
        size = self.interval(symbols)[1].reshape(self.rows, -1)
        sums: Int64 = log2_fixed(size).sum(1) - size.shape[1] * FULL
        return sums

    def bits(self, symbols: Symbols) -> Float64:
        # the width of the distribution as the tables have it, in grid steps
        width = SIGMOID_SIZE / 24 / (1 << MEAN_BITS) * (1 << INVERSE_BITS) / self.tables.inverse_scale[self.scale]
        return per_row(grid_bits(symbols, self.mean / (1 << MEAN_BITS), width, self.normal), self.rows)

    def take(self, index: NDArray[np.integer]) -> GridSite:
        return GridSite(self.tables, self.mean[index], self.scale[index], self.normal)


def grid_bits(symbols: Symbols, mean: Float64, width: Float64, normal: bool) -> Float64:
    """-log2 of the mass of [v - 1/2, v + 1/2) under a distribution of real mean and width, the ends taking the tails.

    normal: width is the standard deviation; otherwise the distribution is logistic of that scale.
    """
    v = np.asarray(symbols, np.float64)
    upper = np.where(v >= 255, np.inf, (v + 0.5 - mean) / width)
    lower = np.where(v <= 0, -np.inf, (v - 0.5 - mean) / width)
    flip = lower > 0  # both differences are taken in the left tail, where they keep their digits
    low, high = np.where(flip, -upper, lower), np.where(flip, -lower, upper)
    mass = _cdf(high, normal) - _cdf(low, normal)
    bits: Float64 = -np.log2(np.maximum(mass, 2.0**-100))
    return bits


def _cdf(z: Float64, normal: bool) -> Float64:
    if not normal:
        with np.errstate(over="ignore"):
            return np.asarray(1 / (1 + np.exp(-z)), np.float64)
    import torch  # numpy has no normal distribution function

    return np.asarray(torch.special.ndtr(torch.from_numpy(np.ascontiguousarray(z))).numpy(), np.float64)


@dataclass(frozen=True)
class BernoulliSite:
    """Binary symbols. table int32 [levels]: frequencies of a one, 2..2**24-2 of 2**24; index int32 [rows, ...]."""

    table: Int32
    index: Int32

    @property
    def rows(self) -> int:
        return len(self.index)

    def push(self, stack: AnsStack, symbols: Symbols) -> None:
        one = self.table[self.index].reshape(-1)
        bit = symbols.reshape(-1).astype(bool)
        stack.push_intervals(np.where(bit, TOTAL - one, 0), np.where(bit, one, TOTAL - one))

    def pop(self, stack: AnsStack) -> Symbols:
        one = self.table[self.index].reshape(-1)
        return stack.pop(np.stack([TOTAL - one, one], 1)).astype(np.uint8).reshape(self.index.shape)

    def log2(self, symbols: Symbols) -> Int64:
        both = np.stack([log2_fixed(TOTAL - self.table), log2_fixed(self.table)]) - FULL
        sums: Int64 = per_row(both[symbols.astype(np.intp), self.index], self.rows)
        return sums

    def bits(self, symbols: Symbols) -> Float64:
        both = -np.log2(np.stack([TOTAL - self.table, self.table]) / TOTAL)
        return per_row(both[symbols.astype(np.intp), self.index], self.rows)

    def take(self, index: NDArray[np.integer]) -> BernoulliSite:
        return BernoulliSite(self.table, self.index[index])


@dataclass(frozen=True)
class CategoricalSite:
    """Symbols 0..m-1 by explicit frequencies int32 [rows, n, m], each >= 1, that sum to 2**24; symbols [rows, n]."""

    frequencies: Int32

    @property
    def rows(self) -> int:
        return len(self.frequencies)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.frequencies.shape[:2]

    def _flat(self) -> Int32:
        return self.frequencies.reshape(-1, self.frequencies.shape[2])

    def push(self, stack: AnsStack, symbols: Symbols) -> None:
        stack.push(symbols.reshape(-1).astype(np.int32), self._flat())

    def pop(self, stack: AnsStack) -> Symbols:
        return stack.pop(self._flat()).astype(np.uint8).reshape(self.shape)

    def interval(self, symbols: Symbols) -> tuple[Int64, Int64]:
        size = np.take_along_axis(self.frequencies, symbols[..., None].astype(np.intp), 2)[..., 0].astype(np.int64)
        end = np.take_along_axis(self.frequencies.cumsum(2, dtype=np.int64), symbols[..., None].astype(np.intp), 2)
        return end[..., 0] - size, size

    def cumulative(self, index: NDArray[np.integer]) -> Int32:
        ends = self._flat()[index].cumsum(1, dtype=np.int32).T
        return np.concatenate([np.zeros_like(ends[:1]), ends])

    def quantile(self, u: Int64) -> Symbols:
        ends = self.frequencies.cumsum(2, dtype=np.int64)
        symbols: Symbols = (ends <= u[..., None]).sum(2).astype(np.uint8)
        return symbols

    def log2(self, symbols: Symbols) -> Int64:
        sums: Int64 = per_row(log2_fixed(self.interval(symbols)[1]) - FULL, self.rows)
        return sums

    def bits(self, symbols: Symbols) -> Float64:
        return per_row(-np.log2(self.interval(symbols)[1] / TOTAL), self.rows)

    def take(self, index: NDArray[np.integer]) -> CategoricalSite:
        return CategoricalSite(self.frequencies[index])
