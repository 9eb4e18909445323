"""Refuse files whose samples Pillow would silently cut to 8 bits, or whose channels it would drop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rdzip.errors import InputError

if TYPE_CHECKING:
    from PIL import Image

_DEEP_MODES = ("I", "F")


def check_full_depth(image: Image.Image, data: bytes) -> None:
    """Raise InputError if an opened, not yet loaded image has more bits or channels in its file than Pillow would keep.

    data: the file, for JPEG 2000 and AVIF, whose depth Pillow does not state; b"" when it is not at hand.
    """
    found = None
    if image.format == "TIFF":
        found = _tiff(image)
    elif image.format == "JPEG2000":
        found = _jpeg2000(data)
    elif image.format == "AVIF":
        found = _avif(data)
    if found is None:
        found = _tiles(image)
    if found is not None and not (image.mode.startswith(_DEEP_MODES) and found <= 32):
        raise InputError(
            f"the {image.format} has {found} bits a sample, of which Pillow keeps "
            f"{32 if image.mode in ('I', 'F') else 8}, so rdzip would lose some: "
            "convert it to 16-bit PNG"
        )


def _tiles(image: Image.Image) -> int | None:
    for tile in getattr(image, "tile", []):
        arguments = tile.args if isinstance(tile.args, tuple) else (tile.args,)
        texts = [argument for argument in arguments if isinstance(argument, str)]
        if (
            tile.codec_name == "SGI16"
            or any(text.endswith((";16B", ";16L", ";16N")) for text in texts)
            or (tile.codec_name == "sgi_rle" and arguments[-1] == 2)
        ):
            return 16
        if any("64" in text for text in texts):
            return 64
        if (
            tile.codec_name in ("ppm", "ppm_plain")
            and arguments[-1] != "1;I"
            and isinstance(arguments[-1], int)
            and arguments[-1] > 255
        ):
            return 16
        if tile.codec_name == "bcn" and arguments and arguments[0] == 6:
            return 16
    return None


def _tiff(image: Image.Image) -> int | None:
    directory = image.tag_v2  # type: ignore[attr-defined]
    channels = directory.get(277, 1)
    kept = len(image.getbands())
    if channels > kept:
        raise InputError(
            f"the TIFF has {channels} channels, of which Pillow keeps {kept}: split it into files of at most 4 channels"
        )
    bits = directory.get(258, (1,))
    deepest = max(bits) if isinstance(bits, tuple) else int(bits)
    return deepest if deepest > 8 else None


def _jpeg2000(data: bytes) -> int | None:
    at = data.find(b"\xff\x4f\xff\x51")
    if at < 0 or at + 42 > len(data):
        return None
    count = int.from_bytes(data[at + 40 : at + 42], "big")
    depths = [(depth & 127) + 1 for depth in data[at + 42 : at + 42 + 3 * count : 3]]
    return max(depths) if depths and max(depths) > 8 else None


def _avif(data: bytes) -> int | None:
    at = data.find(b"av1C")
    if at < 0 or at + 7 > len(data):
        return None
    flags = data[at + 6]
    return (12 if flags & 0x20 else 10) if flags & 0x40 else None
