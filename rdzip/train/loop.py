"""Training runs: from a recipe and data to a model file; log, checkpoints, exact resume, one process or several.

    recipe.toml --+
                  +--> Task: networks, loss, validation --> Descent (descent.py) --> Task.export --> NAME.safetensors
    data ---------+                                          |          |
                                                        log.jsonl   checkpoint.pt

What is trained are float networks whose forward already rounds as the integer one does (straight-through gradients,
exact/layers.py), so that export changes nothing that was learnt.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from rdzip.errors import InputError
from rdzip.system import atomic
from rdzip.train import descent
from rdzip.train.descent import Descent
from rdzip.train.processes import Group, group
from rdzip.train.recipe import Recipe
from rdzip.train.watch import Watcher

CHECKPOINT = "checkpoint.pt"
LOG = "log.jsonl"
NAMED = 4
"""Samples of a batch, or images that were skipped, that a message names; the log has all."""

_log = logging.getLogger(__name__)


class Task(Protocol):
    """What the loop needs to know of a network.

    A task may also have ``drawn() -> list[str]``, which names the samples of the last batch, ``start(name: str)``,
    which takes the weights of the model of that name, and, where networks need not have the sizes of the recipe,
    ``shapes() -> dict``, ``reshape(shapes)``, which makes networks of these shapes, and ``grow()``, which grows them to
    the recipe's where that is wanted.
    """

    nets: nn.ModuleDict
    facts: dict[str, Any]
    """Of the training data: samples, skipped (texts), data_sha256."""

    def loss(self, step: int, generator: torch.Generator) -> Tensor:
        """Loss of a step, the mean over this process's part of the batch (see rdzip.models.shared.shared_random)."""

    def validate(self) -> dict[str, float]:
        """Figures on held-out data."""

    def export(self, path: Path, facts: dict[str, Any]) -> None:
        """Write the finished model file."""


_TASKS = {
    "bit-swap": "rdzip.train.tasks.conv_vae:ConvTask",
    "causal": "rdzip.train.tasks.causal:CausalTask",
    "hyper-code": "rdzip.train.tasks.lossy:LossyTask",
    "irec-code": "rdzip.train.tasks.lossy:LossyTask",
    "resnet-vae": "rdzip.train.tasks.conv_vae:ConvTask",
    "transform-code": "rdzip.train.tasks.lossy:LossyTask",
    "vae-mlp": "rdzip.train.tasks.vae_mlp:VaeMlpTask",
    "vrnn": "rdzip.train.tasks.vrnn:VrnnTask",
}


def make_task(recipe: Recipe, data: Path, device: torch.device) -> Task:
    """The task that a recipe names, with its data read."""
    place = _TASKS.get(recipe.task)
    if place is None:
        raise InputError(f"recipe {recipe.name}: expected a task of {', '.join(sorted(_TASKS))}, found {recipe.task!r}")
    module, name = place.split(":")
    maker = getattr(import_module(module), name)
    try:
        task: Task = maker(recipe, data, device)
    except (ArithmeticError, AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"recipe {recipe.name}: expected sizes and settings in [model] and [data] of which the task {recipe.task} "
            f"can make a network, found others ({why[:120]})"
        ) from error
    return task


def train(recipe: Recipe, data: Path, out: Path, resume: bool, device: str, watchers: Sequence[Watcher] = ()) -> Path:
    """Train a recipe and export it; returns the model file. See rdzip.train.run.

    - recipe: what to train, and how.
    - data: folder or file that the task reads.
    - out: folder of log, checkpoint and model file.
    - resume: go on from the checkpoint in `out`.
    - device: where torch computes.
    - watchers: called with every step and every record of the log, in the process that writes them.
    """
    with group(device) as processes:
        checkpoint = out / CHECKPOINT
        if checkpoint.exists() and not resume:
            raise InputError(f"{out} holds a run already: add `resume` to go on with it, or name another folder")
        if resume and not checkpoint.exists():
            raise InputError(f"{out}: expected {CHECKPOINT} of an earlier run to resume, found none")
        torch.manual_seed(recipe.seed)
        with processes.first_alone():
            task = make_task(recipe, data, processes.device)
        if resume:
            descent.load(checkpoint, lambda state: _reshape(task, state))
        elif recipe.start:
            _start(task, recipe)
        run = _Run(recipe, task, out, processes, watchers)
        if resume:
            run.resume()
        return run.finish()


