"""What a carrier is: a file format as pictures, which codecs code, and a skeleton, from which the same bytes come back.

    file --open--> pictures ... codecs
              `--> skeleton ... packed beside them
    pictures, skeleton --close--> the same file

A carrier knows nothing of codecs, and codecs know nothing of files. What it makes of a file it makes again from the
numbers in the skeleton alone, by integers of our own: no library's choice may decide a byte.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rdzip.formats.images.picture import Picture


class NotCarriedError(Exception):
    """Why a carrier does not bring a file back byte for byte, in one line: "its deflate stream is of an unknown
    encoder"."""


@dataclass(frozen=True)
class Opened:
    """A file, taken apart.

    pictures: what codecs code, in the order of the file: pages, frames, slices; none where nothing is a picture. Their
        metadata are empty: all that is no sample or palette is in the skeleton.
    skeleton: a value of plain CBOR (rdzip.formats.cbor): integers, byte strings, text, lists, maps.
    """

    pictures: list[Picture] = field(default_factory=list)
    skeleton: Any = None


@dataclass(frozen=True)
class Row:
    """A carrier.

    number: in files. name: that users see. suffix: of files of this format.
    module: has ``open`` and ``close``; it is imported when a file needs it.
    recognises: whether the first bytes of a file (at least 1,024, if it has so many) are of this format.
    """

    number: int
    name: str
    suffix: str
    module: str
    recognises: Callable[[bytes], bool]

    def open(self, data: bytes) -> Opened:
        """Take a file apart; NotCarriedError where `close` would not give the same bytes."""
        found: Opened = import_module(self.module).open(data)
        return found

    def close(self, pictures: Sequence[Picture], skeleton: Any) -> bytes:
        """Return the file; FormatError for a skeleton that no `open` makes, or that claims too much."""
        data: bytes = import_module(self.module).close(pictures, skeleton)
        return data
