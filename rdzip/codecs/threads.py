"""Bands of a picture coded at the same time, by as many threads as the caller allows."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from threading import Event
from typing import TypeVar

from rdzip.errors import CoderError
from rdzip.system.progress import Progress

T = TypeVar("T")

_most: ContextVar[int | None] = ContextVar("_most", default=None)


@contextmanager
def thread_limit(threads: int | None) -> Iterator[None]:
    """Within the context, no more threads than that are at work; None: as it was."""
    token = _most.set(threads or _most.get())
    try:
        yield
    finally:
        _most.reset(token)


def thread_count() -> int:
    """How many threads may work: what `thread_limit` says, else OMP_NUM_THREADS, else one for each core."""
    setting = os.environ.get("OMP_NUM_THREADS", "")
    return _most.get() or (int(setting) if setting.isdigit() and int(setting) else os.cpu_count() or 1)


def map_bands(count: int, work: Callable[[int, Progress | None], T], progress: Progress | None) -> list[T]:
    """Results of ``work`` for each band, in order.

    work: takes a band's number and what it is to call now and then. Where one fails or the caller is interrupted, the
    others stop at their next call. The first band's calls go on to ``progress``.
    """
    if count == 1:
        return [work(0, progress)]
    stop = Event()

    def go_on(b: int) -> Callable[[float], None]:
        def call(share: float) -> None:
            if stop.is_set():
                raise CoderError("another band has failed")
            if progress and b == 0:
                progress(share)

        return call

    with ThreadPoolExecutor(min(count, thread_count())) as pool:
        try:
            waiting = [pool.submit(copy_context().run, work, b, go_on(b)) for b in range(count)]
            done, _ = wait(waiting, return_when=FIRST_EXCEPTION)
            for one in done:
                one.result()  # raises what failed first, not that the others were stopped
            return [one.result() for one in waiting]
        except BaseException:
            stop.set()
            raise
