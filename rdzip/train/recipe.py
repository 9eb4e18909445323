"""Recipes: everything that a training run depends on, in TOML."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rdzip.errors import InputError
from rdzip.train import RECIPES

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_OPTIMISER_KEYS = {
    "steps": int,
    "batch": int,
    "crop": int,
    "lr": float,
    "warmup": int,
    "decay": float,
    "clip": float,
    "weight_decay": float,
    "seed": int,
    "bf16": bool,
    "checkpoint_every": int,
    "validate_every": int,
    "start": str,
}


@dataclass(frozen=True)
class Recipe:
    """A recipe: its name, the task (which network), the loop's settings and the task's own tables.

    steps: optimiser steps; batch: crops a step; crop: side of a crop in pixels; lr: peak learning rate; warmup: steps;
    decay: share of the steps at the end over which lr falls linearly to 0; clip: gradient norm. start: a model, or the
    folder of a run, whose weights the training starts from; "" for random ones.
    """

    name: str
    task: str
    steps: int
    batch: int
    lr: float
    crop: int = 32
    warmup: int = 200
    decay: float = 0.5
    clip: float = 1.0
    weight_decay: float = 1e-4
    seed: int = 0
    bf16: bool = True
    checkpoint_every: int = 1000
    validate_every: int = 1000
    start: str = ""
    model: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)

    def learning_rate(self, step: int) -> float:
        """Learning rate of a step: linear warm-up, constant, linear decay to 0 over the last ``decay`` of the steps."""
        start = self.steps * (1 - self.decay)
        fall = 1.0 if step <= start else max(0.0, (self.steps - step) / (self.steps - start))
        return self.lr * min(1.0, (step + 1) / max(1, self.warmup)) * fall


def _parse_override(text: str) -> tuple[list[str], Any]:
    key, sign, value = text.partition("=")
    if not sign or not key:
        raise InputError(f"--set takes key=value, found {text!r}")
    try:
        return key.split("."), tomllib.loads(f"v = {value}")["v"]
    except tomllib.TOMLDecodeError:
        return key.split("."), value


def _checked(values: dict[str, Any], source: str) -> Recipe:
    known = set(_OPTIMISER_KEYS) | {"name", "task", "model", "data"}
    for key in values:
        if key not in known:
            raise InputError(f"{source}: unknown key {key!r}; known are {', '.join(sorted(known))}")
    for key in ("name", "task", "steps", "batch", "lr"):
        if key not in values:
            raise InputError(f"{source}: the key {key!r} is missing")
    for key, kind in _OPTIMISER_KEYS.items():
        value = values.get(key)
        if value is not None and not (isinstance(value, kind) or (kind is float and isinstance(value, int))):
            raise InputError(f"{source}: {key} must be of type {kind.__name__}, found {value!r}")
    for key in ("steps", "batch", "crop", "checkpoint_every", "validate_every"):
        if values.get(key, 1) < 1:
            raise InputError(f"{source}: {key} must be at least 1, found {values[key]}")
    return Recipe(**values)


def load_recipe(name: str, overrides: list[str]) -> Recipe:
    """Recipe by shipped name or file path, with "key=value" overrides applied; InputError names what is wrong."""
    path = Path(name) if name.endswith(".toml") else RECIPES / f"{name}.toml"
    if not path.is_file():
        shipped = ", ".join(sorted(p.stem for p in RECIPES.glob("*.toml")))
        raise InputError(f"no recipe {name!r}: expected a .toml file or one of {shipped}")
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not a TOML file: {error}") from error
    for text in overrides:
        keys, value = _parse_override(text)
        table = values
        for key in keys[:-1]:
            table = table.setdefault(key, {})
            if not isinstance(table, dict):
                raise InputError(f"--set {text}: {key!r} is not a table")
        table[keys[-1]] = value
    return _checked(values, str(path))
