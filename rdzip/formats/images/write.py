"""A Picture to a Pillow image, and to the bytes of an image file that reads back as the same picture."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, PngImagePlugin

from rdzip.codecs.classic import png
from rdzip.errors import InputError, RdzipError
from rdzip.formats import metadata
from rdzip.formats.images import tiff_tags
from rdzip.formats.images.facts import facts
from rdzip.formats.images.facts_base import Facts, ItemKind
from rdzip.formats.images.losses import facts_written, lost
from rdzip.formats.images.read import pillow_limit, read_picture
from rdzip.formats.images.transparency import as_shown, with_alpha
from rdzip.formats.notes import Note, NoteKind
from rdzip.system.strips import same as same_samples

if TYPE_CHECKING:
    from rdzip.formats.images.picture import Picture

SUFFIXES = {
    "PNG": ".png",
    "TIFF": ".tif",
    "WEBP": ".webp",
    "BMP": ".bmp",
    "DIB": ".dib",
    "GIF": ".gif",
    "PPM": ".ppm",
    "TGA": ".tga",
    "PCX": ".pcx",
    "SGI": ".sgi",
    "JPEG2000": ".jp2",
}
_MORE_SUFFIXES = {
    "TIFF": (".tiff",),
    "PPM": (".pgm", ".pbm", ".pnm", ".pfm"),
    "SGI": (".rgb", ".rgba", ".bw"),
    "JPEG2000": (".j2k",),
}
_BY_SUFFIX = {suffix: name for name, first in SUFFIXES.items() for suffix in (first, *_MORE_SUFFIXES.get(name, ()))}
_TRIED = 500  # entries of metadata, one by one
# What Pillow and its libraries raise for what they cannot write.
_REFUSALS: tuple[type[Exception], ...] = (RdzipError, OSError, ValueError, TypeError, LookupError, SystemError)
_REFUSALS += (RuntimeError, ArithmeticError, AttributeError, AssertionError, struct.error)
_OPTIONS: dict[str, dict[str, Any]] = {
    "WEBP": {"lossless": True, "exact": True, "method": 4},
    "TIFF": {"compression": "tiff_adobe_deflate"},
    "JPEG2000": {"irreversible": False},
}
_TAKES = {  # what a format's writer takes of Image.info
    "PNG": (),
    "TIFF": ("dpi", "icc_profile", "exif"),
    "WEBP": ("icc_profile", "exif", "xmp"),
    "BMP": ("dpi",),
    "DIB": ("dpi",),
    "GIF": ("transparency", "comment", "background"),
    "PCX": ("dpi",),
}


@dataclass(frozen=True)
class Written:
    """An image file: its bytes, Pillow's name of its format, the suffix that suits it, and notes for the user."""

    data: bytes
    format: str
    suffix: str
    notes: list[Note] = field(default_factory=list)


def format_of_suffix(suffix: str) -> str | None:
    """Return the format that a file name's suffix (".png", any case) asks for, None if rdzip writes no such format
    without loss.
    """
    return _BY_SUFFIX.get(suffix.lower())


def write_picture(picture: Picture, format: str | None = None, *, quick: bool = False) -> Written:
    """Return the picture as an image file. What was written is read again and compared: pixels, mode and palette are
    the same, and metadata that it would state otherwise are left out.

    format: Pillow's name; None is the picture's source format, or PNG, or TIFF, whichever first holds it without loss.
    A transparent colour becomes a channel of alpha in another format than that. quick: do not make the file small.
    Raises InputError if no format, or not the one asked for, holds the picture.
    """
    formats = [format] if format else list(dict.fromkeys([picture.source_format or "PNG", "PNG", "TIFF"]))
    if picture.mode == "I;16B":  # the same numbers, which files keep in an order of their own
        picture = replace(picture, mode="I;16")
    for name in formats:
        if name not in SUFFIXES:
            continue
        shown = picture
        if name not in ("PNG", "GIF", picture.source_format):
            shown = with_alpha(picture)
        result = _try_write(shown, name, quick)
        if result is None:
            continue
        data, back = result
        notes = []
        if not format and picture.source_format not in ("", name):
            text = (
                f"the original was {picture.source_format}, which is not written without loss: this file holds its "
                f"pixels as {name}"
            )
            notes.append(Note(NoteKind.OTHER_FORMAT, text))
        if shown is not picture:
            text = f"its transparent colour is a channel of alpha in this {name}"
            notes.append(Note(NoteKind.CONVERTED, text))
        if gone := _lost(shown, back, data):
            text = f"{name} does not hold this metadata, which was left out: {', '.join(gone)}"
            notes.append(Note(NoteKind.LEFT_OUT, text))
        return Written(data, name, suffix_of(name, picture.mode), notes)
    if format:
        raise InputError(
            f"expected a format that holds {picture.mode} pixels without loss, found {format}: write .png or .tif"
        )
    raise InputError(
        f"no image file format at hand holds {picture.mode} pixels without loss: use rdzip.decompress in Python"
    )


