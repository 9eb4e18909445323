"""The thorough layouts of the codec "mixing": many adaptive predictions of a bit, mixed online, the network among them.

Samples are coded in raster order, of each pixel green, red, blue, each as 8 binary decisions from its highest bit
down. Encoder and decoder run the same code (models/mixing.py) and learn from each sample what it was.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rdzip.codecs.options import CALM_ALONE, CALM_WITH_NETWORK, MIXING_ALONE, MIXING_WITH_NETWORK
from rdzip.entropy.binary import CODER, start_coder
from rdzip.exact.compiled import compiled
from rdzip.models.adaptive import NETWORK, View, look, note_errors
from rdzip.models.causal_scalar import PARTS, ScalarNet, mixture_mean, run_head, run_trunk
from rdzip.models.least_squares import Fits, end_row, fit, learn, predict, start_row
from rdzip.models.mixing import CALM_PACE, EAGER_PACE, Mixer, code_sample
from rdzip.models.template import OUTSIDE, PAD

if TYPE_CHECKING:
    from rdzip.models.causal_exact import ExactNet
    from rdzip.models.causal_file import CausalModel

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
    """What codes a band row by row: planes int32 [channels, h + PAD, w + 2 PAD] of raw samples, and all states."""

    def __init__(
        self, model: CausalModel | None, layout: int, shape: tuple[int, ...], data: NDArray[np.uint8], decoding: int
    ) -> None:
        self.height, self.width = shape[:2]
        self.channels = 1 if len(shape) == 2 else shape[2]
        self.stride = self.width + 2 * PAD
        self.planes = np.full((self.channels, self.height + PAD, self.stride), OUTSIDE, np.int32)
        self.net: ExactNet | None = model.nets["grey" if self.channels == 1 else "colour"] if model else None
        table = np.zeros(0, np.int32)
        self.scalar = ScalarNet.of(self.net, model.tables, self.stride) if model and self.net else ScalarNet.none()
        self.view = View.of(self.channels, self.width)
        self.mixer = Mixer.of(bucket_bits(math.prod(shape)), model.tables.sigmoid if model else table, PACES[layout])
        self.fits = Fits.of(self.channels, self.width, self.stride)
        self.coder = np.zeros(CODER, np.int64)
        self.data, self.decoding = data, decoding
        self.means = np.zeros(self.channels)
        self.mixture = np.zeros(PARTS if self.net else 0, np.int32)
        start_coder(self.coder, data, decoding)

    def code(self, y: int, known: NDArray[np.int32]) -> None:
        """Code row y, and fill the padding that it decides.

        known int32 [w, channels, PARTS]: the network's mixtures; empty to compute them here, or for no network.
        """
        self.planes[:, y + PAD, :PAD] = self.planes[:, y + PAD - 1, PAD : PAD + 1]
        _code_row(
            self.fits,
            self.view,
            self.mixer,
            self.scalar,
            self.planes.reshape(-1),
            known.reshape(-1),
            self.coder,
            self.data,
            self.means,
            self.mixture,
            self.width,
            y,
            self.decoding,
        )
        self.planes[:, y + PAD, PAD + self.width :] = self.planes[:, y + PAD, PAD + self.width - 1, None]


@compiled
def _code_row(
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
    y: int,
    decoding: int,
) -> None:
    channels = len(means)
    stride = width + 2 * PAD
    plane = len(px) // channels
    computed = len(scalar.layers) > 0 and len(known) == 0
    start_row(fits)
    for x in range(width):
        at = (y + PAD) * stride + PAD + x
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
                        mixture[i] = known[(x * channels + c) * PARTS + i]
                view.means[NETWORK] = mixture_mean(mixture)
            look(view, px, plane, stride, channels, c, x, y, at)
            value = code_sample(mixer, view, mixture, coder, data, decoding, c, np.int64(px[c * plane + at]))
            px[c * plane + at] = value
            learn(fits, x, c, value - means[c])
            note_errors(view, c, x, y, width, value)
    end_row(fits)


def bucket_bits(samples: int) -> int:
    """log2 of the number of buckets of 16 counters for a band of so many samples."""
    return min(max((samples * BUCKETS_PER_SAMPLE).bit_length(), BUCKET_BITS[0]), BUCKET_BITS[1])
