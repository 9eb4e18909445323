"""The safety net: the smallest of the classic lossless ways at hand (WebP, PNG, LZMA behind linear predictors, raw) for
any samples.

A payload holds no file headers: WebP's RIFF and PNG's IHDR are rebuilt from the shape. The layout number is the method:

    0 raw       samples, little-endian (bits packed eight a byte, most significant first, when every sample is 0 or 1:
    method 6)
    1 constant  one pixel
    2 webp      the VP8L bitstream; 1 channel as equal red, green, blue, 2 as grey and alpha, 4 as red, green, blue,
    alpha
    3 png       a byte (bit depth | 128 for palette indices), then the zlib stream of the IDAT chunks
    4 png-lzma  as 3, with raw LZMA in place of zlib
    5 planes    a byte (predictor | 4 for green subtracted), then raw LZMA of the residuals' byte planes
    6 bits      samples of 0 and 1, packed
"""

from __future__ import annotations

import io
import math
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from rdzip.codecs.classic import png, raw_lzma
from rdzip.codecs.names import ClassicMethod
from rdzip.codecs.result import Bits, Encoded
from rdzip.errors import CoderError
from rdzip.system import limits
from rdzip.system.strips import strips

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

WEBP_MAX_SIDE = 16383
PLANES_MAX_BYTES = 1 << 26
DEFLATE_RATIO = 1032
"""Bytes that a byte of deflate can stand for, at most: 258 in 2 bits."""
WEBP_MEMORY, PLANES_MEMORY, ROWS_MEMORY = 19, 3, 8
"""Bytes of memory that decoding takes: WebP for a pixel, LZMA for a byte of planes or of rows of a PNG."""
BYTE_TIME = 0.002
"""Microseconds to check a byte of samples."""
_IMAGE_MODE = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def encode(samples: NDArray[Any]) -> Encoded:
    """Return the smallest payload for samples [h, w] or [h, w, 2..4] of uint8, uint16, int32 or float32; the layout is
    its ClassicMethod.

    Every method that suits the samples is tried; this takes several seconds a megapixel.
    """
    best = encode_at_once(samples)
    if best is not None and best.layout == ClassicMethod.CONSTANT:
        return best
    for payload, method in _candidates(samples):
        if len(payload) < (len(best.payload) if best else samples.nbytes):
            best = _encoded(payload, method)
    return best or _encoded(_little(samples).tobytes(), ClassicMethod.RAW)


def encode_at_once(samples: NDArray[Any]) -> Encoded | None:
    """Return a payload that costs no time: a constant image's one pixel, or packed bits; None for other samples."""
    if _is_constant(samples):
        return _encoded(_little(samples[:1, :1]).tobytes(), ClassicMethod.CONSTANT)
    if samples.dtype == np.uint8 and samples.ndim == 2 and samples.max() < 2:
        return _encoded(np.packbits(samples).tobytes(), ClassicMethod.BITS)
    return None


def fits_webp(samples: NDArray[Any]) -> bool:
    """Return whether WebP can hold the samples: 8 bits, at most 16383 rows and columns."""
    return samples.dtype == np.uint8 and max(samples.shape[:2]) <= WEBP_MAX_SIDE


def webp_size(samples: NDArray[Any], method: int) -> int:
    """Return the bytes of a WebP payload at `method` 0 (fast) to 6 (small), for uint8 samples that WebP can hold."""
    return len(_webp(samples, method))


def repeats(samples: NDArray[Any]) -> float:
    """Return what share of its size PNG keeps when it may refer to repeats, at its fastest: near 1 for photographs."""
    return fast_png_size(samples) / fast_png_size(samples, repeats=False)


def fast_png_size(samples: NDArray[Any], *, repeats: bool = True) -> int:
    """Return the bytes of the fastest PNG of uint8 samples, which may refer to repeats or not."""
    channels = 1 if samples.ndim == 2 else samples.shape[2]
    image = Image.fromarray(np.ascontiguousarray(samples), _IMAGE_MODE[channels])
    out = io.BytesIO()
    strategy = zlib.Z_DEFAULT_STRATEGY if repeats else zlib.Z_HUFFMAN_ONLY
    image.save(out, "PNG", compress_level=1, compress_type=strategy)
    return out.tell()


