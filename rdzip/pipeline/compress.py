"""A picture to the bytes of a .rdz file and back."""

from __future__ import annotations

import time
from dataclasses import replace

from rdzip.codecs.bits_back.options import LATENT_CODECS, LOSSY_CODECS
from rdzip.codecs.threads import thread_limit
from rdzip.errors import InputError
from rdzip.formats import metadata as meta
from rdzip.formats.header import REASONS
from rdzip.formats.images.picture import Picture
from rdzip.formats.images.read import LOSSY_NOTE
from rdzip.pipeline import near_lossless
from rdzip.pipeline import planes as sections
from rdzip.pipeline.codec_options import codec_for
from rdzip.pipeline.effort import Mixing, default_model, preset_for
from rdzip.pipeline.model_handle import Neural, latent_model, lossy_model
from rdzip.pipeline.report import Compressed, Report
from rdzip.pipeline.request import DEFAULT_COMPUTE, DEFAULT_REQUEST, Compute, Request
from rdzip.pipeline.selection import CODECS, NEURAL_MODES, choose, choose_latent
from rdzip.pipeline.verify import check_lossless
from rdzip.system import limits
from rdzip.system.progress import Progress, part_of


def compress(
    picture: Picture,
    request: Request = DEFAULT_REQUEST,
    compute: Compute = DEFAULT_COMPUTE,
    progress: Progress | None = None,
) -> Compressed:
    """Return the .rdz file of a picture and a report; progress is called with the share done, 0 to 1.

    With an error that is allowed of each sample, lossless codecs code what rdzip.pipeline.near_lossless makes of the
    picture. Raises InputError (what the codec cannot code), ModelError (a model that was asked for cannot be had),
    FormatError (verification failed).
    """
    if request.metadata not in ("all", "none"):
        raise InputError(f"expected metadata to be all or none, found {request.metadata}")
    if request.metadata == "none":
        picture = replace(picture, metadata=meta.essential(picture.metadata))
    check_codec(request.codec)
    if request.segment is not None:
        raise InputError("expected --segment with many items, found one picture: leave it out")
    start = time.perf_counter()
    model, codec, loss, effort = request.model, request.codec, request.loss, request.effort
    lossy = lossy_model(request, compute)
    preset = preset_for(codec, effort)
    if lossy:
        from rdzip.pipeline.lossy import compress_lossy

        if effort is not None:
            raise InputError(f"the model {lossy.stamp.id} has one effort, found --effort {effort}: leave it out")
        return compress_lossy(picture, lossy, request, progress)
    notes = list(picture.notes)
    quantised = None
    if loss.max_error is not None:
        notes = [note for note in notes if not note.startswith(LOSSY_NOTE)]
        if why := near_lossless.why_exact(picture):
            notes.append(why)
        else:
            quantised = near_lossless.quantise(picture, loss.max_error)
    coded = quantised.indices if quantised else picture
    neural = latent_model(request, compute)
    latent = codec_for(neural.codecs, codec, neural.stamp.id) if neural else None
    request.options.check(latent)
    if latent is not None and effort is not None:
        raise InputError(f"the codec {latent} has one effort, found --effort {effort}: leave it out")
    if latent is None and preset is not None and not preset.network:
        if model is not None:
            raise InputError(f"--effort {effort} asks no model, found {model}: leave one out, or take 5 or more")
        neural = None
    elif latent is None and codec != "classic" and coded.mode in NEURAL_MODES:
        neural = Neural(model or default_model(preset, effort), compute)
        if not neural.find():
            if model is not None or codec not in (None, "mixing"):
                _ = neural.stamp  # raises the ModelError that says what to do
            neural = None
    share = 0.4 if request.verify else 1.0
    with thread_limit(compute.threads):
        if neural and latent:
            choice = choose_latent(
                coded, neural, latent, request.options.options(latent), part_of(progress, 0.0, share)
            )
        else:
            choice = choose(
                coded, neural if preset is None else Mixing(neural, preset), codec, part_of(progress, 0.0, share)
            )
    target = picture
    if quantised:
        choice, target = near_lossless.settle(choice, quantised, picture, codec)
    data = sections.pack(target, choice, neural)
    load = neural.seconds if neural else 0.0
    encoded = time.perf_counter()
    if request.verify:
        budget = limits.Budget(strict=False)
        with thread_limit(compute.threads), limits.bounded(len(data), budget):
            check_lossless(target, data, neural, part_of(progress, share, 1.0))
        notes += limits.notes(budget)
    done = time.perf_counter()
    if progress:
        progress(1.0)
    samples = picture.samples
    report = Report(
        codec=choice.codec,
        model=neural.stamp.id if neural and sections.uses_model(choice) else None,
        shape=picture.shape,
        bytes_in=picture.source_bytes or samples.nbytes,
        bytes_out=len(data),
        bpsp=8 * len(data) / samples.size,
        bits=choice.bits,
        seconds={"load": load, "encode": encoded - start - load, "verify": done - encoded},
        reason=REASONS[choice.reason],
        notes=notes,
        near=near_lossless.report(picture, target, loss.max_error, len(data)) if loss.max_error is not None else None,
    )
    return Compressed(data, report)


def check_codec(codec: str | None) -> None:
    """Raise InputError unless this rdzip has a codec of this name (None: any)."""
    known = (*CODECS, *LATENT_CODECS, *LOSSY_CODECS)
    if codec not in (None, *known):
        raise InputError(f"expected a codec of {', '.join(known)}, found {codec}")
