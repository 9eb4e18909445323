"""gzip files of what is carried come back byte for byte."""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from helpers.carrier_support import carried, carried_or_not, close_hostile, cost, mutants
from hypothesis import given, settings
from hypothesis import strategies as st

from rdzip.errors import FormatError
from rdzip.formats.carriers.carrier import NotCarriedError
from rdzip.formats.carriers.table import CARRIERS

GZIP = 10
HEAD = b"\x1f\x8b\x08\0\0\0\0\0\0\x03"


def inside(height: int = 40, width: int = 50) -> bytes:
    rows, columns = np.mgrid[:height, :width]
    return b"P5\n%d %d\n255\n" % (width, height) + ((rows * columns) // 9 % 251).astype(np.uint8).tobytes()


def packed(data: bytes, head: bytes = HEAD, level: int = 6, memory: int = 8, strategy: int = 0) -> bytes:
    """A member of one stream by zlib."""
    made = zlib.compressobj(level, zlib.DEFLATED, -15, memory, strategy)
    return head + made.compress(data) + made.flush() + struct.pack("<II", zlib.crc32(data), len(data))


@pytest.mark.parametrize("level", range(10))
def test_each_level(level: int) -> None:
    opened = carried(packed(inside(), level=level), GZIP)
    assert [p.mode for p in opened.pictures] == ["L"]
    assert opened.skeleton[0] == 4
    assert cost(opened) <= 24


def test_what_python_writes() -> None:
    out = io.BytesIO()
    with gzip.GzipFile("slices.pgm", "wb", 9, out, 1_700_000_000) as file:
        file.write(inside())
    assert cost(carried(out.getvalue(), GZIP)) <= 36


def test_all_that_a_head_may_have() -> None:
    for flags in range(32):
        parts = [b"\x06\0AB\x02\0xy", b"name.pgm\0", b"a comment\0", b"\x12\x34"]
        more = b"".join(part for part, flag in zip(parts, (4, 8, 16, 2), strict=True) if flags & flag)
        carried(packed(inside(), HEAD[:3] + bytes([flags]) + HEAD[4:] + more), GZIP)


def test_what_follows_stays() -> None:
    data = packed(inside())
    assert carried(data + data, GZIP).skeleton[-1] == data


def test_what_is_not_carried() -> None:
    data = packed(inside())
    for other, why in (
        (data[:-1], "checksum"),
        (data[:-9], "cut off"),
        (data[:-8] + bytes(8), "checksum"),
        (data[:12], "no format that is carried|damaged"),
        (packed(b"some text, and no picture at all"), "no format that is carried"),
        (packed(data), "no format that is carried"),
        (packed(inside()[:-1]), "cut short"),
        (HEAD + b"\xff" * 40, "damaged"),
        (packed(inside() + bytes(1 << 22)), "hardly pictures"),
        (HEAD[:3] + b"\x20" + HEAD[4:] + data[10:], "no gzip"),
        (HEAD[:3] + b"\x08" + HEAD[4:] + b"name", "head is cut short"),
        (HEAD[:3] + b"\x04" + HEAD[4:] + b"\xff\xff", "head is cut short"),
        (HEAD[:6], "no gzip"),
    ):
        with pytest.raises(NotCarriedError, match=why):
            CARRIERS[GZIP].open(other)


def test_streams_that_zlib_does_not_make_come_back_or_are_refused() -> None:
    data = inside()
    for i in range(0, len(data), 200):
        made = zlib.compressobj(6, zlib.DEFLATED, -15)
        flushed = made.compress(data[:i]) + made.flush(zlib.Z_PARTIAL_FLUSH) + made.compress(data[i:]) + made.flush()
        carried_or_not(CARRIERS[GZIP], HEAD + flushed + struct.pack("<II", zlib.crc32(data), len(data)))


def test_no_gzip_in_gzip() -> None:
    opened = CARRIERS[GZIP].open(packed(inside()))
    for skeleton in ([GZIP, opened.skeleton, 6, b""], [99, [], 6, b""], [0], [], 7, [4, [], 6, 0]):
        with pytest.raises(FormatError):
            CARRIERS[GZIP].close(opened.pictures, skeleton)


@settings(deadline=None)
@given(st.binary(max_size=300), st.integers(1, 9), st.integers(1, 9), st.integers(0, 4))
def test_round_trips(rest: bytes, level: int, memory: int, strategy: int) -> None:
    opened = carried(packed(inside() + rest, HEAD, level, memory, strategy) + rest, GZIP)
    assert opened.skeleton[4:] == ([rest] if rest else [])


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    carried_or_not(CARRIERS[GZIP], HEAD[:3] + data)
    carried_or_not(CARRIERS[GZIP], packed(data))
    carried_or_not(CARRIERS[GZIP], packed(b"P5\n3 3\n255\n" + data))


FILES = [packed(inside()), packed(inside(9, 7), HEAD[:3] + b"\x08" + HEAD[4:] + b"name\0", 9)]


def test_mutants_come_back_or_are_refused() -> None:
    hits = [carried_or_not(CARRIERS[GZIP], m) for i, f in enumerate(FILES) for m in mutants(f, 1000, i, 30)]
    assert 100 < sum(hits) < len(hits)


def test_mutants_of_what_is_inside() -> None:
    hits = [carried_or_not(CARRIERS[GZIP], packed(m)) for m in mutants(inside(9, 7), 500, 1, 30)]
    assert 100 < sum(hits) < len(hits)


def test_hostile_skeletons() -> None:
    for i, data in enumerate(FILES):
        close_hostile(GZIP, CARRIERS[GZIP].open(data + b"\1"), 300, i)


@pytest.mark.parametrize(("name", "slices"), [("example4d", 48), ("someones_anatomy", 56), ("someones_epi", 33)])
def test_real_volumes(name: str, slices: int, shared_data: Path) -> None:
    opened = carried((shared_data / "volumes" / f"{name}.nii.gz").read_bytes(), GZIP)
    assert len(opened.pictures) == slices
    assert cost(opened) < 300
