"""The fast layouts of the codec "mixing": few predictions, and least squares once for several pixels.

Samples are coded in raster order, of each pixel green, red, blue, by models/context_mixing/fast_mixer.py, encoder and
decoder alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rdzip.codecs.bits_back.options import (
    BRISK_FITTED,
    BRISK_PLAIN,
    BRISK_WITH_NETWORK,
    LEAN_FITTED,
    LEAN_PLAIN,
    LEAN_WITH_NETWORK,
)
from rdzip.codecs.mixing.window import Window, pad_left, pad_right
from rdzip.entropy.binary import CODER, start_coder
from rdzip.exact.compiled import compiled
from rdzip.models.causal.compiled_network import ScalarNet, run_head, run_trunk
from rdzip.models.context_mixing.block_least_squares import Fit, learn, predict, start_row
from rdzip.models.context_mixing.fast_features import CONTEXTS, FITTED, NETWORK, SIMPLE, View, look, note_errors
from rdzip.models.context_mixing.fast_mixer import ONE, Begin, Mixer, code_sample
from rdzip.models.shared.compiled_mixture import PARTS, mixture_mean
from rdzip.models.shared.template import PAD

if TYPE_CHECKING:
    from rdzip.models.causal.model import CausalModel

Progress = Callable[[float], None] | None
Pixels = NDArray[np.uint8]

BUCKET_BITS = (12, 20)
ASKED = {
    BRISK_PLAIN: tuple(range(CONTEXTS - 1)),
    BRISK_FITTED: tuple(range(CONTEXTS - 1)),
    BRISK_WITH_NETWORK: tuple(range(CONTEXTS)),
    LEAN_PLAIN: (3,),
    LEAN_FITTED: (0, 3, 5, 6),
    LEAN_WITH_NETWORK: (0, 3, 5, 6),
}
"""Contexts of a layout."""
SETS = {BRISK_PLAIN: 2, LEAN_PLAIN: 2}
"""Mixers of a layout, where it is not 3."""
BEGIN = {
    BRISK_PLAIN: Begin(ONE // 40, ONE // 4),
    BRISK_FITTED: Begin(ONE // 40, ONE // 4),
    BRISK_WITH_NETWORK: Begin(ONE // 40, ONE // 30),
    LEAN_PLAIN: Begin(ONE // 4, ONE // 3),
    LEAN_FITTED: Begin(ONE // 8, ONE // 3),
    LEAN_WITH_NETWORK: Begin(ONE // 12, ONE // 10, ONE * 6 // 10),
}
"""Weights that mixers begin with."""


class Band:
    """What codes a band block by block: a window of samples, and all states."""

    def __init__(
        self,
        model: CausalModel | None,
        layout: int,
        shape: tuple[int, ...],
        data: NDArray[np.uint8],
        decoding: int,
    ) -> None:
        self.width = shape[1]
        self.window = Window(shape)
        channels, _, stride = self.window.planes.shape
        self.net = model.nets["grey" if channels == 1 else "colour"] if model else None
        self.scalar = ScalarNet.of(self.net, model.tables, stride) if model and self.net else ScalarNet.none()
        self.fitted = 0 if layout in (BRISK_PLAIN, LEAN_PLAIN) else 1
        self.fit = Fit.of(channels, self.width, stride)
        self.view = View.of(channels, self.width, ASKED[layout])
        full = layout in (BRISK_PLAIN, BRISK_FITTED, BRISK_WITH_NETWORK)
        looked = 2 * math.prod(shape) if full else math.prod(shape) * len(ASKED[layout]) // 2
        bits = min(max(looked.bit_length(), BUCKET_BITS[0]), BUCKET_BITS[1])
        self.mixer = Mixer.of(bits, model.tables.sigmoid if model else np.zeros(0, np.int32), BEGIN[layout])
        self.sets = SETS.get(layout, 3)
        self.coder = np.zeros(CODER, np.int64)
        self.levels = np.zeros(channels)
        self.mixture = np.zeros(PARTS if self.net else 0, np.int32)
        self.data, self.decoding = data, decoding
        start_coder(self.coder, data, decoding)

    def code(self, y: int, rows: int, known: NDArray[np.int32]) -> None:
        """Code the rows of the window's block, of which the first is row y; known: as _code_rows has it."""
        _code_rows(
            self.fit,
            self.view,
            self.mixer,
            self.scalar,
            self.window.planes.reshape(-1),
            known.reshape(-1),
            self.coder,
            self.data,
            self.levels,
            self.mixture,
            self.width,
            y,
            rows,
            self.fitted,
            self.sets,
            self.decoding,
        )


@compiled
def _code_rows(
    fit: Fit,
    view: View,
    mixer: Mixer,
    scalar: ScalarNet,
    px: NDArray[np.int32],
    known: NDArray[np.int32],
    coder: NDArray[np.int64],
    data: NDArray[np.uint8],
    levels: NDArray[np.float64],
    mixture: NDArray[np.int32],
    width: int,
    first: int,
    rows: int,
    fitted: int,
    sets: int,
    decoding: int,
) -> None:
    """Code rows first..first+rows-1. known int32 [rows, w, channels, PARTS]: the network's mixtures; empty to compute
    them, or for none."""
    channels = len(levels)
    stride = width + 2 * PAD
    plane = len(px) // channels
    networked = len(mixture) > 0
    computed = networked and len(known) == 0
    sources = NETWORK + 1 if networked else SIMPLE + fitted
    places, counts, columns, sums = fit
    means, scales, chosen, contexts, hashes, errors, view_tables = view
    inputs, weights, slots, beside, tables, sigmoid, scratch, coded = mixer
    for row in range(rows):
        y = first + row
        pad_left(px, plane, channels, stride, row)
        if fitted:
            start_row(columns, sums, channels)
        for x in range(width):
            at = (row + PAD) * stride + PAD + x
            if fitted:
                for c in range(channels):
                    levels[c] = 0.5 * (np.float64(px[c * plane + at - 1]) + np.float64(px[c * plane + at - stride]))
            if computed:
                run_trunk(scalar, px, plane, at, x, y)
            for c in range(channels):
                if fitted:
                    means[FITTED] = predict(places, counts[c], columns, sums, px, at, plane, x, levels, c)
                if networked:
                    if computed:
                        run_head(scalar, px, plane, at, c, mixture)
                    else:
                        for i in range(PARTS):
                            mixture[i] = known[((row * width + x) * channels + c) * PARTS + i]
                    means[NETWORK] = mixture_mean(mixture)
                look(
                    means,
                    scales,
                    chosen,
                    contexts,
                    hashes,
                    errors,
                    view_tables,
                    px,
                    plane,
                    stride,
                    c,
                    x,
                    y,
                    at,
                    sources,
                )
                value = code_sample(
                    inputs,
                    weights,
                    slots,
                    beside,
                    tables,
                    sigmoid,
                    scratch,
                    coded,
                    means,
                    scales,
                    hashes,
                    mixture,
                    sets,
                    coder,
                    data,
                    decoding,
                    c,
                    x & 1,
                    np.int64(px[c * plane + at]),
                )
                px[c * plane + at] = value
                if fitted:
                    learn(columns, sums, counts[c], x, 1 if x == width - 1 else 0, value - levels[c], channels, c)
                note_errors(means, errors, stride, c, x, y, value, sources)
        pad_right(px, plane, channels, stride, row)
