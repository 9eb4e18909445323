"""Training images: a folder, or an array of images, split into those to train on and those held out."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rdzip.errors import InputError
from rdzip.train.data import arrays
from rdzip.train.data.decoded import SUFFIXES, Decoded, decoded

HELD_OUT = 10
"""Of a folder or array without held-out images, one of so many is held out."""


@dataclass(frozen=True)
class ImageFolder:
    """Images uint8 [h, w, 3] with their names, the names of those that cannot be used and why, a hash of the files,
    and whether all images are grey."""

    images: list[NDArray[np.uint8]]
    names: list[str]
    skipped: list[str]
    sha256: str
    grey: bool = False


def read_folder(folder: Path, smallest: int) -> ImageFolder:
    """Every image below a folder, in order of path; unreadable ones and those under ``smallest`` pixels on a side are
    skipped and named. Raises InputError if nothing is left."""
    return _usable(folder, decoded(folder), smallest)


def _usable(folder: Path, found: Decoded, smallest: int) -> ImageFolder:
    large = [min(image.shape[:2]) >= smallest for image in found.images]
    kept = [i for i, enough in enumerate(large) if enough]
    small = [f"{name}: smaller than {smallest} pixels" for name, enough in zip(found.names, large, strict=True)
             if not enough]  # fmt: skip
    skipped = sorted(found.skipped + small)
    if not kept:
        why = f": {skipped[0]}" if skipped else f" ({', '.join(sorted(SUFFIXES))})"
        raise InputError(f"{folder}: expected a folder with images, found none usable{why}")
    digest = hashlib.sha256(b"".join(bytes.fromhex(found.digests[i]) for i in kept)).hexdigest()
    return ImageFolder([found.images[i] for i in kept], [found.names[i] for i in kept], skipped, digest,
                       all(found.grey[i] for i in kept))  # fmt: skip


def read_split(data: Path, smallest: int) -> tuple[ImageFolder, ImageFolder | None]:
    """Training images of a folder or an array file, and held-out ones.

    Held out are those in valid/ where the folder has train/ and valid/, else every tenth image in order of the hashes
    of files (of an array: at its end), if there are ten. Raises InputError if there are no images.
    """
    if data.is_file():
        return _of_array(data, smallest)
    if not data.is_dir():
        raise InputError(f"`data`: expected a folder of images or an array of them (.npy), found {data}")
    if (data / "train").is_dir():
        held_out = data / "valid"
        training = read_folder(data / "train", smallest)
        return training, read_folder(held_out, smallest) if held_out.is_dir() else None
    found = decoded(data)
    usable = _usable(data, found, smallest)
    count = len(usable.images) // HELD_OUT
    if not count:
        return usable, None
    digests = dict(zip(found.names, found.digests, strict=True))
    order = sorted(range(len(usable.images)), key=lambda i: digests[usable.names[i]])
    held, kept = sorted(order[:count]), sorted(order[count:])
    return _part(usable, kept, usable.skipped), _part(usable, held, [])


def _part(whole: ImageFolder, which: Sequence[int], skipped: list[str]) -> ImageFolder:
    return ImageFolder([whole.images[i] for i in which], [whole.names[i] for i in which], skipped, whole.sha256,
                       whole.grey)  # fmt: skip


def _of_array(data: Path, smallest: int) -> tuple[ImageFolder, ImageFolder | None]:
    samples = arrays.read_samples(data)
    if min(samples.shape[1:3]) < smallest:
        raise InputError(f"{data}: expected images of at least {smallest} pixels a side, found {list(samples.shape)}")
    if samples.ndim == 3:
        samples = samples[..., None]
    if samples.shape[3] not in (1, 3):
        raise InputError(f"{data}: expected images of 1 or 3 channels, found {list(samples.shape)}")
    images = [np.broadcast_to(image, (*image.shape[:2], 3)) for image in samples]
    names = [f"{data.name}[{i}]" for i in range(len(images))]
    whole = ImageFolder(images, names, [], arrays.sha256(data), samples.shape[3] == 1)
    kept = len(images) - len(images) // HELD_OUT
    training = _part(whole, range(kept), [])
    return training, _part(whole, range(kept, len(images)), []) if kept < len(images) else None
