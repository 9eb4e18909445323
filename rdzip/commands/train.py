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
class TrainArgs:
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


def train(args: TrainArgs, sweep: Sequence[str], out: Output, *, jobs: int, ray: str | None) -> None:
    """Train one run, or one for each combination of the values of a sweep; print where the model files are.

    - args: of the runs
    - sweep: texts like ``lr=0.1,0.01``
    - out: where reports go
    - jobs, ray: the processes that train the runs of a sweep
    """
    pool = Pool(jobs, ray)
    if sweep:
        _sweep(args, sweep, pool, out)
    elif pool.alone:
        _run(args, out)
    else:
        raise UsageError("--jobs and --ray are for the runs of a --sweep; for one run in several processes: torchrun")


def _run(args: TrainArgs, out: Output) -> None:
    from rdzip.system.process import tune_process
    from rdzip.train.run import run

    tune_process()
    with notes(out, first=first()):
        model = run(
            args.recipe,
            data=args.data,
            out=args.out,
            overrides=list(args.overrides),
            resume=args.resume,
            device=args.device,
            start=args.start,
            show=not out.quiet,
            tensorboard=args.tensorboard,
        )
    if first():
        print_text(shown(model))


def _sweep(args: TrainArgs, values: Sequence[str], pool: Pool, out: Output) -> None:
    """Train every combination of values; print the model files, and what was reached."""
    if args.tensorboard:
        raise UsageError("expected --sweep or --tensorboard, found both; each run of a sweep has its log.jsonl")
    from rdzip.system.process import tune_process
    from rdzip.train.sweep import sweep

    tune_process()

    def on_record(record: dict[str, Any]) -> None:
        name = shown(", ".join(record["set"]))
        if "error" in record:
            out.failure(name, InputError(record["error"]))
            return
        figures = ", ".join(f"{key} {value:.4g}" for key, value in record["figures"].items())
        out.note(f"{name}: {figures}")
        print_text(shown(record["model"]))

    with notes(out, first=first()):
        sweep(
            args.recipe, args.data, args.out, args.overrides, values, pool,
            start=args.start, resume=args.resume, device=args.device, on_record=on_record,
        )  # fmt: skip
