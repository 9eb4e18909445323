"""Training data that are arrays or sequences: .npy (also .xz), idx (also .gz) and the JSON of chorales."""

from __future__ import annotations

import gzip
import hashlib
import json
import lzma
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib.format import MAGIC_PREFIX, read_array_header_1_0, read_array_header_2_0, read_magic
from numpy.typing import NDArray

from rdzip.errors import InputError

Samples = NDArray[np.uint8]
LOWEST_NOTE = 21
NOTES = 88
"""Keys of a piano: MIDI notes 21 to 108."""


def sha256(path: Path) -> str:
    """SHA-256 of a file, hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 22):
            digest.update(piece)
    return digest.hexdigest()


def read_samples(path: Path) -> Samples:
    """Images uint8 [n, h, w] or [n, h, w, c] of a .npy (mapped into memory), .npy.xz, idx or idx .gz file; InputError
    for anything else."""
    opened: Any = gzip.open if path.suffix == ".gz" else lzma.open if path.suffix == ".xz" else open
    try:
        with opened(path, "rb") as file:
            start = file.read(len(MAGIC_PREFIX))
            file.seek(0)
            if start == MAGIC_PREFIX:
                return _checked(path, _npy(path, file))
            if start[:3] == b"\0\0\x08":
                return _checked(path, _idx(file.read()))
    except (OSError, ValueError, EOFError, lzma.LZMAError) as error:
        raise InputError(f"{path}: expected images in .npy or idx format, found none: {error}") from error
    raise InputError(f"{path}: expected images in .npy or idx format, found none")


def _npy(path: Path, file: IO[bytes]) -> NDArray[Any]:
    """Array of an open .npy file, mapped into memory where the path is that of the array itself."""
    version = read_magic(file)
    dtype = (read_array_header_1_0 if version == (1, 0) else read_array_header_2_0)(file)[2]
    if dtype.hasobject:
        raise InputError(f"{path}: expected uint8 samples, found Python objects")
    file.seek(0)
    mapped = path.suffix == ".npy"
    found: NDArray[Any] = np.load(path if mapped else file, mmap_mode="r" if mapped else None, allow_pickle=False)
    return found


def _checked(path: Path, found: Any) -> Samples:
    if not isinstance(found, np.ndarray) or found.dtype != np.uint8 or found.ndim not in (3, 4) or not found.size:
        raise InputError(f"{path}: expected uint8 [n, h, w] or [n, h, w, c], found {_described(found)}")
    return found


def _idx(data: bytes) -> Samples:
    """Array of an idx file of bytes (magic 0 0 8 d, then d sizes of 4 bytes, big-endian)."""
    sizes = np.frombuffer(data, ">u4", data[3], 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(sizes)


def _described(found: object) -> str:
    return f"{found.dtype} {list(found.shape)}" if isinstance(found, np.ndarray) else type(found).__name__


def read_sequences(path: Path, split: str) -> list[Samples]:
    """Binary piano rolls uint8 [steps, 88] of one split of a JSON file {split: [[[note, ...], ...], ...]}."""
    try:
        found = json.loads(path.read_text("utf-8"))[split]
        rolls = []
        for sequence in found:
            roll = np.zeros((len(sequence), NOTES), np.uint8)
            for step, notes in enumerate(sequence):
                roll[step, [note - LOWEST_NOTE for note in notes]] = 1
            rolls.append(roll)
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise InputError(f"{path}: expected JSON with lists of MIDI notes under {split!r}: {error!r}") from error
    return rolls
