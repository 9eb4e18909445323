"""Progress bars on stderr: how far a file is and how long it will still take.

A bar appears once an operation has run for a second, and only on a terminal. Whoever works calls the function that
`bar` yields with the fraction done, 0 to 1, as often as it likes; a thread of its own draws.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rdzip.system.progress import Progress

PATIENCE = 1.0  # seconds without a bar
INTERVAL = 0.1  # seconds between two drawings


@contextmanager
def bar(label: str, *, quiet: bool = False) -> Iterator[Progress]:
    """Yield a function of the fraction done; meanwhile a bar with the time left is drawn, gone when the block ends."""
    work = _Work()
    if quiet or sys.stderr is None or not sys.stderr.isatty():
        yield work.report
        return
    thread = threading.Thread(target=_draw, args=(label, work), daemon=True)
    thread.start()
    try:
        yield work.report
    finally:
        work.ended.set()
        thread.join()


class _Work:
    """How far the work is: its last fraction, and the time and fraction from which its pace is taken."""

    def __init__(self) -> None:
        self.ended = threading.Event()
        self.started = time.monotonic()
        self.fraction = 0.0
        self._first: tuple[float, float] | None = None

    def report(self, fraction: float) -> None:
        self.fraction = min(max(fraction, 0.0), 1.0)
        if self._first is None:
            self._first = time.monotonic(), self.fraction

    def left(self) -> str:
        """Return the time left at the pace so far, ``1:05 left``; before there is a pace, the time taken."""
        now = time.monotonic()
        start, done = self._first or (now, 0.0)
        if self.fraction <= done or now <= start:
            return f"{_clock(now - self.started)} so far"
        return f"{_clock((1 - self.fraction) * (now - start) / (self.fraction - done))} left"


def _draw(label: str, work: _Work) -> None:
    if work.ended.wait(PATIENCE):
        return
    from rich import progress as rich_progress
    from rich.console import Console

    columns = [
        rich_progress.TextColumn("{task.description}", markup=False),
        rich_progress.BarColumn(),
        rich_progress.TaskProgressColumn(),
        rich_progress.TextColumn("{task.fields[left]}", markup=False),
    ]
    console = Console(stderr=True)
    with rich_progress.Progress(*columns, console=console, auto_refresh=False, transient=True) as progress:
        task = progress.add_task(label, total=None, left="")
        while not work.ended.wait(INTERVAL):
            total = 1.0 if work.fraction > 0 else None
            progress.update(task, completed=work.fraction, total=total, left=work.left(), refresh=True)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
