"""Raw LZMA: streams without a header, whose dictionary follows from the size of what they hold."""

from __future__ import annotations

import lzma

from rdzip.errors import CoderError

RATIO = 7168
"""Bytes that a byte of LZMA can stand for, at most: 273 in 14 bits of .022 bits each."""


def _filters(size: int) -> list[dict[str, int]]:
    dictionary = min(1 << 26, max(1 << 12, 1 << (size - 1).bit_length())) if size else 1 << 12
    return [
        {
            "id": lzma.FILTER_LZMA1,
            "dict_size": dictionary,
            "lc": 4,
            "lp": 0,
            "pb": 0,
            "mf": lzma.MF_BT4,
            "nice_len": 128,
            "mode": lzma.MODE_NORMAL,
        }
    ]


def pack(data: bytes, size: int) -> bytes:
    """Return the LZMA stream of bytes, without a header; size: how many they are, which sets the dictionary."""
    return lzma.compress(data, lzma.FORMAT_RAW, filters=_filters(size))


def unpack(payload: bytes, size: int) -> bytes:
    """Return the `size` bytes of a stream of `pack`; CoderError unless it holds just these."""
    if size > RATIO * (len(payload) + 1):
        raise CoderError(f"an LZMA payload of {len(payload)} bytes cannot hold {size}: the file is corrupt")
    try:
        decoder = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=_filters(size))
        data = decoder.decompress(payload, size)
        rest = b"" if decoder.eof else decoder.decompress(b"", 1)
    except (lzma.LZMAError, EOFError) as error:
        raise CoderError(f"the LZMA payload cannot be decoded ({error}): the file is corrupt") from error
    if len(data) != size or rest or not decoder.eof or decoder.unused_data:
        raise CoderError(f"the LZMA payload does not hold {size} bytes: the file is corrupt")
    return data
