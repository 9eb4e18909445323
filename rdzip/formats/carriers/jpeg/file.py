"""The carrier of JPEGs: `open` and `close`."""

from rdzip.formats.carriers.jpeg.closing import close
from rdzip.formats.carriers.jpeg.opening import open

__all__ = ["close", "open"]
