"""A training run, from the name of a recipe to the finished model file."""

from __future__ import annotations

import os
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from rdzip.errors import InputError


def run(
    recipe: str,
    data: Path,
    out: Path,
    overrides: list[str] | None = None,
    resume: bool = False,
    device: str = "cpu",
    *,
    start: str | None = None,
    show: bool = False,
    tensorboard: bool = False,
) -> Path:
    """Train a recipe on the data that its task reads and export the model file; returns its path in ``out``.

    - recipe: name of a shipped recipe or path of a TOML file.
    - data: folder or file of training data.
    - out: folder of the run.
    - overrides: "key=value" or "table.key=value" strings.
    - resume: go on from the checkpoint in ``out``.
    - device: where torch computes.
    - start: a model, or the folder of a run, to take the weights from.
    - show: a live table on stderr, where that is a terminal.
    - tensorboard: write ``out``/tensorboard too.

    Under `torchrun`, its processes share each batch. Raises InputError for unusable recipes, data or options.
    """
    from rdzip.train.recipe import load_recipe

    settings = load_recipe(recipe, overrides or [])
    if start is not None:
        settings = replace(settings, start=start)
    if not data.exists():
        raise InputError(f"`data`: expected a folder or file of training data, found nothing at {data}")
    from rdzip.train.loop import train  # torch is slow to import
    from rdzip.train.watch import TensorBoard, Watcher, live

    first = os.environ.get("RANK", "0") == "0"
    board = TensorBoard(out / "tensorboard", resume) if tensorboard and first else None
    try:
        with live(settings.steps, settings.batch) if show and first else nullcontext[list[Watcher]]([]) as watchers:
            boards: list[Watcher] = [] if board is None else [board]
            return train(settings, data, out, resume, device, [*watchers, *boards])
    finally:
        if board is not None:
            board.close()
