"""Files of many items to batches and back: arrays (.npy), sequences (.npz)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rdzip.errors import InputError
from rdzip.formats.batch import npy, npz
from rdzip.formats.batch.header import Form
from rdzip.formats.batch.items import Batch, of_array, of_sequences
from rdzip.system import limits

_ZIP = b"PK"
SUFFIXES = {Form.NPY: ".npy", Form.NPZ: ".npz"}


@dataclass(frozen=True)
class WrittenBatch:
    """A file of many items: its bytes and the suffix that suits it."""

    data: bytes
    suffix: str


def readings_of(data: bytes, *, max_pixels: int | None = None) -> list[Batch] | None:
    """Return the ways to see a file's samples as items, the likelier first; None if it is no file of many items.

    Raises InputError for one that cannot be used, or with more than `max_pixels` pixels (limits.MAX_PIXELS when None).
    """
    limit = limits.MAX_PIXELS if max_pixels is None else max_pixels
    if data.startswith(npy.MAGIC):
        file = npy.read_npy(data)
        readings = of_array(file.array, fortran=file.fortran, source_bytes=len(data))
    elif data.startswith(_ZIP):
        steps, lengths = npz.read_sequences(data, "the file", limit)
        items = np.split(steps, np.cumsum(lengths.astype(np.int64))[:-1]) if len(lengths) else []
        readings = [of_sequences(items, length_dtype=lengths.dtype.str, source_bytes=len(data))]
    else:
        return None
    pixels = readings[0].pixels
    if pixels > limit:
        raise InputError(f"the file has {pixels} pixels in all, at most {limit} are allowed: raise `max_pixels`")
    return readings


def write_items(items: Batch) -> WrittenBatch:
    """Return the items in the form that they came in; InputError for images, which are files of their own."""
    if items.form == Form.NPY:
        return WrittenBatch(npy.write_npy(items.array(), fortran=items.fortran), SUFFIXES[items.form])
    if not items.sequences:
        raise InputError("expected an array, found images: write them to a folder")
    data = npz.write_sequences(items.samples, items.lengths, items.length_dtype)
    return WrittenBatch(data, SUFFIXES[items.form])
