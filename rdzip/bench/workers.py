"""Images through codecs, here or in processes of their own.

A process of its own is `python -m rdzip.bench.workers`: it reads tasks as JSON lines from stdin and answers each with
a line on stdout: {"record": {...}}, or {"error": text, "foreseen": whether it was made for users}.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import IO, Any

from rdzip.bench import codecs, pictures
from rdzip.bench.codec import Codec, Pixels
from rdzip.bench.measure import Record, measure, warm
from rdzip.errors import InputError, RdzipError
from rdzip.process import own_process

Result = Record | Exception


@dataclass(frozen=True)
class Task:
    """An image by its file and its name in records, and the codec by name, setting and threads that is to code it."""

    path: str
    name: str
    codec: str
    setting: float | None
    threads: int | None


class Desk:
    """Works tasks off, and keeps codecs and the image at hand from one to the next."""

    def __init__(self) -> None:
        self._codecs: dict[str, Codec] = {}
        self._image: tuple[str, Pixels] | None = None

    def run(self, task: Task) -> Record:
        """Return the record of a task. Raises RdzipError."""
        if self._image is None or self._image[0] != task.path:
            self._image = task.path, pictures.read(task.path)[0]
        pixels = self._image[1]
        if task.codec not in self._codecs:
            codec = codecs.find(task.codec)
            warm(codec, pixels)
            self._codecs[task.codec] = codec
        record = measure(self._codecs[task.codec], task.setting, pixels, task.threads)
        return {"codec": record.pop("codec"), "setting": record.pop("setting"), "image": task.name, **record}


def work(tasks: Sequence[Task], jobs: int, on_result: Callable[[int, Result], None]) -> None:
    """Work tasks off, `jobs` at a time, and hand out the result of each with its index, in the order of the tasks.

    A result is a record, or why there is none. jobs: 1 works in this process. Whatever `on_result` raises, and Ctrl-C,
    ends all and their processes.
    """
    if jobs > 1 and len(tasks) > 1:
        _Pool(tasks, min(jobs, len(tasks)), on_result).run()
        return
    desk = Desk()
    for index, task in enumerate(tasks):
        try:
            result: Result = desk.run(task)
        except Exception as error:
            result = error
        on_result(index, result)


class _Pool:
    """Processes that work tasks off one by one, and the threads that read what they say."""

    def __init__(self, tasks: Sequence[Task], jobs: int, on_result: Callable[[int, Result], None]) -> None:
        self._tasks, self._jobs, self._on_result = tasks, jobs, on_result
        self._waiting = deque(range(len(tasks)))
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        self._at: dict[int, int] = {}
        self._said: queue.Queue[tuple[int, dict[str, Any] | None]] = queue.Queue()
        self._done: dict[int, Result] = {}
        self._given = 0

    def run(self) -> None:
        try:
            for _ in range(self._jobs):
                self._start()
            while self._running:
                worker, said = self._said.get()
                if said is None:
                    self._ended(worker)
                    continue
                error = said.get("error")
                foreseen = InputError if said.get("foreseen") else RuntimeError
                self._finish(self._at.pop(worker), said["record"] if error is None else foreseen(error))
                self._order(worker)
        finally:
            for process in self._running.values():
                process.kill()
            for process in self._running.values():
                process.wait()

    def _start(self) -> None:
        threads = str(max(1, (os.cpu_count() or 1) // self._jobs))
        environment = {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads} | dict(os.environ)
        environment["PYTHONPATH"] = os.pathsep.join(path or os.curdir for path in sys.path)
        process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,  # Ctrl-C is the parent's to handle
        )
        assert process.stdout is not None
        self._running[process.pid] = process
        threading.Thread(target=self._read, args=(process.pid, process.stdout), daemon=True).start()
        self._order(process.pid)

    def _read(self, worker: int, stream: IO[bytes]) -> None:
        with stream:
            for line in stream:
                self._said.put((worker, json.loads(line)))
        self._said.put((worker, None))

    def _order(self, worker: int) -> None:
        """Give a process its next task, or let it end."""
        stdin = self._running[worker].stdin
        assert stdin is not None
        try:
            if self._waiting:
                self._at[worker] = self._waiting.popleft()
                stdin.write(json.dumps(asdict(self._tasks[self._at[worker]])).encode() + b"\n")
                stdin.flush()
            else:
                stdin.close()
        except OSError:
            pass  # it has died; its end says so

    def _ended(self, worker: int) -> None:
        code = self._running.pop(worker).wait()
        index = self._at.pop(worker, None)
        if index is None:
            return
        how = f"by signal {-code}" if code < 0 else f"with code {code}"
        self._finish(index, InputError(f"its process ended {how}; if memory was short, take --jobs 1"))
        if self._waiting:
            self._start()

    def _finish(self, index: int, result: Result) -> None:
        self._done[index] = result
        while self._given in self._done:
            self._given += 1
            self._on_result(self._given - 1, self._done.pop(self._given - 1))


def _worker() -> None:
    own_process()
    # Whatever a library prints must not come between the lines.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as out:
        os.dup2(2, 1)
        desk = Desk()
        for line in sys.stdin:
            try:
                said: dict[str, Any] = {"record": desk.run(Task(**json.loads(line)))}
            except RdzipError as error:
                said = {"error": str(error), "foreseen": True}
            except Exception as error:
                said = {"error": f"{type(error).__name__}: {error}", "foreseen": False}
            try:
                out.write(json.dumps(said) + "\n")
                out.flush()
            except BrokenPipeError:
                os._exit(1)  # nobody listens any more


if __name__ == "__main__":
    _worker()
