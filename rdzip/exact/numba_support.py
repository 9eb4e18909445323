"""Whether numba, a just-in-time compiler, is there for scalar code; asked without loading it, which takes a second."""

from __future__ import annotations

import os
from importlib.util import find_spec


def compiled_here() -> bool:
    """Return whether numba is installed and RDZIP_COMPILE=0 does not forbid to use it."""
    return os.environ.get("RDZIP_COMPILE") != "0" and find_spec("numba") is not None
