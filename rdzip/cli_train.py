"""The command that trains: what the run says goes to stderr, the path of the model file to stdout."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rdzip.atomic import shown
from rdzip.cli_output import Output, print_text


class _Notes(logging.Handler):
    """Hands what is logged to the command line's output."""

    def __init__(self, say: Output) -> None:
        super().__init__(logging.INFO)
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        self._say.note(shown(record.getMessage()))


@contextmanager
def notes(say: Output) -> Iterator[None]:
    """Within the context, what the training says of its data is printed as notes, by the first process only."""
    log, handler = logging.getLogger("rdzip.train"), _Notes(say)
    before = log.level
    if os.environ.get("RANK", "0") == "0":
        log.addHandler(handler)
        log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(before)


def train(
    recipe: str,
    data: Path,
    out: Path,
    overrides: list[str],
    start: str | None,
    resume: bool,
    device: str,
    tensorboard: bool,
    say: Output,
) -> None:
    """Train one run and print where its model file is."""
    from rdzip.process import own_process
    from rdzip.train import run

    own_process()
    with notes(say):
        model = run(
            recipe, data, out, overrides, resume, device, start=start, show=not say.quiet, tensorboard=tensorboard
        )
    if os.environ.get("RANK", "0") == "0":
        print_text(shown(model))
