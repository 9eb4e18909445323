"""Whole files of batches: arrays, images, sequences, with and without models; and writing what they hold."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from fuzz import seal, tiny, valid_many
from rdzip.formats.batch import files as batch_files
from rdzip.formats.images.write import write_picture
from rdzip.pipeline.batch_decompress import decompress_batch
from rdzip.pipeline.request import Compute

CODE = "compiled"
MAX_LEN = 1024
MAX_PIXELS = 4096
CLAIMS = 16
SEEDS = 150


def seeds() -> Iterator[bytes]:
    """Valid files of fuzz.valid_many."""
    for number in range(SEEDS):
        made = valid_many.made_batch(number)
        if len(made.data) <= MAX_LEN:
            yield made.data


def mutate(data: bytes, max_size: int, seed: int, mutate: seal.Mutate) -> bytes:
    """Of a file's parts."""
    return seal.mutate_rdz(data, max_size, seed, mutate)


def one(data: bytes) -> None:
    """Decode all items, then the first alone; write them."""
    if len(data) % 8:
        data = seal.seal(data)
    # few pixels, so that inputs are quick; of one in CLAIMS what rdzip allows by default
    most = MAX_PIXELS if zlib.crc32(data) % CLAIMS else None
    with tiny.known():
        found = decompress_batch(data, Compute(max_pixels=most, threads=1)).batch
        part = decompress_batch(data, Compute(max_pixels=most, threads=1), items=[0]).batch
    assert part.count == 1
    for some in (found, part):
        if some.names:
            for _, picture in some.pictures():
                write_picture(picture, "PNG")
        else:
            batch_files.write_items(some)
