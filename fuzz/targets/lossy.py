"""Lossy payloads of every architecture, up to pixels.

An input is: model, height, width, channels and codec, a byte each; then the payload.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import numpy as np

from fuzz import tiny
from rdzip.codecs.names import LOSSY_CODECS
from rdzip.codecs.transform import codec as transform
from rdzip.errors import CoderError
from rdzip.rec.settings import Settings
from rdzip.system import limits

CODE = "compiled"
MAX_LEN = 4096


def shape_of(data: bytes) -> tuple[int, ...]:
    """The shape that the bytes 1 to 3 mean; some have several tiles."""
    side = 20 if tiny.LOSSY[data[0] % len(tiny.LOSSY)] == "transform" else 70
    height, width = data[1] % side + 1, data[2] % side + 1
    return (height, width, 3) if data[3] % 2 else (height, width)


def seeds() -> Iterator[bytes]:
    """Pictures of one and of several tiles."""
    rng = np.random.default_rng(0)
    for number, name in enumerate(tiny.LOSSY):
        model = tiny.model(name)
        for sides in ((0, 0), (9, 18), (65, 3)):
            for step in (0, model.setting_count // 2, model.setting_count - 1):
                head = bytes([number, *sides, step % 2])
                pixels = rng.integers(100, 130, shape_of(head)).astype(np.uint8)
                rec_settings = Settings(300, 20, 2, 0) if name.startswith("irec") else None
                coded = transform.encode(model, pixels, step, rec_settings=rec_settings)
                yield head + bytes([coded.layout]) + coded.payload


def one(data: bytes) -> None:
    """Decode the symbols, and make pixels of them."""
    if len(data) < 5:
        return
    model = tiny.model(tiny.LOSSY[data[0] % len(tiny.LOSSY)])
    shape = shape_of(data)
    with suppress(CoderError), limits.bounded(len(data), limits.Budget()):
        found = transform.unpack(model, data[5:], shape, data[4] % (len(LOSSY_CODECS) + 1))
        assert transform.synthesise(model, found, shape).shape == shape
