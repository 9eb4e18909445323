"""Arguments of the public functions: what they may be, and one line for what they may not (rdzip.errors)."""

from __future__ import annotations

import math
import numbers
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rdzip.errors import InputError
from rdzip.pipeline.request import Compute
from rdzip.system.atomic import shown


def is_path(value: object) -> bool:
    """Return whether an argument is the path of a file."""
    return isinstance(value, str | os.PathLike)


def read(value: Any, name: str, kinds: str = "a path, bytes or an open binary file") -> bytes:
    """Return the bytes that an argument is, has, or names as a file; InputError where it is none of `kinds`."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    if is_path(value):
        try:
            return Path(value).read_bytes()
        except (OSError, ValueError, TypeError) as error:  # no file; a zero byte in its name; a path of bytes
            why = (error.strerror if isinstance(error, OSError) else None) or error
            raise InputError(f"cannot read {shown(str(value))}: {why}") from error
    if not callable(getattr(value, "read", None)):
        raise InputError(f"`{name}`: expected {kinds}, found {found(value)}")
    try:
        data = value.read()
    except (OSError, ValueError) as error:  # closed, or text that is none
        raise InputError(f"`{name}`: the open file cannot be read: {error}") from error
    if not isinstance(data, bytes | bytearray | memoryview):
        raise InputError(
            f"`{name}`: expected a file that is open in binary mode ('rb'), found one that gives {found(data)}"
        )
    return bytes(data)


def found(value: object) -> str:
    """Return what an argument is, for a message: its type, and its value if that is short."""
    text = repr(value) if value is None or isinstance(value, str | int | float | complex) else ""
    kind = type(value).__name__
    return kind if value is None or not text or len(text) > 40 else f"{text} of type {kind}"


def whole(name: str, value: Any, low: int = 1) -> int | None:
    """Return a whole number of `low` or more, None as None; InputError for anything else."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < low:
        raise InputError(f"`{name}`: expected a whole number of {low} or more, found {found(value)}")
    return int(value)


def number(name: str, value: Any) -> float | int | None:
    """Return a finite number as Python's, None as None; InputError for anything else."""
    if value is None:
        return None
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value):
        raise InputError(f"`{name}`: expected a number, found {found(value)}")
    return float(value)


def text(name: str, value: Any, *, path: bool = False) -> str | None:
    """Return a text, None as None; path: or the path of a file. InputError for anything else."""
    if value is None or isinstance(value, str):
        return value
    if path and isinstance(value, os.PathLike):
        return os.fsdecode(value)
    raise InputError(f"`{name}`: expected a text, found {found(value)}")


def flag(name: str, value: Any) -> bool | None:
    """Return True, False or None; InputError for anything else."""
    if value is None or isinstance(value, bool):
        return value
    raise InputError(f"`{name}`: expected True or False, found {found(value)}")


def numbers_of_items(value: Any) -> Sequence[int] | None:
    """Return numbers of items, None for all; InputError for anything else."""
    if value is None:
        return None
    if is_path(value) or not hasattr(value, "__iter__"):
        raise InputError(f"`items`: expected a list of numbers, found {found(value)}")
    return [whole("items", item, 0) or 0 for item in value]


def compute(max_pixels: Any, threads: Any, device: Any, offline: Any) -> Compute:
    """Return on what to compute, checked."""
    return Compute(
        whole("threads", threads),
        text("device", device),
        bool(flag("offline", offline)),
        whole("max_pixels", max_pixels),
    )
