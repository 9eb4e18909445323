"""What of an image file another file of its picture does not hold, by name."""

from __future__ import annotations

from typing import Any

from rdzip.formats.images.facts import facts
from rdzip.formats.images.facts_base import Facts, ItemKind


def lost(before: Facts | None, after: Facts | None) -> dict[str, ItemKind]:
    """Return the names of items of one file that another does not hold, in its own way if it has another format, and
    what they are.
    """
    if before is None:
        return {}
    found = after or Facts("")
    if before.format == found.format:
        same = {name: item.value for name, item in found.items.items()}
        gone = [name for name, item in before.items.items() if name not in same or same[name] != item.value]
    else:
        there = _contents(found).values()
        gone = [name for name, content in _contents(before).items() if content not in there]
    return {name: before.items[name].kind for name in gone}


def facts_written(data: bytes) -> Facts | None:
    """Return the facts of a file that rdzip wrote; of a BMP and the like whether it has a resolution."""
    found = facts(data)
    if found is None and data[:2] == b"BM" and any(data[38:46]):
        found = Facts("BMP")
        found.add("resolution", b"", ItemKind.RESOLUTION)
    return found


def _contents(source: Facts) -> dict[str, tuple[ItemKind, Any]]:
    """Return each item's kind and content in the way that formats share, by its name."""
    pieces = [item.content for item in source.items.values() if item.kind is ItemKind.ICC_PROFILE]
    whole = {ItemKind.ICC_PROFILE: b"".join(pieces), ItemKind.RESOLUTION: b""}
    return {name: (item.kind, whole.get(item.kind, item.content)) for name, item in source.items.items()}
