"""A pool of workers: tasks run in this process, in several, or on a Ray cluster; results do not depend on where.

A task is a function of a module and an argument, both picklable; the function is called with the argument and with a
function ``send`` for intermediate results. A worker is a process of Python that runs `_worker`: it reads pickled tasks
from stdin and writes pickled pairs to stdout: ("message", anything), at the end of a task ("done", result) or
("failed", error). Only this program writes to these pipes. Clusters: system/ray.py.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any, Protocol

from rdzip.errors import InputError
from rdzip.system.messages import Function, Put, outcome, python_path
from rdzip.system.process import ignore_settings_here, silence_libraries, tune_process

RETRIES = 1
"""How often a task is tried again whose process, or machine, died; one that fails by itself is not."""

WORKER = f"import sys; sys.path[:] = [path for path in sys.path if path]; import {__name__} as it; it._worker()"
"""What a process of its own runs. Python's -m and -c look for modules in the current folder first, which may be a
stranger's and hold a numpy.py; it is taken out before anything is imported."""


@dataclass(frozen=True)
class Pool:
    """Where tasks are worked off: ``jobs`` at a time in processes of this machine (1: in this process), or on the Ray
    cluster at an address ("local" starts one here), as many at a time as it has processors, at most ``jobs`` if that is
    above 1."""

    jobs: int = 1
    ray: str | None = None

    @property
    def alone(self) -> bool:
        """Whether tasks are worked off in this process."""
        return self.jobs == 1 and self.ray is None


def work(
    function: Function,
    count: int,
    make: Callable[[int], Any],
    pool: Pool,
    *,
    on_end: Callable[[int, Any], None],
    on_message: Callable[[int, Any], None] = lambda index, message: None,
    order: Sequence[int] | None = None,
) -> None:
    """Run tasks on a pool of workers.

    - function: of a module; takes an argument, and what sends intermediate results.
    - count: of tasks.
    - make: gives the argument of a task by its index, when its turn comes.
    - pool: the workers.
    - on_end: gets the index of each task with its result, or with the Exception that is why there is none (an error of
      ``make`` too), in the order in which they end.
    - on_message: gets the index of a task with each intermediate result.
    - order: in which tasks start.

    Whatever the callbacks raise, and Ctrl-C, ends all. Raises InputError where there is no such cluster.
    """
    waiting = deque(range(count) if order is None else order)
    if pool.alone or (pool.ray is None and count == 1):
        _here(function, waiting, make, on_end, on_message)
        return
    backend: _Backend = _Processes(function, min(pool.jobs, count)) if pool.ray is None else _ray(function, pool)
    with backend:
        _drive(backend, waiting, make, on_end, on_message)


def _ray(function: Function, pool: Pool) -> _Backend:
    from rdzip.system.ray import RayCluster

    return RayCluster(function, str(pool.ray), pool.jobs)


class InOrder:
    """Hands results to ``on_end`` in the order of the tasks, whichever ends first.

    >>> take = InOrder(lambda index, result: print(index, result))
    >>> take(1, "b")
    >>> take(0, "a")
    0 a
    1 b
    """

    def __init__(self, on_end: Callable[[int, Any], None]) -> None:
        self._on_end, self._early, self._next = on_end, dict[int, Any](), 0

    def __call__(self, index: int, result: Any) -> None:
        """Take the result of a task."""
        self._early[index] = result
        while self._next in self._early:
            self._next += 1
            self._on_end(self._next - 1, self._early.pop(self._next - 1))


def _here(
    function: Function,
    waiting: deque[int],
    make: Callable[[int], Any],
    on_end: Callable[[int, Any], None],
    on_message: Callable[[int, Any], None],
) -> None:
    for index in waiting:
        stopped: list[Exception] = []

        def send(message: Any, index: int = index, stopped: list[Exception] = stopped) -> None:
            try:
                on_message(index, message)
            except Exception as error:
                stopped.append(error)
                raise

        try:
            result = function(make(index), send)
        except Exception as error:
            if stopped:
                raise
            result = error
        on_end(index, result)


class _Backend(Protocol):
    """Starts tasks, and puts their messages."""

    most: int

    def start(self, argument: Any, put: Put) -> None:
        """Start a task; ``put`` gets "message", and at the end "done", "failed" or "died" (with a text)."""

    def __enter__(self) -> Any: ...

    def __exit__(self, *error: object) -> None: ...


