"""Classic payloads: raw, constant, WebP, PNG, LZMA, predicted planes, bits.

An input is: method, height, width, channels and type of samples, a byte each; then the payload.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import numpy as np

from rdzip.codecs.classic import codec as classic
from rdzip.codecs.names import ClassicMethod
from rdzip.errors import CoderError
from rdzip.system import limits

CODE = "python"
MAX_LEN = 1024
SIDES = (1, 2, 3, 4, 5, 7, 8, 9, 16, 31, 32, 64, 255, 256, 1000, 1 << 14)
TYPES = ("u1", "<u2", "<i4", "<f4")
MAX_SAMPLES = 1 << 16


def shape_of(data: bytes) -> tuple[int, ...]:
    """The shape that the bytes 1 to 3 mean."""
    height, width = SIDES[data[1] % len(SIDES)], SIDES[data[2] % len(SIDES)]
    channels = data[3] % 4 + 1
    return (height, width) if channels == 1 else (height, width, channels)


def seeds() -> Iterator[bytes]:
    """Every method of samples of every type."""
    rng = np.random.default_rng(0)
    for kind, name in enumerate(TYPES):
        for channels in range(1, 5 if kind < 2 else 2):
            head = bytes([4, 6, channels - 1, kind])
            shape = shape_of(b"\0" + head)
            dtype = np.dtype(name)
            for samples in (
                rng.integers(0, 5, shape),
                rng.integers(0, 250, shape),
                np.ones(shape),
                rng.integers(0, 2, shape),
            ):
                samples = samples.astype(dtype)
                for payload, method in classic._candidates(samples):
                    yield bytes([method]) + head + payload
                yield bytes([ClassicMethod.RAW]) + head + samples.tobytes()
                best = classic.encode(samples)
                yield bytes([best.layout]) + head + best.payload


def one(data: bytes) -> None:
    """Decode; samples that come out can be coded."""
    if len(data) < 5:
        return
    shape = shape_of(data)
    if np.prod(shape) > MAX_SAMPLES:
        return
    dtype = np.dtype(TYPES[data[4] % len(TYPES)])
    with suppress(CoderError), limits.bounded(len(data), limits.Budget()):
        samples = classic.decode(data[5:], shape, dtype, data[0] % 8)
        assert samples.shape == shape
        assert samples.dtype == dtype
