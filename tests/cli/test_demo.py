from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from rdzip.commands import demo


def test_the_picture_is_the_same_every_time_and_photograph_like() -> None:
    samples = np.asarray(demo.picture())
    assert samples.shape == (demo.HEIGHT, demo.WIDTH, 3)
    assert np.array_equal(samples, np.asarray(demo.picture()))
    steps = np.abs(np.diff(samples.astype(int), axis=1))
    assert 1 < np.median(steps) < 8  # noisy, but smooth
    assert steps.max() > 60  # with edges
    assert samples.std(axis=(0, 1)).min() > 30


def test_the_demo_shows_sizes(rdzip: Callable[..., Any]) -> None:
    ran = rdzip("demo")
    assert ran.code == 0
    text = ran.out.decode()
    cells = [re.split(r"\s{2,}", line) for line in text.splitlines()[1:5]]
    sizes = {name: int(size.replace(",", "")) for name, size, _ in cells}
    assert list(sizes) == ["raw pixels", "PNG (optimised)", "WebP (lossless, method 6)", "rdzip"]
    assert sizes["raw pixels"] == demo.HEIGHT * demo.WIDTH * 3
    assert sizes["rdzip"] <= sizes["WebP (lossless, method 6)"] + 64
    assert sizes["rdzip"] < sizes["PNG (optimised)"]
    assert "came back" in text
