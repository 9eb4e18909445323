"""PNG below Pillow: its chunks with their checksums, files built from a zlib stream, and 16-bit samples, which Pillow
cuts to 8 bits.

Source: PNG specification (W3C), sections 5 (chunks), 9 (filters) and 10 (compression).
"""

from __future__ import annotations

import io
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageFile

from rdzip.system.strips import strips

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOUR_TYPE = {1: 0, 2: 4, 3: 2, 4: 6}  # by number of channels
FILTERED_BYTES = 1 << 16  # that are filtered at once


class PngError(ValueError):
    """The bytes are not a sound PNG; the text says what is wrong."""


def read_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """Return (type, body) of every chunk up to IEND; PngError for a wrong signature, checksum, order or a truncated
    file.
    """
    if data[:8] != SIGNATURE:
        raise PngError("the PNG signature is missing")
    result: list[tuple[bytes, bytes]] = []
    at = 8
    while not result or result[-1][0] != b"IEND":
        if at + 12 > len(data):
            raise PngError("the PNG is truncated")
        length = int.from_bytes(data[at : at + 4], "big")
        kind, end = data[at + 4 : at + 8], at + 8 + length
        if end + 4 > len(data):
            raise PngError(f"the PNG is truncated within its chunk {kind.decode('latin-1')!r}")
        if zlib.crc32(data[at + 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            raise PngError(f"the PNG is corrupt: wrong checksum in its chunk {kind.decode('latin-1')!r}")
        result.append((kind, data[at + 8 : end]))
        at = end + 4
    if result[0][0] != b"IHDR" or len(result[0][1]) != 13:
        raise PngError("the PNG does not begin with IHDR")
    return result


def write_chunks(chunks: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return a PNG file of these chunks (IHDR ... IEND)."""
    pieces = [SIGNATURE]
    for kind, body in chunks:
        pieces += [struct.pack(">I", len(body)), kind, body, struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))]
    return b"".join(pieces)


def header(height: int, width: int, depth: int, colour_type: int) -> tuple[bytes, bytes]:
    """Return the IHDR chunk of an image that is not interlaced."""
    return b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)


def idat(data: bytes) -> bytes:
    """Return the zlib stream of a PNG file: its IDAT chunks joined."""
    return b"".join(body for kind, body in read_chunks(data) if kind == b"IDAT")


def filter_rows(samples: NDArray[Any]) -> bytes:
    """Return PNG's filtered scanlines of uint8 or uint16 samples [h, w] or [h, w, c]; each row's filter is the one of
    least absolute sum.
    """
    height, width = samples.shape[:2]
    rows = np.ascontiguousarray(samples, dtype=samples.dtype.newbyteorder(">")).view(np.uint8).reshape(height, -1)
    step = rows.shape[1] // width
    out = np.empty((height, 1 + rows.shape[1]), np.uint8)
    for s in strips(rows, FILTERED_BYTES):
        tries = [_filtered(rows, s, at, step) for at in range(0, rows.shape[1], FILTERED_BYTES)]
        best = sum(np.abs(part.view(np.int8).astype(np.int32)).sum(2) for part in tries).argmin(0)
        out[s, 0] = best
        out[s, 1:] = np.concatenate([part[best, np.arange(len(best))] for part in tries], 1)
    return out.tobytes()


def _filtered(rows: NDArray[np.uint8], s: slice, at: int, step: int) -> NDArray[np.uint8]:
    """Residuals uint8 [5 filters, n, m] of rows of bytes, FILTERED_BYTES from a byte on; step: bytes of a pixel."""
    around = np.zeros((s.stop - s.start + 1, step + min(FILTERED_BYTES, rows.shape[1] - at)), np.int16)
    top, left = min(1, s.start), min(step, at)
    around[1 - top :, step - left :] = rows[s.start - top : s.stop, at - left : at + FILTERED_BYTES]
    x, a, b, c = around[1:, step:], around[1:, :-step], around[:-1, step:], around[:-1, :-step]
    da, db, dc = np.abs(b - c), np.abs(a - c), np.abs(a + b - 2 * c)
    paeth = np.where((da <= db) & (da <= dc), a, np.where(db <= dc, b, c))
    return np.stack([x, x - a, x - b, x - (a + b >> 1), x - paeth]).astype(np.uint8)


def plain_rows(samples: NDArray[Any]) -> bytes:
    """Return scanlines as `filter_rows` does, without a filter."""
    height = samples.shape[0]
    rows = np.ascontiguousarray(samples, dtype=samples.dtype.newbyteorder(">")).view(np.uint8).reshape(height, -1)
    return np.pad(rows, ((0, 0), (1, 0))).tobytes()


def decode_image(data: bytes, mode: str | None = None) -> NDArray[Any]:
    """Return the samples of a PNG file as Pillow reads them, converted to `mode` if given; any exception of Pillow's
    may come out.
    """
    with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
        image.load()
        return np.array(image if mode in (None, image.mode) else image.convert(mode))


def decode_deep(data: bytes) -> NDArray[Any]:
    """Return the uint16 samples [h, w] or [h, w, c] of a PNG of 16 bits a sample; any exception of Pillow's may come
    out.

    Pillow unfilters the rows of 16-bit colour but keeps the high bytes only. Read as if it were little-endian, the same
    stream yields the low
    bytes; grey with alpha has 32 bits a pixel, which pass as 8-bit RGBA.
    """
    colour_type = data[25]
    if colour_type == 0:
        return decode_image(data).astype("<u2")
    if colour_type == 4:
        halves = _decode_as(data, "RGBA")
        high, low = halves[:, :, 0::2], halves[:, :, 1::2]
    else:
        name = {2: "RGB", 6: "RGBA"}[colour_type]
        high, low = _decode_as(data, f"{name};16B"), _decode_as(data, f"{name};16L")
    samples = high.astype("<u2")
    samples <<= 8
    samples |= low
    return samples


def _decode_as(data: bytes, rawmode: str) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
        if not isinstance(image, ImageFile.ImageFile):
            raise PngError("Pillow did not open the PNG as a file")
        image.tile = [tile._replace(args=rawmode) for tile in image.tile]
        image.load()
        return np.array(image)
