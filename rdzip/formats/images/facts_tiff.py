"""What a TIFF file says beside its samples, from its own bytes: every tag, and bytes that no tag refers to.

Source: TIFF 6.0 (Adobe, 1992), section 2 (structure) and its tables of tags; BigTIFF as libtiff describes it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from PIL import TiffTags

from rdzip.formats.images.facts_base import Facts, ItemKind, xmp_of

BITS, COMPRESSION, PHOTOMETRIC, COLOR_MAP, EXTRA, FORMAT = 258, 259, 262, 320, 338, 339
XMP, ICC = 700, 34675
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_CODES = {1: "B", 3: "H", 4: "I", 5: "I", 6: "b", 8: "h", 9: "i", 10: "i", 11: "f", 12: "d"} | dict.fromkeys((13,), "I")
_CODES |= {16: "Q", 17: "q", 18: "Q"}
# How samples are packed, and where: tags that may differ between two files of one picture.
_PACKING = frozenset((256, 257, 259, 266, 273, 277, 278, 279, 284, 288, 289, 292, 293, 317, *range(322, 326), 347))
_OLD_JPEG = frozenset(range(512, 522))
# What a reader takes where a tag is missing.
_DEFAULTS: dict[int, Any] = {254: (0,), 255: (1,), 263: (1,), 274: (1,), 296: (2,), BITS: (1,), FORMAT: (1,)}
_INSIDE = {34665: "Exif", 34853: "GPS", 40965: "Interoperability", 330: "SubIFD"}
_LOSSY = {6: "JPEG", 7: "JPEG", 34712: "JPEG 2000", 34887: "LERC", 34892: "JPEG", 50001: "WebP", 50002: "JPEG XL"}
_RESOLUTION = frozenset((282, 283, 296))
_TEXTS = {270: b"Description", 305: b"Software", 315: b"Author", 33432: b"Copyright", 306: b"Creation Time"}
"""Tags that are texts, by the keywords that PNG has for them."""
_DEEPEST = 4


@dataclass
class _Reader:
    """data: the file; order and big: of its numbers. used: parts of it that something refers to."""

    data: bytes
    order: str
    big: bool
    used: list[tuple[int, int]]

    def number(self, at: int, code: str) -> int:
        return int(struct.unpack_from(self.order + code, self.data, at)[0])

    def directory(self, at: int) -> tuple[dict[int, tuple[int, Any]], int]:
        """Return {tag: (type, value)} of the directory at an offset, and the offset of the next."""
        head, entry, code = (8, 20, "Q") if self.big else (2, 12, "I")
        count = self.number(at, "Q" if self.big else "H")
        end = at + head + entry * count
        self.used.append((at, end + struct.calcsize(code)))
        found = {}
        for place in range(at + head, min(end, len(self.data)), entry):
            tag, kind = self.number(place, "H"), self.number(place + 2, "H")
            found[tag] = kind, self._value(kind, self.number(place + 4, code), place + entry - struct.calcsize(code))
        return found, self.number(end, code)

    def _value(self, kind: int, count: int, place: int) -> Any:
        size, room = _SIZES.get(kind, 1) * count, 8 if self.big else 4
        at = place if size <= room else self.number(place, "Q" if self.big else "I")
        if at + size > len(self.data):
            raise ValueError("a tag's value lies outside of the file")
        if size > room:
            self.used.append((at, at + size))
        raw = self.data[at : at + size]
        code = _CODES.get(kind)
        if code is None or kind in (1, 6):
            return raw
        numbers = struct.unpack(f"{self.order}{len(raw) // struct.calcsize(code)}{code}", raw)
        if kind in (5, 10):
            return tuple(Fraction(a, b) if b else (a, b) for a, b in zip(numbers[::2], numbers[1::2], strict=True))
        return numbers


def facts(data: bytes) -> Facts:
    """Return the facts of a TIFF file; ValueError, struct.error or IndexError where it is damaged."""
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    reader = _Reader(data, order, big, [(0, 16 if big else 8)])
    first = reader.number(8, "Q") if big else reader.number(4, "I")
    tags, following = reader.directory(first)
    result = Facts("TIFF")
    _take(reader, tags, "", result, _DEEPEST)
    if following:
        result.add("another page", following)
    compression = tags.get(COMPRESSION, (3, (1,)))[1][0]
    if compression in _LOSSY:
        result.lossy = _LOSSY[compression]
    for offsets, counts in ((273, 279), (324, 325)):
        if offsets in tags and counts in tags:
            reader.used += [(at, at + size) for at, size in zip(tags[offsets][1], tags[counts][1], strict=False)]
    if compression in (6, 7) and not {273, 324} & set(tags):
        reader.used.append((0, len(data)))
    if unknown := _unused(data, reader.used):
        result.add(f"{unknown} bytes that no tag refers to", unknown)
    return result


def _take(reader: _Reader, tags: dict[int, tuple[int, Any]], prefix: str, result: Facts, depth: int) -> None:
    for tag, (kind, value) in sorted(tags.items()):
        label = f"{TiffTags.lookup(tag).name} ({tag})" if not prefix else f"{prefix} {tag}"
        if tag in _INSIDE and kind in (4, 13, 16, 18) and isinstance(value, tuple):
            for number, at in enumerate(value):
                inside, _ = reader.directory(at) if depth else ({}, 0)
                name = _INSIDE[tag] + (f" {number}" if len(value) > 1 else "")
                if tag == 330:
                    result.add(f"another picture ({label})", len(inside))
                _take(reader, inside, f"{prefix} {name}".strip(), result, depth - 1)
        elif not prefix and tag in (PHOTOMETRIC, BITS, FORMAT, EXTRA):
            result.structure[tag] = tuple(sorted(set(value))) if tag in (BITS, FORMAT) else value
        elif prefix or (tag not in _PACKING | _OLD_JPEG and _DEFAULTS.get(tag) != value):
            result.add(label, (kind, value), *_item(tag, value, inside=bool(prefix)))


def _item(tag: int, value: Any, *, inside: bool) -> tuple[ItemKind, Any]:
    """Return what a tag is, and what it says in any format (None: nothing shared). inside: in another directory."""
    body = value if isinstance(value, bytes) else b""
    if inside:
        return ItemKind.OTHER, None
    if tag in _RESOLUTION:
        return ItemKind.RESOLUTION, None
    if tag in _TEXTS:
        return ItemKind.TEXT, (_TEXTS[tag], body.rstrip(b"\0"))
    if tag == XMP:
        return ItemKind.XMP, xmp_of(body)
    return (ItemKind.ICC_PROFILE, body) if tag == ICC else (ItemKind.OTHER, None)


def _unused(data: bytes, used: list[tuple[int, int]]) -> int:
    """Return how many bytes other than 0 nothing refers to."""
    at = count = 0
    for start, end in [*sorted(used), (len(data), len(data))]:
        if start > at:
            count += len(data[at:start]) - data.count(0, at, start)
        at = max(at, end)
    return count
