"""`rdzip bound` by the command line, with methods that need no work."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import bounds_stub, needs
from helpers.cli_support import Cli, heed_signals, names_in

FILES = ["bound.json", "bound.jsonl", "bound.png", "bound.svg"]
FIELDS = {
    "source", "dim", "method", "role", "lambda", "rate_nats", "rate_bits_per_dim", "mse", "ci95_nats", "seconds",
    "samples", "value_nats", "units", "facts", "shape",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bounds_stub.installed(monkeypatch)
    monkeypatch.chdir(tmp_path)


def bound(rdzip: Cli, *arguments: object) -> Any:
    return rdzip("bound", "--lambdas", "1,3,10", "--jobs", 1, *arguments)


def test_tables_pictures_and_records(rdzip: Cli, tmp_path: Path) -> None:
    ran = bound(rdzip, "--source", "gaussian")
    assert ran.code == 0
    assert names_in(tmp_path / "bound-gaussian") == FILES
    out = ran.out.decode()
    assert "L in nats: lower <= exact <= upper" in out
    assert "lower <= exact <= upper at all 3 lambdas; largest gap 0.080 nats" in out
    for name in ("up", "low", "true", "guess"):
        assert out.count(f" {name} ") == 3
    for name in FILES[2:]:
        assert f"wrote bound-gaussian/{name}" in ran.err
    records = [json.loads(line) for line in (tmp_path / "bound-gaussian" / "bound.jsonl").read_text().splitlines()]
    assert len(records) == 12
    assert all(set(record) == FIELDS for record in records)


def test_json_is_the_records(rdzip: Cli, tmp_path: Path) -> None:
    ran = bound(rdzip, "--source", "gaussian", "--dim", 3, "--json", "--method", "up,low")
    assert ran.code == 0
    assert [(record["method"], record["lambda"]) for record in ran.objects] == [
        ("up", 1), ("up", 3), ("up", 10), ("low", 1), ("low", 3), ("low", 10)
    ]  # fmt: skip
    lines = (tmp_path / "bound-gaussian-3" / "bound.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == ran.objects


def test_quiet_says_nothing(rdzip: Cli) -> None:
    ran = bound(rdzip, "--source", "banana", "--quiet", "--out", "deep/er")
    assert (ran.code, ran.out, ran.err) == (0, b"", "")
    assert names_in(Path("deep/er")) == FILES


def test_nothing_is_overwritten_without_force(rdzip: Cli) -> None:
    assert bound(rdzip, "--source", "banana", "--method", "up").code == 0
    before = Path("bound-banana/bound.jsonl").read_bytes()
    again = bound(rdzip, "--source", "banana", "--method", "low")
    assert again.code == 1
    assert "use --resume" in again.err
    assert len(again.err.splitlines()) == 1
    assert Path("bound-banana/bound.jsonl").read_bytes() == before
    assert bound(rdzip, "--source", "banana", "--method", "low", "-f").code == 0
    assert Path("bound-banana/bound.jsonl").read_bytes() != before


def test_resume_adds_what_is_missing(rdzip: Cli) -> None:
    assert bound(rdzip, "--source", "banana", "--method", "up").code == 0
    ran = bound(rdzip, "--source", "banana", "--method", "up,low", "--resume", "--json")
    assert ran.code == 0
    assert {record["method"] for record in ran.objects} == {"low"}
    assert len(Path("bound-banana/bound.jsonl").read_text().splitlines()) == 6
    other = bound(rdzip, "--source", "banana", "--method", "up", "--resume", "--seed", 1)
    assert other.code == 1
    assert "seed 0 there, 1 here" in other.err


def test_options_of_methods(rdzip: Cli) -> None:
    ran = bound(rdzip, "--source", "banana", "--method", "up", "--set", "up.off=0.5", "--json")
    assert ran.objects[0]["value_nats"] == pytest.approx(np.log(2) + 0.5)
    assert json.loads(Path("bound-banana/bound.json").read_text())["methods"]["up"]["off"] == 0.5


def test_a_failed_method_is_told_and_the_others_are_done(rdzip: Cli) -> None:
    ran = bound(rdzip, "--source", "banana", "--set", "up.fail=3")
    assert ran.code == 1
    assert "rdzip: up, lambda 1, 3, 10: this lambda fails" in ran.err
    assert names_in(Path("bound-banana")) == FILES
    assert b"lower <= upper at all 3 lambdas" in ran.out


def test_one_cause_is_told_once(rdzip: Cli) -> None:
    """`true` is called for each lambda by itself."""
    ran = bound(rdzip, "--source", "gaussian", "--method", "true", "--set", "true.seed=1", "--set", "true.role=frob")
    assert ran.code == 1
    assert ran.err.count("rdzip: true, lambda 1, 3, 10: ") == 1


def test_crossed_bounds_are_no_success(rdzip: Cli) -> None:
    ran = bound(rdzip, "--source", "banana", "--set", "low.off=1")
    assert ran.code == 1
    assert "do not trust these bounds" in ran.err


def test_without_matplotlib_the_records_are_written(rdzip: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rdzip.bounds.plot.missing", lambda: "figures need matplotlib")
    ran = bound(rdzip, "--source", "banana")
    assert ran.code == 0
    assert "figures need matplotlib; only bound.jsonl will be written" in ran.err
    assert names_in(Path("bound-banana")) == FILES[:2]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "--source"),
        (["--source", "banana", "more"], "--plot-only"),
        (["--source", "banana", "--method", "frob"], "frob"),
        (["--source", "banana", "--method", ","], "found ''"),
        (["--source", "banana", "--lambdas", "1,,2"], "expected numbers"),
        (["--source", "banana", "--lambdas", "0"], "above 0"),
        (["--source", "banana", "--lambdas=-1"], "above 0"),
        (["--source", "banana", "--lambdas", "nan"], "above 0"),
        (["--source", "banana", "--lambdas", "inf"], "above 0"),
        (["--source", "banana", "--resume", "-f"], "found both"),
        (["--source", "banana", "--set", "up=1"], "METHOD.KEY=VALUE"),
        (["--source", "banana", "--set", "frob.x=1"], "METHOD.KEY=VALUE"),
        (["--source", "banana", "--jobs", "0"], "jobs"),
        (["--source", "banana", "--seed", "-1"], "seed"),
        (["--plot-only"], "found none"),
        (["--plot-only", "x", "--source", "banana"], "leave --source out"),
        (["--plot-only", "x", "--resume"], "leave --resume out"),
    ],
)
def test_wrong_usage(rdzip: Cli, tmp_path: Path, arguments: list[str], text: str) -> None:
    ran = rdzip("bound", *arguments)
    assert ran.code == 2
    assert text in ran.err
    assert not names_in(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--source", "frob"], "no such source"),
        (["--source", "gaussian", "--dim", "0"], "at least 1 dimension"),
        (["--source", "physics"], "--data"),
        (["--source", "banana", "--set", "up.frob=1"], "no option 'frob'"),
        (["--source", "banana", "--set", "up.off=much"], "expected a number, found 'much'"),
        (["--source", "banana", "--device", "frob"], "--device"),
        (["--source", "banana", "--method", "true"], "takes gaussians"),
        (["--source", "a.npy"], "a.npy"),
        (["--plot-only", "nowhere"], "cannot be read"),
    ],
)
def test_bad_input_is_one_line(rdzip: Cli, tmp_path: Path, arguments: list[str], text: str) -> None:
    ran = rdzip("bound", *arguments)
    assert ran.code == 1
    assert text in ran.err
    assert len(ran.err.splitlines()) == 1
    assert not names_in(tmp_path)


@pytest.mark.parametrize(
    ("samples", "text"),
    [
        (np.full((50, 2), np.nan), "NaN"),
        (np.full((50, 2), 3.0), "equal"),
        (np.zeros((0, 2)), "found"),
        (np.array("text"), "found"),
    ],
)
def test_bad_samples_are_one_line(rdzip: Cli, tmp_path: Path, samples: Any, text: str) -> None:
    np.save("a.npy", samples)
    ran = rdzip("bound", "--source", "a.npy")
    assert ran.code == 1
    assert text in ran.err
    assert len(ran.err.splitlines()) == 1
    assert names_in(tmp_path) == ["a.npy"]


def test_plot_only_draws_one_run_in_its_folder(rdzip: Cli) -> None:
    assert bound(rdzip, "--source", "banana").code == 0
    again = rdzip("bound", "--plot-only", "bound-banana")
    assert again.code == 1
    assert "-f" in again.err
    before = Path("bound-banana/bound.png").read_bytes()
    ran = rdzip("bound", "--plot-only", "bound-banana", "-f", "--rate", "bits-per-dim")
    assert ran.code == 0
    assert Path("bound-banana/bound.png").read_bytes() != before


def test_plot_only_overlays_runs_elsewhere(rdzip: Cli) -> None:
    for name in ("banana", "gaussian"):
        assert bound(rdzip, "--source", name).code == 0
    assert rdzip("bound", "--plot-only", "bound-banana", "bound-gaussian", "--json").objects == [
        {"output": ["bound-plot/bound.png", "bound-plot/bound.svg"]}
    ]
    assert rdzip("bound", "--plot-only", "bound-banana", "--distortion", "psnr", "--out", "x").code == 1


def _start(*arguments: str) -> subprocess.Popen[bytes]:
    """The command line with the stub methods, in a process of its own."""
    program = (
        "import pytest\nfrom helpers import bounds_stub\nbounds_stub.installed(pytest.MonkeyPatch())\n"
        "from rdzip.__main__ import main\nmain()"
    )
    path = os.pathsep.join([str(Path(__file__).parents[1]), *(str(Path(p).resolve()) for p in sys.path)])
    command = [sys.executable, "-c", program, "bound", *arguments]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=heed_signals,
                            env={**os.environ, "PYTHONPATH": path})  # fmt: skip


@needs.posix
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ctrl_c_keeps_what_is_done(rdzip: Cli, jobs: str) -> None:
    slow = ["--source", "gaussian", "--lambdas", "1,3", "--method", "true,low", "--set", "low.pause=60"]
    process = _start(*slow, "--jobs", jobs)
    file = Path("bound-gaussian/bound.jsonl")
    end = time.monotonic() + 60
    while not (file.exists() and file.read_bytes().count(b"\n") == 2):
        assert time.monotonic() < end
        time.sleep(0.05)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"2 points are kept in bound-gaussian; go on by the same command and --resume" in err
    assert b"Traceback" not in err
    ran = rdzip("bound", *slow[:-1], "low.pause=60", "--resume", "--method", "true", "--json")
    assert ran.code == 1  # low's option is of no use to this run
    ran = rdzip("bound", *slow[:4], "--method", "true", "--resume", "--json")
    assert (ran.code, ran.out) == (0, b"")