def _start(task: Task, recipe: Recipe) -> None:
    """Take the weights of a run of the same task, or of a model where the task can."""
    folder = Path(recipe.start)
    if folder.is_dir():
        if not (folder / CHECKPOINT).is_file():
            raise InputError(f"`start`: expected {CHECKPOINT} of a run in {folder}, found none")
        advice = f"`start` takes a run of the task {recipe.task} and of its sizes"
        descent.load(folder / CHECKPOINT, lambda state: _take(task, state), advice)
        return
    start = getattr(task, "start", None)
    if start is None:
        raise InputError(
            f"`start`: expected the folder of a run, found {recipe.start!r}: the task {recipe.task} starts from "
            "no model"
        )
    start(recipe.start)


def _take(task: Task, state: dict[str, Any]) -> None:
    """Take weights from a checkpoint, and grow them where the recipe says so."""
    _reshape(task, state)
    task.nets.load_state_dict(state["nets"])
    if (grow := getattr(task, "grow", None)) is not None:
        grow()


def _reshape(task: Task, state: dict[str, Any]) -> None:
    """Give a task's networks the shapes that those of a checkpoint have, and it what is known of their origin."""
    if "shapes" in state and hasattr(task, "reshape"):
        task.reshape(state["shapes"])
    task.facts |= state.get("facts", {})


