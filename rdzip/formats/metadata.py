"""Metadata as a map of plain values by name, packed as CBOR (docs/format.md, section 4).

    exif         bytes, TIFF-structured, without the "Exif\\0\\0" prefix
    icc          bytes of the ICC profile
    xmp          bytes of the XMP packet
    dpi          [x, y] as floats
    comment      bytes
    transparency the colour or index that counts as transparent: an integer, a list of integers, or bytes (one alpha for each palette index)
    text         [[keyword, text], ...] for formats with free text
    png_chunks   [[type, body], ...] of a PNG's ancillary chunks, in order, with type b"----" where its IDAT stood
    tiff         {tag: value} of a TIFF's descriptive tags
    info         {name: value} of other plain facts that Pillow states and takes back
"""

from __future__ import annotations

from typing import Any

from rdzip.errors import FormatError
from rdzip.formats import cbor


def pack(metadata: dict[str, Any]) -> bytes:
    """Return the CBOR map."""
    return cbor.dumps(metadata)


def unpack(data: bytes) -> dict[str, Any]:
    """Return the map; FormatError if it is not one with text keys."""
    result = cbor.loads(data)
    if not isinstance(result, dict) or not all(isinstance(key, str) for key in result):
        raise FormatError("header is inconsistent: the metadata are not a map of names; the file is corrupt")
    return result
