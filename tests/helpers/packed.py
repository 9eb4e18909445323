"""Archives in memory."""

from __future__ import annotations

import io
from collections.abc import Iterable

from rdzip.formats.archive import Packed, write_archive


def pack_archive(members: Iterable[tuple[str, bytes]]) -> bytes:
    """The archive of (name, .rdz file) pairs."""
    out = io.BytesIO()
    write_archive(out, (Packed(*member) for member in members))
    return out.getvalue()
