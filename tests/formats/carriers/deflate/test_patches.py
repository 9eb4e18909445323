"""Streams that no settings of zlib make come back by patches, where these are few."""

from __future__ import annotations

import random
import zlib
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from helpers.carrier_support import mangled
from hypothesis import given
from hypothesis import strategies as st

from rdzip.errors import FormatError
from rdzip.formats import packing
from rdzip.formats.carriers.carrier import NotCarriedError
from rdzip.formats.carriers.deflate import rebuild, recover
from rdzip.formats.carriers.deflate.patches import PATCH, from_bytes, pack, to_bytes, unpack

FLUSHES = (zlib.Z_PARTIAL_FLUSH, zlib.Z_SYNC_FLUSH, zlib.Z_BLOCK)


def text(size: int, seed: int = 0) -> bytes:
    rng = np.random.default_rng(seed)
    words = [bytes(rng.integers(97, 123, rng.integers(2, 9), np.uint8)) for _ in range(300)]
    return b" ".join(words[i] for i in rng.integers(0, 300, size // 6 + 1))[:size]


def flushed(raw: bytes, seed: int, wrapped: bool = True) -> bytes:
    """A stream that is flushed at odd places, in odd ways."""
    rng = random.Random(seed)
    deflater = zlib.compressobj(rng.randrange(1, 10), 8, 15 if wrapped else -15)
    out, at = b"", 0
    while at < len(raw):
        size = rng.randrange(1, 5000)
        out += deflater.compress(raw[at : at + size])
        at += size
        if rng.random() < 0.7:
            out += deflater.flush(rng.choice(FLUSHES))
    return out + deflater.flush()


def joined(raw: bytes, seed: int) -> bytes:
    """A raw stream whose parts several encoders made, as some do in parallel."""
    rng = random.Random(seed)
    out, at = b"", 0
    while at < len(raw):
        size = rng.randrange(3000, 9000)
        deflater = zlib.compressobj(
            rng.randrange(0, 10), 8, -15, rng.randrange(1, 10), rng.randrange(5), raw[:at][-32768:]
        )
        at += size
        out += deflater.compress(raw[at - size : at]) + deflater.flush(
            zlib.Z_FINISH if at >= len(raw) else zlib.Z_SYNC_FLUSH
        )
    return out


def check(stream: bytes, raw: bytes, wrapped: bool) -> Any:
    found, recipe, consumed = recover(stream, len(raw), wrapped)
    assert (found, consumed) == (raw, len(stream))
    packed = packing.pack_value(recipe)
    assert len(packed) < len(stream) / 4 + 16
    assert rebuild(found, packing.unpack_value(packed)) == stream
    return recipe


@given(st.integers(0, 1 << 30), st.booleans())
def test_flushed_streams(seed: int, wrapped: bool) -> None:
    raw = text(20_000, seed % 7)
    check(flushed(raw, seed, wrapped), raw, wrapped)


@given(st.integers(0, 1 << 30))
def test_streams_of_several_encoders(seed: int) -> None:
    raw = text(40_000, seed % 7)
    with suppress(NotCarriedError):
        check(joined(raw, seed), raw, False)


def test_streams_of_two_levels_are_carried() -> None:
    raw = text(60_000)
    first, second = zlib.compressobj(6, 8, -15), zlib.compressobj(9, 8, -15, zdict=raw[:30_000])
    stream = first.compress(raw[:30_000]) + first.flush(zlib.Z_SYNC_FLUSH)
    recipe = check(stream + second.compress(raw[30_000:]) + second.flush(), raw, False)
    assert isinstance(recipe, list)
    assert len(packing.pack_value(recipe)) < 300


def test_what_differs_too_much_is_refused() -> None:
    """Bits by fixed codes: matches of three bytes anywhere, where prediction has longer and nearer ones."""
    rng = random.Random(1)
    raw = bytes(rng.randrange(2) for _ in range(600))
    bits = "110" + "".join(f"{48 + value:08b}" for value in raw)
    while len(raw) < 9000:
        distance = rng.randrange(257, 385)  # symbol 16: seven more bits
        bits += "0000001" + f"{16:05b}" + f"{distance - 257:07b}"[::-1]
        raw += raw[-distance : 3 - distance]
    bits += "0000000"
    data = bytes(int(bits[i : i + 8].ljust(8, "0")[::-1], 2) for i in range(0, len(bits), 8))
    assert zlib.decompress(data, -15) == raw
    with pytest.raises(NotCarriedError, match="unknown encoder"):
        recover(data, 1 << 20, False)


def test_numbers_as_bytes() -> None:
    numbers = [0, 1, 253, 254, 255, 65535, 65536, (1 << 32) - 1]
    assert from_bytes(to_bytes(numbers)).tolist() == numbers
    for cut in (b"\xfe", b"\xfe\0", b"\xff\0\0\0"):
        with pytest.raises(FormatError):
            from_bytes(cut)


def test_columns_of_patches() -> None:
    patches = np.array([[5, 0, 0, 0], [0, 258, 1, 0], [70000, 3, 0, 32768], [1, 4, 300, 0]], np.int32)
    assert patches.shape[1] == PATCH
    columns = pack(patches)
    assert np.array_equal(unpack(columns), patches)
    for i in range(4):
        with pytest.raises(FormatError):
            unpack([column + b"\1" * (i == j) for j, column in enumerate(columns)])


def test_hostile_patches() -> None:
    raw = text(20_000)
    for seed in range(6):
        recipe = recover(flushed(raw, seed), len(raw))[1]
        rng = random.Random(seed)
        for _ in range(200):
            with suppress(FormatError):
                assert len(rebuild(raw, mangled(recipe, rng))) < 4 * len(raw)


@pytest.mark.parametrize(
    "rest", [[[]], [[b"", b"", b""]], [[b"", b"", b"", 1]], [[b"\1", b"", b"", b""]], [[b"", b"", b"", b""], b"", b""],
             [[b"", b"", b"", b""], b"\1"], [[b"", b"", b"", b""], b"\5", b"x"], [[b"\xff\0\0\0\1", b"\0", b"", b""]],
             [[b"\0", b"\3", b"\0", b"\1"]], [[b"\0", b"\3", b"\1", b""]], [[b"\0", b"\2", b"\1", b""]]]
)  # fmt: skip
def test_patches_that_do_not_suit(rest: list[Any]) -> None:
    with pytest.raises(FormatError):
        rebuild(b"no string is here twice", [6, b"", *rest])
