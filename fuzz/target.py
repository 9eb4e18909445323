"""What a target is, what one run of it may end with, and what counts as a fault."""

from __future__ import annotations

import ctypes
import gc
import hashlib
import importlib
import os
import re
import resource
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, cast

import rdzip
from rdzip.errors import RdzipError

FOLDER = Path(__file__).parent
CRASHERS = FOLDER / "crashers"
NAMES = tuple(sorted(path.stem for path in (FOLDER / "targets").glob("[a-z]*.py")))
SECONDS = 5.0
"""Processor time that one input may take."""
MEGABYTES = 500
"""Memory that one input may take beyond what the process had before."""


class Target(Protocol):
    """A module of fuzz/targets/.

    CODE: how scalar code runs: "python", into which coverage sees, "compiled", or "checked", which is compiled and
    notices an index out of range. MAX_LEN: bytes of an input.
    """

    CODE: str
    MAX_LEN: int

    @staticmethod
    def seeds() -> Iterator[bytes]:
        """Inputs to begin with, made by code."""
        ...

    @staticmethod
    def one(data: bytes) -> None:
        """Read one input. RdzipError, or no exception, are what may come; others and AssertionError are faults."""
        ...


def code_of(name: str) -> str:
    """The CODE of a target, which is not imported for it."""
    text = (FOLDER / "targets" / f"{name}.py").read_text("utf-8")
    (code,) = re.findall(r'^CODE = "(\w+)"$', text, re.MULTILINE)
    return str(code)


def load(name: str) -> Target:
    """The target of a name. What its CODE needs is set in the environment, if nothing that reads it is imported yet."""
    code = code_of(name)
    if "rdzip.exact.compiled" not in sys.modules:
        os.environ.setdefault("RDZIP_COMPILE", "0" if code == "python" else "1")
        if code == "checked":
            os.environ.setdefault("NUMBA_BOUNDSCHECK", "1")
            os.environ.setdefault("NUMBA_CACHE_DIR", str(Path(tempfile.gettempdir()) / f"rdzip-checked-{os.getuid()}"))
    return cast(Target, importlib.import_module(f"fuzz.targets.{name}"))


@dataclass(frozen=True)
class Fault:
    """What went wrong with an input: a kind ("crash", "slow", "memory"), where, so that the same comes once, a text."""

    kind: str
    where: str
    text: str


OURS = (Path(rdzip.__file__).parent, Path(__file__).parent)
"""Folders whose lines tell faults from each other."""


def where_of(error: BaseException) -> str:
    """Type of an exception, and the innermost line of rdzip or of these targets in it."""
    frames = traceback.extract_tb(error.__traceback__)
    last = [frame for frame in frames if any(folder in Path(frame.filename).parents for folder in OURS)][-1]
    return f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}"


def peak_megabytes() -> float:
    """Most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def status_megabytes(name: str) -> float:
    """An entry of this process's status: VmRSS is its memory now, VmHWM the most since that was reset."""
    (kilobytes,) = re.findall(rf"^{name}:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(kilobytes) / 1024


def needed_megabytes(run: Callable[[], object]) -> float:
    """Memory that a call needs beyond what the process has, once garbage is given back."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before = status_megabytes("VmRSS")
    with suppress(Exception):
        run()
    return status_megabytes("VmHWM") - before


@dataclass
class Watched:
    """Runs inputs of a target and tells their faults. high: the memory of the process, in MiB, above which an input is
    run again to see how much it needs itself.
    """

    target: Target
    high: float = field(default_factory=lambda: peak_megabytes() + MEGABYTES)
    runs: int = 0

    def run(self, data: bytes) -> Fault | None:
        """The fault of an input, None if it has none."""
        self.runs += 1
        start = time.process_time()
        try:
            self.target.one(data)
        except RdzipError:
            pass
        except Exception as error:
            return Fault("crash", where_of(error), "".join(traceback.format_exception(error)))
        seconds = time.process_time() - start
        if seconds > SECONDS:
            return Fault("slow", "slow", f"{seconds:.1f} s of processor time, {SECONDS:g} are allowed")
        if (peak := peak_megabytes()) > self.high:
            self.high = peak
            if (found := needed_megabytes(lambda: self.target.one(data))) > MEGABYTES:
                return Fault("memory", "memory", f"{found:.0f} MiB, {MEGABYTES} are allowed")
        return None


def name_of(data: bytes, kind: str) -> str:
    """Name of a file for an input."""
    return f"{kind}-{hashlib.sha256(data).hexdigest()[:12]}"


def crashers(name: str) -> list[Path]:
    """Inputs that were faults once."""
    return sorted(path for path in (CRASHERS / name).glob("*") if path.is_file())
