"""The one training loop: AdamW, gradient clipping, averaged weights, JSON-lines log, checkpoints, exact resume."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from rdzip.errors import InputError
from rdzip.exact.devices import usable_device
from rdzip.train.data import ImageFolder, read_folder
from rdzip.train.recipe import Recipe

CHECKPOINT = "checkpoint.pt"
LOG = "log.jsonl"


class Task(Protocol):
    """What the loop needs to know of a network."""

    nets: nn.ModuleDict

    def loss(self, step: int, generator: torch.Generator) -> Tensor:
        """Loss of a step."""

    def validate(self) -> dict[str, float]:
        """Figures on held-out data."""

    def export(self, path: Path, facts: dict[str, Any]) -> None:
        """Write the finished model file."""


def make_task(recipe: Recipe, training: ImageFolder, validation: ImageFolder | None, device: torch.device) -> Task:
    """The task that a recipe names."""
    if recipe.task == "causal":
        from rdzip.train.causal_task import CausalTask

        return CausalTask(recipe, training, validation, device)
    raise InputError(f"recipe {recipe.name}: expected task 'causal', found {recipe.task!r}")


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


def _folders(data: Path, smallest: int) -> tuple[ImageFolder, ImageFolder | None]:
    """Training images, and held-out ones where the folder is split into train/ and valid/."""
    if (data / "train").is_dir():
        held_out = data / "valid"
        return read_folder(data / "train", smallest), read_folder(held_out, smallest) if held_out.is_dir() else None
    return read_folder(data, smallest), None


def train(recipe: Recipe, data: Path, out: Path, resume: bool, device: str) -> Path:
    """Train a recipe and export it; returns the model file. See rdzip.train.run."""
    where = usable_device(device)
    checkpoint = out / CHECKPOINT
    if checkpoint.exists() and not resume:
        raise InputError(f"{out} holds a run already: add --resume to go on with it, or name another folder")
    if resume and not checkpoint.exists():
        raise InputError(f"{out}: expected {CHECKPOINT} of an earlier run to resume, found none")
    training, validation = _folders(data, recipe.crop)
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(recipe.seed)
    task = make_task(recipe, training, validation, where)
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
    _log(out, {"event": "start", "recipe": recipe.name, "step": step, "images": len(training.images),
               "skipped": training.skipped, "data_sha256": training.sha256, "device": str(where)})  # fmt: skip
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
    facts = {"id": recipe.name, "recipe": recipe.name, "steps": recipe.steps, "seed": recipe.seed,
             "images": len(training.images), "data_sha256": training.sha256, "rates": task.validate()}  # fmt: skip
    task.export(model, facts)
    return model
