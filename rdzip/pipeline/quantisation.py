"""Samples on a grid whose levels are no farther from any sample than the error that is allowed, and back.

The indices of the levels are a picture of its own, which lossless codecs code.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rdzip.errors import InputError
from rdzip.formats.images.picture import Picture
from rdzip.formats.images.to_8bit import transparent_colour
from rdzip.formats.modes import BY_NAME
from rdzip.formats.quantiser import NARROWED, QUANTISED, Quantiser, depth, largest_allowed
from rdzip.metrics.psnr import largest_error

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Quantised:
    """A picture by its quantiser: indices, and what these decode to."""

    quantiser: Quantiser
    indices: Picture
    picture: Picture


def why_exact(picture: Picture) -> str:
    """Return why nothing of a picture may be lost, "" if its samples can be quantised."""
    if picture.mode not in QUANTISED:
        return f"pixels of mode {picture.mode} are coded without loss"
    if "depth" in picture.metadata:
        return f"samples of {picture.metadata['depth']} bits are coded without loss"
    if transparent_colour(picture) is not None:
        return "a picture with a transparent colour is coded without loss"
    return ""


def quantise(picture: Picture, max_error: int) -> Quantised:
    """Return a picture of one of the QUANTISED modes, quantised; InputError for an error that its mode does not allow.

    Indices of 16-bit samples that fit in 8 bits are samples of a mode of 8 bits, which neural models code.
    """
    mode = picture.mode
    if max_error > largest_allowed(mode):
        raise InputError(
            f"expected `max_error` of at most {largest_allowed(mode)} for samples of {depth(mode)} bits, found "
            f"{max_error}"
        )
    quantiser = Quantiser(max_error, depth(mode))
    values = np.arange(1 << depth(mode))
    indices = _looked_up((values + max_error) // quantiser.step, picture.samples, mode, picture.samples.dtype)
    if mode in NARROWED and int(indices.max()) < 256:
        quantiser, indices = Quantiser(max_error, 8), indices.astype(np.uint8)
    samples = levels(indices, quantiser, mode)
    if largest_error(picture.samples, samples) > max_error:
        raise ArithmeticError(f"a level lies farther than {max_error} from a sample")
    coded = replace(picture, samples=indices, mode=quantiser.coded_mode(mode), metadata={})
    return Quantised(quantiser, coded, replace(picture, samples=samples))


def levels(indices: NDArray[Any], quantiser: Quantiser, mode: str) -> NDArray[Any]:
    """Return the samples of a picture of this mode that indices of its coded mode stand for."""
    dtype = np.dtype(BY_NAME[mode].dtype)
    table = np.minimum(np.arange(1 << quantiser.bits) * quantiser.step, (1 << depth(mode)) - 1)
    return _looked_up(table, indices, mode, dtype)


def _looked_up(table: NDArray[Any], samples: NDArray[Any], mode: str, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return table[samples], alpha as it is."""
    found: NDArray[Any] = table.astype(dtype)[samples]
    if BY_NAME[mode].alpha:
        found[..., -1] = samples[..., -1]
    return found
