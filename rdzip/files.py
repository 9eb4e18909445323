"""Files on disk: which inputs are meant, where each result goes, and writes that happen wholly or not at all.

Nothing here knows what is inside a file. Rules that the command line keeps:
a result never lands on one of the inputs, never on an existing file unless forced, and never in part: it is written to
a temporary file in the destination folder (``.rdzip-XXXXXXXX.tmp``, all that a killed process can leave behind),
flushed to the disk, and moved to its name in one step.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rdzip.errors import InputError, RdzipError

SUFFIX = ".rdz"
STDIO = "-"
TEMP_PREFIX, TEMP_SUFFIX = ".rdzip-", ".tmp"

# What a folder is searched for with -r; a file that is named itself may have any suffix.
_IMAGES = (
    ".apng .avif .bmp .cur .dds .dib .fits .fli .flc .gif .icns .ico .j2c .j2k .jfif .jp2 .jpe .jpeg .jpf .jpg .jpx "
    ".mpo .msp .pbm .pcx .pfm .pgm .png .pnm .ppm .psd .qoi .ras .rgb .rgba .sgi .tga .tif .tiff .webp .xbm"
)
IMAGE_SUFFIXES = frozenset(_IMAGES.split())

_NO_HARD_LINKS = {errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV}


class UsageError(RdzipError):
    """Arguments that do not go together; nothing was done (exit code 2)."""


@dataclass(frozen=True)
class Found:
    """One input: its path (None is stdin), its path below the folder that was searched, and why it cannot be used."""

    path: Path | None
    relative: Path
    problem: str | None = None

    @property
    def name(self) -> str:
        """The input as the user knows it, on one line; ``-`` is stdin."""
        return STDIO if self.path is None else shown(self.path)


@dataclass(frozen=True)
class Source:
    """The bytes of an input, and its status when it was read (None: it has no mtime or mode to keep)."""

    data: bytes
    status: os.stat_result | None


def shown(path: Path | str) -> str:
    """Return a path as printable text on one line: control characters and undecodable bytes are escaped."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(path))


def explain(error: OSError) -> str:
    """Return what the system says about a failed call, in lower case and without the error number."""
    text = error.strerror or str(error) or type(error).__name__
    return text[:1].lower() + text[1:]


def find(names: Sequence[str], *, recursive: bool, suffixes: frozenset[str]) -> list[Found]:
    """List the inputs that `names` stand for: files, ``-`` for stdin, and with `recursive` the files below folders.

    Folders are walked in sorted order without following links to folders; only files with one of `suffixes` (lower
    case, with the dot) are taken from them. What cannot be used is listed too, with its `problem`.
    """
    found: list[Found] = []
    for name in names:
        path = Path(name)
        if name == STDIO:
            found.append(Found(None, Path(STDIO)))
        elif not name or "\0" in name:
            found.append(Found(path, path, "expected the name of a file, found an empty one"))
        elif _is_folder(path):
            found.extend(_walk(path, suffixes) if recursive else [Found(path, path, "is a folder; add -r to enter it")])
        else:
            found.append(Found(path, Path(path.name)))
    return found


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False  # reading it will say what is wrong


def _walk(top: Path, suffixes: frozenset[str]) -> Iterator[Found]:
    failures: list[OSError] = []
    empty = True
    for folder, subfolders, names in os.walk(top, onerror=failures.append):
        subfolders.sort()
        for name in sorted(names):
            path = Path(folder, name)
            if path.suffix.lower() in suffixes:
                empty = False
                yield Found(path, path.relative_to(top))
    for failure in failures:
        path = Path(failure.filename or top)
        yield Found(path, path, f"cannot be searched: {explain(failure)}")
    if empty and not failures:
        yield Found(top, top, "holds no file to work on; name the files themselves to have them tried")


