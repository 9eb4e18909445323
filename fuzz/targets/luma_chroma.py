"""What stands beside luma and chroma, compiled with checks of every index.

An input is: sides, a byte each; then the description.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from rdzip.codecs.history import luma_chroma
from rdzip.codecs.history.matrices import MATRICES
from rdzip.errors import CoderError
from rdzip.system import limits

CODE = "checked"
MAX_LEN = 256
MOST = 12


def shape_of(data: bytes) -> tuple[int, int, int]:
    """The shape that the bytes 0 and 1 mean."""
    return data[0] % MOST + 1, data[1] % MOST + 1, 3


def triples(shape: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Luma and chroma of a shape."""
    return np.random.default_rng(shape[0]).integers(0, 256, shape, np.uint8)


def seeds() -> Iterator[bytes]:
    """Pictures of each matrix, without and with exceptions."""
    for number in range(len(MATRICES)):
        for sides in (b"\x00\x00", b"\x0b\x0b", b"\x00\x0b"):
            pixels = luma_chroma.colours(triples(shape_of(sides)), bytes([number]))
            for some in (pixels, np.where(np.arange(3) + pixels[:, :, :1] % 20 == 1, np.uint8(9), pixels)):
                found = luma_chroma.describe(np.ascontiguousarray(some), number)
                if found is not None:
                    yield sides + found.beside


def one(data: bytes) -> None:
    """Make colours."""
    if len(data) < 2:
        return
    planes = triples(shape_of(data))
    with suppress(CoderError), limits.bounded(len(data), limits.Budget()):
        assert luma_chroma.colours(planes, data[2:]).shape == planes.shape
