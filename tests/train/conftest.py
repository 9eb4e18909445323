"""The tiny recipe and its pictures, which most tests of training runs use."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers.train_support import TINY, fill


@pytest.fixture
def data(tmp_path: Path) -> Path:
    fill(tmp_path / "data" / "train", 3)
    fill(tmp_path / "data" / "valid", 1)
    return tmp_path / "data"


@pytest.fixture
def recipe(tmp_path: Path) -> str:
    path = tmp_path / "tiny.toml"
    path.write_text(TINY)
    return str(path)
