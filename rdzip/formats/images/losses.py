"""What of an image file another file of its picture does not hold, by name."""

from __future__ import annotations

import zlib
from typing import Any

from rdzip.formats.images.facts import facts
from rdzip.formats.images.facts_base import Facts

_RESOLUTION = frozenset(("pHYs", "XResolution (282)", "YResolution (283)", "ResolutionUnit (296)", "resolution"))
_TEXTS = {"ImageDescription (270)": b"Description", "Software (305)": b"Software", "Artist (315)": b"Author"}
_TEXTS |= {"Copyright (33432)": b"Copyright", "DateTime (306)": b"Creation Time"}


def lost(before: Facts | None, after: Facts | None) -> list[str]:
    """Return the names of items of one file that another does not hold, in its own way if it has another format."""
    if before is None:
        return []
    found = after or Facts("")
    if before.format == found.format:
        return [name for name, value in before.items.items() if name not in found.items or found.items[name] != value]
    there = _contents(found).values()
    return [name for name, content in _contents(before).items() if content not in there]


def facts_written(data: bytes) -> Facts | None:
    """Return the facts of a file that rdzip wrote; of a BMP and the like whether it has a resolution."""
    found = facts(data)
    if found is None and data[:2] == b"BM" and any(data[38:46]):
        found = Facts("BMP", items={"resolution": b""})
    return found


def _contents(source: Facts) -> dict[str, tuple[str, Any]]:
    """Return each item's kind and content in the way that formats share, by its name."""
    result: dict[str, tuple[str, Any]] = {}
    profile = b"".join(body[14:] for name, body in source.items.items() if name.startswith("ICC profile"))
    for name, value in source.items.items():
        body = value[1] if isinstance(value, tuple) and len(value) == 2 else value
        raw = bytes(body) if isinstance(body, bytes | bytearray) else b""
        if name in _RESOLUTION:
            result[name] = "resolution", b""
        elif name in ("Exif", "eXIf"):
            result[name] = "Exif", raw.removeprefix(b"Exif\0\0")
        elif name == "iCCP":
            result[name] = "ICC profile", _inflated(raw.partition(b"\0")[2][1:])
        elif name.startswith("ICC profile"):
            result[name] = "ICC profile", profile if source.format == "JPEG" else raw
        elif name == "ICCProfile (34675)":
            result[name] = "ICC profile", raw
        elif name == "iTXt XML:com.adobe.xmp":
            result[name] = "XMP", raw[len(b"XML:com.adobe.xmp\0") + 2 :].partition(b"\0")[2].partition(b"\0")[2]
        elif name in ("XMP", "XMP (700)"):
            result[name] = "XMP", raw.removeprefix(b"http://ns.adobe.com/xap/1.0/\0")
        elif name.startswith("tEXt "):
            keyword, _, text = raw.partition(b"\0")
            result[name] = ("comment" if keyword == b"Comment" else f"text {keyword!r}"), text
        elif name in _TEXTS:
            result[name] = f"text {_TEXTS[name]!r}", raw.rstrip(b"\0")
        else:
            result[name] = name.partition(" (")[0], body
    return result


def _inflated(data: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, 1 << 24)
    except zlib.error:
        return b""
