"""Tasks here, in processes, on a Ray cluster: the same results, failures told, deaths survived once."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest
from helpers import worker_tasks
from helpers.cli_support import Cli
from helpers.train_support import TINY, fill

from rdzip.errors import InputError
from rdzip.system import workers
from rdzip.system.workers import InOrder, Pool

POOLS = [pytest.param(Pool(), id="here"), pytest.param(Pool(2), id="processes")]


def outcomes(function: Any, arguments: list[Any], pool: Pool) -> tuple[list[Any], list[Any]]:
    found: list[Any] = []
    messages: list[Any] = []
    workers.work(function, len(arguments), arguments.__getitem__, pool,
                 on_end=InOrder(lambda index, result: found.append(result)),
                 on_message=lambda index, what: messages.append((index, what)))  # fmt: skip
    return found, messages


def check_all(pool: Pool, tmp_path: Path) -> None:
    """What holds of every pool; in one test for Ray, whose start takes seconds."""
    found, messages = outcomes(worker_tasks.square, list(range(5)), pool)
    assert found == [0, 1, 4, 9, 16]
    assert sorted(messages) == [(x, ("begun", x)) for x in range(5)]
    (zero, one, two, three), _ = outcomes(worker_tasks.fail, [0, 1, 2, 3], pool)
    assert (zero, three) == (0, 3)
    assert isinstance(one, InputError)
    assert str(one) == "expected anything but 1, found 1"
    assert isinstance(two, Exception)
    assert "of two" in str(two)


def task_told_how_to_wait(folder: Path, patch: pytest.MonkeyPatch) -> Any:
    """A task that tells what OMP_WAIT_POLICY was when its module, which may load torch, was imported."""
    folder.mkdir()
    code = "import os\n\nPOLICY = os.environ.get('OMP_WAIT_POLICY')\n\n\ndef policy(x, send):\n    return POLICY\n"
    (folder / "told_how_to_wait.py").write_text(code)
    patch.delitem(sys.modules, "told_how_to_wait", raising=False)
    patch.syspath_prepend(folder)
    patch.delenv("OMP_WAIT_POLICY", raising=False)
    return importlib.import_module("told_how_to_wait").policy


def check_deaths(pool: Pool, tmp_path: Path) -> None:
    (once, twice, never), _ = outcomes(
        worker_tasks.die, [(str(tmp_path / "a"), 1), (str(tmp_path / "b"), 2), (str(tmp_path / "c"), 0)], pool
    )
    assert (once, never) == ("done", "done")
    assert isinstance(twice, InputError)
    assert "2 times" in str(twice)


@pytest.mark.parametrize("pool", POOLS)
def test_results_do_not_depend_on_where(pool: Pool, tmp_path: Path) -> None:
    check_all(pool, tmp_path)


def test_workers_set_how_threads_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = task_told_how_to_wait(tmp_path / "tasks", monkeypatch)
    assert outcomes(policy, [0, 1], Pool(2))[0] == ["passive", "passive"]
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    assert outcomes(policy, [0, 1], Pool(2))[0] == ["active", "active"]


def test_a_process_that_dies_is_tried_again_once(tmp_path: Path) -> None:
    check_deaths(Pool(2), tmp_path)


@pytest.mark.parametrize("pool", POOLS)
def test_what_callbacks_raise_ends_all(pool: Pool) -> None:
    def stop(index: int, what: Any) -> None:
        raise KeyError(index)

    for name in ("on_end", "on_message"):
        calls: dict[str, Any] = {"on_end": lambda index, what: None, name: stop}
        with pytest.raises(KeyError):
            workers.work(worker_tasks.square, 3, lambda index: index, pool, **calls)


@pytest.mark.parametrize("pool", POOLS)
def test_arguments_that_cannot_be_had_are_results(pool: Pool) -> None:
    found: dict[int, Any] = {}
    workers.work(worker_tasks.square, 3, [5, 6].__getitem__, pool, on_end=found.__setitem__)
    assert (found[0], found[1]) == (25, 36)
    assert isinstance(found[2], IndexError)


def test_without_ray_the_option_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(InputError, match=r"pip install 'rdzip\[ray\]'"):
        outcomes(worker_tasks.square, [1, 2], Pool(ray="local"))


def test_compress_with_jobs_gives_the_same_files(rdzip: Cli, tmp_path: Path) -> None:
    folder = fill(tmp_path / "images", 3)
    (folder / "3.png").write_bytes(b"no picture")
    runs = []
    for name, flags in (("serial", []), ("jobs", ["--jobs", 2])):
        ran = rdzip("compress", "-r", folder, "-O", tmp_path / name, "--codec", "classic", "--json", *flags)
        assert ran.code == 1
        assert "3.png" in ran.err
        runs.append({path.name: path.read_bytes() for path in sorted((tmp_path / name).iterdir())})
        assert len(ran.objects) == 3
    assert runs[0] == runs[1]
    assert len(runs[0]) == 3
    ran = rdzip("compress", "-r", folder, "--archive", tmp_path / "all.rdz", "--jobs", 2)
    assert ran.code == 2


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "tiny.toml").write_text(TINY)
    return tmp_path / "tiny.toml"


def sweep(rdzip: Cli, recipe: Path, data: Path, out: Path, *flags: object) -> dict[str, bytes]:
    ran = rdzip("train", recipe, "--data", data, "--out", out, "--set", "steps=2", "--sweep", "lr=1e-3,2e-3", *flags)
    assert ran.code == 0, ran.err
    assert ran.out.decode().split() == [str(out / f"lr={lr}" / "tiny.safetensors") for lr in ("1e-3", "2e-3")]
    assert len((out / "sweep.jsonl").read_text().splitlines()) == 2
    return {path.parent.name: path.read_bytes() for path in sorted(out.rglob("*.safetensors"))}


def test_a_sweep_is_its_runs(rdzip: Cli, recipe: Path, tmp_path: Path) -> None:
    data = fill(tmp_path / "data", 2)
    serial = sweep(rdzip, recipe, data, tmp_path / "serial")
    assert serial == sweep(rdzip, recipe, data, tmp_path / "jobs", "--jobs", 2)
    assert len(set(serial.values())) == 2
    ran = rdzip("train", recipe, "--data", data, "--out", tmp_path / "alone", "--set", "steps=2", "--set", "lr=1e-3")
    assert (tmp_path / "alone" / "tiny.safetensors").read_bytes() == serial["lr=1e-3"]
    again = rdzip("train", recipe, "--data", data, "--out", tmp_path / "serial", "--sweep", "lr=1e-3,2e-3")
    assert again.code == 1
    assert "--resume" in again.err
    assert ran.code == 0


def test_a_run_of_a_sweep_that_fails_is_told_and_the_others_go_on(rdzip: Cli, recipe: Path, tmp_path: Path) -> None:
    flags = ["--data", fill(tmp_path / "data", 2), "--out", tmp_path / "out", "--set", "warmup=1"]
    ran = rdzip("train", recipe, *flags, "--set", "clip=1e30", "--sweep", "lr=1e30,1e-3")
    assert ran.code == 1
    assert "rdzip: lr=1e30: " in ran.err
    assert "NaN" in ran.err
    assert ran.out.decode().split() == [str(tmp_path / "out" / "lr=1e-3" / "tiny.safetensors")]


@pytest.mark.parametrize("values", ["lr", "=1", "lr=", "lr=1,,2"])
def test_wrong_sweeps(rdzip: Cli, recipe: Path, tmp_path: Path, values: str) -> None:
    ran = rdzip("train", recipe, "--data", fill(tmp_path / "data", 2), "--out", tmp_path / "out", "--sweep", values)
    assert ran.code == 1
    assert "--sweep takes key=a,b,c" in ran.err


@pytest.mark.optional("ray")
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_local_ray_cluster(rdzip: Cli, tmp_path: Path) -> None:
    """All at one cluster, whose start takes seconds."""
    folder = fill(tmp_path / "images", 2)
    flags = ["compress", "-r", folder, "--codec", "classic"]
    with pytest.MonkeyPatch.context() as patch:
        import ray

        policy = task_told_how_to_wait(tmp_path / "tasks", patch)  # before the cluster, which takes the path over
        shutdown = ray.shutdown
        patch.setattr(ray, "shutdown", lambda: None)  # of the first pool; later ones find its cluster
        try:
            assert rdzip(*flags, "-O", tmp_path / "ray", "--ray", "local", "--jobs", 2).code == 0
            assert rdzip(*flags, "-O", tmp_path / "serial").code == 0
            for path in (tmp_path / "serial").iterdir():
                assert (tmp_path / "ray" / path.name).read_bytes() == path.read_bytes()
            check_all(Pool(2, "local"), tmp_path)
            check_deaths(Pool(2, "local"), tmp_path)
            assert outcomes(policy, [0, 1], Pool(2, "local"))[0] == ["passive", "passive"]
        finally:
            shutdown()


@pytest.mark.optional("ray")
@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_no_cluster_at_an_address(rdzip: Cli, tmp_path: Path) -> None:
    fill(tmp_path / "images", 1)
    ran = rdzip("compress", tmp_path / "images" / "0.png", "--ray", "nowhere:1")
    assert ran.code == 1
    assert "--ray" in ran.err
