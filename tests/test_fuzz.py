"""Past crashers and seeds of all fuzz targets end well, and valid files of every kind are read by two decoders."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest

from fuzz import check, target

SEEDS = 20
MORE = 60
"""MiB that an input needs, in a test."""
SMALL, MANY = 40, 400
"""Valid files in the fast suite, and in the slow one."""


@pytest.mark.parametrize("name", target.NAMES)
def test_crashers_and_seeds(name: str) -> None:
    made = target.load(name)
    watched = target.Watched(made)
    for seed in islice(made.seeds(), SEEDS):
        assert len(seed) <= made.MAX_LEN
        assert watched.run(seed) is None
    assert watched.runs
    for path in target.crashers(name):
        fault = watched.run(path.read_bytes())
        assert fault is None, f"{path.name}: {fault.text}"


def test_crashers_belong_to_targets() -> None:
    assert {path.name for path in target.CRASHERS.glob("*")} <= set(target.NAMES)


def test_faults_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exceptions, time and memory."""

    class Bad:
        CODE, MAX_LEN = "python", 9

        @staticmethod
        def one(data: bytes) -> None:
            if data == b"crash":
                raise KeyError(data)
            if data == b"memory":
                bytearray(b"x") * (MORE << 20)

    watched = target.Watched(Bad())  # type: ignore[arg-type]
    assert watched.run(b"fine") is None
    fault = watched.run(b"crash")
    assert fault is not None
    assert fault.kind == "crash"
    assert fault.where.startswith("KeyError at target.py:")
    watched.high = 0
    assert watched.run(b"fine") is None
    monkeypatch.setattr(target, "MEGABYTES", MORE // 2)
    watched.high = 0
    memory = watched.run(b"memory")
    assert memory is not None
    assert memory.kind == "memory"


def test_valid_files() -> None:
    for number in range(SMALL):
        check.check(number)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_more_valid_files(part: int) -> None:
    for number in range(SMALL + part * MANY // 4, SMALL + (part + 1) * MANY // 4):
        check.check(number)


def test_the_page_lists_the_targets() -> None:
    text = Path(target.FOLDER / "README.md").read_text("utf-8").partition("## What was found")[0]
    cells = [row.split("|")[1] for row in text.splitlines() if row.startswith("| ")][2:]
    assert sorted(name.strip() for cell in cells for name in cell.split(",")) == list(target.NAMES)
