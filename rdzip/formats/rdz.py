"""A picture to the bytes of a .rdz file and back."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from rdzip.codecs import classic
from rdzip.codecs.options import LATENT_CODECS
from rdzip.codecs.result import Bits
from rdzip.errors import CoderError, FormatError, InputError
from rdzip.formats import arrangement as arranging
from rdzip.formats import container, metadata
from rdzip.formats.container import Container, Section, SectionType
from rdzip.formats.describe import describe
from rdzip.formats.header import REASONS, ImageHeader
from rdzip.formats.latent import NO_WISHES, Wishes, codec_for
from rdzip.formats.modes import BY_NAME, BY_NUMBER
from rdzip.formats.neural import DEFAULT_MODEL, Neural, check_coder, latent_model
from rdzip.formats.packing import pack_bytes, unpack_bytes
from rdzip.formats.picture import Picture
from rdzip.formats.selection import CAUSAL, CLASSIC, CODECS, LATENT, NEURAL_MODES, Choice, choose, choose_latent

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "DEFAULT_MAX_PIXELS",
    "Compressed",
    "Decoded",
    "Report",
    "compress_picture",
    "decode",
    "decompress_picture",
    "describe",
]

DEFAULT_MAX_PIXELS = 1 << 28
Progress = Callable[[float], None]


@dataclass(frozen=True)
class Report:
    """What a compression did. bits: of the pixels' payloads. bytes_in: of the source file, or of the samples when there
    was none. groups: of each segment of a batch, the groups (rdzip.codecs.chain) of its chain.
    """

    codec: str
    model: str | None
    shape: tuple[int, ...]
    bytes_in: int
    bytes_out: int
    bpsp: float
    bits: Bits
    seconds: dict[str, float]
    reason: str
    notes: list[str] = field(default_factory=list)
    groups: list[list[Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Compressed:
    """The bytes of a .rdz file and the report on them."""

    data: bytes
    report: Report


@dataclass(frozen=True)
class Decoded:
    """A decoded picture and how many seconds it took: {load, decode}."""

    picture: Picture
    seconds: dict[str, float]


def compress_picture(
    picture: Picture,
    *,
    model: str | None = None,
    codec: str | None = None,
    metadata: str = "all",
    threads: int | None = None,
    device: str | None = None,
    offline: bool = False,
    progress: Progress | None = None,
    verify: bool = True,
    wishes: Wishes = NO_WISHES,
) -> Compressed:
    """Return the .rdz file of a picture and a report.

    model: id, hash or file of the neural model; None is "photo", and then classic codecs alone where that cannot be
    found.
    codec: "causal" or "classic" to have no other, None to have the smaller; with a model of latents one of its codecs,
    None for its default. wishes: about such a codec. metadata: "all" or "none". verify: decode
    what was written and compare.
    progress: called with the share done, 0 to 1.
    Raises InputError (what the codec cannot code), ModelError (a model that was asked for cannot be had), FormatError
    (verification failed).
    """
    if metadata not in ("all", "none"):
        raise InputError(f"expected metadata to be all or none, found {metadata}")
    check_codec(codec)
    if wishes.segment is not None:
        raise InputError("expected --segment with many items, found one picture: leave it out")
    start = time.perf_counter()
    neural = latent_model(model, codec, threads=threads, device=device, offline=offline)
    latent = codec_for(neural.codecs, codec, neural.stamp.id) if neural else None
    wishes.check(latent)
    if latent is None and codec != "classic" and picture.mode in NEURAL_MODES:
        neural = Neural(model or DEFAULT_MODEL, threads=threads, device=device, offline=offline)
        if not neural.find():
            if model is not None or codec is not None:
                _ = neural.stamp  # raises the ModelError that says what to do
            neural = None
    share = 0.4 if verify else 1.0
    if neural and latent:
        choice = choose_latent(picture, neural, latent, wishes.options(latent), _part(progress, 0.0, share))
    else:
        choice = choose(picture, neural, codec, _part(progress, 0.0, share))
    data = container.pack(*_parts(picture, choice, neural, metadata))
    load = neural.seconds if neural else 0.0
    encoded = time.perf_counter()
    if verify:
        _verify(picture, data, neural, metadata, _part(progress, share, 1.0))
    done = time.perf_counter()
    if progress:
        progress(1.0)
    samples = picture.samples
    report = Report(
        codec=choice.codec,
        model=neural.stamp.id if neural and _uses_model(choice) else None,
        shape=picture.shape,
        bytes_in=picture.source_bytes or samples.nbytes,
        bytes_out=len(data),
        bpsp=8 * len(data) / samples.size,
        bits=choice.bits,
        seconds={"load": load, "encode": encoded - start - load, "verify": done - encoded},
        reason=REASONS[choice.reason],
        notes=list(picture.notes),
    )
    return Compressed(data, report)


def check_codec(codec: str | None) -> None:
    """Raise InputError unless this rdzip has a codec of this name (None: any)."""
    if codec not in (None, *CODECS, *LATENT_CODECS):
        raise InputError(f"expected a codec of {', '.join((*CODECS, *LATENT_CODECS))}, found {codec}")


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
    (2**28 when None).

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
    limit = DEFAULT_MAX_PIXELS if max_pixels is None else max_pixels
    if header.height * header.width > limit:
        raise FormatError(
            f"the image has {header.width} x {header.height} = {header.height * header.width} pixels, at most {limit} "
            "are allowed: "
            "raise --max-pixels if you trust the file"
        )
    neural = None
    if header.model:
        check_coder(header.model)
        neural = Neural(header.model.hash, threads=threads, device=device, offline=offline)
    picture = _picture(parsed, header, neural, progress)
    if progress:
        progress(1.0)
    load = neural.seconds if neural else 0.0
    return Decoded(picture, {"load": load, "decode": time.perf_counter() - start - load})


def _part(progress: Progress | None, start: float, end: float) -> Progress | None:
    return (lambda done: progress(start + (end - start) * done)) if progress else None


def _uses_model(choice: Choice) -> bool:
    return any(plane.codec != CLASSIC for plane in choice.planes)


def _parts(picture: Picture, choice: Choice, neural: Neural | None, keep: str) -> tuple[dict[int, Any], list[Section]]:
    height, width = picture.shape[:2]
    header = ImageHeader(
        height=height,
        width=width,
        mode=BY_NAME[picture.mode].number,
        pixel_hash=picture.pixel_hash(),
        model=neural.stamp if neural and _uses_model(choice) else None,
        reason=int(choice.reason),
        arrangement=int(choice.arrangement),
        source_format=picture.source_format or "PNG",
    )
    sections = []
    if picture.palette_mode:
        sections.append(Section(SectionType.PALETTE, bytes([len(picture.palette_mode)]) + pack_bytes(picture.palette)))
    if keep == "all" and picture.metadata:
        sections.append(Section(SectionType.METADATA, pack_bytes(metadata.pack(picture.metadata))))
    for plane in choice.planes:
        head = bytes([plane.codec]) + container.write_varint(plane.encoded.layout)
        sections.append(Section(plane.type, head + plane.encoded.payload))
    return header.to_map(), sections


def _picture(parsed: Container, header: ImageHeader, neural: Neural | None, progress: Progress | None) -> Picture:
    mode = BY_NUMBER[header.mode]
    palette, palette_mode = _palette(parsed, mode.name)
    kept = metadata.of_container(parsed)
    shape = arranging.arranged_shape(mode.name, header.height, header.width, header.arrangement, palette_mode)
    alpha = parsed.find(SectionType.ALPHA)
    colour = parsed.find(SectionType.COLOUR)
    if colour is None:
        raise FormatError("header is inconsistent: the file has no section with colours; it is corrupt")
    try:
        samples = _samples(colour, alpha, shape, mode.name, neural, progress)
    except CoderError as error:
        raise FormatError(f"{error}; get another copy") from error
    samples = arranging.restore(samples, mode.name, header.arrangement, palette, palette_mode)
    picture = Picture(samples, mode.name, palette, palette_mode, kept, header.source_format)
    if picture.pixel_hash() != header.pixel_hash:
        raise FormatError(
            "the decoded pixels are not those that were coded (their hash differs): the file is corrupt, or the "
            "model's arithmetic is"
        )
    return picture


def _palette(parsed: Container, mode: str) -> tuple[bytes, str]:
    body = parsed.find(SectionType.PALETTE)
    if (body is not None) != (mode in ("P", "PA")):
        raise FormatError(
            f"header is inconsistent: mode {mode} {'without' if body is None else 'with'} palette; the file is corrupt"
        )
    if body is None:
        return b"", ""
    if len(body) < 1 or body[0] not in (3, 4):
        raise FormatError("header is inconsistent: the palette is neither RGB nor RGBA; the file is corrupt")
    palette = unpack_bytes(body[1:])
    if len(palette) > 256 * body[0]:
        raise FormatError(f"header is inconsistent: a palette of {len(palette)} bytes; the file is corrupt")
    return palette, "RGBA"[: body[0]]


def _samples(
    colour: bytes | memoryview,
    alpha: bytes | memoryview | None,
    shape: tuple[int, ...],
    mode: str,
    neural: Neural | None,
    progress: Progress | None,
) -> NDArray[Any]:
    dtype = np.dtype(BY_NAME[mode].dtype)
    if alpha is None:
        return _plane(colour, shape, dtype, neural, progress)
    if len(shape) != 3 or not BY_NAME[mode].alpha:
        raise FormatError(f"header is inconsistent: mode {mode} with an alpha section; the file is corrupt")
    channels = shape[2] - 1
    result = np.empty(shape, dtype)
    result[:, :, :channels] = _plane(
        colour, shape[:2] if channels == 1 else (*shape[:2], channels), dtype, neural, _part(progress, 0.0, 0.7)
    ).reshape(*shape[:2], channels)
    result[:, :, channels] = _plane(alpha, shape[:2], dtype, neural, _part(progress, 0.7, 1.0))
    return result


def _plane(
    body: bytes | memoryview,
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    neural: Neural | None,
    progress: Progress | None,
) -> NDArray[Any]:
    if not len(body):
        raise FormatError("header is inconsistent: an empty section; the file is corrupt")
    layout, at = container.read_varint(body, 1)
    if body[0] == CLASSIC:
        return classic.decode(body[at:], shape, dtype, layout)
    if body[0] not in (CAUSAL, LATENT):
        known = ", ".join((*CODECS, *LATENT_CODECS))
        raise FormatError(f"the file needs a newer rdzip: its codec {body[0]} is unknown (known: {known})")
    if neural is None or dtype != np.uint8 or shape[2:] not in ((), (3,)):
        raise FormatError(
            "header is inconsistent: a neural payload without a model or of samples that it cannot hold; the file is "
            "corrupt"
        )
    by = neural.decode if body[0] == CAUSAL else neural.decode_tiles
    return by(bytes(body[at:]), shape, layout, progress)


def _verify(picture: Picture, data: bytes, neural: Neural | None, keep: str, progress: Progress | None) -> None:
    parsed = container.unpack(data)
    back = _picture(parsed, ImageHeader.from_map(parsed.header), neural, progress)
    same = (
        picture.mode == back.mode
        and back.samples.shape == picture.samples.shape
        and back.palette == picture.palette
        and back.palette_mode == picture.palette_mode
        and (keep == "none" or metadata.pack(back.metadata) == metadata.pack(picture.metadata))
        and all(
            np.array_equal(a.view(np.uint8), b.view(np.uint8))
            for a, b in zip(back.samples, picture.samples, strict=True)
        )
    )
    if not same:
        raise FormatError(
            "verification failed: what was written does not decode to the input; nothing was kept, please report this "
            "image"
        )
