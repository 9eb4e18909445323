"""Settings for a process that does nothing but run rdzip, such as the command line; the library never makes them."""

from __future__ import annotations

import ctypes
import os
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_MMAP_ABOVE, _TRIM_ABOVE = 1 << 26, 1 << 28


def own_process() -> None:
    """Allow what is faster and concerns the whole process: keeping freed memory, products on bfloat16 units.

    To be called before the first image is coded; RDZIP_FAST_PRODUCTS=0 in the environment forbids the latter.
    """
    keep_freed_memory()
    os.environ.setdefault("RDZIP_FAST_PRODUCTS", "1")


def keep_freed_memory() -> None:
    """Let glibc keep freed blocks up to 64 MiB for reuse, at most 256 MiB in all.

    By default every large array is mapped and unmapped anew, and its pages fault in one by one: a fifth of the time of
    encoding. Does nothing where there is no glibc.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(_MMAP_THRESHOLD, _MMAP_ABOVE)
            mallopt(_TRIM_THRESHOLD, _TRIM_ABOVE)
