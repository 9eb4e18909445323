"""The thorough layouts of the codec "mixing": many adaptive predictions of a bit, mixed online, the network among them.

Samples are coded in raster order, of each pixel green, red, blue, each as 8 binary decisions from its highest bit
down. Encoder and decoder run the same code (models/context_mixing/slow_mixer.py) and learn from each sample what it
was.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rdzip.codecs.bits_back.options import CALM_ALONE, CALM_WITH_NETWORK, MIXING_ALONE, MIXING_WITH_NETWORK
from rdzip.codecs.mixing.window import Window, pad_left, pad_right
from rdzip.entropy.binary import CODER, start_coder
from rdzip.exact.compiled import compiled
from rdzip.models.causal.compiled_network import ScalarNet, run_head, run_trunk
from rdzip.models.context_mixing.least_squares import Fits, end_row, fit, learn, predict, start_row
from rdzip.models.context_mixing.slow_features import NETWORK, View, look, note_errors
from rdzip.models.context_mixing.slow_mixer import CALM_PACE, EAGER_PACE, Mixer, code_sample
from rdzip.models.shared.compiled_mixture import PARTS, mixture_mean
from rdzip.models.shared.template import PAD

if TYPE_CHECKING:
    from rdzip.models.causal.model import CausalModel
    from rdzip.models.causal.numpy_network import ExactNet

Progress = Callable[[float], None] | None
Pixels = NDArray[np.uint8]

PACES = {
    MIXING_ALONE: EAGER_PACE,
    MIXING_WITH_NETWORK: EAGER_PACE,
    CALM_ALONE: CALM_PACE,
    CALM_WITH_NETWORK: CALM_PACE,
}
"""The thorough layouts, and the paces of their mixers."""
BUCKETS_PER_SAMPLE = 8
BUCKET_BITS = (12, 22)


class Band:
    """What codes a band block by block: a window of samples, and all states."""

    def __init__(
        self, model: CausalModel | None, layout: int, shape: tuple[int, ...], data: NDArray[np.uint8], decoding: int
    ) -> None:
        self.width = shape[1]
        self.window = Window(shape)
        channels, _, stride = self.window.planes.shape
        self.net: ExactNet | None = model.nets["grey" if channels == 1 else "colour"] if model else None
        table = np.zeros(0, np.int32)
        self.scalar = ScalarNet.of(self.net, model.tables, stride) if model and self.net else ScalarNet.none()
        self.view = View.of(channels, self.width)
        self.mixer = Mixer.of(bucket_bits(math.prod(shape)), model.tables.sigmoid if model else table, PACES[layout])
        self.fits = Fits.of(channels, self.width, stride)
        self.coder = np.zeros(CODER, np.int64)
        self.data, self.decoding = data, decoding
        self.means = np.zeros(channels)
        self.mixture = np.zeros(PARTS if self.net else 0, np.int32)
        start_coder(self.coder, data, decoding)

    def code(self, y: int, rows: int, known: NDArray[np.int32]) -> None:
        """Code the rows of the window's block, of which the first is row y.

        known int32 [rows, w, channels, PARTS]: the network's mixtures; empty to compute them here, or for no network.
        """
        _code_rows(
            self.fits,
            self.view,
            self.mixer,
            self.scalar,
            self.window.planes.reshape(-1),
            known.reshape(-1),
            self.coder,
            self.data,
            self.means,
            self.mixture,
            self.width,
            y,
            rows,
            self.decoding,
        )


@compiled
def _code_rows(
    fits: Fits,
    view: View,
    mixer: Mixer,
    scalar: ScalarNet,
    px: NDArray[np.int32],
    known: NDArray[np.int32],
    coder: NDArray[np.int64],
    data: NDArray[np.uint8],
    means: NDArray[np.float64],
    mixture: NDArray[np.int32],
    width: int,
    first: int,
    rows: int,
    decoding: int,
) -> None:
    channels = len(means)
    stride = width + 2 * PAD
    plane = len(px) // channels
    computed = len(scalar.layers) > 0 and len(known) == 0
    for row in range(rows):
        y = first + row
        pad_left(px, plane, channels, stride, row)
        start_row(fits)
        for x in range(width):
            at = (row + PAD) * stride + PAD + x
            for c in range(channels):
                means[c] = 0.5 * (np.float64(px[c * plane + at - 1]) + np.float64(px[c * plane + at - stride]))
            fit(fits, x)
            if computed:
                run_trunk(scalar, px, plane, at, x, y)
            for c in range(channels):
                predict(fits, px, at, plane, x, means, c, view.means)
                view.means[NETWORK] = view.means[0]
                if len(mixture) > 0:
                    if computed:
                        run_head(scalar, px, plane, at, c, mixture)
                    else:
                        for i in range(PARTS):
                            mixture[i] = known[((row * width + x) * channels + c) * PARTS + i]
                    view.means[NETWORK] = mixture_mean(mixture)
                look(view, px, plane, stride, channels, c, x, y, at)
                value = code_sample(mixer, view, mixture, coder, data, decoding, c, np.int64(px[c * plane + at]))
                px[c * plane + at] = value
                learn(fits, x, c, value - means[c])
                note_errors(view, c, x, y, width, value)
        end_row(fits)
        pad_right(px, plane, channels, stride, row)


def bucket_bits(samples: int) -> int:
    """log2 of the number of buckets of 16 counters for a band of so many samples."""
    return min(max((samples * BUCKETS_PER_SAMPLE).bit_length(), BUCKET_BITS[0]), BUCKET_BITS[1])
