"""A .rdz file to the bytes of the file that was compressed, or to its picture where those are not kept."""

from __future__ import annotations

import io
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from rdzip.errors import FormatError, InputError
from rdzip.formats import container
from rdzip.formats.carriers import section
from rdzip.formats.carriers.section import Skeleton
from rdzip.formats.carriers.table import JPEG
from rdzip.formats.container import Container, SectionType
from rdzip.formats.header import CARRIED_KIND, MEMBERS, ImageHeader
from rdzip.formats.images.picture import Picture
from rdzip.formats.images.read import pillow_limit, read_picture
from rdzip.formats.images.write import to_image
from rdzip.formats.modes import BY_NUMBER
from rdzip.pipeline.coefficients import coefficients_in
from rdzip.pipeline.decompress import check_pixels, decompress_parsed
from rdzip.pipeline.file import unstacked
from rdzip.pipeline.planes import palette_of
from rdzip.pipeline.report import Decoded, seconds_of
from rdzip.pipeline.request import DEFAULT_COMPUTE, Compute
from rdzip.system import limits
from rdzip.system.progress import Progress, one_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


FRAMES = ("GIF", "PNG", "TIFF", "WEBP", "AVIF", "JPEG", "DCX", "FLI", "ICO", "ICNS")
"""Pillow's formats of several pictures in a file."""


@dataclass(frozen=True)
class Restored:
    """A file that came back: its bytes, its carrier's name and usual suffix, its pictures, seconds {load, decode}."""

    data: bytes
    carrier: str
    suffix: str
    pictures: list[Picture] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)


def is_carried(data: bytes | memoryview) -> bool:
    """Return whether a .rdz file brings a file back, byte for byte; FormatError if it is no .rdz file."""
    return SectionType.SKELETON in (one.type for one in container.unpack(data).sections)


def restore(data: bytes | memoryview, compute: Compute = DEFAULT_COMPUTE, progress: Progress | None = None) -> Restored:
    """Return the file that a .rdz file brings back.

    Raises FormatError if it brings none back (a picture, a batch, an archive), is corrupt or has more pixels than are
    allowed; ModelError for a model that cannot be had.
    """
    start = time.perf_counter()
    parsed = container.unpack(data)
    skeleton = section.read(parsed)
    if skeleton is None:
        raise FormatError("this .rdz file holds a picture, not the file that it was read from: decompress it")
    with limits.bounded(len(data), limits.Budget(compute.max_pixels)):
        if skeleton.carrier.number == JPEG:
            file = skeleton.carrier.close(coefficients_in(parsed, compute, progress), skeleton.value())  # type: ignore[arg-type]
            return _restored(file, skeleton, [], seconds_of([], time.perf_counter() - start))
        decoded = _groups(parsed, skeleton, compute, progress)
        pictures = [
            one
            for found, count in zip(decoded, skeleton.groups, strict=True)
            for one in unstacked(found.picture, count)
        ]
        file = skeleton.carrier.close(pictures, skeleton.value())
    return _restored(file, skeleton, pictures, seconds_of(decoded, time.perf_counter() - start))


def _restored(file: bytes, skeleton: Skeleton, pictures: list[Picture], seconds: dict[str, float]) -> Restored:
    """Return a file that came back; FormatError if it is not the one that was compressed."""
    if section.file_hash(file) != skeleton.file_hash:
        raise FormatError(
            "the file that comes back is not the one that was compressed (its hash differs): the .rdz file is corrupt"
        )
    return Restored(file, skeleton.carrier.name, skeleton.carrier.suffix, pictures, seconds)


