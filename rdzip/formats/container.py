"""The bytes of a .rdz file: signature, version, CBOR header, typed sections with CRC-32, end mark
(docs/reference/format.md, section 1).

    89 52 44 5A 0D 0A 1A 0A | version | header length, header, CRC-32 | { type, length, body, CRC-32 } ... | 00

Lengths are LEB128 varints. The first CRC-32 covers version, header length and header; a section's covers its type,
length and body.
Section types below 128 are critical: a reader that does not know one refuses the file. Types from 128 are skipped when
unknown.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from rdzip.errors import FormatError
from rdzip.formats import cbor

SIGNATURE = b"\x89RDZ\r\n\x1a\n"
VERSION = 1
MAX_HEADER = 1 << 16
END = 0
FIRST_OPTIONAL = 128


class SectionType(IntEnum):
    """Types of section that this version writes; those below FIRST_OPTIONAL are critical."""

    COLOUR = 1  # every channel but those with a section of their own
    ALPHA = 2
    PALETTE = 3
    METADATA = 4
    MEMBER = 5  # of an archive: a whole .rdz file
    INDEX = 6  # of an archive
    TAIL = 7  # of an archive: where the index begins
    CHAIN = 8  # of a batch: a segment of its items, coded one after the other by a model with latents
    NAMES = 9  # of a batch of images
    SEQUENCES = 10  # of a batch of sequences: their lengths and what else their file says
    SKELETON = 11  # of the file that was compressed: all of it but its pictures
    COEFFICIENTS = 12  # of a JPEG: a payload of the codec dct
    DESCRIPTION = 13  # what turns coded luma and chroma into colours
    ORIGIN = 128  # where the model can be fetched; readers may skip it


@dataclass(frozen=True)
class Section:
    """One section: its type (1..255) and its body."""

    type: int
    body: bytes | memoryview


@dataclass(frozen=True)
class Container:
    """A parsed file: the header's map and the sections that this version knows, in order."""

    header: dict[int | str, Any]
    sections: list[Section]

    def find(self, kind: SectionType) -> bytes | memoryview | None:
        """Return the body of the only section of this type, None if there is none; FormatError if there are several."""
        bodies = [section.body for section in self.sections if section.type == kind]
        if len(bodies) > 1:
            raise FormatError(
                f"header is inconsistent: {len(bodies)} sections of type {kind.name.lower()}; the file is corrupt"
            )
        return bodies[0] if bodies else None


