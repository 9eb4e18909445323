"""TIFF files byte by byte, with whatever tags a test wants."""

from __future__ import annotations

import struct
from typing import Any

_CODES = {1: "B", 3: "H", 4: "I", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I", 16: "Q"}
Tags = dict[int, tuple[int, Any]]


def tiff(
    samples: bytes, width: int, height: int, bits: list[int], photometric: int, tags: Tags, order: str = "<"
) -> bytes:
    """Return a TIFF of one strip; tags: {tag: (type, values, pairs of a rational, or bytes)}."""
    entries: Tags = {
        256: (4, [width]),
        257: (4, [height]),
        258: (3, bits),
        259: (3, [1]),
        262: (3, [photometric]),
        273: (4, [8]),
        277: (3, [len(bits)]),
        278: (4, [height]),
        279: (4, [len(samples)]),
        **tags,
    }
    samples += b"\0" * (len(samples) % 2)
    start = 8 + len(samples)
    room = start + 2 + 12 * len(entries) + 4
    directory, values = struct.pack(order + "H", len(entries)), b""
    for tag, (kind, value) in sorted(entries.items()):
        raw = value
        if kind == 5:
            raw = b"".join(struct.pack(order + "II", *pair) for pair in value)
        elif not isinstance(value, bytes):
            raw = struct.pack(f"{order}{len(value)}{_CODES[kind]}", *value)
        place = raw.ljust(4, b"\0")
        if len(raw) > 4:
            place = struct.pack(order + "I", room + len(values))
            values += raw + b"\0" * (len(raw) % 2)
        directory += struct.pack(order + "HHI", tag, kind, len(value)) + place
    signature = b"II*\0" if order == "<" else b"MM\0*"
    return signature + struct.pack(order + "I", start) + samples + directory + bytes(4) + values


def big_tiff(samples: bytes, width: int, height: int, tags: Tags) -> bytes:
    """Return a BigTIFF of 8-bit grey; tags of one value."""
    entries: Tags = {256: (4, [width]), 257: (4, [height]), 258: (3, [8]), 259: (3, [1]), 262: (3, [1])}
    entries |= {277: (3, [1]), 278: (4, [height]), 279: (16, [len(samples)]), 273: (16, [16]), **tags}
    samples += b"\0" * (-len(samples) % 8)
    result = b"II" + struct.pack("<HHHQ", 43, 8, 0, 16 + len(samples)) + samples + struct.pack("<Q", len(entries))
    for tag, (kind, value) in sorted(entries.items()):
        result += struct.pack("<HHQ", tag, kind, len(value))
        result += struct.pack(f"<{len(value)}{_CODES[kind]}", *value).ljust(8, b"\0")
    return result + bytes(8)
