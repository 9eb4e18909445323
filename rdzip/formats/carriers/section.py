"""The section SKELETON of a .rdz file: which carrier closes it, and from what (docs/reference/format.md, section 10).

    2 * carrier + (1 if pictures are counted) | number of groups, pictures of each | SHA-256 of the file, 4 bytes |
    skeleton, packed

Pictures of one mode, shape and palette that follow each other are a group, coded as one picture, one below the other.
Without counts there is one group of one picture. A single group is the picture that the .rdz file itself holds; several
are members, each a whole .rdz file; no group at all is a file without pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from rdzip.errors import FormatError
from rdzip.formats import packing
from rdzip.formats.carriers.carrier import Row
from rdzip.formats.carriers.table import CARRIERS, WHOLE
from rdzip.formats.container import Container, SectionType, read_varint, write_varint

HASH = 4
"""Bytes of the file's SHA-256 that are kept; pixels have hashes of their own."""
MAX_PICTURES = 1 << 20


@dataclass(frozen=True)
class Skeleton:
    """A parsed section.

    carrier: that closes the file. groups: pictures of each group. file_hash: first bytes of the file's SHA-256.
    packed: what the carrier's ``close`` takes, packed.
    """

    carrier: Row
    groups: tuple[int, ...]
    file_hash: bytes
    packed: bytes | memoryview

    def value(self) -> Any:
        """The skeleton; FormatError if it is corrupt."""
        if self.carrier.number == WHOLE:
            return packing.unpack_long(self.packed)
        return packing.unpack_value(self.packed)


def write(carrier: int, groups: tuple[int, ...], skeleton: Any, data: bytes) -> bytes:
    """Return the body of the section. data: the file that comes back."""
    counted = groups != (1,)
    body = write_varint(2 * carrier + counted)
    if counted:
        body += b"".join(write_varint(count) for count in (len(groups), *groups))
    packed = packing.pack_long(skeleton) if carrier == WHOLE else packing.pack_value(skeleton)
    return body + file_hash(data) + packed


def file_hash(data: bytes) -> bytes:
    """The first bytes of the SHA-256 of a file."""
    return sha256(data).digest()[:HASH]


def read(parsed: Container) -> Skeleton | None:
    """Return the parsed section of a file, None if it has none; FormatError if it is corrupt or of a newer rdzip."""
    body = parsed.find(SectionType.SKELETON)
    if body is None:
        return None
    number, at = read_varint(body, 0)
    groups = [1]
    if number % 2:
        count, at = read_varint(body, at)
        if count > min(MAX_PICTURES, len(body)):
            raise FormatError(f"header is inconsistent: {count} groups of pictures; the file is corrupt")
        groups, total = [], 0
        for _ in range(count):
            pictures, at = read_varint(body, at)
            groups.append(pictures)
            total += pictures
        if not all(groups) or total > MAX_PICTURES:
            raise FormatError("header is inconsistent: groups of no pictures, or too many; the file is corrupt")
    if at + HASH > len(body):
        raise FormatError("header is inconsistent: a skeleton that ends early; the file is corrupt")
    carrier = CARRIERS.get(number // 2)
    if carrier is None:
        raise FormatError(f"the file needs a newer rdzip: its carrier {number // 2} is unknown")
    return Skeleton(carrier, tuple(groups), bytes(body[at : at + HASH]), body[at + HASH :])
