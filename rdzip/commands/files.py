"""Which inputs are meant, what they hold, and where each result goes; nothing here knows what is inside a file.

A result never lands on one of the inputs, on another result of the same run, or on an existing file unless forced.
"""

from __future__ import annotations

import io
import os
import re
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from rdzip.errors import InputError
from rdzip.system.atomic import explain, kind_of, not_a_file, shown

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
class Input:
    """One input: its path (None is stdin), its path below the folder that was searched, and why it cannot be used.

    member: the name of an image in an archive, which `path` then is; `relative` is its path below the archive's folder.
    folder: whether it is a folder, of which an archive keeps mode and time.
    """

    path: Path | None
    relative: Path
    problem: str | None = None
    member: str | None = None
    folder: bool = False

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


def find_inputs(
    names: Sequence[str],
    *,
    recursive: bool,
    suffixes: frozenset[str] | None,
    note: Callable[[str], None] = lambda _: None,
) -> list[Input]:
    """List the inputs that `names` stand for: files, ``-`` for stdin, and with `recursive` the files below folders.

    Folders are walked in sorted order without following links to folders; only files with one of `suffixes` (lower
    case, with the dot) are taken from them; None takes all, and lists the folders too. Pipes, devices and links to
    nothing among these are left out, which `note` is told. What cannot be used is listed too, with its `problem`.
    """
    inputs: list[Input] = []
    for name in names:
        path = Path(name)
        if name == STDIO:
            inputs.append(Input(None, Path(STDIO)))
        elif not name or "\0" in name:
            inputs.append(Input(path, path, "expected the name of a file, found an empty one"))
        elif _is_folder(path):
            inside = (
                _walk(path, suffixes, note) if recursive else [Input(path, path, "is a folder; add -r to enter it")]
            )
            inputs.extend(inside)
        else:
            inputs.append(Input(path, Path(path.name)))
    return inputs


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False  # reading it will say what is wrong


def _walk(top: Path, suffixes: frozenset[str] | None, note: Callable[[str], None]) -> Iterator[Input]:
    failures: list[OSError] = []
    empty, others, folders = True, 0, 0
    for folder, subfolders, names in os.walk(top, onerror=failures.append):
        subfolders.sort()
        if suffixes is None:
            for path in (Path(folder, name) for name in subfolders):
                if path.is_symlink():
                    note(f"{shown(path)} is left out: it is a link to a folder")
                else:
                    folders += 1
                    yield Input(path, path.relative_to(top), folder=True)
        for name in sorted(names):
            path = Path(folder, name)
            if suffixes is not None and path.suffix.lower() not in suffixes:
                others += path.suffix.lower() != SUFFIX
                continue
            if why := not_a_file(path):
                note(f"{shown(path)} is left out: it is {why}")
                continue
            empty = False
            yield Input(path, path.relative_to(top))
    for failure in failures:
        path = Path(failure.filename or top)
        yield Input(path, path, f"cannot be searched: {explain(failure)}")
    if others and not empty and suffixes is not None and SUFFIX not in suffixes:
        what = "1 file that is no image is" if others == 1 else f"{others:,} files that are no images are"
        note(f"{shown(top)}: {what} left out; add --all to have them too")
    if empty and not failures and (suffixes is not None or not folders):
        yield Input(top, top, "holds no file to work on; name the files themselves to have them tried")


@contextmanager
def opened(item: Input) -> Iterator[tuple[BinaryIO, os.stat_result | None]]:
    """Open an input for reading; it can seek. Yields its status too, None if it has no mtime or mode to keep.

    Raises InputError when it is missing, unreadable, a terminal, or a pipe or device of that name; a pipe without a
    name, as the shell's <(...) makes, is read to its end.
    """
    item.check()
    if item.path is None:
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
        file = open(item.path, "rb", opener=lambda name, flags: os.open(name, flags | getattr(os, "O_NONBLOCK", 0)))  # noqa: SIM115
    except OSError as error:
        why = not_a_file(item.path)
        raise InputError(_no_input(why) if why else f"cannot be read: {explain(error)}") from None
    with file:
        status = os.fstat(file.fileno())
        if kind := kind_of(status.st_mode):
            handed = re.match(r"/proc/.*/pipe:\[|/dev/fd/", os.path.realpath(item.path))  # by the shell, as <(...)
            if not (stat.S_ISFIFO(status.st_mode) and handed):
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


def read(item: Input) -> Source:
    """Read an input. Raises InputError when it is missing, unreadable, a terminal, or being written to."""
    with opened(item) as (file, status):
        data = read_on(file)
        if status is not None and (len(data) != status.st_size or _state(os.fstat(file.fileno())) != _state(status)):
            raise InputError("the file was changed while it was read; try again when it is finished")
        return Source(data, status)


def _state(status: os.stat_result) -> tuple[int, ...]:
    """Return what a change of a file changes."""
    return status.st_mtime_ns, status.st_size, status.st_ino, status.st_dev


def remove_source(item: Input, status: os.stat_result | None) -> None:
    """Delete an input whose result is safely on disk; `status` is that of when it was read.

    Raises InputError when it has changed since then, or cannot be deleted.
    """
    if item.path is None or status is None:
        raise InputError("only a plain file can be removed after use; it is left as it is")
    try:
        if _state(item.path.stat()) != _state(status):
            raise InputError("the file has changed since it was read; it is not removed")
        item.path.unlink()
    except OSError as error:
        raise InputError(f"cannot be removed: {explain(error)}") from None
