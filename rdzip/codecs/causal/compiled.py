"""The codec "causal" by compiled code: one pixel after the other along the wavefronts, network and coder in one.

The payload is that of codecs/causal/batched.py. It takes as long for a pixel in a picture of any shape, a fifth of what
products of many pixels take to decode on a processor, and needs no torch.
"""

from __future__ import annotations

from queue import SimpleQueue
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rdzip.codecs.bits_back.options import mixing_is_fast
from rdzip.entropy.ans import BOTTOM, PRECISION, TOTAL
from rdzip.entropy.cdf import FLOOR
from rdzip.errors import CoderError
from rdzip.exact.compiled import compiled
from rdzip.exact.types import Int32, Int64, Pixels, UInt32, UInt64
from rdzip.models.causal.compiled_network import ScalarNet, run_head, run_trunk
from rdzip.models.shared.compiled_mixture import COMPONENTS, PARTS, cumulative
from rdzip.models.shared.template import OUTSIDE, PAD, SAMPLE_ORDER, SLANT, Wavefronts, padded_samples
from rdzip.system.progress import Progress

if TYPE_CHECKING:
    from rdzip.models.causal.model import CausalModel


CALL_PIXELS = 1 << 12
"""Pixels that are decoded in one call, after which the caller hears of it."""
FULL = np.uint64(1 << 32)
"""States below are filled up with a word while there are any."""


def can_compile(model: CausalModel, kind: str) -> bool:
    """Whether the network of a kind can be computed so: numba is there, and no other device was asked for."""
    fits = model.nets[kind].config.components == COMPONENTS and model.tables.floor == FLOOR
    return mixing_is_fast() and model.device == "cpu" and fits


class Bands:
    """What encodes bands of a picture, in several threads at the same time."""

    def __init__(self, model: CausalModel, kind: str, pixels: Pixels, threads: int) -> None:
        self._planes = padded_samples(pixels, 0, len(pixels))
        self._fronts = Wavefronts(*pixels.shape[:2])
        self._tables = model.tables
        self._nets: SimpleQueue[ScalarNet] = SimpleQueue()
        for _ in range(threads):
            self._nets.put(ScalarNet.of(model.nets[kind], model.tables, self._planes.shape[2]))

    def intervals(self, first: int, stop: int) -> tuple[Int32, Int32, Int32]:
        """Starts and sizes int32 [2 * samples] of the symbols of the steps first..stop-1 in the order of coding, and
        masses int32 [samples]."""
        _, _, counts = self._fronts.pixels(first, stop)
        samples = int(counts.sum()) * len(self._planes)
        starts, sizes = np.zeros((2, 2 * samples), np.int32)
        mass = np.zeros(samples, np.int32)
        px, sigmoid, mixture = self._planes.reshape(-1), self._tables.sigmoid, np.zeros(PARTS, np.int32)
        height, width = self._fronts
        net = self._nets.get()
        _encode_steps(net, px, sigmoid, mixture, height, width, first, stop, starts, sizes, mass)
        self._nets.put(net)
        return starts, sizes, mass


