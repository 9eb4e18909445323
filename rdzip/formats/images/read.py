"""Any image that Pillow opens to a Picture, in full or not at all."""

from __future__ import annotations

import io
import threading
import warnings
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from PIL import Image, ImageFile, UnidentifiedImageError

from rdzip.codecs.classic import png
from rdzip.errors import InputError
from rdzip.formats import metadata
from rdzip.formats.images.bit_depth import check_full_depth
from rdzip.formats.images.picture import Picture
from rdzip.formats.modes import BY_NAME
from rdzip.formats.notes import Note, NoteKind
from rdzip.system import limits

if TYPE_CHECKING:
    from collections.abc import Iterator

LOSSY_FORMATS = frozenset(["JPEG", "MPO", "AVIF"])
VECTOR_FORMATS = frozenset(["EPS", "WMF", "EMF", "PDF"])
_PNG_OWN = (b"IHDR", b"IEND", b"acTL", b"fcTL", b"fdAT")
_limit_lock = threading.Lock()


class NotAnImageError(InputError):
    """What was read is no image that Pillow knows, or nothing."""


@contextmanager
def pillow_limit(pixels: int | None) -> Iterator[None]:
    """Let Pillow open images of any size (rdzip checks the size itself, without a warning at half of it) and restore
    its limit afterwards.
    """
    with _limit_lock:
        before = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = pixels
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before


def read_picture(source: str | Path | bytes | BinaryIO, *, max_pixels: int | None = None) -> Picture:
    """Return the picture in an image file (a path, its bytes, or a file open for reading).

    Raises InputError, in one line: unreadable, not an image, truncated or corrupt, several frames, samples deeper than
    Pillow keeps, a mode that
    rdzip does not code, more than `max_pixels` pixels (limits.MAX_PIXELS when None).
    """
    data = _bytes(source)
    if not data:
        raise NotAnImageError("expected an image, found an empty file")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        picture = _read(data, limits.MAX_PIXELS if max_pixels is None else max_pixels)
    picture.source_bytes = len(data)
    picture.notes += [
        Note(NoteKind.READING, f"while reading: {message}")
        for message in dict.fromkeys(str(warning.message).strip() for warning in caught)
    ]
    if picture.source_format in LOSSY_FORMATS:
        picture.notes.append(
            Note(
                NoteKind.LOSSY_SOURCE,
                f"the input is {picture.source_format}, a lossy format: a lossless copy of its decoded pixels is "
                "mostly larger than the file itself, and comes back as PNG or TIFF",
            )
        )
    return picture


def is_suffix_of(suffix: str, data: bytes) -> bool:
    """Return whether a file name's suffix is one of the format that a file is of, as Pillow knows both."""
    Image.init()
    asked = Image.EXTENSION.get(suffix.lower())
    if asked is None:
        return False
    try:
        with pillow_limit(None), warnings.catch_warnings(), Image.open(io.BytesIO(data), formats=[asked]) as image:
            return image.format == asked
    except Exception:  # what Pillow does not open has no such suffix
        return False


def picture_of_image(image: Image.Image) -> Picture:
    """Return the picture that a Pillow image holds; InputError for several frames, cut samples, or a mode that rdzip
    does not code.
    """
    if isinstance(image, ImageFile.ImageFile):
        _check_frames(image)
        check_full_depth(image, b"")
    kept: dict[str, Any] = {}
    try:
        image.load()
    except (
        Exception
    ) as error:  # Pillow raises many kinds for corrupt data: OSError, SyntaxError, ValueError, struct.error, EOFError
        raise InputError(f"the image is truncated or corrupt: {error}") from error
    if info := metadata.plain_info(image.info):
        kept["info"] = info
    return _picture(image, kept, image.format or "")


def _bytes(source: str | Path | bytes | BinaryIO) -> bytes:
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source)
    try:
        return Path(source).read_bytes() if isinstance(source, str | Path) else source.read()
    except OSError as error:
        raise InputError(f"cannot read the image: {error.strerror or error}") from error


def _read(data: bytes, max_pixels: int) -> Picture:
    kept: dict[str, Any] = {}
    chunks: list[tuple[bytes, bytes]] = []
    if data[:8] == png.SIGNATURE:
        try:
            chunks = png.read_chunks(data)
        except png.PngError as error:
            raise InputError(f"{error}; get a sound copy") from error
    try:
        with pillow_limit(None), Image.open(io.BytesIO(data)) as image:
            width, height = image.size
            if width * height > max_pixels:
                raise InputError(
                    f"the image has {width} x {height} = {width * height} pixels, at most {max_pixels} are allowed: "
                    "raise `max_pixels`"
                )
            _check_frames(image)
            if chunks:
                return _read_png(image, data, chunks)
            check_full_depth(image, data)
            image.load()
            if image.format == "TIFF":
                kept.update(_tiff_tags(image))
            if info := metadata.plain_info({**image.info, **_exif(image)}):
                kept["info"] = info
            picture = _picture(image, kept, image.format or "")
            # The order of bytes is the file's; the numbers are the same.
            return replace(picture, mode="I;16") if picture.mode == "I;16B" else picture
    except UnidentifiedImageError as error:
        raise NotAnImageError(
            "expected an image that Pillow can open, found another kind of file, or one that is damaged at its "
            "beginning"
        ) from error
    except InputError:
        raise
    except (
        Exception
    ) as error:  # Pillow raises many kinds for corrupt data: OSError, SyntaxError, ValueError, struct.error, EOFError
        raise InputError(f"the image is truncated or corrupt: {str(error) or type(error).__name__}") from error


