"""A picture to the bytes of a .rdz file: which way it is coded."""

from __future__ import annotations

from dataclasses import replace

from rdzip.errors import InputError
from rdzip.formats import metadata
from rdzip.formats.images.picture import Picture
from rdzip.pipeline.lossless import compress_lossless
from rdzip.pipeline.lossy import compress_lossy
from rdzip.pipeline.model_handle import Role
from rdzip.pipeline.near_lossless import compress_near_lossless
from rdzip.pipeline.report import Clock, Compressed
from rdzip.pipeline.request import DEFAULT_COMPUTE, DEFAULT_REQUEST, Compute, Request
from rdzip.pipeline.resolve import resolve
from rdzip.system.progress import Progress


def compress(
    picture: Picture,
    request: Request = DEFAULT_REQUEST,
    compute: Compute = DEFAULT_COMPUTE,
    progress: Progress | None = None,
) -> Compressed:
    """Return the .rdz file of a picture and a report; progress is called with the share done, 0 to 1.

    Raises InputError (what the codec cannot code), ModelError (a model that was asked for cannot be had), FormatError
    (verification failed).
    """
    check_request(request)
    if request.metadata == "none":
        picture = replace(picture, metadata=metadata.essential(picture.metadata))
    clock = Clock()
    model = resolve(request, compute)
    if model is not None and model.role is Role.LOSSY:
        return compress_lossy(picture, model, request, compute, progress, clock)
    if request.loss.max_error is not None:
        return compress_near_lossless(picture, model, request, compute, progress, clock, request.loss.max_error)
    return compress_lossless(picture, model, request, compute, progress, clock)


def check_request(request: Request) -> None:
    """Raise InputError for a request that is for no picture."""
    if request.metadata not in ("all", "none"):
        raise InputError(f"expected `metadata` to be all or none, found {request.metadata}")
    if request.segment is not None:
        raise InputError("expected `segment` with many items, found one picture: leave it out")
    if request.model is None:
        request.options.check(None)
