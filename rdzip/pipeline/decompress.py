"""The bytes of a .rdz file to a picture."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import nullcontext

from rdzip.codecs.threads import thread_limit
from rdzip.errors import FormatError
from rdzip.formats import container
from rdzip.formats.container import Container
from rdzip.formats.header import ImageHeader
from rdzip.pipeline.model_handle import ModelHandle, check_coder, origin_of
from rdzip.pipeline.planes import picture_of
from rdzip.pipeline.report import Decoded
from rdzip.pipeline.request import DEFAULT_COMPUTE, Compute
from rdzip.system import limits
from rdzip.system.progress import Progress


def decompress(
    data: bytes | memoryview, compute: Compute = DEFAULT_COMPUTE, progress: Progress | None = None
) -> Decoded:
    """Return the picture that a .rdz file holds, and the seconds that loading the model and decoding took.

    Of a file that comes back byte for byte (rdzip.pipeline.restore) these are the carrier's samples. Raises FormatError
    if it is not a file of one picture, is corrupt or has more pixels than are allowed, ModelError if the model that it
    names cannot be had.
    """
    return decompress_parsed(container.unpack(data), len(data), compute, progress)


def decompress_parsed(parsed: Container, size: int | None, compute: Compute, progress: Progress | None) -> Decoded:
    """Return the picture of a parsed file of so many bytes, None where limits hold already; see decompress."""
    start = time.perf_counter()
    header = ImageHeader.from_map(parsed.header)
    check_pixels([header], compute)
    model = None
    if header.model:
        check_coder(header.model)
        model = ModelHandle(header.model.hash, compute, origin_of(parsed))
    bounded = nullcontext() if size is None else limits.bounded(size, limits.Budget(compute.max_pixels))
    with thread_limit(compute.threads), bounded:
        picture = picture_of(parsed, header, model, progress)
    if progress:
        progress(1.0)
    load = model.seconds if model else 0.0
    return Decoded(picture, {"load": load, "decode": time.perf_counter() - start - load})


def check_pixels(headers: Sequence[ImageHeader], compute: Compute) -> None:
    """Raise FormatError for pictures of more pixels in all than are allowed."""
    limit = limits.MAX_PIXELS if compute.max_pixels is None else compute.max_pixels
    sizes = [header.height * header.width for header in headers]
    total = sum(sizes)
    if total <= limit:
        return
    first = headers[0]
    what = f"the image has {first.width} x {first.height} =" if len(sizes) == 1 else f"its {len(sizes)} pictures have"
    raise FormatError(f"{what} {total} pixels, at most {limit} are allowed: raise `max_pixels` if you trust the file")
