"""What an image file says beside its samples: the record that parsers of each format fill."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Facts:
    """format: Pillow's name. structure: how stored numbers are meant, by names or TIFF tags. items: whatever else the
    file holds, by names for the user. lossy: the lossy coding of its samples, "" for none.
    """

    format: str
    structure: dict[Any, Any] = field(default_factory=dict)
    items: dict[str, Any] = field(default_factory=dict)
    lossy: str = ""

    def add(self, name: str, value: Any) -> None:
        """Add an item; several of one name are numbered."""
        number = 2
        key = name
        while key in self.items:
            key = f"{name} {number}"
            number += 1
        self.items[key] = value
