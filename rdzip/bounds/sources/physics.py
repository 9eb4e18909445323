"""Simulated proton collisions: rows of 16 numbers, of which two are functions of the others."""

from __future__ import annotations

from pathlib import Path

from rdzip.bounds.sources.arrays import read_array
from rdzip.bounds.sources.finite import FiniteSource

TRAIN, HELD_OUT = "physics/ppzee-train8000.npy", "physics/ppzee-heldout2000.npy"
MARGINAL = [12, 11]
"""Columns of the source in two dimensions, as Yang & Mandt 2022 have it."""


def physics(data: Path, *, marginal: bool) -> FiniteSource:
    """Return the source ppzee of Yang & Mandt 2022, split as its files are; `marginal`: its columns 12 and 11 only.

    It has no density in 16 dimensions: px and py of its first pair of particles sum to 0, and every energy is the
    length of its momentum. So R(D) grows as -(10 / 2) ln D, not -(16 / 2) ln D, as D falls to 0, down to the precision
    of the numbers.
    """
    train, held_out = (read_array(data / name) for name in (TRAIN, HELD_OUT))
    if marginal:
        return FiniteSource("physics-2d", train[:, MARGINAL], held_out[:, MARGINAL])
    return FiniteSource("physics", train, held_out)
