"""DICOM files, written element by element."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

LONG = (b"OB", b"OF", b"OW", b"SQ", b"UN", b"UT")
IMPLICIT, EXPLICIT, BIG = b"1.2.840.10008.1.2", b"1.2.840.10008.1.2.1", b"1.2.840.10008.1.2.2"
GE = b"1.2.840.113619.5.2"
DEFLATED, JPEG = b"1.2.840.10008.1.2.1.99", b"1.2.840.10008.1.2.4.50"
UNDEFINED = 0xFFFFFFFF


def element(tag: int, kind: bytes, value: bytes, syntax: bytes = EXPLICIT, length: int | None = None) -> bytes:
    """A data element; length: that it tells, where it is not that of the value."""
    order = ">" if syntax == BIG else "<"
    size = len(value) if length is None else length
    head = struct.pack(order + "HH", tag >> 16, tag & 0xFFFF)
    if syntax in (IMPLICIT, GE) or tag >> 16 == 0xFFFE:
        return head + struct.pack(order + "I", size) + value
    if kind in LONG:
        return head + kind + b"\0\0" + struct.pack(order + "I", size) + value
    return head + kind + struct.pack(order + "H", size) + value


def short(tag: int, value: int, syntax: bytes = EXPLICIT) -> bytes:
    """An element of one number."""
    return element(tag, b"US", struct.pack(">H" if syntax == BIG else "<H", value), syntax)


def sequences(syntax: bytes) -> bytes:
    """Sequences of defined and undefined lengths in one another; in them pixels that are not the file's."""
    icon = short(0x00280010, 3, syntax) + element(0x7FE00010, b"OW", b"icon", syntax)
    item = element(0xFFFEE000, b"", icon, syntax)
    known = element(0x00880200, b"SQ", item, syntax)
    end, last = element(0xFFFEE00D, b"", b"", syntax), element(0xFFFEE0DD, b"", b"", syntax)
    inner = element(
        0x00081140, b"SQ", element(0xFFFEE000, b"", icon, syntax, UNDEFINED) + end + last, syntax, UNDEFINED
    )
    outer = element(
        0x00081115, b"SQ", element(0xFFFEE000, b"", inner, syntax, UNDEFINED) + end + last, syntax, UNDEFINED
    )
    plain = element(0xFFFEE000, b"", element(0x00280011, b"US", b"\1\0", IMPLICIT), IMPLICIT)
    unknown = b"" if syntax == BIG else element(0x00091001, b"UN", plain + last, syntax, UNDEFINED)
    return outer + unknown + known


def dicom(
    samples: bytes, shape: Sequence[int], bits: int, syntax: bytes = EXPLICIT, preamble: bool = True,
    more: bytes = b"", sign: int = 0, planar: int = 0, colours: bytes = b"MONOCHROME2 ", tag: int = 0x7FE00010,
) -> bytes:  # fmt: skip
    """A file.

    - samples: the pixels' bytes
    - shape: frames, rows, columns, channels
    - bits: of a sample in memory
    - syntax: the transfer syntax; without a preamble there is no file meta information, either
    - preamble: whether it has one
    - more: elements before those of the picture
    - sign, planar, colours: attributes
    - tag: of the pixels
    """
    meta = element(0x00020010, b"UI", syntax + b"\0" * (len(syntax) & 1))
    start = bytes(128) + b"DICM" + element(0x00020000, b"UL", struct.pack("<I", len(meta))) + meta if preamble else b""
    frames, rows, columns, channels = shape
    image = [
        element(0x00080016, b"UI", b"1.2\0", syntax), more, short(0x00280002, channels, syntax),
        element(0x00280004, b"CS", colours, syntax), short(0x00280006, planar, syntax) if channels > 1 else b"",
        element(0x00280008, b"IS", str(frames).rjust(4).encode(), syntax) if frames > 1 else b"",
        short(0x00280010, rows, syntax), short(0x00280011, columns, syntax), short(0x00280100, bits, syntax),
        short(0x00280103, sign, syntax), element(tag, b"OW", samples + b"\0" * (len(samples) & 1), syntax),
    ]  # fmt: skip
    return start + b"".join(image)


def noise(shape: Sequence[int], bits: int) -> bytes:
    """Samples of a file of such a shape."""
    return np.random.default_rng(5).bytes(-(-int(np.prod(shape)) * bits // 8))
