"""Monitoring of training runs: a live table on a terminal, and TensorBoard."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from rdzip.errors import InputError

if TYPE_CHECKING:
    from rich.table import Table

RECENT = 50
"""Steps over which the shown loss and pace are averaged."""
TEXTS = ("event", "step", "loss", "lr", "seconds")


class Watcher(Protocol):
    """What a run reports of itself."""

    def step(self, step: int, loss: float, rate: float) -> None:
        """Hear of a step that was made: its number from 1, its loss, its learning rate."""

    def record(self, record: dict[str, Any]) -> None:
        """Hear of a record that went into the log."""


@contextmanager
def live(steps: int, batch: int) -> Iterator[list[Watcher]]:
    """Within the context, a table of the run on stderr, drawn four times a second; none unless it is a terminal."""
    if not sys.stderr.isatty():
        yield []
        return
    from rich.console import Console
    from rich.live import Live

    state = TrainingProgress(steps, batch)
    with Live(
        get_renderable=state.table, console=Console(stderr=True, markup=False), refresh_per_second=4, transient=True
    ):
        yield [state]


class TrainingProgress:
    """Step, loss, learning rate, samples a second, time left, and the last figures on held-out data."""

    def __init__(self, steps: int, batch: int) -> None:
        self.steps, self.batch = steps, batch
        self.at, self.rate = 0, 0.0
        self._recent: deque[tuple[float, float]] = deque(maxlen=RECENT)
        self._figures: dict[str, float] = {}

    def step(self, step: int, loss: float, rate: float) -> None:
        """Hear of a step."""
        self.at, self.rate = step, rate
        self._recent.append((time.monotonic(), loss))

    def record(self, record: dict[str, Any]) -> None:
        """Hear of a record."""
        self.at = max(self.at, int(record.get("step", 0)))
        if record["event"] == "step":
            self._figures = {k: v for k, v in record.items() if k not in TEXTS} or self._figures

    @property
    def steps_a_second(self) -> float:
        """Steps a second, of late; 0 while unknown."""
        if len(self._recent) < 2:
            return 0.0
        return (len(self._recent) - 1) / max(1e-9, self._recent[-1][0] - self._recent[0][0])

    def rows(self) -> list[tuple[str, str]]:
        """Names and texts of what the table shows."""
        loss = sum(value for _, value in self._recent) / max(1, len(self._recent))
        left = round((self.steps - self.at) / self.steps_a_second) if self.steps_a_second else 0
        shown = [
            ("step", f"{self.at:,} of {self.steps:,}"),
            ("loss", f"{loss:.4f}" if self._recent else ""),
            ("learning rate", f"{self.rate:.2e}"),
            ("samples a second", f"{self.steps_a_second * self.batch:,.0f}" if self.steps_a_second else ""),
            ("time left", f"{left // 3600}:{left // 60 % 60:02}:{left % 60:02}" if self.steps_a_second else ""),
        ]
        return shown + [(f"held out: {name}", f"{value:.4f}") for name, value in self._figures.items()]

    def table(self) -> Table:
        """The table as rich draws it."""
        from rich.table import Table

        table = Table(show_header=False, box=None)
        for row in self.rows():
            table.add_row(*row)
        return table


class TensorBoard:
    """Loss, learning rate and figures as TensorBoard's scalars, in a folder."""

    def __init__(self, folder: Path, resume: bool = False) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise InputError(
                "`tensorboard`: expected the package tensorboard, found none: pip install 'rdzip[tensorboard]', or "
                "leave the option out (log.jsonl has the same figures)"
            ) from error
        self._make, self._folder, self._resume = SummaryWriter, folder, resume
        self._writer: Any = None

    def step(self, step: int, loss: float, rate: float) -> None:
        """Hear of a step; records have what is drawn."""

    def record(self, record: dict[str, Any]) -> None:
        """Draw the numbers of a record."""
        if record["event"] == "start":  # what an earlier process drew of later steps is done again
            self._writer = self._make(str(self._folder), purge_step=record["step"] + 1 if self._resume else None)
        elif record["event"] == "step":
            for name, value in record.items():
                if name not in ("event", "step"):
                    self._writer.add_scalar(name, value, record["step"])
            self._writer.flush()

    def close(self) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()
