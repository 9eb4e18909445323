"""Codec "causal": lossless coding of pixels with a causal network, no latents, along slanted wavefronts.

Pixels of the step t = x + SLANT * y are coded together, plane after plane (green, red, blue), each plane as its
high and then its low nibbles, rows downwards. The stack is last in, first out, so the encoder goes through bands of
steps from the end. On a processor where something compiles, codecs/causal/compiled.py computes the network; elsewhere
codecs/causal/batched.py does, in torch if a device was asked for and in numpy if not.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from rdzip.codecs.causal import batched
from rdzip.codecs.result import Bits, Encoded
from rdzip.codecs.threads import thread_count
from rdzip.entropy.ans import PRECISION, TOTAL, AnsStack
from rdzip.entropy.cdf import FLOOR
from rdzip.errors import CoderError, InputError
from rdzip.exact.types import Int32, Pixels
from rdzip.models.shared.template import SLANT, Wavefronts
from rdzip.system import limits
from rdzip.system.progress import Progress

if TYPE_CHECKING:
    from rdzip.codecs.causal import compiled as causal_compiled
    from rdzip.models.causal.model import CausalModel
    from rdzip.models.causal.numpy_network import ExactNet


BAND_PIXELS = 1 << 13
SAMPLE_TIME = 3.0
"""Microseconds that decoding a sample takes on one core, without the network, about."""


def _kind(shape: tuple[int, ...]) -> str:
    if len(shape) == 2:
        return "grey"
    if len(shape) == 3 and shape[2] == 3:
        return "colour"
    raise InputError(f"causal codec: expected pixels of shape [h, w] or [h, w, 3], found {list(shape)}")


def _compiled(model: CausalModel, kind: str) -> ModuleType | None:
    """The codec by compiled code, which then has to give the model's known answer; None where nothing compiles.

    It is imported here, since numba takes longer to import than other codecs to work.
    """
    from rdzip.codecs.causal import compiled as causal_compiled

    if not causal_compiled.can_compile(model, kind):
        return None
    model.check_compiled()
    return causal_compiled


def _batch_net(model: CausalModel, kind: str) -> ExactNet:
    return model.nets[kind] if model.device == "cpu" else model.torch_net(kind)


@contextmanager
def _one_thread(model: CausalModel) -> Iterator[None]:
    """Within the context torch, if it computes the network, works in one thread: steps and bands are too short."""
    if model.device == "cpu":
        yield
        return
    from rdzip.exact.devices import threads

    with threads(1):
        yield


def encode(model: CausalModel, pixels: Pixels, progress: Progress | None = None) -> Encoded:
    """Lossless payload of uint8 pixels [h, w] or [h, w, 3], h, w >= 1, with its rates in bits."""
    if pixels.dtype != np.uint8 or not pixels.size:
        raise InputError(f"causal codec: expected uint8 pixels, found {pixels.dtype} {list(pixels.shape)}")
    kind = _kind(pixels.shape)
    fronts = Wavefronts(*pixels.shape[:2])
    coming_up = fronts.bands(BAND_PIXELS)
    at_once = min(thread_count(), len(coming_up))
    work: batched.Bands | causal_compiled.Bands
    if (compiled := _compiled(model, kind)) is not None:
        work = compiled.Bands(model, kind, pixels, at_once)
    else:
        work = batched.Bands(model, _batch_net(model, kind), pixels)
    stack = AnsStack()
    ideal = net = 0.0
    with _one_thread(model), ThreadPoolExecutor(at_once) as pool:
        coming: deque[Future[tuple[Int32, Int32, Int32]]] = deque()
        for done, (first, _) in enumerate(coming_up):
            for band in coming_up[done + len(coming) : done + at_once + 1]:
                coming.append(pool.submit(work.intervals, *band))
            starts, sizes, mass = coming.popleft().result()
            stack.push_intervals(starts, sizes)
            ideal += _bits(mass)
            net += _bits(sizes)
            if progress:
                progress(1 - first / fronts.steps)
    return Encoded(stack.to_bytes(), Bits(ideal, net, float(stack.bits())), SLANT)


def _bits(shares: Int32) -> float:
    """Bits of symbols that have these shares of 2**24."""
    return PRECISION * len(shares) - float(np.log2(shares).sum())


def decode(
    model: CausalModel, payload: bytes, shape: tuple[int, ...], layout: int, progress: Progress | None = None
) -> Pixels:
    """Pixels uint8 of a payload; CoderError if it is corrupt.

    - model: the one that it was coded by
    - payload: of `encode`
    - shape: [h, w] or [h, w, 3]
    - layout: slant of the wavefronts, as the file has it
    - progress: called with the share that is done
    """
    if layout != SLANT:
        raise CoderError(
            f"causal codec: expected wavefront slant {SLANT}, found {layout}: the file needs a newer rdzip"
        )
    kind = _kind(shape)
    # the other 15 high symbols keep 16 FLOOR of TOTAL each, so a sample costs more than 15 * 16 * FLOOR / TOTAL bits
    if 15 * 16 * FLOOR * math.prod(shape) > TOTAL * (8 * len(payload) + 64):
        raise CoderError(
            f"coded data of {len(payload)} bytes cannot hold {math.prod(shape)} samples: the file is corrupt"
        )
    time = SAMPLE_TIME * math.prod(shape) + model.pixel_time(kind) * math.prod(shape[:2])
    limits.claim(time, f"{math.prod(shape)} samples in wavefronts")
    stack = AnsStack(payload)  # CoderError for what is none
    if (compiled := _compiled(model, kind)) is not None:
        found: Pixels = compiled.decode(model, kind, payload, shape, progress)
        return found
    with _one_thread(model):
        return batched.decode(model, _batch_net(model, kind), stack, shape, progress)
