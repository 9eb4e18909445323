"""Images as a benchmark takes them: RGB of 8 bits, whatever they were."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rdzip.errors import InputError
from rdzip.exact.types import Pixels
from rdzip.formats.images.read import read_picture
from rdzip.formats.images.write import to_image
from rdzip.formats.modes import BY_NAME


@dataclass(frozen=True)
class Item:
    """An image of a benchmark: its file, what it is called in records, its height and width, and its mode."""

    path: str
    name: str
    shape: tuple[int, int]
    mode: str

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return self.shape[0] * self.shape[1]


def read(path: str | Path) -> tuple[Pixels, str]:
    """Return an image file's pixels as RGB, uint8 [h, w, 3], and the mode that it has.

    Alpha and metadata are left out. Raises InputError for what is no image, or has more than 8 bits a sample.
    """
    picture = read_picture(Path(path))
    if BY_NAME[picture.mode].dtype != "u1":
        raise InputError(f"expected 8 bits a sample, which all codecs have, found {picture.mode}; convert it first")
    image = to_image(picture)
    image.info.pop("transparency", None)  # left out too; with it Pillow warns of what becomes of it
    return np.asarray(image.convert("RGB")), picture.mode


def items(paths: list[tuple[Path, str]]) -> tuple[list[Item], list[tuple[str, Exception]]]:
    """Read every file (its path and name) once; return the images, and those that cannot be used and why."""
    found: list[Item] = []
    failed: list[tuple[str, Exception]] = []
    for path, name in paths:
        try:
            pixels, mode = read(path)
        except InputError as error:
            failed.append((name, error))
        else:
            found.append(Item(str(path), name, (pixels.shape[0], pixels.shape[1]), mode))
    return found, failed
