"""Arrays in .npy files, checked before memory is taken, and back to the same bytes."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from rdzip.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAGIC = b"\x93NUMPY"
_READERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


@dataclass(frozen=True)
class NpyFile:
    """The array of a .npy file, in C order, and whether the file stores it column first."""

    array: NDArray[Any]
    fortran: bool


def read_npy(data: bytes) -> NpyFile:
    """Return the array in a .npy file; InputError if it is none, truncated, of Python objects, or followed by bytes."""
    file = io.BytesIO(data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reader = _READERS.get(np.lib.format.read_magic(file))
            if reader is None:
                raise InputError("expected a .npy file of version 1 or 2, found another: save the array again")
            shape, fortran, dtype = reader(file)
    except InputError:
        raise
    except Exception as error:  # numpy raises many kinds for hostile headers
        raise InputError(
            f"expected a .npy file, found one with a bad header ({' '.join(str(error).split())[:80]})"
        ) from (error)
    if dtype.hasobject or dtype.names is not None or dtype.subdtype is not None or not dtype.itemsize:
        raise InputError(f"expected an array of numbers, found {str(dtype)[:40]}: convert it to uint8 first")
    start, expected = file.tell(), prod(shape) * dtype.itemsize
    if len(data) - start != expected:
        what = "truncated" if len(data) - start < expected else "followed by other bytes"
        raise InputError(
            f"the .npy file is {what}: expected {expected} bytes of samples for {list(shape)} of {dtype}, found "
            f"{len(data) - start}"
        )
    flat = np.frombuffer(data, dtype, offset=start)
    array = flat.reshape(shape[::-1]).transpose() if fortran else flat.reshape(shape)
    return NpyFile(np.ascontiguousarray(array), bool(fortran))


def write_npy(array: NDArray[Any], *, fortran: bool = False) -> bytes:
    """Return the .npy file of an array, with the header that numpy writes."""
    out = io.BytesIO()
    np.lib.format.write_array(out, np.asfortranarray(array) if fortran else np.ascontiguousarray(array))
    return out.getvalue()
