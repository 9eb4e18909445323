"""Training: recipes (TOML), data, and the one loop behind every network of the project."""

from __future__ import annotations

from pathlib import Path

from rdzip.errors import InputError

RECIPES = Path(__file__).parent / "recipes"


def run(
    recipe: str,
    data: Path,
    out: Path,
    overrides: list[str] | None = None,
    resume: bool = False,
    device: str = "cpu",
) -> Path:
    """Train a recipe on the data that its task reads and export the model file; returns its path in ``out``.

    recipe: name of a shipped recipe or path of a TOML file; overrides: "key=value" or "table.key=value" strings.
    Raises InputError for unusable recipes, data or options.
    """
    from rdzip.train.recipe import load_recipe

    settings = load_recipe(recipe, overrides or [])
    if not data.exists():
        raise InputError(f"--data: expected a folder or file of training data, found nothing at {data}")
    from rdzip.train.loop import train  # torch is slow to import

    return train(settings, data, out, resume=resume, device=device)
