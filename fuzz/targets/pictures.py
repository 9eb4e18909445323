"""Whole files of pictures: modes, palettes, arrangements, alpha, near-lossless, all codecs; and writing what they hold.

The codecs' payloads have targets of their own; here numba compiles.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from fuzz import seal, tiny, valid
from rdzip.errors import RdzipError
from rdzip.formats.images.write import write_picture
from rdzip.pipeline.decompress import decompress
from rdzip.pipeline.request import Compute

CODE = "compiled"
MAX_LEN = 1024
MAX_PIXELS = 256
CLAIMS = 16
SEEDS = 300


def seeds() -> Iterator[bytes]:
    """Valid files of fuzz.valid."""
    for number in range(SEEDS):
        made = valid.picture(number)
        if len(made.data) <= MAX_LEN:
            yield made.data


def mutate(data: bytes, max_size: int, seed: int, mutate: seal.Mutate) -> bytes:
    """Of a file's parts."""
    return seal.mutate_rdz(data, max_size, seed, mutate)


def one(data: bytes) -> None:
    """Decode, and write an image file."""
    if len(data) % 8:
        data = seal.seal(data)
    # few pixels, so that inputs are quick; of one in CLAIMS what rdzip allows by default
    most = MAX_PIXELS if zlib.crc32(data) % CLAIMS else None
    with tiny.known():
        picture = decompress(data, Compute(max_pixels=most, threads=1)).picture
    for name in (None, "PNG", "TIFF", "WEBP") if picture.samples.size <= 4 * MAX_PIXELS else ():
        try:
            write_picture(picture, name)
        except RdzipError:
            continue
