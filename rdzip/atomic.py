"""Writes that happen wholly or not at all.

A result is written to a temporary file in the destination folder (``.rdzip-XXXXXXXX.tmp``, all that a killed process
can leave behind), flushed to the disk, and moved to its name in one step.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from rdzip.errors import InputError

TEMP_PREFIX, TEMP_SUFFIX = ".rdzip-", ".tmp"

_NO_HARD_LINKS = {errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV}


def shown(path: Path | str) -> str:
    """Return a path as printable text on one line: control characters and undecodable bytes are escaped."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(path))


def explain(error: OSError) -> str:
    """Return what the system says about a failed call, in lower case and without the error number."""
    text = error.strerror or str(error) or type(error).__name__
    return text[:1].lower() + text[1:]


def write(target: Path | None, data: bytes, *, like: os.stat_result | None = None, force: bool = False) -> None:
    """Write `data` to a file (None is stdout) wholly or not at all, with the mtime and mode of `like`.

    A terminal, pipe or device at `target` is written to as it is. Raises InputError when the target exists and `force`
    is not given, or cannot be written.
    """
    with written(target, like=like, force=force) as file:
        file.write(data)


@contextmanager
def written(target: Path | None, *, like: os.stat_result | None = None, force: bool = False) -> Iterator[BinaryIO]:
    """As `write`, for data that come in pieces: nothing is left at `target` unless the block ends without an error."""
    name = "stdout" if target is None else shown(target)
    try:
        if target is None:
            with _stdout() as file:
                yield file
        elif target.exists() and is_stream(target.stat()):
            with target.open("wb") as file:
                if file.isatty() and not force:
                    raise InputError(f"binary data is not written to the terminal {name}; force it by -f")
                yield file
        else:
            # Through a link with -f: the file that it points to is replaced, the link stays.
            final = Path(os.path.realpath(target)) if force else target
            final.parent.mkdir(parents=True, exist_ok=True)
            with _temporary(final, like, force) as file:
                yield file
    except OSError as error:
        raise InputError(f"{name} cannot be written: {explain(error)}") from None


@contextmanager
def _stdout() -> Iterator[BinaryIO]:
    try:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    except OSError:
        # Python flushes stdout again at exit and would complain a second time.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise


@contextmanager
def _temporary(final: Path, like: os.stat_result | None, force: bool) -> Iterator[BinaryIO]:
    temp = final.with_name(TEMP_PREFIX + os.urandom(4).hex() + TEMP_SUFFIX)
    try:
        # Readable by nobody else until it has the mode of the original; without one the umask decides.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        descriptor = os.open(temp, flags, 0o666 if like is None else 0o600)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if like is not None:
            # Some file systems have neither modes nor times to set; the data counts for more.
            with contextlib.suppress(OSError):
                temp.chmod(stat.S_IMODE(like.st_mode) & 0o777)
            with contextlib.suppress(OSError):
                os.utime(temp, ns=(like.st_atime_ns, like.st_mtime_ns))
        _move(temp, final, force)
    except BaseException:
        with contextlib.suppress(OSError):
            temp.unlink()
        raise
    _sync_folder(final.parent)


def _move(temp: Path, final: Path, force: bool) -> None:
    if force:
        temp.replace(final)
        return
    try:
        # Unlike a rename, a link fails if somebody else has made the file in the meantime.
        os.link(temp, final)
        temp.unlink()
    except FileExistsError:
        raise InputError(exists_already(final)) from None
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        if os.path.lexists(final):
            raise InputError(exists_already(final)) from None
        temp.rename(final)


def _sync_folder(folder: Path) -> None:
    """Flush the folder's entry too, where the system can: only then is the new name safe from a power cut."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def is_stream(status: os.stat_result) -> bool:
    """Return whether this is a terminal, pipe, device or socket: something to write to, not to replace."""
    mode = status.st_mode
    return stat.S_ISCHR(mode) or stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def exists_already(target: Path) -> str:
    """Return the message for a target that is not to be replaced."""
    return f"{shown(target)} exists already and is left as it is; use -f to replace it, or another name"
