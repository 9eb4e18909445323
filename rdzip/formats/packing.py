"""Small byte strings (palette, metadata) in their shortest form: a flag, then raw bytes or LZMA."""

from __future__ import annotations

import lzma

from rdzip.errors import FormatError
from rdzip.formats.container import read_varint, write_varint

_FILTERS = [{"id": lzma.FILTER_LZMA1, "dict_size": 1 << 20, "lc": 3, "lp": 0, "pb": 0}]
MAX_BYTES = 1 << 26


def pack_bytes(data: bytes) -> bytes:
    """Return 0 and the data, or 1, their length as varint and raw LZMA (1 MiB dictionary, lc 3, lp 0, pb 0), whichever
    is shorter.
    """
    if len(data) <= MAX_BYTES:
        packed = b"\x01" + write_varint(len(data)) + lzma.compress(data, lzma.FORMAT_RAW, filters=_FILTERS)
        if len(packed) < 1 + len(data):
            return packed
    return b"\x00" + data


def unpack_bytes(body: bytes | memoryview) -> bytes:
    """Return the data; FormatError if they are corrupt or would take more than 64 MiB."""
    if not len(body) or body[0] > 1:
        raise FormatError("header is inconsistent: a packed section has an unknown form; the file is corrupt")
    if body[0] == 0:
        return bytes(body[1:])
    size, at = read_varint(body, 1)
    if size > MAX_BYTES:
        raise FormatError(
            f"header is inconsistent: a packed section claims {size} bytes, at most {MAX_BYTES} are allowed; the file "
            "is corrupt"
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
