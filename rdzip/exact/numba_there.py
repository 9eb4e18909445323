"""Whether scalar code will be compiled, told without loading numba."""

from __future__ import annotations

import os
from importlib.util import find_spec


def numba_is_there() -> bool:
    """Return whether numba is installed and RDZIP_COMPILE=0 does not forbid to use it."""
    return os.environ.get("RDZIP_COMPILE") != "0" and find_spec("numba") is not None
