"""The command line's entry: signals, errors and exit codes; the commands are in rdzip.cli_commands and
rdzip.cli_bound.

Exit codes: 0 done, 1 something failed (the other files are done), 2 wrong usage, 130 Ctrl-C (128 + n: signal n).
"""

from __future__ import annotations

import signal
import sys
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
    from rdzip import cli_bench, cli_bound  # noqa: F401  (add their commands)
    from rdzip.cli_commands import app
    from rdzip.commands.output import Output

    try:
        app()
    except UsageError as error:
        Output().failure(None, error)
        return 2
    except Exception as error:
        Output().failure(None, error)
        return 1
    return 0
