"""Bands are coded by as many threads as are allowed, and results are in order."""

from __future__ import annotations

import threading
import time

import pytest

from rdzip.codecs.threads import at_most, side_by_side, workers


@pytest.mark.parametrize(("most", "expected"), [(1, 1), (3, 3), (9, 4)])
def test_no_more_threads_than_allowed(most: int, expected: int) -> None:
    seen: set[int] = set()
    told: set[int] = set()

    def work(b: int, progress: object) -> int:
        seen.add(threading.get_ident())
        told.add(workers())
        time.sleep(0.02)
        return b * b

    with at_most(most):
        assert side_by_side(4, work, None) == [0, 1, 4, 9]
    assert len(seen) == expected
    assert told == {most}


def test_who_says_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert workers() == 3
    with at_most(2):
        with at_most(None):
            assert workers() == 2
        with at_most(5):
            assert workers() == 5
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    monkeypatch.setattr("os.cpu_count", lambda: 7)
    assert workers() == 7


def test_a_failure_is_told_and_stops_the_others() -> None:
    calls = 0

    def work(b: int, progress: object) -> None:
        nonlocal calls
        if b == 1:
            raise ValueError("no good")
        for _ in range(500):
            time.sleep(0.002)
            calls += 1
            progress(0.5)  # type: ignore[operator]

    with at_most(2), pytest.raises(ValueError, match="no good"):
        side_by_side(2, work, None)
    assert calls < 400
