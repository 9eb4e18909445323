"""Codec "causal": lossless coding of pixels with a causal network, no latents, along slanted wavefronts.

Pixels of the step t = x + SLANT * y are coded together, plane after plane (green, red, blue), each plane as its
high and then its low nibbles, rows downwards. The encoder knows all pixels, so it evaluates whole bands of steps at
once; the stack is last in, first out, so it goes through the bands from the end.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from rdzip.codecs.result import Bits, Encoded
from rdzip.entropy.ans import PRECISION, TOTAL, AnsStack
from rdzip.entropy.cdf import FLOOR, Intervals
from rdzip.errors import CoderError, InputError
from rdzip.exact.devices import threads
from rdzip.models.causal_exact import ExactNet, Parameters
from rdzip.models.causal_file import CausalModel
from rdzip.models.template import OUTSIDE, PAD, SLANT, TEMPLATE, padded_planes

Progress = Callable[[float], None] | None
Pixels = NDArray[np.uint8]

BAND_PIXELS = 1 << 13
MANY_ROWS = 1 << 10
"""Pixels a step from which the products of decoding gain from several threads."""
SAMPLE_ORDER = (1, 0, 2)
"""Colour channels in the order of coding: green, red, blue."""


class _Canvas:
    """Padded planes of an image in one flat int16 buffer, and where the pixels and neighbours of a step lie in it."""

    def __init__(self, net: ExactNet, height: int, width: int, margin: int) -> None:
        self.height, self.width = height, width
        self.channels = net.config.channels
        self.stride = width + 2 * PAD
        self.margin = margin
        self.plane_size = (height + PAD) * self.stride + 2 * margin
        self.buffer = np.zeros(self.channels * self.plane_size, np.int16)
        self.counts = [net.config.plane_neighbours(p) for p in range(self.channels)]
        ends = np.cumsum(self.counts).tolist()
        self.parts = [slice(end - count, end) for end, count in zip(ends, self.counts, strict=True)]
        within = np.array([dy * self.stride + dx for dy, dx in TEMPLATE])
        self.offsets = np.concatenate([p * self.plane_size + within[:k] for p, k in enumerate(self.counts)])
        self.steps = width + SLANT * (height - 1)

    def plane(self, p: int) -> NDArray[np.int16]:
        """Plane p with its padding, int16 [height + PAD, stride], a view."""
        start = p * self.plane_size + self.margin
        return self.buffer[start : start + (self.height + PAD) * self.stride].reshape(-1, self.stride)

    def rows(self, first: int, stop: int) -> tuple[int, int]:
        """Rows [begin, end) that have pixels in the steps first..stop-1."""
        return max(0, -((self.width - 1 - first) // SLANT)), min(self.height - 1, (stop - 1) // SLANT) + 1

    def index(self, y: int, step: int) -> int:
        """Position in the first plane of the buffer of the pixel of row y in a step (maybe outside the image)."""
        return self.margin + (y + PAD) * self.stride + PAD + step - SLANT * y

    def split(self, gathered: NDArray[np.int16]) -> list[NDArray[np.int16]]:
        """Neighbours [sum of counts, n] apart by plane."""
        return [gathered[part] for part in self.parts]


@dataclass
class _Band:
    """The steps first..stop-1 of a canvas as a parallelogram [rows, steps], flattened.

    neighbours int16 [k, n] by plane, values int16 [n] of each plane, coordinates [n]; ``order`` picks the entries that
    lie inside the image, by step and then by row; ``cuts`` are the steps' parts of that order.
    """

    neighbours: list[NDArray[np.int16]]
    values: list[NDArray[np.int16]]
    x: NDArray[np.int64]
    y: NDArray[np.int64]
    order: NDArray[np.int64]
    cuts: list[slice]

    @classmethod
    def of(cls, canvas: _Canvas, first: int, stop: int) -> _Band:
        y0, y1 = canvas.rows(first, stop)
        shape = (y1 - y0, stop - first)
        strides = (2 * (canvas.stride - SLANT), 2)
        start = canvas.index(y0, first)

        def window(offset: int) -> NDArray[np.int16]:
            return as_strided(canvas.buffer[start + offset :], shape, strides, writeable=False)

        gathered = np.empty((len(canvas.offsets), *shape), np.int16)
        for row, offset in zip(gathered, canvas.offsets, strict=True):
            row[:] = window(int(offset))
        values = [window(p * canvas.plane_size).reshape(-1) for p in range(canvas.channels)]
        y = np.broadcast_to(np.arange(y0, y1)[:, None], shape)
        x = np.arange(first, stop) - SLANT * y
        inside = (x >= 0) & (x < canvas.width)
        order = np.arange(y.size).reshape(shape).T[inside.T]
        ends = np.cumsum(inside.sum(0)).tolist()
        cuts = [slice(a, b) for a, b in zip([0, *ends], ends, strict=False)]
        flat = gathered.reshape(len(gathered), -1)
        return cls(canvas.split(flat), values, x.reshape(-1), y.reshape(-1), order, cuts)


def _net(model: CausalModel, shape: tuple[int, ...]) -> ExactNet:
    if len(shape) == 2:
        return model.torch_net("grey")
    if len(shape) == 3 and shape[2] == 3:
        return model.torch_net("colour")
    raise InputError(f"causal codec: expected pixels of shape [h, w] or [h, w, 3], found {list(shape)}")


def encode(model: CausalModel, pixels: Pixels, progress: Progress = None) -> Encoded:
    """Lossless payload of uint8 pixels [h, w] or [h, w, 3], h, w >= 1, with its rates in bits."""
    if pixels.dtype != np.uint8 or not pixels.size:
        raise InputError(f"causal codec: expected uint8 pixels, found {pixels.dtype} {list(pixels.shape)}")
    net = _net(model, pixels.shape)
    height, width = pixels.shape[:2]
    steps = width + SLANT * (height - 1)
    band = max(1, min(steps, BAND_PIXELS // max(1, min(height, -(-width // SLANT)))))
    canvas = _Canvas(net, height, width, margin=band + PAD)
    for p, plane in enumerate(padded_planes(pixels)):
        canvas.plane(p)[:] = plane
    stack = AnsStack()
    ideal = net_bits = 0.0
    bands = [(max(0, stop - band), stop) for stop in range(steps, 0, -band)]
    with threads(1) as workers, ThreadPoolExecutor(workers) as pool:
        coming: deque[Future[_Coded]] = deque()
        for done, (first, _) in enumerate(bands):
            for next_band in bands[done + len(coming) : done + workers + 1]:
                coming.append(pool.submit(_code, model, net, canvas, *next_band))
            coded = coming.popleft().result()
            stack.push_intervals(coded.starts, coded.sizes)
            ideal += coded.ideal
            net_bits += coded.net
            if progress:
                progress(1 - first / steps)
    return Encoded(stack.to_bytes(), Bits(ideal, net_bits, float(stack.bits())), SLANT)


class _Coded(NamedTuple):
    """Intervals of a band's symbols in coding order, and the band's bits: the model's and those of the intervals."""

    starts: NDArray[np.int32]
    sizes: NDArray[np.int32]
    ideal: float
    net: float


