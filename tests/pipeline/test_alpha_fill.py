from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rdzip.pipeline import alpha_fill
from rdzip.pipeline.alpha_fill import fill


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.floats(0, 1), st.booleans(), st.integers(0, 99))
def test_what_is_seen_stays_and_what_is_hidden_is_like_it(
    height: int, width: int, share: float, colours: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    samples = rng.integers(40, 200, (height, width, 3) if colours else (height, width)).astype(np.uint8)
    holes = rng.random((height, width)) < share
    filled = fill(samples, holes)
    assert filled.shape == samples.shape
    assert np.array_equal(filled[~holes], samples[~holes])
    if (~holes).any():
        assert filled.min() >= samples[~holes].min()
        assert filled.max() <= samples[~holes].max()
    else:
        assert (filled == 128).all()


def test_nothing_is_copied_where_nothing_is_hidden() -> None:
    samples = np.zeros((3, 4), np.uint8)
    assert fill(samples, np.zeros((3, 4), bool)) is samples


@pytest.mark.parametrize("rows", [2, 256])
def test_holes_go_on_smoothly(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside a ramp, the hole is about as high as the edge next to it; strips do not matter."""
    monkeypatch.setattr(alpha_fill, "ROWS", rows)
    ramp = np.repeat(np.arange(0, 200, 2, dtype=np.uint8)[:, None], 64, 1)
    holes = np.zeros(ramp.shape, bool)
    holes[:, 32:] = True
    noisy = np.where(holes, np.random.default_rng(0).integers(0, 256, ramp.shape), ramp).astype(np.uint8)
    filled = fill(noisy, holes).astype(int)
    assert np.abs(filled[:, 32:36] - ramp[:, 32:36]).max() <= 4
    assert np.abs(np.diff(filled, axis=1)).max() <= 32
