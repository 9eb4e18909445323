"""What carriers check: skeletons, which may be hostile, and that what was opened closes to the same bytes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rdzip.errors import FormatError
from rdzip.formats.carriers.carrier import NotCarriedError, Opened
from rdzip.formats.images.picture import Picture
from rdzip.system.limits import MAX_PIXELS

MOST = 1 << 40
"""Integers of skeletons are below."""


def require(condition: object, what: str) -> None:
    """FormatError unless the condition holds; what: the fault, "a skeleton names no page"."""
    if not condition:
        raise FormatError(f"{what}; the file is corrupt")


def integer(value: Any, most: int = MOST) -> int:
    """Return the value if it is an integer of 0 to ``most``, or FormatError."""
    require(isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most, "a skeleton lacks a number")
    return int(value)


def octets(value: Any) -> bytes:
    """Return the value if it is a byte string, or FormatError."""
    require(isinstance(value, bytes), "a skeleton lacks a byte string")
    return bytes(value)


def fields(value: Any, count: int) -> list[Any]:
    """Return ``count`` fields of a list, those that are left out at its end as 0; FormatError if it is no such list."""
    require(isinstance(value, list) and len(value) <= count, "a skeleton has no list of fields")
    return list(value) + [0] * (count - len(value))


def shortened(values: list[Any]) -> list[Any]:
    """Return a list without what is 0 or empty at its end."""
    values = list(values)
    while values and not values[-1]:
        values.pop()
    return values


def few_pixels(pixels: int) -> None:
    """NotCarriedError if there are more pixels than rdzip handles in one file."""
    if pixels > MAX_PIXELS:
        raise NotCarriedError(f"it has {pixels} pixels, more than {MAX_PIXELS}")


def certain(data: bytes, opened: Opened, close: Callable[[Sequence[Picture], Any], bytes]) -> Opened:
    """Return what was opened; NotCarriedError if it does not close to the same bytes."""
    try:
        same = close(opened.pictures, opened.skeleton) == data
    except FormatError as error:
        raise NotCarriedError(f"its bytes cannot be made again: {error}") from error
    if not same:
        raise NotCarriedError("its bytes cannot be made again")
    return opened
