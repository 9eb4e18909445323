"""Coded planes of a picture as the header and the sections of a file, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rdzip.codecs.names import LATENT_CODECS, LOSSY_CODECS, PlaneCodec
from rdzip.errors import CoderError, FormatError
from rdzip.formats import container, metadata
from rdzip.formats.container import Container, Section, SectionType
from rdzip.formats.header import Arrangement, ImageHeader
from rdzip.formats.images.picture import Picture, symbols_hash
from rdzip.formats.modes import BY_NAME, BY_NUMBER
from rdzip.formats.packing import pack_bytes, pack_value, unpack_bytes
from rdzip.pipeline import arrangement, plane_codecs, quantisation
from rdzip.pipeline.plane_codecs import Context, Payload, Row
from rdzip.pipeline.selection import Choice
from rdzip.system import limits
from rdzip.system.progress import part_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rdzip.pipeline.model_handle import ModelHandle
    from rdzip.system.progress import Progress


def pack_picture(picture: Picture, choice: Choice, model: ModelHandle | None) -> bytes:
    """Return the file of a picture's coded planes."""
    height, width = picture.shape[:2]
    header = ImageHeader(
        height=height,
        width=width,
        mode=BY_NAME[picture.mode].number,
        pixel_hash=b"" if choice.symbols_hash else picture.pixel_hash(),
        symbols_hash=choice.symbols_hash,
        model=model.reference if model and choice.uses_model else None,
        reason=int(choice.reason),
        arrangement=int(choice.arrangement),
        source_format=picture.source_format or "PNG",
        quantiser=choice.quantiser,
    )
    sections = []
    if picture.palette_mode:
        sections.append(Section(SectionType.PALETTE, bytes([len(picture.palette_mode)]) + pack_bytes(picture.palette)))
    if picture.metadata:
        sections.append(Section(SectionType.METADATA, pack_value(picture.metadata)))
    if choice.description:
        sections.append(Section(SectionType.DESCRIPTION, choice.description))
    for plane in choice.planes:
        head = bytes([plane.codec]) + container.write_varint(plane.encoded.layout)
        sections.append(Section(plane.type, head + plane.encoded.payload))
    if model and header.model:
        sections += model.origin()
    return container.pack(header.to_map(), sections)


def picture_of(parsed: Container, header: ImageHeader, model: ModelHandle | None, progress: Progress | None) -> Picture:
    """Return the picture of a parsed file, its hash checked; FormatError if the file is corrupt."""
    mode = BY_NUMBER[header.mode]
    palette, palette_mode = palette_of(parsed, mode.name)
    kept = metadata.of_container(parsed)
    coded = header.coded_mode
    shape = arrangement.arranged_shape(coded, header.height, header.width, header.arrangement, palette_mode)
    alpha = parsed.find(SectionType.ALPHA)
    colour = parsed.find(SectionType.COLOUR)
    if colour is None:
        raise FormatError("header is inconsistent: the file has no section with colours; it is corrupt")
    try:
        if header.symbols_hash:
            samples = _lossy_samples(colour, alpha, shape, header, model, progress)
        else:
            samples = _samples(colour, alpha, shape, coded, model, progress)
    except CoderError as error:
        raise FormatError(f"{error}; get another copy") from error
    description = parsed.find(SectionType.DESCRIPTION)
    if (description is not None) != (header.arrangement == Arrangement.LUMA_CHROMA):
        raise FormatError("header is inconsistent: luma and chroma without what describes them; the file is corrupt")
    constant = _is_one_pixel(samples) and description is None
    if constant:
        samples = samples[:1, :1]
    elif header.arrangement or header.quantiser:
        made = header.height * header.width * mode.channels * np.dtype(mode.dtype).itemsize
        beside = arrangement.memory_beside(shape, header.arrangement)
        limits.claim_memory(samples.nbytes + 2 * made + beside, f"{header.width} x {header.height} pixels")
    if description is not None:
        samples = arrangement.coloured(samples, bytes(description))
    samples = arrangement.restore(samples, coded, header.arrangement, palette, palette_mode)
    if header.quantiser:
        samples = quantisation.levels(samples, header.quantiser, mode.name)
    if constant:  # a view, until the hash says that it is worth the memory
        samples = np.broadcast_to(samples, (header.height, header.width, *samples.shape[2:]))
    picture = Picture(samples, mode.name, palette, palette_mode, kept, header.source_format)
    if header.pixel_hash and picture.pixel_hash() != header.pixel_hash:
        raise FormatError(
            "the decoded pixels are not those that were coded (their hash differs): the file is corrupt, or the "
            "model's arithmetic is"
        )
    if constant:
        picture.samples = picture.samples.copy()
    return picture


def _is_one_pixel(samples: NDArray[Any]) -> bool:
    """Return whether samples are a view of one pixel."""
    return samples.strides[:2] == (0, 0)


