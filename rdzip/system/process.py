"""Settings for a process that does nothing but run rdzip, such as the command line; the library never makes them.

But for `wait_passively`, which a program that uses the library may call (rdzip.wait_passively).
"""

from __future__ import annotations

import ctypes
import logging
import os
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

NUMBA_SETTINGS = ".numba_config.yaml"
STANDARD = 3  # stdin, stdout, stderr
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_MMAP_ABOVE, _TRIM_ABOVE = 1 << 22, 1 << 24


def open_standard() -> None:
    """Put a file that holds nothing where stdin, stdout or stderr is closed.

    Otherwise the next file that is opened gets its number, and what a library says to stderr would get into a result.
    sys.stdin and sys.stdout stay None where they were closed; what is said to stderr is lost.
    """
    for number in range(STANDARD):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115


def tune_process() -> None:
    """Allow what is faster and concerns the whole process: sleeping threads, keeping freed memory, bfloat16 products.

    To be called before the first image is coded; RDZIP_FAST_PRODUCTS=0 in the environment forbids the last.
    """
    wait_passively()
    keep_freed_memory()
    os.environ.setdefault("RDZIP_FAST_PRODUCTS", "1")


def wait_passively() -> None:
    """Have the threads of torch sleep while they wait for each other, if it has not been loaded yet.

    By default they spin, so that one thread whose core another program is using holds up all the others: on a busy
    machine a picture takes ten times as long and more. Sets OMP_WAIT_POLICY=passive in the environment of this process,
    and so of those that it starts, which OpenMP of any make (GNU's, LLVM's, Intel's) reads once, when it is loaded. A
    value that is there already stays, and GOMP_SPINCOUNT and KMP_BLOCKTIME have the last word. No result depends on it.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def keep_freed_memory() -> None:
    """Let glibc keep freed blocks up to 4 MiB for reuse, at most 16 MiB of them at the end of the heap.

    By default every large array is mapped and unmapped anew, and its pages fault in one by one: a fifth of the time of
    encoding. Where larger blocks are kept, they lie in pieces at the end: 40 MB of irec-code's, for no time gained.
    Does nothing where there is no glibc.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(_MMAP_THRESHOLD, _MMAP_ABOVE)
            mallopt(_TRIM_THRESHOLD, _TRIM_ABOVE)


def ignore_settings_here() -> None:
    """Have numba not read .numba_config.yaml of the current folder, which may be a stranger's: it can name files to be
    written. To be called before numba is imported; imports it only where there is such a file.
    """
    if not Path(NUMBA_SETTINGS).exists() or find_spec("numba") is None or "numba" in sys.modules:
        return
    modules: dict[str, Any] = sys.modules  # type: ignore[assignment]
    yaml = modules.get("yaml")
    modules["yaml"] = None  # without it numba cannot read the file, says so by a warning, and goes on
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import numba
    finally:
        del modules["yaml"]
        if yaml is not None:
            modules["yaml"] = yaml
    config: Any = numba.config
    config._config_fname = os.devnull + "/none"  # it is looked for again whenever something is compiled


def silence_libraries() -> None:
    """Keep what libraries warn of and log from stderr, which is for rdzip's own lines; errors are raised all the same.

    RDZIP_TRACEBACK in the environment, or Python's own options of warnings, let it through.
    """
    if os.environ.get("RDZIP_TRACEBACK") or sys.warnoptions:
        return
    warnings.showwarning = lambda *_, **__: None
    if not logging.getLogger().handlers:  # else Python prints what nobody handles
        logging.getLogger().addHandler(logging.NullHandler())
    os.environ.setdefault("HF_HUB_VERBOSITY", "error")
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
