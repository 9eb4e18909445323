"""A second decoder of classic payloads, written from docs/reference/format.md, section 3.

Slow and plain: it shares nothing with rdzip. Python's zlib and lzma, and Pillow for WebP's bitstream, are what the page
refers to. Samples are words in a flat list, row by row, channels together.
"""

from __future__ import annotations

import io
import lzma
import zlib

from PIL import Image
from reference.container import need


def classic(method: int, payload: bytes, height: int, width: int, channels: int, size: int) -> list[int]:
    """Samples of a classic payload; size: bytes of a sample."""
    count = height * width * channels
    if method == 0:
        return words(payload, size, count)
    if method == 1:
        return words(payload, size, channels) * (height * width)
    if method == 6:
        need(size == 1 and len(payload) == -(-count // 8), "bits")
        return [payload[i >> 3] >> (7 - (i & 7)) & 1 for i in range(count)]
    if method == 2:
        return webp(payload, height, width, channels)
    kind, packed = payload[0], payload[1:]
    if method in (3, 4):
        depth, samples = kind & 127, 1 if kind & 128 else channels
        step = -(-depth * samples // 8)
        row = -(-depth * samples * width // 8)
        need(depth in (1, 2, 4, 8) if kind & 128 else depth == 8 * size, "depth")
        total = height * (1 + row)
        rows = zlib.decompress(packed) if method == 3 else unlzma(packed, total, 4, dictionary(total))
        need(len(rows) >= total, "rows")
        plain = unfiltered(rows, height, row, step)
        if depth < 8:
            per = 8 // depth
            return [
                plain[y * row + x // per] >> (8 - depth * (x % per + 1)) & ((1 << depth) - 1)
                for y in range(height)
                for x in range(width)
            ]
        return [int.from_bytes(plain[i : i + size], "big") for i in range(0, len(plain), size)]
    need(method == 5, "method")
    found = unlzma(packed, count * size, 4, dictionary(count * size))
    plane = height * width
    values = [
        sum(found[(c * size + b) * plane + i] << 8 * (size - 1 - b) for b in range(size))
        for i in range(plane)
        for c in range(channels)
    ]
    most = (1 << 8 * size) - 1
    if kind & 2:
        for i in range(width * channels, count):
            values[i] = values[i] + values[i - width * channels] & most
    if kind & 1:
        for i in range(count):
            if i % (width * channels) >= channels:
                values[i] = values[i] + values[i - channels] & most
    if kind & 4:
        for i in range(0, count, channels):
            values[i] = values[i] + values[i + 1] & most
            values[i + 2] = values[i + 2] + values[i + 1] & most
    return values


def words(data: bytes, size: int, count: int) -> list[int]:
    """Little-endian words."""
    need(len(data) == size * count, "length")
    return [int.from_bytes(data[i : i + size], "little") for i in range(0, len(data), size)]


def dictionary(size: int) -> int:
    """Bytes of the dictionary for an unpacked length."""
    return min(1 << 26, max(1 << 12, 1 << (size - 1).bit_length()))


def unfiltered(rows: bytes, height: int, row: int, step: int) -> bytes:
    """Scanlines of PNG without their filters."""
    above = bytes(row)
    out = []
    for y in range(height):
        kind, line = rows[y * (row + 1)], bytearray(rows[y * (row + 1) + 1 : (y + 1) * (row + 1)])
        for i in range(row):
            a, b, c = (line[i - step], above[i], above[i - step]) if i >= step else (0, above[i], 0)
            p = a + b - c
            nearest = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
            line[i] = line[i] + (0, a, b, a + b >> 1, nearest)[kind] & 255
        above = bytes(line)
        out.append(above)
    return b"".join(out)


def webp(payload: bytes, height: int, width: int, channels: int) -> list[int]:
    """Samples of a VP8L bitstream, put into a file for Pillow."""
    chunk = b"VP8L" + len(payload).to_bytes(4, "little") + payload + bytes(len(payload) & 1)
    with Image.open(io.BytesIO(b"RIFF" + (4 + len(chunk)).to_bytes(4, "little") + b"WEBP" + chunk)) as image:
        need(image.size == (width, height), "size")
        pixels = list(image.convert("RGBA").tobytes())
    kept = {1: (0,), 2: (0, 3), 3: (0, 1, 2), 4: (0, 1, 2, 3)}[channels]
    return [pixels[4 * i + c] for i in range(height * width) for c in kept]


def unlzma(data: bytes, size: int, lc: int, dict_size: int) -> bytes:
    """Raw LZMA with an end marker."""
    filters = [{"id": lzma.FILTER_LZMA1, "lc": lc, "lp": 0, "pb": 0, "dict_size": dict_size}]
    found = lzma.decompress(data, lzma.FORMAT_RAW, filters=filters)
    need(len(found) == size, "unpacked length")
    return found
