"""DICOM: native pixels of medical images and the data set around them (docs/reference/carriers.md)."""

from rdzip.formats.carriers.dicom.image import close, open

__all__ = ["close", "open"]
