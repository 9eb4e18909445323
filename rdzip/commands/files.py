"""Which inputs are meant, what they hold, and where each result goes; nothing here knows what is inside a file.

A result never lands on one of the inputs, on another result of the same run, or on an existing file unless forced.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import stat
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from rdzip.errors import InputError, UsageError
from rdzip.system.atomic import exists_already, explain, is_stream, kind_of, not_a_file, shown

SUFFIX = ".rdz"
STDIO = "-"

# What a folder is searched for with -r; a file that is named itself may have any suffix.
_IMAGES = (
    ".apng .avif .bmp .bw .cur .dds .dib .fits .fli .flc .gif .icb .icns .ico .j2c .j2k .jfif .jp2 .jpe .jpeg .jpf "
    ".jpg .jpx .mpo .msp .pbm .pcx .pfm .pgm .png .pnm .ppm .psd .qoi .ras .rgb .rgba .sgi .tga .tif .tiff .vda .vst "
    ".webp .xbm"
)
IMAGE_SUFFIXES = frozenset(_IMAGES.split())


@dataclass(frozen=True)
class Found:
    """One input: its path (None is stdin), its path below the folder that was searched, and why it cannot be used.

    member: the name of an image in an archive, which `path` then is; `relative` is its path below the archive's folder.
    """

    path: Path | None
    relative: Path
    problem: str | None = None
    member: str | None = None

    def __str__(self) -> str:
        """Return the input as it was named; ``-`` is stdin, ``photos.rdz/a.png`` a member of an archive."""
        whole = STDIO if self.path is None else str(self.path)
        return whole if self.member is None else f"{whole}/{self.member}"

    def check(self) -> None:
        """Raise InputError if it is known already that it cannot be used."""
        if self.problem is not None:
            raise InputError(self.problem)

    @property
    def name(self) -> str:
        """The input as it is shown: printable, on one line."""
        return shown(str(self))


@dataclass(frozen=True)
class Source:
    """The bytes of an input, and its status when it was read (None: it has no mtime or mode to keep)."""

    data: bytes
    status: os.stat_result | None


def find(
    names: Sequence[str], *, recursive: bool, suffixes: frozenset[str], note: Callable[[str], None] = lambda _: None
) -> list[Found]:
    """List the inputs that `names` stand for: files, ``-`` for stdin, and with `recursive` the files below folders.

    Folders are walked in sorted order without following links to folders; only files with one of `suffixes` (lower
    case, with the dot) are taken from them. Pipes, devices and links to nothing among these are left out, which `note`
    is told. What cannot be used is listed too, with its `problem`.
    """
    found: list[Found] = []
    for name in names:
        path = Path(name)
        if name == STDIO:
            found.append(Found(None, Path(STDIO)))
        elif not name or "\0" in name:
            found.append(Found(path, path, "expected the name of a file, found an empty one"))
        elif _is_folder(path):
            inside = (
                _walk(path, suffixes, note) if recursive else [Found(path, path, "is a folder; add -r to enter it")]
            )
            found.extend(inside)
        else:
            found.append(Found(path, Path(path.name)))
    return found


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False  # reading it will say what is wrong


def _walk(top: Path, suffixes: frozenset[str], note: Callable[[str], None]) -> Iterator[Found]:
    failures: list[OSError] = []
    empty = True
    for folder, subfolders, names in os.walk(top, onerror=failures.append):
        subfolders.sort()
        for name in sorted(names):
            path = Path(folder, name)
            if path.suffix.lower() not in suffixes:
                continue
            if why := not_a_file(path):
                note(f"{shown(path)} is left out: it is {why}")
                continue
            empty = False
            yield Found(path, path.relative_to(top))
    for failure in failures:
        path = Path(failure.filename or top)
        yield Found(path, path, f"cannot be searched: {explain(failure)}")
    if empty and not failures:
        yield Found(top, top, "holds no file to work on; name the files themselves to have them tried")


@contextmanager
def opened(found: Found) -> Iterator[tuple[BinaryIO, os.stat_result | None]]:
    """Open an input for reading; it can seek. Yields its status too, None if it has no mtime or mode to keep.

    Raises InputError when it is missing, unreadable, a terminal, or a pipe or device of that name; a pipe without a
    name, as the shell's <(...) makes, is read to its end.
    """
    found.check()
    if found.path is None:
        if sys.stdin is None:
            raise InputError("expected data on stdin, found it closed; name a file or pipe one in")
        if sys.stdin.isatty():
            raise InputError("expected data on stdin, found a terminal; name a file or pipe one in")
        try:
            data = sys.stdin.buffer.read()
        except OSError as error:
            raise InputError(f"stdin cannot be read: {explain(error)}") from None
        yield io.BytesIO(data), None
        return
    try:
        # Nobody may have opened the other end of a pipe: its kind must be known before anything is waited for.
        file = open(found.path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0)))  # noqa: SIM115
    except OSError as error:
        why = not_a_file(found.path)
        raise InputError(_no_input(why) if why else f"cannot be read: {explain(error)}") from None
    with file:
        status = os.fstat(file.fileno())
        if kind := kind_of(status.st_mode):
            if kind != "a pipe" or not re.match(r"/proc/.*/pipe:\[|/dev/fd/", os.path.realpath(found.path)):
                raise InputError(_no_input("a terminal" if file.isatty() else kind))
            os.set_blocking(file.fileno(), True)
            yield io.BytesIO(read_on(file)), None
        else:
            yield file, status


def _no_input(kind: str) -> str:
    return f"expected a file, found {kind}; to read a stream, pipe it in and name it -"


def read_on(file: BinaryIO) -> bytes:
    """Return the rest of an open input. Raises InputError when it cannot be read."""
    try:
        return file.read()
    except OSError as error:
        raise InputError(f"cannot be read: {explain(error)}") from None


def read(found: Found) -> Source:
    """Read an input. Raises InputError when it is missing, unreadable, a terminal, or being written to."""
    with opened(found) as (file, status):
        data = read_on(file)
        if status is not None and (len(data) != status.st_size or _state(os.fstat(file.fileno())) != _state(status)):
            raise InputError("the file was changed while it was read; try again when it is finished")
        return Source(data, status)


def _state(status: os.stat_result) -> tuple[int, ...]:
    """Return what a change of a file changes."""
    return status.st_mtime_ns, status.st_size, status.st_ino, status.st_dev


@dataclass
class Destination:
    """Where results go: beside the inputs, to one file (`output`), into a folder, or to stdout.

    Keeps account of the inputs and of what has been written in this run, so that no result replaces either.
    confirm: each result is to be read again, since its input may be deleted.
    """

    output: Path | None = None
    folder: Path | None = None
    stdout: bool = False
    force: bool = False
    confirm: bool = False
    _inputs: set[tuple[int, int]] = field(default_factory=set, init=False)
    _claimed: dict[str, list[tuple[str, str]]] = field(default_factory=dict, init=False)
    _names: dict[tuple[bool, Path], Counter[str]] = field(default_factory=dict, init=False)

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
        if output == "" or (output is not None and output.endswith(("/", os.sep))):
            raise UsageError(f"expected the name of a file after -o, found {shown(output)!r}; use -O for a folder")
        if folder is not None and folder.exists() and not folder.is_dir():
            raise UsageError(f"expected a folder after -O, found the file {shown(folder)}")
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

    def folder_for(self, found: Found) -> Path:
        """Return the folder for the images of an archive: ``photos.rdz`` gives ``photos``, or what is named by -o.

        Raises InputError for stdout.
        """
        if self.stdout:
            raise InputError("expected one image for stdout, found an archive; use -o to name a folder for its images")
        if self.output is not None:
            return self.output
        name = decompressed_name(found)
        if self.folder is not None:
            return self.folder / found.relative.with_name(name)
        return (found.path or found.relative).with_name(name)

    def expect(self, found: Sequence[Found], folder: Path) -> None:
        """Remember what else will come out into the folder of an archive, so that images of one name get two."""
        for item in found:
            names = self._names.setdefault((True, folder / item.relative.parent), Counter())
            names[_key(Path(decompressed_name(item)).stem)] += 1

    def crowded(self, found: Found, folder: Path | None = None) -> bool:
        """Return whether another image there has its name up to the suffix, as ``a.jpg.rdz`` and ``a.png.rdz``.

        folder: that of an archive whose member `found` is.
        """
        place = (found.path or found.relative).parent if folder is None else folder / found.relative.parent
        names = self._names.setdefault((folder is not None, place), Counter())
        if folder is None and not names:
            with contextlib.suppress(OSError):
                packed = [name for name in os.listdir(place) if name.lower().endswith(SUFFIX)]  # noqa: PTH208
                names.update(_key(Path(name[: -len(SUFFIX)]).stem) for name in packed)
        return names[_key(Path(decompressed_name(found)).stem)] > 1

    def place(self, found: Found, name: str, folder: Path | None = None) -> Path | None:
        """Return the path for the result of `found`, called `name` unless -o says otherwise; None is stdout.

        folder: that of an archive whose member `found` is. Opens nothing. Raises InputError when that path is an input,
        a folder, the place of another result of this run, or an existing file (unless forced).
        """
        if self.stdout:
            return None
        if folder is not None:
            target = folder / found.relative.with_name(name)
        elif self.output is not None:
            target = self.output
            if not target.parent.is_dir():
                raise InputError(f"expected a folder to write into, found none called {shown(target.parent)}; make it")
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
        if status is not None and is_stream(status):
            return
        if status is not None and (status.st_dev, status.st_ino) in self._inputs:
            raise InputError(f"the result would replace the input {shown(target)}; choose another name by -o or -O")
        if status is not None and stat.S_ISDIR(status.st_mode):
            raise InputError(f"expected a file to write, found the folder {shown(target)}; use -O for a folder")
        real = os.path.realpath(target)
        mine = self._claimed.setdefault(_key(real), [])
        for other, name in mine:
            with contextlib.suppress(OSError):
                if other == real or (status is not None and os.path.samestat(status, Path(other).stat())):
                    raise InputError(f"the result would replace {shown(target)}, just made from {name}; use -o")
        if not self.force and os.path.lexists(target):
            raise InputError(exists_already(target))
        mine.append((real, found.name))


def _key(name: str) -> str:
    """Return what names have in common that some systems take for one."""
    return unicodedata.normalize("NFC", name).casefold()


def compressed_name(found: Found) -> str:
    """Return the name of the compressed file: ``a.png`` gives ``a.png.rdz``. Raises InputError for a .rdz name."""
    found.check()
    if found.relative.suffix.lower() == SUFFIX:
        raise InputError("expected an image, found a name that ends in .rdz already; use decompress, or rename it")
    return found.relative.name + SUFFIX


def decompressed_name(found: Found) -> str:
    """Return the name of a .rdz file without that suffix: ``a.png.rdz`` gives ``a.png``, ``photos.rdz`` ``photos``.

    Raises InputError when the name does not end in ``.rdz`` or nothing would be left of it.
    """
    path = found.relative
    stem = Path(path.name[: -len(SUFFIX)])
    if path.suffix.lower() != SUFFIX or not stem.name:
        raise InputError(
            f"expected a name that ends in {SUFFIX}, found {shown(path.name)}; give the result's name by -o"
        )
    return stem.name


def restored_name(found: Found, suffix: str, *, own: bool, crowded: bool = False) -> str:
    """Return the name of a decompressed image: that of the original, as far as the .rdz file's tells it.

    own: whether the image comes back in its own format. If so ``a.png.rdz`` gives ``a.png``; else `suffix` (``.png``)
    takes the place of its own, ``a.jpg.rdz`` gives ``a.png``, or where that is crowded, ``a.jpg.png``. A name that does
    not end as those of images do gets the suffix: ``x.rdz`` gives ``x.png``. Members of archives have whole names.
    """
    name = decompressed_name(found)
    named = Path(name).suffix.lower() in IMAGE_SUFFIXES or (found.member is not None and "." in name)
    if (own and (named or found.member is not None)) or Path(name).suffix.lower() == suffix:
        return name
    return Path(name).with_suffix(suffix).name if named and not own and not crowded else name + suffix


def items_name(found: Found, suffix: str) -> str:
    """Return the name of a decompressed file of many items: ``a.npy.rdz`` and ``a.rdz`` give ``a.npy``.

    Raises InputError when the name does not end in ``.rdz`` or nothing would be left of it.
    """
    name = decompressed_name(found)
    return name if Path(name).suffix.lower() == suffix else name + suffix


def remove_source(found: Found, status: os.stat_result | None) -> None:
    """Delete an input whose result is safely on disk; `status` is that of when it was read.

    Raises InputError when it has changed since then, or cannot be deleted.
    """
    if found.path is None or status is None:
        raise InputError("only a plain file can be removed after use; it is left as it is")
    try:
        if _state(found.path.stat()) != _state(status):
            raise InputError("the file has changed since it was read; it is not removed")
        found.path.unlink()
    except OSError as error:
        raise InputError(f"cannot be removed: {explain(error)}") from None
