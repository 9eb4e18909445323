"""Runs that go on: from checkpoints with networks of other sizes than the recipe's, and after a full disk."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.train_support import log

from rdzip.errors import InputError
from rdzip.models import model_file
from rdzip.train import descent
from rdzip.train import run as train

SMALL = ["model.colour.width=8", "model.colour.blocks=2"]


@pytest.fixture
def other(data: Path, recipe: str, tmp_path: Path) -> Path:
    """A model whose networks are smaller than those of the recipe."""
    return train.run(recipe, data, tmp_path / "other", ["steps=3", *SMALL])


def test_a_run_from_a_model_of_other_sizes_goes_on(data: Path, recipe: str, other: Path, tmp_path: Path) -> None:
    """`train photo-finetune ... --resume` once built networks of the recipe's sizes and refused its own checkpoint."""
    whole = train.run(recipe, data, tmp_path / "whole", ["steps=6"], start=str(other))
    train.run(recipe, data, tmp_path / "run", ["steps=3"], start=str(other))
    other.unlink()  # what the checkpoint needs is in it
    resumed = train.run(recipe, data, tmp_path / "run", ["steps=6"], resume=True, start=str(other))
    met = [model_file.read_meta(path) for path in (whole, resumed)]
    assert met[0]["known_answer"] != met[1]["known_answer"] or resumed.read_bytes() == whole.read_bytes()
    assert met[0]["networks"] == met[1]["networks"]
    assert met[1]["networks"]["colour"]["width"] == 8
    assert met[1]["training"]["from"] == met[0]["training"]["from"]
    assert [record["step"] for record in log(tmp_path / "run") if record["event"] == "step"] == [3, 6]


def test_the_same_command_resumed_is_the_run_that_was_never_stopped(
    data: Path, recipe: str, other: Path, tmp_path: Path
) -> None:
    whole = train.run(recipe, data, tmp_path / "whole", start=str(other))
    checkpoint = tmp_path / "run" / "checkpoint.pt"
    kept: list[bytes] = []
    with pytest.MonkeyPatch.context() as patch:
        save = descent.save

        def stop(path: Path, state: dict[str, Any]) -> None:
            save(path, state)
            kept.append(path.read_bytes())
            raise KeyboardInterrupt

        patch.setattr(descent, "save", stop)
        with pytest.raises(KeyboardInterrupt):
            train.run(recipe, data, tmp_path / "run", start=str(other))
    assert torch.load(checkpoint, weights_only=True)["step"] == 3
    resumed = train.run(recipe, data, tmp_path / "run", resume=True, start=str(other))
    assert resumed.read_bytes() == whole.read_bytes()


def test_a_run_is_what_another_starts_from(data: Path, recipe: str, other: Path, tmp_path: Path) -> None:
    run = train.run(recipe, data, tmp_path / "next", ["steps=1", "lr=1e-9"], start=str(other.parent))
    assert model_file.read_meta(run)["networks"] == model_file.read_meta(other)["networks"]
    again = train.run(recipe, data, tmp_path / "again", ["steps=1", "lr=1e-9"], start=str(run.parent))
    assert model_file.read_meta(again)["known_answer"] == model_file.read_meta(run)["known_answer"]
    grown = ["steps=1", "lr=1e-9", "model.grow=true", "model.colour.blocks=3", "model.colour.width=8"]
    larger = train.run(recipe, data, tmp_path / "grown", grown, start=str(other.parent))
    assert model_file.read_meta(larger)["networks"]["colour"]["blocks"] == 3


def test_a_run_of_another_kind_is_named(data: Path, recipe: str, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    torch.save({"nets": {"net.weight": torch.zeros(3)}}, tmp_path / "run" / "checkpoint.pt")
    with pytest.raises(InputError, match="`start` takes a run of the task causal") as caught:
        train.run(recipe, data, tmp_path / "new", start=str(tmp_path / "run"))
    assert "delete" not in str(caught.value)


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """No file may grow beyond: what a full disk does, but in one process."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_is_named_and_the_earlier_state_kept(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    with files_of_at_most(5000), pytest.raises(InputError, match=r"checkpoint\.pt cannot be written: file too large$"):
        descent.save(path, {"nets": torch.zeros(9999)})
    assert list(tmp_path.iterdir()) == []
    descent.save(path, {"nets": torch.ones(3)})
    with files_of_at_most(5000), pytest.raises(InputError, match=r"the earlier checkpoint\.pt is kept: .*`resume`"):
        descent.save(path, {"nets": torch.zeros(9999)})
    assert [file.name for file in tmp_path.iterdir()] == ["checkpoint.pt"]
    found: list[Any] = []
    descent.load(path, found.append)
    assert found[0]["nets"].tolist() == [1, 1, 1]


def test_a_log_on_a_full_disk_is_named(data: Path, recipe: str, tmp_path: Path) -> None:
    out = tmp_path / "run"
    out.mkdir()
    (out / "log.jsonl").symlink_to("/dev/full")
    with pytest.raises(InputError, match=r"log\.jsonl cannot be written: no space left"):
        train.run(recipe, data, out)


def test_a_folder_that_cannot_be_made(data: Path, recipe: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"`out`: .* cannot be made"):
        train.run(recipe, data, tmp_path / "file" / "run")


WRONG = ["nan", "inf", "-inf", "-1", "1e99", "true", '"x"', "[]", "{}"]


@pytest.mark.parametrize(
    ("key", "more"),
    [
        ("steps", ["0", "1.5"]), ("batch", ["0"]), ("crop", ["0"]), ("checkpoint_every", ["0"]),
        ("validate_every", ["0"]), ("lr", ["0"]), ("clip", ["0"]), ("weight_decay", []), ("warmup", ["0.5"]),
        ("decay", ["5", "1.01"]), ("seed", ["4294967296", "0.5"]), ("name", ["5", '"A B"', '"../x"', '""']),
        ("task", ["5", '"no"']), ("model", ["5"]), ("data", ["5"]), ("start", ["5"]), ("bf16", ["5"]),
        ("data.shrunk", []), ("model.grey_every", []), ("model.colour.width", []), ("model.colour.neighbours", ["0"]),
        ("model.grey.blocks", []), ("model.colour", ["5"]), ("data.copies", ["5"]),
    ],
)  # fmt: skip
def test_settings_of_a_recipe_that_are_none(data: Path, recipe: str, tmp_path: Path, key: str, more: list[str]) -> None:
    good = {"name": ['"x"'], "task": [], "start": ['"x"'], "bf16": ["true"], "model": ["{}"], "data": ["{}"],
            "model.colour": ["{}"], "data.copies": ["[]"]}  # fmt: skip
    for value in [*WRONG, *more]:
        if value in good.get(key, []):
            continue
        with pytest.raises(InputError) as caught:
            train.run(recipe, data, tmp_path / "run", [f"{key}={value}"])
        assert "\n" not in str(caught.value)
        assert not (tmp_path / "run" / "checkpoint.pt").exists()
