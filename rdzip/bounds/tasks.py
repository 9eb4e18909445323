"""Tasks of a run, a method with its lambdas each, worked off here or in processes of their own.

A process of its own is `python -m rdzip.bounds.tasks`: it reads one task as JSON from stdin and writes JSON lines to
stdout: {"share": 0.5}, {"record": {...}}, at the end {"done": true} or {"error": text, "foreseen": whether it was
made for users}.
"""

from __future__ import annotations

import json
import math
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from rdzip.bounds import methods
from rdzip.bounds.methods import Method
from rdzip.bounds.point import Point
from rdzip.bounds.source import Source, open_source
from rdzip.errors import InputError, RdzipError

STEP = 0.002
"""Progress that a process of its own tells."""

Record = dict[str, Any]


@dataclass(frozen=True)
class Where:
    """What `open_source` needs to open the source again, in another process."""

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


class Progress:
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
    where: Where,
    source: Source,
    tasks: Sequence[Task],
    *,
    jobs: int,
    on_record: Callable[[Record], None],
    on_share: Callable[[float], None],
) -> list[Failure]:
    """Work tasks off, `jobs` at a time, and return those that failed; the others go on.

    jobs: 1 works in this process. Whatever `on_record` raises, and Ctrl-C, ends all and their processes.
    """
    if not tasks:
        return []
    progress = Progress(tasks, on_share)
    if jobs == 1:
        return [f for i, task in enumerate(tasks) if (f := _here(source, task, i, on_record, progress))]
    return _Pool(where, tasks, jobs, on_record, progress).run()


def _here(
    source: Source, task: Task, index: int, on_record: Callable[[Record], None], progress: Progress
) -> Failure | None:
    stopped: list[Exception] = []

    def give(record: Record) -> None:
        try:
            on_record(record)
        except Exception as error:
            stopped.append(error)
            raise

    try:
        run_task(source, task, give, lambda share: progress.at(index, share))
    except Exception as error:
        if stopped:
            raise
        return Failure(task.method.name, task.lambdas, error)
    progress.at(index, 1.0)
    return None


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


class _Pool:
    """Processes that work tasks off, and the threads that read what they say."""

    def __init__(
        self, where: Where, tasks: Sequence[Task], jobs: int, on_record: Callable[[Record], None], progress: Progress
    ) -> None:
        self._where, self._tasks, self._jobs = where, tasks, jobs
        self._on_record, self._progress = on_record, progress
        # The longest first, so that none is left alone at the end.
        self._waiting = sorted(range(len(tasks)), key=lambda index: tasks[index].cost)
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self._said: queue.Queue[tuple[int, dict[str, Any] | None]] = queue.Queue()
        self._ends: dict[int, dict[str, Any]] = {}

    def run(self) -> list[Failure]:
        """Run all tasks; return the failures in the order of the tasks."""
        failures: dict[int, Failure] = {}
        try:
            while self._waiting or self._running:
                while self._waiting and len(self._running) < self._jobs:
                    self._start(self._waiting.pop())
                index, said = self._said.get()
                if said is None:
                    error = self._ended(index)
                    if error is not None:
                        failures[index] = Failure(self._tasks[index].method.name, self._tasks[index].lambdas, error)
                elif "record" in said:
                    self._on_record(said["record"])
                elif "share" in said:
                    self._progress.at(index, said["share"])
                else:
                    self._ends[index] = said
        finally:
            for process in self._running.values():
                process.kill()
            for process in self._running.values():
                process.wait()
        return [failures[index] for index in sorted(failures)]

    def _start(self, index: int) -> None:
        task = self._tasks[index]
        threads = str(max(1, (os.cpu_count() or 1) // self._jobs))
        environment = {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads} | dict(os.environ)
        environment["PYTHONPATH"] = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
        process = subprocess.Popen(
            [sys.executable, "-m", "rdzip.bounds.tasks"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # Ctrl-C is the parent's to handle
        )
        self._running[index] = process
        assert process.stdin is not None
        assert process.stdout is not None
        reader = threading.Thread(target=self._read, args=(index, process.stdout), daemon=True)
        reader.start()
        order = {"where": asdict(self._where), "task": _as_json(task)}
        try:
            process.stdin.write(json.dumps(order).encode() + b"\n")
            process.stdin.close()
        except OSError:
            pass  # it has died; its end says so

    def _read(self, index: int, stream: IO[bytes]) -> None:
        with stream:
            for line in stream:
                self._said.put((index, json.loads(line)))
        self._said.put((index, None))

    def _ended(self, index: int) -> Exception | None:
        """Return why a process that has closed its stdout failed, None if it did its task."""
        code = self._running.pop(index).wait()
        end = self._ends.get(index, {})
        if end.get("done"):
            self._progress.at(index, 1.0)
            return None
        if "error" in end:
            return InputError(end["error"]) if end["foreseen"] else RuntimeError(end["error"])
        how = f"by signal {-code}" if code < 0 else f"with code {code}"
        return InputError(f"its process ended {how} before it was done; if memory was short, take --jobs 1")


def _as_json(task: Task) -> dict[str, Any]:
    return {"method": asdict(task.method), "lambdas": task.lambdas, "options": task.options, "saves": task.saves}


def _of_json(found: dict[str, Any]) -> Task:
    return Task(Method(**found["method"]), tuple(found["lambdas"]), found["options"], found["saves"])


def _worker() -> None:
    # Whatever a library prints must not come between the lines.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as out:
        os.dup2(2, 1)

        def say(**line: Any) -> None:
            out.write(json.dumps(line) + "\n")
            out.flush()

        try:
            order = json.loads(sys.stdin.readline())
            source = Where(**order["where"]).open()
            task = _of_json(order["task"])
            said = 0.0

            def share(done: float) -> None:
                nonlocal said
                if done >= said + STEP:
                    said = done
                    say(share=done)

            run_task(source, task, lambda record: say(record=record), share)
            say(done=True)
        except BrokenPipeError:
            os._exit(1)  # nobody listens any more
        except RdzipError as error:
            say(error=str(error), foreseen=True)
        except Exception as error:
            say(error=f"{type(error).__name__}: {error}", foreseen=False)


if __name__ == "__main__":
    _worker()