def to_image(picture: Picture) -> Image.Image:
    """Return the picture as a Pillow image with its palette and info; InputError for 16-bit colour, which Pillow does
    not hold.
    """
    height, width = picture.shape[:2]
    samples = picture.samples
    if picture.mode in ("LA;16", "RGB;16", "RGBA;16"):
        raise InputError(
            f"Pillow has no mode for {picture.mode}: use rdzip.decompress_array, or rdzip decompress to a PNG file"
        )
    if picture.mode in ("P", "PA"):
        image = Image.frombuffer(
            {"P": "L", "PA": "LA"}[picture.mode],
            (width, height),
            samples.tobytes(),
            "raw",
            {"P": "L", "PA": "LA"}[picture.mode],
            0,
            1,
        )
        image.putpalette(picture.palette, picture.palette_mode)
    elif picture.mode == "1":
        image = Image.frombytes("1", (width, height), np.packbits(samples, axis=1).tobytes())
    else:
        octets = samples.astype(">u2") if picture.mode == "I;16B" else samples
        image = Image.frombytes(picture.mode, (width, height), np.ascontiguousarray(octets).data)
    image.info.update(metadata.info_of(picture.metadata, picture.mode))
    return image


def suffix_of(name: str, mode: str) -> str:
    """Return the suffix that suits a format and a picture's mode."""
    if name == "PPM":
        return {"1": ".pbm", "L": ".pgm", "I": ".pgm", "I;16": ".pgm", "F": ".pfm"}.get(mode, ".ppm")
    return SUFFIXES[name]


def _try_write(picture: Picture, name: str, quick: bool) -> tuple[bytes, Picture] | None:
    """Return the file and what it reads as, or None if this format cannot hold the picture: the writer refuses, or
    other pixels come back. Metadata that the writer refuses, or changes, are left out.
    """
    for attempt in range(3):
        if attempt == 1:
            picture = replace(picture, metadata=_taken(picture, name))
        elif attempt == 2:
            picture = _bare(picture)
        try:
            data = _encoded(picture, name, quick)
            back = read_picture(data, max_pixels=picture.samples.size)
        except _REFUSALS:
            continue
        turned = tiff_tags.orientation(picture) if name == "TIFF" else 1  # which Pillow obeys when it reads a TIFF
        if not _same_pixels(replace(picture, samples=as_shown(picture.samples, turned)), back):
            return None
        wrong = _changed_tags(picture, back)
        if not wrong:
            return data, back
        tags = [tag for tag in picture.metadata["tiff"] if tag[0] not in wrong]
        picture = replace(picture, metadata={**picture.metadata, "tiff": tags})
        data = _encoded(picture, name, quick)
        return data, read_picture(data, max_pixels=picture.samples.size)
    return None


def _encoded(picture: Picture, name: str, quick: bool = False) -> bytes:
    with warnings.catch_warnings(), pillow_limit(None):
        warnings.simplefilter("ignore")
        return _write_png(picture, quick) if name == "PNG" else _write_other(picture, name, quick)


def _taken(picture: Picture, name: str) -> dict[str, Any]:
    """Return the metadata without the entries that this format's writer refuses, each tried on one pixel; none of very
    many.
    """
    if len(picture.metadata.get("tiff", [])) + len(picture.metadata.get("info", {})) > _TRIED:
        return {name: value for name, value in picture.metadata.items() if name not in ("tiff", "info")}
    corner = replace(picture, samples=np.ascontiguousarray(picture.samples[:1, :1]))

    def takes(entry: dict[str, Any]) -> bool:
        try:
            _encoded(replace(corner, metadata=entry), name)
        except _REFUSALS:
            return False
        return True

    result = dict(picture.metadata)
    if "tiff" in result:
        result["tiff"] = [tag for tag in result["tiff"] if takes({"tiff": [tag]})]
    if "info" in result:
        result["info"] = {key: value for key, value in result["info"].items() if takes({"info": {key: value}})}
    return result


