"""What the tests of the command line share."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

Cli = Callable[..., Any]

CLASSIC = ("--codec", "classic")


def heed_signals() -> None:
    """For preexec_fn: undo that whoever started the tests had signals ignored, as nohup and & in scripts do."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def same_image(a: Path, b: Path) -> bool:
    with Image.open(a) as one, Image.open(b) as two:
        return one.mode == two.mode and one.info == two.info and np.array_equal(np.asarray(one), np.asarray(two))
