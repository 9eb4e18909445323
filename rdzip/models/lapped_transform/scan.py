"""The order in which the latents of a slice are coded: passes over cells of a grid, and the neighbours that are known.

Slices of detail are coded in one, two or four passes over the cells of 2 x 2 squares. The slice of means is coded from
coarse to fine: first one cell of 8 x 8, then at spacings 4, 2 and 1 the cells in the middle of four known ones, and
those between them, each from the known neighbours within two spacings.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

CELLS = {1: (((0, 0), (0, 1), (1, 0), (1, 1)),), 2: (((0, 0), (1, 1)), ((0, 1), (1, 0))),
         4: (((0, 0),), ((1, 1),), ((0, 1),), ((1, 0),))}  # fmt: skip
"""Cells (row, column) of 2 x 2 squares by number of passes."""
SPACINGS = (4, 2, 1)
KINDS = ((1, 1), (0, 1), (1, 0))
"""Places of the cells of the three passes at a spacing, in spacings, within squares of two spacings."""


def _coded_before(kind: int, down: int, right: int) -> bool:
    """Whether the cell `down` and `right` spacings from one of a kind is of the coarser grid, or of an earlier kind."""
    place = ((KINDS[kind][0] + down) % 2, (KINDS[kind][1] + right) % 2)
    return place == (0, 0) or place in KINDS[:kind]


NEIGHBOURS = tuple(
    tuple((i, j) for i in range(-2, 3) for j in range(-2, 3) if (i, j) != (0, 0) and _coded_before(kind, i, j))
    for kind in range(len(KINDS))
)
"""Known neighbours (rows, columns), in spacings, of the cells of each kind."""
NEAREST = tuple(
    tuple(k for k, (i, j) in enumerate(neighbours) if i * i + j * j == min(a * a + b * b for a, b in neighbours))
    for neighbours in NEIGHBOURS
)
"""Which of these are nearest: four of the first kind, two in a row or column and, if known, two across."""


@dataclass(frozen=True)
class Pass:
    """Cells that are coded side by side: flat places int64 [p]; of a coarse-to-fine pass also kind and spacing.

    around int64 [k, p]: flat places of neighbours (0 where there is none); inside bool [k, p]: whether there is one.
    """

    places: Tensor
    kind: int = -1
    spacing: int = 0
    neighbours: Tensor | None = None
    inside: Tensor | None = None


@lru_cache(maxsize=64)
def detail_passes(rows: int, columns: int, passes: int) -> tuple[Pass, ...]:
    """Passes over all cells of a grid, in 1, 2 or 4 of them; those without a cell are left out."""
    grid = torch.arange(rows * columns).view(rows, columns)
    found = [torch.cat([grid[i::2, j::2].reshape(-1) for i, j in cells]) for cells in CELLS[passes]]
    return tuple(Pass(places) for places in found if len(places))


@lru_cache(maxsize=64)
def coarse_to_fine(rows: int, columns: int) -> tuple[Pass, ...]:
    """Passes over all cells of a grid for the slice of means; the first has no neighbours."""
    grid = torch.arange(rows * columns).view(rows, columns)
    first = 2 * SPACINGS[0]
    found = [Pass(grid[::first, ::first].reshape(-1))]
    for spacing in SPACINGS:
        for kind, (i, j) in enumerate(KINDS):
            places = grid[i * spacing :: 2 * spacing, j * spacing :: 2 * spacing].reshape(-1)
            if not len(places):
                continue
            row, column = places // columns, places % columns
            steps = torch.tensor(NEIGHBOURS[kind]) * spacing
            down, right = row + steps[:, :1], column + steps[:, 1:]
            inside = (down >= 0) & (down < rows) & (right >= 0) & (right < columns)
            neighbours = torch.where(inside, down * columns + right, 0)
            found.append(Pass(places, kind, spacing, neighbours, inside))
    return tuple(found)
