"""What an image file says beside its samples, from its own bytes: nothing here relies on what reads the picture.

Two files of one picture in one format hold the same where these facts are equal. A format that is not known here has
none; its files are the same only if all their bytes are.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from rdzip.codecs.classic import png
from rdzip.formats.images import facts_tiff
from rdzip.formats.images.facts_base import Facts, ItemKind, exif_of, xmp_of


def facts(data: bytes) -> Facts | None:
    """Return the facts of an image file; None for a format that is not known here, or a file that is damaged."""
    readers: tuple[tuple[bytes, Callable[[bytes], Facts]], ...] = (
        (rb"\x89PNG\r\n\x1a\n", _png),
        (rb"II[*+]\0|MM\0[*+]", facts_tiff.facts),
        (rb"\xff\xd8\xff", _jpeg),
        (rb"RIFF....WEBP", _webp),
        (rb"GIF8[79]a", _gif),
        (rb"P[1-6fF]\s", _pnm),
        (rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", _jpeg2000),
    )
    for pattern, read in readers:
        if re.match(pattern, data, re.DOTALL):
            try:
                return read(data)
            except (ValueError, IndexError, struct.error, KeyError):
                return None
    return None


def _png(data: bytes) -> Facts:
    result = Facts("PNG")
    chunks = png.read_chunks(data)
    depth, colour_type = chunks[0][1][8], chunks[0][1][9]
    # Indices of a palette are the same numbers in any depth.
    result.structure["bits and colour type"] = ("" if colour_type == 3 else depth, colour_type)
    for kind, body in chunks[1:-1]:
        name = kind.decode("latin-1")
        if kind in (b"tEXt", b"zTXt", b"iTXt"):
            name += " " + body.split(b"\0", 1)[0].decode("latin-1")
        if kind not in (b"IDAT", b"PLTE"):
            result.add(name, body, *_png_item(kind, body))
    size = len(png.SIGNATURE) + sum(12 + len(body) for _, body in chunks)
    _rest(result, data, size)
    return result


def _png_item(kind: bytes, body: bytes) -> tuple[ItemKind, Any]:
    """Return what a chunk is, and what it says in any format (None: its body, or nothing shared)."""
    head, _, rest = body.partition(b"\0")
    if kind == b"iCCP":
        return ItemKind.ICC_PROFILE, _inflated(rest[1:])
    if kind == b"iTXt" and head == b"XML:com.adobe.xmp":
        return ItemKind.XMP, rest[2:].partition(b"\0")[2].partition(b"\0")[2]
    if kind == b"tEXt":
        return (ItemKind.COMMENT, rest) if head == b"Comment" else (ItemKind.TEXT, (head, rest))
    if kind == b"eXIf":
        return ItemKind.EXIF, exif_of(body)
    return {b"pHYs": ItemKind.RESOLUTION, b"tRNS": ItemKind.TRANSPARENCY}.get(kind, ItemKind.OTHER), None


def _inflated(data: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, 1 << 24)
    except zlib.error:
        return b""


def _rest(result: Facts, data: bytes, end: int) -> None:
    if data[end:].strip(b"\0"):
        result.add(f"{len(data) - end} bytes after its end", data[end:])


_APPS = {
    b"Exif\0": ("Exif", ItemKind.EXIF, exif_of),
    b"http://ns.adobe.com/xap/1.0/\0": ("XMP", ItemKind.XMP, xmp_of),
    b"ICC_PROFILE\0": ("ICC profile", ItemKind.ICC_PROFILE, lambda body: body[14:]),  # and a number of a count
}
_MORE_APPS = {
    b"Photoshop 3.0\0": "Photoshop resources with IPTC",
    b"http://ns.adobe.com/xmp/extension/\0": "extended XMP",
    b"MPF\0": "multi-picture index",
    b"JFXX\0": "JFXX thumbnail",
}


def _jpeg(data: bytes) -> Facts:
    result = Facts("JPEG", lossy="JPEG")
    at = 2
    while data[at] == 0xFF and data[at + 1] != 0xDA:
        if data[at + 1] == 0xFF or 0xD0 <= data[at + 1] <= 0xD8 or data[at + 1] == 1:
            at += 1 if data[at + 1] == 0xFF else 2
            continue
        marker, size = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        body = data[at + 4 : at + 2 + size]
        if marker == 0xFE:
            result.add("comment", body, ItemKind.COMMENT)
        elif 0xE0 <= marker <= 0xEF and not body.startswith((b"JFIF\0", b"Adobe")):
            _add_app(result, marker - 0xE0, body)
        at += 2 + size
    end = data.rfind(b"\xff\xd9")
    if end >= 0:
        _rest(result, data, end + 2)
    return result


def _add_app(result: Facts, number: int, body: bytes) -> None:
    """Add the segment APPn of a JPEG."""
    for start, (name, kind, content) in _APPS.items():
        if body.startswith(start):
            result.add(name, body, kind, content(body))
            return
    name = next((text for start, text in _MORE_APPS.items() if body.startswith(start)), "")
    result.add(name or f"APP{number} {_word(body)}".strip(), body)


def _word(body: bytes) -> str:
    found = re.match(rb"[ -~]{3,20}", body)
    return found.group().decode("latin-1") if found else ""


_CHUNKS: dict[bytes, tuple[str, ItemKind, Callable[[bytes], Any]]] = {
    b"ICCP": ("ICC profile", ItemKind.ICC_PROFILE, bytes),
    b"EXIF": ("Exif", ItemKind.EXIF, exif_of),
    b"XMP ": ("XMP", ItemKind.XMP, xmp_of),
}


def _webp(data: bytes) -> Facts:
    result = Facts("WEBP")
    at, end = 12, 8 + int.from_bytes(data[4:8], "little")
    while at + 8 <= min(end, len(data)):
        kind, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if kind == b"VP8 ":
            result.lossy = "lossy WebP"
        elif kind not in (b"VP8L", b"VP8X", b"ALPH"):
            body = data[at + 8 : at + 8 + size]
            name, what, content = _CHUNKS.get(kind, (kind.decode("latin-1"), ItemKind.OTHER, lambda _: None))
            result.add(name, body, what, content(body))
        at += 8 + size + size % 2
    _rest(result, data, end)
    return result


def _gif(data: bytes) -> Facts:
    result = Facts("GIF")
    width, height, flags, background, aspect = struct.unpack_from("<HHBBB", data, 6)
    at = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    if aspect:
        result.add("aspect ratio", aspect)
    if background:
        result.add("background colour", background)
    while data[at] != 0x3B:
        if data[at] == 0x2C:
            place = struct.unpack_from("<HHHHB", data, at + 1)
            if place[:4] != (0, 0, width, height):
                result.add("place on the screen", (width, height, place[:4]))
            at += 10 + (3 << (place[4] & 7) + 1 if place[4] & 0x80 else 0) + 1
            _, at = _blocks(data, at)
        elif data[at] == 0x21:
            label = data[at + 1]
            body, at = _blocks(data, at + 2)
            if label == 0xF9:
                if int.from_bytes(body[1:3], "little"):
                    result.add("delay", body[1:3])
                result.structure["transparency"] = body[3] if body[0] & 1 else None
            else:
                what = {0xFE: "comment", 0x01: "plain text"}.get(label, "")
                kind = ItemKind.COMMENT if label == 0xFE else ItemKind.OTHER
                result.add(what or f"extension {_word(body)}".strip(), body, kind)
        else:
            raise ValueError("no block of a GIF")
    _rest(result, data, at + 1)
    return result


def _blocks(data: bytes, at: int) -> tuple[bytes, int]:
    pieces = []
    while data[at]:
        pieces.append(data[at + 1 : at + 1 + data[at]])
        at += 1 + data[at]
    return b"".join(pieces), at + 1


def _pnm(data: bytes) -> Facts:
    result = Facts("PPM")
    kind = data[1:2].decode("ascii")
    words: list[bytes] = []
    at, count = 2, 2 if kind in "14" else 3
    while len(words) < count:
        found = re.compile(rb"\s*(#[^\n\r]*|[^\s#]+)").match(data, at)
        if found is None:
            raise ValueError("no header")
        at = found.end()
        if found.group(1).startswith(b"#"):
            result.add("comment", found.group(1), ItemKind.COMMENT)
        else:
            words.append(found.group(1))
    result.structure["kind"] = {"1": "4", "2": "5", "3": "6"}.get(kind, kind)
    if kind in "fF":
        result.structure["scale"] = abs(float(words[2]))
    elif count == 3:
        result.structure["maxval"] = int(words[2])
    width, height = int(words[0]), int(words[1])
    if kind in "456fF":
        channels = 3 if kind in "6F" else 1
        width = (width + 7) // 8 if kind == "4" else width * (4 if kind in "fF" else 1 + (int(words[2]) > 255))
        _rest(result, data, at + 1 + width * channels * height)
    return result


def _jpeg2000(data: bytes) -> Facts:
    result = Facts("JPEG2000")
    start = data.find(b"\xff\x4f\xff\x51")
    style = data.find(b"\xff\x52", start)
    if start < 0 or style < 0:
        raise ValueError("no codestream")
    if data[style + 13] == 0:
        result.lossy = "JPEG 2000 with loss"
    if start:
        for kind, body in _boxes(data):
            if kind == b"jp2h":
                for inner, content in _boxes(body):
                    if inner not in (b"ihdr", b"bpcc") and (inner, content[:1]) != (b"colr", b"\1"):
                        result.add(inner.decode("latin-1").strip(), content)
            elif kind not in (b"jP  ", b"ftyp", b"jp2c", b"free"):
                result.add(kind.decode("latin-1").strip(), body)
    return result


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1:
            size, head = struct.unpack_from(">Q", data, at + 8)[0], 16
        size = size or len(data) - at
        if size < head:
            raise ValueError("a box without its length")
        yield kind, data[at + head : at + size]
        at += size
