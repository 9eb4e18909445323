"""Model files of the published hyperprior codecs: each integer counts, hostile ones are refused, recipes load."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import tiny_hyper

from rdzip.errors import ModelError
from rdzip.models import model_file
from rdzip.models.hyperprior.file import from_tensors, to_tensors
from rdzip.train.recipe import load_recipe

KINDS = tuple(tiny_hyper.CONFIGS)


def test_the_known_answer_tells_of_every_integer(tmp_path: Path) -> None:
    tensors, meta = model_file.read(tiny_hyper.write(tmp_path / "tiny.safetensors", "channel-ar"))
    answers = {meta["known_answer"]}
    for name in (
        "slices.towers.0.first.weight",
        "slices.towers.1.second.bias",
        "slices.means.0.out.bias",
        "slices.scales.3.out.bias",
        "slices.corrections.1.out.bias",
        "slices.finer",
        "slices.coarser",
        "slices.squash",
    ):
        changed = tensors[name].copy()
        if "bias" in name:
            changed += 400
        elif "weight" in name:
            changed[changed > 0] -= 9
        else:
            changed[changed > 1] -= 1
        answers.add(from_tensors(tensors | {name: changed}, meta).known_answer())
    assert len(answers) == 9


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_files_are_refused(kind: str) -> None:
    net = tiny_hyper.net(kind)
    tensors = to_tensors(net)
    network = net.config.as_dict()
    meta: dict[str, Any] = {"architecture": "hyper-code", "version": 1, "codecs": [kind], "network": network}
    from_tensors(tensors, meta)
    wrong: list[dict[str, Any]] = [
        {"version": 2},
        {"network": {}},
        {"network": None},
        {"network": network | {"depth": 3}},
        {"network": network | {"width": 10**6}},
        {"network": network | {"width": 1024, "latent": 1024, "hyper": 1024}},
        {"network": network | {"width": True}},
        {"network": network | {"latent": 13, "slices": 2}},
        {"network": network | {"slices": 0}},
        {"network": network | {"slices": 2.0}},
        {"network": network | {"support": 4}},
        {"network": network | {"support": -1}},
        {"network": network | {"towers": 3}},
        {"network": network | {"towers": float(net.config.towers)}},
        {"network": network | {"kernel": float(net.config.kernel)}},
        {"network": network | {"kernel": 4}},
        {"network": network | {"residual": 1}},
        {"network": network | {"finest": 157}},
        {"network": network | {"finest": -1}},
        {"network": network | {"hyper_synthesis": [8]}},
        {"network": network | {"hyper_analysis": [8, 8, 8]}},
        {"network": network | {"hyper_analysis": 8}},
        {"network": network | {"heads": [8] * 9}},
        {"network": network | {"heads": "8"}},
    ]
    for change in wrong:
        with pytest.raises(ModelError):
            from_tensors(tensors, meta | change)
    for name in ("slices.squash", "slices.coarser", "slices.means.0.out.weight", "residual.lengths", "hyper.lengths"):
        with pytest.raises(ModelError):
            from_tensors({key: value for key, value in tensors.items() if key != name}, meta)
        with pytest.raises(ModelError):
            from_tensors(tensors | {name: tensors[name].astype(np.int16)}, meta)
    for name in ("float.analysis.norms.0.gamma", "exponent.embed.layers.0.weight", "hyper.lengths", "slices.finer"):
        with pytest.raises(ModelError):
            from_tensors(tensors | {name: tensors[name][:1]}, meta)
    for name, value in (("slices.coarser", 0), ("slices.finer", (1 << 16) + 1), ("slices.squash", -1)):
        with pytest.raises(ModelError):
            from_tensors(tensors | {name: np.full_like(tensors[name], value)}, meta)
    frequencies = tensors["hyper.frequencies"].copy()
    frequencies[0] += 1
    with pytest.raises(ModelError, match="hyper-latents"):
        from_tensors(tensors | {"hyper.frequencies": frequencies}, meta)


@pytest.mark.parametrize("kind", KINDS)
def test_each_sum_of_integers_is_checked_when_read(kind: str) -> None:
    net = tiny_hyper.net(kind)
    tensors = to_tensors(net)
    meta: dict[str, Any] = {
        "architecture": "hyper-code", "version": 1, "codecs": [kind], "network": net.config.as_dict()
    }  # fmt: skip
    layers = [name.removesuffix(".exponent") for name in tensors if name.endswith(".exponent")]
    assert len(layers) == len({name.split(".", 1)[1] for name in layers}) >= (4 if kind == "hyperprior" else 42)
    for name in layers:
        bias = tensors[f"{name}.bias"].copy()
        bias[-1] = 2**30
        with pytest.raises(ModelError, match="sums reach"):
            from_tensors(tensors | {f"{name}.bias": bias}, meta)
        with pytest.raises(ModelError, match="weight"):
            from_tensors(tensors | {f"{name}.weight": np.full_like(tensors[f"{name}.weight"], -128)}, meta)


def test_the_file_is_written_whole(tmp_path: Path) -> None:
    first, second = (tiny_hyper.write(tmp_path / name / "tiny.safetensors", "channel-ar") for name in "ab")
    assert first.read_bytes() == second.read_bytes()
    assert model_file.read_meta(first)["codecs"] == ["channel-ar"]


def test_shipped_recipes_load() -> None:
    from rdzip.models.hyperprior.file import config_of

    for name, slices, width in (("hyperprior", 1, 192), ("channel-ar", 10, 192), ("hyperprior-small", 1, 64),
                                ("channel-ar-small", 3, 64)):  # fmt: skip
        recipe = load_recipe(name, [])
        config = config_of(recipe.model)
        assert (recipe.task, recipe.name) == ("hyper-code", name)
        assert (config.slices, config.width) == (slices, width)
        assert recipe.crop % config.stride == 0
