"""Files of sequences, read and written: .npz with ``data`` uint8 [steps of all, dims] and ``lengths`` int [n]."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from rdzip.errors import InputError
from rdzip.formats.batch import npy
from rdzip.formats.batch.header import LENGTH_DTYPES
from rdzip.system import limits

_SPARE = 1 << 22  # bytes of an .npz beside its samples


def read_sequences(
    data: bytes, name: str, max_samples: int = limits.MAX_PIXELS
) -> tuple[NDArray[np.uint8], NDArray[np.integer]]:
    """Steps of all sequences uint8 [steps, dims], and lengths [n] of the file's type, of the bytes of an .npz.

    InputError, with ``name``, for anything that is no file of sequences, and for one that unpacks to more than
    ``max_samples`` bytes and what its heads may take.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            size = sum(member.file_size for member in file.infolist())
            if size > max_samples + _SPARE:
                raise InputError(
                    f"{size} bytes unpacked, {max_samples} samples at most are allowed: raise `max_pixels`"
                )
            names = sorted(file.namelist())
            if names == ["data.npy", "lengths.npy"]:
                rolls, lengths = (npy.read_npy(file.read(member)).array for member in names)
    except InputError as error:
        raise InputError(f"{name}: {error}") from error
    except Exception as error:  # zipfile raises many kinds: BadZipFile, zlib.error, UnicodeDecodeError, ...
        raise InputError(f"{name}: expected an .npz of arrays, found one that cannot be unpacked ({error})") from error
    if names != ["data.npy", "lengths.npy"]:
        raise InputError(f"{name}: expected the arrays data and lengths, found {', '.join(names)[:80] or 'none'}")
    if rolls.dtype != np.uint8 or rolls.ndim != 2 or not rolls.shape[1]:
        raise InputError(f"{name}: expected data of uint8 [steps, dims], found {rolls.dtype} {list(rolls.shape)}")
    lengths = lengths.astype(lengths.dtype.newbyteorder("<"), copy=False)
    if lengths.dtype.str not in LENGTH_DTYPES or lengths.ndim != 1:
        raise InputError(f"{name}: expected lengths of whole numbers [n], found {lengths.dtype} {list(lengths.shape)}")
    if any(n < 0 for n in lengths.tolist()) or sum(lengths.tolist()) != len(rolls):
        raise InputError(f"{name}: expected lengths that sum to the {len(rolls)} steps of data, found other lengths")
    return np.ascontiguousarray(rolls), lengths


def write_sequences(data: NDArray[np.uint8], lengths: Sequence[int], dtype: str) -> bytes:
    """Bytes of an .npz of steps [steps, dims] and of lengths of this type (of LENGTH_DTYPES, which they must fit)."""
    out = io.BytesIO()
    np.savez(out, data=data, lengths=np.array(lengths, dtype))
    return out.getvalue()
