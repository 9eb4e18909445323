"""Training: recipes are checked, a resumed run equals an uninterrupted one, and a run ends in a usable model file."""

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import tiny_causal
from helpers.train_support import fill, log
from PIL import Image

from rdzip.codecs.causal import codec as causal
from rdzip.errors import InputError
from rdzip.models import check_known_answer, model_file
from rdzip.train.data.augment import half_chroma, variant
from rdzip.train.data.crops import CropSampler
from rdzip.train.data.images import read_folder
from rdzip.train.recipe import load_recipe
from rdzip.train.run import run
from rdzip.train.tasks.causal import CausalTask


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for part, count in (("train", 3), ("valid", 1)):
        fill(tmp_path / "data" / part, count)
    (tmp_path / "data" / "train" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnot an image")
    return tmp_path / "data"


def test_run_ends_in_a_model_that_codes(data: Path, recipe: str, tmp_path: Path) -> None:
    file = run(recipe, data, tmp_path / "run")
    tensors, meta = model_file.read(file)
    model = tiny_causal.from_tensors(tensors, meta)
    check_known_answer(model, meta)
    assert meta["training"]["steps"] == 6
    with Image.open(data / "valid" / "0.png") as image:
        pixels = np.asarray(image)
    encoded = causal.encode(model, pixels)
    np.testing.assert_array_equal(causal.decode(model, encoded.payload, pixels.shape, encoded.layout), pixels)
    records = log(tmp_path / "run")
    assert records[0]["images"] == 3
    assert "broken.png" in str(records[0]["skipped"])
    assert {"colour", "grey", "colour_float", "grey_float", "loss"} <= set(records[-1])


def test_longer_training_lowers_the_rate(data: Path, recipe: str, tmp_path: Path) -> None:
    run(recipe, data, tmp_path / "run", ["steps=60", "checkpoint_every=5", "validate_every=5", "lr=3e-3"])
    rates = [float(str(r["colour"])) for r in log(tmp_path / "run") if "colour" in r]
    assert rates[-1] < rates[0] - 0.3


@pytest.mark.parametrize("dropout", [False, True])
def test_resumed_run_gives_the_same_numbers(
    data: Path, recipe: str, tmp_path: Path, dropout: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those of a task that draws from torch's own generator, as dropout does."""
    plain = CausalTask.loss
    if dropout:
        monkeypatch.setattr(CausalTask, "loss", lambda *arguments: plain(*arguments) * torch.rand(()))
    torch.manual_seed(99)
    whole = run(recipe, data, tmp_path / "whole").read_bytes()
    out = tmp_path / "parts"
    with pytest.MonkeyPatch.context() as patch:
        from rdzip.train import descent

        saved = descent.save

        def save_then_die(path: Path, state: dict[str, object]) -> None:
            saved(path, state)
            raise KeyboardInterrupt

        patch.setattr(descent, "save", save_then_die)
        with pytest.raises(KeyboardInterrupt):
            run(recipe, data, out)
    torch.manual_seed(7)
    assert run(recipe, data, out, resume=True).read_bytes() == whole
    a, b = ([r["loss"] for r in log(folder) if r["event"] == "step"] for folder in (tmp_path / "whole", out))
    assert a == b


def test_not_a_number_stops_the_run(data: Path, recipe: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="NaN at step"):
        run(recipe, data, tmp_path / "run", ["lr=1e30", "clip=1e30", "warmup=1"])


def test_runs_are_not_overwritten(data: Path, recipe: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected checkpoint"):
        run(recipe, data, tmp_path / "run", resume=True)
    run(recipe, data, tmp_path / "run")
    with pytest.raises(InputError, match="`resume`"):
        run(recipe, data, tmp_path / "run")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["steps"], "key=value"),
        (["wings=3"], "unknown key 'wings'"),
        (["steps=0"], "at least 1"),
        (["steps='many'"], "type int"),
        (["task=dance"], "expected a task"),
        (["model.wings=3"], "unknown keys"),
        (["model.colour.wings=3"], "wings"),
        (["data.wings=3"], "unknown keys"),
        (["data.copies=['upside']"], "upside"),
        (["lr.peak=3"], "not a table"),
    ],
)
def test_unusable_settings(data: Path, recipe: str, tmp_path: Path, overrides: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        run(recipe, data, tmp_path / "run", overrides)


def test_unusable_recipes_data_and_devices(data: Path, recipe: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="photo"):
        load_recipe("nosuch", [])
    broken = tmp_path / "broken.toml"
    broken.write_text("steps = ")
    with pytest.raises(InputError, match="not a TOML"):
        load_recipe(str(broken), [])
    with pytest.raises(InputError, match="expected a folder"):
        run(recipe, tmp_path / "nothing", tmp_path / "run")
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match="found none usable"):
        run(recipe, empty, tmp_path / "run")
    with pytest.raises(InputError, match="`device`"):
        run(recipe, data, tmp_path / "run", device="abacus")


def test_shipped_recipe_loads() -> None:
    recipe = load_recipe("photo", ["steps=10", "model.colour.width=8"])
    assert recipe.steps == 10
    assert recipe.model["colour"]["width"] == 8


def test_crops_show_the_image(data: Path) -> None:
    folder = read_folder(data / "train", 8)
    sampler = CropSampler(folder.images[:1], ["plain"], 8)
    crops = sampler.draw(5, torch.Generator().manual_seed(1))
    net = tiny_causal.nets()["colour"]
    context, planes = crops.context(net.config)
    image = folder.images[0].astype(int)
    x, y = context.x.reshape(5, 8, 8).numpy(), context.y.reshape(5, 8, 8).numpy()
    np.testing.assert_array_equal(planes[0].reshape(5, 8, 8).numpy(), image[y, x, 1])
    inner = (x > 0) & (y > 0)
    west = context.neighbours[1][:, 0].reshape(5, 8, 8).numpy()
    np.testing.assert_array_equal(west[inner], (image[y, x - 1, 0] - image[y, x - 1, 1])[inner])


def test_half_chroma_keeps_luma_and_smooths_colour() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(60, 190, (33, 31, 3), dtype=np.uint8)
    luma = np.array([0.299, 0.587, 0.114])
    for seed in range(8):
        out = half_chroma(image, np.random.default_rng(seed))
        assert out.shape == image.shape
        assert np.abs(out @ luma - image @ luma).mean() < 1.5
        difference = image[..., 0].astype(int) - image[..., 1]
        smoothed = out[..., 0].astype(int) - out[..., 1]
        assert np.abs(np.diff(smoothed, axis=1)).mean() < 0.8 * np.abs(np.diff(difference, axis=1)).mean()
    np.testing.assert_array_equal(variant(variant(image, "mirror", rng), "mirror", rng), image)
