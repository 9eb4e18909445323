"""Metadata as plain values by name, packed as CBOR (docs/reference/format.md, section 4).

png    [[type, body], ...]: the ancillary chunks of a PNG file in order, with empty "PLTE" and "IDAT" entries where
       those stood
depth  bits a sample of a grey PNG of 2 or 4 bits, which Pillow widens to 8
tiff   [[tag, field type, value], ...]: the descriptive tags of a TIFF file's first directory
info   {name: value}: what Pillow's Image.info says for other sources (exif, icc_profile, xmp, dpi, comment,
       transparency, ...)
"""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, Any

from PIL import Image

from rdzip.codecs.classic import png
from rdzip.errors import FormatError
from rdzip.formats import cbor
from rdzip.formats.container import Container, SectionType
from rdzip.formats.packing import unpack_value

if TYPE_CHECKING:
    from collections.abc import Mapping

# What states how the source file was coded, not what the picture is.
IGNORED_INFO = frozenset(
    ("adobe", "adobe_transform", "compression", "default_image", "duration", "extension", "interlace", "jfif")
).union(
    ("jfif_density", "jfif_unit", "jfif_version", "loop", "mp", "mpoffset", "photoshop", "progression"),
    ("progressive", "resolution", "sizes", "timestamp", "version"),
)
ORIENTATION = 274
# TIFF tags that lay out the pixels, and those that Pillow states as info.
TIFF_STRUCTURE = frozenset(range(254, 267)).union(
    (273, 277, 278, 279, 282, 283, 284, 296, 301, 330, 347, 34665, 34675, 34853, 40965),
    range(288, 294),
    range(317, 326),
    range(338, 342),
    range(512, 533),
)
_PNG_HEADERS = {  # bit depth and colour type by mode
    "1": (1, 0),
    "L": (8, 0),
    "LA": (8, 4),
    "P": (8, 3),
    "RGB": (8, 2),
    "RGBA": (8, 6),
    "I;16": (16, 0),
    "LA;16": (16, 4),
    "RGB;16": (16, 2),
    "RGBA;16": (16, 6),
}


def pack(metadata: dict[str, Any]) -> bytes:
    """Return the CBOR map."""
    return cbor.dumps(metadata)


def unpack(body: bytes | memoryview) -> dict[str, Any]:
    """Return the map of a metadata section; FormatError if an entry has not the form that its name demands. Unknown
    names are kept.
    """
    result = unpack_value(body)
    if not isinstance(result, dict):
        raise _bad("they are not a map")
    for name, value in result.items():
        if name == "png":
            sound = isinstance(value, list) and all(
                isinstance(item, list)
                and len(item) == 2
                and isinstance(item[0], bytes)
                and len(item[0]) == 4
                and isinstance(item[1], bytes)
                for item in value
            )
        elif name == "depth":
            sound = value in (2, 4)
        elif name == "tiff":
            sound = isinstance(value, list) and all(
                isinstance(item, list) and len(item) == 3 and isinstance(item[0], int) and isinstance(item[1], int)
                for item in value
            )
        elif name == "info":
            sound = isinstance(value, dict) and all(isinstance(key, str) for key in value)
        else:
            sound = isinstance(name, str)
        if not sound:
            raise _bad(f"their entry {str(name)[:20]!r} has a wrong form")
    return result


def essential(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is a part of the picture, and so stays where metadata are left out: bits of a sample, transparency,
    orientation.
    """
    kept: dict[str, Any] = {name: metadata[name] for name in ("depth",) if name in metadata}
    chunks = []
    for kind, body in metadata.get("png", []):
        if kind in (b"PLTE", b"IDAT", b"tRNS"):
            chunks.append([kind, body])
        elif kind == b"eXIf" and (turned := orientation(body)) != 1:
            chunks.append([kind, _exif_of(turned)])
    if any(kind not in (b"PLTE", b"IDAT") for kind, _ in chunks):
        kept["png"] = chunks
    if tags := [tag for tag in metadata.get("tiff", []) if tag[0] == ORIENTATION and tag[2] != 1]:
        kept["tiff"] = tags
    info = metadata.get("info", {})
    stays = {name: info[name] for name in ("transparency",) if name in info}
    if isinstance(exif := info.get("exif"), bytes) and (turned := orientation(exif)) != 1:
        stays["exif"] = b"Exif\0\0" + _exif_of(turned)
    if stays:
        kept["info"] = stays
    return kept


def orientation(exif: bytes) -> int:
    """Return how a viewer is to turn the picture that these Exif data describe: 1 (not) to 8."""
    found = Image.Exif()
    try:
        found.load(exif)
        turned = found.get(ORIENTATION, 1)
    except Exception:  # Pillow raises many kinds for corrupt data
        return 1
    return turned if isinstance(turned, int) and 1 <= turned <= 8 else 1


def _exif_of(turned: int) -> bytes:
    return b"II*\0" + struct.pack("<IHHHIII", 8, 1, ORIENTATION, 3, 1, turned, 0)


def of_container(parsed: Container) -> dict[str, Any]:
    """Return the metadata in a parsed file, {} if it has none; FormatError if they are corrupt."""
    body = parsed.find(SectionType.METADATA)
    return unpack(body) if body is not None else {}


def info_of(metadata: Mapping[str, Any], mode: str) -> dict[str, Any]:
    """Return what Pillow's Image.info would say: stored entries, and those that Pillow reads from the PNG chunks."""
    info = {name: _tuples(value) for name, value in metadata.get("info", {}).items()}
    chunks = metadata.get("png")
    if not chunks or mode not in _PNG_HEADERS:
        return info
    depth, colour_type = _PNG_HEADERS[mode]
    ihdr = png.header(1, 1, metadata.get("depth", depth) if mode == "L" else depth, colour_type)
    stream = [ihdr] + [(kind, bytes(768) if kind == b"PLTE" else body) for kind, body in chunks if kind != b"IDAT"]
    data = png.write_chunks([*stream, (b"IDAT", b""), (b"IEND", b"")])
    try:
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            found = plain_info(image.info)
    except (
        Exception
    ) as error:  # Pillow raises many kinds for corrupt data: OSError, SyntaxError, ValueError, struct.error, EOFError
        raise FormatError(f"the stored PNG chunks cannot be read ({error}); the file is corrupt") from error
    return {**info, **{name: _tuples(value) for name, value in found.items()}}


def plain_info(info: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the entries of an Image.info that describe the picture and have plain values."""
    result = {}
    for name, value in info.items():
        if isinstance(name, str) and name not in IGNORED_INFO:
            kept = plain(value)
            if kept is not None:
                result[name] = kept
    return result


def plain(value: Any) -> Any:
    """Return `value` with nothing in it but int, float, bytes, str, bool and lists; None if that cannot be."""
    if isinstance(value, bool | bytes):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value) if -(1 << 63) <= value < 1 << 63 else None
    if isinstance(value, tuple | list):
        items = [plain(item) for item in value]
        return None if any(item is None for item in items) else items
    try:
        return float(value) if hasattr(value, "__float__") else None
    except (TypeError, ValueError, ZeroDivisionError):
        return None


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def _bad(what: str) -> FormatError:
    return FormatError(f"header is inconsistent: in the metadata, {what}; the file is corrupt")
