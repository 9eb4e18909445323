"""The codec "causal" by products of many pixels: wavefronts of a picture on any device, or in numpy.

The encoder knows all pixels, so it evaluates bands of steps at once; a decoder evaluates the pixels of a step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rdzip.entropy.cdf import Intervals
from rdzip.errors import CoderError
from rdzip.exact.types import Int16, Int32, Int64, Pixels
from rdzip.models.causal.numpy_network import ExactNet
from rdzip.models.shared.template import OUTSIDE, PAD, SAMPLE_ORDER, SLANT, TEMPLATE, Wavefronts, padded_planes
from rdzip.system.progress import Progress

if TYPE_CHECKING:
    from rdzip.entropy.ans import AnsStack
    from rdzip.models.causal.model import CausalModel


class _Canvas:
    """Padded planes of a picture in one flat int16 buffer, and where pixels and their neighbours lie in it."""

    def __init__(self, net: ExactNet, planes: Int16) -> None:
        self.buffer = planes.reshape(-1)
        self.planes = planes
        self.stride = planes.shape[2]
        self.plane_size = planes[0].size
        counts = [net.config.plane_neighbours(p) for p in range(len(planes))]
        ends = np.cumsum(counts).tolist()
        self._parts = [slice(end - count, end) for end, count in zip(ends, counts, strict=True)]
        within = np.array([dy * self.stride + dx for dy, dx in TEMPLATE])
        self._offsets = np.concatenate([p * self.plane_size + within[:k] for p, k in enumerate(counts)])

    def index(self, y: Int64, x: Int64) -> Int64:
        """Positions of pixels in the first plane of the buffer."""
        place: Int64 = (y + PAD) * self.stride + PAD + x
        return place

    def neighbours(self, index: Int64) -> list[Int16]:
        """Neighbours int16 [k, n] of each plane of the pixels at these positions."""
        gathered = self.buffer.take(self._offsets[:, None] + index)
        return [gathered[part] for part in self._parts]

    def values(self, index: Int64) -> list[Int16]:
        """Values int16 [n] of each plane at these positions."""
        return [self.buffer.take(index + p * self.plane_size) for p in range(len(self.planes))]


class Bands:
    """What encodes bands of a picture, in several threads at the same time."""

    def __init__(self, model: CausalModel, net: ExactNet, pixels: Pixels) -> None:
        self._model, self._net = model, net
        self._canvas = _Canvas(net, padded_planes(pixels))
        self._fronts = Wavefronts(*pixels.shape[:2])

    def intervals(self, first: int, stop: int) -> tuple[Int32, Int32, Int32]:
        """Starts and sizes int32 [2 * samples] of the symbols of the steps first..stop-1 in the order of coding, and
        masses int32 [samples]."""
        y, x, counts = self._fronts.pixels(first, stop)
        index = self._canvas.index(y, x)
        values = self._canvas.values(index)
        context = self._net.context(self._canvas.neighbours(index))
        found: list[Intervals] = []
        for channel, head_in in enumerate(self._net.trunk(context, x, y)):
            mixture = self._net.head(channel, head_in, context, values[:channel])
            sample = values[channel] + values[0] if channel else values[0]
            found.append(self._model.cdf(mixture).intervals(sample.astype(np.int32)))
        starts = _in_order([part for i in found for part in (i.high_start, i.low_start)], counts)
        sizes = _in_order([part for i in found for part in (i.high_size, i.low_size)], counts)
        return starts, sizes, np.concatenate([i.mass for i in found])


def _in_order(parts: list[Int32], counts: Int64) -> Int32:
    """Numbers of the symbols [n] of each kind, of steps with so many pixels, by step and then by kind."""
    before = np.repeat(np.cumsum(counts) - counts, counts)
    count = np.repeat(counts, counts)
    place = (len(parts) - 1) * before + np.arange(len(before))
    found = np.empty(len(parts) * len(before), np.int32)
    for part in parts:
        found[place] = part
        place += count
    return found


def decode(
    model: CausalModel, net: ExactNet, stack: AnsStack, shape: tuple[int, ...], progress: Progress | None = None
) -> Pixels:
    """Pixels uint8 from a stack; CoderError if it is corrupt.

    - model: the model; net: its network for the kind of picture, on the device that computes
    - stack: what `encode` pushed to
    - shape: [h, w] or [h, w, 3]
    - progress: called with the share that is done
    """
    height, width = shape[:2]
    fronts = Wavefronts(height, width)
    planes = np.zeros((net.config.channels, height + PAD, width + 2 * PAD), np.int16)
    planes[0, :PAD] = OUTSIDE
    planes[0, PAD, :PAD] = OUTSIDE
    canvas = _Canvas(net, planes)
    for step in range(fronts.steps):
        begin, end = fronts.rows(step)
        if begin == end:
            continue
        y = np.arange(begin, end)
        x = step - SLANT * y
        index = canvas.index(y, x)
        context = net.context(canvas.neighbours(index))
        head_inputs = net.trunk(context, x, y)
        coded: list[Int16] = []
        for channel, head_in in enumerate(head_inputs):
            cdf = model.cdf(net.head(channel, head_in, context, coded))
            cumulative = cdf.high_cumulative()
            high = stack.pop(cdf.high_frequencies(cumulative))
            sample = ((high << 4) | stack.pop(cdf.low_frequencies(high, cumulative))).astype(np.int16)
            coded.append(sample - coded[0] if channel else sample)
            canvas.buffer[index + channel * canvas.plane_size] = coded[-1]
        _pad(planes, fronts, step)
        if progress and step % 64 == 0:
            progress(step / fronts.steps)
    if not stack.is_empty():
        raise CoderError("coded data are left over after the last pixel: the file is corrupt")
    return _pixels(planes[:, PAD:, PAD:-PAD], shape)


def _pad(planes: Int16, fronts: Wavefronts, step: int) -> None:
    """Fill the padding that the pixels of a step decide: left of the next row, and right of their own."""
    y = step // SLANT
    if step % SLANT == 0 and y + 1 < fronts.height:
        planes[:, y + PAD + 1, :PAD] = planes[:, y + PAD, PAD, None]
    y, rest = divmod(step - fronts.width + 1, SLANT)
    if rest == 0 and 0 <= y < fronts.height:
        planes[:, y + PAD, PAD + fronts.width :] = planes[:, y + PAD, PAD + fronts.width - 1, None]


def _pixels(planes: Int16, shape: tuple[int, ...]) -> Pixels:
    pixels = np.empty(shape, np.uint8)
    if len(shape) == 2:
        pixels[:] = planes[0]
        return pixels
    for channel, (number, plane) in zip(SAMPLE_ORDER, enumerate(planes), strict=True):
        pixels[..., channel] = planes[0] + plane if number else plane
    return pixels