def palette_of(parsed: Container, mode: str) -> tuple[bytes, str]:
    """Return the palette of a file and its mode, both empty for a mode without; FormatError if it is corrupt."""
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
    model: ModelHandle | None,
    progress: Progress | None,
) -> NDArray[Any]:
    dtype = np.dtype(BY_NAME[mode].dtype)
    if alpha is None:
        return _plane(colour, shape, dtype, model, Context(progress=progress))
    colour_shape = _without_alpha(shape, mode)
    first = _plane(colour, colour_shape, dtype, model, Context(progress=part_of(progress, 0.0, 0.7)))
    return _joined(first, _plane(alpha, shape[:2], dtype, model, Context((first,), part_of(progress, 0.7, 1.0))))


def _without_alpha(shape: tuple[int, ...], mode: str) -> tuple[int, ...]:
    """Return the shape of the colour section where there is one of alpha too."""
    if len(shape) != 3 or not BY_NAME[mode].alpha:
        raise FormatError(f"header is inconsistent: mode {mode} with an alpha section; the file is corrupt")
    return shape[:2] if shape[2] == 2 else (*shape[:2], shape[2] - 1)


def _joined(colour: NDArray[Any], alpha: NDArray[Any]) -> NDArray[Any]:
    if _is_one_pixel(colour) and _is_one_pixel(alpha):
        return np.broadcast_to(
            _joined(colour[:1, :1].copy(), alpha[:1, :1].copy()), (*alpha.shape, _channels(colour) + 1)
        )
    channels = _channels(colour)
    limits.claim_memory(2 * (colour.nbytes + alpha.nbytes), f"{alpha.shape[1]} x {alpha.shape[0]} pixels with alpha")
    result = np.empty((*alpha.shape, channels + 1), alpha.dtype)
    result[:, :, :channels] = colour.reshape(*alpha.shape, channels)
    result[:, :, channels] = alpha
    return result


def _channels(samples: NDArray[Any]) -> int:
    return 1 if samples.ndim == 2 else samples.shape[2]


def _plane(
    body: bytes | memoryview, shape: tuple[int, ...], dtype: np.dtype[Any], model: ModelHandle | None, context: Context
) -> NDArray[Any]:
    row, layout, payload = _read(body)
    if row.lossy:
        raise FormatError("header is inconsistent: a lossy payload in a lossless file; the file is corrupt")
    if (model is None and row.needs_model(layout)) or not row.holds(shape, dtype):
        raise FormatError(
            "header is inconsistent: a neural payload without a model or of samples that it cannot hold; the file is "
            "corrupt"
        )
    return plane_codecs.decode(row, Payload(payload, shape, dtype, layout), model, context)


def _read(body: bytes | memoryview) -> tuple[Row, int, bytes | memoryview]:
    """Return the codec, layout and payload of a plane group."""
    if not len(body):
        raise FormatError("header is inconsistent: an empty section; the file is corrupt")
    layout, at = container.read_varint(body, 1)
    row = plane_codecs.CODECS.get(body[0])
    if row is None:
        known = ", ".join((*plane_codecs.names(), *LATENT_CODECS, *LOSSY_CODECS))
        raise FormatError(f"the file needs a newer rdzip: its codec {body[0]} is unknown (known: {known})")
    return row, layout, body[at:]


def _lossy_samples(
    colour: bytes | memoryview,
    alpha: bytes | memoryview | None,
    shape: tuple[int, ...],
    header: ImageHeader,
    model: ModelHandle | None,
    progress: Progress | None,
) -> NDArray[Any]:
    """Return the samples of a lossy file, the hash of its symbols checked before they become pixels."""
    mode = BY_NUMBER[header.mode].name
    row, layout, payload = _read(colour)
    if alpha is not None:
        shape = _without_alpha(shape, mode)
    octets = np.dtype(np.uint8)
    if not row.lossy or model is None or mode not in row.modes() or not row.holds(shape, octets):
        raise FormatError(
            "header is inconsistent: a lossy file without a lossy payload, or of samples that it cannot hold; the "
            "file is corrupt"
        )
    plane = None
    if alpha is not None:
        coded, number, rest = _read(alpha)
        if coded.number != PlaneCodec.CLASSIC:
            raise FormatError("header is inconsistent: an alpha section that is not classic; the file is corrupt")
        plane = plane_codecs.decode(coded, Payload(rest, shape[:2], octets, number))

    def check(digest: bytes, setting: int) -> None:
        if symbols_hash(digest, mode, shape, setting, plane) != header.symbols_hash:
            raise FormatError(
                "the decoded symbols are not those that were coded (their hash differs): the file is corrupt, or the "
                "model's arithmetic is"
            )

    context = Context(() if plane is None else (plane,), progress, check)
    pixels = plane_codecs.decode(row, Payload(payload, shape, octets, layout), model, context)
    return pixels if plane is None else _joined(pixels, plane)
