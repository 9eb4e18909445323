"""Scalar code that numba compiles where it is installed, and that Python runs as it is where not.

Only integers, and float64 with + - * / in the order that the source has: no fast mathematics, so neither the compiler
nor the processor may change a result (docs/explanation/exactness.md). What was compiled is kept in a folder of the
user, named by a hash of all sources: numba itself would go on using a function whose callee in another file has
changed. Folders that were not used for KEPT_DAYS are removed.
"""

from __future__ import annotations

import hashlib
import logging
import os
import pickle
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar, cast

from rdzip.exact.numba_support import compiled_here

KEPT_DAYS = 30
NAME_LENGTH = 16
COMPILED_FROM = ("entropy", "exact", "rec", "models", "codecs", "formats/carriers")
"""Folders of the package with whatever compiled code is made of: compiled functions, and what they call or name."""
F = TypeVar("F", bound=Callable[..., Any])

FUNCTIONS: list[Callable[..., Any]] = []
"""Whatever `compiled` was given so far, compiled or not: what decides coded bits."""
COMPILES = compiled_here()
COMPILE_LOG = logging.getLogger("rdzip.compile")
if COMPILES:
    import numba
    from numba.core import caching, event, serialize

    _config: Any = numba.config
    _config.SLP_VECTORIZE = 1  # independent operations side by side: the same results, a third faster

    class _Compiling(event.Listener):
        """Logs, once a process, that something is being compiled: whoever waits may want to know why."""

        logged = False

        def on_start(self, event: Any) -> None:
            """Log it; event: of no meaning."""
            if not _Compiling.logged:
                _Compiling.logged = True
                COMPILE_LOG.info("compiling the coder for this machine, once")

        def on_end(self, event: Any) -> None:
            """Do nothing."""

    _event: Any = event
    _event.register("numba:compile", _Compiling())
    _caching: Any = caching
    _serialize: Any = serialize

    class _Checked(_caching.CompileResultCacheImpl):  # type: ignore[misc]
        """Compiled code with its SHA-256, which must not have changed on the disk."""

        def reduce(self, cres: Any) -> tuple[bytes, bytes]:
            """Return the hash and the bytes of a compiled function."""
            data = _serialize.dumps(super().reduce(cres))
            return hashlib.sha256(data).digest(), data

        def rebuild(self, target_context: Any, payload: Any) -> Any:
            """Return the function, or raise ValueError."""
            digest, data = payload
            if hashlib.sha256(data).digest() != digest:
                raise ValueError("the compiled code has changed")
            return super().rebuild(target_context, pickle.loads(data))

    class _Kept(_caching.FunctionCache):  # type: ignore[misc]
        """The cache of a function, without which all goes on as well: code that cannot be read is compiled anew."""

        _impl_class = _Checked

        def load_overload(self, sig: Any, target_context: Any) -> Any:
            """Return the compiled function, or None."""
            try:
                return super().load_overload(sig, target_context)
            except Exception:  # whatever a file may be after a power cut
                with suppress(OSError, AttributeError):
                    Path(self._cache_file._index_path).unlink()
                return None

        def save_overload(self, sig: Any, data: Any) -> None:
            """Keep a compiled function, if there is room."""
            with suppress(Exception):
                super().save_overload(sig, data)


def _name(package: Path) -> str:
    """Name of the folder for compiled code of these sources: their hash, with their paths in the package."""
    digest = hashlib.sha256()
    for part in COMPILED_FROM:
        for path in sorted((package / part).rglob("*.py")):
            data = path.read_bytes()
            digest.update(f"{path.relative_to(package).as_posix()} {len(data)}\n".encode() + data)
    return digest.hexdigest()[:NAME_LENGTH]


@lru_cache(maxsize=1)
def _folder() -> Path | None:
    """Where compiled code is kept; None if nothing can be kept."""
    own = os.environ.get("NUMBA_CACHE_DIR")
    try:
        cache = Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rdzip"
        folder = cache / "compiled" / _name(Path(__file__).resolve().parents[1])
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except (OSError, RuntimeError):  # read-only, or no home
        return None
    _remove_unused(folder)
    return folder


def _remove_unused(used: Path) -> None:
    """Note in its time that a folder is used, and remove its neighbours that have not been for long, where possible."""
    with suppress(OSError):
        os.utime(used)
        for folder in list(used.parent.iterdir()):
            with suppress(OSError):  # another process may be removing it
                unused = time.time() - folder.stat().st_mtime
                if unused > KEPT_DAYS * 86400 and re.fullmatch(f"[0-9a-f]{{{NAME_LENGTH}}}", folder.name):
                    shutil.rmtree(folder, ignore_errors=True)


def compiled(function: F) -> F:
    """The function compiled at its first call, and kept on disk; the function itself without numba.

    It may make no arrays: nothing counts references (_nrt), which took half the time of short functions.
    """
    return _compiled(function, inline=False)


def inlined(function: F) -> F:
    """As `compiled`, and put into the functions that call it: named tuples of arrays take long to hand over."""
    return _compiled(function, inline=True)


def _compiled(function: F, *, inline: bool) -> F:
    """See `compiled` and `inlined`."""
    if not COMPILES:
        FUNCTIONS.append(function)
        return function
    folder, before = _folder(), _config.CACHE_DIR
    _config.CACHE_DIR = str(folder or "")
    try:
        options: dict[str, Any] = {"cache": folder is not None, "nogil": True, "error_model": "numpy", "_nrt": False}
        if inline:
            options["inline"] = "always"
        result: Any = numba.njit(**options)(function)
        if folder is not None:
            result._cache = _Kept(function)
        FUNCTIONS.append(result)
        return cast(F, result)
    finally:
        _config.CACHE_DIR = before
