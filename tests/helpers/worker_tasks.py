"""Functions that workers of tests carry out."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rdzip.errors import InputError


def square(x: int, send: Callable[[Any], None]) -> int:
    send(("begun", x))
    return x * x


def fail(x: int, send: Callable[[Any], None]) -> int:
    if x == 1:
        raise InputError("expected anything but 1, found 1")
    if x == 2:
        raise ZeroDivisionError("of two")
    return x


def die(place: tuple[str, int], send: Callable[[Any], None]) -> str:
    """Die the first so many times, which a file counts."""
    path, times = Path(place[0]), place[1]
    done = len(path.read_bytes()) if path.exists() else 0
    if done < times:
        path.write_bytes(b"." * (done + 1))
        os.kill(os.getpid(), signal.SIGKILL)
    return "done"