def outline(data: bytes | memoryview, compute: Compute = DEFAULT_COMPUTE) -> Restored:
    """Return the file that a .rdz file brings back with blank pictures, where its skeleton suits these: all of the file
    but its samples is as it was, and nothing is decoded. Otherwise the file itself; raises as restore does.
    """
    parsed = container.unpack(data)
    skeleton = section.read(parsed)
    if skeleton is None or not skeleton.groups:
        return restore(data, compute)
    budget = limits.Budget(compute.max_pixels)
    try:
        with limits.bounded(len(data), budget):
            bodies = _bodies(parsed, skeleton)
            check_pixels([ImageHeader.from_map(body.header) for body in bodies], compute)
            blank = [_blank(body) for body in bodies]
            pictures = [
                one for found, count in zip(blank, skeleton.groups, strict=True) for one in unstacked(found, count)
            ]
            file = skeleton.carrier.close(pictures, skeleton.value())
            return Restored(file, skeleton.carrier.name, skeleton.carrier.suffix, pictures)
    except FormatError:
        return restore(data, compute)


def _groups(parsed: Container, skeleton: Skeleton, compute: Compute, progress: Progress | None) -> list[Decoded]:
    """Return the decoded picture of each group."""
    bodies = _bodies(parsed, skeleton)
    check_pixels([ImageHeader.from_map(body.header) for body in bodies], compute)
    found = []
    for number, body in enumerate(bodies):
        found.append(decompress_parsed(body, None, compute, one_of(progress, number, len(bodies))))
    return found


def _bodies(parsed: Container, skeleton: Skeleton) -> list[Container]:
    """Return the parsed .rdz file of each group; FormatError where they are not as many as groups."""
    if MEMBERS not in parsed.header:
        if len(skeleton.groups) != 1:
            raise FormatError("header is inconsistent: one picture, but not one group; the file is corrupt")
        return [parsed]
    members = [container.unpack(one.body) for one in parsed.sections if one.type == SectionType.MEMBER]
    if parsed.header != {MEMBERS: CARRIED_KIND} or len(members) != len(skeleton.groups):
        raise FormatError("header is inconsistent: groups of pictures without a member each; the file is corrupt")
    if any(MEMBERS in inner.header or inner.find(SectionType.SKELETON) is not None for inner in members):
        raise FormatError("header is inconsistent: a member that is no picture; the file is corrupt")
    return members


def _blank(body: Container) -> Picture:
    """Return a picture of zeros of the size, mode and palette that a parsed file has."""
    header = ImageHeader.from_map(body.header)
    mode = BY_NUMBER[header.mode]
    shape = (header.height, header.width, *([mode.channels] if mode.channels > 1 else []))
    size = header.height * header.width * mode.channels * np.dtype(mode.dtype).itemsize
    limits.claim_memory(2 * size, f"{header.width} x {header.height} pixels")
    return Picture(np.zeros(shape, mode.dtype), mode.name, *palette_of(body, mode.name))


def picture_in(restored: Restored, max_pixels: int | None = None) -> Picture:
    """Return the picture in a file that came back, as reading that file gives it; InputError if it holds none, or
    several."""
    try:
        return read_picture(restored.data, max_pixels=max_pixels)
    except InputError:
        if len(restored.pictures) != 1:
            raise
        return restored.pictures[0]


def image_in(restored: Restored, max_pixels: int | None = None) -> Any:
    """Return the Pillow image in a file that came back; of several frames or pages the file opened by Pillow, which
    seeks in it; of several pictures that Pillow does not read a list. InputError if it holds none."""
    try:
        picture = picture_in(restored, max_pixels)
    except InputError:
        with suppress(OSError), pillow_limit(None):
            return Image.open(io.BytesIO(restored.data), formats=FRAMES)
        if not restored.pictures:
            raise InputError(
                f"expected a picture, found a file without ({restored.carrier}): rdzip.restore gives its bytes"
            ) from None
        return [to_image(picture) for picture in restored.pictures]
    return to_image(picture)


def array_in(restored: Restored, max_pixels: int | None = None) -> NDArray[Any]:
    """Return the samples of the picture in a file that came back, with an axis before these where there are several of
    one shape; InputError if it holds none."""
    try:
        return picture_in(restored, max_pixels).samples
    except InputError:
        shapes = {(picture.mode, picture.shape) for picture in restored.pictures}
        if len(shapes) != 1:
            raise InputError(
                f"expected pictures of one shape, found {len(shapes)} in the {restored.carrier} file: rdzip.restore "
                "gives its bytes"
            ) from None
        return np.stack([picture.samples for picture in restored.pictures])
