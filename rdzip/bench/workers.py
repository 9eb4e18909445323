"""Images through codecs, in this process or by workers (rdzip/system/workers.py)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rdzip.bench import codecs, images
from rdzip.bench.codec import Codec
from rdzip.bench.measure import Record, measure, warm
from rdzip.exact.types import Pixels
from rdzip.system import workers
from rdzip.system.workers import InOrder, Pool

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
            self._image = task.path, images.read(task.path)[0]
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
    _DESK.clear()
    workers.work(_run, len(tasks), tasks.__getitem__, Pool(jobs), on_end=InOrder(on_result))


_DESK: list[Desk] = []
"""Of this process, once it has worked off a task."""


def _run(task: Task, send: Callable[[object], None]) -> Record:
    if not _DESK:
        _DESK.append(Desk())
    return _DESK[0].run(task)
