"""The network's mixtures of a picture that is all there, computed a block of rows ahead of the coder.

What computes them is compiled code on another core, or where nothing compiles or the model is on another device, the
products of many pixels at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from rdzip.codecs.bits_back.options import mixing_is_fast
from rdzip.codecs.mixing.window import blocks
from rdzip.codecs.threads import thread_count
from rdzip.models.causal.compiled_network import ScalarNet, mixtures, run_rows
from rdzip.models.causal.model import CausalModel
from rdzip.models.shared.compiled_mixture import PARTS
from rdzip.models.shared.template import PAD, padded_samples

Rows = Callable[[int, int], NDArray[np.int32]]


def prefetched_mixtures(
    model: CausalModel | None, pixels: NDArray[np.uint8], bands: int
) -> Iterator[NDArray[np.int32]]:
    """Mixtures of one block of rows after the other (codecs/mixing/window.py), int32 [rows, w, channels, PARTS]; empty
    ones for what the coder is to compute.

    That is all of them where there is no network, or where compiled code runs in ``bands`` threads and no more may work
    (codecs/threads.py).

    pixels: uint8 [h, w] or [h, w, channels].
    """
    edges = list(blocks(*pixels.shape[:2]))
    batches = not mixing_is_fast() or (model is not None and model.device != "cpu")
    if model is None or (not batches and bands >= thread_count()):
        for _ in edges:
            yield np.zeros(0, np.int32)
        return
    kind = "grey" if pixels.ndim == 2 else "colour"
    compute = (_batches if batches else _compiled)(model, kind, pixels)
    if thread_count() == 1:
        for edge in edges:
            yield compute(*edge)
        return
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(compute, *edges[0])
        for edge in edges[1:]:
            found = waiting.result()
            waiting = pool.submit(compute, *edge)
            yield found
        yield waiting.result()


def _batches(model: CausalModel, kind: str, pixels: NDArray[np.uint8]) -> Rows:
    """Mixtures int32 [rows, w, channels, PARTS] of the rows first..stop-1, on the model's device."""
    net = model.nets[kind] if model.device == "cpu" else model.torch_net(kind)

    def compute(first: int, stop: int) -> NDArray[np.int32]:
        planes = padded_samples(pixels, first, stop).astype(np.int16)
        planes[1:] -= planes[0]
        return mixtures(net, model.tables, planes, first)

    return compute


def _compiled(model: CausalModel, kind: str, pixels: NDArray[np.uint8]) -> Rows:
    """The same by compiled code."""
    net = ScalarNet.of(model.nets[kind], model.tables, pixels.shape[1] + 2 * PAD)

    def compute(first: int, stop: int) -> NDArray[np.int32]:
        planes = padded_samples(pixels, first, stop)
        found = np.empty((stop - first, pixels.shape[1], len(planes), PARTS), np.int32)
        run_rows(net, planes.reshape(-1), first, stop - first, found.reshape(-1))
        return found

    return compute
