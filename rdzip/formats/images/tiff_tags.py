"""The tags of a TIFF file that rdzip writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PIL import TiffImagePlugin

from rdzip.formats import metadata

if TYPE_CHECKING:
    from rdzip.formats.images.picture import Picture

_ASCII = 2  # of a tag's types
_OF_8_BYTES = (16, 17, 18)


def orientation(picture: Picture) -> int:
    """Return how the picture's Exif data say that it is to be turned: 1 (not) to 8."""
    exif = metadata.info_of(picture.metadata, picture.mode).get("exif")
    return metadata.orientation(exif) if isinstance(exif, bytes) else 1


def directory(picture: Picture) -> TiffImagePlugin.ImageFileDirectory_v2:
    """Return the stored tags as Pillow takes them, without numbers that only a BigTIFF has."""
    found = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, kind, value in picture.metadata.get("tiff", []):
        if kind in _OF_8_BYTES and not _fits_classic(value):
            continue
        found.tagtype[tag] = kind
        if kind in (5, 10):
            found[tag] = tuple(TiffImagePlugin.IFDRational(top, bottom) for top, bottom in value)
        elif kind == _ASCII and isinstance(value, str):
            found[tag] = value.encode("latin-1", "replace")  # as Pillow reads it; it would write ? for what is no ASCII
        else:
            found[tag] = tuple(value) if isinstance(value, list) else value
    return found


def _fits_classic(value: Any) -> bool:
    """Return whether numbers of a BigTIFF fit in 4 bytes."""
    return all(-(1 << 31) <= number < 1 << 32 for number in (value if isinstance(value, list) else [value]))