def _read_png(image: Image.Image, data: bytes, chunks: list[tuple[bytes, bytes]]) -> Picture:
    depth, colour_type = chunks[0][1][8], chunks[0][1][9]
    kept: dict[str, Any] = {}
    listed: list[list[bytes]] = []
    for kind, body in chunks:
        if kind in (b"PLTE", b"IDAT"):
            if not listed or listed[-1][0] != kind:
                listed.append([kind, b""])
        elif kind not in _PNG_OWN:
            listed.append([kind, body])
    if any(kind not in (b"PLTE", b"IDAT") for kind, _ in listed):
        kept["png"] = listed
    if colour_type == 0 and depth in (2, 4):
        kept["depth"] = depth
    if depth == 16 and colour_type in (2, 4, 6):
        samples = png.decode_deep(data)
        return Picture(
            samples, {2: "RGB;16", 4: "LA;16", 6: "RGBA;16"}[colour_type], metadata=kept, source_format="PNG"
        )
    image.load()
    picture = _picture(image, kept, "PNG")
    if colour_type == 3:
        picture.palette, picture.palette_mode = next(body for kind, body in chunks if kind == b"PLTE"), "RGB"
    return picture


def _picture(image: Image.Image, kept: dict[str, Any], source_format: str) -> Picture:
    mode = image.mode
    if mode not in BY_NAME:
        raise InputError(f"expected one of the pixel modes {', '.join(BY_NAME)}, found {mode}: convert the image first")
    samples = np.asarray(image)
    if mode == "1":
        samples = (samples.view(np.uint8) != 0).view(np.uint8)  # Pillow's true may be 255
    samples = samples.astype(BY_NAME[mode].dtype, copy=False)
    palette, palette_mode = b"", ""
    if mode in ("P", "PA") and image.palette is not None:
        palette_mode = image.palette.mode
        if palette_mode not in ("RGB", "RGBA"):
            raise InputError(
                f"expected a palette of RGB or RGBA colours, found {palette_mode}: convert the image first"
            )
        palette = bytes(image.getpalette(palette_mode) or b"")
    return Picture(samples, mode, palette, palette_mode, kept, source_format)


def _check_frames(image: Image.Image) -> None:
    if image.format in VECTOR_FORMATS:
        raise InputError(f"{image.format} holds vector graphics, which rdzip cannot keep: render it to PNG first")
    try:
        frames = getattr(image, "n_frames", 1)
    except Exception as error:  # counting frames parses the whole file
        raise InputError(f"the image is truncated or corrupt: {error}") from error
    if frames > 1:
        what = {"PSD": "layers", "TIFF": "pages", "MPO": "pictures", "DCX": "pages"}.get(image.format or "", "frames")
        raise InputError(
            f"the {image.format} holds {frames} {what}, rdzip codes one picture a file: extract them, then compress "
            "each (or all into an archive)"
        )
    sizes = image.info.get("sizes")
    if image.format in ("ICO", "ICNS", "CUR") and sizes and len(sizes) > 1:
        raise InputError(
            f"the {image.format} holds {len(sizes)} icons, rdzip codes one picture a file: extract them, then compress "
            "each"
        )


def _exif(image: Image.Image) -> dict[str, bytes]:
    """Return {"exif": bytes} of a TIFF's Exif and GPS directories, {} if it has none."""
    if image.format != "TIFF":
        return {}
    found = image.getexif()
    kept = Image.Exif()
    for pointer in (34665, 34853):
        if pointer in found and (directory := found.get_ifd(pointer)):
            kept.get_ifd(pointer).update(directory)
    data = kept.tobytes()
    return {"exif": data} if len(data) > len(Image.Exif().tobytes()) else {}


def _tiff_tags(image: Image.Image) -> dict[str, Any]:
    directory = image.tag_v2  # type: ignore[attr-defined]
    tags = []
    for tag in sorted(directory):
        if tag in metadata.TIFF_STRUCTURE:
            continue
        kind, value = directory.tagtype.get(tag), directory[tag]
        if kind in (5, 10):
            pairs = [[part.numerator, part.denominator] for part in (value if isinstance(value, tuple) else (value,))]
            tags.append([int(tag), int(kind), pairs])
        elif kind is not None and (kept := metadata.plain(value)) is not None:
            tags.append([int(tag), int(kind), kept])
    return {"tiff": tags} if tags else {}
