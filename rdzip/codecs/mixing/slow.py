"""Context mixing by the slow presets: many adaptive predictions of a bit, mixed online, the network among them.

Samples are coded in raster order, of each pixel green, red, blue, each as 8 binary decisions from its highest bit
down. Encoder and decoder run the same code (models/context_mixing/slow_mixer.py) and learn from each sample what it
was.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rdzip.codecs.mixing.window import pad_left, pad_right
from rdzip.exact.compiled import compiled
from rdzip.models.causal.compiled_network import ScalarNet, run_head, run_trunk
from rdzip.models.context_mixing.least_squares import Fits, end_row, fit, predict, start_row, update
from rdzip.models.context_mixing.slow_features import LS_NEAR, NETWORK, SlowFeatures, compute_features, update_errors
from rdzip.models.context_mixing.slow_mixer import SlowMixer, code_sample
from rdzip.models.shared.compiled_mixture import PARTS, mixture_mean
from rdzip.models.shared.template import PAD

if TYPE_CHECKING:
    from rdzip.codecs.mixing.presets import Preset


def states(
    preset: Preset, shape: tuple[int, ...], stride: int, sigmoid: NDArray[np.int32]
) -> tuple[Fits, SlowFeatures, SlowMixer]:
    """What is learnt of a band of a shape, whose planes have a stride; sigmoid: the table of a network's mixture."""
    channels = 1 if len(shape) == 2 else shape[2]
    return (
        Fits.of(channels, shape[1], stride),
        SlowFeatures.of(channels, shape[1]),
        SlowMixer.of(preset.bucket_bits(math.prod(shape)), sigmoid, preset.weights),
    )


@compiled
def code_rows(
    fits: Fits,
    features: SlowFeatures,
    mixer: SlowMixer,
    net: ScalarNet,
    px: NDArray[np.int32],
    mixtures: NDArray[np.int32],
    coder: NDArray[np.int64],
    data: NDArray[np.uint8],
    levels: NDArray[np.float64],
    mixture: NDArray[np.int32],
    width: int,
    first: int,
    rows: int,
    decoding: int,
) -> None:
    """Code rows first..first+rows-1, those of a window px.

    - fits: states of least squares; features, mixer: of the samples
    - net: the causal network, empty for none
    - px: int32, samples of all planes in a window of rows, flat
    - mixtures: int32 [rows * w * channels * PARTS], the network's; empty to compute them, or for none
    - coder, data, decoding: state of the arithmetic coder, what it reads or writes, and which
    - levels: [channels], room for what the inputs of least squares are taken relative to
    - mixture: [PARTS], room for the network's of a sample; empty without a network
    - width, first, rows: columns, and which rows
    """
    channels = len(levels)
    stride = width + 2 * PAD
    plane = len(px) // channels
    computed = len(net.layers) > 0 and len(mixtures) == 0
    for row in range(rows):
        y = first + row
        pad_left(px, plane, channels, stride, row)
        start_row(fits)
        for x in range(width):
            at = (row + PAD) * stride + PAD + x
            for c in range(channels):
                levels[c] = 0.5 * (np.float64(px[c * plane + at - 1]) + np.float64(px[c * plane + at - stride]))
            fit(fits, x)
            if computed:
                run_trunk(net, px, plane, at, x, y)
            for c in range(channels):
                predict(fits, px, at, plane, x, levels, c, features.means)
                features.means[NETWORK] = features.means[LS_NEAR]
                if len(mixture) > 0:
                    if computed:
                        run_head(net, px, plane, at, c, mixture)
                    else:
                        for i in range(PARTS):
                            mixture[i] = mixtures[((row * width + x) * channels + c) * PARTS + i]
                    features.means[NETWORK] = mixture_mean(mixture)
                compute_features(features, px, plane, stride, channels, c, x, y, at)
                value = code_sample(mixer, features, mixture, coder, data, decoding, c, np.int64(px[c * plane + at]))
                px[c * plane + at] = value
                update(fits, x, c, value - levels[c])
                update_errors(features, c, x, y, width, value)
        end_row(fits)
        pad_right(px, plane, channels, stride, row)
