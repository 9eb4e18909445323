"""Bands are coded by as many threads as are allowed, and results are in order."""

from __future__ import annotations

import threading
import time

import pytest

from rdzip.codecs.threads import map_bands, thread_count, thread_limit


@pytest.mark.parametrize(("most", "expected"), [(1, 1), (3, 3), (9, 4)])
def test_no_more_threads_than_allowed(most: int, expected: int) -> None:
    seen: set[int] = set()
    told: set[int] = set()

    def work(b: int, progress: object) -> int:
        seen.add(threading.get_ident())
        told.add(thread_count())
        time.sleep(0.02)
        return b * b

    with thread_limit(most):
        assert map_bands(4, work, None) == [0, 1, 4, 9]
    assert len(seen) == expected
    assert told == {most}


def test_who_says_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert thread_count() == 3
    with thread_limit(2):
        with thread_limit(None):
            assert thread_count() == 2
        with thread_limit(5):
            assert thread_count() == 5
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    monkeypatch.setattr("os.cpu_count", lambda: 7)
    assert thread_count() == 7


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

    with thread_limit(2), pytest.raises(ValueError, match="no good"):
        map_bands(2, work, None)
    assert calls < 400
