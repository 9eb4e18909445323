"""rdzip: exact compression of images with neural probability models.

    import rdzip
    data = rdzip.compress("photo.png")      # bytes of a .rdz file; also takes a Pillow image or a numpy array
    image = rdzip.decompress(data)          # a Pillow image, equal in pixels, mode, palette and metadata

Importing rdzip imports neither torch nor numpy nor Pillow; what a call needs is imported by the call.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

    from rdzip.formats.picture import Picture

__version__ = "0.1.0"
__all__ = ["__version__", "compress", "decompress", "decompress_array", "info", "open_rdz", "register_pillow"]


def compress(
    image: Image.Image | NDArray[Any] | str | Path | bytes | BinaryIO,
    *,
    model: str | None = None,
    codec: str | None = None,
    metadata: str = "all",
    threads: int | None = None,
    offline: bool = False,
    verify: bool = True,
) -> bytes:
    """Return the .rdz file of an image, losslessly.

    image: the path, bytes or open binary file of an image; a Pillow image; or an array: bool, int32 or float32 [h, w],
    uint8 or uint16 [h, w] or
    [h, w, 2..4]. Prefer paths to Pillow images: Pillow has already cut 16-bit colour to 8 bits, and then it cannot be
    kept.
    model: id, hash or file of the neural model, None for "photo". codec: "causal" or "classic" to have no other, None
    for the smaller.
    metadata: "all" or "none". verify: decode the result and compare before it is returned.
    Raises InputError, ModelError or FormatError (rdzip.errors).
    """
    from rdzip.formats.rdz import compress_picture

    picture = _picture(image)
    return compress_picture(
        picture, model=model, codec=codec, metadata=metadata, threads=threads, offline=offline, verify=verify
    ).data


def decompress(
    data: bytes, *, max_pixels: int | None = None, threads: int | None = None, offline: bool = False
) -> Image.Image:
    """Return the image in the bytes of a .rdz file as a Pillow image.

    max_pixels: refuse larger images (None: 2**28). Raises FormatError, ModelError, or InputError for 16-bit colour (see
    decompress_array).
    """
    from rdzip.formats.rdz import decompress_picture
    from rdzip.formats.writing import to_image

    return to_image(decompress_picture(data, max_pixels=max_pixels, threads=threads, offline=offline))


def decompress_array(
    data: bytes, *, max_pixels: int | None = None, threads: int | None = None, offline: bool = False
) -> NDArray[Any]:
    """Return the samples in the bytes of a .rdz file: [h, w] or [h, w, c] of uint8, uint16, int32 or float32 (a palette
    image's indices).
    """
    from rdzip.formats.rdz import decompress_picture

    return decompress_picture(data, max_pixels=max_pixels, threads=threads, offline=offline).samples


def open_rdz(path: str | Path, *, max_pixels: int | None = None) -> Image.Image:
    """Return the image in a .rdz file as a Pillow image; as decompress."""
    return decompress(_read(path), max_pixels=max_pixels)


def info(source: str | Path | bytes) -> dict[str, Any]:
    """Return what a .rdz file (its path or bytes) says of itself: codec, reason, model, shape, mode, sizes; nothing is
    decoded.
    """
    from rdzip.formats.describe import describe

    return describe(source if isinstance(source, bytes) else _read(source))


def register_pillow() -> None:
    """Let Pillow's Image.open and Image.save handle .rdz files (as importing rdzip.formats.pillow_plugin does)."""
    from rdzip.formats.pillow_plugin import register

    register()


def _read(path: str | Path) -> bytes:
    from rdzip.errors import InputError

    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error


def _picture(image: Any) -> Picture:
    import numpy as np
    from PIL import Image

    from rdzip.formats.picture import from_array
    from rdzip.formats.reading import picture_of_image, read_picture

    if isinstance(image, np.ndarray):
        return from_array(image)
    return picture_of_image(image) if isinstance(image, Image.Image) else read_picture(image)
