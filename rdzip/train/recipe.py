"""Recipes: everything that a training run depends on, in TOML."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rdzip.errors import InputError
from rdzip.models.model_file import is_id

RECIPES = Path(__file__).parent / "recipes"
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

_LEAST, MOST = 5e-324, 1e9  # the smallest number above 0; more of anything is a mistake
_WHOLE = (1, MOST, "at least 1 and at most 1e9")
_RANGES: dict[str, tuple[float, float, str]] = {
    **dict.fromkeys(("steps", "batch", "crop", "checkpoint_every", "validate_every"), _WHOLE),
    "lr": (_LEAST, 1e38, "above 0 and at most 1e38"),  # what float32 can hold
    "clip": (_LEAST, 1e38, "above 0 and at most 1e38"),
    "weight_decay": (0.0, 1e38, "0 or more and at most 1e38"),
    "warmup": (0, MOST, "0 or more and at most 1e9"),
    "decay": (0.0, 1.0, "a share of the steps, from 0 to 1"),
    "seed": (0, (1 << 32) - 1, "from 0 to 2^32 - 1"),
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
        raise InputError(f"`overrides` takes key=value, found {text!r}")
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
    for key, kind in {**_OPTIMISER_KEYS, "name": str, "task": str, "model": dict, "data": dict}.items():
        value = values.get(key)
        right = isinstance(value, (int, float) if kind is float else kind) and (kind is bool or type(value) is not bool)
        if key in values and not right:
            raise InputError(f"{source}: {key} must be of type {kind.__name__}, found {value!r}")
    for key, (low, high, what) in _RANGES.items():
        if key in values and not low <= values[key] <= high:  # which NaN is not, either
            raise InputError(f"{source}: {key} must be {what}, found {values[key]}")
    for table in ("model", "data"):
        for key, number in _numbers(values.get(table, {}), table):
            if not 0 <= number < MOST:
                raise InputError(f"{source}: {key} must be a number from 0 to {MOST:g}, found {number}")
    if not is_id(values["name"]):
        raise InputError(
            f"{source}: name must have 1 to 64 of a-z 0-9 . _ -, beginning with a letter or digit, found "
            f"{values['name']!r}"
        )
    return Recipe(**values)


def share(key: str, value: Any) -> float:
    """Return a share that a task's table has, 0 to 1; InputError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InputError(f"recipe: expected {key} to be a share from 0 to 1, found {value!r}")
    return float(value)


def _numbers(value: Any, name: str) -> Iterator[tuple[str, float]]:
    """Yield the numbers in a table, and in tables and lists in it, with their keys."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _numbers(part, f"{name}.{key}")
    elif isinstance(value, list):
        for part in value:
            yield from _numbers(part, name)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield name, value


def load_recipe(name: str, overrides: list[str]) -> Recipe:
    """Recipe by shipped name or file path, with "key=value" overrides applied; InputError names what is wrong."""
    path = Path(name) if name.endswith(".toml") else RECIPES / f"{name}.toml"
    if "\0" in name or not path.is_file():
        shipped = ", ".join(sorted(p.stem for p in RECIPES.glob("*.toml")))
        raise InputError(f"no recipe {name!r}: expected a .toml file or one of {shipped}")
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path}: not a TOML file: {error}") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    for text in overrides:
        keys, value = _parse_override(text)
        table = values
        for key in keys[:-1]:
            table = table.setdefault(key, {})
            if not isinstance(table, dict):
                raise InputError(f"`overrides={text}`: {key!r} is not a table")
        table[keys[-1]] = value
    return _checked(values, str(path))
