"""Fitting the networks of a bound: Adam, clipped per copy, best state kept per copy, exact resume.

Every parameter has a leading axis of copies, one for each lambda, whose losses do not interact: gradients are clipped,
and the best state is chosen, for each copy by itself. All randomness of a stretch of steps follows from the seed and
its first step, so a resumed run gives the numbers of one that was never stopped.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rdzip.train.descent import Clip, Descent, load, save

STRETCH = 50
"""Steps between two reports, and between seeds of the generators."""


@dataclass(frozen=True)
class Schedule:
    """steps, peak learning rate (warm-up, then a cosine to 0), limit of each copy's gradient, validations, seed.

    joint: there are no copies but one network, of which all values are.
    """

    steps: int
    lr: float
    clip: float = 10.0
    warmup: int = 100
    validations: int = 10
    seed: int = 0
    joint: bool = False

    def rate(self, step: int) -> float:
        """Return the learning rate of a step."""
        warm = min(1.0, (step + 1) / max(1, min(self.warmup, self.steps // 10)))
        return self.lr * warm * 0.5 * (1 + math.cos(math.pi * min(1.0, step / max(1, self.steps))))


Loss = Callable[[int, np.random.Generator, torch.Generator], list[Callable[[], Tensor]]]
"""Of a stretch of so many steps: for each step, a function that gives the loss of every copy [copies]."""


def clip_copies(parameters: list[nn.Parameter], limit: float) -> None:
    """Scale the gradient of every copy whose norm is above the limit; one that is not finite becomes 0."""
    grads = [p.grad for p in parameters if p.grad is not None]
    norms = torch.stack([grad.flatten(1).square().sum(1) for grad in grads]).sum(0).sqrt()
    factor = torch.where(norms.isfinite(), (limit / norms.clamp_min(1e-12)).clamp_max(1.0), torch.zeros_like(norms))
    if bool((factor == 1).all()):
        return
    for grad in grads:
        grad.mul_(factor.view(-1, *[1] * (grad.dim() - 1)))
        if not bool(norms.isfinite().all()):
            grad.nan_to_num_(0.0, 0.0, 0.0)


def checkpoint_path(folder: Path, method: str, *identity: Any) -> Path:
    """Return the file of a run in the caller's folder: other settings, other file."""
    return folder / f"{method}-{hashlib.sha256(repr(identity).encode()).hexdigest()[:12]}.pt"


def fit(
    model: nn.Module,
    losses_of: Loss,
    validate: Callable[[], Tensor],
    schedule: Schedule,
    progress: Callable[[float], None],
    checkpoint: Path | None = None,
) -> dict[str, Any]:
    """Fit the model in place and leave each copy in its best validated state (the start counts).

    - model: of many copies, each with a loss of its own
    - losses_of: see Loss
    - validate: gives the values of all copies on samples of their own, [copies]
    - schedule: steps, learning rate and when to validate
    - progress: called with the share that is done
    - checkpoint: file to resume from and to save to

    Returns facts: steps, steps_per_second, seconds. InputError for a checkpoint that is not of this model.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimiser = torch.optim.Adam(parameters, lr=schedule.lr, betas=(0.9, 0.99), eps=1e-9, fused=True)
    clip: Clip = partial(clip_copies, limit=schedule.clip)
    if schedule.joint:
        clip = partial(nn.utils.clip_grad_norm_, max_norm=schedule.clip)
    descent = Descent(model, optimiser, schedule.rate, clip)
    best: dict[str, Tensor] = {}
    values = torch.empty(0)

    def restore(state: dict[str, Any]) -> None:
        nonlocal best, values
        model.load_state_dict(state["model"])
        best, values = state["best"], state["values"]
        descent.restore(state)

    if checkpoint is not None and checkpoint.exists():
        load(checkpoint, restore)
    else:
        best = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        values = validate()
    every = max(1, schedule.steps // schedule.validations)
    losses: Iterator[Callable[[], Tensor]] = iter(())
    before = descent.step

    def loss(step: int) -> Tensor:
        nonlocal losses
        if step % STRETCH == 0:
            rng = np.random.default_rng([schedule.seed, step])
            noise = torch.Generator().manual_seed(int(rng.integers(2**62)))
            losses = iter(losses_of(min(STRETCH, schedule.steps - step), rng, noise))
        return next(losses)().sum()

    def pause() -> None:
        nonlocal values, before
        if before // every != descent.step // every or descent.step == schedule.steps:
            values = _keep_best(model, validate(), best, values, schedule.joint)
            if checkpoint is not None:
                save(checkpoint, {"model": model.state_dict(), "best": best, "values": values, **descent.state()})
        before = descent.step
        progress(descent.step / schedule.steps)

    descent.run(schedule.steps, loss, STRETCH, pause)
    model.load_state_dict(best)
    rate = descent.step / max(descent.seconds, 1e-9)
    return {"steps": schedule.steps, "steps_per_second": round(rate, 2), "fit_seconds": descent.seconds}


def _keep_best(model: nn.Module, found: Tensor, best: dict[str, Tensor], values: Tensor, joint: bool) -> Tensor:
    if joint:
        if bool(found.mean() < values.mean()) or not bool(values.isfinite().all()):
            for name, tensor in model.state_dict().items():
                best[name].copy_(tensor)
            return found
        return values
    better = (found < values) | ~values.isfinite()
    for name, tensor in model.state_dict().items():
        if tensor.dim() and tensor.shape[0] == len(better):
            best[name][better] = tensor[better]
    return torch.where(better, found, values)
