"""Residuals of latents, quantised to whole numbers, as sites that code themselves: logistic distributions around 0.

Scales are SCALES indices, SCALES_PER_OCTAVE to the octave from SCALE_MIN steps of the quantiser up. Values beyond a
table's end are an escape and how far they are beyond it, in Elias's gamma code.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from rdzip.entropy.ans import TOTAL, AnsStack
from rdzip.errors import CoderError, ModelError
from rdzip.exact.types import Int32

SCALES = 64
SCALES_PER_OCTAVE = 5
SCALE_MIN = 0.05
REACH = 12
"""Scales from the middle to a table's end."""
REACH_MAX = 1000
ESCAPE_BITS = 20
"""Most bits of how far a value is beyond its table: residuals are less than 2**20 in size."""
Tables = TypeVar("Tables", bound="ResidualTables")


def scale(index: NDArray[Any]) -> NDArray[np.float64]:
    """Scales in steps of the quantiser of indices."""
    found: NDArray[np.float64] = SCALE_MIN * 2.0 ** (np.asarray(index) / SCALES_PER_OCTAVE)
    return found


@dataclass(frozen=True)
class ResidualTables:
    """Frequencies of 2**24 for each scale: rows int32 [2 * reach + 2], of -reach ... reach and of the escape."""

    rows: tuple[Int32, ...]

    def __post_init__(self) -> None:
        if len(self.rows) != SCALES:
            raise ModelError(f"model: expected {SCALES} tables of residuals, found {len(self.rows)}")
        for row in self.rows:
            if row.ndim != 1 or len(row) < 4 or len(row) % 2 or row.min() < 1 or int(row.sum(dtype=np.int64)) != TOTAL:
                raise ModelError("model: expected tables of residuals of even length whose frequencies sum to 2**24")

    def reach(self, index: int) -> int:
        """Largest residual in a table."""
        return len(self.rows[index]) // 2 - 1

    def tensors(self, prefix: str = "residual") -> dict[str, Int32]:
        """As tensors of a model file."""
        return {
            f"{prefix}.lengths": np.array([len(row) for row in self.rows], np.int32),
            f"{prefix}.frequencies": np.concatenate(self.rows),
        }

    @classmethod
    def of(cls: type[Tables], tensors: Mapping[str, NDArray[Any]], prefix: str = "residual") -> Tables:
        """Tables of a model file; ModelError unless they are there and sound."""
        lengths, values = (tensors.get(f"{prefix}.{name}") for name in ("lengths", "frequencies"))
        if (
            lengths is None
            or values is None
            or lengths.dtype != np.int32
            or values.dtype != np.int32
            or lengths.ndim != 1
            or values.ndim != 1
            or lengths.min() < 1
            or int(lengths.sum(dtype=np.int64)) != len(values)
        ):
            raise ModelError(f"model: expected tables {prefix}.lengths and .frequencies, found none or broken ones")
        return cls(tuple(np.split(values, np.cumsum(lengths)[:-1])))


def make_tables() -> ResidualTables:
    """Tables for a new model file, from the formula; a decoder reads them from the file."""
    rows = []
    for index in range(SCALES):
        s = float(scale(np.array(index)))
        reach = min(REACH_MAX, max(1, math.ceil(REACH * s)))
        edges = (np.arange(-reach, reach + 2) - 0.5) / s
        below = 1 / (1 + np.exp(-np.clip(edges, -700, 700)))
        mass = np.append(np.diff(below), below[0] + 1 - below[-1])
        floor = np.ones(len(mass), np.int64)
        frequencies = floor + np.floor(mass / mass.sum() * (TOTAL - len(mass))).astype(np.int64)
        frequencies[reach] += TOTAL - frequencies.sum()
        rows.append(frequencies.astype(np.int32))
    return ResidualTables(tuple(rows))


