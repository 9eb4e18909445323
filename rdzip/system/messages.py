"""Tasks of workers, and the messages by which these tell of them, whatever processes or machines work them off."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rdzip.errors import RdzipError

Function = Callable[[Any, Callable[[Any], None]], Any]
"""A task: called with its argument and with what sends intermediate results; returns its result."""

Put = Callable[[str, Any], None]
"""Takes messages of a task: "message" (an intermediate result), then "done", "failed" or "died" (with a text)."""


def outcome(function: Function, argument: Any, send: Callable[[Any], None]) -> tuple[str, Any]:
    """Work a task off; returns its last message."""
    try:
        return "done", function(argument, send)
    except RdzipError as error:
        return "failed", error
    except Exception as error:  # of a class that the other side may not have
        return "failed", RuntimeError(f"{type(error).__name__}: {error}")


def python_path() -> str:
    """Return PYTHONPATH for workers: what this process can import, they can."""
    return os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
