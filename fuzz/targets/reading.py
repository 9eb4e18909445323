"""Inputs of compress that rdzip reads by itself: arrays, sequences as .npz, and TIFF's tags through Pillow."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Iterator
from contextlib import suppress

import numpy as np
from PIL import Image, TiffImagePlugin

from fuzz import seal
from rdzip.errors import InputError
from rdzip.formats import metadata
from rdzip.formats.batch import files as batch_files
from rdzip.formats.batch import npy, npz
from rdzip.formats.images.read import read_picture

CODE = "python"
MAX_LEN = 2048
MAX_PIXELS = 1 << 12


def seeds() -> Iterator[bytes]:
    """Files of every kind."""
    rng = np.random.default_rng(0)
    for dtype in ("|b1", "|u1", "<u2", ">u2", "<i4", ">f4"):
        for shape in ((2, 3), (2, 3, 4), (2, 3, 4, 3), (3, 4, 2)):
            array = rng.integers(0, 2, shape).astype(dtype)
            yield npy.write_npy(array)
            yield npy.write_npy(array, fortran=True)
    for kind in ("<i8", "|u1"):
        out = io.BytesIO()
        np.savez(out, data=np.eye(5, 4, dtype=np.uint8), lengths=np.array([3, 0, 2], kind))
        yield out.getvalue()
    for mode in ("1", "L", "RGB", "RGBA", "I;16", "F", "P", "CMYK", "YCbCr", "LAB"):
        image = Image.new("RGB", (3, 2), (1, 2, 3)).convert("L" if mode == "I;16" else "RGB" if mode == "LAB" else mode)
        if mode == "I;16":
            image = Image.fromarray(np.arange(6, dtype=np.uint16).reshape(2, 3))
        info = TiffImagePlugin.ImageFileDirectory_v2()
        info[270], info[305], info[33432] = "a test", "rdzip", "nobody"
        for compression in ("raw", "tiff_adobe_deflate", "packbits"):
            out = io.BytesIO()
            with suppress(OSError, KeyError):
                image.save(
                    out,
                    "TIFF",
                    compression=compression,
                    dpi=(72, 72),
                    tiffinfo=info,
                    exif=b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0",
                )
                yield out.getvalue()


def mutate(data: bytes, max_size: int, seed: int, mutate: seal.Mutate) -> bytes:
    """Of the bytes; of an .npz, mostly of what a member holds, so that its checksum is right."""
    rng = random.Random(seed)
    if not data.startswith(b"PK") or rng.random() < 0.3:
        return mutate(data, max_size)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            members = {name: file.read(name) for name in file.namelist()}
    except Exception:
        return mutate(data, max_size)
    if not members:
        return mutate(data, max_size)
    name = rng.choice(list(members))
    members[name] = mutate(members[name] or b"\0", len(members[name]) + 64)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name, body in members.items():
            file.writestr(name, body)
    return out.getvalue()[:max_size]


def one(data: bytes) -> None:
    """Read as items and as a picture. What is read as an array is what numpy reads."""
    with suppress(InputError):
        readings = batch_files.readings_of(data, max_pixels=MAX_PIXELS)
        for reading in readings or []:
            written = batch_files.write_items(reading).data
            if data.startswith(npy.MAGIC):
                array = npy.read_npy(data).array
                assert array.dtype == bool or np.load(io.BytesIO(written)).tobytes() == array.tobytes()
            else:
                steps, lengths = npz.read_sequences(written, "it")
                assert (lengths.dtype.str, lengths.tolist()) == (reading.length_dtype, reading.lengths)
                assert np.array_equal(steps, reading.samples)
    picture = read_picture(data, max_pixels=MAX_PIXELS)
    packed = metadata.pack(picture.metadata)
    assert metadata.pack(metadata.unpack(packed)) == packed
