"""What tests of bounds on pictures share: a folder of pictures, and a run that is stopped and resumed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from rdzip.bounds.point import Point
from rdzip.bounds.sources.base import Source, open_source


def silent(share: float, point: Point | None) -> None:
    """A report that nobody reads."""
    assert 0 <= share <= 1


def pictures(folder: Path) -> Source:
    """Twenty smooth pictures of 37 x 22."""
    rng = np.random.default_rng(0)
    for i in range(20):
        coarse = rng.integers(0, 256, (4, 5, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((37, 22), Image.Resampling.BICUBIC).save(folder / f"{i}.png")
    return open_source(str(folder))


def check_resuming(module: ModuleType, source: Source, options: Any, folder: Path) -> None:
    """Assert that a run that is stopped after half of its time goes on to the numbers of one that is not."""
    lambdas = [100.0 * source.dim]
    whole = module.solve(source, lambdas, options, silent)

    def stop(share: float, point: Point | None) -> None:
        if share > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        module.solve(source, lambdas, replace(options, folder=folder), stop)
    resumed = module.solve(source, lambdas, replace(options, folder=folder), silent)
    assert (resumed[0].rate_nats, resumed[0].mse) == (whole[0].rate_nats, whole[0].mse)
