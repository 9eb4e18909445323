"""Tasks of a run, a method with its lambdas each, in this process or by workers (rdzip/system/workers.py)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from rdzip.bounds import methods
from rdzip.bounds.methods import Method
from rdzip.bounds.point import Point
from rdzip.bounds.sources.base import Source, open_source
from rdzip.errors import InputError
from rdzip.system import workers
from rdzip.system.workers import Pool

STEP = 0.002
"""Least progress that a worker reports."""

Record = dict[str, Any]


@dataclass(frozen=True)
class SourceSpec:
    """A source by its name and parameters: what another process needs to open it again."""

    spec: str
    dim: int | None = None
    data: str | None = None
    seed: int = 0
    crop: int | None = None

    def open(self) -> Source:
        """Return the source. Raises InputError."""
        data = None if self.data is None else Path(self.data)
        return open_source(self.spec, dim=self.dim, data=data, seed=self.seed, crop=self.crop)


@dataclass(frozen=True)
class Task:
    """A method, the lambdas for one call of it, its options, and the folder for its state, if it has one."""

    method: Method
    lambdas: tuple[float, ...]
    options: dict[str, Any] = field(default_factory=dict)
    saves: str | None = None

    @property
    def folder(self) -> Path | None:
        """Where the method may save its state."""
        return None if self.saves is None else Path(self.saves)

    @property
    def cost(self) -> float:
        """How long it takes, relative to others."""
        return self.method.cost * len(self.lambdas)


@dataclass(frozen=True)
class Failure:
    """A method that failed at these lambdas, and why."""

    method: str
    lambdas: tuple[float, ...]
    error: Exception


class WeightedProgress:
    """The share done of many tasks together, weighed by their costs."""

    def __init__(self, tasks: Sequence[Task], report: Callable[[float], None]) -> None:
        self._costs = [task.cost for task in tasks]
        self._shares = [0.0] * len(tasks)
        self._report = report

    def at(self, index: int, share: float) -> None:
        """Note the share done of one task."""
        self._shares[index] = max(self._shares[index], min(share, 1.0))
        self._report(sum(c * s for c, s in zip(self._costs, self._shares, strict=True)) / sum(self._costs))


def work(
    where: SourceSpec,
    source: Source,
    tasks: Sequence[Task],
    *,
    pool: Pool,
    on_record: Callable[[Record], None],
    on_share: Callable[[float], None],
) -> list[Failure]:
    """Work tasks off in a pool, and return those that failed, in order; the others go on.

    - where: how processes make the source
    - source: the same, made here
    - tasks: what to do
    - pool: the processes
    - on_record: called with each record
    - on_share: called with the share that is done

    Whatever `on_record` raises, and Ctrl-C, ends all and their processes.
    """
    progress = WeightedProgress(tasks, on_share)
    failures: dict[int, Failure] = {}

    def on_message(index: int, message: float | Record) -> None:
        if isinstance(message, float):
            progress.at(index, message)
        else:
            on_record(message)

    def end(index: int, result: Any) -> None:
        if isinstance(result, Exception):
            failures[index] = Failure(tasks[index].method.name, tasks[index].lambdas, result)
        else:
            progress.at(index, 1.0)

    function = partial(_work_off, source if pool.alone else None)
    # The longest first, so that none is left alone at the end.
    order = None if pool.alone else sorted(range(len(tasks)), key=lambda index: -tasks[index].cost)
    workers.work(
        function, len(tasks), lambda index: (where, tasks[index]), pool, on_end=end, on_message=on_message, order=order
    )
    return [failures[index] for index in sorted(failures)]


@lru_cache(maxsize=1)
def _opened(where: SourceSpec) -> Source:
    return where.open()


def _work_off(source: Source | None, order: tuple[SourceSpec, Task], send: Callable[[float | Record], None]) -> None:
    where, task = order
    reported = 0.0

    def share(done: float) -> None:
        nonlocal reported
        if done >= reported + STEP:
            reported = done
            send(float(done))

    run_task(source or _opened(where), task, send, share)


def run_task(
    source: Source, task: Task, on_record: Callable[[Record], None], on_share: Callable[[float], None]
) -> None:
    """Work one task off, and hand out each record once, as soon as its point is reported or returned."""
    given: set[float] = set()

    def report(share: float, point: Point | None) -> None:
        if point is not None:
            give(point)
        on_share(share)

    def give(point: Point) -> None:
        if point.lam in given:
            return
        if not all(math.isfinite(x) for x in (point.rate_nats, point.mse, point.value_nats)):
            raise InputError(f"lambda {point.lam:g}: found no finite rate and distortion; the fit has diverged")
        given.add(point.lam)
        own = replace(point, method=task.method.name)  # by which it is asked for, and found again
        on_record(own.record(source) | {"shape": list(source.shape)})

    for point in methods.solve(task.method, source, task.lambdas, task.options, report, task.folder):
        give(point)
