"""Samples [h, w, c] of unsigned integers as pictures, by a rule that works in both directions.

Signed integers of 8 and 16 bits have their sign bit turned, so that they rise. A float of 16 bits is taken as an
integer that rises with it: all its bits turned if it is negative, else its sign bit. 32 bits are int32 or float32, bit
for bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdzip.formats.carriers.raw.checks import require
from rdzip.formats.images.picture import Picture
from rdzip.formats.modes import BY_NAME

UNSIGNED, SIGNED, FLOAT = "u", "i", "f"
"""Kinds of samples."""
COLOURS = {8: {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}, 16: {1: "I;16", 2: "LA;16", 3: "RGB;16", 4: "RGBA;16"}}


def modes_of(channels: int, bits: int, kind: str, colour: str = "") -> list[str]:
    """Return the modes of the pictures that hold samples of so many channels, in order: one picture of all channels, or
    one of each.

    bits: 8, 16 or 32 in memory. colour: the mode, where it is not that of grey and RGB: "CMYK", "YCbCr", "LAB", "P",
    "1"; "planes" for one picture a channel.
    """
    if bits == 32:
        return ["F" if kind == FLOAT else "I"] * channels
    if colour and colour != "planes":
        return [colour]
    if channels > 4 or colour == "planes":
        return [COLOURS[bits][1]] * channels
    return [COLOURS[bits][channels]]


def as_pictures(samples: NDArray[Any], kind: str, colour: str = "", palette: bytes = b"") -> list[Picture]:
    """Return pictures of samples [h, w, c] of uint8, uint16 or uint32; kind: what their bits mean.

    colour: as in `modes_of`. palette: RGB entries, for "P".
    """
    samples = _turned(samples, kind)
    modes = modes_of(samples.shape[2], 8 * samples.dtype.itemsize, kind, colour)
    dtype = np.dtype(BY_NAME[modes[0]].dtype)
    if len(modes) == 1 and samples.shape[2] > 1:
        return [Picture(np.ascontiguousarray(samples), modes[0])]
    return [
        Picture(
            np.ascontiguousarray(samples[:, :, i]).view(dtype), mode, palette, "RGB" if mode == "P" else ""
        )
        for i, mode in enumerate(modes)
    ]  # fmt: skip


def samples_of(
    pictures: Sequence[Picture], shape: tuple[int, int, int], dtype: np.dtype[Any], kind: str, colour: str = ""
) -> NDArray[Any]:
    """Return samples [h, w, c] of the unsigned type; FormatError if the pictures are not what `as_pictures` makes.

    - pictures: as many as `modes_of` says
    - shape: [h, w, c]
    - dtype: uint8, uint16 or uint32
    - kind, colour: as given to `as_pictures`
    """
    modes = modes_of(shape[2], 8 * dtype.itemsize, kind, colour)
    require([p.mode for p in pictures] == modes, f"a skeleton needs pictures of mode {', '.join(modes)}")
    require(all(p.shape[:2] == shape[:2] for p in pictures), f"a skeleton needs pictures of {shape[1]} x {shape[0]}")
    if len(modes) == 1:
        require(BY_NAME[modes[0]].channels == shape[2], f"a skeleton needs pictures of {shape[2]} channels")
        joined = np.ascontiguousarray(pictures[0].samples).view(dtype).reshape(shape)
    else:
        joined = np.stack([np.ascontiguousarray(p.samples).view(dtype) for p in pictures], axis=-1)
    return _turned(joined, kind, back=True)


def _turned(samples: NDArray[Any], kind: str, *, back: bool = False) -> NDArray[Any]:
    if samples.dtype.itemsize == 4 or kind == UNSIGNED:
        return samples
    sign = samples.dtype.type(1 << (8 * samples.dtype.itemsize - 1))
    if kind == SIGNED:
        turned: NDArray[Any] = samples ^ sign
        return turned
    negative = (samples & sign == 0) if back else (samples & sign != 0)
    folded: NDArray[Any] = np.where(negative, ~samples, samples ^ sign)
    return folded
