"""The fast layouts of the codec "mixing": few predictions, and least squares once for several pixels.

A payload is the number of bands of rows, the lengths of all but the last band's data, and the data. Bands are coded
apart, side by side; each is a picture of its own to its models. Samples are coded in raster order, of each pixel green,
red, blue, by models/brisk.py, encoder and decoder alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rdzip.codecs.ahead import mixtures_by_rows
from rdzip.codecs.numbers import read_numbers, write_numbers
from rdzip.codecs.options import (
    BRISK_FITTED,
    BRISK_PLAIN,
    BRISK_WITH_NETWORK,
    LEAN_FITTED,
    LEAN_PLAIN,
    LEAN_WITH_NETWORK,
    NETWORKED,
)
from rdzip.codecs.result import Bits, Encoded
from rdzip.codecs.side_by_side import side_by_side
from rdzip.entropy.binary import CODER, finish_coder, start_coder
from rdzip.errors import CoderError
from rdzip.exact.compiled import compiled
from rdzip.models.block_fit import Fit, learn, predict, start_row
from rdzip.models.brisk import LEAST_PROBABILITY, ONE, Begin, Mixer, code_sample
from rdzip.models.brisk_view import CONTEXTS, FITTED, NETWORK, SIMPLE, View, look, note_errors
from rdzip.models.causal_scalar import PARTS, ScalarNet, mixture_mean, run_head, run_trunk
from rdzip.models.template import OUTSIDE, PAD

if TYPE_CHECKING:
    from rdzip.models.causal_file import CausalModel

Progress = Callable[[float], None] | None
Pixels = NDArray[np.uint8]

SAMPLE_ORDER = (1, 0, 2)
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
TWO_BANDS, BAND_PIXELS = 1 << 17, 1 << 20
"""Pixels from which on there are two bands, and those of each band where there are more."""
MOST_BANDS = 64


def bands(shape: tuple[int, ...]) -> int:
    """How many bands the encoder makes, so that cores share the work; small pictures cannot afford to learn twice."""
    pixels = shape[0] * shape[1]
    return min(max(pixels // BAND_PIXELS, 2 if pixels >= TWO_BANDS else 1), shape[0], MOST_BANDS)


class _Band:
    """What codes a band row by row: planes int32 [channels, h + PAD, w + 2 PAD] of raw samples, and all states."""

    def __init__(
        self,
        model: CausalModel | None,
        layout: int,
        shape: tuple[int, ...],
        data: NDArray[np.uint8],
        decoding: int,
    ) -> None:
        self.height, self.width = shape[:2]
        channels = 1 if len(shape) == 2 else shape[2]
        stride = self.width + 2 * PAD
        self.planes = np.full((channels, self.height + PAD, stride), OUTSIDE, np.int32)
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

    def code(self, y: int, known: NDArray[np.int32]) -> None:
        """Code row y, and fill the padding that it decides; known: as _code_row has it."""
        self.planes[:, y + PAD, :PAD] = self.planes[:, y + PAD - 1, PAD : PAD + 1]
        _code_row(
            self.fit,
            self.view,
            self.mixer,
            self.scalar,
            self.planes.reshape(-1),
            known.reshape(-1),
            self.coder,
            self.data,
            self.levels,
            self.mixture,
            self.width,
            y,
            self.fitted,
            self.sets,
            self.decoding,
        )
        self.planes[:, y + PAD, PAD + self.width :] = self.planes[:, y + PAD, PAD + self.width - 1, None]


@compiled
def _code_row(
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
    y: int,
    fitted: int,
    sets: int,
    decoding: int,
) -> None:
    """Code row y. known int32 [w, channels, PARTS]: the network's mixtures; empty to compute them, or for none."""
    channels = len(levels)
    stride = width + 2 * PAD
    plane = len(px) // channels
    networked = len(mixture) > 0
    computed = networked and len(known) == 0
    sources = NETWORK + 1 if networked else SIMPLE + fitted
    places, counts, columns, sums = fit
    means, scales, chosen, contexts, hashes, errors, view_tables = view
    inputs, weights, slots, beside, tables, sigmoid, scratch, coded = mixer
    if fitted:
        start_row(columns, sums, channels)
    for x in range(width):
        at = (y + PAD) * stride + PAD + x
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
                        mixture[i] = known[(x * channels + c) * PARTS + i]
                means[NETWORK] = mixture_mean(mixture)
            look(means, scales, chosen, contexts, hashes, errors, view_tables, px, plane, stride, c, x, y, at, sources)
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