def decode(payload: bytes | memoryview, shape: tuple[int, ...], dtype: np.dtype[Any], layout: int) -> NDArray[Any]:
    """Return the samples of this shape and dtype, those of a constant image as a view of one pixel, not to be written.

    CoderError when the payload is corrupt or cannot hold so much; memory is bounded by the shape and by
    rdzip.system.limits.
    """
    if layout not in ClassicMethod.__members__.values():
        raise CoderError(f"the classic codec has no method {layout}: the file is corrupt or needs a newer rdzip")
    decoder: Callable[[bytes, tuple[int, ...], np.dtype[Any]], NDArray[Any]] = {
        ClassicMethod.RAW: _decode_raw,
        ClassicMethod.CONSTANT: _decode_constant,
        ClassicMethod.WEBP: _decode_webp,
        ClassicMethod.PNG: _decode_png,
        ClassicMethod.PNG_LZMA: _decode_png_lzma,
        ClassicMethod.PLANES: _decode_planes,
        ClassicMethod.BITS: _decode_bits,
    }[ClassicMethod(layout)]
    limits.claim(BYTE_TIME * math.prod(shape) * dtype.itemsize, f"{shape[1]} x {shape[0]} pixels")
    samples = decoder(bytes(payload), shape, dtype)
    if samples.shape != shape or samples.dtype != dtype:
        raise CoderError(
            f"the payload holds {list(samples.shape)} of {samples.dtype}, expected {list(shape)} of {dtype}: the file "
            "is corrupt"
        )
    return samples


def _encoded(payload: bytes, method: ClassicMethod) -> Encoded:
    bits = 8.0 * len(payload)
    return Encoded(payload, Bits(bits, bits, bits), int(method))


def _little(samples: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(samples, dtype=samples.dtype.newbyteorder("<"))


def _is_constant(samples: NDArray[Any]) -> bool:
    first = _little(samples[:1, :1]).view(np.uint8).reshape(-1)
    octets = (_little(samples[s]).view(np.uint8).reshape(-1, len(first)) for s in strips(samples))
    return all(bool((part == first).all()) for part in octets)


def _candidates(samples: NDArray[Any]) -> Iterable[tuple[bytes, ClassicMethod]]:
    channels = 1 if samples.ndim == 2 else samples.shape[2]
    if samples.dtype == np.uint8:
        if fits_webp(samples):
            pixels = math.prod(samples.shape[:2])
            for effort in (6, 1):  # the slowest is not always the smallest
                payload = _webp(samples, effort)
                if limits.fits_memory(WEBP_MEMORY * pixels, len(payload)):  # else readers would not decode it unasked
                    yield payload, ClassicMethod.WEBP
        yield _png(samples), ClassicMethod.PNG
        if channels == 1:
            yield _png_indices(samples), ClassicMethod.PNG
    elif samples.dtype == np.uint16:
        yield from _png_deep(samples)
    if samples.nbytes <= (PLANES_MAX_BYTES if samples.dtype != np.uint8 else 1 << 20):
        yield _planes(samples), ClassicMethod.PLANES


# --- WebP -------------------------------------------------------------------------------------------------------------


def _webp(samples: NDArray[Any], method: int) -> bytes:
    channels = 1 if samples.ndim == 2 else samples.shape[2]
    image = Image.fromarray(np.ascontiguousarray(samples), _IMAGE_MODE[channels])
    out = io.BytesIO()
    image.save(out, "WEBP", lossless=True, exact=True, method=method)
    data = out.getvalue()
    size = int.from_bytes(data[16:20], "little")
    if data[12:16] != b"VP8L":
        raise CoderError(f"expected Pillow to write a plain lossless WebP, found a chunk {data[12:16]!r}")
    return data[20 : 20 + size]


def _decode_webp(payload: bytes, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    _expect_u1(dtype)
    if len(payload) < 5 or payload[0] != 0x2F:
        raise CoderError("the WebP payload does not begin as VP8L does: the file is corrupt")
    size = int.from_bytes(payload[1:5], "little")
    if ((size >> 14 & 0x3FFF) + 1, (size & 0x3FFF) + 1) != shape[:2]:
        raise CoderError("the WebP payload has another size than the header: the file is corrupt")
    limits.claim_memory(WEBP_MEMORY * math.prod(shape[:2]), f"a WebP image of {shape[1]} x {shape[0]} pixels")
    padded = payload + b"\0" * (len(payload) & 1)
    chunk = b"VP8L" + struct.pack("<I", len(payload)) + padded
    samples = _open(
        b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk,
        "WEBP",
        "RGB" if len(shape) == 2 or shape[2] == 3 else "RGBA",
    )
    if len(shape) == 2:
        return np.ascontiguousarray(samples[:, :, 0])
    return samples if shape[2] > 2 else np.ascontiguousarray(samples[:, :, [0, 3]])


def _open(data: bytes, kind: str, mode: str) -> NDArray[Any]:
    try:
        with Image.open(io.BytesIO(data), formats=[kind]) as image:
            image.load()
            return np.array(image if image.mode == mode else image.convert(mode))
    except (
        Exception
    ) as error:  # Pillow raises many kinds for corrupt data: OSError, SyntaxError, ValueError, struct.error, EOFError
        raise CoderError(f"the {kind} payload cannot be decoded ({error}): the file is corrupt") from error


def _expect_u1(dtype: np.dtype[Any]) -> None:
    if dtype != np.uint8:
        raise CoderError(f"this method codes 8-bit samples only, the header has {dtype}: the file is corrupt")


# --- PNG --------------------------------------------------------------------------------------------------------------


def _png(samples: NDArray[Any]) -> bytes:
    channels = 1 if samples.ndim == 2 else samples.shape[2]
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(samples), _IMAGE_MODE[channels]).save(out, "PNG", optimize=True)
    return b"\x08" + png.idat(out.getvalue())


def _png_indices(samples: NDArray[Any]) -> bytes:
    depth = next(bits for bits in (1, 2, 4, 8) if int(samples.max()) < 1 << bits)
    image = Image.fromarray(np.ascontiguousarray(samples), "L")
    image.putpalette(bytes(3 << depth))
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True, bits=depth)
    return bytes([depth | 128]) + png.idat(out.getvalue())