def _drive(
    backend: _Backend,
    waiting: deque[int],
    make: Callable[[int], Any],
    on_end: Callable[[int, Any], None],
    on_message: Callable[[int, Any], None],
) -> None:
    heard: queue.SimpleQueue[tuple[int, str, Any]] = queue.SimpleQueue()
    tried: dict[int, int] = {}
    running = 0
    while waiting or running:
        while waiting and running < backend.most:
            index = waiting.popleft()
            try:
                argument = make(index)
            except Exception as error:
                on_end(index, error)
                continue
            tried[index] = tried.get(index, 0) + 1
            running += 1
            backend.start(argument, lambda kind, value, index=index: heard.put((index, kind, value)))  # type: ignore[misc]
        if not running:
            return
        index, kind, value = heard.get()
        if kind == "message":
            on_message(index, value)
            continue
        running -= 1
        if kind == "died" and tried[index] <= RETRIES:
            waiting.appendleft(index)
        elif kind == "died":
            on_end(index, InputError(f"{value}, {tried[index]} times; if memory was short, take fewer `jobs`"))
        else:
            on_end(index, value)


class _Processes:
    """Processes of this machine, each of which works off one task after the other."""

    def __init__(self, function: Function, most: int) -> None:
        self.function, self.most = function, most
        self._all: list[subprocess.Popen[bytes]] = []
        self._free: queue.SimpleQueue[tuple[subprocess.Popen[bytes], queue.SimpleQueue[Put]]] = queue.SimpleQueue()

    def __enter__(self) -> _Processes:
        return self

    def __exit__(self, *error: object) -> None:
        for process in self._all:
            process.kill()
        for process in self._all:
            process.wait()
            for pipe in (process.stdin, process.stdout):
                assert pipe is not None
                with contextlib.suppress(OSError):  # an order that a dead process did not read
                    pipe.close()

    def start(self, argument: Any, put: Put) -> None:
        while True:
            try:
                process, puts = self._free.get_nowait()
            except queue.Empty:
                process, puts = self._new()
            if process.poll() is None:
                break
        puts.put(put)
        assert process.stdin is not None
        try:
            process.stdin.write(pickle.dumps((self.function, argument)))
            process.stdin.flush()
        except OSError:
            pass  # it has died; its end says so

    def _new(self) -> tuple[subprocess.Popen[bytes], queue.SimpleQueue[Put]]:
        threads = str(max(1, (os.cpu_count() or 1) // self.most))
        environment = {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads} | dict(os.environ)
        environment["PYTHONPATH"] = python_path()
        process = subprocess.Popen(
            [sys.executable, "-c", WORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # Ctrl-C is the parent's to handle
        )
        self._all.append(process)
        puts: queue.SimpleQueue[Put] = queue.SimpleQueue()
        threading.Thread(target=self._read, args=(process, puts), daemon=True).start()
        return process, puts

    def _read(self, process: subprocess.Popen[bytes], puts: queue.SimpleQueue[Put]) -> None:
        assert process.stdout is not None
        put = puts.get()
        for kind, value in _pairs(process.stdout):
            if kind == "message":
                put(kind, value)
                continue
            self._free.put((process, puts))
            put(kind, value)
            put = puts.get()
        code = process.wait()
        how = f"by signal {-code}" if code < 0 else f"with code {code}"
        put("died", f"its process ended {how} before it was done")


def _pairs(stream: IO[bytes]) -> Iterator[tuple[str, Any]]:
    while True:
        try:
            yield pickle.load(stream)
        except (EOFError, pickle.UnpicklingError, ValueError, OSError):
            return


def _worker() -> None:
    tune_process()
    silence_libraries()
    ignore_settings_here()
    # Whatever a library prints must not come between the pairs.
    with os.fdopen(os.dup(1), "wb") as out:
        os.dup2(2, 1)

        def send(pair: tuple[str, Any]) -> None:
            data = pickle.dumps(pair)
            try:
                out.write(data)
                out.flush()
            except BrokenPipeError:
                os._exit(1)  # nobody listens any more

        for function, argument in _pairs(sys.stdin.buffer):
            send(outcome(function, argument, lambda message: send(("message", message))))  # type: ignore[arg-type]
