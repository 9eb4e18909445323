"""Deflate streams, wrapped as zlib does or raw, as the data and a few bytes that give the same stream again."""

from rdzip.formats.carriers.deflate.rebuild import rebuild
from rdzip.formats.carriers.deflate.recover import recover

__all__ = ["rebuild", "recover"]
