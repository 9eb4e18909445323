"""The command `rdzip`, also as `python -m rdzip`: signals, and then rdzip.cli.

Nothing large is imported before the handlers are there: Ctrl-C while the command line loads is answered as it is later.
"""

from __future__ import annotations

import signal
import sys
from types import FrameType
from typing import NoReturn

from rdzip.errors import Stopped


def main() -> NoReturn:
    """Run the command line on sys.argv and leave with its exit code, 128 + n where signal n stopped it."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)
    try:
        from rdzip.cli import run

        sys.exit(run())
    except Stopped as stop:
        print("rdzip: stopped; no unfinished file is left", file=sys.stderr)
        sys.exit(128 + stop.number)


def _stop(number: int, _: FrameType | None) -> NoReturn:
    raise Stopped(number)


if __name__ == "__main__":
    main()
