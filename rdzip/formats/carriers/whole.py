"""The carrier of any file: its bytes, as they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rdzip.errors import FormatError
from rdzip.formats.carriers.carrier import Opened

if TYPE_CHECKING:
    from rdzip.formats.images.picture import Picture


def open(data: bytes) -> Opened:
    """Take a file apart: all of it is skeleton."""
    return Opened([], data)


def close(pictures: Sequence[Picture], skeleton: Any) -> bytes:
    """Return the file; FormatError for a skeleton that is not bytes, or with pictures."""
    if pictures or not isinstance(skeleton, bytes):
        raise FormatError("header is inconsistent: a file of bytes with pictures, or without bytes; it is corrupt")
    return skeleton
