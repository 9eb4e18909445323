"""What the command line says: results and JSON on stdout, everything for the reader's eyes on stderr.

Texts hold names and words out of files and out of answers of the network; whatever in them would move a terminal's
cursor or change its colours is escaped here, last. Where texts of the library name arguments, options are shown.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rdzip.commands.options import with_options
from rdzip.errors import RdzipError, UsageError
from rdzip.system import atomic
from rdzip.system.atomic import shown

TRACEBACK = "RDZIP_TRACEBACK"


@dataclass
class Output:
    """Prints for one run of the program, and remembers whether anything failed."""

    json: bool = False
    quiet: bool = False
    verbose: bool = False
    failed: bool = False
    _said: set[str] = field(default_factory=set, init=False)

    def result(self, record: Mapping[str, Any], line: str, *details: str) -> None:
        """Report one finished file: a JSON object on stdout, or a line (and details, if verbose) on stderr."""
        if self.json:
            print_json(record)
        elif not self.quiet:
            print(shown(line), file=sys.stderr)
            if self.verbose:
                for detail in details:
                    print(f"    {shown(detail)}", file=sys.stderr)

    def note(self, text: str) -> None:
        """Say something that the user should know though nothing failed."""
        if not self.quiet:
            print(f"rdzip: {shown(with_options(text))}", file=sys.stderr)

    def note_once(self, key: str, text: str) -> None:
        """Say it once a run, however many files it is true of."""
        if key not in self._said:
            self._said.add(key)
            self.note(text)

    @contextmanager
    def guard(self, name: str) -> Iterator[None]:
        """Work on one of several files: should it fail, say so and let the others go on."""
        try:
            yield
        except UsageError:
            raise
        except Exception as error:
            self.failure(name, error)

    def failure(self, name: str | None, error: Exception) -> None:
        """Say that a file (or the command, if `name` is None) failed and why, on one line; the run will exit with 1."""
        self.failed = True
        place = "" if name is None else f"{name}: "
        print(f"rdzip: {shown(place)}{explain(error)}", file=sys.stderr)
        if os.environ.get(TRACEBACK):
            traceback.print_exception(error)


def begin(as_json: bool, verbose: bool, quiet: bool, *, offline: bool = False) -> Output:
    """Return the output of a command with these options; UsageError where they contradict each other."""
    if offline:  # workers, in processes of their own, must know it too
        os.environ["HF_HUB_OFFLINE"] = "1"
    if verbose and quiet:
        raise UsageError("expected -v or --quiet, found both; leave one out")
    out = Output(as_json, quiet, verbose)
    if sys.stderr is not None and sys.stderr.isatty():  # someone may be waiting while scalar code is compiled
        log = logging.getLogger("rdzip.compile")
        log.addHandler(_Notes(out))
        log.setLevel(logging.INFO)
    return out


def finish(out: Output) -> None:
    """End the program with exit code 1 if anything failed."""
    if out.failed:
        raise SystemExit(1)


class _Notes(logging.Handler):
    """Hands what rdzip logs to the command line's output."""

    def __init__(self, out: Output) -> None:
        super().__init__(logging.INFO)
        self._out = out

    def emit(self, record: logging.LogRecord) -> None:
        self._out.note(record.getMessage())


@contextmanager
def notes(out: Output, *, first: bool = True) -> Iterator[None]:
    """Within the context, what the library logs is said as notes; by the ``first`` of several processes only."""
    log, handler = logging.getLogger("rdzip"), _Notes(out) if first else logging.NullHandler()
    before = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(before)


def explain(error: Exception) -> str:
    """Return what went wrong in one printable line, for errors made for users and for those nobody foresaw."""
    return shown(" ".join(_words(error).split()))


def _words(error: Exception) -> str:
    if isinstance(error, RdzipError):
        return with_options(str(error))
    if isinstance(error, OSError):
        where = f"{shown(str(error.filename))}: " if error.filename else ""
        return where + atomic.explain(error)
    if isinstance(error, MemoryError):
        return "expected to find enough memory, found too little; close other programs or take a smaller image"
    what = f"unexpected {type(error).__name__}: {error}"
    return f"{what}; this is a fault of rdzip: please report it (set {TRACEBACK}=1 to see where)"


def print_text(text: str) -> None:
    """Print lines to stdout. Raises InputError when it cannot be written (a full disk, a closed pipe)."""
    text = "\n".join(map(shown, text.split("\n")))
    atomic.write(None, (text + "\n").encode(getattr(sys.stdout, "encoding", None) or "utf-8", "backslashreplace"))


def print_json(record: Mapping[str, Any]) -> None:
    """Print one JSON object on a line of its own."""
    print_text(json.dumps(record))


def rows(pairs: Sequence[tuple[str, str]], indent: str = "  ") -> str:
    """Lay out names and values in two columns."""
    printable = [(shown(name), shown(value)) for name, value in pairs]
    width = max((len(name) for name, _ in printable), default=0)
    return "\n".join(f"{indent}{name:<{width}}  {value}".rstrip() for name, value in printable)


def table(header: Sequence[str], body: Sequence[Sequence[str]], *, left: int | None = None) -> str:
    """Lay out a table in plain text, two blanks between columns.

    left: how many columns are set to the left, the others to the right; None: all but those whose cells are numbers.
    """
    cells = [[shown(cell) for cell in row] for row in (header, *body)]
    columns = range(len(header))
    widths = [max(len(row[i]) for row in cells) for i in columns]
    if left is None:
        right = [all(row[i].replace(",", "").replace(".", "").isdigit() for row in body) for i in columns]
    else:
        right = [i >= left for i in columns]
    lines = []
    for row in cells:
        aligned = [c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True)]
        lines.append("  ".join(aligned).rstrip())
    return "\n".join(lines)


def bytes_text(count: int) -> str:
    """Return a number of bytes with its digits in groups of three: ``1,234,567 bytes``."""
    return f"{count:,} byte{'' if count == 1 else 's'}"


def shape_text(shape: Sequence[int]) -> str:
    """Return a picture's size in pixels the way people give it, width first: ``768 x 512``."""
    return f"{shape[1]} x {shape[0]}"
