"""The table of carriers: each file format by its number in files. A new carrier is a folder or a file, and a row here.

Numbers are part of the format: 0 bytes, 1 PNG, 2 TIFF, 3 BMP, 4 PNM, 5 NPY, 6 DICOM, 7 NIfTI, 8 FITS, 9 TGA, 10 gzip,
11 JPEG.
"""

from __future__ import annotations

import re
from importlib import import_module

from rdzip.formats.carriers.carrier import Row

WHOLE, JPEG = 0, 11
"""Numbers of the carrier of any file, and of that whose pictures are coefficients."""
_FOLDER = "rdzip.formats.carriers"
_BARE_DICOM = re.compile(
    rb"\x02\x00\x00\x00UL\x04\x00|\x08\x00[\x00\x05\x08\x16\x18]\x00(?:[A-Z]{2}.\x00|[^\x00]\x00{3})", re.DOTALL
)


def _is_tiff(start: bytes) -> bool:
    return start[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def _is_netpbm(start: bytes) -> bool:
    return start[:1] == b"P" and start[1:2] in (b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"F", b"f")


def _is_dicom(start: bytes) -> bool:
    """Whether it is DICOM: with a preamble, which may be the head of a TIFF, so that it is asked before that; or it
    begins at once with file meta information or identification.
    """
    return start[128:132] == b"DICM" or _BARE_DICOM.match(start) is not None


def _is_nifti(start: bytes) -> bool:
    """Whether it is a NIfTI volume in one file, of version 1 or 2, in either byte order."""
    first = start[:4] in (b"\x5c\x01\x00\x00", b"\x00\x00\x01\x5c") and start[344:348] == b"n+1\x00"
    return first or (start[:4] in (b"\x1c\x02\x00\x00", b"\x00\x00\x02\x1c") and start[4:8] == b"n+2\x00")


def _is_tga(start: bytes) -> bool:
    """Whether it may be a TGA, which has no signature: so it is asked last."""
    likely = start[1:2] in (b"\0", b"\1") and start[2:3] in (b"\1", b"\2", b"\3")
    return likely and bool(import_module(f"{_FOLDER}.tga").recognises(start))


_ROWS: tuple[Row, ...] = (
    Row(WHOLE, "bytes", "", f"{_FOLDER}.whole", lambda start: False),
    Row(6, "DICOM", ".dcm", f"{_FOLDER}.dicom", _is_dicom),
    Row(1, "PNG", ".png", f"{_FOLDER}.png", lambda start: start[:8] == b"\x89PNG\r\n\x1a\n"),
    Row(2, "TIFF", ".tif", f"{_FOLDER}.tiff", _is_tiff),
    Row(JPEG, "JPEG", ".jpg", f"{_FOLDER}.jpeg.file", lambda start: start[:3] == b"\xff\xd8\xff"),
    Row(3, "BMP", ".bmp", f"{_FOLDER}.bmp", lambda start: start[:2] == b"BM"),
    Row(4, "PNM", ".pnm", f"{_FOLDER}.netpbm", _is_netpbm),
    Row(5, "NPY", ".npy", f"{_FOLDER}.npy", lambda start: start[:6] == b"\x93NUMPY"),
    Row(7, "NIfTI", ".nii", f"{_FOLDER}.nifti", _is_nifti),
    Row(8, "FITS", ".fits", f"{_FOLDER}.fits", lambda start: start[:9] == b"SIMPLE  ="),
    Row(10, "gzip", ".gz", f"{_FOLDER}.gzip", lambda start: start[:3] == b"\x1f\x8b\x08"),
    Row(9, "TGA", ".tga", f"{_FOLDER}.tga", _is_tga),
)

CARRIERS: dict[int, Row] = {row.number: row for row in _ROWS}
"""By number."""
CARRIERS_BY_NAME: dict[str, Row] = {row.name: row for row in _ROWS}


def carrier_of(data: bytes | memoryview) -> Row | None:
    """The carrier of a file's format, by how it begins; None for no format that is carried."""
    start = bytes(data[:1024])
    return next((row for row in CARRIERS.values() if row.recognises(start)), None)
