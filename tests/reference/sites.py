"""Random words, the stack, logarithms and distributions of docs/reference/{latents,random}.md, in integers.

A *table* is what a symbol is coded with: cumulative frequencies from 0 to 2**24.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from pathlib import Path

from reference import container as slow_decoder
from reference.container import Rows

TOTAL = 1 << 24
WORD = (1 << 32) - 1
Table = Sequence[int]


def random_words(seed: int, stream: int, count: int, first: int = 0) -> list[int]:
    """Words of Philox(seed, stream), from a position that is a multiple of 4 on."""
    numbers = range(first // 4, first // 4 - (-count // 4))
    blocks = [_philox((seed & WORD, seed >> 32), (i, 0, stream & WORD, stream >> 32)) for i in numbers]
    return [word for block in blocks for word in block][:count]


def _philox(key: tuple[int, int], counter: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    (k, m), (a, b, c, d) = key, counter
    for _ in range(10):
        p, q = 0xD2511F53 * a, 0xCD9E8D57 * c
        a, b, c, d = q >> 32 ^ b ^ k, q & WORD, p >> 32 ^ d ^ m, p & WORD
        k, m = k + 0x9E3779B9 & WORD, m + 0xBB67AE85 & WORD
    return a, b, c, d


@cache
def _quantiles() -> tuple[int, ...]:
    stored = Path(__file__).resolve().parents[2].joinpath("rdzip", "entropy", "normal_table.bin")
    return struct.unpack("<8193i", stored.read_bytes())


def normal(word: int) -> int:
    """The normal value of a random word, in 2**-16."""
    upper = word >> 31
    m = 2 * (WORD - word if upper else word) + 1
    k = m.bit_length() - 1
    r = (m << 31 - k) - (1 << 31)
    i, f = 256 * k + (r >> 23), r % (1 << 23)
    t, after = _quantiles()[i : i + 2]
    n = (t << 23) - (t - after) * f + (1 << 30) >> 31
    return n if upper else -n


def normal_cdf(n: int) -> int:
    """The normal distribution function of a value in 2**-16, in 0..2**24 - 1."""
    t = _quantiles()
    d = min(abs(n) << 8, t[0])
    i = min(8191, max(k for k in range(8193) if t[k] >= d) if d else 8192)
    f = (t[i] - d << 23) // (t[i] - t[i + 1])
    tail = (256 + i % 256 << 23) + f >> 31 - i // 256
    below = tail >> 9
    return below if n < 0 else min(TOTAL - 1, TOTAL - below)


class Stack(slow_decoder.Stack):
    """The stack, for both directions."""

    def pop(self, cumulative: Table) -> int:
        """The symbol on top."""
        symbol = bisect_right(cumulative, self.state % TOTAL) - 1
        self._take(cumulative[symbol], cumulative[symbol + 1])
        return symbol

    def push(self, cumulative: Table, symbol: int) -> None:
        """Put a symbol on top."""
        self._put(cumulative[symbol], cumulative[symbol + 1])

    def pop_uniform(self, sizes: list[int]) -> list[int]:
        """Symbols that are uniform, each of its size."""
        found = []
        for size in sizes:
            found.append(min(self.state % TOTAL // (TOTAL // size), size - 1))
            self._take(*_share(found[-1], size))
        return found

    def push_uniform(self, symbols: list[int], sizes: list[int]) -> None:
        """The inverse of ``pop_uniform``."""
        for symbol, size in reversed(list(zip(symbols, sizes, strict=True))):
            self._put(*_share(symbol, size))

    def left(self) -> list[int]:
        """All words, the top as the last."""
        return self.words + ([self.state & WORD, self.state >> 32] if self.state > WORD else [self.state])

    def _take(self, start: int, end: int) -> None:
        self.state = (self.state >> 24) * (end - start) + self.state % TOTAL - start
        self.refill()

    def _put(self, start: int, end: int) -> None:
        size = end - start
        if self.state >> 40 >= size:
            self.words.append(self.state & WORD)
            self.state >>= 32
        self.state = (self.state // size << 24) + start + self.state % size


def _share(symbol: int, size: int) -> tuple[int, int]:
    return TOTAL // size * symbol, TOTAL if symbol == size - 1 else TOTAL // size * (symbol + 1)


def table(frequencies: Sequence[int]) -> Table:
    """Cumulative frequencies."""
    return [0, *accumulate(frequencies)]


def quantile(cumulative: Table, u: int) -> int:
    """Q(u)."""
    return bisect_right(cumulative, u) - 1


def log2(v: int) -> int:
    """L(v), in 2**-16 bits."""
    e = v.bit_length() - 1
    return (e << 16) + _digits(v >> e - 12 if e > 12 else v << 12 - e)


@cache
def _digits(m: int) -> int:
    a, digits = m << 18, 0
    for _ in range(16):
        a = a * a >> 30
        bit = a >> 31
        digits, a = 2 * digits + bit, a >> bit
    return digits


@cache
def _all_digits() -> list[int]:
    return [_digits(m) for m in range(1 << 12, 1 << 13)]


def weights(logarithms: list[int]) -> list[int]:
    """Weights of a row of logarithms."""
    found = []
    for logarithm in logarithms:
        d = min(max(logarithms) - logarithm, 34 << 16)
        k = -(-d >> 16)
        m = (1 << 12) + bisect_right(_all_digits(), (k << 16) - d) - 1
        found.append((m << 18) >> k)
    return found


def frequencies(logarithms: list[int]) -> Table:
    """The table of a row of logarithms."""
    w = weights(logarithms)
    f = [1 + w_i * (TOTAL - len(w)) // sum(w) for w_i in w]
    f[w.index(max(w))] += TOTAL - sum(f)
    return table(f)


def effective_size(logarithms: list[int]) -> int:
    """Effective size of a row of logarithms, in 1/256."""
    w = [w_i >> 14 for w_i in weights(logarithms)]
    return 256 * sum(w) ** 2 // sum(w_i * w_i for w_i in w)


def low_table(c: Table, high: int) -> Table:
    """The table of the low nibble of a symbol of 256 values."""
    start, end = c[16 * high], c[16 * high + 16]
    return [(c[16 * high + j] - start) * (TOTAL - 16) // (end - start) + j for j in range(17)]


def pop_nibbles(stack: Stack, tables: list[Table]) -> list[int]:
    """Symbols of 256 values: all high nibbles, then all low ones."""
    highs = [stack.pop(c[::16]) for c in tables]
    return [16 * high + stack.pop(low_table(c, high)) for c, high in zip(tables, highs, strict=True)]


def push_nibbles(stack: Stack, tables: list[Table], symbols: list[int]) -> None:
    """The inverse of ``pop_nibbles``."""
    coded = list(zip(tables, symbols, strict=True))[::-1]
    for c, symbol in coded:
        stack.push(low_table(c, symbol >> 4), symbol & 15)
    for c, symbol in coded:
        stack.push(c[::16], symbol >> 4)


def log_rows(tables: list[list[Table]], values: Rows) -> list[int]:
    """The logarithm of each row."""
    return [
        sum(log2(c[v + 1] - c[v]) - (24 << 16) for c, v in zip(row, row_values, strict=True))
        for row, row_values in zip(tables, values, strict=True)
    ]


class Site:
    """Rows of entries, a table each; ``grid``: coded by nibbles. ``shape`` is for the model that made it."""

    def __init__(self, rows: list[list[Table]], grid: bool = False, shape: tuple[int, ...] = ()) -> None:
        self.rows, self.grid, self.shape = rows, grid, shape

    def take(self, index: list[int]) -> Site:
        """The site of some rows."""
        return Site([self.rows[i] for i in index], self.grid, self.shape)

    def pop(self, stack: Stack) -> Rows:
        """Symbols of all rows."""
        tables = [c for row in self.rows for c in row]
        symbols = iter(pop_nibbles(stack, tables) if self.grid else [stack.pop(c) for c in tables])
        return [[next(symbols) for _ in row] for row in self.rows]

    def push(self, stack: Stack, values: Rows) -> None:
        """The inverse of ``pop``."""
        tables = [c for row in self.rows for c in row]
        symbols = [v for row in values for v in row]
        if self.grid:
            push_nibbles(stack, tables, symbols)
        else:
            for c, symbol in reversed(list(zip(tables, symbols, strict=True))):
                stack.push(c, symbol)

    def log2(self, values: Rows) -> list[int]:
        """The logarithm of each row."""
        return log_rows(self.rows, values)
