"""Where each result goes, and what it is called; nothing here knows what is inside a file.

A result never lands on one of the inputs, on another result of the same run, or on an existing file unless forced.
"""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rdzip.commands.files import IMAGE_SUFFIXES, STDIO, SUFFIX, Input
from rdzip.errors import InputError, UsageError
from rdzip.system.atomic import exists_already, is_stream, shown


@dataclass
class Destination:
    """Where results go: beside the inputs, to one file (`output`), into a folder, or to stdout.

    Keeps account of the inputs and of what has been written in this run, so that no result replaces either.
    confirm: each result is to be read again, since its input may be deleted. archive: all inputs go to `output`.
    """

    output: Path | None = None
    folder: Path | None = None
    stdout: bool = False
    force: bool = False
    confirm: bool = False
    archive: bool = False
    _inputs: set[tuple[int, int]] = field(default_factory=set, init=False)
    _claimed: dict[str, list[tuple[str, str]]] = field(default_factory=dict, init=False)
    _names: dict[tuple[bool, Path], Counter[str]] = field(default_factory=dict, init=False)

    @classmethod
    def of(
        cls,
        inputs: Sequence[Input],
        *,
        output: str | None,
        folder: Path | None,
        stdout: bool,
        force: bool,
        archive: str | None = None,
        as_json: bool = False,
        remove: bool = False,
    ) -> Destination:
        """Read the options of the command line about results. Raises UsageError when they do not go together.

        - inputs: files, as the command line found them
        - output, folder, stdout: -o, -O, -c
        - force: -f, replace what exists
        - archive: --archive
        - as_json, remove: --json, --rm
        """
        if archive is not None and (output is not None or folder is not None or stdout):
            raise UsageError("expected one place for the result, found --archive with -o, -O or -c; leave one out")
        if archive is not None and any(item.path is None for item in inputs):
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
        if sum(item.path is None for item in inputs) > 1:
            raise UsageError("expected - (stdin) once at most, found it several times")
        if folder is not None and any(item.path is None for item in inputs):
            raise UsageError("stdin has no name to use in a folder; use -o instead of -O")
        stdout = stdout or output == STDIO or (output is None and any(item.path is None for item in inputs))
        if len(inputs) > 1 and archive is None and (output is not None or stdout):
            goal = "stdout" if stdout else f"-o {shown(output or '')}"
            raise UsageError(f"expected one input for {goal}, found {len(inputs)}; use -O for a folder of results")
        if stdout and not force and sys.stdout is not None and sys.stdout.isatty():
            raise UsageError(
                "binary data is not written to a terminal; redirect stdout, use -o FILE, or force it by -f"
            )
        if stdout and as_json:
            raise UsageError("stdout cannot carry both an image and --json; write the image to a file by -o")
        if stdout and remove:
            raise UsageError("--rm needs a result on the disk, found one on stdout; use -o, or leave --rm out")
        path = None if stdout or output is None else Path(output)
        destination = cls(path, folder, stdout, force, archive=archive is not None)
        destination.protect(inputs)
        return destination

    def protect(self, inputs: Sequence[Input]) -> None:
        """Remember inputs which no result may replace, by device and inode (so links are seen through)."""
        for item in inputs:
            if item.path is not None:
                with contextlib.suppress(OSError, ValueError):
                    status = item.path.stat()
                    self._inputs.add((status.st_dev, status.st_ino))

    def folder_for(self, item: Input) -> Path:
        """Return the folder for the images of an archive: ``photos.rdz`` gives ``photos``, or what is named by -o.

        Raises InputError for stdout.
        """
        if self.stdout:
            raise InputError("expected one image for stdout, found an archive; use -o to name a folder for its images")
        if self.output is not None:
            return self.output
        name = decompressed_name(item)
        if self.folder is not None:
            return self.folder / item.relative.with_name(name)
        return (item.path or item.relative).with_name(name)

    def expect(self, inputs: Sequence[Input], folder: Path) -> None:
        """Remember what else will come out into the folder of an archive, so that images of one name get two."""
        for item in inputs:
            names = self._names.setdefault((True, folder / item.relative.parent), Counter())
            names[_key(Path(decompressed_name(item)).stem)] += 1

    def crowded(self, item: Input, folder: Path | None = None) -> bool:
        """Return whether another image there has its name up to the suffix, as ``a.jpg.rdz`` and ``a.png.rdz``.

        folder: that of an archive whose member `item` is.
        """
        place = (item.path or item.relative).parent if folder is None else folder / item.relative.parent
        names = self._names.setdefault((folder is not None, place), Counter())
        if folder is None and not names:
            with contextlib.suppress(OSError):
                packed = [name for name in os.listdir(place) if name.lower().endswith(SUFFIX)]  # noqa: PTH208
                names.update(_key(Path(name[: -len(SUFFIX)]).stem) for name in packed)
        return names[_key(Path(decompressed_name(item)).stem)] > 1

    def place(self, item: Input, name: str, folder: Path | None = None) -> Path | None:
        """Return the path for the result of `item`, called `name` unless -o says otherwise; None is stdout.

        folder: that of an archive whose member `item` is. Opens nothing. Raises InputError when that path is an input,
        a folder, the place of another result of this run, or an existing file (unless forced).
        """
        if self.stdout:
            return None
        if folder is not None:
            target = folder / item.relative.with_name(name)
        elif self.output is not None:
            target = self.output
            if not target.parent.is_dir():
                raise InputError(f"expected a folder to write into, found none called {shown(target.parent)}; make it")
        elif self.folder is not None:
            target = self.folder / item.relative.with_name(name)
        else:
            target = (item.path or item.relative).with_name(name)
        self._claim(target, item)
        return target

    def _claim(self, target: Path, item: Input) -> None:
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
        mine.append((real, item.name))


