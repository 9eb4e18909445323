"""Coding of a level of latents: its variables cut into blocks, their steps, bends and choices, on a stack.

docs/reference/irec.md, sections 2 and 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from rdzip.entropy.ans import AnsStack
from rdzip.errors import CoderError
from rdzip.exact.types import Int64
from rdzip.rec import auxiliary, index_code, shared
from rdzip.rec.schedule import BENDS, MAX_STEPS
from rdzip.rec.shared import BLOCK
from rdzip.system import limits

Choices = NDArray[np.int64]
CHOICE_TIME = 15.0
"""Microseconds to make the values of a choice on one core, about."""


@dataclass(frozen=True)
class Cut:
    """The blocks of one level of a sample: the order of its variables, and where each block begins in it."""

    order: Int64
    edges: list[int]

    @classmethod
    def of(cls, seed: int, variables: int) -> Cut:
        """Blocks of about equal size, BLOCK at most."""
        blocks = -(-variables // BLOCK)
        return cls(shared.order(seed, variables), [n * variables // blocks for n in range(blocks + 1)])

    @property
    def parts(self) -> list[Int64]:
        """The variables of each block."""
        return [self.order[a:b] for a, b in pairwise(self.edges)]

    @property
    def blocks(self) -> int:
        """How many there are."""
        return len(self.edges) - 1


@dataclass(frozen=True)
class Level:
    """What is coded of a level: bends [rows], and for each row the choices of each block."""

    bends: list[int]
    choices: list[list[Choices]]

    def values(self, seed: int, variables: int) -> Int64:
        """The normal values that the choices stand for, int64 [rows, variables] in 2**-16."""
        cut = Cut.of(seed, variables)
        values = np.empty((len(self.choices), variables), np.int64)
        bends = np.repeat(self.bends, cut.blocks).tolist()
        numbers = list(range(cut.blocks)) * len(self.choices)
        found = auxiliary.values(seed, numbers, bends, [chosen for row in self.choices for chosen in row])
        for number, index in enumerate(cut.parts):
            values[:, index] = found[number :: cut.blocks, : len(index)]
        return values

    def push(self, stack: AnsStack, candidates: int, exponent: int) -> None:
        """Put the level on a stack: the steps of all blocks are on top, then bends, then choices."""
        flat = [chosen for row in self.choices for chosen in row]
        if any(len(chosen) for chosen in flat):
            stack.push_shared(np.concatenate(flat), index_code.frequencies(candidates, exponent))
        bent = [bend for bend, row in zip(self.bends, self.choices, strict=True) if _bends(row)]
        stack.push_uniform(np.array(bent, np.int32), np.full(len(bent), len(BENDS)))
        bits: list[int] = []
        for number in _differences([[len(chosen) for chosen in row] for row in self.choices]):
            bits += _gamma(number)
        stack.push_uniform(np.array(bits, np.int32), np.full(len(bits), 2))

    @classmethod
    def pop(cls, stack: AnsStack, rows: int, blocks: int, candidates: int, exponent: int) -> Level:
        """Pop a level, the inverse of push; CoderError for what no encoder writes.

        - stack: left as it was before push
        - rows, blocks: samples that are coded side by side, and blocks of each
        - candidates: of a step
        - exponent: of the power law of their numbers, in 1/16
        """
        steps = _steps(stack, rows, blocks)
        bent = [any(count > 1 for count in row) for row in steps]
        popped = iter(stack.pop_uniform(np.full(sum(bent), len(BENDS))))
        bends = [int(next(popped)) if row else 0 for row in bent]
        total = sum(map(sum, steps))
        if total > 16 * stack.bits():  # a choice costs more
            raise CoderError("a level has more choices than the coded data can hold: the file is corrupt")
        limits.claim(CHOICE_TIME * total, f"{total} choices of relative entropy coding")
        flat = np.zeros(0, np.int64)
        if total:
            flat = stack.pop_shared(total, index_code.frequencies(candidates, exponent)).astype(np.int64)
        cuts = np.cumsum([count for row in steps for count in row])[:-1]
        parts = np.split(flat, cuts)
        return cls(bends, [parts[row * blocks : (row + 1) * blocks] for row in range(rows)])


def _bends(row: list[Choices]) -> bool:
    """Whether a bend makes a difference."""
    return any(len(chosen) > 1 for chosen in row)


def _differences(steps: list[list[int]]) -> list[int]:
    """Numbers 1, 2, ... of how steps differ from those of the block before, or of the row before."""
    numbers, first = [], 0
    for row in steps:
        before = first
        for count in row:
            d = count - before
            numbers.append(2 * d if d > 0 else 1 - 2 * d)
            before = count
        first = row[0]
    return numbers


def _gamma(number: int) -> list[int]:
    """Elias's gamma code of a number >= 1, the bit on top of the stack first."""
    digits = [int(digit) for digit in f"{number:b}"]
    return [0] * (len(digits) - 1) + digits


def _steps(stack: AnsStack, rows: int, blocks: int) -> list[list[int]]:
    """The inverse of _differences and _gamma."""

    def bit() -> int:
        return int(stack.pop_uniform(np.full(1, 2))[0])

    steps: list[list[int]] = []
    first = 0
    for _ in range(rows):
        row, before = [], first
        for _ in range(blocks):
            zeros = 0
            while not bit():
                zeros += 1
                if zeros > MAX_STEPS.bit_length():
                    raise CoderError("a number of steps is damaged: the file is corrupt")
            number = 1
            for _ in range(zeros):
                number = 2 * number + bit()
            before += number // 2 if number % 2 == 0 else -(number // 2)
            if not 0 <= before <= MAX_STEPS:
                raise CoderError("a number of steps is out of range: the file is corrupt")
            row.append(before)
        first = row[0]
        steps.append(row)
    return steps