def write_varint(value: int) -> bytes:
    """Return `value` >= 0 as LEB128: seven bits a byte, low ones first, the high bit set on all but the last."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_varint(data: bytes | memoryview, at: int) -> tuple[int, int]:
    """Return (value, position after it); FormatError if it is cut off, over 63 bits or not in its shortest form."""
    value = 0
    for index in range(9):
        if at >= len(data):
            raise FormatError("the file is truncated: it ends within a length; get a complete copy")
        byte = data[at]
        at += 1
        value |= (byte & 127) << 7 * index
        if byte < 128:
            if byte == 0 and index:
                break
            return value, at
    raise FormatError("a length is not a valid number; the file is corrupt")


def pack_prefix(header: Mapping[int, Any]) -> bytes:
    """Return signature, version and header: everything before the first section."""
    body = cbor.dumps(dict(header))
    if len(body) > MAX_HEADER:
        raise FormatError(f"expected a header of at most {MAX_HEADER} bytes, found {len(body)}")
    head = bytes([VERSION]) + write_varint(len(body)) + body
    return SIGNATURE + head + zlib.crc32(head).to_bytes(4, "little")


def pack_section(section: Section) -> list[bytes | memoryview]:
    """Return one section as pieces to be written one after the other (the body is not copied)."""
    head = bytes([section.type]) + write_varint(len(section.body))
    crc = zlib.crc32(section.body, zlib.crc32(head))
    return [head, section.body, crc.to_bytes(4, "little")]


def pack(header: Mapping[int, Any], sections: Sequence[Section]) -> bytes:
    """Return the whole file."""
    pieces: list[bytes | memoryview] = [pack_prefix(header)]
    for section in sections:
        pieces += pack_section(section)
    pieces.append(bytes([END]))
    return b"".join(pieces)


def check_signature(data: bytes | memoryview) -> None:
    """Raise FormatError unless `data` begins with the signature, with a message for each way in which it may not."""
    start = bytes(data[: len(SIGNATURE)])
    if start == SIGNATURE:
        return
    if not start:
        raise FormatError("not an .rdz file: it is empty")
    if SIGNATURE.startswith(start):
        raise FormatError("the file is truncated: it ends within the signature; get a complete copy")
    if start[:4] == SIGNATURE[:4] or start[:4] == b"\tRDZ" or b"RDZ\n\x1a\n" in start + bytes(data[8:10]):
        raise FormatError(
            "the file was damaged by a transfer in text mode (its line ends were changed); copy it again in binary mode"
        )
    raise FormatError(f"not an .rdz file: expected it to begin with {SIGNATURE.hex(' ')}, found {start.hex(' ')}")


def unpack_prefix(data: bytes | memoryview) -> tuple[dict[int | str, Any], int]:
    """Return (header, position of the first section); FormatError for a foreign, newer or damaged beginning."""
    check_signature(data)
    at = len(SIGNATURE)
    if at >= len(data):
        raise FormatError("the file is truncated: it ends before its version; get a complete copy")
    version = data[at]
    if version > VERSION:
        raise FormatError(
            f"this file needs format version {version}, this rdzip reads up to {VERSION}: update rdzip, or the file is "
            "corrupt"
        )
    if version == 0:
        raise FormatError("format version 0 does not exist; the file is corrupt")
    length, start = read_varint(data, at + 1)
    if length > MAX_HEADER:
        raise FormatError(f"expected a header of at most {MAX_HEADER} bytes, found {length}; the file is corrupt")
    end = start + length
    _check_crc(data, at, end, "header")
    header = cbor.loads(bytes(data[start:end]))
    if not isinstance(header, dict):
        raise FormatError("header is inconsistent: it is not a map; the file is corrupt")
    return header, end + 4


def _check_crc(data: bytes | memoryview, start: int, end: int, what: str) -> None:
    if end + 4 > len(data):
        raise FormatError(
            f"the file is truncated: {end + 4 - len(data)} bytes of its {what} are missing; get a complete copy"
        )
    if zlib.crc32(data[start:end]) != int.from_bytes(data[end : end + 4], "little"):
        raise FormatError(f"checksum mismatch in the {what}: the file is corrupt; get another copy")


def read_section(data: bytes | memoryview, at: int) -> tuple[Section | None, int]:
    """Return (section at `at`, position after it), or (None, position) at the end mark; the checksum is verified."""
    if at >= len(data):
        raise FormatError("the file is truncated: its end mark is missing; get a complete copy")
    kind = data[at]
    if kind == END:
        return None, at + 1
    length, start = read_varint(data, at + 1)
    end = start + length
    _check_crc(data, at, end, f"section of type {kind}")
    return Section(kind, data[start:end]), end + 4


def unpack(data: bytes | bytearray | memoryview) -> Container:
    """Parse a whole file; the bodies are views of `data`.

    Raises FormatError with a message of its own for: a foreign file, damage by text mode, a newer version, truncation,
    a checksum mismatch, an
    unknown critical section, an inconsistent header, bytes after the end mark.
    """
    view = memoryview(data)
    header, at = unpack_prefix(view)
    sections: list[Section] = []
    while True:
        section, at = read_section(view, at)
        if section is None:
            break
        known = section.type in SectionType.__members__.values()
        if section.type < FIRST_OPTIONAL and not known:
            raise FormatError(
                f"the file needs a newer rdzip: its section of type {section.type} is critical and unknown to version "
                f"{VERSION}"
            )
        if known:
            sections.append(section)
    if at != len(view):
        raise FormatError(f"{len(view) - at} bytes follow the end mark: the file is corrupt, or two files were joined")
    return Container(header, sections)