def _png_deep(samples: NDArray[Any]) -> Iterable[tuple[bytes, ClassicMethod]]:
    rows = png.filter_rows(samples)
    yield b"\x10" + zlib.compress(rows, 9), ClassicMethod.PNG
    if len(rows) <= PLANES_MAX_BYTES:
        yield b"\x10" + raw_lzma.pack(rows, len(rows)), ClassicMethod.PNG_LZMA


def _decode_png(payload: bytes, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    channels = 1 if len(shape) == 2 else shape[2]
    depth, indices = payload[0] & 127 if payload else 0, bool(payload and payload[0] & 128)
    if (
        depth not in ((1, 2, 4, 8) if indices else (8 * dtype.itemsize,))
        or dtype.itemsize > 2
        or (indices and (channels > 1 or dtype != np.uint8))
    ):
        raise CoderError("the PNG payload has a bit depth that its samples cannot have: the file is corrupt")
    row = 1 + -(-shape[1] * channels * depth // 8)
    if shape[0] * row > DEFLATE_RATIO * len(payload):
        raise CoderError(
            f"a PNG payload of {len(payload)} bytes cannot hold {shape[1]} x {shape[0]} pixels: the file is corrupt"
        )
    pixel = (3 if channels == 1 else 4 + 2 * channels) * dtype.itemsize**2  # as Pillow has it, and copies
    limits.claim_memory(pixel * math.prod(shape[:2]), f"a PNG image of {shape[1]} x {shape[0]} pixels")
    chunks = [png.header(shape[0], shape[1], depth, 3 if indices else png.COLOUR_TYPE[channels])]
    if indices:
        chunks.append((b"PLTE", bytes(3 << depth)))
    data = png.write_chunks([*chunks, (b"IDAT", payload[1:]), (b"IEND", b"")])
    try:
        return png.decode_deep(data) if depth == 16 else png.decode_image(data)
    except (
        Exception
    ) as error:  # Pillow raises many kinds for corrupt data: OSError, SyntaxError, ValueError, struct.error, EOFError
        raise CoderError(f"the PNG payload cannot be decoded ({error}): the file is corrupt") from error


def _decode_png_lzma(payload: bytes, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    size = shape[0] * (1 + math.prod(shape[1:]) * dtype.itemsize)
    limits.claim_memory(ROWS_MEMORY * size, f"{size} bytes of rows")
    rows = raw_lzma.unpack(payload[1:], size)
    return _decode_png(payload[:1] + zlib.compress(rows, 0), shape, dtype)


# --- raw, LZMA and linear predictors ----------------------------------------------------------------------------------


def _words(samples: NDArray[Any]) -> NDArray[Any]:
    """Return the samples as unsigned words [h, w, c] (a float's bits as they are)."""
    channels = 1 if samples.ndim == 2 else samples.shape[2]
    words: NDArray[Any] = _little(samples).view(f"<u{samples.dtype.itemsize}").reshape(*samples.shape[:2], channels)
    return words


def _residuals(words: NDArray[Any], kind: int) -> NDArray[Any]:
    result: NDArray[Any] = words.copy()
    if kind & 4:
        result[:, :, 0] -= words[:, :, 1]
        result[:, :, 2] -= words[:, :, 1]
    if kind & 1:
        result[:, 1:] -= result[:, :-1].copy()
    if kind & 2:
        result[1:] -= result[:-1].copy()
    return result


def _planes(samples: NDArray[Any]) -> bytes:
    """Return a byte saying what was predicted (1: from the left, 2: from above, 4: green subtracted) and LZMA of the
    residuals' byte planes.
    """
    words = _words(samples)
    sample = words[: max(1, (1 << 18) // max(1, words[0].size))]
    kinds = [kind | colour for colour in ((0, 4) if words.shape[2] >= 3 else (0,)) for kind in range(4)]
    kind = min(kinds, key=lambda kind: len(zlib.compress(_split(_residuals(sample, kind)), 6)))
    rows = _split(_residuals(words, kind))
    return bytes([kind]) + raw_lzma.pack(rows, len(rows))


def _split(words: NDArray[Any]) -> bytes:
    """Return the bytes of words [h, w, c] plane by plane: channel by channel, most significant first."""
    height, width, channels = words.shape
    size = words.dtype.itemsize
    octets = words.view(np.uint8).reshape(height, width, channels, size)[:, :, :, ::-1]
    planes: bytes = octets.transpose(2, 3, 0, 1).tobytes()
    return planes


def _decode_planes(payload: bytes, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    height, width = shape[:2]
    channels = 1 if len(shape) == 2 else shape[2]
    kind = payload[0] if payload else 255
    if kind > 7 or (kind & 4 and channels < 3):
        raise CoderError("the payload's predictor is unknown: the file is corrupt")
    size = math.prod(shape) * dtype.itemsize
    limits.claim_memory(PLANES_MEMORY * size, f"{size} bytes of samples")
    data = raw_lzma.unpack(payload[1:], size)
    octets = np.frombuffer(data, np.uint8).reshape(channels, dtype.itemsize, height, width)[:, ::-1]
    words = octets.transpose(2, 3, 0, 1).copy(order="C").view(f"<u{dtype.itemsize}").reshape(height, width, channels)
    if kind & 2:
        np.add.accumulate(words, axis=0, dtype=words.dtype, out=words)
    if kind & 1:
        np.add.accumulate(words, axis=1, dtype=words.dtype, out=words)
    if kind & 4:
        words[:, :, 0] += words[:, :, 1]
        words[:, :, 2] += words[:, :, 1]
    samples: NDArray[Any] = words.view(dtype.newbyteorder("<")).reshape(shape)
    return samples


def _decode_raw(payload: bytes, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    _expect_size(payload, math.prod(shape) * dtype.itemsize)
    samples: NDArray[Any] = np.frombuffer(payload, dtype.newbyteorder("<")).reshape(shape).copy()
    return samples


def _decode_constant(payload: bytes, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    _expect_size(payload, math.prod(shape[2:]) * dtype.itemsize)
    pixel = np.frombuffer(payload, dtype.newbyteorder("<")).reshape(shape[2:])
    samples: NDArray[Any] = np.broadcast_to(pixel, shape)
    return samples


def _decode_bits(payload: bytes, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    _expect_u1(dtype)
    count = math.prod(shape)
    _expect_size(payload, -(-count // 8))
    return np.unpackbits(np.frombuffer(payload, np.uint8), count=count).reshape(shape)


def _expect_size(payload: bytes, size: int) -> None:
    if len(payload) != size:
        raise CoderError(f"the payload has {len(payload)} bytes, expected {size}: the file is corrupt")
