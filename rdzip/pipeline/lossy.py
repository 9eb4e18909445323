"""A picture to the bytes of a lossy .rdz file, or of a lossless one where that is no larger."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from rdzip.codecs.classic import codec as classic
from rdzip.codecs.names import PlaneCodec
from rdzip.codecs.result import Bits, Encoded
from rdzip.errors import FormatError
from rdzip.formats import container, metadata
from rdzip.formats.container import SectionType
from rdzip.formats.header import Arrangement, ImageHeader, Reason
from rdzip.formats.images.picture import Picture, symbols_hash
from rdzip.formats.images.to_8bit import to_eight_bits
from rdzip.formats.notes import Note, NoteKind, without
from rdzip.metrics.psnr import psnr
from rdzip.pipeline.alpha_fill import fill
from rdzip.pipeline.arrangement import arrange
from rdzip.pipeline.codec_options import codec_for
from rdzip.pipeline.loss import DEFAULT_QUALITY, Loss
from rdzip.pipeline.lossless import compress_lossless
from rdzip.pipeline.model_handle import ModelHandle, Role
from rdzip.pipeline.plane_codecs import Coder, Context, TransformOptions
from rdzip.pipeline.planes import pack_picture, picture_of
from rdzip.pipeline.report import Clock, Compressed, Lossy, compressed, limit_notes
from rdzip.pipeline.request import Compute, Request
from rdzip.pipeline.selection import Choice, Plane, apart, lossless_choice
from rdzip.pipeline.verify import check_lossless
from rdzip.system import limits
from rdzip.system.progress import Progress, part_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rdzip.codecs.bits_back.options import Options

NEAR = 0.02
"""Largest relative distance from a target rate that is not worth a note."""
_LENGTH_BYTES = 2  # of the length of a payload, beyond that of an empty one, usually


@dataclass(frozen=True)
class _Planes:
    """What is coded of a picture: colours [h, w] or [h, w, 3], and alpha [h, w] with its coded plane."""

    arrangement: Arrangement
    colour: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None
    plane: Plane | None


@dataclass(frozen=True)
class _File:
    """A file, what it holds, and its bits by estimate."""

    data: bytes
    picture: Picture
    choice: Choice
    estimated: float

    @property
    def lost(self) -> bool:
        """Whether something was lost."""
        return bool(self.choice.symbols_hash)


def compress_lossy(
    picture: Picture,
    model: ModelHandle,
    request: Request,
    compute: Compute,
    progress: Progress | None,
    clock: Clock,
) -> Compressed:
    """Return the .rdz file of a picture and a report; InputError for options that are not of the model's codec.

    Modes that are no grey, colours or palette are coded without loss; so is a picture whose best classic coding is no
    larger, unless a codec is asked for. What is verified: the symbols; the quality is measured with it.
    Arguments as of rdzip.pipeline.lossless.compress_lossless.
    """
    codec, loss = request.codec, request.loss
    name = codec_for(model.codecs, codec, model.id)
    options = request.options.options(name) if request.options.given else None
    quality = loss.quality if loss.by_model else DEFAULT_QUALITY
    picture = replace(picture, notes=without(picture.notes, NoteKind.LOSSY_SOURCE))
    plain = to_eight_bits(picture)
    if plain is None:
        return _without_loss(picture, quality, request, compute, progress, clock)
    planes = _planes(plain)
    shares = (0.5, 0.75) if loss.target_bpp is not None else (0.0, 0.5)
    setting = _setting(plain, planes, model, loss, quality, options, part_of(progress, 0.0, shares[0]))
    transform_options = TransformOptions(setting, quality or 0, name, options)
    file = _lossy_file(plain, planes, model, transform_options, part_of(progress, *shares))
    if codec is None:
        file = _smaller(file, picture)
    clock.encoded()
    quality_found, budget = None, limits.Budget(strict=False)
    if request.verify:
        with limits.bounded(len(file.data), budget):
            quality_found = _check(file, planes, model, part_of(progress, shares[1], 1.0))
    seconds = clock.seconds(model.seconds)
    if progress:
        progress(1.0)
    height, width = file.picture.shape[:2]
    bpp = 8 * len(file.data) / (height * width)
    notes = [*file.picture.notes, *limit_notes(budget)]
    if loss.target_bpp is not None and file.lost and abs(bpp / loss.target_bpp - 1) > NEAR:
        text = _missed(loss.target_bpp, bpp, setting, model.load(Role.LOSSY).setting_count)
        notes.append(Note(NoteKind.RATE_MISSED, text))
    lossy = Lossy(setting if file.lost else None, quality, bpp, quality_found, file.estimated)
    return compressed(file.data, picture, file.choice.outcome(model), seconds, notes, coded=file.picture, lossy=lossy)


def _without_loss(
    picture: Picture,
    quality: int | None,
    request: Request,
    compute: Compute,
    progress: Progress | None,
    clock: Clock,
) -> Compressed:
    """Return the file of a picture of a mode that lossy codecs do not code."""
    done = compress_lossless(picture, None, Request(verify=request.verify), compute, progress, clock)
    bits = 8.0 * len(done.data)
    psnr = math.inf if request.verify else None
    lossy = Lossy(None, quality, bits / (picture.shape[0] * picture.shape[1]), psnr, bits)
    note = Note(NoteKind.KEPT_EXACT, f"pixels of mode {picture.mode} are coded without loss")
    return Compressed(done.data, replace(done.report, lossy=lossy, notes=[*done.report.notes, note]))


def _planes(picture: Picture) -> _Planes:
    arrangement, samples = arrange(picture)
    colour, alpha = apart(samples)
    if alpha is None:
        return _Planes(arrangement, colour, None, None)
    plane = Plane(SectionType.ALPHA, PlaneCodec.CLASSIC, classic.encode(alpha))
    return _Planes(arrangement, fill(colour, alpha == 0), alpha, plane)


def _choice(planes: _Planes, picture: Picture, encoded: Encoded, setting: int, name: str) -> Choice:
    checked = symbols_hash(encoded.digest, picture.mode, picture.shape, setting, planes.alpha)
    coded = [Plane(SectionType.COLOUR, PlaneCodec.TRANSFORM, encoded), *([planes.plane] if planes.plane else [])]
    return Choice(planes.arrangement, coded, Reason.MODEL_QUICK, name, checked)


def _setting(
    picture: Picture,
    planes: _Planes,
    model: ModelHandle,
    loss: Loss,
    quality: int | None,
    options: Options | None,
    progress: Progress | None,
) -> int:
    """Return the setting of the quantiser for a quality, or that at which the file comes nearest to a rate."""
    loaded = model.load(Role.LOSSY)
    if quality is not None:
        return int(loaded.setting_of(quality))
    from rdzip.codecs.transform import rate_control

    empty = _choice(planes, picture, Encoded(b"", Bits(0.0, 0.0, 0.0), 0), 0, "")
    extra = 8.0 * (len(pack_picture(picture, empty, model)) + _LENGTH_BYTES)
    bits = (loss.target_bpp or 0.0) * picture.shape[0] * picture.shape[1]
    rec_settings = options.rec_settings if options else None
    return rate_control.find_setting(loaded, planes.colour, bits, extra, progress, rec_settings=rec_settings)


def _lossy_file(
    picture: Picture, planes: _Planes, model: ModelHandle, options: TransformOptions, progress: Progress | None
) -> _File:
    context = Context(() if planes.alpha is None else (planes.alpha,), progress)
    coded = Coder(PlaneCodec.TRANSFORM, model, options).encode(planes.colour, context)
    choice = _choice(planes, picture, coded, options.setting, options.codec)
    data = pack_picture(picture, choice, model)
    return _File(data, picture, choice, coded.estimated + 8 * (len(data) - len(coded.payload)))


def _smaller(file: _File, picture: Picture) -> _File:
    """Return a lossy file, or that of the original picture by the best classic codec if it is no larger."""
    lossless = lossless_choice(picture, arrange(file.picture)[1], len(file.data))
    if lossless is None:
        return file
    data = pack_picture(picture, lossless, None)
    return _File(data, picture, lossless, 8.0 * len(data)) if len(data) <= len(file.data) else file


def _check(file: _File, planes: _Planes, model: ModelHandle, progress: Progress | None) -> float:
    """Decode a file, compare its symbols, or if it is lossless its pixels, and return its PSNR in dB.

    Raises FormatError if it is not what was coded.
    """
    picture = file.picture
    if not file.lost:
        check_lossless(picture, file.data, None, progress)
        return math.inf
    parsed = container.unpack(file.data)
    header = ImageHeader.from_map(parsed.header)
    back = picture_of(parsed, header, model, progress)
    same = (
        header.symbols_hash == file.choice.symbols_hash
        and (back.mode, back.shape, back.source_format) == (picture.mode, picture.shape, picture.source_format or "PNG")
        and (planes.alpha is None or np.array_equal(back.samples[:, :, -1], planes.alpha))
        and metadata.pack(back.metadata) == metadata.pack(picture.metadata)
    )
    if not same:
        raise FormatError(
            "verification failed: what was written does not decode to what was coded; nothing was kept, please report "
            "this image"
        )
    return psnr(picture.samples, back.samples, planes.alpha)


def _missed(target: float, found: float, setting: int, steps: int) -> str:
    end = {0: "the finest setting", steps - 1: "the coarsest setting"}.get(setting, "the nearest setting")
    return f"{target:g} bits per pixel cannot be had of this picture: {end} gives {found:.4g}"