def _code(model: CausalModel, net: ExactNet, canvas: _Canvas, first: int, stop: int) -> _Coded:
    band = _Band.of(canvas, first, stop)
    intervals = _intervals(model, net, band)
    symbols = [pair for i in intervals for pair in ((i.high_start, i.high_size), (i.low_start, i.low_size))]
    starts, sizes = (np.concatenate([s[j][cut] for cut in band.cuts for s in symbols]) for j in (0, 1))
    mass = np.concatenate([i.mass for i in intervals])
    bits = (PRECISION * len(values) - float(np.log2(values).sum()) for values in (mass, sizes))
    return _Coded(starts, sizes, *bits)


def _intervals(model: CausalModel, net: ExactNet, band: _Band) -> list[Intervals]:
    """Intervals of the samples of a band in coding order, one for each channel."""
    view = net.view(band.neighbours)
    fans = net.trunk(view, band.x, band.y)
    intervals = []
    for channel, (fan, sample) in enumerate(zip(fans, _samples(band.values), strict=True)):
        parameters = net.head(channel, fan, view, band.values[:channel])
        chosen = Parameters(*(p[:, band.order] for p in parameters))
        intervals.append(model.cdf(chosen).intervals(sample[band.order].astype(np.int32)))
    return intervals


def _samples(values: list[NDArray[np.int16]]) -> list[NDArray[np.int16]]:
    """Sample values of the planes: the first as it is, the differences added to it."""
    return [values[0]] + [values[0] + d for d in values[1:]]


