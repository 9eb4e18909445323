"""PNG files as rdzip takes them apart: chunks, 16-bit samples, palettes, what is kept of chunks as metadata."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from contextlib import suppress

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from fuzz import seal
from rdzip.codecs.classic import png
from rdzip.codecs.classic.png import PngError
from rdzip.errors import RdzipError
from rdzip.formats import metadata
from rdzip.formats.images.read import read_picture
from rdzip.formats.images.write import write_picture

CODE = "python"
MAX_LEN = 2048
MAX_PIXELS = 1 << 12


def seeds() -> Iterator[bytes]:
    """Files of every colour type and depth, with chunks of many kinds."""
    rng = np.random.default_rng(0)
    text = PngInfo()
    text.add_text("Comment", "a test")
    text.add_itxt("Title", "é", "de", "Titel", zip=True)
    text.add(b"cICP", bytes([9, 16, 0, 1]))
    for mode, channels in (("1", 0), ("L", 0), ("LA", 2), ("RGB", 3), ("RGBA", 4)):
        samples = rng.integers(0, 256, (3, 5, channels) if channels else (3, 5)).astype(np.uint8)
        image = Image.fromarray(samples, "L" if mode == "1" else mode).convert(mode)
        out = io.BytesIO()
        image.save(out, "PNG", pnginfo=text, dpi=(72, 72), exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0")
        yield out.getvalue()
    for colours, extra in ((2, {}), (16, {"transparency": 3}), (200, {"transparency": bytes(range(200))})):
        image = Image.fromarray((np.arange(256, dtype=np.uint8) % colours).reshape(16, 16), "P")
        image.putpalette(bytes(range(3 * 85)) * 3)
        out = io.BytesIO()
        image.save(out, "PNG", optimize=True, **extra)
        yield out.getvalue()
    for channels, kind in ((1, 0), (2, 4), (3, 2), (4, 6)):
        samples = rng.integers(0, 1 << 16, (3, 4, channels)).astype(np.uint16)
        rows = png.filter_rows(samples[:, :, 0] if channels == 1 else samples)
        chunks = [png.header(3, 4, 16, kind), (b"tRNS", bytes(6)), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
        yield png.write_chunks(chunks)
    for depth in (1, 2, 4):
        rows = b"".join(b"\0" + bytes(-(-5 * depth // 8)) for _ in range(3))
        yield png.write_chunks(
            [png.header(3, 5, depth, 0), (b"gAMA", bytes(4)), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
        )


def one(data: bytes) -> None:
    """Read chunks, the picture, its metadata; what was read can be written."""
    if len(data) % 8:
        data = seal.seal_png(data)
    with suppress(PngError):
        chunks = png.read_chunks(data)
        assert data.startswith(png.write_chunks(chunks))
        for mode in ("L", "P", "RGB", "RGBA;16", "1"):
            with suppress(RdzipError):
                metadata.info_of({"png": [list(chunk) for chunk in chunks]}, mode)
    picture = read_picture(data, max_pixels=MAX_PIXELS)
    packed = metadata.pack(picture.metadata)
    assert metadata.pack(metadata.unpack(packed)) == packed
    with suppress(RdzipError):
        write_picture(picture, "PNG")
