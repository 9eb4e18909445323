"""The command line's entry: signals, errors and exit codes; the commands are in rdzip.cli_commands and
rdzip.cli_bound.

Exit codes: 0 done, 1 something failed (the other files are done), 2 wrong usage, 130 Ctrl-C (128 + n: signal n).
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

from rdzip.errors import Stopped, UsageError
from rdzip.system.process import wait_passively


def main() -> NoReturn:
    """Run the command line on sys.argv and leave with its exit code."""
    wait_passively()  # before anything loads torch
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)
    try:
        sys.exit(_run())
    except Stopped as stop:
        print("rdzip: stopped; no unfinished file is left", file=sys.stderr)
        sys.exit(128 + stop.number)


def _stop(number: int, _: FrameType | None) -> NoReturn:
    raise Stopped(number)


def _run() -> int:
    # Imported late, so that Ctrl-C meanwhile ends in `main` too.
    from rdzip.system.process import ignore_settings_here, open_standard, silence_libraries

    open_standard()
    silence_libraries()
    ignore_settings_here()
    from rdzip.commands.output import Output

    try:
        if _is_plain_info(sys.argv[1:]):
            return _info(sys.argv[2:])
        _commands()
    except UsageError as error:
        Output().failure(None, error)
        return 2
    except Exception as error:
        Output().failure(None, error)
        return 1
    return 0


def _is_plain_info(arguments: Sequence[str]) -> bool:
    """Whether the command is `info` with nothing but names and --json: it needs no parser.

    Importing and preparing that takes longer than all the rest. (On Windows it looks for * in names.)
    """
    if arguments[:1] != ["info"] or os.name == "nt":
        return False
    names = [argument for argument in arguments[1:] if argument != "--json"]
    return bool(names) and not any(name.startswith("-") and name != "-" for name in names)


def _info(arguments: Sequence[str]) -> int:
    from rdzip.commands import info as cli_info
    from rdzip.commands.output import Output

    say = Output("--json" in arguments)
    cli_info.info_of_names([name for name in arguments if name != "--json"], say)
    return int(say.failed)


def _commands() -> None:
    from rdzip import cli_bench, cli_bound  # noqa: F401  (add their commands)
    from rdzip.cli_commands import app

    app()
