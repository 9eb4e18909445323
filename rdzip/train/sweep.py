"""Sweeps: one training run for every combination of values of a recipe's keys, in a folder of its own each."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rdzip.errors import InputError
from rdzip.system import atomic, workers
from rdzip.system.workers import InOrder, Pool
from rdzip.train.recipe import load_recipe
from rdzip.train.run import run

SUMMARY = "sweep.jsonl"


@dataclass(frozen=True)
class Job:
    """A run of a sweep: the arguments of rdzip.train.run, ``change`` being the values that tell it from the others."""

    recipe: str
    data: Path
    out: Path
    overrides: tuple[str, ...]
    change: tuple[str, ...]
    device: str
    start: str | None


def sweep(
    recipe: str,
    data: Path,
    out: Path,
    overrides: Sequence[str],
    values: Sequence[str],
    pool: Pool,
    *,
    start: str | None = None,
    resume: bool = False,
    device: str = "cpu",
    on_record: Callable[[dict[str, Any]], None] = lambda record: None,
) -> list[dict[str, Any]]:
    """Train every combination of ``values`` ("key=a,b,c" each), in ``out``/key=value,..., and return their records.

    - recipe, data, overrides, start, device: of each run, see rdzip.train.run.
    - out: folder with a folder for each run.
    - values: "key=a,b,c" for each key.
    - pool: workers that train.
    - resume: go on with the runs in ``out``.
    - on_record: gets each record, in the order of the combinations.

    A record has "set" (the values), and "model", "figures" (the last of the log), or "error". They are in
    ``out``/sweep.jsonl too. A run whose process dies goes on from its checkpoint, once. Raises InputError for what is
    wrong with values or recipes.
    """
    changes = combinations(values)
    jobs = []
    for change in changes:
        load_recipe(recipe, [*overrides, *change])
        folder = out / re.sub(r"[^\w.=,+-]", "_", ",".join(change))
        if (folder / "checkpoint.pt").exists() and not resume:
            raise InputError(
                f"{folder} holds a run already: add `resume` to go on with the sweep, or name another `out`"
            )
        jobs.append(Job(recipe, data, folder, tuple(overrides), change, device, start))
    if len({job.out for job in jobs}) < len(jobs):
        raise InputError(f"`values`: expected values that differ, found one twice in {' '.join(values)}")
    records: list[dict[str, Any]] = []

    def end(index: int, result: Any) -> None:
        record: dict[str, Any] = {"set": list(jobs[index].change)}
        record |= {"error": str(result)} if isinstance(result, Exception) else result
        records.append(record)
        text = "".join(json.dumps(line) + "\n" for line in records)
        atomic.write(out / SUMMARY, text.encode(), force=True)
        on_record(record)

    workers.work(train_one, len(jobs), jobs.__getitem__, pool, on_end=InOrder(end))
    return records


def combinations(values: Sequence[str]) -> list[tuple[str, ...]]:
    """Every combination of "key=a,b,c" texts, as ("key=a", ...); InputError for a text that is no such thing.

    >>> combinations(["lr=0.1,0.2", "seed=1"])
    [('lr=0.1', 'seed=1'), ('lr=0.2', 'seed=1')]
    """
    axes = []
    for text in values:
        key, sign, found = text.partition("=")
        if not (key and sign and all(found.split(","))):
            raise InputError(f"`values` takes key=a,b,c, found {text!r}")
        axes.append([f"{key}={value}" for value in found.split(",")])
    return list(itertools.product(*axes))


def train_one(job: Job, send: Callable[[Any], None]) -> dict[str, Any]:
    """Train one run of a sweep, or go on with it, wherever this process is."""
    resume = (job.out / "checkpoint.pt").exists()
    model = run(
        job.recipe, job.data, job.out, [*job.overrides, *job.change], resume, job.device, start=job.start
    )  # fmt: skip
    last = [json.loads(line) for line in (job.out / "log.jsonl").read_text("utf-8").splitlines()][-1]
    hidden = ("event", "step", "lr")
    return {"model": str(model), "figures": {name: x for name, x in last.items() if name not in hidden}}
