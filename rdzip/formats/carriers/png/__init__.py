"""PNG and APNG: all chunks in their order, filters and deflate streams (docs/reference/carriers.md)."""

from rdzip.formats.carriers.png.closing import close
from rdzip.formats.carriers.png.opening import open

__all__ = ["close", "open"]
