"""BMP: Windows bitmaps of 1, 4, 8, 16, 24 and 32 bits without compression (docs/reference/carriers.md).

Source: Microsoft, "Bitmap Storage" and the structures BITMAPFILEHEADER, BITMAPCOREHEADER, BITMAPINFOHEADER,
BITMAPV4HEADER, BITMAPV5HEADER.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdzip.errors import FormatError
from rdzip.formats.carriers.carrier import NotCarriedError, Opened
from rdzip.formats.carriers.raw.checks import certain, few_pixels, fields, integer, octets, require, shortened
from rdzip.formats.carriers.raw.patches import difference, patched
from rdzip.formats.carriers.raw.rows import Rows
from rdzip.formats.images.picture import Picture
from rdzip.system import limits

CORE, INFO = 12, 40
HEADERS = (CORE, INFO, 52, 56, 64, 108, 124)
"""Lengths of the headers that follow the 14 bytes of the file's."""
OS2 = 64
BIT_FIELDS, ALPHA_BIT_FIELDS = 3, 6
"""Values of biCompression that name the bits of each colour."""
FIVE = (0x7C00, 0x3E0, 0x1F)
WHOLE = (0xFF0000, 0xFF00, 0xFF)
RAMP = bytes(v for i in range(256) for v in (i, i, i))
BLACK_WHITE = bytes([0, 0, 0, 255, 255, 255])


@dataclass(frozen=True)
class _Head:
    """What the bytes before the samples say: where these begin, the picture's shape, the palette as RGB."""

    start: int
    width: int
    height: int
    down: bool
    bits: int
    masks: tuple[int, ...]
    palette: bytes

    @property
    def rows(self) -> Rows:
        """How the samples lie."""
        samples, bits = {24: (3, 8), 32: (4, 8)}.get(self.bits, (1, self.bits))
        return Rows(self.height, self.width * samples, bits, align=4)

    @property
    def mode(self) -> str:
        """Mode of the picture; of 32 bits a picture may be "RGB" as well."""
        if self.bits > 8:
            return "RGBA" if self.bits == 32 else "RGB"
        if self.bits == 8 and self.palette == RAMP:
            return "L"
        return "1" if self.bits == 1 and self.palette == BLACK_WHITE else "P"

    @property
    def order(self) -> list[int]:
        """Which byte of a pixel holds red, green, blue, and of 32 bits the fourth channel."""
        places = [self.masks.index(m) if m in self.masks else 3 for m in (0xFF, 0xFF00, 0xFF0000, 0xFF000000)]
        return [places.index(c) for c in range(4)] if self.bits == 32 else [2, 1, 0]


def open(data: bytes) -> Opened:
    """Return the picture and the skeleton [patch of the head, filling of rows, fourth, bytes after the samples].

    fourth: 0, or of 32 bits a pixel 1 + the fourth channel where it is the same in all pixels: the picture is RGB.
    NotCarriedError: for compressed bitmaps, and what is none.
    """
    head = _parse(data)
    rows = head.rows
    if head.start + rows.size > len(data):
        raise NotCarriedError("its samples are cut short")
    few_pixels(head.width * head.height)
    block, filling = rows.read(data, head.start)
    if not head.down:
        block = block[::-1]
    samples, fourth = _coloured(block, head)
    mode = "RGB" if samples.ndim == 3 and samples.shape[2] == 3 else head.mode
    palette = head.palette if mode == "P" else b""
    picture = Picture(np.ascontiguousarray(samples), mode, palette, "RGB" if mode == "P" else "")
    patch = difference(data[: head.start], _expected(picture))
    skeleton = shortened([patch, filling, fourth, data[head.start + rows.size :]])
    return certain(data, Opened([picture], skeleton), close)


def close(pictures: Sequence[Picture], skeleton: Any) -> bytes:
    """Return the file."""
    patch, filling, fourth, rest = fields(skeleton, 4)
    require(len(pictures) == 1, "a bitmap has one picture")
    start = patched(patch, _expected(pictures[0]))
    try:
        head = _parse(start)
    except NotCarriedError as error:
        raise FormatError(f"a skeleton's bitmap is not carried: {error}; the file is corrupt") from error
    require(head.start == len(start), "a skeleton's bitmap begins elsewhere")
    require(pictures[0].shape[:2] == (head.height, head.width), "a skeleton's bitmap is of another shape")
    limits.claim_memory(4 * head.rows.size, "the samples of a bitmap")
    block = _raw(pictures[0], head, integer(fourth, 256))
    if not head.down:
        block = block[::-1]
    return b"".join([start, head.rows.write(block, octets(filling or b"")), octets(rest or b"")])


