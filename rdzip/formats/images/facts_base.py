"""What an image file says beside its samples: the record that parsers of each format fill."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class ItemKind(Enum):
    """What an item is in every format that has it; its content is then told in the same way by all."""

    EXIF = "a TIFF directory of Exif tags"
    ICC_PROFILE = "an ICC profile, or a piece of one"
    XMP = "an XMP packet"
    RESOLUTION = "pixels per unit; formats round it, so that its content is not compared"
    COMMENT = "a comment"
    TEXT = "a text with a keyword"
    TRANSPARENCY = "transparent colours"
    OTHER = "what other formats hold under the same name, if at all"


@dataclass(frozen=True)
class Item:
    """value: as the format has it. kind, content: what it is, and what it says, in any format."""

    value: Any
    kind: ItemKind = ItemKind.OTHER
    content: Any = None


@dataclass
class Facts:
    """format: Pillow's name. structure: how stored numbers are meant, by names or TIFF tags. items: whatever else the
    file holds, by names for the user. lossy: the lossy coding of its samples, "" for none.
    """

    format: str
    structure: dict[Any, Any] = field(default_factory=dict)
    items: dict[str, Item] = field(default_factory=dict)
    lossy: str = ""

    def add(self, name: str, value: Any, kind: ItemKind = ItemKind.OTHER, content: Any = None) -> None:
        """Add an item; several of one name are numbered. content: None is the value; of other kinds with the name."""
        if content is None:
            content = (name, value) if kind is ItemKind.OTHER else value
        number = 2
        key = name
        while key in self.items:
            key = f"{name} {number}"
            number += 1
        self.items[key] = Item(value, kind, content)


def exif_of(body: bytes) -> bytes:
    """Return the Exif directory in the body of a segment, chunk or tag."""
    return body.removeprefix(b"Exif\0\0")


def xmp_of(body: bytes) -> bytes:
    """Return the XMP packet in the body of a segment, chunk or tag."""
    return body.removeprefix(b"http://ns.adobe.com/xap/1.0/\0")
