"""Files of the formats that carriers know, taken apart and closed again; and .rdz files with skeletons, restored.

`python -m fuzz.carriers` makes mutants of given files; here coverage leads, and checksums of PNG are put right.
"""

from __future__ import annotations

import gzip
import io
import random
import zlib
from collections.abc import Iterator
from contextlib import suppress

import numpy as np
from helpers.png_files import mended
from PIL import Image

from fuzz import seal
from rdzip.formats import container, packing
from rdzip.formats.batch import npy
from rdzip.formats.carriers import section
from rdzip.formats.carriers.carrier import NotCarriedError
from rdzip.formats.carriers.table import CARRIERS, carrier_of
from rdzip.pipeline.file import compress_file
from rdzip.pipeline.request import Compute, Request
from rdzip.pipeline.restore import outline, restore

CODE = "compiled"
MAX_LEN = 2048
MAX_PIXELS = 1 << 12
MAX_BYTES = 1 << 26


def files() -> Iterator[bytes]:
    """A small file of each format and of a few of its kinds."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 60, (6, 7, 3), np.uint8)
    image = Image.fromarray(pixels)
    modes = {mode: image.convert(mode) for mode in ("1", "L", "P", "RGBA", "CMYK")} | {"RGB": image}
    deep = Image.fromarray(pixels[..., 0].astype(np.uint16) * 300)
    kinds = [("PNG", mode, {}) for mode in ("1", "L", "P", "RGB", "RGBA")]
    kinds += [("TIFF", mode, {"compression": how}) for how in ("raw", "packbits", "tiff_lzw", "tiff_adobe_deflate")
              for mode in ("1", "RGB", "CMYK")]  # fmt: skip
    kinds += [("BMP", mode, {}) for mode in ("1", "L", "P", "RGB", "RGBA")]
    kinds += [("PPM", mode, {}) for mode in ("1", "L", "RGB")] + [("TGA", mode, {}) for mode in ("L", "P", "RGBA")]
    for kind, mode, options in kinds:
        out = io.BytesIO()
        modes[mode].save(out, kind, **options)
        yield out.getvalue()
    for options in ({}, {"progressive": True}, {"restart_marker_blocks": 1, "optimize": True}):
        for mode in ("L", "RGB", "CMYK"):
            out = io.BytesIO()
            modes[mode].resize((20, 18)).save(out, "JPEG", **options)
            yield out.getvalue()
    for kind in ("PNG", "TIFF"):
        out = io.BytesIO()
        deep.save(out, kind)
        yield out.getvalue()
    out = io.BytesIO()
    modes["RGB"].save(out, "PNG", save_all=True, append_images=[modes["RGB"].rotate(180)])
    yield out.getvalue()
    for dtype in ("|u1", ">i2", "<u4", "<f4"):
        yield npy.write_npy(pixels.astype(dtype))
    header = bytearray(352)
    header[:4], header[344:348] = (348).to_bytes(4, "little"), b"n+1\0"
    header[40:56] = np.array([3, 7, 6, 3, 1, 1, 1, 1], "<i2").tobytes()
    header[70:74], header[108:112] = np.array([2, 8], "<i2").tobytes(), np.array([352], "<f4").tobytes()
    nifti = bytes(header) + pixels.tobytes()
    yield nifti
    yield gzip.compress(nifti, mtime=0)
    cards = ("SIMPLE  =                    T", "BITPIX  =                    8", "NAXIS   =                    2",
             "NAXIS1  =                    7", "NAXIS2  =                    6", "END")  # fmt: skip
    yield "".join(card.ljust(80) for card in cards).encode().ljust(2880) + pixels[..., 0].tobytes().ljust(2880, b"\0")
    values = {0x0002: 1, 0x0010: 6, 0x0011: 7, 0x0100: 8, 0x0101: 8, 0x0102: 7, 0x0103: 0}
    body = b"\x28\0\4\0CS\x0c\0MONOCHROME2 "
    for element, value in values.items():
        body += b"\x28\0" + element.to_bytes(2, "little") + b"US\2\0" + value.to_bytes(2, "little")
    syntax = b"1.2.840.10008.1.2.1\0"
    meta = b"\2\0\x10\0UI" + len(syntax).to_bytes(2, "little") + syntax
    head = b"\2\0\0\0UL\4\0" + len(meta).to_bytes(4, "little") + meta
    samples = b"\xe0\x7f\x10\0OB\0\0" + (42).to_bytes(4, "little") + pixels[..., 0].tobytes()
    yield bytes(128) + b"DICM" + head + body + samples
    yield b"no picture at all"


def seeds() -> Iterator[bytes]:
    """The files, and what compress makes of them."""
    for data in files():
        for found in (data, compress_file(data, Request(codec="classic" if carrier_of(data) else None)).data):
            if len(found) <= MAX_LEN:
                yield found


def mutate(data: bytes, max_size: int, seed: int, mutate: seal.Mutate) -> bytes:
    """Of the bytes; of a .rdz file its parts, mostly the skeleton; of gzip mostly of what is inside."""
    rng = random.Random(seed)
    if data.startswith(container.SIGNATURE):
        return _mutate_rdz(data, max_size, seed, mutate) if rng.random() < 0.8 else mutate(data, max_size)
    if data[:3] == b"\x1f\x8b\x08" and rng.random() < 0.8:
        with suppress(OSError, EOFError, zlib.error):
            return gzip.compress(mutate(gzip.decompress(data), max_size), mtime=0)[:max_size]
    changed = mutate(data, max_size)
    return mended(changed) if data[:4] == b"\x89PNG" and rng.random() < 0.8 else changed


def _mutate_rdz(data: bytes, max_size: int, seed: int, mutate: seal.Mutate) -> bytes:
    try:
        parsed = container.unpack(data)
        found = section.read(parsed)
        assert found is not None
        plain = packing.unpack_bytes(found.packed)
    except Exception:
        return seal.mutate_rdz(data, max_size, seed, mutate)
    if random.Random(seed).random() < 0.4:
        return seal.mutate_rdz(data, max_size, seed, mutate)
    counted = found.groups != (1,)
    head = container.write_varint(2 * found.carrier.number + counted)
    if counted:
        head += b"".join(container.write_varint(count) for count in (len(found.groups), *found.groups))
    body = head + found.file_hash + b"\0" + mutate(plain or b"\0", len(plain) + 64)
    sections = [container.Section(one.type, body if one.type == 11 else one.body) for one in parsed.sections]
    return container.pack(parsed.header, sections)[:max_size]  # type: ignore[arg-type]


def one(data: bytes) -> None:
    """Restore a .rdz file; take any other apart and close it. What comes back are the same bytes."""
    if data.startswith(container.SIGNATURE):
        if len(data) % 8:
            data = seal.seal(data)
        compute = Compute(max_pixels=MAX_PIXELS, threads=1)
        with suppress(NotCarriedError):
            outline(data, compute)
        restore(data, compute)
        return
    row = carrier_of(data)
    if row is None:
        return
    try:
        opened = row.open(data)
    except NotCarriedError:
        return
    packed = packing.pack_value(opened.skeleton)
    assert CARRIERS[row.number].close(opened.pictures, packing.unpack_value(packed)) == data
