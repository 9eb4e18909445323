"""Samples from .npy files: vectors, or images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdzip.bounds.sources.finite import FiniteSource, split
from rdzip.errors import InputError

FEWEST = 8
"""Of vectors: then at least two are held out, which give an interval."""
MAGIC = b"\x93NUMPY"


def array_file(path: Path, seed: int, held_out: float) -> FiniteSource:
    """Return the samples of a .npy file as a source, parted at random.

    Vectors [n, dim] or numbers [n] of any real kind; images [n, h, w] or [n, h, w, c], c <= 4, of bytes, or of floats
    in 0..1. Raises InputError.
    """
    samples = read_array(path)
    shape = list(samples.shape)
    if samples.ndim == 1:
        samples = samples[:, None]
    elif samples.ndim == 3:
        samples = samples[..., None]
    if samples.ndim not in (2, 4) or (samples.ndim == 4 and samples.shape[-1] > 4):
        raise InputError(
            f"{path}: expected vectors [n, dim] or images [n, height, width] or [n, height, width, channels], found an "
            f"array of shape {shape}"
        )
    if samples.ndim == 2:
        if samples.size and len(samples) < FEWEST:
            raise InputError(
                f"{path}: expected at least {FEWEST} samples, found {len(samples)}: some to fit with, some to hold out"
            )
        samples = samples.astype(np.float64)
    elif samples.dtype != np.uint8 and samples.size and (np.nanmin(samples) < 0 or np.nanmax(samples) > 1):
        raise InputError(
            f"{path}: expected images of bytes, or of floats in 0..1, found {samples.dtype} from "
            f"{np.nanmin(samples):g} to {np.nanmax(samples):g}"
        )
    return split(path.name, samples, seed, held_out)


def read_array(path: Path) -> NDArray[Any]:
    """Return the array of real numbers in a .npy file; InputError for anything else."""
    try:
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise InputError(f"{path}: expected a .npy file of numbers, found something else")
        array = np.load(path, allow_pickle=False)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except (OSError, ValueError, EOFError, MemoryError) as error:
        raise InputError(f"{path}: expected a .npy file of numbers: {' '.join(str(error).split())[:80]}") from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu" or not array.ndim:
        found = f"{array.dtype} {list(array.shape)}" if isinstance(array, np.ndarray) else "several arrays"
        raise InputError(f"{path}: expected an array of real numbers, found {found[:60]}")
    return array
