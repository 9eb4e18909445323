from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from helpers import bounds_stub, needs

from rdzip.bounds import run
from rdzip.bounds.folder import Folder, read_records
from rdzip.bounds.run import Request, Result
from rdzip.bounds.tasks import SourceSpec
from rdzip.errors import InputError

LAMBDAS = (1.0, 3.0, 10.0)


@pytest.fixture(autouse=True)
def _stubs(monkeypatch: pytest.MonkeyPatch) -> None:
    bounds_stub.installed(monkeypatch)


def ran(out: Path | None, resume: bool = False, force: bool = False, seed: int = 0, **request: Any) -> Result:
    request.setdefault("lambdas", LAMBDAS)
    spec = request.pop("spec", "gaussian")
    plan = run.plan(Request(SourceSpec(spec, seed=seed), **request))
    return run.run(plan, out=out, resume=resume, force=force)


def kinds(records: list[dict[str, Any]]) -> set[tuple[str, float]]:
    return {(record["method"], record["lambda"]) for record in records}


ALL = {(name, lam) for name in ("up", "low", "true", "guess") for lam in LAMBDAS}


@pytest.mark.parametrize("jobs", [1, 3])
def test_a_run_writes_its_folder(tmp_path: Path, jobs: int) -> None:
    result = ran(tmp_path / "out", jobs=jobs)
    assert kinds(result.records) == ALL
    assert not result.failures
    assert result.verdict.startswith("lower <= exact <= upper at all 3 lambdas")
    assert read_records(tmp_path / "out" / "bound.jsonl") == result.records
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "bound.json", "bound.jsonl", "bound.png", "bound.svg"
    ]  # fmt: skip
    record = result.records[0]
    assert record["shape"] == [2]
    assert record["source"] == "gaussian"


def test_jobs_change_nothing_but_the_order(tmp_path: Path) -> None:
    one, three = ran(None, jobs=1), ran(None, jobs=3)
    key = lambda record: (record["method"], record["lambda"])  # noqa: E731
    assert sorted(one.records, key=key) == sorted(three.records, key=key)


def test_records_are_on_the_disk_as_they_come(tmp_path: Path) -> None:
    plan = run.plan(Request(SourceSpec("gaussian"), lambdas=LAMBDAS))
    seen = []
    run.run(plan, out=tmp_path, on_record=lambda _: seen.append(len(read_records(tmp_path / "bound.jsonl"))))
    assert seen == list(range(1, 13))


