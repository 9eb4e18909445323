"""Images of a folder as a source: whole ones of equal size, or squares cut from them."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rdzip.bounds.sources.finite import FiniteSource, split
from rdzip.errors import InputError
from rdzip.exact.types import Pixels
from rdzip.system.atomic import not_a_file
from rdzip.train.data.decoded import FORMATS

SUFFIXES = {".png", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".pgm", ".pnm", ".gif", ".jpg", ".jpeg", ".jp2", ".qoi"}
GREY = {"1", "L", "LA"}
UNREADABLE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)

_log = logging.getLogger(__name__)


def image_folder(folder: Path, seed: int, held_out: float, crop: int | None) -> FiniteSource:
    """Return the images of a folder (not of those in it) as a source: RGB, or grey if all are; alpha is left out.

    Images must be of one size, unless crop is given: then training draws squares of that side anywhere, and the squares
    that tile each held-out image, its margin left out evenly, are held out. Raises InputError.
    """
    arrays = _read(folder)
    if crop is not None:
        return CroppedImages(folder.name, arrays, seed, held_out, crop)
    first_name, first = next(iter(arrays.items()))
    for name, array in arrays.items():
        if array.shape != first.shape:
            raise InputError(
                f"{folder}: expected images of one size, found {_size(first)} ({first_name}) and {_size(array)} "
                f"({name}): make them equal, or cut squares from them (`crop=SIDE`)"
            )
    return split(folder.name, np.stack(list(arrays.values())), seed, held_out)


class CroppedImages(FiniteSource):
    """Squares of images uint8 [h, w, c] by name; `split` of whole images, so that no square is in both parts."""

    def __init__(self, name: str, arrays: dict[str, Pixels], seed: int, held_out: float, side: int) -> None:
        """Cut squares of images; InputError if there are none.

        - name: of the source
        - arrays: the images by name
        - seed: of the split and the places of the squares
        - held_out: share of the images that is kept for measuring
        - side: of the squares, in pixels
        """
        if side < 1:
            raise InputError(f"{name}: expected squares of at least 1 pixel a side, found {side}")
        for file, array in arrays.items():
            if min(array.shape[:2]) < side:
                raise InputError(f"{name}: expected images of at least {side} x {side}, found {_size(array)} ({file})")
        images = list(arrays.values())
        kept = max(1, round(len(images) * held_out))
        if len(images) - kept < 1:
            raise InputError(
                f"{name}: expected at least 2 images, found {len(images)}: one to fit with, one to hold out"
            )
        order = np.random.default_rng(seed).permutation(len(images)).tolist()
        self._images = [images[i] for i in order[kept:]]
        self._side = side
        tiles = [[tile for i in part for tile in _tiles(images[i], side)] for part in (order[kept:], order[:kept])]
        super().__init__(name, np.stack(tiles[0]), np.stack(tiles[1]))

    def train(self, n: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Squares [n, side, side, c] from anywhere in training images, these in proportion to where squares fit."""
        places = np.array([[i.shape[0] - self._side + 1, i.shape[1] - self._side + 1] for i in self._images])
        areas = places.prod(1)
        chosen = rng.choice(len(self._images), size=n, p=areas / areas.sum())
        corners = rng.integers(0, places[chosen])
        squares = np.empty((n, *self.shape), np.float32)
        for square, image, (top, left) in zip(squares, chosen, corners, strict=True):
            square[:] = self._images[image][top : top + self._side, left : left + self._side]
        squares /= np.float32(255)
        return squares


def _tiles(image: Pixels, side: int) -> list[Pixels]:
    tops, lefts = (range(length % side // 2, length - side + 1, side) for length in image.shape[:2])
    return [image[top : top + side, left : left + side] for top in tops for left in lefts]


def _read(folder: Path) -> dict[str, Pixels]:
    files = []
    for file in sorted(file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES):
        if why := not_a_file(file):
            _log.info("%s is left out: it is %s", file, why)
        else:
            files.append(file)
    if not files:
        raise InputError(f"{folder}: expected images, found none ({', '.join(sorted(SUFFIXES))})")
    grey = all(_mode(file) in GREY for file in files)
    return {file.name: _pixels(file, "L" if grey else "RGB") for file in files}


def _mode(file: Path) -> str:
    try:
        with Image.open(file, formats=FORMATS) as image:
            mode: str = image.mode
            return mode
    except UNREADABLE as error:
        raise InputError(f"{file}: expected an image, found none that can be read") from error


def _pixels(file: Path, mode: str) -> Pixels:
    try:
        with Image.open(file, formats=FORMATS) as image:
            if image.mode.startswith(("I", "F")):
                raise InputError(f"{file}: expected samples of 8 bits, found mode {image.mode}: make an .npy of floats")
            pixels: Pixels = np.asarray(image.convert(mode))
    except UNREADABLE as error:
        raise InputError(f"{file}: expected an image, found one that is truncated or damaged") from error
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _size(array: NDArray[Any]) -> str:
    return f"{array.shape[1]} x {array.shape[0]}"
