"""The table of carriers: each file format by its number in files. A new carrier is a folder or a file, and a row here.

Numbers are part of the format: 0 bytes, 1 PNG, 2 TIFF, 3 BMP, 4 PNM, 5 NPY, 6 DICOM, 7 NIfTI, 8 FITS, 9 TGA, 10 gzip,
11 JPEG.
"""

from __future__ import annotations

from rdzip.formats.carriers.carrier import Row

_ROWS: tuple[Row, ...] = ()

CARRIERS: dict[int, Row] = {row.number: row for row in _ROWS}
"""By number."""


def carrier_of(data: bytes | memoryview) -> Row | None:
    """The carrier of a file's format, by how it begins; None for no format that is carried."""
    start = bytes(data[:1024])
    return next((row for row in CARRIERS.values() if row.recognises(start)), None)