def encode(model: CausalModel | None, pixels: Pixels, layout: int, progress: Progress = None) -> Encoded:
    """Lossless payload of uint8 pixels [h, w] or [h, w, 3], h, w >= 1, with its rates in bits.

    model: whose network to mix in, with the layout that has one.
    """
    count = bands(pixels.shape)
    edges = [pixels.shape[0] * b // count for b in range(count + 1)]
    coded = np.zeros((count, 1 << 16), np.int64)

    def work(b: int, told: Progress) -> bytes:
        found, coded[b] = _encode_band(model, pixels[edges[b] : edges[b + 1]], layout, told)
        return found

    parts = [part or b"" for part in side_by_side(count, work, progress)]
    payload = write_numbers([count, *(len(part) for part in parts[:-1])]) + b"".join(parts)
    ideal = float((coded.sum(0)[1:] * (16 - np.log2(np.arange(1, 1 << 16)))).sum())
    bits = 8.0 * len(payload)
    return Encoded(payload, Bits(ideal, bits, bits), layout)


def _encode_band(
    model: CausalModel | None, pixels: Pixels, layout: int, progress: Progress
) -> tuple[bytes, NDArray[np.int64]]:
    """Data of a band, and how often each probability was that of what came."""
    samples = pixels[..., SAMPLE_ORDER] if pixels.ndim == 3 else pixels[..., None]
    data = np.zeros(3 * pixels.size + 64, np.uint8)  # no decision costs over 15 bits; far less than 24 bits a sample
    band = _Band(model if layout in NETWORKED else None, layout, pixels.shape, data, 0)
    for y, known in enumerate(mixtures_by_rows(model, band.net, pixels)):
        band.planes[:, y + PAD, PAD:-PAD] = samples[y].T
        band.code(y, known)
        if progress and y % 8 == 0:
            progress(y / band.height)
    size = finish_coder(band.coder, data)
    return data[:size].tobytes(), band.mixer.coded


def decode(
    model: CausalModel | None, payload: bytes, shape: tuple[int, ...], layout: int, progress: Progress = None
) -> Pixels:
    """Pixels uint8 of ``shape`` from a payload; CoderError if it is corrupt."""
    if layout in NETWORKED and model is None:
        raise CoderError("mixing codec: the payload needs a model, found none: the file is corrupt")
    (count,), at = read_numbers(payload, 0, 1)
    if not 1 <= count <= min(MOST_BANDS, shape[0]):
        raise CoderError(f"mixing codec: expected 1 to {min(MOST_BANDS, shape[0])} bands, found {count}: corrupt file")
    sizes, at = read_numbers(payload, at, count - 1)
    starts = [at]
    for size in sizes:
        starts.append(starts[-1] + size)
    if starts[-1] > len(payload):
        raise CoderError("mixing codec: the bands are longer than the coded data: the file is corrupt")
    # a sample costs 8 decisions, each at least 2**16 / (2**16 - LEAST_PROBABILITY) of a bit's odds
    if 8 * LEAST_PROBABILITY * math.prod(shape) > 65536 * (8 * len(payload) + 64):
        raise CoderError(
            f"coded data of {len(payload)} bytes cannot hold {math.prod(shape)} samples: the file is corrupt"
        )
    ends = [*starts[1:], len(payload)]
    edges = [shape[0] * b // count for b in range(count + 1)]
    pixels = np.empty(shape, np.uint8)
    used = model if layout in NETWORKED else None

    def work(b: int, told: Progress) -> None:
        _decode_band(used, layout, payload[starts[b] : ends[b]], pixels[edges[b] : edges[b + 1]], told)

    side_by_side(count, work, progress)
    return pixels


def _decode_band(model: CausalModel | None, layout: int, payload: bytes, pixels: Pixels, progress: Progress) -> None:
    """Fill in the pixels of a band."""
    band = _Band(model, layout, pixels.shape, np.frombuffer(bytearray(payload), np.uint8), 1)
    none = np.zeros(0, np.int32)
    for y in range(band.height):
        band.code(y, none)
        if progress and y % 8 == 0:
            progress(y / band.height)
    if band.coder[3] + 1 != len(payload):
        raise CoderError("coded data are left over or missing after the last pixel: the file is corrupt")
    found = band.planes[:, PAD:, PAD:-PAD]
    if pixels.ndim == 2:
        pixels[:] = found[0]
    else:
        for channel, plane in zip(SAMPLE_ORDER, found, strict=True):
            pixels[..., channel] = plane
