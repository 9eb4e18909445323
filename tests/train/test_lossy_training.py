"""Training of lossy models: validation, a model file that codes, and exact resuming."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rdzip.errors import InputError
from rdzip.models import check_known_answer, model_file
from rdzip.models.lapped_transform.file import from_tensors
from rdzip.train.recipe import load_recipe
from rdzip.train.run import run

TINY = """
name = "tiny-lossy"
task = "transform-code"
steps = 4
batch = 2
crop = 32
lr = 1e-3
warmup = 2
bf16 = false
checkpoint_every = 2
validate_every = 2
[model]
widths = [8, 8, 16]
blocks = 1
[model.slices]
slices = [3, 8, 16, 165]
passes = [4, 2, 1]
width = 16
blocks = 1
first = 16
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:72, :80]
    for part, count in (("train", 3), ("valid", 1)):
        folder = tmp_path / "data" / part
        folder.mkdir(parents=True)
        for i in range(count):
            layers = np.stack([120 + 60 * np.sin((x + 9 * i) / (6 + c)) + 30 * np.cos(y / 5) for c in range(3)], -1)
            pixels = np.clip(layers + rng.normal(0, 2, layers.shape), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{i}.png")
    return tmp_path / "data"


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return str(path)


def test_a_run_ends_in_a_model_and_resuming_changes_nothing(data: Path, recipe: str, tmp_path: Path) -> None:
    whole = run(recipe, data, tmp_path / "whole")
    run(recipe, data, tmp_path / "parts", ["steps=4", "decay=0.5"])
    tensors, meta = model_file.read(whole)
    check_known_answer(from_tensors(tensors, meta), meta)
    assert meta["codecs"] == ["channel-ar"]
    assert (tmp_path / "parts" / "tiny-lossy.safetensors").read_bytes() == whole.read_bytes()
    records = [json.loads(line) for line in (tmp_path / "whole" / "log.jsonl").read_text().splitlines()]
    last = records[-1]
    assert last["cost_0"] > last["cost_255"] > 0
    assert last["psnr_0"] > last["psnr_255"]


def test_an_interrupted_run_goes_on_exactly(data: Path, recipe: str, tmp_path: Path) -> None:
    whole = run(recipe, data, tmp_path / "whole", ["decay=0.1"])
    run(recipe, data, tmp_path / "cut", ["steps=2", "decay=0.1"])
    resumed = run(recipe, data, tmp_path / "cut", ["decay=0.1"], resume=True)
    assert model_file.read(resumed)[0].keys() == model_file.read(whole)[0].keys()
    first, second = model_file.read(whole)[0], model_file.read(resumed)[0]
    assert all((first[name] == second[name]).all() for name in first)


def test_a_run_starts_from_a_finished_model(data: Path, recipe: str, tmp_path: Path) -> None:
    model = run(recipe, data, tmp_path / "first", ["decay=0.1"])
    again = run(recipe, data, tmp_path / "again", ["steps=1", "warmup=1000", "lr=1e-9"], start=str(model))
    (old, before), (new, after) = model_file.read(model), model_file.read(again)
    # Weights may have finer units than in the file that they come from: what the network computes is the same.
    assert before["known_answer"] == after["known_answer"]
    assert after["training"]["from"].startswith("tiny-lossy ")
    exact = {name for name in old if name.startswith("float.")}
    assert exact
    for name in exact:
        np.testing.assert_allclose(new[name] * 1.0, old[name] * 1.0, atol=2)
    with pytest.raises(InputError, match="`start`: expected a network of"):
        run(recipe, data, tmp_path / "other", ["model.blocks=2"], start=str(model))


def test_impossible_recipes(data: Path, recipe: str, tmp_path: Path) -> None:
    for wish in ("crop=30", "data.zoom=2", "model.slices.depth=3", "data.metric=vmaf", "data.metric=ms-ssim"):
        with pytest.raises(InputError):
            run(recipe, data, tmp_path / "run", [wish])


def test_the_shipped_recipe_loads() -> None:
    assert load_recipe("photo-lossy", []).task == load_recipe("photo-lossy-msssim", []).task == "transform-code"


def test_structure_can_be_the_target(recipe: str, tmp_path: Path) -> None:
    folder = tmp_path / "large"
    folder.mkdir()
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (360, 360, 3)).astype(np.uint8)).save(folder / "noise.png")
    model = run(recipe, folder, tmp_path / "run", ["steps=1", "batch=1", "crop=176", "data.metric=ms-ssim"])
    assert model.is_file()
