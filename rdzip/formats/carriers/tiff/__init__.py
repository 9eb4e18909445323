"""TIFF and BigTIFF as pictures and a skeleton."""

from rdzip.formats.carriers.tiff.file import close, open

__all__ = ["close", "open"]
