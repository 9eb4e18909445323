"""Training data that are arrays or sequences: .npy (also .xz), idx (also .gz) and the JSON of chorales."""

from __future__ import annotations

import gzip
import hashlib
import json
import lzma
from pathlib import Path
from typing import Any

import numpy as np
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
    try:
        if path.suffix == ".npy":
            return _checked(path, np.load(path, mmap_mode="r", allow_pickle=False))
        opened = gzip.open if path.suffix == ".gz" else lzma.open if path.suffix == ".xz" else open
        with opened(path, "rb") as file:
            start = file.read(4)
            file.seek(0)
            found: Any = _idx(file.read()) if start[:3] == b"\0\0\x08" else np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError, lzma.LZMAError) as error:
        why = "" if "pickle" in str(error) else f": {error}"  # numpy's advice to load it unsafely is none of ours
        raise InputError(f"{path}: expected images in .npy or idx format, found none{why}") from error
    return _checked(path, found)


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
