"""Layers and residuals of lossy models, written from docs/reference/lossy.md alone, in Python integers.

Arrays are lists of channels, each a list of rows. Nothing of rdzip is used.
"""

from __future__ import annotations

from typing import Any

from reference.container import layer, need
from reference.images import Array
from reference.sites import TOTAL, Stack, Table, table

MOST = 1 << 20


def rounded(o: int, up: int, down: int) -> int:
    """floor(o up / down + 1/2) of an output in 2**-11."""
    return (2 * o * up + (down << 11)) // (down << 12)


class Integers:
    """Tensors and tables of a lossy model, and a stack to pop from."""

    stack: Stack
    rows: int
    columns: int

    def __init__(self, tensors: dict[str, Any]) -> None:
        self.tensors = tensors
        self.tables = self.read_tables("residual")

    def read_tables(self, name: str) -> list[Table]:
        """Tables one after the other; none where the model has none of that name."""
        found: list[Table] = []
        at = 0
        for length in self.tensors.get(f"{name}.lengths", []):
            found.append(table(self.tensors[f"{name}.frequencies"][at : at + length]))
            at += length
        return found

    def pop(self, choices: list[int], tables: list[Table]) -> list[int]:
        """Symbols by the numbers of their tables."""
        found = [0] * len(choices)
        for choice in sorted(set(choices)):
            cumulative = tables[choice]
            reach = len(cumulative) // 2 - 1
            places = [k for k, other in enumerate(choices) if other == choice]
            for k in places:
                found[k] = self.stack.pop(cumulative) - reach
            for k in places:
                if found[k] > reach:
                    found[k] = self.escape(reach)
        return found

    def escape(self, reach: int) -> int:
        length = 1
        while not self.bit():
            length += 1
            need(length <= 20, "length of an escape")
        size = 1
        for _ in range(length - 1):
            size = 2 * size + self.bit()
        return -(reach + size) if self.bit() else reach + size

    def bit(self) -> int:
        return self.stack.pop([0, TOTAL // 2, TOTAL])

    @staticmethod
    def planes_of(s: int) -> list[int]:
        """The three inputs that tell a setting."""
        return [max(s - 128, -127), ((2 * s - 255) ** 2 >> 8) - 127, 127]

    def squash(self, v: int) -> int:
        values: list[int] = self.tensors["slices.squash"]
        size = values[min(abs(v), len(values) - 1)]
        return -size if v < 0 else size

    def squashed(self, y: Array) -> Array:
        return [[[self.squash(v) for v in row] for row in plane] for plane in y]

    def conv(self, name: str, a: Array, size: int = 3) -> Array:
        """Outputs in 2**-11 of size x size neighbours."""
        height, width, reach = len(a[0]), len(a[0][0]), size // 2
        steps = range(-reach, reach + 1)

        def inputs(row: int, column: int) -> list[int]:
            places = [(row + i, column + j) for i in steps for j in steps]
            inside = [0 <= u < height and 0 <= v < width for u, v in places]
            return [p[u][v] if here else 0 for (u, v), here in zip(places, inside, strict=True) for p in a]

        outputs = [[layer(self.tensors, f"slices.{name}", inputs(r, c)) for c in range(width)] for r in range(height)]
        return [[[o[i] for o in row] for row in outputs] for i in range(len(outputs[0][0]))]
