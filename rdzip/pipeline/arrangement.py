"""How a picture's samples become planes and come back: grey coded once, palette colours, alpha apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rdzip.errors import CoderError, FormatError
from rdzip.formats.header import Arrangement
from rdzip.formats.modes import BY_NAME
from rdzip.system.strips import STRIP, strips

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rdzip.formats.images.picture import Picture


def is_grey(samples: NDArray[Any]) -> bool:
    """Return whether the first three channels of [h, w, 3..4] are equal everywhere."""
    for s in strips(samples):
        strip = samples[s]
        if not (np.array_equal(strip[:, :, 0], strip[:, :, 1]) and np.array_equal(strip[:, :, 0], strip[:, :, 2])):
            return False
    return True


def histogram(samples: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return how often each value of uint8 samples [h, w] occurs: int64 [256]."""
    counts = np.zeros(256, np.int64)
    for s in strips(samples):
        counts += np.bincount(samples[s].reshape(-1), minlength=256)
    return counts


def arrange(picture: Picture) -> tuple[Arrangement, NDArray[Any]]:
    """Return the arrangement to code and its samples: those of the picture, or the first channel (and alpha) of a grey
    one.
    """
    samples = picture.samples
    if picture.mode in ("RGB", "RGBA", "RGB;16", "RGBA;16") and is_grey(samples):
        return Arrangement.GREY_ONCE, np.ascontiguousarray(
            samples[:, :, 0] if samples.shape[2] == 3 else samples[:, :, [0, 3]]
        )
    return Arrangement.PLAIN, samples


def arranged_shape(mode: str, height: int, width: int, arrangement: int, palette_mode: str) -> tuple[int, ...]:
    """Return the shape of what the sections hold together: [h, w] or [h, w, c]; FormatError if the mode forbids it.

    - mode: of the picture as it is coded
    - height, width: of the picture
    - arrangement: number in the header
    - palette_mode: mode of the palette's entries, "" without one
    """
    channels = BY_NAME[mode].channels
    if arrangement == Arrangement.GREY_ONCE:
        if channels < 3 or not mode.startswith("RGB"):
            raise FormatError(f"header is inconsistent: mode {mode} has no grey coded once; the file is corrupt")
        channels -= 2
    elif arrangement == Arrangement.TWO_LEVELS:
        if mode != "L":
            raise FormatError(f"header is inconsistent: mode {mode} in two levels; the file is corrupt")
    elif arrangement == Arrangement.LUMA_CHROMA:
        if mode not in ("RGB", "RGBA"):
            raise FormatError(f"header is inconsistent: mode {mode} in luma and chroma; the file is corrupt")
    elif arrangement == Arrangement.PALETTE_COLOURS:
        if mode != "P":
            raise FormatError(f"header is inconsistent: mode {mode} has no palette; the file is corrupt")
        channels = len(palette_mode)
    return (height, width) if channels == 1 else (height, width, channels)


def memory_beside(shape: tuple[int, ...], arrangement: int) -> int:
    """Return the bytes that `restore` takes beside arranged samples of this shape and what it returns."""
    if arrangement == Arrangement.LUMA_CHROMA:
        return 8 * shape[0] * shape[1]
    return 25 * max(STRIP, shape[1]) if arrangement == Arrangement.PALETTE_COLOURS else 0


def coloured(samples: NDArray[np.uint8], description: bytes) -> NDArray[np.uint8]:
    """Return colours (and alpha) [h, w, 3..4] of luma and chroma; FormatError for a corrupt description."""
    from rdzip.codecs.history import luma_chroma

    try:
        colours = luma_chroma.colours(samples[:, :, :3], description)
    except CoderError as error:
        raise FormatError(f"{error}; get another copy") from error
    return colours if samples.shape[2] == 3 else np.concatenate([colours, samples[:, :, 3:]], axis=2)


def restore(samples: NDArray[Any], mode: str, arrangement: int, palette: bytes, palette_mode: str) -> NDArray[Any]:
    """Return the picture's samples from the arranged ones; FormatError for a colour that the palette lacks.

    - samples: arranged
    - mode: of the picture as it is coded
    - arrangement: number in the header
    - palette, palette_mode: entries, and their mode, "" without one
    """
    if arrangement == Arrangement.GREY_ONCE:
        if samples.ndim == 2:
            return np.repeat(samples[:, :, None], 3, axis=2)
        return np.ascontiguousarray(samples[:, :, [0, 0, 0, 1]])
    if arrangement == Arrangement.PALETTE_COLOURS:
        return _indices(samples, palette, palette_mode)
    if arrangement == Arrangement.TWO_LEVELS:
        if int(samples.max()) > 1:
            raise FormatError("the payload has other samples than 0 and 1; the file is corrupt")
        bright: NDArray[np.uint8] = samples * np.uint8(255)
        return bright
    return samples


def palette_colours(picture: Picture) -> NDArray[np.uint8] | None:
    """Return the colours [h, w, 3..4] of a palette image, None where they would not give its indices back."""
    size = len(picture.palette_mode)
    entries = np.frombuffer(picture.palette, np.uint8)
    entries = entries[: len(entries) // size * size].reshape(-1, size)
    used = np.flatnonzero(histogram(picture.samples))
    if used[-1] >= len(entries) or len(np.unique(entries[: used[-1] + 1], axis=0)) < used[-1] + 1:
        return None
    colours: NDArray[np.uint8] = entries[picture.samples]
    return colours


def _indices(samples: NDArray[Any], palette: bytes, palette_mode: str) -> NDArray[np.uint8]:
    size = len(palette_mode)
    weights = 256 ** np.arange(size, dtype=np.uint32)
    entries = np.frombuffer(palette[: len(palette) // size * size], np.uint8).reshape(-1, size)
    if not len(entries):
        raise FormatError("header is inconsistent: a palette image without palette; the file is corrupt")
    keys, first = np.unique(entries @ weights, return_index=True)
    result = np.empty(samples.shape[:2], np.uint8)
    for s in strips(samples):
        colours = samples[s] @ weights
        place = np.minimum(np.searchsorted(keys, colours), len(keys) - 1)
        if not np.array_equal(keys[place], colours):
            raise FormatError("the payload has a colour that the palette lacks; the file is corrupt")
        result[s] = first[place]
    return result
