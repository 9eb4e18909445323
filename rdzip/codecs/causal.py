"""Codec "causal": lossless coding of pixels with a causal network, no latents, along slanted wavefronts.

Pixels of the step t = x + SLANT * y are coded together, plane after plane (green, red, blue), each plane as its high and
then its low nibbles, rows downwards. The encoder knows all pixels, so it evaluates whole bands of steps at once; the
stack is last in, first out, so it goes through the bands from the end.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rdzip.codecs.result import Bits, Encoded
from rdzip.entropy.ans import PRECISION, AnsStack
from rdzip.errors import CoderError, InputError
from rdzip.models.causal import CausalNet, Context
from rdzip.models.causal_file import CausalModel
from rdzip.models.template import OUTSIDE, PAD, SLANT, TEMPLATE, padded_planes

Progress = Callable[[float], None] | None
Pixels = NDArray[np.uint8]

BAND_PIXELS = 1 << 15
SAMPLE_ORDER = (1, 0, 2)
"""Colour channels in the order of coding: green, red, blue."""


class _Canvas:
    """Padded planes of an image in one flat int16 buffer, and where the pixels and neighbours of a step lie in it."""

    def __init__(self, net: CausalNet, height: int, width: int, margin: int) -> None:
        self.height, self.width = height, width
        self.channels = net.config.channels
        self.stride = width + 2 * PAD
        self.margin = margin
        self.plane_size = (height + PAD) * self.stride + 2 * margin
        self.buffer = torch.zeros(self.channels * self.plane_size, dtype=torch.int16)
        self.counts = [net.config.plane_neighbours(p) for p in range(self.channels)]
        within = torch.tensor([dy * self.stride + dx for dy, dx in TEMPLATE])
        self.offsets = torch.cat([p * self.plane_size + within[:k] for p, k in enumerate(self.counts)])
        self.steps = width + SLANT * (height - 1)

    def plane(self, p: int) -> Tensor:
        """Plane p with its padding, int16 [height + PAD, stride], a view."""
        start = p * self.plane_size + self.margin
        return self.buffer[start : start + (self.height + PAD) * self.stride].view(-1, self.stride)

    def rows(self, first: int, stop: int) -> tuple[int, int]:
        """Rows [begin, end) that have pixels in the steps first..stop-1."""
        return max(0, -((self.width - 1 - first) // SLANT)), min(self.height - 1, (stop - 1) // SLANT) + 1

    def index(self, y: int, step: int) -> int:
        """Position in a plane's part of the buffer of the pixel of row y in a step (which may lie outside the image)."""
        return self.margin + (y + PAD) * self.stride + PAD + step - SLANT * y

    def band(self, first: int, stop: int) -> tuple[Context, list[Tensor], NDArray[np.int64]]:
        """Context, plane values and order of coding of the steps first..stop-1, as a parallelogram [rows, steps].

        The order picks those entries that lie inside the image, by step and then by row.
        """
        y0, y1 = self.rows(first, stop)
        n, steps = y1 - y0, stop - first
        shape, strides = (n, steps), (self.stride - SLANT, 1)
        start = self.index(y0, first)
        neighbours, values, k = [], [], 0
        for p, count in enumerate(self.counts):
            views = [self.buffer.as_strided(shape, strides, start + int(o)) for o in self.offsets[k : k + count]]
            k += count
            neighbours.append(torch.stack(views).view(count, -1).t())
            values.append(self.buffer.as_strided(shape, strides, start + p * self.plane_size).reshape(-1))
        y = torch.arange(y0, y1).view(-1, 1).expand(shape)
        x = torch.arange(first, stop).view(1, -1) - SLANT * y
        inside = ((x >= 0) & (x < self.width)).t().reshape(-1)
        order = torch.arange(n * steps).view(n, steps).t().reshape(-1)[inside].numpy()
        context = Context.of(neighbours, x.reshape(-1).to(torch.int16), y.reshape(-1).to(torch.int16))
        return context, values, order


