"""The finished causal network for one pixel after the other: what models/causal/numpy_network.py computes for many at
once.

Float32 sums are exact here as there (docs/explanation/exactness.md, section 1), so their order does not matter; the
rest is in integers. Layers add the weights of one input to all outputs, and skip inputs that are 0, as most activations
are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rdzip.exact.aligned import aligned, aligned_zeros
from rdzip.exact.compiled import compiled
from rdzip.exact.types import Float32, Int32, Int64
from rdzip.models.causal.config import ACTIVITY_MAX, COLOUR_DIFFERENCES, DIFFERENCE_MAX, FIRST_DIFFERENCES
from rdzip.models.shared.compiled_mixture import COMPONENTS, PARTS
from rdzip.models.shared.template import PAD, TEMPLATE

if TYPE_CHECKING:
    from rdzip.entropy.cdf import MixtureTables
    from rdzip.models.causal.numpy_network import ExactNet


LANES = 32
"""Outputs of a layer are rounded up to a multiple of this, so that compiled loops need no remainders."""


def _whole(outputs: int) -> int:
    return -(-outputs // LANES) * LANES


class ScalarNet(NamedTuple):
    """Layers, tables and scratch of a network; an empty one stands for none.

    weights float32: of each layer the weights [inputs, outputs] and then the biases [outputs], outputs rounded up to
    LANES; layers int64 [layers, 3]: where they start, inputs, outputs; in the order stem, blocks, head_in,
    conditioning, head_blocks, out. counts int64: neighbours of the first plane, of the others, channels, blocks, blocks
    of a head, width of a head. offsets int64 [k]: the template's places.
    """

    weights: Float32
    layers: Int64
    counts: Int64
    offsets: Int64
    compression: Int32
    activity_scale: Int32
    inverse_scale: Int32
    exponential: Int32
    medians: Int64
    activities: Int64
    inputs: Float32
    trunk: Float32
    head_inputs: Float32
    head: Float32
    outputs: Float32
    before: Float32
    factors: Float32
    some: Int64

    @classmethod
    def of(cls, net: ExactNet, tables: MixtureTables, stride: int) -> ScalarNet:
        """A network for planes with a stride."""
        config, found = net.config, net.layers
        head_blocks = [block for blocks in found.head_blocks for block in blocks]
        parts, places, at = [], [], 0
        for layer in [found.stem, *found.blocks, found.head_in, *found.conditioning, *head_blocks, *found.out]:
            weight, exponent, bias = (layer.integers[part] for part in ("weight", "exponent", "bias"))
            outputs, inputs = weight.shape
            half = 0.5 if layer in (found.stem, found.head_in) else 0.0  # of the rounding of activations
            rows = np.zeros((inputs + 1, _whole(outputs)))
            rows[:inputs, :outputs] = (weight * 2.0 ** -exponent.astype(np.float64)[:, None]).T
            rows[inputs, :outputs] = bias / 128 + half
            parts.append(rows.reshape(-1))
            places.append((at, inputs, rows.shape[1]))
            at += rows.size
        largest = max(count for _, count, _ in places)
        return cls(
            aligned(np.concatenate(parts).astype(np.float32)),
            np.array(places, np.int64),
            np.array(
                [
                    config.neighbours,
                    config.colour_neighbours,
                    config.channels,
                    config.blocks,
                    config.head_blocks,
                    config.head,
                ],
                np.int64,
            ),
            np.array([dy * stride + dx for dy, dx in TEMPLATE[: config.neighbours]], np.int64),
            net.compression.astype(np.int32),
            net.activity_scale.astype(np.int32),
            tables.inverse_scale,
            tables.exponential,
            np.zeros(3, np.int64),
            np.zeros(3, np.int64),
            np.zeros(config.inputs, np.float32),
            aligned_zeros(_whole(config.width), np.float32),
            aligned_zeros(_whole(config.channels * config.head), np.float32),
            aligned_zeros(_whole(config.head), np.float32),
            aligned_zeros(_whole(max(config.outputs(c) for c in range(config.channels))), np.float32),
            np.zeros(largest, np.float32),
            np.zeros(largest + 4, np.float32),
            np.zeros(largest + 4, np.int64),
        )

    @classmethod
    def none(cls) -> ScalarNet:
        """What stands for no network."""
        places, table, real = np.zeros(0, np.int64), np.zeros(0, np.int32), np.zeros(0, np.float32)
        tables, layers = (table, table, table, table), (real, real, real, real, real, real, real)
        return cls(real, places.reshape(0, 3), places, places, *tables, places, places, *layers, places)


@compiled
def _copy(to: Float32, source: Float32, first: int, count: int) -> None:
    for i in range(count):
        to[i] = source[first + i]


@compiled
def _activate(to: Float32, h: Float32, first: int, count: int) -> None:
    """Activations of a stream from an element on: clip(floor(h), 0, 255), halves having been added to the biases."""
    for i in range(count):
        to[i] = min(max(np.floor(h[first + i]), np.float32(0.0)), np.float32(255.0))


@compiled
def _add_layer(
    total: Float32, weights: Float32, layers: Int64, some: Int64, factors: Float32, layer: int, inputs: Float32
) -> None:
    """Add a layer's outputs, and zeros up to a multiple of LANES, to a stream."""
    start = np.uintp(layers[layer, 0])
    count = layers[layer, 1]
    size = np.uintp(layers[layer, 2])
    found = np.uintp(0)
    at = start
    for i in range(count):
        # written in any case, and kept by counting on: what an activation is cannot be guessed ahead
        some[found] = at
        factors[found] = inputs[i]
        found += np.uintp(inputs[i] != np.float32(0.0))
        at += size
    some[found] = at  # the biases
    factors[found] = 1.0
    found += np.uintp(1)
    for _ in range(3):
        some[found] = start
        factors[found] = 0.0
        found += np.uintp(1)
    for k in range(0, found - np.uintp(3), 4):
        # four at a time: the sums are loaded and stored a quarter as often
        a, b, c, d = factors[k], factors[k + 1], factors[k + 2], factors[k + 3]
        p, q, r, s = np.uintp(some[k]), np.uintp(some[k + 1]), np.uintp(some[k + 2]), np.uintp(some[k + 3])
        for j in range(size):
            total[j] += a * weights[p + j] + b * weights[q + j] + c * weights[r + j] + d * weights[s + j]


