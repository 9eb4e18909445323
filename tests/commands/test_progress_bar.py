from __future__ import annotations

import io
import sys
import time

import pytest

from rdzip.commands import progress_bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def open_terminal(monkeypatch: pytest.MonkeyPatch, patience: float = 0.05) -> Terminal:
    """Make stderr a terminal (not in a fixture: pytest sets stderr anew between that and the test)."""
    monkeypatch.setattr(progress_bar, "PATIENCE", patience)
    monkeypatch.setattr(progress_bar, "INTERVAL", 0.01)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    return terminal


def wait_for(text: str, terminal: Terminal) -> None:
    end = time.monotonic() + 30
    while text not in terminal.getvalue():
        assert time.monotonic() < end, f"{text!r} never appeared"
        time.sleep(0.01)


def test_a_bar_shows_the_share_and_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = open_terminal(monkeypatch)
    with progress_bar.bar("a[b].png") as report:
        wait_for("so far", terminal)
        report(0.0)
        time.sleep(0.02)
        report(0.5)
        wait_for("left", terminal)
        wait_for("50%", terminal)
    assert "a[b].png" in terminal.getvalue()


def test_nothing_is_drawn_for_quick_work(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = open_terminal(monkeypatch, patience=60)
    with progress_bar.bar("a.png") as report:
        report(0.5)
    assert terminal.getvalue() == ""


def test_nothing_is_drawn_when_quiet_or_off_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = open_terminal(monkeypatch)
    with progress_bar.bar("a.png", quiet=True):
        time.sleep(0.2)
    assert terminal.getvalue() == ""
    pipe = io.StringIO()
    monkeypatch.setattr(sys, "stderr", pipe)
    with progress_bar.bar("a.png"):
        time.sleep(0.2)
    assert pipe.getvalue() == ""


def _fail_under_a_bar(terminal: Terminal) -> None:
    with progress_bar.bar("a.png"):
        wait_for("so far", terminal)
        raise ZeroDivisionError


def test_the_bar_ends_with_the_work_even_if_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = open_terminal(monkeypatch)
    with pytest.raises(ZeroDivisionError):
        _fail_under_a_bar(terminal)
    drawn = terminal.getvalue()
    time.sleep(0.1)
    assert terminal.getvalue() == drawn


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0:00"), (65, "1:05"), (3725, "1:02:05")])
def test_times_are_shown_as_clocks(seconds: float, text: str) -> None:
    assert progress_bar._clock(seconds) == text