def _changed_tags(picture: Picture, back: Picture) -> set[int]:
    """Return the TIFF tags that were written with another value."""
    found = {tag: value for tag, _, value in back.metadata.get("tiff", [])}
    return {tag for tag, _, value in picture.metadata.get("tiff", []) if tag in found and found[tag] != value}


def _same_pixels(picture: Picture, back: Picture) -> bool:
    return (
        back.mode == picture.mode
        and back.samples.shape == picture.samples.shape
        and (picture.mode not in ("P", "PA") or _palettes_equal(picture, back))
        and same_samples(back.samples, picture.samples)
    )


def _palettes_equal(picture: Picture, back: Picture) -> bool:
    """Return whether every entry of the picture's palette came back (formats pad palettes with entries that no pixel
    uses).
    """
    if picture.palette_mode != back.palette_mode:
        return False
    shared = min(len(picture.palette), len(back.palette))
    used = (int(picture.samples.max()) + 1) * len(picture.palette_mode)
    return picture.palette[:shared] == back.palette[:shared] and (shared == len(picture.palette) or shared >= used)


def _lost(picture: Picture, back: Picture, data: bytes) -> list[str]:
    """Return the names of metadata of a picture that its file does not hold."""
    source = picture.source_format if picture.source_format in SUFFIXES else "PNG"
    if (own := facts(data)) is None or own.format != source:
        before = _try_own(picture, source)
        if before is not None:
            kinds = lost(before, facts_written(data))
            return [name for name, kind in kinds.items() if kind is not ItemKind.TRANSPARENCY]
    info, found = (metadata.info_of(side.metadata, side.mode) for side in (picture, back))
    there = {name.lower(): value for name, value in found.items()}
    gone = []
    for name, value in info.items():
        other = there.get(name.lower())
        changed = isinstance(value, bytes | str) and isinstance(other, bytes | str) and _octets(value) != _octets(other)
        if value not in (b"", ()) and (other is None or changed):
            gone.append(name)
    tags = {tag: (kind, value) for tag, kind, value in back.metadata.get("tiff", [])}
    lacking = [str(tag) for tag, kind, value in picture.metadata.get("tiff", []) if tags.get(tag) != (kind, value)]
    return gone + ([f"TIFF tags {' '.join(lacking)}"] if lacking else [])


def _octets(value: bytes | str) -> bytes:
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value


def _try_own(picture: Picture, name: str) -> Facts | None:
    """Return the facts of the file that the picture has in a format of its own, as far as they do not depend on it."""
    corner = replace(picture, samples=np.ascontiguousarray(picture.samples[:1, :1]))
    try:
        return facts_written(_encoded(corner, name))
    except _REFUSALS:
        return None


def _write_png(picture: Picture, quick: bool) -> bytes:
    chunks = _png_pixels(picture, quick)
    stored = picture.metadata.get("png")
    if stored is None:
        chunks[1:1] = _png_metadata(picture)
        return png.write_chunks(_order(chunks))
    ihdr, iend = chunks[0], chunks[-1]
    own = {kind: [chunk for chunk in chunks[1:-1] if chunk[0] == kind] for kind in (b"PLTE", b"IDAT")}
    result = [ihdr]
    for kind, body in stored:
        result += own.pop(kind, []) if kind in (b"PLTE", b"IDAT") else [(kind, body)]
    for left in own.values():
        result += left
    return png.write_chunks([*result, iend])


