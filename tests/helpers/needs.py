"""What some tests need that not every machine has. A skip for any other reason fails the run: see Skips.

Parts of rdzip that only an extra installs: ``@pytest.mark.optional("ray")``, which names the package to import.
"""

from __future__ import annotations

import os
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest

NOT_INSTALLED = "not installed: "
NO_DATA = "no folder of test data: "
NO_POSIX = "this system has no POSIX signals and terminals"
NO_FULL_DEVICE = "this system has no /dev/full"

posix = pytest.mark.skipif(os.name != "posix", reason=NO_POSIX)
full_device = pytest.mark.skipif(not Path("/dev/full").exists(), reason=NO_FULL_DEVICE)


def skip_without_packages(item: pytest.Item) -> None:
    """Skip a test marked optional where one of the packages that the mark names is not installed."""
    for mark in item.iter_markers("optional"):
        for package in mark.args:
            if find_spec(package) is None:
                pytest.skip(NOT_INSTALLED + package)


class Skips:
    """Lists the tests that were skipped, and fails the run where one had no excuse.

    everything: optional packages are no excuse either.
    """

    def __init__(self, everything: bool) -> None:
        self.excuses = (NO_DATA, NO_POSIX, NO_FULL_DEVICE, *(() if everything else (NOT_INSTALLED,)))
        self.skipped: list[tuple[str, str]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a skip and its reason."""
        if report.skipped and isinstance(report.longrepr, tuple):
            self.skipped.append((report.nodeid, str(report.longrepr[2]).removeprefix("Skipped: ")))

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note the skip of a whole file."""
        if report.skipped and isinstance(report.longrepr, tuple):
            self.skipped.append((report.nodeid, str(report.longrepr[2]).removeprefix("Skipped: ")))

    @property
    def unexcused(self) -> list[tuple[str, str]]:
        """Skips for reasons that are none."""
        return [(test, reason) for test, reason in self.skipped if not reason.startswith(self.excuses)]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Turn success into failure."""
        if self.unexcused and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say how many tests each reason skipped, and name those without excuse."""
        for reason, count in sorted(Counter(reason for _, reason in self.skipped).items()):
            terminalreporter.write_line(f"{count} skipped: {reason}")
        for test, reason in self.unexcused:
            terminalreporter.write_line(
                f"expected no skip but those of tests/helpers/needs.py, found {test}: {reason}", red=True
            )
