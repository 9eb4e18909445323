"""Small byte strings (palette, metadata) in their shortest form: a flag, then raw bytes or LZMA."""

from __future__ import annotations

import lzma
import zlib
from typing import Any

from rdzip.errors import FormatError
from rdzip.formats import cbor
from rdzip.formats.container import read_varint, write_varint
from rdzip.system import limits

_FILTERS = [{"id": lzma.FILTER_LZMA1, "dict_size": 1 << 20, "lc": 3, "lp": 0, "pb": 0}]
MAX_BYTES = 1 << 26
FREE_BYTES = 1 << 20
"""Bytes that packed bytes of any length may unpack to."""
BYTES_A_BYTE, VALUES_A_BYTE = 64, 4
"""What each packed byte allows: bytes, and values in one beyond cbor.MAX_VALUES."""


def most_bytes(packed: int) -> int:
    """Return how many bytes `packed` bytes may unpack to, so that a small file cannot take much time and memory."""
    return min(MAX_BYTES, max(FREE_BYTES, BYTES_A_BYTE * packed))


def pack_bytes(data: bytes) -> bytes:
    """Return 0 and the data, or 1, their length as varint and raw LZMA (1 MiB dictionary, lc 3, lp 0, pb 0), whichever
    is shorter and may be unpacked.
    """
    if len(data) <= MAX_BYTES:
        packed = b"\x01" + write_varint(len(data)) + lzma.compress(data, lzma.FORMAT_RAW, filters=_FILTERS)
        if len(packed) < 1 + len(data) <= 1 + most_bytes(len(packed)):
            return packed
    return b"\x00" + data


def pack_value(value: Any) -> bytes:
    """Return a plain value as packed CBOR, so that it may be unpacked."""
    data = cbor.dumps(value)
    packed = pack_bytes(data)
    return packed if cbor.count(value) <= _most_values(len(packed)) else b"\x00" + data


def unpack_value(body: bytes | memoryview) -> Any:
    """Return the value that packed CBOR holds; FormatError if it is corrupt, or has more in it than there may be."""
    return cbor.loads(unpack_bytes(body), _most_values(len(body)))


def _most_values(packed: int) -> int:
    return cbor.MAX_VALUES + VALUES_A_BYTE * packed


def unpack_bytes(body: bytes | memoryview) -> bytes:
    """Return the data; FormatError if they are corrupt or would take more than their length allows."""
    if not len(body) or body[0] > 1:
        raise FormatError("header is inconsistent: a packed section has an unknown form; the file is corrupt")
    if body[0] == 0:
        return bytes(body[1:])
    size, at = read_varint(body, 1)
    if size > most_bytes(len(body)):
        raise FormatError(
            f"header is inconsistent: a packed section of {len(body)} bytes claims {size}, at most "
            f"{most_bytes(len(body))} are allowed; the file is corrupt"
        )
    try:
        decoder = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_FILTERS)
        data = decoder.decompress(bytes(body[at:]), max(size, 1))
        rest = b"" if decoder.eof else decoder.decompress(b"", 1)
    except (lzma.LZMAError, EOFError) as error:
        raise FormatError(f"a packed section cannot be decoded ({error}); the file is corrupt") from error
    if len(data) != size or rest or not decoder.eof or decoder.unused_data:
        raise FormatError(f"a packed section does not hold {size} bytes; the file is corrupt")
    return data


CHUNK = 1 << 25
"""Bytes of a file that are packed at a time."""
_PROBE = 1 << 15


def pack_long(data: bytes) -> bytes:
    """Return bytes of any length in chunks of CHUNK, each its length as varint and packed bytes; the last has the rest.

    A chunk of which samples do not get smaller stays as it is.
    """
    pieces = []
    for start in range(0, len(data), CHUNK):
        chunk = data[start : start + CHUNK]
        packed = b"\x00" + chunk if _dense(chunk) else pack_bytes(chunk)
        pieces += [write_varint(len(packed)), packed]
    return b"".join(pieces)


def unpack_long(body: bytes | memoryview) -> bytes:
    """Return the bytes that chunks hold; FormatError if they are corrupt or would take more than may be claimed."""
    pieces, at, total = [], 0, 0
    while at < len(body):
        length, at = read_varint(body, at)
        if at + length > len(body):
            raise FormatError("header is inconsistent: packed bytes that end early; the file is corrupt")
        pieces.append(unpack_bytes(body[at : at + length]))
        total += len(pieces[-1])
        limits.claim_memory(2 * total, f"{total} bytes")
        at += length
    return b"".join(pieces)


def _dense(data: bytes) -> bool:
    """Return whether parts of data from all over do not get smaller by a hundredth."""
    if len(data) < 16 * _PROBE:
        return False
    step = len(data) // 8
    return all(
        100 * len(zlib.compress(data[start : start + _PROBE], 6)) > 99 * _PROBE for start in range(0, 8 * step, step)
    )
