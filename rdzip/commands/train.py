"""The command that trains: what the run says goes to stderr, the path of the model file to stdout."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rdzip.commands.output import Output, notes, print_text
from rdzip.errors import InputError, UsageError
from rdzip.system.atomic import shown
from rdzip.system.workers import Pool


@dataclass(frozen=True)
class Wanted:
    """The options of the command that say what to train."""

    recipe: str
    data: Path
    out: Path
    overrides: tuple[str, ...]
    start: str | None
    resume: bool
    device: str
    tensorboard: bool


def first() -> bool:
    """Whether this is the process that speaks: the first of those of torchrun, or the only one."""
    return os.environ.get("RANK", "0") == "0"


def train(wanted: Wanted, say: Output) -> None:
    """Train one run and print where its model file is."""
    from rdzip.system.process import own_process
    from rdzip.train.run import run

    own_process()
    with notes(say, first=first()):
        model = run(
            wanted.recipe,
            data=wanted.data,
            out=wanted.out,
            overrides=list(wanted.overrides),
            resume=wanted.resume,
            device=wanted.device,
            start=wanted.start,
            show=not say.quiet,
            tensorboard=wanted.tensorboard,
        )
    if first():
        print_text(shown(model))


def sweep(wanted: Wanted, values: Sequence[str], pool: Pool, say: Output) -> None:
    """Train every combination of values; print the model files, and what was reached."""
    if wanted.tensorboard:
        raise UsageError("expected --sweep or --tensorboard, found both; each run of a sweep has its log.jsonl")
    from rdzip.system.process import own_process
    from rdzip.train.sweep import sweep

    own_process()

    def tell(record: dict[str, Any]) -> None:
        name = shown(", ".join(record["set"]))
        if "error" in record:
            say.failure(name, InputError(record["error"]))
            return
        figures = ", ".join(f"{key} {value:.4g}" for key, value in record["figures"].items())
        say.note(f"{name}: {figures}")
        print_text(shown(record["model"]))

    with notes(say, first=first()):
        sweep(
            wanted.recipe, wanted.data, wanted.out, wanted.overrides, values, pool,
            start=wanted.start, resume=wanted.resume, device=wanted.device, on_record=tell,
        )  # fmt: skip