def _key(name: str) -> str:
    """Return what names have in common that some systems take for one."""
    return unicodedata.normalize("NFC", name).casefold()


def compressed_name(item: Input) -> str:
    """Return the name of the compressed file: ``a.png`` gives ``a.png.rdz``. Raises InputError for a .rdz name."""
    item.check()
    if item.relative.suffix.lower() == SUFFIX:
        raise InputError("expected an image, found a name that ends in .rdz already; use decompress, or rename it")
    return item.relative.name + SUFFIX


def decompressed_name(item: Input) -> str:
    """Return the name of a .rdz file without that suffix: ``a.png.rdz`` gives ``a.png``, ``photos.rdz`` ``photos``.

    Raises InputError when the name does not end in ``.rdz`` or nothing would be left of it.
    """
    path = item.relative
    stem = Path(path.name[: -len(SUFFIX)])
    if path.suffix.lower() != SUFFIX or not stem.name:
        raise InputError(
            f"expected a name that ends in {SUFFIX}, found {shown(path.name)}; give the result's name by -o"
        )
    return stem.name


def restored_name(item: Input, suffix: str, *, own: bool, crowded: bool = False) -> str:
    """Return the name of a decompressed image: that of the original, as far as the .rdz file's tells it.

    own: whether the image comes back in its own format. If so ``a.png.rdz`` gives ``a.png``; else `suffix` (``.png``)
    takes the place of its own, ``a.jpg.rdz`` gives ``a.png``, or where that is crowded, ``a.jpg.png``. A name that does
    not end as those of images do gets the suffix: ``x.rdz`` gives ``x.png``. Members of archives have whole names.
    """
    name = decompressed_name(item)
    named = Path(name).suffix.lower() in IMAGE_SUFFIXES or (item.member is not None and "." in name)
    if (own and (named or item.member is not None)) or Path(name).suffix.lower() == suffix:
        return name
    return Path(name).with_suffix(suffix).name if named and not own and not crowded else name + suffix


def file_name(item: Input, suffix: str, *, convert: bool) -> str:
    """Return the name of a file that came back: ``a.png.rdz`` gives ``a.png``, ``x.rdz`` made of a PNG ``x.png``.

    convert: whether `suffix` is that of another format, which takes the place of an image's own.
    """
    name = decompressed_name(item)
    own = Path(name).suffix
    if convert and own.lower() in IMAGE_SUFFIXES:
        return Path(name).with_suffix(suffix).name
    return name if (own and not convert) or own.lower() == suffix else name + suffix


def items_name(item: Input, suffix: str) -> str:
    """Return the name of a decompressed file of many items: ``a.npy.rdz`` and ``a.rdz`` give ``a.npy``.

    Raises InputError when the name does not end in ``.rdz`` or nothing would be left of it.
    """
    name = decompressed_name(item)
    return name if Path(name).suffix.lower() == suffix else name + suffix
