"""Skips without an excuse fail a run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from helpers import needs


def finished(skips: needs.Skips, *reasons: str) -> pytest.ExitCode:
    """The exit code of a run that skipped tests for these reasons, and else succeeded."""
    report: Any
    for i, reason in enumerate(reasons):
        report = SimpleNamespace(skipped=True, nodeid=f"test_{i}", longrepr=("file.py", 1, f"Skipped: {reason}"))
        skips.pytest_runtest_logreport(report)
    report = SimpleNamespace(skipped=False, nodeid="test_done", longrepr=None)
    skips.pytest_runtest_logreport(report)
    session: Any = SimpleNamespace(exitstatus=pytest.ExitCode.OK)
    skips.pytest_sessionfinish(session)
    found: pytest.ExitCode = session.exitstatus
    return found


def test_only_what_this_machine_lacks_may_be_skipped() -> None:
    known = [needs.NOT_INSTALLED + "ray", needs.NO_DATA + "/nowhere", needs.NO_POSIX, needs.NO_FULL_DEVICE]
    assert finished(needs.Skips(everything=False), *known) == pytest.ExitCode.OK
    assert finished(needs.Skips(everything=True), *known[1:]) == pytest.ExitCode.OK
    assert finished(needs.Skips(everything=True), *known) == pytest.ExitCode.TESTS_FAILED
    skips = needs.Skips(everything=False)
    assert finished(skips, known[0], "does not work here") == pytest.ExitCode.TESTS_FAILED
    assert skips.unexcused == [("test_1", "does not work here")]


def test_a_skipped_file_has_no_excuse_either() -> None:
    skips = needs.Skips(everything=False)
    report: Any = SimpleNamespace(skipped=True, nodeid="test_x.py", longrepr=("f", 1, "could not import 'torch'"))
    skips.pytest_collectreport(report)
    assert finished(skips) == pytest.ExitCode.TESTS_FAILED


@pytest.mark.parametrize("package", ["no_such_package", "pytest"])
def test_tests_of_packages_that_are_not_installed_are_skipped(package: str) -> None:
    item: Any = SimpleNamespace(iter_markers=lambda name: [pytest.mark.optional("pytest", package).mark])
    if package == "pytest":
        needs.skip_without_packages(item)
        return
    with pytest.raises(pytest.skip.Exception, match=needs.NOT_INSTALLED + package):
        needs.skip_without_packages(item)