def _parse(data: bytes) -> _Head:
    """Return what the head says; NotCarriedError where it cannot be, or says what is not carried."""
    if len(data) < 14 + CORE or data[:2] != b"BM":
        raise NotCarriedError("it is no Windows bitmap")
    start, size = struct.unpack_from("<II", data, 10)
    if size not in HEADERS or len(data) < 14 + size:
        raise NotCarriedError(f"its header of {size} bytes is unknown")
    at, entry, compression, used = 14 + size, 4, 0, 0
    if size == CORE:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        entry = 3
    else:
        width, height, _, bits, compression, _, _, _, used = struct.unpack_from("<iiHHIIiiI", data, 18)
    if width <= 0 or height == 0:
        raise NotCarriedError("it has no pixels")
    if bits not in (1, 4, 8, 16, 24, 32):
        raise NotCarriedError(f"it has {bits} bits a pixel")
    fielded = compression in (BIT_FIELDS, ALPHA_BIT_FIELDS) and bits in (16, 32) and size != OS2
    if compression and not fielded:
        raise NotCarriedError(f"it is compressed (method {compression})")
    masks = FIVE if bits == 16 else WHOLE
    if fielded:
        if len(data) < 66:
            raise NotCarriedError("its masks are cut short")
        masks = struct.unpack_from("<III", data, 54)
        at = max(at, 66 if compression == BIT_FIELDS else 70)
    palette = b""
    if bits <= 8:
        if used > 1 << bits:
            raise NotCarriedError(f"it has {used} colours")
        colours = data[at : at + entry * (used or 1 << bits)]
        colours = colours[: max(0, start - at)]
        colours = colours[: len(colours) // entry * entry]
        at += len(colours)
        palette = np.frombuffer(colours, np.uint8).reshape(-1, entry)[:, 2::-1].tobytes()
    if start < at or start > len(data):
        raise NotCarriedError("its samples begin within its head")
    if bits in (16, 32):
        _check_masks(masks, bits)
    return _Head(start, width, abs(height), height < 0, bits, tuple(masks), palette)


def _check_masks(masks: Sequence[int], bits: int) -> None:
    if bits == 32:
        good = len(set(masks)) == 3 and all(m in (0xFF, 0xFF00, 0xFF0000, 0xFF000000) for m in masks)
    else:
        runs = [m >> ((m & -m).bit_length() - 1) if m else 0 for m in masks]
        good = all(0 < run < 256 and run & (run + 1) == 0 for run in runs) and not any(m >> 16 for m in masks)
        good = good and sum(masks) == masks[0] | masks[1] | masks[2]
    if not good:
        raise NotCarriedError("its masks of colours are unusual")


def _coloured(block: NDArray[Any], head: _Head) -> tuple[NDArray[np.uint8], int]:
    """Samples of the picture, and what `open` calls fourth."""
    if head.bits <= 8:
        return block, 0
    if head.bits == 16:
        if (block & np.uint16(~sum(head.masks) & 0xFFFF)).any():
            raise NotCarriedError("its pixels of 16 bits have bits of no colour")
        parts = [(block & np.uint16(m)) >> ((m & -m).bit_length() - 1) for m in head.masks]
        return np.stack(parts, axis=-1).astype(np.uint8), 0
    pixels = block.reshape(head.height, head.width, -1)[:, :, head.order]
    if head.bits == 24:
        return pixels, 0
    value = int(pixels[0, 0, 3])
    if (pixels[:, :, 3] == value).all():
        return pixels[:, :, :3], 1 + value
    return pixels, 0


def _raw(picture: Picture, head: _Head, fourth: int) -> NDArray[Any]:
    """Rows of samples as they lie in the file; FormatError for a picture of another kind."""
    mode = "RGB" if fourth and head.bits == 32 else head.mode
    require(picture.mode == mode, f"a skeleton's bitmap needs a picture of mode {mode}")
    samples = picture.samples
    if head.bits <= 8:
        return samples
    if head.bits == 16:
        pixels = np.zeros(samples.shape[:2], np.uint16)
        for i, mask in enumerate(head.masks):
            shift = (mask & -mask).bit_length() - 1
            require(int(samples[:, :, i].max()) <= mask >> shift, "a picture has samples of too many bits")
            pixels |= samples[:, :, i].astype(np.uint16) << shift
        return pixels
    require(not fourth or head.bits == 32, "a skeleton's bitmap has no fourth channel")
    if fourth:
        samples = np.concatenate([samples, np.full((*samples.shape[:2], 1), fourth - 1, np.uint8)], axis=2)
    turned = np.empty_like(samples)
    turned[:, :, head.order] = samples
    return turned.reshape(head.height, -1)


def _expected(picture: Picture) -> bytes:
    """The head that a bitmap of such a picture has most often: BITMAPINFOHEADER, palette of blue, green, red, 0."""
    height, width = picture.shape[:2]
    palette = {"L": RAMP, "1": BLACK_WHITE, "P": picture.palette}.get(picture.mode, b"")
    colours = len(palette) // 3
    bits = (1 if colours <= 2 else 4 if colours <= 16 else 8) if palette else 32 if picture.mode == "RGBA" else 24
    entries = np.zeros((colours, 4), np.uint8)
    entries[:, 2::-1] = np.frombuffer(palette[: 3 * colours], np.uint8).reshape(-1, 3)
    start = 14 + INFO + 4 * colours
    size = -(-width * bits // 32) * 4 * height
    head = struct.pack("<2sIII", b"BM", (start + size) & 0xFFFFFFFF, 0, start)
    head += struct.pack("<IIIHHIIIIII", INFO, width & 0xFFFFFFFF, height & 0xFFFFFFFF, 1, bits, 0, size & 0xFFFFFFFF,
                        0, 0, 0, 0)  # fmt: skip
    return head + entries.tobytes()
