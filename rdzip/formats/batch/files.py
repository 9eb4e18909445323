"""Files of many items to batches and back: arrays (.npy), sequences (.npz, .json)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rdzip.errors import CoderError, FormatError, InputError
from rdzip.formats.batch import items as batch
from rdzip.formats.batch import npy, npz
from rdzip.formats.batch.header import Form
from rdzip.system import limits

if TYPE_CHECKING:
    from rdzip.formats.batch.items import Batch

_ZIP = b"PK"
SUFFIXES = {Form.NPY: ".npy", Form.NPZ: ".npz", Form.JSON: ".json"}


@dataclass(frozen=True)
class WrittenBatch:
    """A file of many items: its bytes and the suffix that suits it."""

    data: bytes
    suffix: str


def read_ways(data: bytes, *, max_pixels: int | None = None) -> list[Batch] | None:
    """Return the ways to see a file's samples as items, the likelier first; None if it is no file of many items.

    Raises InputError for one that cannot be used, or with more than `max_pixels` pixels (limits.MAX_PIXELS when None).
    """
    limit = limits.MAX_PIXELS if max_pixels is None else max_pixels
    if data.startswith(npy.MAGIC):
        file = npy.read_npy(data)
        ways = batch.of_array(file.array, fortran=file.fortran, source_bytes=len(data))
    elif data.startswith(_ZIP) or data[:64].lstrip()[:1] in (b"[", b"{"):
        read = npz.read_sequences(data, "the file", limit)
        form = Form.NPZ if read.side[0] == npz.NPZ else Form.JSON
        ways = [batch.of_sequences(read.items, form=form, side=read.side, source_bytes=len(data))]
    else:
        return None
    pixels = ways[0].pixels
    if pixels > limit:
        raise InputError(f"the file has {pixels} pixels in all, at most {limit} are allowed: raise --max-pixels")
    return ways


def write_items(items: Batch) -> WrittenBatch:
    """Return the items in the form that they came in; InputError for images, which are files of their own."""
    if items.form == Form.NPY:
        return WrittenBatch(npy.write_npy(items.array(), fortran=items.fortran), SUFFIXES[items.form])
    if not items.sequences:
        raise InputError("expected an array, found images: write them to a folder")
    try:
        data = npz.write_sequences(npz.Sequences(items.samples, np.array(items.lengths, np.int64), items.side))
    except CoderError as error:
        raise FormatError(f"{error}; get another copy") from error
    return WrittenBatch(data, SUFFIXES[items.form])
