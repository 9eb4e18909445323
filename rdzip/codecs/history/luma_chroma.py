"""Pictures that were integer luma and chroma: found, described, and made again (docs/reference/format.md, section 2).

Of each pixel the description is a triple of bytes (Cb, Cr, Y) that a matrix takes to its colours; where no triple does,
to a colour near, and what is left is coded beside by adaptive binary coding.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rdzip.codecs.history.matrices import BITS, MATRICES, Matrix
from rdzip.entropy.binary import CODER, HALF, code_bit, count, finish_coder, rate_table, start_coder
from rdzip.errors import CoderError
from rdzip.exact.compiled import compiled
from rdzip.exact.types import Int64
from rdzip.system import limits

SAMPLED = 1 << 14
"""Pixels that are looked at before all are."""
FEW_EXCEPTIONS = 16
"""A matrix is one over so many pixels with exceptions, at most: by chance more than half are."""
FAR = 6
"""How far beyond black or white colours that were clipped are looked for."""
FLAGS, LIMIT = 10, 255
"""Counters of whether a pixel is an exception; observations that counters remember."""
PIXELS_A_MICROSECOND = 10
"""Pixels a microsecond that making colours again takes, about."""


class Described(NamedTuple):
    """Triples uint8 [h, w, 3], Cb, Cr, Y as the planes that red, green and blue would be; what stands beside them."""

    planes: NDArray[np.uint8]
    beside: bytes


def _scratch() -> tuple[Int64, Int64]:
    """A triple and a colour for compiled code to work in."""
    return np.zeros(3, np.int64), np.zeros(3, np.int64)


@lru_cache(maxsize=len(MATRICES))
def _numbers(matrix: Matrix) -> Int64:
    """Coefficients as compiled code takes them, int64 [16]."""
    return np.array([*matrix[1:8], *(v for row in matrix.forward for v in row)], np.int64)


@compiled
def _colour(m: Int64, luma: int, cb: int, cr: int, out: Int64) -> None:
    """Put the colour of a triple into out [3].

    - m: numbers of the matrix
    - luma, cb, cr: the triple
    - out: red, green, blue
    """
    half = np.int64(1) << (m[6] - 1)
    grey = (luma - m[0]) * m[1] + half
    out[0] = min(max((grey + m[2] * (cr - 128)) >> m[6], 0), 255)
    out[1] = min(max((grey + m[3] * (cb - 128) + m[4] * (cr - 128)) >> m[6], 0), 255)
    out[2] = min(max((grey + m[5] * (cb - 128)) >> m[6], 0), 255)


@compiled
def _nearest(m: Int64, r: int, g: int, b: int, triple: Int64) -> None:
    """Put the triple of bytes (luma, Cb, Cr) nearest to a colour into triple [3].

    - m: numbers of the matrix
    - r, g, b: the colour, perhaps beyond black or white
    - triple: what is found
    """
    for k in range(3):
        row = 7 + 3 * k
        offset = m[0] if k == 0 else 128
        value = (m[row] * r + m[row + 1] * g + m[row + 2] * b + (1 << (BITS - 1))) >> BITS
        triple[k] = min(max(value + offset, 0), 255)


@compiled
def _search(m: Int64, r: int, g: int, b: int, triple: Int64, out: Int64, far: int) -> bool:
    """Put a triple that has a colour into triple [3], the nearest one if none is found; return whether one was.

    - m: numbers of the matrix
    - r, g, b: the colour
    - triple, out: of `_nearest` and `_colour`
    - far: how far clipped colours may have been beyond black or white
    """
    _nearest(m, r, g, b, triple)
    _colour(m, int(triple[0]), int(triple[1]), int(triple[2]), out)
    if out[0] == r and out[1] == g and out[2] == b:
        return True
    r_end = far if r == 0 or r == 255 else 0
    g_end = far if g == 0 or g == 255 else 0
    b_end = far if b == 0 or b == 255 else 0
    for total in range(1, r_end + g_end + b_end + 1):
        for i in range(min(total, r_end) + 1):
            for j in range(min(total - i, g_end) + 1):
                k = total - i - j
                if k <= b_end:
                    _nearest(
                        m,
                        r + (i if r == 255 else -i),
                        g + (j if g == 255 else -j),
                        b + (k if b == 255 else -k),
                        triple,
                    )
                    _colour(m, int(triple[0]), int(triple[1]), int(triple[2]), out)
                    if out[0] == r and out[1] == g and out[2] == b:
                        return True
    _nearest(m, r, g, b, triple)
    _colour(m, int(triple[0]), int(triple[1]), int(triple[2]), out)
    return False


@compiled
def _forward(
    m: Int64,
    pixels: NDArray[np.uint8],
    planes: NDArray[np.uint8],
    missed: NDArray[np.uint8],
    triple: Int64,
    out: Int64,
    far: int,
) -> int:
    """Find the triples of pixels; return how many have none.

    - m: numbers of the matrix
    - pixels: uint8 [n, 3]
    - planes: uint8 [n, 3], triples Cb, Cr, Y as green, red, blue stand
    - missed: uint8 [n], 1 where no triple was found
    - triple, out, far: of `_search`
    """
    exceptions = 0
    for n in range(len(pixels)):
        found = _search(
            m, int(np.int64(pixels[n, 0])), int(np.int64(pixels[n, 1])), int(np.int64(pixels[n, 2])), triple, out, far
        )
        planes[n, 0] = triple[2]
        planes[n, 1] = triple[1]
        planes[n, 2] = triple[0]
        missed[n] = 0 if found else 1
        exceptions += 0 if found else 1
    return exceptions


@compiled
def _chance(counters: NDArray[np.uint32], at: int) -> int:
    """Return the probability of a counter in 2**-16.

    - counters: uint32
    - at: the place of the counter
    """
    return min(max(int(np.int64(counters[at])) >> 16, 1), 65535)


@compiled
def _code(
    m: Int64,
    planes: NDArray[np.uint8],
    pixels: NDArray[np.uint8],
    missed: NDArray[np.uint8],
    out: Int64,
    counters: NDArray[np.uint32],
    rates: NDArray[np.int32],
    coder: Int64,
    data: NDArray[np.uint8],
    decoding: int,
) -> bool:
    """Code where pixels are exceptions and what these are; returns False as soon as the data have ended.

    - m: numbers of the matrix
    - planes: uint8 [h, w, 3] of triples
    - pixels: uint8 [h, w, 3], filled in when decoding
    - missed: uint8 [h, w], exceptions, filled in when decoding
    - out: int64 [3], to work in
    - counters: uint32 [FLAGS + 3 * 256]
    - rates: of `rate_table`
    - coder, data: of `code_bit`
    - decoding: 1 to decode, 0 to encode
    """
    height, width = missed.shape
    for y in range(height):
        for x in range(width):
            _colour(
                m, int(np.int64(planes[y, x, 2])), int(np.int64(planes[y, x, 1])), int(np.int64(planes[y, x, 0])), out
            )
            near = 0
            if x > 0:
                near += int(np.int64(missed[y, x - 1]))
            if y > 0:
                near += int(np.int64(missed[y - 1, x]))
                if x > 0:
                    near += int(np.int64(missed[y - 1, x - 1]))
                if x + 1 < width:
                    near += int(np.int64(missed[y - 1, x + 1]))
            if min(out[0], out[1], out[2]) == 0 or max(out[0], out[1], out[2]) == 255:
                near += 5
            p = _chance(counters, near)
            bit = code_bit(coder, data, decoding, int(np.int64(missed[y, x])), p)
            count(counters, near, bit, rates, 0, LIMIT)
            if decoding:
                missed[y, x] = bit
            for c in range(3):
                if bit:
                    rest = (int(np.int64(pixels[y, x, c])) - int(out[c])) & 255
                    node = 1
                    for shift in range(7, -1, -1):
                        at = FLAGS + 256 * c + node
                        p = _chance(counters, at)
                        one = code_bit(coder, data, decoding, (rest >> shift) & 1, p)
                        count(counters, at, one, rates, 0, LIMIT)
                        node = 2 * node + one
                    out[c] = (out[c] + node) & 255
                if decoding:
                    pixels[y, x, c] = out[c]
        if coder[3] > len(data):
            return False
    return True


def find(pixels: NDArray[np.uint8]) -> int | None:
    """Return the number of the matrix that pixels uint8 [h, w, 3] are colours of, as few of them say, or None."""
    height, width = pixels.shape[:2]
    step = 1
    while -(-height // step) * -(-width // step) > SAMPLED:
        step += 1
    sample = np.ascontiguousarray(pixels[step // 2 :: step, step // 2 :: step] if step > 1 else pixels).reshape(-1, 3)
    inner = sample[((sample > 0) & (sample < 255)).all(1)]
    if 8 * len(inner) < len(sample):
        return None
    planes, missed = np.empty_like(inner), np.empty(len(inner), np.uint8)
    found = [_forward(_numbers(matrix), inner, planes, missed, *_scratch(), 0) for matrix in MATRICES]
    best = min(range(len(found)), key=found.__getitem__)
    return best if FEW_EXCEPTIONS * found[best] <= len(inner) else None


def describe(pixels: NDArray[np.uint8], number: int) -> Described | None:
    """Return pixels uint8 [h, w, 3] as triples of a matrix, and what stands beside; None with many exceptions.

    number: of the matrix, as `find` gives it.
    """
    numbers = _numbers(MATRICES[number])
    pixels = pixels.copy()
    planes, missed = np.empty_like(pixels), np.empty(pixels.shape[:2], np.uint8)
    exceptions = _forward(numbers, pixels.reshape(-1, 3), planes.reshape(-1, 3), missed.reshape(-1), *_scratch(), FAR)
    if not exceptions:
        return Described(planes, bytes([number]))
    if FEW_EXCEPTIONS * exceptions > missed.size:
        return None
    data = np.zeros(64 * exceptions + missed.size // 4 + 64, np.uint8)
    counters, coder, out = np.full(FLAGS + 3 * 256, HALF, np.uint32), np.zeros(CODER, np.int64), np.zeros(3, np.int64)
    start_coder(coder, data, 0)
    if not _code(numbers, planes, pixels, missed, out, counters, rate_table(), coder, data[:-8], 0):
        return None
    return Described(planes, bytes([number]) + data[: finish_coder(coder, data)].tobytes())


def colours(planes: NDArray[np.uint8], beside: bytes) -> NDArray[np.uint8]:
    """Return the pixels uint8 [h, w, 3] of planes and of what stands beside; CoderError if that is corrupt."""
    if not beside or beside[0] >= len(MATRICES):
        raise CoderError(
            f"luma and chroma: expected a matrix of 0 to {len(MATRICES) - 1}, found {beside[:1].hex() or 'none'}: the "
            "file is corrupt, or needs a newer rdzip"
        )
    limits.claim(
        planes.size // (3 * PIXELS_A_MICROSECOND), f"{planes.shape[1]} x {planes.shape[0]} pixels of luma and chroma"
    )
    planes, pixels = planes.copy(), np.empty(planes.shape, np.uint8)
    missed, data = np.zeros(planes.shape[:2], np.uint8), np.frombuffer(bytearray(beside[1:]), np.uint8)
    counters, coder, out = np.full(FLAGS + 3 * 256, HALF, np.uint32), np.zeros(CODER, np.int64), np.zeros(3, np.int64)
    if len(beside) == 1:
        _inverse(_numbers(MATRICES[beside[0]]), planes.reshape(-1, 3), pixels.reshape(-1, 3), out)
        return pixels
    start_coder(coder, data, 1)
    whole = _code(_numbers(MATRICES[beside[0]]), planes, pixels, missed, out, counters, rate_table(), coder, data, 1)
    if not whole or coder[3] + 1 != len(data):
        raise CoderError("luma and chroma: the exceptions do not end with the last pixel: the file is corrupt")
    return pixels


@compiled
def _inverse(m: Int64, planes: NDArray[np.uint8], pixels: NDArray[np.uint8], out: Int64) -> None:
    """Fill in pixels uint8 [n, 3] from triples [n, 3]; m: numbers of the matrix; out: int64 [3], to work in."""
    for n in range(len(planes)):
        _colour(m, int(np.int64(planes[n, 2])), int(np.int64(planes[n, 1])), int(np.int64(planes[n, 0])), out)
        pixels[n, 0] = out[0]
        pixels[n, 1] = out[1]
        pixels[n, 2] = out[2]