def _order(chunks: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return the chunks in the order that PNG demands: IHDR, colour space, PLTE, the rest, IDAT, IEND."""
    rank = {b"IHDR": 0, b"iCCP": 1, b"gAMA": 1, b"cHRM": 1, b"sRGB": 1, b"PLTE": 2, b"IDAT": 4, b"IEND": 5}
    return sorted(chunks, key=lambda chunk: rank.get(chunk[0], 3))


def _png_pixels(picture: Picture, quick: bool) -> list[tuple[bytes, bytes]]:
    height, width = picture.shape[:2]
    if picture.mode in ("LA;16", "RGB;16", "RGBA;16"):
        rows = png.filter_rows if not quick else png.plain_rows
        stream = zlib.compress(rows(picture.samples), 0 if quick else 6)
        ihdr = png.header(height, width, 16, png.COLOUR_TYPE[picture.shape[2]])
        return [ihdr, (b"IDAT", stream), (b"IEND", b"")]
    depth = picture.metadata.get("depth")
    out = io.BytesIO()
    if picture.mode == "L" and depth in (2, 4):
        levels = Image.fromarray(picture.samples // (255 // ((1 << depth) - 1)), "L")
        levels.putpalette(bytes(3 << depth))
        levels.save(out, "PNG", bits=depth)
        stream = png.idat(out.getvalue())
        return [png.header(height, width, depth, 0), (b"IDAT", stream), (b"IEND", b"")]
    image = to_image(_bare(picture))
    image.save(out, "PNG", compress_level=0 if quick else 6)
    chunks = [
        chunk for chunk in png.read_chunks(out.getvalue()) if chunk[0] in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
    ]
    if picture.mode == "P" and picture.palette_mode == "RGB":
        chunks = [(kind, picture.palette if kind == b"PLTE" else body) for kind, body in chunks]
    return chunks


def _bare(picture: Picture) -> Picture:
    return replace(picture, metadata={}, notes=[])


def _png_metadata(picture: Picture) -> list[tuple[bytes, bytes]]:
    """Return the ancillary chunks that Pillow writes for the picture's info."""
    info = metadata.info_of(picture.metadata, picture.mode)
    texts = PngImagePlugin.PngInfo()
    for name, value in info.items():
        if name == "xmp" and isinstance(value, bytes):
            texts.add_itxt("XML:com.adobe.xmp", value.decode("utf-8", "surrogateescape"))
        elif name == "comment" and isinstance(value, bytes | str):
            texts.add_text("Comment", value.decode("latin-1") if isinstance(value, bytes) else value)
        elif (
            isinstance(value, str)
            and name not in ("exif", "icc_profile", "dpi", "transparency")
            and 0 < len(name.encode()) < 80
        ):
            texts.add_text(name, value)
    for tag, _, value in picture.metadata.get("tiff", []):
        keyword = {270: "Description", 305: "Software", 306: "Creation Time", 315: "Author", 33432: "Copyright"}.get(
            tag
        )
        text = value[0] if isinstance(value, list) and value else value
        if keyword and isinstance(text, str):
            texts.add_text(keyword, text)
    if isinstance(gamma := info.get("gamma"), float):
        texts.add(b"gAMA", round(gamma * 100000).to_bytes(4, "big"))
    options: dict[str, Any] = {name: info[name] for name in ("exif", "icc_profile", "dpi") if name in info}
    if _transparency_fits(picture.mode, info.get("transparency")):
        options["transparency"] = info["transparency"]
    mode = {"LA;16": "LA", "RGB;16": "RGB", "RGBA;16": "RGBA"}.get(picture.mode, picture.mode)
    small = Image.new(mode, (1, 1))
    if mode == "P":
        small.putpalette(picture.palette, picture.palette_mode)
    out = io.BytesIO()
    small.save(out, "PNG", pnginfo=texts, **options)
    own = (b"IHDR", b"PLTE", b"IDAT", b"IEND", *((b"tRNS",) if picture.palette_mode == "RGBA" else ()))
    return [chunk for chunk in png.read_chunks(out.getvalue()) if chunk[0] not in own]


def _transparency_fits(mode: str, value: Any) -> bool:
    if mode == "P":
        return isinstance(value, int | bytes)
    if mode == "RGB":
        return isinstance(value, tuple) and len(value) == 3
    return mode in ("1", "L", "I;16") and isinstance(value, int)


def _write_other(picture: Picture, name: str, quick: bool) -> bytes:
    image = to_image(_bare(picture))
    info = metadata.info_of(picture.metadata, picture.mode)
    options: dict[str, Any] = {
        **_OPTIONS.get(name, {}),
        **{key: info[key] for key in _TAKES.get(name, ()) if key in info},
    }
    if name == "WEBP" and quick:
        options["method"] = 0
    if name == "TIFF":
        options["tiffinfo"] = tiff_tags.directory(picture)
        if (turned := tiff_tags.orientation(picture)) != 1:
            options["tiffinfo"][metadata.ORIENTATION] = turned
        if picture.mode == "YCbCr":
            options["compression"] = "raw"  # libtiff would subsample the colours
    if name == "TIFF" and isinstance(xmp := info.get("xmp"), bytes):
        options["tiffinfo"][700] = xmp
    out = io.BytesIO()
    image.save(out, name, **options)
    return out.getvalue()