def read(found: Found, *, limit: int | None = None) -> Source:
    """Read an input, or its first `limit` bytes. Raises InputError when it is missing, unreadable or a terminal."""
    if found.problem is not None:
        raise InputError(found.problem)
    if found.path is None:
        if sys.stdin is None or sys.stdin.isatty():
            raise InputError("expected data on stdin, found a terminal; name a file or pipe one in")
        try:
            return Source(sys.stdin.buffer.read() if limit is None else sys.stdin.buffer.read(limit), None)
        except OSError as error:
            raise InputError(f"stdin cannot be read: {explain(error)}") from None
    try:
        with found.path.open("rb") as file:
            status = os.fstat(file.fileno())
            data = file.read() if limit is None else file.read(limit)
    except OSError as error:
        raise InputError(f"cannot be read: {explain(error)}") from None
    except ValueError:
        raise InputError("expected the name of a file, found one with a null byte") from None
    return Source(data, status if stat.S_ISREG(status.st_mode) else None)


@dataclass
class Destination:
    """Where results go: beside the inputs, to one file (`output`), into a folder, or to stdout.

    Keeps account of the inputs and of what has been written in this run, so that no result replaces either.
    """

    output: Path | None = None
    folder: Path | None = None
    stdout: bool = False
    force: bool = False
    _inputs: set[tuple[int, int]] = field(default_factory=set, init=False)
    _claimed: dict[str, str] = field(default_factory=dict, init=False)

    @classmethod
    def of(
        cls,
        found: Sequence[Found],
        *,
        output: str | None,
        folder: Path | None,
        stdout: bool,
        force: bool,
        archive: str | None = None,
    ) -> Destination:
        """Read the options -o, -O, -c, --archive and -f for these inputs.

        Raises UsageError when they do not go together.
        """
        if archive is not None and (output is not None or folder is not None or stdout):
            raise UsageError("expected one place for the result, found --archive with -o, -O or -c; leave one out")
        if archive is not None and any(item.path is None for item in found):
            raise UsageError("stdin has no name to carry in an archive; name files")
        output = archive if archive is not None else output
        if output is not None and (folder is not None or stdout):
            raise UsageError(f"expected one of -o, -O and -c, found -o with {'-c' if stdout else '-O'}; leave one out")
        if stdout and folder is not None:
            raise UsageError("expected one of -o, -O and -c, found -O with -c; leave one out")
        if output == "":
            raise UsageError("expected the name of a file after -o, found an empty one")
        if sum(item.path is None for item in found) > 1:
            raise UsageError("expected - (stdin) once at most, found it several times")
        if folder is not None and any(item.path is None for item in found):
            raise UsageError("stdin has no name to use in a folder; use -o instead of -O")
        stdout = stdout or output == STDIO or (output is None and any(item.path is None for item in found))
        if len(found) > 1 and archive is None and (output is not None or stdout):
            goal = "stdout" if stdout else f"-o {shown(output or '')}"
            raise UsageError(f"expected one input for {goal}, found {len(found)}; use -O for a folder of results")
        if stdout and not force and sys.stdout is not None and sys.stdout.isatty():
            raise UsageError(
                "binary data is not written to a terminal; redirect stdout, use -o FILE, or force it by -f"
            )
        destination = cls(None if stdout or output is None else Path(output), folder, stdout, force)
        destination.protect(found)
        return destination

    def protect(self, found: Sequence[Found]) -> None:
        """Remember inputs which no result may replace, by device and inode (so links are seen through)."""
        for item in found:
            if item.path is not None:
                with contextlib.suppress(OSError, ValueError):
                    status = item.path.stat()
                    self._inputs.add((status.st_dev, status.st_ino))

    def place(self, found: Found, name: str) -> Path | None:
        """Return the path for the result of `found`, called `name` unless -o says otherwise; None is stdout.

        Opens nothing. Raises InputError when that path is an input, a folder, the place of another result of this
        run, or an existing file (unless forced).
        """
        if self.stdout:
            return None
        if self.output is not None:
            target = self.output
        elif self.folder is not None:
            target = self.folder / found.relative.with_name(name)
        else:
            target = (found.path or found.relative).with_name(name)
        self._claim(target, found)
        return target

    def _claim(self, target: Path, found: Found) -> None:
        try:
            status = target.stat()
        except OSError:
            status = None
        if status is not None and (status.st_dev, status.st_ino) in self._inputs and not _is_stream(status):
            raise InputError(f"the result would replace the input {shown(target)}; choose another name by -o or -O")
        if status is not None and stat.S_ISDIR(status.st_mode):
            raise InputError(f"expected a file to write, found the folder {shown(target)}; use -O for a folder")
        real = os.path.realpath(target)
        if real in self._claimed and not (status is not None and _is_stream(status)):
            raise InputError(f"the result would replace {shown(target)}, just made from {self._claimed[real]}; use -o")
        if not self.force and os.path.lexists(target) and not (status is not None and _is_stream(status)):
            raise InputError(_exists(target))
        self._claimed[real] = found.name