def decode(
    model: CausalModel, payload: bytes, shape: tuple[int, ...], layout: int, progress: Progress = None
) -> Pixels:
    """Pixels uint8 of ``shape`` from a payload; CoderError if it is corrupt."""
    if layout != SLANT:
        raise CoderError(
            f"causal codec: expected wavefront slant {SLANT}, found {layout}: the file needs a newer rdzip"
        )
    net = _net(model, shape)
    height, width = shape[:2]
    # the other 15 high symbols keep 16 FLOOR of TOTAL each, so a sample costs more than 15 * 16 * FLOOR / TOTAL bits
    if 15 * 16 * FLOOR * math.prod(shape) > TOTAL * (8 * len(payload) + 64):
        raise CoderError(
            f"coded data of {len(payload)} bytes cannot hold {math.prod(shape)} samples: the file is corrupt"
        )
    stack = AnsStack(payload)
    canvas = _Canvas(net, height, width, margin=PAD)
    planes = [canvas.plane(p) for p in range(canvas.channels)]
    planes[0][:PAD] = OUTSIDE
    planes[0][PAD, :PAD] = OUTSIDE
    along = canvas.stride - SLANT
    wide = min(height, -(-width // SLANT)) >= MANY_ROWS
    with threads(None if wide else 1):
        for step in range(canvas.steps):
            y0, y1 = canvas.rows(step, step + 1)
            y = np.arange(y0, y1)
            index = canvas.index(0, step) + y * along
            view = net.view(canvas.split(canvas.buffer.take(canvas.offsets[:, None] + index)))
            fans = net.trunk(view, step - SLANT * y, y)
            known: list[NDArray[np.int16]] = []
            for channel, fan in enumerate(fans):
                cdf = model.cdf(net.head(channel, fan, view, known))
                cumulative = cdf.high_cumulative()
                high = stack.pop(cdf.high_frequencies(cumulative))
                sample = ((high << 4) | stack.pop(cdf.low_frequencies(high, cumulative))).astype(np.int16)
                known.append(sample - known[0] if channel else sample)
                canvas.buffer[index + channel * canvas.plane_size] = known[-1]
            _pad(canvas, planes, step)
            if progress and step % 64 == 0:
                progress(step / canvas.steps)
    if not stack.is_empty():
        raise CoderError("coded data are left over after the last pixel: the file is corrupt")
    return _pixels(planes, shape)


def _pad(canvas: _Canvas, planes: list[NDArray[np.int16]], step: int) -> None:
    """Fill the padding that the pixels of a step decide: left of the next row, and right of their own."""
    y = step // SLANT
    if step % SLANT == 0 and y + 1 < canvas.height:
        for plane in planes:
            plane[y + PAD + 1, :PAD] = plane[y + PAD, PAD]
    y, rest = divmod(step - canvas.width + 1, SLANT)
    if rest == 0 and 0 <= y < canvas.height:
        for plane in planes:
            plane[y + PAD, PAD + canvas.width :] = plane[y + PAD, PAD + canvas.width - 1]


def _pixels(planes: list[NDArray[np.int16]], shape: tuple[int, ...]) -> Pixels:
    pixels = np.empty(shape, np.uint8)
    first = planes[0][PAD:, PAD:-PAD]
    if len(shape) == 2:
        pixels[:] = first
        return pixels
    for channel, plane in zip(SAMPLE_ORDER, planes, strict=True):
        difference = plane[PAD:, PAD:-PAD]
        pixels[..., channel] = first if plane is planes[0] else first + difference
    return pixels
