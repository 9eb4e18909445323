"""Training of the published hyperprior codecs: a model file that codes, exact resuming, settings of a recipe."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers import lossy_stub
from PIL import Image

from rdzip.codecs.transform import codec as transform
from rdzip.errors import InputError
from rdzip.models import check_known_answer, model_file
from rdzip.models.hyperprior.file import from_tensors
from rdzip.train.run import run

TINY = """
name = "tiny-hyper"
task = "hyper-code"
steps = 2
batch = 2
crop = 64
lr = 1e-3
warmup = 2
bf16 = false
checkpoint_every = 1
validate_every = 1
[model]
width = 8
latent = 12
hyper = 6
hyper_analysis = [8, 8]
hyper_synthesis = [8, 8, 12]
towers = 2
slices = 3
support = 1
heads = [8]
residual = true
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for part, count in (("train", 2), ("valid", 1)):
        folder = tmp_path / "data" / part
        folder.mkdir(parents=True)
        for i in range(count):
            Image.fromarray(lossy_stub.photo(130, 140, i)).save(folder / f"{i}.png")
    return tmp_path / "data"


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return str(path)


def test_a_run_ends_in_a_model_that_codes_and_resuming_changes_nothing(data: Path, recipe: str, tmp_path: Path) -> None:
    whole = run(recipe, data, tmp_path / "whole", ["decay=0.1"])
    run(recipe, data, tmp_path / "cut", ["steps=1", "decay=0.1"])
    resumed = run(recipe, data, tmp_path / "cut", ["decay=0.1"], resume=True)
    tensors, meta = model_file.read(whole)
    again = model_file.read(resumed)[0]
    assert tensors.keys() == again.keys()
    assert all((tensors[name] == again[name]).all() for name in tensors)
    model = from_tensors(tensors, meta)
    check_known_answer(model, meta)
    assert meta["codecs"] == ["channel-ar"]
    pixels = lossy_stub.photo(70, 80)
    coded = transform.encode(model, pixels, 50)
    found = transform.unpack(model, coded.payload, pixels.shape, coded.layout)
    assert found.digest == coded.digest
    records = [json.loads(line) for line in (tmp_path / "whole" / "log.jsonl").read_text().splitlines()]
    assert records[-1]["cost_0"] > records[-1]["cost_255"] > 0


def test_a_recipe_may_leave_out_fine_settings(data: Path, recipe: str, tmp_path: Path) -> None:
    path = run(recipe, data, tmp_path / "run", ["model.finest=130", "steps=1"])
    record = json.loads((tmp_path / "run" / "log.jsonl").read_text().splitlines()[-1])
    assert {name for name in record if name.startswith("cost")} == {"cost_192", "cost_255"}
    model = from_tensors(*model_file.read(path))
    assert (model.setting_count, model.setting_of(100), model.setting_of(1)) == (126, 0, 125)


def test_one_slice_is_a_hyperprior(data: Path, recipe: str, tmp_path: Path) -> None:
    changes = ["model.slices=1", "model.support=0", "model.towers=1", "model.heads=[]", "model.residual=false"]
    assert model_file.read_meta(run(recipe, data, tmp_path / "run", [*changes, "steps=1"]))["codecs"] == ["hyperprior"]


@pytest.mark.parametrize(
    "wish",
    [
        "crop=96",
        "model.depth=2",
        "model.slices=5",
        "model.latent='many'",
        "model.finest=157",
        "data.settings=[0, 3]",
    ],
)
def test_impossible_recipes(data: Path, recipe: str, tmp_path: Path, wish: str) -> None:
    with pytest.raises(InputError):
        run(recipe, data, tmp_path / "run", [wish])