def _is_stream(status: os.stat_result) -> bool:
    mode = status.st_mode
    return stat.S_ISCHR(mode) or stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)


def _exists(target: Path) -> str:
    return f"{shown(target)} exists already and is left as it is; use -f to replace it, or another name"


def compressed_name(found: Found) -> str:
    """Return the name of the compressed file: ``a.png`` gives ``a.png.rdz``. Raises InputError for a .rdz name."""
    if found.relative.suffix.lower() == SUFFIX:
        raise InputError("expected an image, found a name that ends in .rdz already; use decompress, or rename it")
    return found.relative.name + SUFFIX


def decompressed_name(found: Found, suffix: str | None = None) -> str:
    """Return the name of the decompressed file: ``a.png.rdz`` gives ``a.png``; `suffix` replaces the ``.png``.

    Raises InputError when the name does not end in ``.rdz`` or nothing would be left of it.
    """
    path = found.relative
    stem = Path(path.name[: -len(SUFFIX)])
    if path.suffix.lower() != SUFFIX or not stem.name:
        raise InputError(
            f"expected a name that ends in {SUFFIX}, found {shown(path.name)}; give the result's name by -o"
        )
    return stem.name if suffix is None else stem.with_suffix(suffix).name


def write(target: Path | None, data: bytes, *, like: os.stat_result | None = None, force: bool = False) -> None:
    """Write `data` to a file (None is stdout) wholly or not at all, with the mtime and mode of `like`.

    A terminal, pipe or device at `target` is written to as it is. Raises InputError when the target exists and `force`
    is not given, or cannot be written.
    """
    if target is None:
        _write_stdout(data)
        return
    try:
        if target.exists() and _is_stream(target.stat()):
            _write_stream(target, data, force)
            return
        # Through a link with -f: the file that it points to is replaced, the link stays.
        final = Path(os.path.realpath(target)) if force else target
        final.parent.mkdir(parents=True, exist_ok=True)
        _write_file(final, data, like, force)
    except OSError as error:
        raise InputError(f"{shown(target)} cannot be written: {explain(error)}") from None


def _write_stdout(data: bytes) -> None:
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except OSError as error:
        # Python flushes stdout again at exit and would complain a second time.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise InputError(f"stdout cannot be written: {explain(error)}") from None


def _write_stream(target: Path, data: bytes, force: bool) -> None:
    with target.open("wb") as stream:
        if stream.isatty() and not force:
            raise InputError(f"binary data is not written to the terminal {shown(target)}; force it by -f")
        stream.write(data)


def _write_file(final: Path, data: bytes, like: os.stat_result | None, force: bool) -> None:
    temp = final.with_name(TEMP_PREFIX + os.urandom(4).hex() + TEMP_SUFFIX)
    try:
        # Readable by nobody else until it has the mode of the original; without one the umask decides.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        descriptor = os.open(temp, flags, 0o666 if like is None else 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
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
        raise InputError(_exists(final)) from None
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        if os.path.lexists(final):
            raise InputError(_exists(final)) from None
        temp.rename(final)


def _sync_folder(folder: Path) -> None:
    """Flush the folder's entry too, where the system can: only then is the new name safe from a power cut."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove_source(found: Found, source: Source) -> None:
    """Delete an input whose result is safely on disk. Raises InputError when it has changed since it was read."""
    if found.path is None or source.status is None:
        raise InputError("only a plain file can be removed after use; it is left as it is")
    try:
        now = found.path.stat()
        if (now.st_mtime_ns, now.st_size, now.st_ino) != (
            source.status.st_mtime_ns,
            source.status.st_size,
            source.status.st_ino,
        ):
            raise InputError("the file has changed since it was read; it is not removed")
        found.path.unlink()
    except OSError as error:
        raise InputError(f"cannot be removed: {explain(error)}") from None
