"""Chains and tiles of all codecs of latents, with models of every kind, and causal payloads.

An input is: model, codec's form, sides, number of items, a byte each; then the payload.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np

from fuzz import tiny
from rdzip.codecs.bits_back import chain
from rdzip.codecs.bits_back import tiles as tiled
from rdzip.codecs.bits_back.options import Options
from rdzip.codecs.causal import codec as causal
from rdzip.errors import CoderError, InputError
from rdzip.system import limits

CODE = "compiled"
MAX_LEN = 600
MODELS = (*tiny.IMAGES, *tiny.SEQUENCES, "causal")
OPTIONS = {
    "stochastic": [Options()],
    "bb-ans": [Options(), Options(refine=1)],
    "bit-swap": [Options()],
    "bb-is": [Options(particles=2)],
    "bb-cis": [Options(particles=3), Options(particles=2, precision=16)],
    "bb-ais": [Options(steps=2), Options(steps=3, interleave=0)],
    "bb-smc": [Options(particles=3), Options(particles=2, resample=1), Options(particles=2, resample=2)],
    "irec": [Options(beams=2), Options(omega=50, epsilon=30, beams=2, seed=9)],
}


def shape_of(name: str, sides: int) -> tuple[int, ...]:
    """Shape of an item of a model."""
    height, width = sides % 5 + 1, sides // 16 % 5 + 1
    return {
        "toy-mixture": (1, 1),
        "vae": (5, 6),
        "grey": (height, width),
        "toy-hmm": (height, 1),
        "vrnn": (height, 88),
    }.get(name, (height, width) if name == "causal" and sides & 8 else (height, width, 3))


def items(name: str, count: int, sides: int) -> list[np.ndarray[Any, Any]]:
    """Items that a model codes."""
    rng = np.random.default_rng(count)
    model = tiny.model(name)
    shape = shape_of(name, sides)
    shape = (shape[0], *model_shape[1:]) if (model_shape := getattr(model, "item", None)) else shape
    values = 256 if name == "causal" else model.values()
    return [rng.integers(0, values, shape).astype(np.uint8) for _ in range(count)]


def seeds() -> Iterator[bytes]:
    """Every codec with every model that has it."""
    for number, name in enumerate(MODELS):
        model = tiny.model(name)
        for sides in (0x00, 0x21):
            if name == "causal":
                for grey in (0, 8):
                    (pixels,) = items(name, 1, sides | grey)
                    yield bytes([number, 0, sides | grey, 0]) + causal.encode(model, pixels).payload
                continue
            for codec, several in OPTIONS.items():
                for options in several:
                    with suppress(InputError, CoderError, AttributeError, NotImplementedError):
                        two = items(name, 2, sides)
                        yield bytes([number, 0, sides, 1]) + chain.encode(model, two, codec, options).payload
                        if name not in tiny.SEQUENCES:
                            yield bytes([number, 1, sides, 0]) + tiled.encode(model, two[0], codec, options).payload


def one(data: bytes) -> None:
    """Decode as a chain, as tiles, or as a causal payload, whose bytes are the only ones of its pixels."""
    if len(data) < 4:
        return
    name = MODELS[data[0] % len(MODELS)]
    shape, count = shape_of(name, data[2]), data[3] % 4 + 1
    with suppress(CoderError), limits.bounded(len(data), limits.Budget()):
        if name == "causal":
            pixels = causal.decode(tiny.model(name), data[4:], shape, 3)
            assert causal.encode(tiny.model(name), pixels).payload == data[4:], "another payload of the same pixels"
        elif name in tiny.SEQUENCES:
            shapes = [(max(1, shape[0] - i), shape[1]) for i in range(count)] if data[1] & 2 else [shape] * count
            chain.decode(tiny.model(name), data[4:], shapes)
        elif data[1] & 1:
            assert tiled.decode(tiny.model(name), data[4:], shape, 1).shape == shape
        else:
            assert chain.decode(tiny.model(name), data[4:], (count, *shape)).shape == (count, *shape)
