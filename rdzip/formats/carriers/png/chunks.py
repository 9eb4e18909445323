"""The chunks of a PNG (PNG specification, section 5), and how a stream is cut into them."""

from __future__ import annotations

import zlib
from typing import Any, NamedTuple

from rdzip.formats.carriers.carrier import NotCarriedError
from rdzip.formats.carriers.raw.checks import integer, require
from rdzip.system import limits

SIGNATURE = b"\x89PNG\r\n\x1a\n"
LARGEST_DATA = (1 << 31) - 1
"""Bytes that a chunk may have."""
CHUNK_MEMORY = 256
"""Bytes of memory that a chunk takes beyond its data."""
LARGEST_POWER = 31
"""A size of pieces up to this is the exponent of two in a skeleton."""


class Chunk(NamedTuple):
    """A chunk: its name of four bytes, and its data."""

    name: bytes
    data: bytes

    @property
    def whole(self) -> bytes:
        """All its bytes: length, name, data, checksum."""
        named = self.name + self.data
        return len(self.data).to_bytes(4, "big") + named + zlib.crc32(named).to_bytes(4, "big")


def split(data: bytes) -> tuple[list[Chunk], bytes]:
    """Return the chunks of a file up to IEND, and the bytes behind it; NotCarriedError if a chunk is damaged or cut
    off.
    """
    if data[: len(SIGNATURE)] != SIGNATURE:
        raise NotCarriedError("it is no PNG")
    at, chunks = len(SIGNATURE), list[Chunk]()
    while not chunks or chunks[-1].name != b"IEND":
        size = int.from_bytes(data[at : at + 4], "big")
        end = at + 12 + size
        if end > len(data):
            raise NotCarriedError("its end is missing")
        if zlib.crc32(data[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
            raise NotCarriedError("the checksum of a chunk is wrong")
        chunks.append(Chunk(data[at + 4 : at + 8], data[at + 8 : end - 4]))
        at = end
    return chunks, data[at:]


def size_code(sizes: list[int]) -> Any:
    """Return what says how a stream is cut into pieces, the first ones of which have these sizes: 0 for one piece; k,
    2 to LARGEST_POWER, for pieces of 2**k and one of what is left; other numbers are sizes themselves; a list has the
    sizes of the first pieces, of which the last is that of all that follow.
    """
    if len(sizes) == 1 and sizes[0]:
        return 0
    first = sizes[0]
    if first and all(n == first for n in sizes[:-1]) and 0 < sizes[-1] <= first:
        power = first.bit_length() - 1
        if first == 1 << power and power > 1:
            return power
        return first if first > LARGEST_POWER else [first]
    kept = len(sizes)
    if sizes[-1]:
        kept -= 1
        while kept > 1 and sizes[kept - 1] and sizes[kept - 2] == sizes[kept - 1] >= sizes[-1]:
            kept -= 1
        if not sizes[kept - 1] or sizes[-1] > sizes[kept - 1]:
            kept = len(sizes)
    return sizes[:kept]


def cut(stream: bytes, code: Any) -> list[bytes]:
    """Return the pieces of a stream; FormatError for what is no code of sizes."""
    if code == 0 and isinstance(code, int):
        return [stream]
    if isinstance(code, int):
        size = integer(code)
        require(size != 1, "a skeleton lacks the size of chunks")
        sizes = [1 << size if size <= LARGEST_POWER else size]
    else:
        require(isinstance(code, list) and code, "a skeleton lacks the sizes of chunks")
        sizes = [integer(size, LARGEST_DATA) for size in code]
    pieces, at = [], 0
    for size in sizes[:-1]:
        pieces.append(stream[at : at + size])
        at += size
    step = sizes[-1]
    require(at <= len(stream), "a skeleton has more chunks than bytes")
    if not step:
        require(at == len(stream), "a skeleton cuts a stream into chunks of nothing")
        return [*pieces, b""]
    limits.claim_memory(CHUNK_MEMORY * (len(stream) - at) // step, f"chunks of {step} bytes")
    return pieces + [stream[i : i + step] for i in range(at, len(stream), step)]
