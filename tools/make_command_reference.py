"""Write docs/reference/commands.md from what `--help` prints; with --check, compare."""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import typer

from rdzip.cli import app

PATH = Path(__file__).resolve().parents[1] / "docs" / "reference" / "commands.md"
HEAD = """# Command line

What `rdzip COMMAND --help` prints; made by tools/make_command_reference.py.

Results and JSON go to stdout, everything else to stderr. Exit codes: 0 done; 1 something failed, and what could be done
is done; 2 wrong usage, and nothing was done; 130 Ctrl-C, 143 a request to end (128 and the signal's number). Nothing is
overwritten without `-f`, and a result has its name only once it is whole.
"""


def main() -> None:
    """Write or check the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with the page that is there")
    text = page()
    if not parser.parse_args().check:
        PATH.write_text(text, "utf-8")
    elif PATH.read_text("utf-8") != text:
        sys.exit(f"{PATH} is not what --help prints: run python tools/make_command_reference.py")


def page() -> str:
    """Return the page: a section for each command."""
    parts = [HEAD]
    for words in commands():
        parts.append(f"## {' '.join(('rdzip', *words))}\n\n```\n{help_of(words)}\n```\n")
    return "\n".join(parts)


def commands() -> Iterator[tuple[str, ...]]:
    """Yield the words that name each command, a group before what is in it."""
    yield ()
    root = typer.main.get_command(app)
    for name, command in root.commands.items():  # type: ignore[attr-defined]
        yield (name,)
        for inner in getattr(command, "commands", ()):
            yield name, inner


def help_of(words: tuple[str, ...]) -> str:
    """Return what --help prints for a command on a terminal of 80 columns."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "80"
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out):
            app([*words, "--help"], prog_name="rdzip", standalone_mode=False)
    finally:
        del os.environ["COLUMNS"]
        if before is not None:
            os.environ["COLUMNS"] = before
    return out.getvalue().strip()


if __name__ == "__main__":
    main()
