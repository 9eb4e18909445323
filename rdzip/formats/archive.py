"""Many images in one .rdz file: each member is a whole .rdz file, found by an index at the end
(docs/reference/format.md, section 5).
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, BinaryIO, NamedTuple, Protocol

from rdzip.errors import FormatError, InputError
from rdzip.formats import container
from rdzip.formats.container import END, SIGNATURE, Section, SectionType
from rdzip.formats.header import ARCHIVE_KIND, MEMBERS
from rdzip.formats.member_names import check_name
from rdzip.formats.packing import pack_value, unpack_value

MAX_MODE = 0o7777
_TAIL_BYTES = 15  # type, length, 8 bytes of position, CRC-32, end mark


class Attributes(NamedTuple):
    """What a file system says of a file or folder: its mode (the low 12 bits), and when it was changed, in nanoseconds
    since 1970.
    """

    mode: int
    time: int


class Packed(NamedTuple):
    """What is put into an archive: a relative name with "/" between folders, and a .rdz file; or with a "/" at its end
    the name of a folder, and nothing.
    """

    name: str
    data: bytes
    attributes: Attributes | None = None


@dataclass(frozen=True)
class Member:
    """One file of an archive: its relative name with "/" between folders, where its section begins, and the bytes of
    its .rdz file; or a folder, without that "/" at the end.
    """

    name: str
    offset: int
    length: int
    attributes: Attributes | None = None


class Writes(Protocol):
    """What an archive is written to."""

    def write(self, data: bytes | memoryview, /) -> int:
        """Write all of `data`."""


def write_archive(out: Writes, members: Iterable[Packed]) -> int:
    """Write an archive to `out`, one member after the other, and return its bytes; InputError for a bad or repeated
    name.
    """
    at = _write(out, [container.pack_prefix({MEMBERS: ARCHIVE_KIND})])
    index: list[list[Any]] = []
    seen: set[str] = set()
    for name, data, attributes in members:
        key = check_name(name if data else name.removesuffix("/")).casefold()
        if key in seen:
            raise InputError(
                f"two members of the archive would be called {name!r} (some systems do not tell capitals apart): "
                "rename one"
            )
        seen.add(key)
        index.append([name, at, len(data), *(attributes or ())])
        if not name.endswith("/"):
            at += _write(out, container.pack_section(Section(SectionType.MEMBER, data)))
    tail = Section(SectionType.TAIL, at.to_bytes(8, "little"))
    at += _write(out, container.pack_section(Section(SectionType.INDEX, pack_value(index))))
    return at + _write(out, [*container.pack_section(tail), bytes([END])])


def is_archive(data: bytes | memoryview) -> bool:
    """Return whether a file (or its first 64 bytes) is an archive; FormatError if it is no .rdz file."""
    header, _ = container.unpack_prefix(data)
    return header.get(MEMBERS) == ARCHIVE_KIND


class Archive:
    """Members of an archive by name; only the index and what is asked for are read.

    source: the archive's bytes, or a file open for reading in binary that can seek.
    Raises FormatError where the archive is not what it should be.
    """

    def __init__(self, source: bytes | memoryview | BinaryIO) -> None:
        self._file: BinaryIO = io.BytesIO(source) if isinstance(source, bytes | bytearray | memoryview) else source
        self._size = self._file.seek(0, io.SEEK_END)
        header, first = container.unpack_prefix(
            self._range(0, min(self._size, len(SIGNATURE) + 8 + container.MAX_HEADER))
        )
        if header != {MEMBERS: ARCHIVE_KIND}:
            raise FormatError(
                "expected an archive, found a .rdz file of another kind, or an archive that needs a newer rdzip"
            )
        self.members, self.folders = self._read_index(first)
        self._by_name = {member.name: member for member in self.members}

    @property
    def names(self) -> list[str]:
        """Names of the members, in order."""
        return [member.name for member in self.members]

    def read(self, name: str) -> bytes:
        """Return the .rdz file of a member; InputError if there is none of that name, FormatError if it is corrupt."""
        member = self._by_name.get(name)
        if member is None:
            raise InputError(f"expected the name of a member of the archive, found {name!r}: rdzip info lists them")
        head = 1 + len(container.write_varint(member.length))
        section, _ = container.read_section(self._range(member.offset, member.offset + head + member.length + 4), 0)
        if section is None or section.type != SectionType.MEMBER or len(section.body) != member.length:
            raise FormatError(f"the archive's index is wrong about {name!r}: the file is corrupt; get another copy")
        return bytes(section.body)

    def _range(self, start: int, end: int) -> bytes:
        self._file.seek(start)
        return self._file.read(end - start)

    def _read_index(self, first: int) -> tuple[list[Member], list[Member]]:
        tail_at = self._size - _TAIL_BYTES
        tail, end = self._section(tail_at, self._size - 1) if tail_at >= first else (None, 0)
        if (
            tail is None
            or tail.type != SectionType.TAIL
            or self._range(self._size - 1, self._size) != bytes([END])
            or end != _TAIL_BYTES - 1
        ):
            raise FormatError("the archive is truncated: its tail is missing; get a complete copy")
        start = int.from_bytes(tail.body, "little")
        if not first <= start < tail_at:
            raise FormatError("the archive's index is out of range: the file is corrupt; get another copy")
        index, _ = self._section(start, tail_at)
        if index is None or index.type != SectionType.INDEX:
            raise FormatError("the archive's index is missing: the file is corrupt; get another copy")
        return _members(unpack_value(index.body), first, start)

    def _section(self, start: int, end: int) -> tuple[Section | None, int]:
        try:
            return container.read_section(self._range(start, end), 0)
        except FormatError as error:
            raise FormatError(f"the end of the archive cannot be read ({error})") from error


def _members(index: Any, first: int, end: int) -> tuple[list[Member], list[Member]]:
    """Return the files and the folders that an index lists; FormatError if it is corrupt."""
    members: list[Member] = []
    folders: list[Member] = []
    if not isinstance(index, list):
        raise FormatError("the archive's index is not a list: the file is corrupt")
    at, seen = first, set()
    for entry in index:
        member = _member(entry)
        folder = member.name.endswith("/") and not member.length
        name = member.name[:-1] if folder else member.name
        try:
            check_name(name)
        except InputError as error:
            raise FormatError(f"the archive is hostile or corrupt: {error}") from error
        if member.offset != at or member.length < 0 or name.casefold() in seen:
            raise FormatError(f"the archive's index is wrong about {name!r}: the file is corrupt")
        seen.add(name.casefold())
        if folder:
            folders.append(replace(member, name=name))
            continue
        at += 1 + len(container.write_varint(member.length)) + member.length + 4
        members.append(member)
    if at != end:
        raise FormatError("the archive's index does not cover its members: the file is corrupt")
    return members, folders


def _member(entry: Any) -> Member:
    if not (
        isinstance(entry, list)
        and len(entry) in (3, 5)
        and isinstance(entry[0], str)
        and all(type(n) is int for n in entry[1:])
    ):
        raise FormatError("the archive's index has a wrong entry: the file is corrupt")
    attributes = Attributes(*entry[3:]) if len(entry) == 5 else None
    if attributes and not (0 <= attributes.mode <= MAX_MODE and abs(attributes.time) < 1 << 63):
        raise FormatError("the archive's index has an impossible mode or time: the file is corrupt")
    return Member(entry[0], entry[1], entry[2], attributes)


def _write(out: Writes, pieces: Iterable[bytes | memoryview]) -> int:
    total = 0
    for piece in pieces:
        out.write(piece)
        total += len(piece)
    return total
