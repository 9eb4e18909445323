"""A picture to the bytes of a .rdz file and back."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from rdzip.codecs.bits_back.options import LATENT_CODECS, LOSSY_CODECS
from rdzip.codecs.threads import at_most
from rdzip.errors import FormatError, InputError
from rdzip.formats import container
from rdzip.formats import metadata as meta
from rdzip.formats.describe import describe
from rdzip.formats.header import REASONS, ImageHeader
from rdzip.formats.images.picture import Picture
from rdzip.formats.images.read import LOSSY_NOTE
from rdzip.pipeline import near_lossless
from rdzip.pipeline import planes as sections
from rdzip.pipeline.codec_options import NO_WISHES, Wishes, codec_for
from rdzip.pipeline.effort import Mixing, default_model, preset_for
from rdzip.pipeline.loss import NO_LOSS, Loss
from rdzip.pipeline.model_handle import Neural, check_coder, latent_model, lossy_model, origin_of
from rdzip.pipeline.planes import part_of
from rdzip.pipeline.report import Compressed, Decoded, Lossy, Near, Report
from rdzip.pipeline.selection import CODECS, NEURAL_MODES, choose, choose_latent
from rdzip.system import limits
from rdzip.system.strips import same as same_samples

__all__ = [
    "Compressed",
    "Decoded",
    "Lossy",
    "Near",
    "Report",
    "compress_picture",
    "decode",
    "decompress_picture",
    "describe",
]

Progress = Callable[[float], None]


def compress_picture(
    picture: Picture,
    *,
    model: str | None = None,
    codec: str | None = None,
    loss: Loss = NO_LOSS,
    metadata: str = "all",
    threads: int | None = None,
    device: str | None = None,
    offline: bool = False,
    progress: Progress | None = None,
    verify: bool = True,
    wishes: Wishes = NO_WISHES,
    effort: int | None = None,
) -> Compressed:
    """Return the .rdz file of a picture and a report.

    model: id, hash or file of the neural model; None is what suits the effort, and then no network where that cannot
    be found, or with loss "photo-lossy". codec: "causal", "classic" or "mixing" to have no other, None to have the
    smaller; with a model of latents or a lossy one one of its codecs, None for its default. effort: 1 to 9 or None for
    6, as rdzip.pipeline.model_handle has them. loss: what may be lost; with an error that is allowed of each
    sample, lossless codecs code what rdzip.pipeline.near_lossless makes of the picture. wishes: about a codec of
    latents.
    metadata: "all", or "none", which keeps what is a part of the picture. verify: decode what was written and compare.
    progress: called with the share done, 0 to 1.
    Raises InputError (what the codec cannot code), ModelError (a model that was asked for cannot be had), FormatError
    (verification failed).
    """
    if metadata not in ("all", "none"):
        raise InputError(f"expected metadata to be all or none, found {metadata}")
    if metadata == "none":
        picture = replace(picture, metadata=meta.essential(picture.metadata))
    check_codec(codec)
    if wishes.segment is not None:
        raise InputError("expected --segment with many items, found one picture: leave it out")
    start = time.perf_counter()
    lossy = lossy_model(model, codec, loss, threads=threads, device=device, offline=offline)
    preset = preset_for(codec, effort)
    if lossy:
        from rdzip.pipeline.lossy import compress_lossy

        if effort is not None:
            raise InputError(f"the model {lossy.stamp.id} has one effort, found --effort {effort}: leave it out")
        return compress_lossy(picture, lossy, codec, loss, wishes=wishes, progress=progress, verify=verify)
    notes = list(picture.notes)
    quantised = None
    if loss.max_error is not None:
        notes = [note for note in notes if not note.startswith(LOSSY_NOTE)]
        if why := near_lossless.why_exact(picture):
            notes.append(why)
        else:
            quantised = near_lossless.quantise(picture, loss.max_error)
    coded = quantised.indices if quantised else picture
    neural = latent_model(model, codec, threads=threads, device=device, offline=offline)
    latent = codec_for(neural.codecs, codec, neural.stamp.id) if neural else None
    wishes.check(latent)
    if latent is not None and effort is not None:
        raise InputError(f"the codec {latent} has one effort, found --effort {effort}: leave it out")
    if latent is None and preset is not None and not preset.network:
        if model is not None:
            raise InputError(f"--effort {effort} asks no model, found {model}: leave one out, or take 5 or more")
        neural = None
    elif latent is None and codec != "classic" and coded.mode in NEURAL_MODES:
        neural = Neural(model or default_model(preset, effort), threads=threads, device=device, offline=offline)
        if not neural.find():
            if model is not None or codec not in (None, "mixing"):
                _ = neural.stamp  # raises the ModelError that says what to do
            neural = None
    share = 0.4 if verify else 1.0
    with at_most(threads):
        if neural and latent:
            choice = choose_latent(coded, neural, latent, wishes.options(latent), part_of(progress, 0.0, share))
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
    if verify:
        budget = limits.Budget(strict=False)
        with at_most(threads), limits.bounded(len(data), budget):
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


def decompress_picture(
    data: bytes | memoryview,
    *,
    max_pixels: int | None = None,
    threads: int | None = None,
    device: str | None = None,
    offline: bool = False,
    progress: Progress | None = None,
) -> Picture:
    """Return the picture of a .rdz file; FormatError if it is not one, is corrupt or has more than `max_pixels` pixels
    (rdzip.system.limits.MAX_PIXELS when None).

    Raises ModelError if the model that it names cannot be had.
    """
    return decode(
        data, max_pixels=max_pixels, threads=threads, device=device, offline=offline, progress=progress
    ).picture


def decode(
    data: bytes | memoryview,
    *,
    max_pixels: int | None = None,
    threads: int | None = None,
    device: str | None = None,
    offline: bool = False,
    progress: Progress | None = None,
) -> Decoded:
    """As decompress_picture, with the seconds that loading the model and decoding took."""
    start = time.perf_counter()
    parsed = container.unpack(data)
    header = ImageHeader.from_map(parsed.header)
    limit = limits.MAX_PIXELS if max_pixels is None else max_pixels
    if header.height * header.width > limit:
        raise FormatError(
            f"the image has {header.width} x {header.height} = {header.height * header.width} pixels, at most {limit} "
            "are allowed: "
            "raise --max-pixels if you trust the file"
        )
    neural = None
    if header.model:
        check_coder(header.model)
        neural = Neural(header.model.hash, threads=threads, device=device, offline=offline, origin=origin_of(parsed))
    with at_most(threads), limits.bounded(len(data), limits.Budget(max_pixels)):
        picture = sections.picture_of(parsed, header, neural, progress)
    if progress:
        progress(1.0)
    load = neural.seconds if neural else 0.0
    return Decoded(picture, {"load": load, "decode": time.perf_counter() - start - load})


def check_lossless(picture: Picture, data: bytes, neural: Neural | None, progress: Progress | None = None) -> None:
    """Decode a file and raise FormatError unless it holds the picture and its metadata."""
    parsed = container.unpack(data)
    back = sections.picture_of(parsed, ImageHeader.from_map(parsed.header), neural, progress)
    same = (
        picture.mode == back.mode
        and back.samples.shape == picture.samples.shape
        and back.palette == picture.palette
        and back.palette_mode == picture.palette_mode
        and meta.pack(back.metadata) == meta.pack(picture.metadata)
        and same_samples(back.samples, picture.samples)
    )
    if not same:
        raise FormatError(
            "verification failed: what was written does not decode to the input; nothing was kept, please report this "
            "image"
        )
