"""Examples in docstrings do what they show."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "rdzip"
SHOWN = sorted(
    ".".join(("rdzip", *path.relative_to(PACKAGE).with_suffix("").parts))
    for path in PACKAGE.rglob("*.py")
    if "\n    >>> " in path.read_text("utf-8")
)
PROMISED = {
    "rdzip.bounds.exact",
    "rdzip.bounds.sandwich",
    "rdzip.bounds.units",
    "rdzip.entropy.ans",
    "rdzip.entropy.initial_bits",
    "rdzip.entropy.philox",
    "rdzip.metrics.bd_rate",
    "rdzip.metrics.psnr",
    "rdzip.system.progress",
    "rdzip.system.workers",
    "rdzip.train.sweep",
}
"""Modules whose main functions are shown at work."""


def test_main_functions_are_shown_at_work() -> None:
    assert set(SHOWN) >= PROMISED


@pytest.mark.parametrize("name", SHOWN)
def test_examples_of_docstrings(name: str) -> None:
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted > 0
    assert found.failed == 0
