"""What viewers make of a picture: transparent colours as alpha, and the picture as it is turned."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rdzip.errors import InputError
from rdzip.formats import metadata

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rdzip.formats.images.picture import Picture

_WITH_ALPHA = {"1": "LA", "L": "LA", "I;16": "LA;16", "RGB": "RGBA", "RGB;16": "RGBA;16", "P": "RGBA"}


def with_alpha(picture: Picture) -> Picture:
    """Return the picture with alpha 0 or as its palette says where it is transparent; itself if it is not.

    Raises InputError for transparency that its mode does not have.
    """
    value: Any = metadata.info_of(picture.metadata, picture.mode).get("transparency")
    if value is None:
        return picture
    samples = picture.samples
    top = 65535 if samples.dtype.itemsize == 2 else 255
    if picture.mode == "P" and isinstance(value, int | bytes):
        table = np.full((256, 4), 255, np.uint8)
        table[:, :3] = 0
        size = len(picture.palette_mode)
        entries = np.frombuffer(picture.palette, np.uint8)
        entries = entries[: len(entries) // size * size].reshape(-1, size)
        table[: len(entries), :size] = entries
        if isinstance(value, bytes):
            table[: len(value), 3] = np.frombuffer(value[:256], np.uint8)
        else:
            table[value & 255, 3] = 0
        result = table[samples]
    elif picture.mode in ("1", "L", "I;16") and isinstance(value, int):
        depth = picture.metadata.get("depth", 8)
        grey = samples * 255 if picture.mode == "1" else samples
        clear = value * 255 // ((1 << depth) - 1) if depth in (2, 4) else value * 255 if picture.mode == "1" else value
        result = np.stack([grey, np.where(grey == clear, 0, top).astype(grey.dtype)], axis=-1)
    elif picture.mode in ("RGB", "RGB;16") and isinstance(value, tuple) and len(value) == 3:
        clear_at = (samples == np.array(value)).all(axis=-1)
        alpha = np.where(clear_at, 0, top).astype(samples.dtype)[..., None]
        result = np.concatenate([samples, alpha], axis=-1)
    else:
        raise InputError(f"a picture of mode {picture.mode} has a transparency of another: write .png")
    kept = dict(picture.metadata)
    kept.pop("depth", None)
    if "png" in kept:
        kept["png"] = [chunk for chunk in kept["png"] if chunk[0] not in (b"tRNS", b"PLTE")]
    if "info" in kept:
        kept["info"] = {name: item for name, item in kept["info"].items() if name != "transparency"}
    return replace(
        picture,
        samples=np.ascontiguousarray(result),
        mode=_WITH_ALPHA[picture.mode],
        palette=b"",
        palette_mode="",
        metadata=kept,
    )


def as_shown(samples: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Return samples [h, w] or [h, w, c] as they are shown with an Exif orientation of 1 to 8."""
    if orientation >= 5:
        samples = np.swapaxes(samples, 0, 1)
    columns, rows = orientation in (2, 3, 6, 7), orientation in (3, 4, 7, 8)
    return np.ascontiguousarray(samples[:: -1 if rows else 1, :: -1 if columns else 1])