def decode(model: CausalModel, kind: str, payload: bytes, shape: tuple[int, ...], progress: Progress | None) -> Pixels:
    """Pixels uint8 of a payload of whole words; CoderError if it is corrupt.

    - model: the one that it was coded by; kind: "grey" or "colour", which of its networks
    - payload: the words of the stack
    - shape: [h, w] or [h, w, 3]
    - progress: called with the share that is done
    """
    height, width = shape[:2]
    channels = 1 if len(shape) == 2 else shape[2]
    fronts = Wavefronts(height, width)
    planes = np.full((channels, height + PAD, width + 2 * PAD), OUTSIDE, np.int32)
    net = ScalarNet.of(model.nets[kind], model.tables, planes.shape[2])
    words = np.frombuffer(payload, "<u4").astype(np.uint32)
    stack = np.array([0, len(words)], np.uint64)
    for _ in range(min(2, len(words))):
        stack[0] = stack[0] << np.uint64(32) | np.uint64(words[int(stack[1]) - 1])
        stack[1] -= np.uint64(1)
    head_inputs = np.zeros((fronts.most, len(net.head_inputs)), np.float32)
    seen = np.zeros((fronts.most, 2, channels), np.int64)
    found = np.zeros((fronts.most, PARTS), np.int32)
    steps = max(1, CALL_PIXELS // fronts.most)
    for first in range(0, fronts.steps, steps):
        stop = min(first + steps, fronts.steps)
        if not _decode_steps(
            net,
            planes.reshape(-1),
            model.tables.sigmoid,
            height,
            width,
            first,
            stop,
            words,
            stack,
            head_inputs,
            seen,
            found,
        ):
            raise CoderError("coded data end before the last symbol: the file is corrupt")
        if progress:
            progress(first / fronts.steps)
    if (int(stack[0]), int(stack[1])) != (BOTTOM, 0):
        raise CoderError("coded data are left over after the last pixel: the file is corrupt")
    pixels = np.empty(shape, np.uint8)
    inside = planes[:, PAD:, PAD:-PAD]
    if channels == 1:
        pixels[:] = inside[0]
    else:
        for channel, plane in zip(SAMPLE_ORDER, inside, strict=True):
            pixels[..., channel] = plane
    return pixels


@compiled
def _end(mixture: Int32, sigmoid: Int32, v: int) -> int:
    """Share of 2**24 of the values below v, 0..256."""
    if v == 0:
        return 0
    if v == 256:
        return TOTAL
    return cumulative(mixture, sigmoid, v)


@compiled
def _stretched(c: int, size: int, index: int) -> int:
    """Share of 2**24 below a low nibble, of which c lie below it within its high nibble's interval of this size."""
    return c * (TOTAL - 16) // size + index


@compiled
def _first_row(width: int, step: int) -> int:
    return max(0, -((width - 1 - step) // SLANT))


@compiled
def _encode_steps(
    net: ScalarNet,
    px: Int32,
    sigmoid: Int32,
    mixture: Int32,
    height: int,
    width: int,
    first: int,
    stop: int,
    starts: Int32,
    sizes: Int32,
    mass: Int32,
) -> None:
    channels = net.counts[2]
    stride = width + 2 * PAD
    plane = len(px) // channels
    at = 0
    for step in range(first, stop):
        y0 = _first_row(width, step)
        count = max(0, min(height - 1, step // SLANT) + 1 - y0)
        for i in range(count):
            y = y0 + i
            x = step - SLANT * y
            place = (y + PAD) * stride + PAD + x
            run_trunk(net, px, plane, place, x, y)
            for c in range(channels):
                run_head(net, px, plane, place, c, mixture)
                value = np.int64(px[c * plane + place])
                high = value & ~15
                begin = _end(mixture, sigmoid, high)
                size = _end(mixture, sigmoid, high + 16) - begin
                below = _end(mixture, sigmoid, value)
                upto = _end(mixture, sigmoid, value + 1)
                low = _stretched(below - begin, size, value & 15)
                symbol = 2 * channels * at + 2 * c * count + i
                starts[symbol] = begin
                sizes[symbol] = size
                starts[symbol + count] = low
                sizes[symbol + count] = _stretched(upto - begin, size, (value & 15) + 1) - low
                mass[channels * at + c * count + i] = upto - below
        at += count


@compiled
def _pop(stack: UInt64, words: UInt32, start: int, size: int) -> None:
    """Take the symbol of an interval, which the top of the stack lies in, off the stack. stack uint64 [2]: the state,
    and the words left."""
    shift = np.uint64(PRECISION)
    state = (stack[0] >> shift) * np.uint64(size) + ((stack[0] & np.uint64(TOTAL - 1)) - np.uint64(start))
    if state < FULL and stack[1] > np.uint64(0):
        stack[1] -= np.uint64(1)
        state = state << np.uint64(32) | np.uint64(words[np.intp(stack[1])])
    stack[0] = state


@compiled
def _pop_high(stack: UInt64, words: UInt32, mixture: Int32, sigmoid: Int32) -> int:
    q = np.int64(stack[0] & np.uint64(TOTAL - 1))
    low, low_end, high, high_end = 0, 0, 16, TOTAL
    while high - low > 1:
        middle = (low + high) >> 1
        c = _end(mixture, sigmoid, 16 * middle)
        if c <= q:
            low, low_end = middle, c
        else:
            high, high_end = middle, c
    _pop(stack, words, low_end, high_end - low_end)
    return low


@compiled
def _pop_low(stack: UInt64, words: UInt32, mixture: Int32, sigmoid: Int32, nibble: int) -> int:
    q = np.int64(stack[0] & np.uint64(TOTAL - 1))
    begin = _end(mixture, sigmoid, 16 * nibble)
    size = _end(mixture, sigmoid, 16 * nibble + 16) - begin
    low, low_end, high, high_end = 0, 0, 16, TOTAL
    while high - low > 1:
        middle = (low + high) >> 1
        c = _stretched(_end(mixture, sigmoid, 16 * nibble + middle) - begin, size, middle)
        if c <= q:
            low, low_end = middle, c
        else:
            high, high_end = middle, c
    _pop(stack, words, low_end, high_end - low_end)
    return low


@compiled
def _decode_steps(
    net: ScalarNet,
    px: Int32,
    sigmoid: Int32,
    height: int,
    width: int,
    first: int,
    stop: int,
    words: UInt32,
    stack: UInt64,
    head_inputs: NDArray[np.float32],
    seen: Int64,
    found: Int32,
) -> bool:
    """Decode the pixels of the steps first..stop-1 and what stands beside them; False if the payload ends before.

    fans, seen, found: room for the first layers of heads, medians and activities, and mixtures of a step's pixels.
    """
    channels = net.counts[2]
    stride = width + 2 * PAD
    plane = len(px) // channels
    for step in range(first, stop):
        y0 = _first_row(width, step)
        count = max(0, min(height - 1, step // SLANT) + 1 - y0)
        origin = (y0 + PAD) * stride + PAD + step - SLANT * y0
        along = stride - SLANT
        for c in range(channels):
            for i in range(count):
                place = origin + i * along
                if c == 0:
                    run_trunk(net, px, plane, place, step - SLANT * (y0 + i), y0 + i)
                    for k in range(len(net.head_inputs)):
                        head_inputs[i, k] = net.head_inputs[k]
                    for k in range(channels):
                        seen[i, 0, k] = net.medians[k]
                        seen[i, 1, k] = net.activities[k]
                elif count > 1:
                    for k in range(len(net.head_inputs)):
                        net.head_inputs[k] = head_inputs[i, k]
                    for k in range(channels):
                        net.medians[k] = seen[i, 0, k]
                        net.activities[k] = seen[i, 1, k]
                run_head(net, px, plane, place, c, found[i])
            for i in range(count):
                if stack[1] == np.uint64(0) and stack[0] <= np.uint64(BOTTOM):
                    return False
                px[c * plane + origin + i * along] = _pop_high(stack, words, found[i], sigmoid)
            for i in range(count):
                place = c * plane + origin + i * along
                nibble = np.int64(px[place])
                px[place] = 16 * nibble + _pop_low(stack, words, found[i], sigmoid, nibble)
            for i in range(count):
                y = y0 + i
                place = c * plane + origin + i * along
                if step == SLANT * y and y + 1 < height:
                    for k in range(PAD):
                        px[place + stride - PAD + k] = px[place]
                if step - SLANT * y == width - 1:
                    for k in range(PAD):
                        px[place + 1 + k] = px[place]
    return True
