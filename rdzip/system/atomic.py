"""Atomic writes of files: wholly or not at all.

A result is written to a temporary file in the destination folder (``.rdzip-XXXXXXXX.tmp``, all that a killed process
can leave behind), flushed to the disk, and moved to its name in one step; folders that are made for it are flushed too.
No result can be read by more people than what it was made from.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from rdzip.errors import InputError

TEMP_PREFIX, TEMP_SUFFIX = ".rdzip-", ".tmp"

_NOT_SYNCED = {errno.EINVAL, errno.EACCES, errno.EPERM, errno.EBADF, errno.EISDIR, errno.ENOTSUP, errno.ENOSYS}
_NO_HARD_LINKS = {errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV}


def shown(path: Path | str) -> str:
    """Return a path as printable text on one line: control characters and undecodable bytes are escaped."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(path))


def explain(error: OSError) -> str:
    """Return what the system says about a failed call, in lower case and without the error number."""
    text = error.strerror or str(error) or type(error).__name__
    return text[:1].lower() + text[1:]


class Hashed:
    """Passes on what is written to a file, and has the SHA-256 of it."""

    def __init__(self, out: BinaryIO) -> None:
        self._out, self._state = out, hashlib.sha256()

    def write(self, data: bytes | memoryview) -> int:
        """Write all of `data`."""
        self._state.update(data)
        return self._out.write(data)

    @property
    def digest(self) -> bytes:
        """SHA-256 of what was written so far."""
        return self._state.digest()


def write(target: Path | None, data: bytes, *, like: os.stat_result | Kept | None = None, force: bool = False) -> None:
    """Write `data` to a file (None is stdout) wholly or not at all, with the mtime and mode of `like`.

    A terminal, pipe or device at `target` is written to as it is. Raises InputError when the target exists and `force`
    is not given, or cannot be written.
    """
    with written(target, like=like, force=force) as file:
        file.write(data)


@contextmanager
def written(
    target: Path | None,
    *,
    like: os.stat_result | Kept | None = None,
    made_of: Sequence[os.stat_result | Kept] | None = None,
    force: bool = False,
) -> Iterator[BinaryIO]:
    """As `write`, for data that come in pieces: nothing is left at `target` unless the block ends without an error.

    made_of: what the data come from, complete when the block ends: the file may be read by those who may read all.
    """
    name = "stdout" if target is None else shown(target)
    try:
        if target is None:
            with _stdout() as file:
                yield file
        elif target.exists() and is_stream(target.stat()):
            with target.open("wb") as file:
                if file.isatty() and not force:
                    raise InputError(f"binary data is not written to the terminal {name}; force it by `force`")
                yield file
        else:
            # Through a link with -f: the file that it points to is replaced, the link stays.
            final = Path(os.path.realpath(target)) if force else target
            _make_folder(final.parent)
            with _temporary(final, like, made_of, force) as file:
                yield file
    except OSError as error:
        raise InputError(f"{name} cannot be written: {explain(error)}") from None


def is_on_disk(target: Path | None, digest: bytes) -> bool:
    """Return whether a result is in a plain file, which then has been read again; False for a stream, or stdout.

    digest: SHA-256 of what was written. Raises InputError if something else is read, or nothing.
    """
    if target is None:
        return False
    try:
        if not stat.S_ISREG(target.stat().st_mode):
            return False
        with target.open("rb", buffering=0) as file:
            if hasattr(os, "posix_fadvise"):  # ask the disk, not the memory that still has it
                with contextlib.suppress(OSError):
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            state = hashlib.sha256()
            while piece := file.read(1 << 20):
                state.update(piece)
    except OSError as error:
        raise InputError(f"{shown(target)} cannot be read again: {explain(error)}; the input is kept") from None
    if state.digest() != digest:
        raise InputError(f"{shown(target)} reads otherwise than it was written; check the disk; the input is kept")
    return True


@contextmanager
def _stdout() -> Iterator[BinaryIO]:
    if sys.stdout is None:
        raise InputError("expected stdout to be open, found it closed; redirect it, or write to a file")
    try:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    except OSError:
        # Python flushes stdout again at exit and would complain a second time.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it, each safe from a power cut before anything is put into it."""
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for new in reversed(missing):
        new.mkdir(exist_ok=True)
        _sync_folder(new.parent)


