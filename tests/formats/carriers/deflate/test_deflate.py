"""Deflate streams come back from their data and a few bytes, whatever zlib was told; hostile recipes are refused."""

from __future__ import annotations

import os
import subprocess
import sys
import zlib
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdzip.errors import FormatError
from rdzip.formats import cbor
from rdzip.formats.carriers.carrier import NotCarriedError
from rdzip.formats.carriers.deflate import rebuild, recover
from rdzip.formats.carriers.deflate.settings import Settings
from rdzip.system import limits

ROOT = Path(__file__).resolve().parents[4]
MOST = 1 << 24
KINDS = ("random", "few", "zeros", "walk", "text", "words", "filtered")


def data_of(kind: str, size: int, seed: int = 0) -> bytes:
    rng = np.random.default_rng(seed)
    if kind == "random":
        return rng.bytes(size)
    if kind == "few":
        return rng.integers(0, 3, size, np.uint8).tobytes()
    if kind == "zeros":
        return bytes(size)
    if kind == "walk":
        return np.cumsum(rng.integers(-1, 2, size)).astype(np.uint8).tobytes()
    if kind == "text":
        return b"".join(b"the quick %d fox " % v for v in rng.integers(0, 50, size // 8 + 1))[:size]
    if kind == "filtered":
        return np.rint(rng.laplace(0, 3, size)).astype(np.int8).tobytes()
    words = [rng.bytes(int(n)) for n in rng.integers(1, 300, 40)]
    return b"".join(words[i] for i in rng.integers(0, 40, size // 100 + 1))[:size]


def deflated(raw: bytes, settings: Settings, piece: int = 0) -> bytes:
    window = settings.window if settings.wrapped else -settings.window
    deflater = zlib.compressobj(settings.level, 8, window, settings.memory, settings.strategy)
    pieces = [raw[i : i + piece] for i in range(0, len(raw), piece)] if piece else [raw]
    return b"".join(deflater.compress(part) for part in pieces) + deflater.flush()


def check(stream: bytes, raw: bytes, wrapped: bool = True, most: int = 9) -> None:
    """The stream comes back, by a recipe of few bytes, also where other bytes follow."""
    found, recipe, consumed = recover(stream + b"more", len(raw), wrapped)
    assert (found, consumed) == (raw, len(stream))
    assert len(cbor.dumps(recipe)) <= most
    assert rebuild(found, cbor.loads(cbor.dumps(recipe))) == stream


NO_SLIDE = 14
"""The smallest window that does not slide within the 20,000 bytes of a test: where it does depends on the pieces."""


@given(
    st.sampled_from(KINDS),
    st.integers(0, 20000),
    st.integers(0, 1 << 32),
    st.builds(
        Settings,
        st.integers(1, 9),
        st.integers(1, 9),
        st.integers(9, 15),
        st.integers(0, 4),
        st.just(False),
        st.just(False),
        st.booleans(),
    ),
    st.integers(0, 3000),
)
def test_what_zlib_makes_comes_back(kind: str, size: int, seed: int, settings: Settings, piece: int) -> None:
    raw = data_of(kind, size, seed)
    stream = deflated(raw, settings, piece)
    if piece and settings.window < NO_SLIDE:  # a block of which the window has lost the start is not stored
        with suppress(NotCarriedError):
            found, recipe, _ = recover(stream, len(raw), settings.wrapped)
            assert rebuild(found, recipe) == stream
        return
    assert rebuild(raw, settings.number) == stream
    check(stream, raw, settings.wrapped, 9 + size // 50)


@pytest.mark.parametrize("level", range(10))
@pytest.mark.parametrize("kind", KINDS)
def test_long_streams(kind: str, level: int) -> None:
    raw = data_of(kind, 200_000 + level)
    check(zlib.compress(raw, level), raw, most=80)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("strategy", range(5))
def test_every_setting(kind: str, strategy: int) -> None:
    for size in (1, 700, 70_000):
        raw = data_of(kind, size)
        for level in range(1, 10):
            for memory in range(1, 10):
                for window in (9, 10, 13, 15):
                    settings = Settings(level, memory, window, strategy)
                    assert rebuild(raw, settings.number) == deflated(raw, settings), settings
    raw = data_of(kind, 1 << 20)
    for level in range(1, 10):
        most = 9 if kind != "random" else 400  # sizes of stored blocks
        check(deflated(raw, Settings(level, 9, 15, strategy)), raw, most=most)


def test_settings_have_a_number_each() -> None:
    assert Settings().number == 6
    assert Settings(9, 9, 15, 1).number < 1 << 16
    numbers = set()
    for level in range(10):
        for memory in range(1, 10):
            for window in range(9, 16):
                for rest in range(2 * 5 * 2 * 2):
                    strategy, flags = divmod(rest, 8)
                    settings = Settings(
                        level, memory, window, strategy, bool(flags & 1), bool(flags & 2), bool(flags & 4)
                    )
                    assert Settings.of(settings.number) == settings
                    numbers.add(settings.number)
    assert len(numbers) == 10 * 9 * 7 * 5 * 8
    with pytest.raises(FormatError):
        Settings.of(max(numbers) + 1)


@pytest.mark.parametrize("window", range(9, 16))
def test_a_header_that_names_another_window(window: int) -> None:
    """libpng names the smallest window that holds the data."""
    raw = data_of("words", 500)
    value = (8 + ((window - 8) << 4)) << 8 | 3 << 6
    stream = (value + 31 - value % 31).to_bytes(2, "big") + zlib.compress(raw, 9)[2:]
    check(stream, raw, most=8)


def stored(parts: list[bytes], last: bytes = b"") -> bytes:
    """A stream of stored blocks."""
    out = b""
    for i, part in enumerate([*parts, last]):
        out += bytes([i == len(parts)]) + len(part).to_bytes(2, "little") + (65535 - len(part)).to_bytes(2, "little")
        out += part
    return out


@pytest.mark.parametrize(
    "sizes", [[0], [5], [5, 5, 5], [5, 5, 0], [5, 5, 3], [3, 5, 0], [0, 0, 0], [65535, 65535, 1], [0, 7]]
)
def test_stored_blocks_of_any_sizes(sizes: list[int]) -> None:
    raw = data_of("random", sum(sizes))
    cuts = np.cumsum([0, *sizes])
    parts = [raw[a:b] for a, b in pairwise(cuts)]
    check(stored(parts[:-1], parts[-1]), raw, wrapped=False, most=16)


def test_bits_that_mean_nothing_are_not_lost() -> None:
    stream = bytearray(stored([b"abc"], b"def"))
    stream[8] |= 0xF0
    assert zlib.decompress(bytes(stream), -15) == b"abcdef"
    with pytest.raises(NotCarriedError):
        recover(bytes(stream), MOST, False)


def test_damaged_streams() -> None:
    raw = data_of("text", 3000)
    stream = zlib.compress(raw)
    for wrong in (b"", stream[:1], stream[:-1], stream[:100], stream[:-1] + b"\0", b"no stream", stream[2:]):
        with pytest.raises(NotCarriedError):
            recover(wrong, MOST)
    with pytest.raises(NotCarriedError, match="more data"):
        recover(stream, len(raw) - 1)
    with pytest.raises(NotCarriedError, match="cut off"):
        recover(zlib.compress(raw, wbits=-15)[:-3], MOST, False)


@given(st.integers(0, 1 << 30), st.integers(1, 9))
def test_mutated_streams(seed: int, level: int) -> None:
    """Raw streams have no checksum: many of these are sound, and of no encoder."""
    rng = np.random.default_rng(seed)
    stream = bytearray(zlib.compress(data_of("text", 2000, seed % 9), level, -15))
    for _ in range(rng.integers(1, 4)):
        stream[rng.integers(len(stream))] ^= 1 << rng.integers(8)
    try:
        raw, recipe, consumed = recover(bytes(stream), MOST, False)
    except NotCarriedError:
        return
    assert rebuild(raw, recipe) == stream[:consumed]


@pytest.mark.parametrize(
    "recipe",
    [
        None, -1, True, 1 << 63, 1.5, b"", "6", [], {}, [[]], [6, 6], [6, b"x"], [6, b"", 1], [None], [0], [0, b""],
        [0, b"", 0], [0, b"", -1], [0, b"", [65536]], [0, b"", []], [0, b"", [1, None]], [0, b"", 5, 2], 0,
        [0, b"", [-5, 705]],
    ],
)  # fmt: skip
def test_hostile_recipes(recipe: Any) -> None:
    with pytest.raises(FormatError):
        rebuild(bytes(700), recipe)


def test_time_and_memory_are_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a file of 100 bytes; data of two values take long at level 9."""
    raw = np.random.default_rng(0).integers(0, 2, 200_000, np.uint8).tobytes()
    with limits.bounded(100, limits.Budget()):
        rebuild(raw, 9)
    monkeypatch.setattr(limits, "FREE_TIME", 100_000)
    with limits.bounded(100, limits.Budget()), pytest.raises(FormatError, match="too long"):
        rebuild(raw, 9)
    monkeypatch.setattr(limits, "FREE_MEMORY", 1_000_000)
    with limits.bounded(100, limits.Budget()), pytest.raises(FormatError, match="memory"):
        rebuild(raw, 1)


def test_without_a_compiler() -> None:
    script = """
import zlib
from rdzip.formats.carriers.deflate import rebuild, recover
for level, strategy in ((1, 0), (6, 0), (9, 1), (6, 2), (6, 3), (4, 4)):
    for raw in (b"", b"abcabcabcabcd" * 9 + bytes(range(200)), bytes(700)):
        deflater = zlib.compressobj(level, 8, 15, 1, strategy)
        stream = deflater.compress(raw) + deflater.flush()
        found, recipe, consumed = recover(stream, 1000)
        assert found == raw and consumed == len(stream) and rebuild(raw, recipe) == stream
"""
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, env={**os.environ, "RDZIP_COMPILE": "0"}, check=True)
