"""Random numbers of a batch that several processes share: each keeps its rows of the numbers of the whole batch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from rdzip.errors import InputError


class Shared(torch.Generator):
    """A generator of process ``rank`` of ``world``: what is drawn is the whole batch's, what is kept are rows of it.

    All processes draw the same numbers, so that they compute together what one alone would.
    """

    rank: int = 0
    world: int = 1


def world(generator: torch.Generator | None) -> int:
    """How many processes share a batch; 1 for a plain generator."""
    return generator.world if isinstance(generator, Shared) else 1


def rows(x: Tensor, generator: torch.Generator | None, dim: int = 0) -> Tensor:
    """This process's rows, along ``dim``, of what was drawn for the whole batch. InputError if they do not divide."""
    if not isinstance(generator, Shared) or generator.world == 1:
        return x
    if x.shape[dim] % generator.world:
        raise InputError(f"expected a batch that {generator.world} processes divide, found {x.shape[dim]}: set batch")
    return x.chunk(generator.world, dim)[generator.rank]


def uniform(shape: Sequence[int], generator: torch.Generator | None, dim: int = 0) -> Tensor:
    """Uniform numbers in 0..1, float32 of this shape, whose axis ``dim`` is this process's rows."""
    return rows(torch.rand(_whole(shape, generator, dim), generator=generator), generator, dim)


def normal(shape: Sequence[int], generator: torch.Generator | None, dim: int = 0) -> Tensor:
    """Standard normal numbers, float32 of this shape, whose axis ``dim`` is this process's rows."""
    return rows(torch.randn(_whole(shape, generator, dim), generator=generator), generator, dim)


def _whole(shape: Sequence[int], generator: torch.Generator | None, dim: int) -> list[int]:
    return [n * (world(generator) if i == dim else 1) for i, n in enumerate(shape)]