@contextmanager
def _temporary(
    final: Path, like: os.stat_result | Kept | None, made_of: Sequence[os.stat_result | Kept] | None, force: bool
) -> Iterator[BinaryIO]:
    temp = final.with_name(TEMP_PREFIX + os.urandom(4).hex() + TEMP_SUFFIX)
    try:
        # Readable by nobody else until it has the mode of the original; without one the umask decides.
        private = like is not None or made_of is not None
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        descriptor = os.open(temp, flags, 0o600 if private else 0o666)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        sources = [like] if like is not None else list(made_of or ())
        if sources:
            _share(temp, sources)
        if like is not None:
            # Some file systems have no times to set; the data counts for more.
            with contextlib.suppress(OSError):
                os.utime(temp, ns=(like.st_atime_ns, like.st_mtime_ns))
        _move(temp, final, force)
    except BaseException:
        with contextlib.suppress(OSError):
            temp.unlink()
        raise
    _sync_folder(final.parent)


def _share(temp: Path, sources: Sequence[os.stat_result | Kept]) -> None:
    """Let those read and write a file who may do so with all of its sources; the one owner and group of these get it.

    Where it cannot have their group, its own group may do what all others may. Some file systems have no modes.
    """
    mode = 0o777 if len(sources) == 1 else 0o666
    for source in sources:
        mode &= source.st_mode
    owners, groups = {source.st_uid for source in sources}, {source.st_gid for source in sources}
    now = temp.stat()
    if hasattr(os, "chown"):
        for theirs, own, change in ((owners, now.st_uid, "u"), (groups, now.st_gid, "g")):
            if len(theirs) == 1 and theirs != {own}:
                with contextlib.suppress(OSError):  # the superuser may, and members of the group
                    os.chown(temp, *(*theirs, -1) if change == "u" else (-1, *theirs))
        if groups != {temp.stat().st_gid}:
            mode &= ~0o070 | (mode & 0o007) << 3
    with contextlib.suppress(OSError):
        temp.chmod(mode)


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
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NOT_SYNCED:
            raise
    finally:
        os.close(descriptor)


@dataclass(frozen=True)
class Kept:
    """What an archive keeps of a file, in place of its status: mode and time; owner and group are the archive's."""

    st_mode: int
    st_mtime_ns: int
    st_uid: int
    st_gid: int

    @property
    def st_atime_ns(self) -> int:
        """The time of change: that of access is not kept."""
        return self.st_mtime_ns


def with_attributes(
    status: os.stat_result | Kept | None, attributes: tuple[int, int] | None
) -> os.stat_result | Kept | None:
    """Return the mode and time that an archive keeps of a file, as a status; that of the archive if it keeps none."""
    if attributes is None:
        return status
    mode, time = attributes
    uid, gid = (
        (status.st_uid, status.st_gid) if status else (os.getuid(), os.getgid()) if os.name == "posix" else (0, 0)
    )
    return Kept(mode & 0o777, time, uid, gid)


def make_folder(path: Path, attributes: tuple[int, int] | None) -> None:
    """Make a folder if it is missing, and give it the mode and the time that are kept of it. Raises InputError."""
    try:
        _make_folder(path)
        if attributes is not None:
            mode, time = attributes
            with contextlib.suppress(OSError):
                path.chmod(mode & 0o777)
                os.utime(path, ns=(time, time))
    except OSError as error:
        raise InputError(f"{shown(path)} cannot be made: {explain(error)}") from None


def is_stream(status: os.stat_result) -> bool:
    """Return whether this is a terminal, pipe, device or socket: something to write to, not to replace."""
    mode = status.st_mode
    return stat.S_ISCHR(mode) or stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def not_a_file(path: Path) -> str:
    """Return what stands there in place of a file that can be read to its end, "" if it is one or nobody can tell."""
    try:
        mode = path.stat().st_mode
    except OSError:
        with contextlib.suppress(OSError):  # of a name that is too long
            return "a link that leads nowhere" if path.is_symlink() else ""
        return ""
    return kind_of(mode)


def kind_of(mode: int) -> str:
    """Return what is no plain file, in words; "" for a plain file."""
    if stat.S_ISREG(mode):
        return ""
    kinds = ((stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"), (stat.S_ISDIR, "a folder"))
    return next((text for test, text in kinds if test(mode)), "a device")


def exists_already(target: Path) -> str:
    """Return the message for a target that is not to be replaced."""
    return f"{shown(target)} exists already and is left as it is; use `force` to replace it, or another name"
