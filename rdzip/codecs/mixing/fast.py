"""Context mixing by the fast presets: few predictions, and least squares once for several pixels.

Samples are coded in raster order, of each pixel green, red, blue, by models/context_mixing/fast_mixer.py, encoder and
decoder alike.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rdzip.codecs.mixing.window import pad_left, pad_right
from rdzip.exact.compiled import compiled
from rdzip.models.causal.compiled_network import ScalarNet, run_head, run_trunk
from rdzip.models.context_mixing.block_least_squares import BlockFits, predict, start_row, update
from rdzip.models.context_mixing.fast_features import (
    LEAST_SQUARES,
    NETWORK,
    SIMPLE,
    FastFeatures,
    compute_features,
    update_errors,
)
from rdzip.models.context_mixing.fast_mixer import FastMixer, code_sample
from rdzip.models.shared.compiled_mixture import PARTS, mixture_mean
from rdzip.models.shared.template import PAD

if TYPE_CHECKING:
    from rdzip.codecs.mixing.presets import Preset


def states(
    preset: Preset, shape: tuple[int, ...], stride: int, sigmoid: NDArray[np.int32]
) -> tuple[BlockFits, FastFeatures, FastMixer]:
    """What is learnt of a band of a shape, whose planes have a stride; sigmoid: the table of a network's mixture."""
    channels = 1 if len(shape) == 2 else shape[2]
    sources = NETWORK + 1 if preset.network else LEAST_SQUARES + 1 if preset.least_squares else SIMPLE
    return (
        BlockFits.of(channels, shape[1], stride),
        FastFeatures.of(channels, shape[1], preset.contexts, sources),
        FastMixer.of(preset.bucket_bits(math.prod(shape)), sigmoid, preset.weights, preset.mixers),
    )


@compiled
def code_rows(
    fits: BlockFits,
    features: FastFeatures,
    mixer: FastMixer,
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

    - fits: state of least squares; features, mixer: of the samples
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
    networked = len(mixture) > 0
    computed = networked and len(mixtures) == 0
    means, scales, contexts, hashes, errors, feature_tables, sources = features
    inputs, weights, slots, counters, tables, sigmoid, scratch, coded, mixers = mixer
    places, counts, columns, sums = fits
    fitted = sources > SIMPLE
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
                run_trunk(net, px, plane, at, x, y)
            for c in range(channels):
                if fitted:
                    means[LEAST_SQUARES] = predict(places, counts[c], columns, sums, px, at, plane, x, levels, c)
                if networked:
                    if computed:
                        run_head(net, px, plane, at, c, mixture)
                    else:
                        for i in range(PARTS):
                            mixture[i] = mixtures[((row * width + x) * channels + c) * PARTS + i]
                    means[NETWORK] = mixture_mean(mixture)
                compute_features(
                    means, scales, contexts, hashes, errors, feature_tables, sources, px, plane, stride, c, x, y, at
                )
                value = code_sample(
                    inputs,
                    weights,
                    slots,
                    counters,
                    tables,
                    sigmoid,
                    scratch,
                    coded,
                    mixers,
                    means,
                    scales,
                    hashes,
                    mixture,
                    coder,
                    data,
                    decoding,
                    c,
                    x & 1,
                    np.int64(px[c * plane + at]),
                )
                px[c * plane + at] = value
                if fitted:
                    update(columns, sums, counts[c], x, 1 if x == width - 1 else 0, value - levels[c], channels, c)
                update_errors(means, errors, sources, stride, c, x, y, value)
        pad_right(px, plane, channels, stride, row)
