"""Payloads of the codec mixing, all layouts, compiled with checks of every index.

An input is: layout, sides, channels, a byte each; then the payload.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import numpy as np

from fuzz import tiny
from rdzip.codecs.bits_back.options import BRISK
from rdzip.codecs.mixing import codec as mixing
from rdzip.errors import CoderError
from rdzip.system import limits

CODE = "checked"
MAX_LEN = 256
BRISK_PIXELS, OTHER_PIXELS = 12, 6


def shape_of(data: bytes) -> tuple[int, ...]:
    """The shape that the bytes 1 and 2 mean."""
    most = BRISK_PIXELS if data[0] % 10 + 1 in BRISK else OTHER_PIXELS
    height = data[1] % most + 1
    width = (data[1] >> 4) % (most // height) + 1
    return (height, width, 3) if data[2] % 2 else (height, width)


def seeds() -> Iterator[bytes]:
    """Pictures of noise, and flat ones, by each layout."""
    rng = np.random.default_rng(0)
    for layout in range(1, 11):
        for sides in (0x00, 0x21):
            for colour in (0, 1):
                head = bytes([layout - 1, sides, colour])
                pixels = rng.integers(0, 256, shape_of(head)).astype(np.uint8)
                for some in (pixels, pixels % 2 + 100):
                    yield head + mixing.encode(tiny.model("causal"), some, None, layout).payload


def one(data: bytes) -> None:
    """Decode."""
    if len(data) < 3:
        return
    shape = shape_of(data)
    with suppress(CoderError), limits.bounded(len(data), limits.Budget()):
        pixels = mixing.decode(tiny.model("causal"), data[3:], shape, data[0] % 10 + 1)
        assert pixels.shape == shape
