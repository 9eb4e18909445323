"""PNGs of any kind, written here: colour types, depths, passes, filters, settings of zlib, chunks, frames."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
KINDS = [(c, d) for c, depths in ((0, (1, 2, 4, 8, 16)), (3, (1, 2, 4, 8)), (2, (8, 16)), (4, (8, 16)), (6, (8, 16)))
         for d in depths]  # fmt: skip
"""Colour types and depths."""
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
Chooser = Callable[[list[bytes]], int]


def chunk(name: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")


def header(width: int, height: int, colours: int, depth: int, interlaced: bool = False) -> bytes:
    size = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    return chunk(b"IHDR", size + bytes([depth, colours, 0, 0, interlaced]))


def picture(width: int, height: int, colours: int, depth: int, seed: int = 0) -> NDArray[Any]:
    """Smooth samples with some noise, [height, width, channels]."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    planes = [
        (np.sin(x / 9 + c) + np.cos(y / 7 - c) + 2) / 4 + rng.normal(0, 0.02, (height, width))
        for c in range(CHANNELS[colours])
    ]
    return (np.clip(np.stack(planes, 2), 0, 1) * ((1 << depth) - 1)).astype(np.uint16)


def least_sum(order: Sequence[int]) -> Chooser:
    """The rule of the least sum of distances from 0, of equal ones the first in an order."""
    return lambda rows: min(order, key=lambda f: sum(min(v, 256 - v) for v in rows[f]))


def filtered(rows: list[bytes], distance: int, choose: Chooser) -> bytes:
    """Rows by the filter that is chosen of all five."""
    out, above = b"", bytes(len(rows[0]))
    for row in rows:
        ways: list[list[int]] = [[], [], [], [], []]
        for i, value in enumerate(row):
            a = row[i - distance] if i >= distance else 0
            b, c = above[i], above[i - distance] if i >= distance else 0
            pa, pb, pc = abs(b - c), abs(a - c), abs(a + b - 2 * c)
            paeth = a if pa <= pb and pa <= pc else b if pb <= pc else c
            for way, guess in zip(ways, (0, a, b, (a + b) // 2, paeth), strict=True):
                way.append((value - guess) % 256)
        found = [bytes(way) for way in ways]
        kind = choose(found)
        out += bytes([kind]) + found[kind]
        above = row
    return out


def packed(samples: NDArray[Any], depth: int, padding: int = 0) -> list[bytes]:
    """Rows of samples [height, width, channels] as bytes; padding: bits for the end of each row."""
    rows = []
    for row in samples.reshape(len(samples), -1).tolist():
        bits = "".join(f"{v:0{depth}b}" for v in row)
        unused = -len(bits) % 8
        bits += f"{padding % (1 << unused):0{unused}b}" if unused else ""
        rows.append(int(bits, 2).to_bytes(len(bits) // 8, "big"))
    return rows


def raw(
    samples: NDArray[Any], depth: int, interlaced: bool = False, choose: Chooser = lambda rows: 0, padding: int = 0
) -> bytes:
    """The filtered rows of all passes."""
    distance = max(1, samples.shape[2] * depth // 8)
    out = b""
    for x, y, dx, dy in ADAM7 if interlaced else ((0, 0, 1, 1),):
        part = samples[y::dy, x::dx]
        if part.size:
            out += filtered(packed(part, depth, padding), distance, choose)
    return out


def png(
    samples: NDArray[Any],
    colours: int,
    depth: int,
    interlaced: bool = False,
    choose: Chooser = lambda rows: 0,
    *,
    zipped: Callable[[bytes], bytes] = zlib.compress,
    piece: int = 1 << 20,
    before: Sequence[bytes] = (),
    after: Sequence[bytes] = (),
    padding: int = 0,
) -> bytes:
    """A PNG; before, after: chunks around the image data, piece: bytes of these in a chunk."""
    stream = zipped(raw(samples, depth, interlaced, choose, padding))
    parts = [SIGNATURE, header(samples.shape[1], samples.shape[0], colours, depth, interlaced), *before]
    if colours == 3:
        parts.append(chunk(b"PLTE", bytes(range(3 << depth) if depth < 8 else (i % 256 for i in range(768)))))
    parts += [chunk(b"IDAT", stream[i : i + piece]) for i in range(0, len(stream), piece)]
    return b"".join([*parts, *after, chunk(b"IEND", b"")])


def mended(data: bytes) -> bytes:
    """A file whose chunks have the right checksums, and as much of its end as can be had."""
    out, at = data[:8], 8
    while at + 12 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        out += chunk(data[at + 4 : at + 8], data[at + 8 : at + 8 + size])
        at += 12 + size
    return out
