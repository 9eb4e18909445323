"""A picture to the bytes of a lossy .rdz file, or of a lossless one where that is no larger."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rdzip.codecs.classic import codec as classic
from rdzip.codecs.result import Bits, Encoded
from rdzip.errors import FormatError
from rdzip.formats import container, metadata
from rdzip.formats.container import SectionType
from rdzip.formats.header import LOSSY_REASON, REASONS, Arrangement, ImageHeader, Reason
from rdzip.formats.images.picture import Picture, symbols_hash
from rdzip.formats.images.read import LOSSY_NOTE
from rdzip.formats.images.to_8bit import to_eight_bits
from rdzip.metrics.psnr import psnr
from rdzip.pipeline import compress as rdz
from rdzip.pipeline import planes as sections
from rdzip.pipeline.alpha_fill import fill
from rdzip.pipeline.arrangement import arrange
from rdzip.pipeline.codec_options import codec_for
from rdzip.pipeline.loss import DEFAULT_QUALITY, Loss
from rdzip.pipeline.report import Compressed, Lossy, Report
from rdzip.pipeline.request import Request
from rdzip.pipeline.selection import CLASSIC, TRANSFORM, Choice, Plane, apart, lossless_rival
from rdzip.pipeline.verify import check_lossless
from rdzip.system import limits
from rdzip.system.progress import Progress, part_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rdzip.codecs.bits_back.options import Options
    from rdzip.pipeline.model_handle import Neural

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
    neural: Neural,
    request: Request,
    progress: Progress | None = None,
) -> Compressed:
    """Return the .rdz file of a picture and a report; InputError for options that are not of the model's codec.

    Modes that are no grey, colours or palette are coded without loss; so is a picture whose best classic coding is no
    larger, unless a codec is asked for. What is verified: the symbols; the quality is measured with it.
    """
    start = time.perf_counter()
    codec, loss = request.codec, request.loss
    name = codec_for(neural.codecs, codec, neural.stamp.id)
    options = request.options.options(name) if request.options.given else None
    quality = loss.quality if loss.by_model else DEFAULT_QUALITY
    picture = replace(picture, notes=[note for note in picture.notes if not note.startswith(LOSSY_NOTE)])
    plain = to_eight_bits(picture)
    if plain is None:
        return _without_loss(picture, quality, progress=progress, verify=request.verify)
    planes = _planes(plain)
    shares = (0.5, 0.75) if loss.target_bpp is not None else (0.0, 0.5)
    setting = _setting(plain, planes, neural, loss, quality, options, part_of(progress, 0.0, shares[0]))
    part = part_of(progress, *shares)
    file = _lossy_file(plain, planes, neural, name, setting, quality, options, part)
    if codec is None:
        file = _smaller(file, picture)
    encoded = time.perf_counter()
    quality_found, budget = None, limits.Budget(strict=False)
    if request.verify:
        with limits.bounded(len(file.data), budget):
            quality_found = _check(file, planes, neural, part_of(progress, shares[1], 1.0))
    done = time.perf_counter()
    if progress:
        progress(1.0)
    height, width = file.picture.shape[:2]
    bpp = 8 * len(file.data) / (height * width)
    notes = [*file.picture.notes, *limits.notes(budget)]
    if loss.target_bpp is not None and file.lost and abs(bpp / loss.target_bpp - 1) > NEAR:
        notes.append(_missed(loss.target_bpp, bpp, setting, neural.steps()))
    report = Report(
        codec=file.choice.codec,
        model=neural.stamp.id if file.lost else None,
        shape=file.picture.shape,
        bytes_in=picture.source_bytes or picture.samples.nbytes,
        bytes_out=len(file.data),
        bpsp=8 * len(file.data) / file.picture.samples.size,
        bits=file.choice.bits,
        seconds={"load": neural.seconds, "encode": encoded - start - neural.seconds, "verify": done - encoded},
        reason=LOSSY_REASON if file.lost else REASONS[file.choice.reason],
        notes=notes,
        lossy=Lossy(setting if file.lost else None, quality, bpp, quality_found, file.estimated),
    )
    return Compressed(file.data, report)


def _without_loss(picture: Picture, quality: int | None, **options: Any) -> Compressed:
    """Return the file of a picture of a mode that lossy codecs do not code."""
    done = rdz.compress(picture, Request(verify=options["verify"]), progress=options["progress"])
    report = done.report
    bits = 8.0 * len(done.data)
    psnr = math.inf if options["verify"] else None
    lossy = Lossy(None, quality, bits / (picture.shape[0] * picture.shape[1]), psnr, bits)
    note = f"pixels of mode {picture.mode} are coded without loss"
    return Compressed(done.data, replace(report, lossy=lossy, notes=[*report.notes, note]))


def _planes(picture: Picture) -> _Planes:
    arrangement, samples = arrange(picture)
    colour, alpha = apart(samples)
    if alpha is None:
        return _Planes(arrangement, colour, None, None)
    plane = Plane(SectionType.ALPHA, CLASSIC, classic.encode(alpha))
    return _Planes(arrangement, fill(colour, alpha == 0), alpha, plane)


def _choice(planes: _Planes, picture: Picture, encoded: Encoded, digest: bytes, setting: int, name: str) -> Choice:
    checked = symbols_hash(digest, picture.mode, picture.shape, setting, planes.alpha)
    coded = [Plane(SectionType.COLOUR, TRANSFORM, encoded), *([planes.plane] if planes.plane else [])]
    return Choice(planes.arrangement, coded, Reason.NEURAL_QUICK, name, checked)


def _setting(
    picture: Picture,
    planes: _Planes,
    neural: Neural,
    loss: Loss,
    quality: int | None,
    options: Options | None,
    progress: Progress | None,
) -> int:
    if quality is not None:
        return neural.setting_of(quality)
    empty = _choice(planes, picture, Encoded(b"", Bits(0.0, 0.0, 0.0), 0), b"", 0, "")
    extra = 8.0 * (len(sections.pack(picture, empty, neural)) + _LENGTH_BYTES)
    bits = (loss.target_bpp or 0.0) * picture.shape[0] * picture.shape[1]
    return neural.find_setting(planes.colour, bits, extra, progress, options=options)


def _lossy_file(
    picture: Picture,
    planes: _Planes,
    neural: Neural,
    codec: str,
    setting: int,
    quality: int | None,
    options: Options | None,
    progress: Progress | None,
) -> _File:
    coded = neural.encode_transform(
        planes.colour, setting, quality=quality or 0, codec=codec, options=options, progress=progress
    )
    choice = _choice(planes, picture, coded.encoded, coded.digest, setting, codec)
    data = sections.pack(picture, choice, neural)
    return _File(data, picture, choice, coded.estimated + 8 * (len(data) - len(coded.encoded.payload)))


def _smaller(file: _File, picture: Picture) -> _File:
    """Return a lossy file, or that of the original picture by the best classic codec if it is no larger."""
    rival = lossless_rival(picture, arrange(file.picture)[1], len(file.data))
    if rival is None:
        return file
    data = sections.pack(picture, rival, None)
    return _File(data, picture, rival, 8.0 * len(data)) if len(data) <= len(file.data) else file


def _check(file: _File, planes: _Planes, neural: Neural, progress: Progress | None) -> float:
    """Decode a file, compare its symbols, or if it is lossless its pixels, and return its PSNR in dB.

    Raises FormatError if it is not what was coded.
    """
    picture = file.picture
    if not file.lost:
        check_lossless(picture, file.data, None, progress)
        return math.inf
    parsed = container.unpack(file.data)
    header = ImageHeader.from_map(parsed.header)
    back = sections.picture_of(parsed, header, neural, progress)
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
