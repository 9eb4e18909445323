"""The training loop: gradient descent of every network of the project, those of bounds too, and files of its state.

    step 0, 1, ...          once a step          after every `every` steps
    --------------     ---------------------     -------------------------
    loss(step)     ->  backward, clip, Adam  ->  pause(): log, validate, save
        ^                                                        |
        |     restore(state): optimiser, step, seconds           v
        +-----------------------------------------------  checkpoint

A run that goes on from a checkpoint takes the same steps as one that was never stopped.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor, nn

from rdzip.errors import InputError
from rdzip.system import atomic

Clip = Callable[[list[nn.Parameter]], object]


class Descent:
    """An optimiser at work: ``step`` steps are done, in ``seconds``, those of earlier processes included.

    rate: learning rate of a step. clip: limits the gradients of the parameters in place, before each step.
    """

    def __init__(
        self, module: nn.Module, optimiser: torch.optim.Optimizer, rate: Callable[[int], float], clip: Clip
    ) -> None:
        self.module, self.optimiser, self.rate, self.clip = module, optimiser, rate, clip
        self.parameters = [p for group in optimiser.param_groups for p in group["params"]]
        self.step = 0
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Time taken so far."""
        return time.monotonic() - self._began

    def run(self, steps: int, loss: Callable[[int], Tensor | None], every: int, pause: Callable[[], None]) -> None:
        """Go on until ``steps`` steps are done, with a pause after each multiple of ``every``, and after the last.

        loss: of a step, a scalar to descend; None moves nothing.
        """
        while self.step < steps:
            value = loss(self.step)
            if value is not None:
                self._move(value)
            self.step += 1
            if self.step % every == 0 or self.step == steps:
                pause()

    def _move(self, loss: Tensor) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate(self.step)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.clip(self.parameters)
        self.optimiser.step()

    def state(self) -> dict[str, Any]:
        """What a later process needs to go on, the module's own state apart."""
        return {"optimiser": self.optimiser.state_dict(), "step": self.step, "seconds": self.seconds}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what ``state`` gave."""
        self.optimiser.load_state_dict(state["optimiser"])
        self.step = int(state["step"])
        self._began = time.monotonic() - float(state["seconds"])


def save(path: Path, state: dict[str, Any]) -> None:
    """Write a state wholly or not at all, in place of an earlier one; a process killed meanwhile leaves the earlier.

    Raises InputError where it cannot be written, such as on a full disk; the earlier one is left then, too.
    """
    kept = f"; the earlier {path.name} is kept: make room, then go on with it (`resume`)" if path.exists() else ""
    with _adding(kept), atomic.written(path, force=True) as file:
        out: Any = _Out(file)
        try:
            torch.save(state, out)
        except RuntimeError as error:  # torch says where in its source a write failed, but not why
            raise out.error or error from None


@contextmanager
def _adding(more: str) -> Iterator[None]:
    try:
        yield
    except InputError as error:
        raise InputError(f"{error}{more}") from error


class _Out:
    """A file that remembers why it could not be written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        """Write it, as files do."""
        try:
            return self._file.write(data)
        except OSError as error:
            self.error = error
            raise

    def flush(self) -> None:
        """Leave that to the end."""


def load(path: Path, use: Callable[[dict[str, Any]], None], advice: str = "delete it to start anew") -> None:
    """Read a state and put it to use. Raises InputError, with advice, for a file that is damaged, or of another run."""
    try:
        use(torch.load(path, map_location="cpu", weights_only=True))
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, EOFError, pickle.UnpicklingError) as error:
        line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path}: not a checkpoint of this run ({line.rstrip(': ')}): {advice}") from error
