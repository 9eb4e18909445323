"""The one training loop: AdamW, gradient clipping, averaged weights, JSON-lines log, checkpoints, exact resume."""

from __future__ import annotations

import json
import os
import time
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from rdzip.errors import InputError
from rdzip.exact.devices import usable_device
from rdzip.train.recipe import Recipe

CHECKPOINT = "checkpoint.pt"
LOG = "log.jsonl"


class Task(Protocol):
    """What the loop needs to know of a network."""

    nets: nn.ModuleDict
    facts: dict[str, Any]
    """Of the training data: samples, skipped (texts), data_sha256."""

    def loss(self, step: int, generator: torch.Generator) -> Tensor:
        """Loss of a step."""

    def validate(self) -> dict[str, float]:
        """Figures on held-out data."""

    def export(self, path: Path, facts: dict[str, Any]) -> None:
        """Write the finished model file."""


_TASKS = {
    "bit-swap": "rdzip.train.conv_task:ConvTask",
    "causal": "rdzip.train.causal_task:CausalTask",
    "hyper-code": "rdzip.train.lossy_task:LossyTask",
    "irec-code": "rdzip.train.lossy_task:LossyTask",
    "resnet-vae": "rdzip.train.conv_task:ConvTask",
    "transform-code": "rdzip.train.lossy_task:LossyTask",
    "vae-mlp": "rdzip.train.vae_mlp_task:VaeMlpTask",
    "vrnn": "rdzip.train.vrnn_task:VrnnTask",
}


def make_task(recipe: Recipe, data: Path, device: torch.device) -> Task:
    """The task that a recipe names, with its data read."""
    place = _TASKS.get(recipe.task)
    if place is None:
        raise InputError(f"recipe {recipe.name}: expected a task of {', '.join(sorted(_TASKS))}, found {recipe.task!r}")
    module, name = place.split(":")
    task: Task = getattr(import_module(module), name)(recipe, data, device)
    return task


def _log(out: Path, record: dict[str, Any]) -> None:
    with (out / LOG).open("a") as file:
        file.write(json.dumps(record) + "\n")


def _save(out: Path, state: dict[str, Any]) -> None:
    temporary = out / (CHECKPOINT + ".tmp")
    with temporary.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(out / CHECKPOINT)


def train(recipe: Recipe, data: Path, out: Path, resume: bool, device: str) -> Path:
    """Train a recipe and export it; returns the model file. See rdzip.train.run."""
    where = usable_device(device)
    checkpoint = out / CHECKPOINT
    if checkpoint.exists() and not resume:
        raise InputError(f"{out} holds a run already: add --resume to go on with it, or name another folder")
    if resume and not checkpoint.exists():
        raise InputError(f"{out}: expected {CHECKPOINT} of an earlier run to resume, found none")
    torch.manual_seed(recipe.seed)
    task = make_task(recipe, data, where)
    out.mkdir(parents=True, exist_ok=True)
    optimiser = torch.optim.AdamW(
        task.nets.parameters(), lr=recipe.lr, betas=(0.9, 0.99), weight_decay=recipe.weight_decay
    )
    generator = torch.Generator().manual_seed(recipe.seed)
    step, seconds = 0, 0.0
    if resume:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
        task.nets.load_state_dict(state["nets"])
        optimiser.load_state_dict(state["optimiser"])
        generator.set_state(state["generator"])
        step, seconds = state["step"], state["seconds"]
    _log(out, {"event": "start", "recipe": recipe.name, "step": step, **task.facts, "device": str(where)})
    began, mean, seen = time.monotonic() - seconds, 0.0, 0
    while step < recipe.steps:
        for group in optimiser.param_groups:
            group["lr"] = recipe.learning_rate(step)
        loss = task.loss(step, generator)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(task.nets.parameters(), recipe.clip)
        value = float(loss.detach())
        if value != value:
            raise InputError(
                f"the loss became NaN at step {step}: lower lr, or resume from {checkpoint} with another seed"
            )
        optimiser.step()
        step, mean, seen = step + 1, mean + value, seen + 1
        if step % recipe.checkpoint_every == 0 or step == recipe.steps:
            seconds = time.monotonic() - began
            record = {
                "event": "step",
                "step": step,
                "loss": mean / seen,
                "lr": recipe.learning_rate(step),
                "seconds": seconds,
            }
            mean, seen = 0.0, 0
            if step % recipe.validate_every == 0 or step == recipe.steps:
                record |= task.validate()
            _log(out, record)
            _save(out, {"nets": task.nets.state_dict(), "optimiser": optimiser.state_dict(),
                        "generator": generator.get_state(), "step": step, "seconds": seconds})  # fmt: skip
    model = out / f"{recipe.name}.safetensors"
    known = {name: value for name, value in task.facts.items() if name != "skipped"}
    facts = {"id": recipe.name, "recipe": recipe.name, "steps": recipe.steps, "seed": recipe.seed,
             **known, "rates": task.validate()}  # fmt: skip
    task.export(model, facts)
    return model
