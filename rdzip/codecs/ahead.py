"""The network's mixtures of a picture that is all there, computed a few rows ahead of the coder on another core."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rdzip.codecs.side_by_side import workers
from rdzip.models.causal_scalar import mixtures
from rdzip.models.template import padded_planes

if TYPE_CHECKING:
    from rdzip.models.causal_exact import ExactNet
    from rdzip.models.causal_file import CausalModel

ROWS = 8
"""Rows that are computed at once."""


def mixtures_by_rows(
    model: CausalModel | None, net: ExactNet | None, pixels: NDArray[np.uint8]
) -> Iterator[NDArray[np.int32]]:
    """Mixtures of one row after the other, int32 [w, channels, PARTS]; empty ones where there is no network.

    With one thread allowed (side_by_side.at_most) they are computed when asked for.

    pixels: uint8 [h, w] or [h, w, channels].
    """
    if model is None or net is None:
        for _ in range(len(pixels)):
            yield np.zeros(0, np.int32)
        return
    from rdzip.exact.devices import exactly, threads

    seen = padded_planes(pixels)

    def compute(first: int) -> NDArray[np.int32]:
        with exactly(), threads(1):
            return mixtures(net, model.tables, seen, first, min(first + ROWS, len(pixels)))

    if workers() == 1:
        for first in range(0, len(pixels), ROWS):
            yield from compute(first)
        return
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(compute, 0)
        for first in range(0, len(pixels), ROWS):
            block = waiting.result()
            if first + ROWS < len(pixels):
                waiting = pool.submit(compute, first + ROWS)
            yield from block