def _net(model: CausalModel, shape: tuple[int, ...]) -> CausalNet:
    if len(shape) == 2:
        return model.nets["grey"]
    if len(shape) == 3 and shape[2] == 3:
        return model.nets["colour"]
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
        canvas.plane(p).copy_(torch.from_numpy(plane))
    stack = AnsStack()
    ideal = net_bits = 0.0
    with torch.inference_mode():
        for stop in range(steps, 0, -band):
            first = max(0, stop - band)
            context, values, order = canvas.band(first, stop)
            parts = []
            for mixture, sample in zip(net(context, values, torch.float32), _samples(values), strict=True):
                chosen = type(mixture)(*(p[order] for p in mixture))
                interval = model.cdf(chosen).intervals(sample.numpy()[order].astype(np.int32))
                ideal -= float(np.log2(interval.mass).sum()) - PRECISION * len(order)
                net_bits -= float(np.log2(interval.high_size).sum() + np.log2(interval.low_size).sum())
                net_bits += 2 * PRECISION * len(order)
                parts += [(interval.high_start, interval.high_size), (interval.low_start, interval.low_size)]
            counts = [_count(canvas, t) for t in range(first, stop)]
            ends = np.cumsum(counts)
            cuts = [slice(e - c, e) for e, c in zip(ends, counts, strict=True)]
            starts, sizes = (np.concatenate([part[i][cut] for cut in cuts for part in parts]) for i in (0, 1))
            stack.push_intervals(starts, sizes)
            if progress:
                progress(1 - first / steps)
    return Encoded(stack.to_bytes(), Bits(ideal, net_bits, float(stack.bits())), SLANT)


def _samples(values: list[Tensor]) -> list[Tensor]:
    """Sample values of the planes: the first as it is, the differences added to it."""
    return [values[0]] + [values[0] + d for d in values[1:]]


def _count(canvas: _Canvas, step: int) -> int:
    y0, y1 = canvas.rows(step, step + 1)
    return y1 - y0


def decode(
    model: CausalModel, payload: bytes, shape: tuple[int, ...], layout: int, progress: Progress = None
) -> Pixels:
    """Pixels uint8 of ``shape`` from a payload; CoderError if it is corrupt."""
    if layout != SLANT:
        raise CoderError(f"causal codec: expected wavefront slant {SLANT}, found {layout}: the file needs a newer rdzip")
    net = _net(model, shape)
    height, width = shape[:2]
    canvas = _Canvas(net, height, width, margin=PAD)
    stack = AnsStack(payload)
    planes = [canvas.plane(p) for p in range(canvas.channels)]
    planes[0][:PAD] = OUTSIDE
    planes[0][PAD, :PAD] = OUTSIDE
    rows = torch.arange(height)
    base = canvas.margin + (rows + PAD) * canvas.stride + PAD - SLANT * rows
    head = net.config.head
    with torch.inference_mode():
        for step in range(canvas.steps):
            y0, y1 = canvas.rows(step, step + 1)
            index = base[y0:y1] + step
            gathered = canvas.buffer[canvas.offsets[:, None] + index]
            neighbours = [g.t() for g in gathered.split(canvas.counts)]
            y = rows[y0:y1]
            context = Context.of(neighbours, step - SLANT * y, y)
            fans = net.trunk(net.inputs(context, torch.float32))
            known: list[Tensor] = []
            for channel in range(canvas.channels):
                fan = fans[:, channel * head : (channel + 1) * head]
                cdf = model.cdf(net.head(channel, fan, context, known))
                high = stack.pop(cdf.high_frequencies())
                low = stack.pop(cdf.low_frequencies(high))
                sample = torch.from_numpy((high << 4 | low).astype(np.int16))
                value = sample - known[0] if channel else sample
                known.append(value)
                canvas.buffer[index + channel * canvas.plane_size] = value
            _pad(canvas, planes, step)
            if progress and step % 64 == 0:
                progress(step / canvas.steps)
    if not stack.is_empty():
        raise CoderError("coded data are left over after the last pixel: the file is corrupt")
    return _pixels(planes, shape)


def _pad(canvas: _Canvas, planes: list[Tensor], step: int) -> None:
    """Fill the padding that the pixels of a step decide: left of the next row, and right of their own."""
    y = step // SLANT
    if step % SLANT == 0 and y + 1 < canvas.height:
        for plane in planes:
            plane[y + PAD + 1, :PAD] = plane[y + PAD, PAD]
    y, rest = divmod(step - canvas.width + 1, SLANT)
    if rest == 0 and 0 <= y < canvas.height:
        for plane in planes:
            plane[y + PAD, PAD + canvas.width :] = plane[y + PAD, PAD + canvas.width - 1]


def _pixels(planes: list[Tensor], shape: tuple[int, ...]) -> Pixels:
    pixels = np.empty(shape, np.uint8)
    first = planes[0][PAD:, PAD:-PAD].numpy()
    if len(shape) == 2:
        pixels[:] = first
        return pixels
    for channel, plane in zip(SAMPLE_ORDER, planes, strict=True):
        difference = plane[PAD:, PAD:-PAD].numpy()
        pixels[..., channel] = first if plane is planes[0] else first + difference
    return pixels
