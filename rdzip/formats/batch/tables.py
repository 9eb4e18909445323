"""A batch's sections without what they code: names of its images, lengths of its sequences, segments
(docs/reference/format.md, section 8).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from rdzip.errors import FormatError, InputError
from rdzip.formats.batch.header import LENGTH_DTYPES, BatchHeader, Form
from rdzip.formats.container import Container, SectionType
from rdzip.formats.header import MAX_SIDE, bad, is_int
from rdzip.formats.member_names import check_name
from rdzip.formats.packing import pack_value, unpack_value

HASH = 8  # bytes before each chain


@dataclass(frozen=True)
class Frame:
    """Names and formats of images; lengths of sequences, and the type of these in the .npz."""

    names: list[str] = field(default_factory=list)
    formats: list[str] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    length_dtype: str = LENGTH_DTYPES[0]


def read_frame(parsed: Container, header: BatchHeader) -> Frame:
    """Return the tables of a parsed batch; FormatError if they do not suit its header."""
    names, lengths = parsed.find(SectionType.NAMES), parsed.find(SectionType.SEQUENCES)
    if (names is not None) != (header.form == Form.IMAGES) or (lengths is not None) != header.sequences:
        raise FormatError("header is inconsistent: its names or lengths do not suit its form; the file is corrupt")
    if names is not None:
        return Frame(*unpack_names(names, header.count))
    if lengths is not None:
        table, dtype = unpack_lengths(lengths, header.count)
        return Frame(lengths=table, length_dtype=dtype)
    return Frame()


def segments(parsed: Container, header: BatchHeader) -> list[bytes | memoryview]:
    """Return the bodies of the segments, in order; FormatError if there are others than the header says."""
    kind = SectionType.CHAIN if header.model else SectionType.MEMBER
    tables = (SectionType.NAMES, SectionType.SEQUENCES)
    if wrong := [
        section.type for section in parsed.sections if section.type not in (kind, *tables, SectionType.ORIGIN)
    ]:
        raise FormatError(
            f"header is inconsistent: a batch {'with' if header.model else 'without'} model and a section of type "
            f"{wrong[0]}; the file is corrupt"
        )
    bodies = [section.body for section in parsed.sections if section.type == kind]
    if len(bodies) != header.segments:
        raise FormatError(
            f"header is inconsistent: {header.count} items, {header.segment} a segment, in {len(bodies)} segments; the "
            "file is corrupt"
        )
    if header.model and any(len(body) < HASH for body in bodies):
        raise FormatError("header is inconsistent: an empty segment; the file is corrupt")
    return bodies


def pack_names(names: Sequence[str], formats: Sequence[str]) -> bytes:
    """Return the body of a names section: each name alone, or with its format unless that is PNG.

    Raises InputError for a bad or repeated name.
    """
    seen: set[str] = set()
    for name in names:
        if check_name(name).casefold() in seen:
            raise InputError(f"expected names that differ, found two items called {name!r}: rename one")
        seen.add(name.casefold())
    pairs = zip(names, formats, strict=True)
    return pack_value([name if source == "PNG" else [name, source] for name, source in pairs])


def unpack_names(body: bytes | memoryview, count: int) -> tuple[list[str], list[str]]:
    """Return the names and the formats; FormatError if they are not `count` sound and distinct ones."""
    entries = unpack_value(body)
    if not isinstance(entries, list) or len(entries) != count:
        raise FormatError(f"the batch has not {count} names: the file is corrupt")
    pairs = [[entry, "PNG"] if isinstance(entry, str) else entry for entry in entries]
    names, formats = [], []
    for pair in pairs:
        if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(part, str) for part in pair)):
            raise bad("a name", pair)
        try:
            names.append(check_name(pair[0]))
        except InputError as error:
            raise FormatError(f"the batch is hostile or corrupt: {error}") from error
        if not (len(pair[1]) <= 32 and pair[1].isascii() and pair[1].isprintable()):
            raise bad("the source format", pair[1])
        formats.append(pair[1])
    if len({name.casefold() for name in names}) < count:
        raise FormatError("the batch has a name twice: the file is corrupt")
    return names, formats


def pack_lengths(lengths: Sequence[int], dtype: str) -> bytes:
    """Return the body of a sequences section: the lengths, and their type in the .npz."""
    return pack_value([list(lengths), dtype])


def unpack_lengths(body: bytes | memoryview, count: int) -> tuple[list[int], str]:
    """Return the lengths and their type; FormatError unless they are `count` lengths of it with a step in all."""
    table = unpack_value(body)
    if not (isinstance(table, list) and len(table) == 2):
        raise FormatError("header is inconsistent: the table of sequences has another form; the file is corrupt")
    lengths, dtype = table
    if dtype not in LENGTH_DTYPES:
        raise bad("the type of lengths", dtype)
    most = min(MAX_SIDE, (1 << 8 * int(dtype[2]) - (dtype[1] == "i")) - 1)
    if not (isinstance(lengths, list) and len(lengths) == count and all(is_int(n, 0, most) for n in lengths)):
        raise FormatError(f"the batch has not {count} lengths of sequences: the file is corrupt")
    if not any(lengths):
        raise FormatError("header is inconsistent: sequences without any step; the file is corrupt")
    return lengths, dtype
