"""Verification: what was written is decoded again and compared with what was coded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rdzip.errors import FormatError
from rdzip.formats import container, metadata
from rdzip.formats.header import ImageHeader
from rdzip.formats.images.picture import Picture
from rdzip.pipeline.planes import picture_of
from rdzip.system.progress import Progress
from rdzip.system.strips import same as same_samples

if TYPE_CHECKING:
    from rdzip.pipeline.model_handle import ModelHandle


def check_lossless(picture: Picture, data: bytes, model: ModelHandle | None, progress: Progress | None = None) -> None:
    """Decode a file and raise FormatError unless it holds the picture and its metadata."""
    parsed = container.unpack(data)
    back = picture_of(parsed, ImageHeader.from_map(parsed.header), model, progress)
    same = (
        picture.mode == back.mode
        and back.samples.shape == picture.samples.shape
        and back.palette == picture.palette
        and back.palette_mode == picture.palette_mode
        and metadata.pack(back.metadata) == metadata.pack(picture.metadata)
        and same_samples(back.samples, picture.samples)
    )
    if not same:
        raise FormatError(
            "verification failed: what was written does not decode to the input; nothing was kept, please report this "
            "image"
        )
