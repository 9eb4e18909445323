"""Lossless coding: planes by the smaller of the codecs at hand, packed, decoded again and compared."""

from __future__ import annotations

from collections.abc import Callable

from rdzip.codecs.threads import thread_limit
from rdzip.formats.images.picture import Picture
from rdzip.pipeline.codec_options import codec_for
from rdzip.pipeline.effort import coder_for
from rdzip.pipeline.model_handle import ModelHandle, Role
from rdzip.pipeline.plane_codecs import ChainOptions
from rdzip.pipeline.planes import pack_picture
from rdzip.pipeline.report import Clock, Compressed, Near, compressed, limit_notes
from rdzip.pipeline.request import Compute, Request
from rdzip.pipeline.selection import Choice, choose, choose_latent
from rdzip.pipeline.verify import check_lossless
from rdzip.system import limits
from rdzip.system.progress import Progress, part_of

CODING = 0.4
"""Share of the work that coding is, where the file is decoded again."""


def compress_lossless(
    picture: Picture,
    model: ModelHandle | None,
    request: Request,
    compute: Compute,
    progress: Progress | None,
    clock: Clock,
) -> Compressed:
    """Return the .rdz file of a picture, nothing lost, and a report.

    - picture: what to code
    - model: the one that the request names, None if it names none; one with latents codes by its codecs
    - request: how to code
    - compute: where to compute
    - progress: called with the share that is done
    - clock: begun when the work did
    """
    part = part_of(progress, 0.0, CODING if request.verify else 1.0)
    choice, model = choose_planes(picture, model, request, compute, part)
    return write(picture, picture, choice, model, request, compute, progress, clock)


def choose_planes(
    picture: Picture, named: ModelHandle | None, request: Request, compute: Compute, progress: Progress | None
) -> tuple[Choice, ModelHandle | None]:
    """Return the coded planes of a picture, and the model that was at hand. Raises InputError for options that the
    codec has not.

    - picture: what to code
    - named: the model that the request names
    - request: how to code
    - compute: where to compute
    - progress: called with the share that is done
    """
    with thread_limit(compute.threads):
        if named is not None and named.role is Role.LATENT:
            codec = codec_for(named.codecs, request.codec, named.id)
            options = ChainOptions(codec, request.options.options(codec))
            return choose_latent(picture, named, options, progress), named
        request.options.check(None)
        coder = coder_for(picture.mode, request, compute, named)
        return choose(picture, coder, request.codec, progress), coder.model if coder else None


def write(
    source: Picture,
    target: Picture,
    choice: Choice,
    model: ModelHandle | None,
    request: Request,
    compute: Compute,
    progress: Progress | None,
    clock: Clock,
    near: Callable[[int], Near] | None = None,
) -> Compressed:
    """Return the file of chosen planes and a report; FormatError unless it decodes to the target.

    - source: what the report is on
    - target: what the planes decode to
    - choice: the planes
    - model, request, compute, progress, clock: as `compress_lossless` has them
    - near: what to report of an error that was allowed, given the bytes of the file
    """
    data = pack_picture(target, choice, model)
    clock.encoded()
    budget = limits.Budget(strict=False)
    if request.verify:
        with thread_limit(compute.threads), limits.bounded(len(data), budget):
            check_lossless(target, data, model, part_of(progress, CODING, 1.0))
    seconds = clock.seconds(model.seconds if model else 0.0)
    if progress:
        progress(1.0)
    return compressed(
        data,
        source,
        choice.outcome(model),
        seconds,
        [*source.notes, *limit_notes(budget)],
        near=near(len(data)) if near else None,
    )
