"""A picture to the bytes of a lossy .rdz file, or of a lossless one where that is no larger."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rdzip.codecs import classic
from rdzip.codecs.result import Bits, Encoded
from rdzip.errors import FormatError
from rdzip.formats import container, metadata, rdz, sections
from rdzip.formats.arrangement import STRIP, arrange
from rdzip.formats.container import SectionType
from rdzip.formats.eight_bit import to_eight_bits
from rdzip.formats.header import LOSSY_REASON, REASONS, Arrangement, ImageHeader, Reason
from rdzip.formats.hidden import fill
from rdzip.formats.latent import codec_for
from rdzip.formats.loss import DEFAULT_QUALITY, Loss
from rdzip.formats.picture import Picture, symbols_hash
from rdzip.formats.reading import LOSSY_NOTE
from rdzip.formats.report import Compressed, Lossy, Report
from rdzip.formats.sections import part_of
from rdzip.formats.selection import CLASSIC, TRANSFORM, Choice, Plane, apart, lossless_rival

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rdzip.formats.neural import Neural

    Progress = Callable[[float], None]

NEAR = 0.02
"""Largest relative distance from a target rate that is not worth a note."""
_LENGTH_BYTES = 4  # of a payload's section, beyond that of an empty one, at most


@dataclass(frozen=True)
class _Planes:
    """What is coded of a picture: colours [h, w] or [h, w, 3], and alpha [h, w] with its coded plane."""

    arrangement: Arrangement
    colour: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None
    plane: Plane | None


def compress_lossy(
    picture: Picture,
    neural: Neural,
    codec: str | None,
    loss: Loss,
    *,
    metadata: str = "all",
    progress: Progress | None = None,
    verify: bool = True,
) -> Compressed:
    """Return the .rdz file of a picture and a report; arguments as of rdzip.formats.rdz.compress_picture.

    Modes that are no grey, colours or palette are coded without loss; so is a picture whose best classic coding is no
    larger, unless a codec is asked for. verify: decode the file, compare the symbols, measure the quality.
    """
    start = time.perf_counter()
    quality = loss.quality if loss.wanted else DEFAULT_QUALITY
    notes = [note for note in picture.notes if not note.startswith(LOSSY_NOTE)]
    picture = replace(picture, notes=notes)
    plain = to_eight_bits(picture)
    if plain is None:
        return _without_loss(picture, quality, metadata=metadata, progress=progress, verify=verify)
    planes = _planes(plain)
    shares = (0.5, 0.75) if loss.target_bpp is not None else (0.0, 0.5)
    setting = _setting(plain, planes, neural, loss, quality, metadata, part_of(progress, 0.0, shares[0]))
    name = codec_for(neural.codecs, codec, neural.stamp.id)
    coded = neural.encode_transform(
        planes.colour, setting, quality=quality or 0, codec=name, progress=part_of(progress, *shares)
    )
    choice = _choice(planes, plain, coded.encoded, coded.digest, setting, name)
    data = sections.pack(plain, choice, neural, metadata)
    estimated = coded.estimated + 8 * (len(data) - len(coded.encoded.payload))
    rival = None if codec else lossless_rival(picture, arrange(plain)[1], len(data))
    lossless = None if rival is None else sections.pack(picture, rival, None, metadata)
    encoded = time.perf_counter()
    quality_found = None
    used: Picture = plain
    if rival is not None and lossless is not None and len(lossless) <= len(data):
        data, choice, used, estimated = lossless, rival, picture, 8.0 * len(lossless)
        if verify:
            rdz.check_lossless(picture, data, None, metadata)
            quality_found = math.inf
    elif verify:
        quality_found = _check_lossy(plain, planes, data, neural, metadata, part_of(progress, shares[1], 1.0))
    done = time.perf_counter()
    if progress:
        progress(1.0)
    pixels = used.shape[0] * used.shape[1]
    lost = bool(choice.symbols_hash)
    bpp = 8 * len(data) / pixels
    notes = list(used.notes)
    if loss.target_bpp is not None and lost and (abs(bpp / loss.target_bpp - 1) > NEAR):
        notes.append(_missed(loss.target_bpp, bpp, setting, neural.steps()))
    load = neural.seconds
    report = Report(
        codec=choice.codec,
        model=neural.stamp.id if lost else None,
        shape=used.shape,
        bytes_in=picture.source_bytes or picture.samples.nbytes,
        bytes_out=len(data),
        bpsp=8 * len(data) / used.samples.size,
        bits=choice.bits,
        seconds={"load": load, "encode": encoded - start - load, "verify": done - encoded},
        reason=LOSSY_REASON if lost else REASONS[choice.reason],
        notes=notes,
        lossy=Lossy(setting if lost else None, quality, bpp, quality_found, estimated),
    )
    return Compressed(data, report)


def _without_loss(picture: Picture, quality: int | None, **options: Any) -> Compressed:
    """Return the file of a picture of a mode that lossy codecs do not code."""
    done = rdz.compress_picture(picture, **options)
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
    keep: str,
    progress: Progress | None,
) -> int:
    if quality is not None:
        return neural.setting_of(quality)
    empty = _choice(planes, picture, Encoded(b"", Bits(0.0, 0.0, 0.0), 0), b"", 0, "")
    extra = 8.0 * (len(sections.pack(picture, empty, neural, keep)) + _LENGTH_BYTES - 2)
    bits = (loss.target_bpp or 0.0) * picture.shape[0] * picture.shape[1]
    return neural.find_setting(planes.colour, bits, extra, progress)


def _check_lossy(
    picture: Picture, planes: _Planes, data: bytes, neural: Neural, keep: str, progress: Progress | None
) -> float:
    """Decode a file, which compares the hash of its symbols, and return its PSNR in dB; FormatError if it is wrong."""
    parsed = container.unpack(data)
    back = sections.picture_of(parsed, ImageHeader.from_map(parsed.header), neural, progress)
    same = (
        (back.mode, back.shape, back.source_format) == (picture.mode, picture.shape, picture.source_format or "PNG")
        and (planes.alpha is None or np.array_equal(back.samples[:, :, -1], planes.alpha))
        and (keep == "none" or metadata.pack(back.metadata) == metadata.pack(picture.metadata))
    )
    if not same:
        raise FormatError(
            "verification failed: what was written does not decode to what was coded; nothing was kept, please report "
            "this image"
        )
    return psnr(picture.samples, back.samples, planes.alpha)


def psnr(one: NDArray[np.uint8], other: NDArray[np.uint8], alpha: NDArray[np.uint8] | None) -> float:
    """Return the peak signal-to-noise ratio in dB of uint8 samples, infinite if they are equal.

    alpha: the samples' last channel, which is left out, and so are pixels where it is 0.
    """
    errors, count = 0.0, 0
    for y in range(0, len(one), STRIP):
        unlike = one[y : y + STRIP].astype(np.float32) - other[y : y + STRIP]
        if alpha is not None:
            unlike = unlike[..., :-1][alpha[y : y + STRIP] > 0]
        errors += float(np.square(unlike, dtype=np.float64).sum())
        count += unlike.size
    return 10 * math.log10(255**2 * count / errors) if errors else math.inf


def _missed(target: float, found: float, setting: int, steps: int) -> str:
    end = {0: "the finest setting", steps - 1: "the coarsest setting"}.get(setting, "the nearest setting")
    return f"{target:g} bits per pixel cannot be had of this picture: {end} gives {found:.4g}"
