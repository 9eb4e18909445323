"""Payloads of context mixing, all presets, compiled with checks of every index.

An input is: layout, sides, channels, a byte each; then the payload.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import numpy as np

from fuzz import tiny
from rdzip.codecs.mixing import codec as mixing
from rdzip.codecs.mixing.presets import PRESETS, Preset
from rdzip.errors import CoderError
from rdzip.system import limits

CODE = "checked"
MAX_LEN = 256
FAST_PIXELS, SLOW_PIXELS = 12, 6


def preset_of(data: bytes) -> Preset:
    """The preset that the byte 0 means."""
    return PRESETS[data[0] % len(PRESETS) + 1]


def shape_of(data: bytes) -> tuple[int, ...]:
    """The shape that the bytes 1 and 2 mean."""
    most = SLOW_PIXELS if preset_of(data).slow else FAST_PIXELS
    height = data[1] % most + 1
    width = (data[1] >> 4) % (most // height) + 1
    return (height, width, 3) if data[2] % 2 else (height, width)


def seeds() -> Iterator[bytes]:
    """Pictures of noise, and flat ones, by each preset."""
    rng = np.random.default_rng(0)
    for layout, preset in PRESETS.items():
        for sides in (0x00, 0x21):
            for colour in (0, 1):
                head = bytes([layout - 1, sides, colour])
                pixels = rng.integers(0, 256, shape_of(head)).astype(np.uint8)
                for some in (pixels, pixels % 2 + 100):
                    yield head + mixing.encode(tiny.model("causal"), some, None, preset).payload


def one(data: bytes) -> None:
    """Decode."""
    if len(data) < 3:
        return
    shape = shape_of(data)
    with suppress(CoderError), limits.bounded(len(data), limits.Budget()):
        pixels = mixing.decode(tiny.model("causal"), data[3:], shape, preset_of(data).layout)
        assert pixels.shape == shape