@dataclass(frozen=True)
class ResidualSite:
    """Symbols [n]: residuals in steps of the quantiser. scale int32 [n]: indices; mean int32 [n]: of the latents in
    1/16 steps, which the symbols are counted from (the coder does not need it, the encoder's quantiser does)."""

    tables: ResidualTables
    scale: Int32
    mean: Int32

    def push(self, stack: AnsStack, symbols: Int32) -> None:
        """Put symbols [n] on the stack. ValueError for one of 2**20 or more in size."""
        symbols = np.asarray(symbols, np.int32)
        if len(symbols) and int(np.abs(symbols).max()) >> ESCAPE_BITS:
            raise ValueError(f"symbols must be less than 2**{ESCAPE_BITS} in size")
        for index, places in reversed(self._groups()):
            reach = self.tables.reach(index)
            value = symbols[places]
            outside = np.abs(value) > reach
            far = value[outside]
            _push_gamma(stack, np.abs(far) - reach, far < 0)
            stack.push_shared(np.where(outside, 2 * reach + 1, value + reach), self.tables.rows[index])

    def pop(self, stack: AnsStack) -> Int32:
        """Take symbols [n] off the stack; CoderError if it holds no such ones."""
        symbols = np.zeros(len(self.scale), np.int32)
        for index, places in self._groups():
            reach = self.tables.reach(index)
            value = stack.pop_shared(len(places), self.tables.rows[index]) - reach
            outside = value == reach + 1
            if outside.any():
                size, negative = _pop_gamma(stack, int(outside.sum()))
                value[outside] = np.where(negative, -(reach + size), reach + size)
            symbols[places] = value
        return symbols

    def bits(self, symbols: Int32) -> float:
        """Estimated code length in all: of the tables' frequencies, and of escapes."""
        total = 0.0
        for index, places in self._groups():
            reach, row = self.tables.reach(index), self.tables.rows[index]
            value = np.asarray(symbols)[places]
            size = np.abs(value) - reach
            coded = np.where(size > 0, 2 * reach + 1, value + reach)
            total += 24.0 * len(value) - float(np.log2(row)[coded].sum())
            far = size[size > 0]
            total += float((2 * np.floor(np.log2(far)) + 2).sum()) if len(far) else 0.0
        return total

    def _groups(self) -> list[tuple[int, NDArray[np.intp]]]:
        """Scales that occur, and where."""
        order = np.argsort(self.scale, kind="stable")
        counts = np.bincount(self.scale, minlength=SCALES)
        places = np.split(order, np.cumsum(counts)[:-1])
        return [(index, places[index]) for index in range(SCALES) if counts[index]]


def _push_gamma(stack: AnsStack, size: Int32, negative: NDArray[np.bool_]) -> None:
    """Sizes [n] >= 1 in Elias's gamma code, with signs: unary length, its bits, the sign; popped one after another."""
    for value, sign in zip(size[::-1].tolist(), negative[::-1].tolist(), strict=True):
        length = value.bit_length()
        bits = [0] * (length - 1) + [value >> i & 1 for i in reversed(range(length))] + [int(sign)]
        stack.push_uniform(np.array(bits, np.int32), np.full(len(bits), 2, np.int32))


def _pop_gamma(stack: AnsStack, count: int) -> tuple[Int32, NDArray[np.bool_]]:
    one = np.array([2], np.int32)
    sizes, signs = np.empty(count, np.int32), np.empty(count, np.bool_)
    for i in range(count):
        length = 1
        while not int(stack.pop_uniform(one)[0]):
            length += 1
            if length > ESCAPE_BITS:
                raise CoderError("coded data hold an impossible residual: the file is corrupt")
        rest = stack.pop_uniform(np.full(length, 2, np.int32))  # the bits below the first, and the sign
        value = 1
        for bit in rest[:-1].tolist():
            value = value << 1 | bit
        sizes[i], signs[i] = value, bool(rest[-1])
    return sizes, signs