class _Step(nn.Module):
    """The loss of a step as a module's forward, which is what DistributedDataParallel takes."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.nets = task.nets
        self._task = [task]

    def forward(self, step: int, generator: torch.Generator) -> Tensor:
        return self._task[0].loss(step, generator)


@dataclass
class _Mean:
    """Mean of the losses since the last record."""

    total: float = 0.0
    count: int = 0

    def take(self) -> float:
        mean = self.total / max(1, self.count)
        self.total, self.count = 0.0, 0
        return mean


class _Run:
    def __init__(self, recipe: Recipe, task: Task, out: Path, processes: Group, watchers: Sequence[Watcher]) -> None:
        self.recipe, self.task, self.out, self.processes = recipe, task, out, processes
        self.watchers = watchers if processes.first else ()
        self.generator = processes.generator(recipe.seed)
        self.step_loss = processes.shared(_Step(task))
        optimiser = torch.optim.AdamW(
            task.nets.parameters(), lr=recipe.lr, betas=(0.9, 0.99), weight_decay=recipe.weight_decay
        )
        self.descent = Descent(task.nets, optimiser, recipe.learning_rate, self.clip)
        self.mean, self.value = _Mean(), 0.0
        self.figures: dict[str, float] | None = None
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"`out`: {out} cannot be made: {atomic.explain(error)}") from error

    def resume(self) -> None:
        def restore(state: dict[str, Any]) -> None:
            self.task.nets.load_state_dict(state["nets"])
            self.generator.set_state(state["generator"])
            self.descent.restore(state)

        descent.load(self.out / CHECKPOINT, restore)
        if self.processes.first:
            self.cut_log()

    def cut_log(self) -> None:
        """Drop what the log says of steps after the checkpoint: they are done again."""
        kept = []
        for line in (self.out / LOG).read_text("utf-8").splitlines() if (self.out / LOG).exists() else ():
            try:
                if json.loads(line).get("step", 0) <= self.descent.step:
                    kept.append(line + "\n")
            except ValueError:
                continue  # half a line, written when the process was killed
        atomic.write(self.out / LOG, "".join(kept).encode(), force=True)

    def log(self, record: dict[str, Any]) -> None:
        if self.processes.first:
            try:
                with (self.out / LOG).open("a", encoding="utf-8") as file:
                    file.write(json.dumps(record) + "\n")
            except OSError as error:
                raise InputError(f"{self.out / LOG} cannot be written: {atomic.explain(error)}") from error
        for watcher in self.watchers:
            watcher.record(record)

    def finish(self) -> Path:
        recipe, facts = self.recipe, self.task.facts
        skipped = facts.get("skipped", [])
        if skipped and self.processes.first:
            more = f"; and {len(skipped) - NAMED} more, see {self.out / LOG}" if len(skipped) > NAMED else ""
            _log.warning("skipped %s%s", "; ".join(skipped[:NAMED]), more)
        self.log({"event": "start", "recipe": recipe.name, "step": self.descent.step, **facts,
                  "device": str(self.processes.device), "processes": self.processes.world})  # fmt: skip
        self.descent.run(recipe.steps, self.loss, recipe.checkpoint_every, self.pause)
        figures = self.task.validate() if self.figures is None else self.figures
        model = self.out / f"{recipe.name}.safetensors"
        kept = {name: value for name, value in facts.items() if name != "skipped"}
        if self.processes.first:
            self.task.export(model, {"id": recipe.name, "recipe": recipe.name, "steps": recipe.steps,
                                     "seed": recipe.seed, **kept, "rates": figures})  # fmt: skip
        self.processes.wait()
        return model

    def loss(self, step: int) -> Tensor:
        # What draws from torch's own generator, such as dropout, must not depend on where a run was resumed.
        torch.manual_seed(self.recipe.seed * 1_000_003 + step)
        loss: Tensor = self.step_loss(step, self.generator)
        self.value = float(loss.detach())
        return loss

    def clip(self, parameters: list[nn.Parameter]) -> None:
        norm = float(nn.utils.clip_grad_norm_(parameters, self.recipe.clip))
        if not (math.isfinite(norm) and math.isfinite(self.value)):
            self.stop()
        self.mean.total, self.mean.count = self.mean.total + self.value, self.mean.count + 1
        for watcher in self.watchers:
            watcher.step(self.descent.step + 1, self.value, self.recipe.learning_rate(self.descent.step))

    def stop(self) -> None:
        """Name the step and the batch that gave a loss or a gradient that is no number."""
        step = self.descent.step
        drawn: list[str] = getattr(self.task, "drawn", list)()
        self.log({"event": "nan", "step": step, "loss": str(self.value), "batch": drawn})
        more = f" and {len(drawn) - NAMED} more" if len(drawn) > NAMED else ""
        batch = f" on {', '.join(drawn[:NAMED])}{more} (all in {self.out / LOG})" if drawn else ""
        what = "the loss" if not math.isfinite(self.value) else "the gradient"
        way = f"resume from {self.out / CHECKPOINT}" if (self.out / CHECKPOINT).exists() else "start again"
        raise InputError(f"{what} became NaN at step {step}{batch}: {way} with a lower lr or another seed")

    def pause(self) -> None:
        recipe, step = self.recipe, self.descent.step
        record: dict[str, Any] = {
            "event": "step",
            "step": step,
            "loss": self.processes.mean(self.mean.take()),
            "lr": recipe.learning_rate(step),
            "seconds": self.descent.seconds,
        }
        self.figures = None
        if step % recipe.validate_every == 0 or step == recipe.steps:
            self.figures = self.task.validate()
            record |= self.figures
        self.log(record)
        if self.processes.first:
            shapes = {"shapes": self.task.shapes()} if hasattr(self.task, "shapes") else {}
            origin = {key: self.task.facts[key] for key in ("from", "licence") if key in self.task.facts}
            descent.save(self.out / CHECKPOINT, {"nets": self.task.nets.state_dict(), **self.descent.state(), **shapes,
                                                 "facts": origin, "generator": self.generator.get_state()})  # fmt: skip
