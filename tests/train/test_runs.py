"""What a run tells, survives and shares: skipped images, NaN, kill -9, TensorBoard, two processes, a start from a
model."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.train_support import fill, log, picture
from PIL import Image
from rich.console import Console

from rdzip.errors import InputError
from rdzip.models import model_file
from rdzip.models.causal.export import integer_tensors, trainable
from rdzip.train import run as train
from rdzip.train import watch
from rdzip.train.processes import Group

ROOT = Path(__file__).resolve().parents[2]


def command(*arguments: object, torchrun: int = 0) -> subprocess.Popen[bytes]:
    launch = ["torch.distributed.run", "--nproc-per-node", str(torchrun), "--standalone", "-m"] if torchrun else []
    parts = [sys.executable, "-m", *launch, "rdzip", *map(str, arguments)]
    return subprocess.Popen(parts, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env={**os.environ, "OMP_NUM_THREADS": "1"})  # fmt: skip


def tensors(model: Path) -> dict[str, np.ndarray]:
    return dict(model_file.read(model)[0])


def test_a_killed_run_loses_at_most_an_interval(data: Path, recipe: str, tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = command("train", recipe, "--data", data, "--out", out, "--set", "steps=40", "--set", "checkpoint_every=4",
                      "--set", "validate_every=40")  # fmt: skip
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline and process.poll() is None:
        if (out / "log.jsonl").exists() and len(log(out)) > 2:
            break
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    reached = max(int(str(record["step"])) for record in log(out))
    state = torch.load(out / "checkpoint.pt", weights_only=True)
    assert reached - 4 <= state["step"] <= reached
    with (out / "log.jsonl").open("a") as file:  # what was written of steps that are done again, and half a line
        file.write(json.dumps({"event": "step", "step": 39, "loss": 9.0}) + '\n{"event": "st')
    settings = ["steps=40", "checkpoint_every=4", "validate_every=40"]
    resumed = train.run(recipe, data, out, settings, resume=True)
    whole = train.run(recipe, data, tmp_path / "whole", settings)
    assert resumed.read_bytes() == whole.read_bytes()
    losses = [[(r["step"], r["loss"]) for r in log(folder) if r["event"] == "step"] for folder in (out, whole.parent)]
    assert losses[0] == losses[1]


@pytest.mark.slow
def test_two_processes_do_what_one_does(data: Path, recipe: str, tmp_path: Path) -> None:
    settings = ["batch=4", "steps=4", "checkpoint_every=2", "validate_every=2"]
    alone = train.run(recipe, data, tmp_path / "alone", settings)
    flags = [flag for setting in settings for flag in ("--set", setting)]
    process = command("train", recipe, "--data", data, "--out", tmp_path / "both", *flags, torchrun=2)
    out, err = process.communicate(timeout=280)
    assert process.returncode == 0, err.decode()[-2000:]
    assert out.decode().split() == [str(tmp_path / "both" / "tiny.safetensors")]
    states = [torch.load(folder / "checkpoint.pt", weights_only=True) for folder in (alone.parent, tmp_path / "both")]
    for name, value in states[0]["nets"].items():
        torch.testing.assert_close(states[1]["nets"][name], value, rtol=1e-4, atol=1e-5)
    one, two = (log(folder) for folder in (alone.parent, tmp_path / "both"))
    assert [r["step"] for r in one] == [r["step"] for r in two]
    assert (one[0]["processes"], two[0]["processes"]) == (1, 2)
    for a, b in zip(one[1:], two[1:], strict=True):
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-5)
        assert a["colour"] == pytest.approx(b["colour"], rel=1e-3)


def test_processes_must_divide_the_batch() -> None:
    generator = Group(1, 2, torch.device("cpu")).generator(0)
    from rdzip.models.shared.shared_random import normal, rows, uniform

    with pytest.raises(InputError, match="2 processes divide, found 3"):
        rows(torch.zeros(3), generator)
    for draw in (uniform, normal):
        whole = draw((6, 2), torch.Generator().manual_seed(5))
        for rank in range(2):
            mine = draw((3, 2), Group(rank, 2, torch.device("cpu")).generator(5))
            torch.testing.assert_close(mine, whole[3 * rank : 3 * rank + 3])


def test_nan_names_step_and_batch(data: Path, recipe: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"NaN at step \d+ on \d\.png at \(\d+, \d+\), \d\.png at .*lower lr"):
        train.run(recipe, data, tmp_path / "run", ["lr=1e30", "clip=1e30", "warmup=1"])
    last = log(tmp_path / "run")[-1]
    assert last["event"] == "nan"
    assert len(last["batch"]) == 2  # type: ignore[arg-type]


def test_skipped_images_are_said(rdzip, data: Path, recipe: str, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    (data / "train" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnot an image")
    ran = rdzip("train", recipe, "--data", data, "--out", tmp_path / "run", "--set", "steps=1")
    assert ran.code == 0
    assert "skipped broken.png: " in ran.err
    assert "decoded: 3, into" in ran.err
    assert ran.out.decode().strip() == str(tmp_path / "run" / "tiny.safetensors")


def test_a_start_from_a_model_computes_the_same(data: Path, recipe: str, tmp_path: Path) -> None:
    first = train.run(recipe, data, tmp_path / "first")
    nets = trainable(*model_file.read(first))
    for kind, net in nets.items():
        for name, value in integer_tensors(net).items():
            if name.endswith("weight"):
                scale = np.exp2(-integer_tensors(net)[name.replace("weight", "exponent")].astype(float))[:, None]
                old = np.exp2(-tensors(first)[f"{kind}.{name.replace('weight', 'exponent')}"].astype(float))[:, None]
                np.testing.assert_array_equal(value * scale, tensors(first)[f"{kind}.{name}"] * old)
    again = train.run(recipe, data, tmp_path / "again", ["steps=1", "lr=1e-9"], start=str(first))
    meta = model_file.read_meta(again)
    assert meta["known_answer"] == model_file.read_meta(first)["known_answer"]
    assert meta["training"]["from"] == f"tiny {model_file.sha256(first)}"
    run = train.run(recipe, data, tmp_path / "third", ["steps=1", "lr=1e-9"], start=str(tmp_path / "first"))
    assert model_file.read_meta(run)["known_answer"] == meta["known_answer"]
    with pytest.raises(InputError, match="`start`"):
        train.run(recipe, data, tmp_path / "fourth", start=str(tmp_path / "data"))


def test_a_run_grows_the_model_that_it_starts_from(data: Path, recipe: str, tmp_path: Path) -> None:
    first = train.run(recipe, data, tmp_path / "first")
    blocks = trainable(*model_file.read(first))["colour"].config.blocks + 2
    larger = ["steps=1", "lr=1e-9", "model.grow=true", f"model.colour.blocks={blocks}"]
    grown = train.run(recipe, data, tmp_path / "grown", larger, start=str(first))
    assert model_file.read_meta(grown)["networks"]["colour"]["blocks"] == blocks
    rates = [log(tmp_path / run)[-1]["colour"] for run in ("first", "grown")]
    assert rates[1] == pytest.approx(rates[0], abs=1e-4)
    with pytest.raises(InputError, match="can grow to"):
        train.run(recipe, data, tmp_path / "no", [*larger, "model.colour.width=999"], start=str(first))


def test_grey_images_train_the_grey_network_alone(recipe: str, tmp_path: Path) -> None:
    out = tmp_path / "run"
    train.run(recipe, fill(tmp_path / "grey", 12, grey=True), out, ["steps=3"])
    assert "grey" in log(out)[-1]
    assert "colour" not in log(out)[-1]
    assert log(out)[0]["held_out"] == 1


@pytest.mark.optional("tensorboard")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_gets_the_figures(data: Path, recipe: str, tmp_path: Path) -> None:
    train.run(recipe, data, tmp_path / "run", tensorboard=True)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    events.Reload()
    losses = [(event.step, event.value) for event in events.Scalars("loss")]
    expected = [(r["step"], pytest.approx(r["loss"], rel=1e-6)) for r in log(tmp_path / "run") if r["event"] == "step"]
    assert losses == expected
    assert {"colour", "grey", "lr"} <= set(events.Tags()["scalars"])


def test_without_tensorboard_the_option_says_so(
    data: Path, recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(InputError, match=r"pip install 'rdzip\[tensorboard\]'"):
        train.run(recipe, data, tmp_path / "run", tensorboard=True)
    assert not (tmp_path / "run").exists()


def test_the_live_table_and_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(100))
    monkeypatch.setattr(watch.time, "monotonic", lambda: float(next(clock)))
    shown = watch.TrainingProgress(steps=1000, batch=8)
    shown.record({"event": "start", "step": 0})
    for step in range(1, 11):
        shown.step(step, 2.0, 1e-3)
    shown.record({"event": "step", "step": 10, "loss": 2.0, "lr": 1e-3, "seconds": 1.0, "grey": 3.25})
    rows = dict(shown.rows())
    assert rows["step"] == "10 of 1,000"
    assert rows["loss"] == "2.0000"
    assert rows["samples a second"] == "8"
    assert rows["time left"] == "0:16:30"
    assert rows["held out: grey"] == "3.2500"
    console = Console(file=io.StringIO(), width=80)
    console.print(shown.table())
    assert "time left" in console.file.getvalue()  # type: ignore[attr-defined]
    with watch.live(10, 1) as watchers:  # stderr is no terminal here
        assert watchers == []


def test_a_picture_by_the_own_model_is_smaller(recipe: str, tmp_path: Path) -> None:
    """Fine-tuning in small: train further on one kind of picture, and gain on a held-out one."""
    import rdzip

    folder = fill(tmp_path / "kind", 6)
    first = train.run(recipe, folder, tmp_path / "first", ["steps=2"])
    own = train.run(recipe, folder, tmp_path / "own", ["steps=60", "lr=3e-3"], start=str(first))
    Image.fromarray(picture(7)).save(tmp_path / "held.png")
    sizes = [len(rdzip.compress(tmp_path / "held.png", model=str(m), codec="causal")) for m in (first, own)]
    assert sizes[1] < 0.95 * sizes[0]
