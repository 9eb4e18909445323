"""Tasks worked off by a Ray cluster (Moritz et al. 2018); the package ray is imported here alone."""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import socket
import threading
from collections.abc import Iterator
from typing import Any

from rdzip.errors import InputError
from rdzip.system.messages import Function, Put, outcome, python_path
from rdzip.system.process import wait_passively

PATIENCE = 5.0
"""Seconds in which a cluster must answer."""


class RayCluster:
    """Tasks on the cluster at an address, or on one that is started here ("local").

    jobs: how many at a time, at most; 1: as many as the cluster has processors.
    """

    def __init__(self, function: Function, address: str, jobs: int) -> None:
        try:
            import ray
        except ImportError as error:
            raise InputError("`ray`: expected the package ray, found none: pip install 'rdzip[ray]'") from error
        self._ray = ray
        self._own = not ray.is_initialized()  # else this process has a cluster at hand already
        if self._own:
            options: dict[str, Any] = {"log_to_driver": False, "configure_logging": False}
            if address == "local":
                options |= {"include_dashboard": False}
                options |= {"num_cpus": jobs} if jobs > 1 else {}
            _check_address(address)
            try:
                with _environment("PYTHONPATH", python_path()):  # which workers of a local cluster inherit
                    ray.init(address=address, **options)
            except Exception as error:  # whatever its start, or the network, raises
                line = str(error).splitlines()[0] if str(error) else type(error).__name__
                raise InputError(f"`ray`: expected a Ray cluster at {address!r}, found none: {line}") from error
        processors = max(1, int(ray.cluster_resources().get("CPU", 1)))  # type: ignore[no-untyped-call]
        self.most = min(processors, jobs) if jobs > 1 else processors
        stream = ray.remote(_stream)
        # Retried by workers.py, which counts, so that no task is repeated in silence.
        self._remote = stream.options(num_returns="streaming", max_retries=0)
        self._function = function

    def __enter__(self) -> RayCluster:
        return self

    def __exit__(self, *error: object) -> None:
        if self._own:
            self._ray.shutdown()

    def start(self, argument: Any, put: Put) -> None:
        """Start a task; ``put`` gets its messages."""
        pairs = self._remote.remote(pickle.dumps((self._function, argument)))
        threading.Thread(target=self._read, args=(pairs, put), daemon=True).start()

    def _read(self, pairs: Any, put: Put) -> None:
        try:
            for reference in pairs:
                kind, value = self._ray.get(reference)
                put(kind, value)
                if kind != "message":
                    return
        except Exception as error:  # of Ray: the worker, its machine or the cluster is gone
            line = str(error).strip().splitlines()[0] if str(error) else ""
            put("died", f"its worker was lost ({type(error).__name__}: {line[:200]})")


def _stream(task: bytes) -> Iterator[tuple[str, Any]]:
    """Work a task off, a function and its argument, and yield what it says while it says it."""
    wait_passively()
    function, argument = pickle.loads(task)  # whose modules may load torch
    heard: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()

    def run() -> None:
        heard.put(outcome(function, argument, lambda message: heard.put(("message", message))))

    threading.Thread(target=run, daemon=True).start()
    kind = "message"
    while kind == "message":
        kind, value = heard.get()
        yield kind, value


def _check_address(address: str) -> None:
    """Raise InputError where HOST:PORT does not answer; Ray itself would try for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdigit():
        return
    try:
        socket.create_connection((host, int(port)), timeout=PATIENCE).close()
    except (OSError, ValueError, OverflowError) as error:
        raise InputError(f"`ray`: expected a Ray cluster at {address!r}, found none: {error}") from error


@contextlib.contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