def test_shares_rise_to_one() -> None:
    shares: list[float] = []
    run.run(run.plan(Request(SourceSpec("gaussian"), lambdas=LAMBDAS)), on_share=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_failure_leaves_the_others(tmp_path: Path, jobs: int) -> None:
    result = ran(tmp_path / "out", options={"up": {"fail": "3"}}, jobs=jobs)
    assert kinds(result.records) == ALL - {("up", 3.0), ("up", 10.0)}
    (failure,) = result.failures
    assert failure.method == "up"
    assert isinstance(failure.error, InputError)
    assert "this lambda fails" in str(failure.error)


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_unforeseen_error_is_no_input_error(jobs: int) -> None:
    result = ran(None, options={"up": {"fail": 1003.0}}, jobs=jobs)
    assert not isinstance(result.failures[0].error, InputError)
    assert "nobody foresaw this" in str(result.failures[0].error)


def test_resume_does_what_is_left_only(tmp_path: Path) -> None:
    ran(tmp_path, options={"up": {"fail": "3"}}, methods=("up",))
    with pytest.raises(InputError, match=r"up\.fail 3 there, 0\.0 here"):
        ran(tmp_path, methods=("up",), resume=True)
    again = ran(tmp_path, methods=("low", "up"), options={"up": {"fail": "3"}}, lambdas=(0.5, 1.0), resume=True)
    assert kinds(again.records) == {("up", 0.5), ("up", 1.0), ("low", 0.5), ("low", 1.0)}
    assert len(again.records) == 4
    assert set(json.loads((tmp_path / "bound.json").read_text())["methods"]) == {"up", "low"}
    seconds = {(r["method"], r["lambda"]): r["seconds"] for r in read_records(tmp_path / "bound.jsonl")}
    assert len(seconds) == 4


def test_resume_starts_where_nothing_is(tmp_path: Path) -> None:
    assert len(ran(tmp_path / "new", resume=True).records) == 12


@pytest.mark.parametrize("other", [{"seed": 1}, {"spec": "banana", "methods": ("up",)}])
def test_resume_refuses_other_settings(tmp_path: Path, other: dict[str, Any]) -> None:
    ran(tmp_path, methods=("up",))
    before = (tmp_path / "bound.jsonl").read_bytes()
    with pytest.raises(InputError, match="holds a run with other settings") as caught:
        ran(tmp_path, resume=True, **other)
    assert "\n" not in str(caught.value)
    assert (tmp_path / "bound.jsonl").read_bytes() == before


def test_other_data_are_another_source(tmp_path: Path) -> None:
    import numpy as np

    path = tmp_path / "a.npy"
    np.save(path, np.random.default_rng(0).normal(size=(50, 2)))
    ran(tmp_path / "out", spec=str(path), methods=("up",))
    assert len(ran(tmp_path / "out", spec=str(path), methods=("up",), resume=True).records) == 3
    np.save(path, np.random.default_rng(1).normal(size=(50, 2)))
    with pytest.raises(InputError, match="sha256"):
        ran(tmp_path / "out", spec=str(path), methods=("up",), resume=True)


def test_half_a_line_is_cut_off(tmp_path: Path) -> None:
    ran(tmp_path, methods=("up",))
    file = tmp_path / "bound.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole[:-20])
    assert len(read_records(file)) == 2
    assert len(ran(tmp_path, methods=("up",), resume=True).records) == 3
    assert sorted(file.read_bytes().splitlines()) == sorted(whole.splitlines())


def test_damaged_lines_are_told(tmp_path: Path) -> None:
    ran(tmp_path, methods=("up",))
    file = tmp_path / "bound.jsonl"
    file.write_bytes(b"{]\n" + file.read_bytes())
    with pytest.raises(InputError, match="line 1"):
        ran(tmp_path, methods=("up",), resume=True)
    file.write_bytes(b'{"method": "up"}\n')
    with pytest.raises(InputError, match="record"):
        ran(tmp_path, methods=("up",), resume=True)
    file.unlink()
    (tmp_path / "bound.json").write_text("[]")
    with pytest.raises(InputError, match=r"bound\.json"):
        ran(tmp_path, methods=("up",), resume=True)


def test_nothing_is_replaced_unless_forced(tmp_path: Path) -> None:
    ran(tmp_path)
    before = (tmp_path / "bound.jsonl").read_bytes()
    with pytest.raises(InputError, match="`resume`"):
        ran(tmp_path, methods=("up",))
    assert (tmp_path / "bound.jsonl").read_bytes() == before
    assert len(ran(tmp_path, methods=("up",), force=True).records) == 3
    assert len(read_records(tmp_path / "bound.jsonl")) == 3


@pytest.mark.parametrize("jobs", [1, 2])
def test_stopping_keeps_what_is_done(tmp_path: Path, jobs: int) -> None:
    class Stop(BaseException):
        pass

    plan = run.plan(Request(SourceSpec("gaussian"), lambdas=LAMBDAS, options={"low": {"pause": "30"}}, jobs=jobs))
    count = 0

    def stop(_: object) -> None:
        nonlocal count
        count += 1
        if count == 2:
            raise Stop

    started = time.monotonic()
    with pytest.raises(Stop):
        run.run(plan, out=tmp_path, on_record=stop)
    assert time.monotonic() - started < 25
    assert len(read_records(tmp_path / "bound.jsonl")) == 2


def test_a_killed_process_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rdzip.system.workers.sys.executable", "/bin/false")
    result = ran(None, jobs=2)
    assert "before it was done" in str(result.failures[0].error)
    assert len(result.failures) == len({(f.method, f.lambdas) for f in result.failures})


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        ({"methods": ("frob",)}, "no such method"),
        ({"methods": ("guess",), "spec": "banana", "dim": 3}, "at most 2 dimensions"),
        ({"methods": ("true",), "spec": "banana"}, "takes gaussians"),
        ({"lambdas": ()}, "at least one lambda"),
        ({"lambdas": (1.0, -1.0)}, "above 0"),
        ({"lambdas": (float("nan"),)}, "above 0"),
        ({"lambdas": (1e300,)}, "expected every lambda in"),
        ({"options": {"up": {"frob": "1"}}}, "no option 'frob'"),
        ({"options": {"up": {"off": "much"}}}, "expected a number"),
        ({"options": {"up": {"seed": "1.5"}}}, "expected a whole number"),
        ({"options": {"low": {"off": "1"}}, "methods": ("up",)}, "does not use"),
        ({"options": {"frob": {"off": "1"}}}, "no such method"),
        ({"jobs": 0}, "at least 1 job"),
    ],
)
def test_bad_requests_are_told_in_a_line(request_: dict[str, Any], text: str) -> None:
    where = SourceSpec(request_.pop("spec", "gaussian"), dim=request_.pop("dim", None))
    with pytest.raises(InputError, match=text) as caught:
        run.plan(Request(where, **request_))
    assert "\n" not in str(caught.value)


def test_a_run_that_came_to_nothing_is_no_hindrance(tmp_path: Path) -> None:
    for resume in (False, True):
        assert not ran(tmp_path, methods=("up",), options={"up": {"fail": "1"}}, resume=resume).records
    assert len(ran(tmp_path, methods=("up",), resume=True).records) == 3


def test_figures_that_are_not_finite_are_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    nan = float("nan")
    point = bounds_stub.exact_point(1.0, "upper")
    object.__setattr__(point, "rate_nats", nan)
    monkeypatch.setattr(bounds_stub, "exact_point", lambda *_: point)
    result = ran(None, methods=("up",))
    assert not result.records
    assert "no finite" in str(result.failures[0].error)


@needs.posix
def test_a_folder_that_cannot_be_written(unprivileged: Path) -> None:
    unprivileged.chmod(0o500)
    with pytest.raises(InputError, match="cannot be written"):
        ran(unprivileged / "out")


def test_a_file_in_the_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(InputError, match="cannot be written"):
        Folder(tmp_path / "out", {"source": {}, "methods": {}})


def test_the_public_function_returns_records(tmp_path: Path) -> None:
    import numpy as np

    import rdzip

    records = rdzip.bound("gaussian", dim=3, methods=["up", "low"], lambdas=[2.0])
    assert kinds(records) == {("up", 2.0), ("low", 2.0)}
    samples = np.random.default_rng(0).normal(size=(100, 2))
    rdzip.bound(samples, methods=["up"], lambdas=[1], out=tmp_path / "out", jobs=2)
    assert read_records(tmp_path / "out" / "bound.jsonl")[0]["source"] == "array.npy"
    with pytest.warns(UserWarning, match="up: this lambda fails"):
        assert rdzip.bound("banana", lambdas=[1], options={"up": {"fail": 1.0}})
    with pytest.raises(InputError, match="this lambda fails"):
        rdzip.bound("banana", lambdas=[1], methods=["up"], options={"up": {"fail": 1.0}})
    with pytest.warns(UserWarning, match="do not trust"):
        rdzip.bound("banana", lambdas=[1], options={"low": {"off": 1.0}})
