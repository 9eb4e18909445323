"""Payloads of the codec dct, compiled with checks of every index."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import numpy as np

from rdzip.codecs.dct import codec
from rdzip.codecs.dct.coefficients import Coefficients, Component
from rdzip.errors import CoderError, FormatError
from rdzip.system import limits

CODE = "checked"
MAX_LEN = 4096
MOST_BLOCKS = 256
SAMPLINGS = ([(1, 1)], [(2, 2), (1, 1), (1, 1)], [(1, 2), (4, 1), (2, 1), (1, 1)])


def seeds() -> Iterator[bytes]:
    """Payloads of each preset, of 1, 3 and 4 components, small and large coefficients."""
    rng = np.random.default_rng(0)
    for samplings in SAMPLINGS:
        for spread in (0.0, 3.0, 30000.0):
            parts = tuple(
                Component(
                    np.rint(np.clip(rng.laplace(0, spread, (v, h, 64)), -32768, 32767)).astype(np.int16),
                    rng.integers(0, 300, 64).astype(np.uint16),
                    (h, v),
                )
                for h, v in samplings
            )
            for effort in (1, 6, 9):
                yield codec.encode(Coefficients(parts), effort, threads=1)


def one(data: bytes) -> None:
    """Decode a payload of few blocks."""
    with suppress(CoderError, FormatError), limits.bounded(len(data), limits.Budget()):
        codec.decode(data, threads=1, max_pixels=32 * MOST_BLOCKS)
