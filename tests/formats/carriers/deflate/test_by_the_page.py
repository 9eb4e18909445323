"""docs/reference/carriers.md says all: a second program, written from it, makes the same streams."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from reference import deflate

from rdzip.formats.carriers.deflate import rebuild, recover
from rdzip.formats.carriers.deflate.settings import Settings


def data_of(seed: int, size: int) -> bytes:
    """Words, noise and runs, the more the further."""
    rng = np.random.default_rng(seed)
    words = [bytes(rng.integers(97, 123, rng.integers(2, 12), np.uint8)) for _ in range(60)]
    parts = [words[i] if i < 60 else bytes([i]) * int(rng.integers(1, 90)) if i < 64 else rng.bytes(40)
             for i in rng.integers(0, 66, size // 6 + 1)]  # fmt: skip
    return b"".join(parts)[:size]


@pytest.mark.parametrize("strategy", range(5))
@pytest.mark.parametrize("level", range(1, 10))
def test_settings(level: int, strategy: int) -> None:
    for i, (size, memory, window) in enumerate(((0, 8, 15), (1, 9, 9), (700, 1, 9), (2500, 2, 10), (3000, 5, 9))):
        data = data_of(level + 10 * i, size)
        for old, far, wrapped in ((False, False, True), (True, True, False)):
            number = Settings(level, memory, window, strategy, old, far, wrapped).number
            assert deflate.rebuild(data, number) == rebuild(data, number)


def test_noise_that_is_stored() -> None:
    data = np.random.default_rng(0).bytes(3000)
    for strategy in (0, 2, 3, 4):
        number = Settings(6, 1, 9, strategy).number
        assert deflate.rebuild(data, number) == rebuild(data, number)
    for rest in ([1000], [1000, 1], [999], [5000], [[1, 2999]], [[3000, 0]]):
        assert deflate.rebuild(data, [0, b"", *rest]) == rebuild(data, [0, b"", *rest])


def test_long_codes() -> None:
    """Fibonacci's numbers of each byte: codes of more than 15 bits, but for the limit."""
    a, b, parts = 1, 1, []
    for i in range(19):
        parts.append(bytes([i]) * a)
        a, b = b, a + b
    data = bytes(np.random.default_rng(0).permutation(np.frombuffer(b"".join(parts), np.uint8)))
    number = Settings(6, 9, 15, 2).number
    stream = zlib.compressobj(6, 8, 15, 9, 2)
    assert deflate.rebuild(data, number) == rebuild(data, number) == stream.compress(data) + stream.flush()


def test_patches() -> None:
    data = data_of(5, 9000)
    streams = []
    for level, flush in ((9, zlib.Z_SYNC_FLUSH), (1, zlib.Z_PARTIAL_FLUSH), (6, zlib.Z_BLOCK)):
        deflater = zlib.compressobj(level)
        stream = b"".join(
            deflater.compress(data[i : i + 1500]) + deflater.flush(flush) for i in range(0, len(data), 1500)
        )
        streams.append(stream + deflater.flush())
    first, second = zlib.compressobj(3, 8, 15), zlib.compressobj(9, 8, -15, 9, 0, data[:4000])
    joined = first.compress(data[:4000]) + first.flush(zlib.Z_SYNC_FLUSH) + second.compress(data[4000:])
    streams.append(joined + second.flush() + zlib.adler32(data).to_bytes(4, "big"))
    for stream in streams:
        recipe = recover(stream, len(data))[1]
        assert isinstance(recipe, list)
        assert deflate.rebuild(data, recipe) == stream
