"""Progress of long work: a function that is called now and then with the share of it that is done, 0 to 1."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[float], None]
"""Called with the share of the work that is done; it may raise to end the work."""


def part_of(progress: Progress | None, start: float, end: float) -> Progress | None:
    """Return the progress of a part of the work, which takes it from share `start` to `end` of the whole.

    >>> shares = []
    >>> second_half = part_of(shares.append, 0.5, 1.0)
    >>> second_half(0.5)
    >>> shares
    [0.75]
    """
    return (lambda done: progress(start + (end - start) * done)) if progress else None


def one_of(progress: Progress | None, number: int, count: int) -> Progress | None:
    """Return the progress of one of so many equal parts of the work, counted from 0."""
    return part_of(progress, number / count, (number + 1) / count)
