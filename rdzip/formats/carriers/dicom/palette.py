"""Palettes of DICOM: three tables of look-up, which pictures hold instead of the head.

Source: DICOM PS3.3, section C.7.6.3.1.5 and C.7.6.3.1.6 (descriptors and data of palette colour tables).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rdzip.formats.carriers.dicom.elements import Element
from rdzip.formats.carriers.raw.checks import require
from rdzip.formats.images.picture import Picture

DESCRIPTORS, TABLES = (0x281101, 0x281102, 0x281103), (0x281201, 0x281202, 0x281203)
TAGS = DESCRIPTORS + TABLES
DESCRIPTOR = 6
"""Bytes of a descriptor: entries, the first index, bits."""
MOST = 256
"""Entries of a picture's palette."""
FACTORS = {1: 256, 2: 257, 3: 1}
"""By form, entries of 16 bits as multiples of those of a palette; form 4 are bytes."""
BYTES = 4
FORMS = (*FACTORS, BYTES)


class Palette(NamedTuple):
    """Where the tables of red, green, blue begin, how many entries each has, of how many bytes, in which byte order."""

    places: tuple[int, ...]
    entries: int
    width: int
    big: bool

    def read(self, head: bytes) -> tuple[int, bytes]:
        """Return the form, and the entries as RGB; 0 and nothing if 8 bits do not tell what they are."""
        raw = [head[at : at + self.entries * self.width] for at in self.places]
        tables = np.stack([np.frombuffer(b, self._dtype) for b in raw])
        for form in FORMS:
            colours = (tables.astype(np.int64) // FACTORS.get(form, 1)).astype(np.uint8).T.tobytes()
            if (form == BYTES) == (self.width == 1) and self._tables(form, colours) == raw:
                return form, colours
        return 0, b""

    def cleared(self, head: bytes) -> bytes:
        """Return the head with zeros for the tables."""
        return self._replaced(head, [bytes(self.entries * self.width)] * 3)

    def restored(self, head: bytes, form: int, pictures: Sequence[Picture]) -> bytes:
        """Return the head with the tables of the pictures' palette; FormatError if that does not suit."""
        colours = pictures[0].palette
        require(form in FORMS and (form == BYTES) == (self.width == 1), "a skeleton's palette has an unknown form")
        require(len(colours) == 3 * self.entries, "a skeleton needs a palette of another length")
        require(all((p.palette, p.palette_mode) == (colours, "RGB") for p in pictures), "pictures' palettes differ")
        return self._replaced(head, self._tables(form, colours))

    @property
    def _dtype(self) -> np.dtype[np.unsignedinteger]:
        return np.dtype((">" if self.big else "<") + f"u{self.width}")

    def _tables(self, form: int, colours: bytes) -> list[bytes]:
        values: NDArray[np.int64] = np.frombuffer(colours, np.uint8).reshape(-1, 3).T * np.int64(FACTORS.get(form, 1))
        return [table.astype(self._dtype).tobytes() for table in values]

    def _replaced(self, head: bytes, tables: Sequence[bytes]) -> bytes:
        changed = bytearray(head)
        for at, table in zip(self.places, tables, strict=True):
            changed[at : at + len(table)] = table
        return bytes(changed)


def palette_of(found: Mapping[int, Element], head: bytes, big: bool) -> Palette | None:
    """Return where the palette is among the elements found; None if there is none that a picture holds."""
    if not all(tag in found for tag in TAGS):
        return None
    if any(found[tag].length != DESCRIPTOR for tag in DESCRIPTORS):
        return None
    descriptors = [head[found[tag].at : found[tag].at + DESCRIPTOR] for tag in DESCRIPTORS]
    entries = int.from_bytes(descriptors[0][:2], "big" if big else "little")
    lengths = {found[tag].length for tag in TABLES}
    same = len({d[:4] for d in descriptors}) == 1 and descriptors[0][2:4] == b"\0\0" and len(lengths) == 1
    length = lengths.pop()
    if not same or not 0 < entries <= MOST or length not in (2 * entries, entries, entries + 1):
        return None
    places = tuple(found[tag].at for tag in TABLES)
    if any(at + length > len(head) for at in places):
        return None
    return Palette(places, entries, 2 if length == 2 * entries else 1, big)
