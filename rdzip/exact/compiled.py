"""Scalar code that numba compiles where it is installed, and that Python runs as it is where not.

Only integers, and float64 with + - * / in the order that the source has: no fast mathematics, so neither the compiler
nor the processor may change a result (docs/exactness.md).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

try:
    if os.environ.get("RDZIP_COMPILE") == "0":
        raise ImportError
    import numba
except ImportError:
    COMPILES = False
else:
    COMPILES = True


def compiled(function: F) -> F:
    """The function compiled at its first call, and kept on disk; the function itself without numba."""
    if not COMPILES:
        return function
    try:
        return numba.njit(cache=True, nogil=True, error_model="numpy")(function)  # type: ignore[no-any-return]
    except RuntimeError:  # no folder can be written to: neither beside the source nor of the user
        return numba.njit(nogil=True, error_model="numpy")(function)  # type: ignore[no-any-return]
