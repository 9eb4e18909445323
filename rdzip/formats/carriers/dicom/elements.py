"""Data elements of a DICOM file: tag, type, length, value; sequences are skipped.

Source: DICOM PS3.5, sections 7 (data set, sequences) and A (transfer syntaxes); PS3.10, section 7 (preamble, file meta
information).
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from rdzip.formats.carriers.carrier import NotCarriedError

PREAMBLE = 128
MAGIC = b"DICM"
META, TRANSFER_SYNTAX = 0x0002, 0x00020010
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
DELIMITERS = 0xFFFE
UNDEFINED = 0xFFFFFFFF
LONG = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
"""Value representations with lengths of four bytes, after two bytes of nothing."""
DEEP = 64
"""Sequences in one another."""
MOST_ELEMENTS = 1 << 20


class Syntax(NamedTuple):
    """How elements are written: whether with their value representation, whether the high byte comes first there, and
    in pixels.
    """

    explicit: bool
    big: bool = False
    big_pixels: bool = False

    @property
    def order(self) -> Literal["little", "big"]:
        """Order of bytes of tags, lengths and numbers."""
        return "big" if self.big else "little"


class Element(NamedTuple):
    """A data element: its tag (group << 16 | element), value representation (empty if implicit), length of its value,
    and where this begins.
    """

    tag: int
    kind: bytes
    length: int
    at: int


IMPLICIT, EXPLICIT = Syntax(False), Syntax(True)
SYNTAXES = {
    b"1.2.840.10008.1.2": IMPLICIT,
    b"1.2.840.10008.1.2.1": EXPLICIT,
    b"1.2.840.10008.1.2.2": Syntax(True, True, True),
    b"1.2.840.113619.5.2": Syntax(False, False, True),
}


class Reader:
    """Reads elements of bytes, up to MOST_ELEMENTS of them."""

    def __init__(self, data: bytes) -> None:
        """data: the file, or its start."""
        self.data = data
        self.left = MOST_ELEMENTS

    def element(self, at: int, syntax: Syntax) -> Element:
        """Return the element at a place; NotCarriedError if there is none."""
        self.left -= 1
        data = self.data
        if self.left < 0 or at + 8 > len(data):
            raise NotCarriedError("its data set is cut short, or has too many elements")
        order = syntax.order
        group = int.from_bytes(data[at : at + 2], order)
        tag = group << 16 | int.from_bytes(data[at + 2 : at + 4], order)
        if not syntax.explicit or group == DELIMITERS:
            return Element(tag, b"", int.from_bytes(data[at + 4 : at + 8], order), at + 8)
        kind = data[at + 4 : at + 6]
        if not (kind.isalpha() and kind.isupper()):
            raise NotCarriedError("its data set has a value of an unknown kind")
        if kind not in LONG:
            return Element(tag, kind, int.from_bytes(data[at + 6 : at + 8], order), at + 8)
        if at + 12 > len(data):
            raise NotCarriedError("its data set is cut short")
        return Element(tag, kind, int.from_bytes(data[at + 8 : at + 12], order), at + 12)

    def after(self, element: Element, syntax: Syntax) -> int:
        """Return where an element ends; NotCarriedError if its sequences of undefined length are not well formed."""
        if element.length != UNDEFINED:
            return element.at + element.length
        at = element.at
        inner = IMPLICIT if element.kind == b"UN" else syntax
        stack = [(SEQUENCE_END, inner)]
        while stack:
            end, syntax = stack[-1]
            tag, kind, length, at = self.element(at, syntax)
            if tag == end:
                stack.pop()
                continue
            if (tag == ITEM) != (end == SEQUENCE_END) or tag in (ITEM_END, SEQUENCE_END) or len(stack) > 2 * DEEP:
                raise NotCarriedError("its sequences are not well formed")
            if length != UNDEFINED:
                at += length
            elif tag == ITEM:
                stack.append((ITEM_END, syntax))
            else:
                stack.append((SEQUENCE_END, IMPLICIT if kind == b"UN" else syntax))
        return at

    def start(self) -> tuple[int, Syntax]:
        """Return where the data set begins, behind preamble and file meta information, and how it is written;
        NotCarriedError if its pixels are compressed, or it is deflated.
        """
        data = self.data
        at = PREAMBLE + len(MAGIC) if data[PREAMBLE : PREAMBLE + len(MAGIC)] == MAGIC else 0
        name = b""
        while int.from_bytes(data[at : at + 2], "little") == META:
            element = self.element(at, EXPLICIT)
            at = self.after(element, EXPLICIT)
            if element.tag == TRANSFER_SYNTAX:
                name = data[element.at : min(at, element.at + 64)].rstrip(b"\0 ")
        if name:
            if name not in SYNTAXES:
                shown = name.decode() if re.fullmatch(rb"[0-9.]+", name) else "that is no number"
                raise NotCarriedError(f"its pixels are compressed (transfer syntax {shown})")
            return at, SYNTAXES[name]
        return at, EXPLICIT if re.fullmatch(rb"[A-Z]{2}", data[at + 4 : at + 6]) else IMPLICIT
