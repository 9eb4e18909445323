"""gzip: a file of a format that is carried, deflated (docs/reference/carriers.md).

Source: RFC 1952, section 2.3 (members).
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

from rdzip.formats.carriers import table
from rdzip.formats.carriers.carrier import NotCarriedError, Opened, Row
from rdzip.formats.carriers.deflate import rebuild, recover
from rdzip.formats.carriers.deflate.recover import inflate
from rdzip.formats.carriers.raw.checks import certain, fields, integer, octets, require, shortened
from rdzip.formats.images.picture import Picture
from rdzip.system.limits import MAX_PIXELS

NUMBER = 10
MAGIC = b"\x1f\x8b\x08"
FIXED, TRAILER = 10, 8
"""Bytes of a head without what its flags announce; of checksum and length behind the stream."""
CHECKED, EXTRA, NAME, COMMENT, RESERVED = 2, 4, 8, 16, 0xE0
"""Flags."""
LENGTH = 1 << 32
"""Lengths are kept modulo."""
MOST = 4 * MAX_PIXELS + (1 << 26)
"""Bytes that a file may inflate to."""
FREE_REST, REST_A_BYTE = 1 << 20, 16
"""What may be inside beside samples: bytes of any file, and for each of its own."""
FIRST, LOOK = 1 << 14, 1 << 10
"""Bytes of a stream that are inflated at first, and to how many, to see what is inside."""


def open(data: bytes) -> Opened:
    """Return the pictures of the file inside, and the skeleton [number of its carrier, its skeleton, recipe of the
    stream, head without the first three bytes, rest].

    NotCarriedError where the file inside is not carried, the stream is of an unknown encoder, or a checksum is wrong.
    """
    start = _head(data)
    view = memoryview(data)[start:]
    row = _inside(_first(view))
    found, length = inflate(view, MOST, False)
    end = start + length + TRAILER
    if data[start + length : end] != _trailer(found):
        raise NotCarriedError("its checksum or length is wrong")
    inner = row.open(found)
    rest = len(found) - sum(p.samples.nbytes for p in inner.pictures)
    if not inner.pictures or rest > FREE_REST + REST_A_BYTE * len(data):
        raise NotCarriedError("what is inside are hardly pictures")
    _, recipe, _ = recover(view, len(found), False)
    skeleton = shortened([row.number, inner.skeleton, recipe, data[len(MAGIC) : start], data[end:]])
    return certain(data, Opened(inner.pictures, skeleton), close)


def close(pictures: Sequence[Picture], skeleton: Any) -> bytes:
    """Return the file."""
    number, inner, recipe, head, rest = fields(skeleton, 5)
    row = table.CARRIERS.get(integer(number))
    require(row is not None and row.number not in (NUMBER, table.JPEG), "a skeleton names no carrier of what is inside")
    assert row is not None
    found = row.close(pictures, inner)
    return b"".join([MAGIC, octets(head), rebuild(found, recipe), _trailer(found), octets(rest or b"")])


def _head(data: bytes) -> int:
    """Return how many bytes the head has; NotCarriedError if there is none."""
    if len(data) < FIXED or data[: len(MAGIC)] != MAGIC or data[3] & RESERVED:
        raise NotCarriedError("it is no gzip file of deflated data")
    flags, at = data[3], FIXED
    if flags & EXTRA:
        at += 2 + int.from_bytes(data[at : at + 2], "little")
    for flag in (NAME, COMMENT):
        if flags & flag:
            at = data.find(b"\0", at) + 1
            if at == 0:
                raise NotCarriedError("its head is cut short")
    at += 2 if flags & CHECKED else 0
    if at > len(data):
        raise NotCarriedError("its head is cut short")
    return at


def _first(stream: memoryview) -> bytes:
    """Return how the data of a stream begin."""
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(stream[:FIRST], LOOK)
    except zlib.error:
        raise NotCarriedError("its deflate stream is damaged") from None


def _inside(start: bytes) -> Row:
    """Return the carrier of data that begin so; NotCarriedError if there is none, or it is gzip again."""
    row = table.carrier_of(start)
    if row is None or row.number in (NUMBER, table.JPEG):
        raise NotCarriedError("what is inside is of no format that is carried")
    return row


def _trailer(found: bytes) -> bytes:
    return zlib.crc32(found).to_bytes(4, "little") + (len(found) % LENGTH).to_bytes(4, "little")
