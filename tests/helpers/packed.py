"""Archives in memory."""

from __future__ import annotations

import io
from collections.abc import Iterable

from rdzip.formats.archive import write_archive


def pack_archive(members: Iterable[tuple[str, bytes]]) -> bytes:
    """The archive of (name, .rdz file) pairs."""
    out = io.BytesIO()
    write_archive(out, members)
    return out.getvalue()