@compiled
def _difference(net: ScalarNet, d: int) -> float:
    compressed: float = np.float32(net.compression[min(max(d, -DIFFERENCE_MAX), DIFFERENCE_MAX) + DIFFERENCE_MAX])
    return compressed


@compiled
def _value(px: Int32, plane_size: int, plane: int, at: int) -> int:
    """Sample of the first plane, or difference from it of another."""
    v: int = np.int64(px[plane * plane_size + at])
    return v - np.int64(px[at]) if plane else v


@compiled
def run_trunk(net: ScalarNet, px: Int32, plane_size: int, at: int, x: int, y: int) -> None:
    """Run the layers that are common to all channels of a pixel.

    - net: the network; its scratch gets the result
    - px, plane_size: int32, samples of all planes, flat, and numbers of a plane
    - at: place of the pixel in the first plane
    - x, y: its column and row
    """
    k = 0
    off = net.offsets
    for plane in range(net.counts[2]):
        w = _value(px, plane_size, plane, at + off[0])
        n = _value(px, plane_size, plane, at + off[1])
        nw = _value(px, plane_size, plane, at + off[2])
        ne = _value(px, plane_size, plane, at + off[3])
        ww = _value(px, plane_size, plane, at + off[4])
        nn = _value(px, plane_size, plane, at + off[5])
        median = max(min(w, n), min(max(w, n), w + n - nw))
        net.medians[plane] = median
        net.activities[plane] = abs(w - nw) + abs(n - nw) + abs(n - ne) + abs(w - ww) + abs(n - nn)
        for i in range(net.counts[1 if plane else 0]):
            net.inputs[k] = _difference(net, _value(px, plane_size, plane, at + off[i]) - median)
            k += 1
    net.inputs[k] = (x & 1) * 64 - 32
    net.inputs[k + 1] = (y & 1) * 64 - 32
    net.inputs[k + 2] = ((x ^ y) & 1) * 64 - 32
    net.inputs[k + 3] = (net.medians[0] - 128) >> 1
    trunk, before, head_inputs = net.trunk, net.before, net.head_inputs
    weights, layers, some, factors = net.weights, net.layers, net.some, net.factors
    trunk[:] = np.float32(0.0)
    _add_layer(trunk, weights, layers, some, factors, 0, net.inputs)
    for layer in range(1, 1 + net.counts[3]):
        _activate(before, trunk, 0, layers[layer, 1])
        _add_layer(trunk, weights, layers, some, factors, layer, before)
    layer = 1 + net.counts[3]
    _activate(before, trunk, 0, layers[layer, 1])
    head_inputs[:] = np.float32(0.0)
    _add_layer(head_inputs, weights, layers, some, factors, layer, before)


