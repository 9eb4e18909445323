"""The command line's models and training."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.cli_support import Cli

from rdzip.train import run as rdzip_train


def test_models_list_and_show(rdzip: Cli) -> None:
    listed = rdzip("models", "list", "--json")
    assert listed.code == 0
    for model in listed.objects:
        assert model["id"] in rdzip("models", "list").out.decode()
        shown = rdzip("models", "show", model["id"])
        assert shown.code == 0
        assert model["sha256"] in shown.out.decode()
        (facts,) = rdzip("models", "show", model["id"], "--json").objects
        assert facts["id"] == model["id"]


def test_models_for_users_come_before_those_for_research(rdzip: Cli) -> None:
    listed = [(model["id"], model["research"]) for model in rdzip("models", "list", "--json").objects]
    assert [name for name, research in listed if not research][:2] == ["photo", "photo-lossy"]
    assert ("mnist-binary", True) in listed
    assert [research for _, research in listed] == sorted(research for _, research in listed)
    lines = rdzip("models", "list").out.decode().splitlines()
    (at,) = (i for i, line in enumerate(lines) if line.startswith("for research"))
    names = [line.split()[0] for line in lines[1 : at - 1] + lines[at + 1 :]]
    assert names == [name for name, _ in listed]
    assert lines[at - 2].split()[0] == [name for name, research in listed if not research][-1]


def test_models_verify(rdzip: Cli) -> None:
    bundled = [model for model in rdzip("models", "list", "--json").objects if model["source"] == "bundled"]
    assert bundled
    ran = rdzip("models", "verify", "--json")
    assert ran.code == 0
    assert [found["id"] for found in ran.objects] == [model["id"] for model in bundled]


@pytest.mark.parametrize("command", ["show", "verify", "pull"])
def test_unknown_model_is_one_line(rdzip: Cli, command: str) -> None:
    ran = rdzip("models", command, "frob")
    assert ran.code == 1
    assert "frob" in ran.err
    assert len(ran.err.splitlines()) == 1


def test_train_hands_its_options_over(rdzip: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, object] = {}

    def run(recipe: str, **options: object) -> Path:
        seen.update(recipe=recipe, **options)
        return Path("run/model.safetensors")

    monkeypatch.setattr(rdzip_train, "run", run)
    ran = rdzip("train", "photo", "--data", tmp_path, "--out", "run", "--set", "steps=1", "--set", "a.b=2", "--resume")
    assert ran.code == 0
    assert ran.out == b"run/model.safetensors\n"
    assert seen == {
        "recipe": "photo",
        "data": tmp_path,
        "out": Path("run"),
        "overrides": ["steps=1", "a.b=2"],
        "resume": True,
        "device": "cpu",
        "start": None,
        "show": True,
        "tensorboard": False,
    }
