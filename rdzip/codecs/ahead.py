"""The network's mixtures of a picture that is all there, computed a few rows ahead of the coder.

What computes them is compiled code on another core, or where nothing compiles or the model is on another device, the
products of many pixels at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from rdzip.codecs.options import mixing_is_fast
from rdzip.codecs.side_by_side import workers
from rdzip.models.causal_file import CausalModel
from rdzip.models.causal_scalar import PARTS, ScalarNet, mixtures, run_row
from rdzip.models.template import PAD, padded_planes

ROWS = 8
"""Rows that are computed at once."""
Rows = Callable[[int], NDArray[np.int32]]


def mixtures_by_rows(model: CausalModel | None, pixels: NDArray[np.uint8], bands: int) -> Iterator[NDArray[np.int32]]:
    """Mixtures of one row after the other, int32 [w, channels, PARTS]; empty ones for what the coder is to compute.

    That is all of them where there is no network, or where compiled code runs in ``bands`` threads and no more may work
    (side_by_side.at_most).

    pixels: uint8 [h, w] or [h, w, channels].
    """
    batches = not mixing_is_fast() or (model is not None and model.device != "cpu")
    if model is None or (not batches and bands >= workers()):
        for _ in range(len(pixels)):
            yield np.zeros(0, np.int32)
        return
    kind = "grey" if pixels.ndim == 2 else "colour"
    compute = (_batches if batches else _compiled)(model, kind, pixels)
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


def _batches(model: CausalModel, kind: str, pixels: NDArray[np.uint8]) -> Rows:
    """Rows of mixtures, int32 [rows, w, channels, PARTS], from a first row on, on the model's device."""
    net = model.nets[kind] if model.device == "cpu" else model.torch_net(kind)
    planes = padded_planes(pixels)
    return lambda first: mixtures(net, model.tables, planes, first, min(first + ROWS, len(pixels)))


def _compiled(model: CausalModel, kind: str, pixels: NDArray[np.uint8]) -> Rows:
    """The same by compiled code."""
    planes = padded_planes(pixels).astype(np.int32)
    planes[1:] += planes[0]  # samples, of which the others were differences
    stride, size, px = planes.shape[2], planes[0].size, planes.reshape(-1)
    net = ScalarNet.of(model.nets[kind], model.tables, stride)

    def compute(first: int) -> NDArray[np.int32]:
        found = np.empty((min(ROWS, len(pixels) - first), pixels.shape[1], len(planes), PARTS), np.int32)
        for y, row in enumerate(found, first):
            run_row(net, px, size, (y + PAD) * stride + PAD, y, row.reshape(-1))
        return found

    return compute