@compiled
def run_head(net: ScalarNet, px: Int32, plane_size: int, at: int, c: int, mixture: Int32) -> None:
    """Fill the mixture of a channel of a pixel whose trunk was run.

    - net: the network
    - px, plane_size: int32, samples of all planes, the pixel's earlier channels among them; numbers of a plane
    - at: place of the pixel in the first plane
    - c: the channel
    - mixture: int32 [PARTS], filled
    """
    width = net.counts[5]
    head, before = net.head, net.before
    weights, layers, some, factors = net.weights, net.layers, net.some, net.factors
    _copy(head, net.head_inputs, c * width, width)
    a = net.activities[c]
    base = net.medians[c]
    if c > 0:
        for q in range(c):
            v = _value(px, plane_size, q, at)
            before[3 * q] = _difference(net, v - net.medians[q])
            before[3 * q + 1] = _difference(net, v - _value(px, plane_size, q, at + net.offsets[0]))
            before[3 * q + 2] = _difference(net, v - _value(px, plane_size, q, at + net.offsets[1]))
            if q == c - 1:
                a += abs(v - net.medians[q]) >> 1
        _add_layer(head, weights, layers, some, factors, 2 + net.counts[3] + c - 1, before)
        base += px[at]
    head_blocks = 1 + net.counts[3] + net.counts[2]
    for i in range(net.counts[4]):
        _activate(before, head, 0, width)
        _add_layer(head, weights, layers, some, factors, head_blocks + c * net.counts[4] + i, before)
    count = COLOUR_DIFFERENCES if c > 0 else FIRST_DIFFERENCES
    o = net.outputs
    o[:] = np.float32(0.0)
    _activate(before, head, 0, width)
    _add_layer(o, weights, layers, some, factors, head_blocks + net.counts[2] * net.counts[4] + c, before)

    a = min(a, ACTIVITY_MAX)
    correction = np.int64(0)
    for i in range(count):
        d = _value(px, plane_size, c, at + net.offsets[i]) - net.medians[c]
        correction += np.int64(o[PARTS + i] * np.float32(2048.0)) * d
    for q in range(c):
        d = _value(px, plane_size, q, at) - net.medians[q]
        correction += np.int64(o[PARTS + count + q] * np.float32(2048.0)) * d
    largest = np.int64(-1) << 40
    for k in range(COMPONENTS):
        logit = (np.int64(o[2 * COMPONENTS + k] * np.float32(2048.0)) + (1 << 11)) >> 12
        mixture[2 * COMPONENTS + k] = logit
        largest = max(largest, logit)
    total = np.int64(0)
    for k in range(COMPONENTS):
        offset = np.int64(o[k] * np.float32(2048.0))
        mean = (offset * (64 + 26 * a) + (correction << 8) + (base << 24) + (1 << 17)) >> 18
        mixture[k] = min(max(mean, -1024), 17408)
        spread = np.int64(o[COMPONENTS + k] * np.float32(2048.0))
        scale = (spread + (np.int64(net.activity_scale[a]) << 13) + (1 << 12)) >> 13
        mixture[COMPONENTS + k] = net.inverse_scale[min(max(scale, 0), 63)]
        e = np.int64(net.exponential[min(largest - mixture[2 * COMPONENTS + k], 191)])
        mixture[2 * COMPONENTS + k] = e
        total += e
    left = np.int64(4096)
    for k in range(COMPONENTS):
        e = (np.int64(mixture[2 * COMPONENTS + k]) << 12) // total
        mixture[2 * COMPONENTS + k] = e
        left -= e
    mixture[2 * COMPONENTS] += left


@compiled
def run_rows(net: ScalarNet, px: Int32, first: int, rows: int, found: Int32) -> None:
    """Fill the mixtures of rows of which all samples are known.

    - net: the network
    - px: as ``template.padded_samples`` makes them of these rows, flat
    - first, rows: number of the first row, and how many
    - found: int32 [rows * w * channels * PARTS], filled
    """
    channels = net.counts[2]
    plane = len(px) // channels
    width = len(found) // (rows * channels * PARTS)
    stride = width + 2 * PAD
    for row in range(rows):
        for x in range(width):
            at = (row + PAD) * stride + PAD + x
            run_trunk(net, px, plane, at, x, first + row)
            for c in range(channels):
                place = ((row * width + x) * channels + c) * PARTS
                run_head(net, px, plane, at, c, found[place : place + PARTS])


def mixtures(net: ExactNet, tables: MixtureTables, planes: NDArray[np.int16], first: int) -> Int32:
    """The same mixtures of rows from a first one on at once, int32 [rows, w, channels, PARTS].

    planes: padded planes int16 [channels, PAD + rows, w + 2 PAD] of these rows, as ``template.padded_planes`` has them.
    """
    height, width = planes.shape[1] - PAD, planes.shape[2] - 2 * PAD
    neighbours = [
        np.stack(
            [
                plane[PAD + dy : PAD + height + dy, PAD + dx : PAD + dx + width].reshape(-1)
                for dy, dx in TEMPLATE[: net.config.plane_neighbours(p)]
            ]
        )
        for p, plane in enumerate(planes)
    ]
    y, x = np.divmod(np.arange(height * width), width)
    context = net.context(neighbours)
    head_inputs = net.trunk(context, x, y + first)
    values = [plane[PAD:, PAD : PAD + width].reshape(-1) for plane in planes]
    found = np.empty((height * width, len(planes), PARTS), np.int32)
    for c, head_in in enumerate(head_inputs):
        parameters = net.head(c, head_in, context, values[:c])
        parts = (parameters.mean, tables.inverse_scale.take(parameters.scale), tables.weights(parameters.logit))
        found[:, c] = np.concatenate(parts).T
    return found.reshape(height, width, len(planes), PARTS)
