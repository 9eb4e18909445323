"""Near-lossless coding: a picture quantised with a bounded error, and its indices coded without loss."""

from __future__ import annotations

from dataclasses import replace

from rdzip.codecs.names import PlaneCodec
from rdzip.formats.images.picture import Picture
from rdzip.formats.modes import BY_NAME
from rdzip.formats.notes import Note, NoteKind, without
from rdzip.formats.quantiser import depth
from rdzip.metrics.psnr import largest_error, psnr
from rdzip.pipeline.arrangement import arrange
from rdzip.pipeline.lossless import CODING, choose_planes, write
from rdzip.pipeline.model_handle import ModelHandle
from rdzip.pipeline.quantisation import Quantised, quantise, why_exact
from rdzip.pipeline.report import Clock, Compressed, Near
from rdzip.pipeline.request import Compute, Request
from rdzip.pipeline.selection import Choice, lossless_choice
from rdzip.system.progress import Progress, part_of


def compress_near_lossless(
    picture: Picture,
    model: ModelHandle | None,
    request: Request,
    compute: Compute,
    progress: Progress | None,
    clock: Clock,
    max_error: int,
) -> Compressed:
    """Return the .rdz file of a picture whose samples may differ by `max_error`, and a report.

    Pictures that are not quantised are coded without loss, with a note that says so.
    Other arguments as of rdzip.pipeline.lossless.compress_lossless.
    """
    notes = without(picture.notes, NoteKind.LOSSY_SOURCE)
    why = why_exact(picture)
    quantised = None if why else quantise(picture, max_error)
    source = replace(picture, notes=[*notes, *([Note(NoteKind.KEPT_EXACT, why)] if why else [])])
    part = part_of(progress, 0.0, CODING if request.verify else 1.0)
    choice, model = choose_planes(quantised.indices if quantised else source, model, request, compute, part)
    target = source
    if quantised:
        choice, target = _smaller(choice, quantised, source, request.codec)
    return write(
        source,
        target,
        choice,
        model,
        request,
        compute,
        progress,
        clock,
        lambda size: _near(source, target, max_error, size),
    )


def _smaller(choice: Choice, near: Quantised, original: Picture, codec: str | None) -> tuple[Choice, Picture]:
    """Return what to write, and the picture that it decodes to: the coded indices, or the original without loss by the
    best classic codec, where that is no larger and no codec was asked for.
    """
    if codec is None and choice.planes[0].codec == PlaneCodec.CLASSIC and depth(original.mode) == 8:
        lossless = lossless_choice(original, arrange(original)[1], choice.size)
        if lossless is not None and lossless.size <= choice.size:
            return lossless, original
    return replace(choice, quantiser=near.quantiser), near.picture


def _near(original: Picture, decoded: Picture, max_error: int, size: int) -> Near:
    """Return what to report of a file of `size` bytes that decodes to a picture near the original."""
    alpha = original.samples[..., -1] if BY_NAME[original.mode].alpha else None
    bpp = 8 * size / (original.shape[0] * original.shape[1])
    if decoded is original:
        return Near(max_error, 0, bpp, float("inf"))
    error = largest_error(original.samples, decoded.samples)
    return Near(max_error, error, bpp, psnr(original.samples, decoded.samples, alpha))
