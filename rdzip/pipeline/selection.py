"""The safety net: which codec codes a picture, decided by size, and cheaply for photographs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rdzip.codecs.classic import codec as classic
from rdzip.codecs.names import PlaneCodec
from rdzip.codecs.result import Bits, Encoded
from rdzip.errors import InputError
from rdzip.formats.container import SectionType
from rdzip.formats.header import Arrangement, Reason
from rdzip.pipeline import history, latent
from rdzip.pipeline.arrangement import arrange, histogram, palette_colours
from rdzip.pipeline.plane_codecs import CODECS, ChainOptions, Coder, Context, Row, by_name
from rdzip.pipeline.report import Outcome
from rdzip.system.strips import strips

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rdzip.formats.images.picture import Picture
    from rdzip.formats.quantiser import Quantiser
    from rdzip.pipeline.model_handle import ModelHandle
    from rdzip.system.progress import Progress

MODEL_REFERENCE = 18  # bytes in the header

# Measured on about 200 photographs and graphics as in tests/helpers/corpus.py: with many colours and few repeats, the
# best of WebP at method 6 and optimised PNG is never below 0.897 of WebP at method 1 (photographs: 0.924), nor below
# 0.946 of it at method 3 (photographs: 0.948). A neural payload below these shares needs no slower trial.
SHARE_OF_METHOD = {1: 0.88, 3: 0.93}
# WebP at a fast method may overlook blocks that repeat, such as tiles. PNG sees them: `classic.repeats` is at most 0.64
# for tiled photographs, 0.50 to 0.73 for a photograph in a screenshot, and at least 0.84 for nearly all photographs.
REPEATS = 0.75
# Without loss, photographs take at least half of a fast PNG (Kodak: 0.64 or more); no picture is known to take a tenth,
# other than by repeats that are far from each other.
SHARE_OF_PNG = 0.5
SHARE_OF_ANY_PNG = 0.1
FEW_COLOURS = 256
FEW_LEVELS = 32
SMALL_PIXELS = 1 << 14  # so small that every way is tried
LEARNING_SAMPLES = 1 << 19  # up to which coders that have less to learn may be smaller
HARDLY_ANY_BITS = 0.15  # bits a sample at which a classic codec leaves nothing to gain
MANY_SAMPLES = 1 << 26
FEW_BITS_OF_PNG = 1.0  # of a fast PNG, above which that is unlikely


@dataclass(frozen=True)
class Plane:
    """One coded plane group: its section type, its codec's number and its payload."""

    type: SectionType
    codec: int
    encoded: Encoded

    @property
    def size(self) -> int:
        """Bytes of its payload and of what frames it."""
        return len(self.encoded.payload) + 10

    @property
    def uses_model(self) -> bool:
        """Whether the model is needed to decode it."""
        return CODECS[self.codec].needs_model(self.encoded.layout)


@dataclass(frozen=True)
class Choice:
    """What was chosen: how the samples were arranged, the coded planes, why, and the codec's name if it is that of a
    model with latents or a lossy one, whose symbols have a hash. quantiser: what the samples are indices of.
    description: what makes colours of luma and chroma.
    """

    arrangement: Arrangement
    planes: list[Plane]
    reason: Reason
    name: str = ""
    symbols_hash: bytes = b""
    quantiser: Quantiser | None = None
    description: bytes = b""

    @property
    def codec(self) -> str:
        """Name of the codec of the colour planes."""
        return self.name or CODECS[self.planes[0].codec].name

    @property
    def uses_model(self) -> bool:
        """Whether the model is needed to decode it."""
        return any(plane.uses_model for plane in self.planes)

    @property
    def size(self) -> int:
        """Bytes of all planes, and of the model's reference if one needs it."""
        reference = MODEL_REFERENCE if self.uses_model else 0
        return reference + sum(plane.size for plane in self.planes) + len(self.description)

    def outcome(self, model: ModelHandle | None) -> Outcome:
        """Return what to report of it."""
        bits = sum((plane.encoded.bits for plane in self.planes), Bits(0.0, 0.0, 0.0))
        reason = None if self.symbols_hash else self.reason
        return Outcome(self.codec, model.id if model and self.uses_model else None, bits, reason)


def choose(picture: Picture, coder: Coder | None, codec: str | None, progress: Progress | None = None) -> Choice:
    """Return the coded planes of a picture.

    coder: what to try beside classic codecs, None when there is nothing. codec: the name of a codec of planes to have
    no other, None to have the smaller.
    Raises InputError for a codec that cannot code the picture.
    """
    arrangement, samples = arrange(picture)
    if codec not in (None, "classic"):
        row = by_name(codec or "")
        if coder is None or row is None or not takes(row.number, picture):
            raise _unsuitable(codec or "", row, picture)
        return replace(_described(arrangement, samples, coder, progress), reason=Reason.REQUESTED)
    if codec == "classic" or coder is None or not takes(coder.codec, picture):
        codable = takes(PlaneCodec.CAUSAL, picture)
        reason = Reason.REQUESTED if codec else Reason.CLASSIC_NO_MODEL if codable else Reason.CLASSIC_MODE
        return _classic_choice(picture, arrangement, samples, reason)
    return _smaller(picture, arrangement, samples, coder, progress)


def choose_latent(
    picture: Picture, model: ModelHandle, options: ChainOptions, progress: Progress | None = None
) -> Choice:
    """Return the planes of a picture coded by a codec of latents; its alpha, if it has one, by a classic one.

    Raises InputError for a picture that the model cannot code.
    """
    if not takes(PlaneCodec.LATENT, picture):
        raise _unsuitable(options.codec, CODECS[PlaneCodec.LATENT], picture)
    latent.check_options(model, options.options)
    arrangement, samples = arrange(picture)
    if arrangement == Arrangement.GREY_ONCE and not latent.takes(model, picture.shape[:2]):
        arrangement, samples = Arrangement.PLAIN, picture.samples
    colour, alpha = apart(samples)
    factor = latent.factor_of(model, colour)
    if factor != 1:
        if picture.mode != "L":
            raise InputError(f"expected mode L or 1 for a model of two values, found {picture.mode}: convert the image")
        arrangement, colour = Arrangement.TWO_LEVELS, colour // np.uint8(factor)
    coded = Coder(PlaneCodec.LATENT, model, options).encode(colour, Context(progress=progress))
    planes = [Plane(SectionType.COLOUR, PlaneCodec.LATENT, coded)]
    if alpha is not None:
        planes.append(Plane(SectionType.ALPHA, PlaneCodec.CLASSIC, classic.encode(alpha)))
    return Choice(arrangement, planes, Reason.REQUESTED, options.codec)


def takes(codec: int, picture: Picture) -> bool:
    """Return whether a codec of planes takes a picture's colours."""
    return picture.mode in CODECS[codec].modes()


def _unsuitable(codec: str, row: Row | None, picture: Picture) -> InputError:
    modes = ", ".join(row.modes() if row else ())
    return InputError(f"the codec {codec} codes the modes {modes}, found {picture.mode}: leave the choice to rdzip")


def apart(samples: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """Return the colour planes [h, w] or [h, w, 3] and the alpha plane, None if there is none."""
    if samples.ndim == 2 or samples.shape[2] == 3:
        return samples, None
    colour = samples[:, :, 0] if samples.shape[2] == 2 else samples[:, :, :3]
    return np.ascontiguousarray(colour), np.ascontiguousarray(samples[:, :, -1])


def _smaller(
    picture: Picture,
    arrangement: Arrangement,
    samples: NDArray[Any],
    coder: Coder,
    progress: Progress | None,
) -> Choice:
    """Return the smaller of coding by a model and classic coding; the slow classic trials are made only where quick
    ones leave them a chance.
    """
    if classic.encode_at_once(samples) is not None:
        return _classic_choice(picture, arrangement, samples, Reason.CLASSIC_GRAPHICS)
    small = samples.shape[0] * samples.shape[1] < SMALL_PIXELS
    trial = not small and classic.fits_webp(samples)
    graphics = not small and has_few_colours(samples)
    with ThreadPoolExecutor(1) as beside:  # on another core than what follows
        quick = beside.submit(classic.webp_size, samples, 1) if trial and not graphics else None
        repeats = beside.submit(classic.repeats, samples) if trial and not graphics else None
        waits = samples.size > MANY_SAMPLES  # both at once would take twice the memory
        if quick and (waits or 8 * classic.fast_png_size(samples) < FEW_BITS_OF_PNG * samples.size):
            graphics = 8 * quick.result() < HARDLY_ANY_BITS * samples.size
        if graphics:
            return _classic_choice(picture, arrangement, samples, Reason.CLASSIC_GRAPHICS)
        coded = _described(arrangement, samples, coder, progress)
    if samples.size <= LEARNING_SAMPLES:
        for other in coder.alternatives:
            coded = min(coded, _described(arrangement, samples, other, None), key=lambda choice: choice.size)
    if quick is not None and repeats is not None and repeats.result() > REPEATS:
        if coded.size < SHARE_OF_METHOD[1] * quick.result():
            return coded
        if coded.size < SHARE_OF_METHOD[3] * classic.webp_size(samples, 3):
            return coded
    tried = _classic_choice(picture, arrangement, samples, Reason.CLASSIC_SMALLER)
    return tried if tried.size <= coded.size else replace(coded, reason=Reason.MODEL_SMALLER)


def lossless_choice(picture: Picture, samples: NDArray[np.uint8], size: int) -> Choice | None:
    """Return the classic coding of a picture, None where quick statistics leave it no chance of at most `size` bytes.

    samples: its arranged samples in 8 bits. What comes may be larger than `size` all the same.
    """
    if picture.mode in ("P", "1") or may_be_small(samples, size):
        return _classic_choice(picture, *arrange(picture), Reason.LOSSLESS_SMALLER)
    return None


def may_be_small(samples: NDArray[np.uint8], size: int) -> bool:
    """Return whether a classic codec has a chance to code uint8 samples in at most `size` bytes."""
    if (
        samples.shape[0] * samples.shape[1] < SMALL_PIXELS
        or classic.encode_at_once(samples)
        or has_few_colours(samples)
    ):
        return True
    png = classic.fast_png_size(samples)
    if size < SHARE_OF_ANY_PNG * png:
        return False
    if png <= REPEATS * classic.fast_png_size(samples, repeats=False):
        return True
    if size < SHARE_OF_PNG * png:
        return False
    return not classic.fits_webp(samples) or size >= SHARE_OF_METHOD[1] * classic.webp_size(samples, 1)


def has_few_colours(samples: NDArray[Any]) -> bool:
    """Return whether uint8 samples have at most 256 colours (32 levels for one channel), alpha aside; photographs
    answer after one strip.
    """
    if samples.ndim == 2 or samples.shape[2] == 2:
        grey = samples if samples.ndim == 2 else samples[:, :, 0]
        return int(np.count_nonzero(histogram(grey))) <= FEW_LEVELS
    found = np.empty(0, np.uint32)
    for s in strips(samples):
        strip = samples[s].astype(np.uint32)
        found = np.union1d(found, strip[:, :, 0] | strip[:, :, 1] << 8 | strip[:, :, 2] << 16)
        if len(found) > FEW_COLOURS:
            return False
    return True


def _described(arrangement: Arrangement, samples: NDArray[Any], coder: Coder, progress: Progress | None) -> Choice:
    """Return samples coded by a coder, as what they were made of where that is smaller: both are tried where the
    picture is small, else quick statistics tell.
    """
    found = history.described(samples) if coder.codec == PlaneCodec.MIXING else None
    if found is None:
        return Choice(arrangement, _coded(samples, coder, progress), Reason.MODEL_QUICK)
    planes = _coded(found.samples, coder, progress)
    described = Choice(Arrangement.LUMA_CHROMA, planes, Reason.MODEL_QUICK, description=found.description)
    if samples.size > LEARNING_SAMPLES and found.surely_smaller:
        return described
    return min(described, Choice(arrangement, _coded(samples, coder, None), Reason.MODEL_QUICK), key=lambda c: c.size)


def _coded(samples: NDArray[Any], coder: Coder, progress: Progress | None) -> list[Plane]:
    colour, alpha = apart(samples)
    planes = [Plane(SectionType.COLOUR, coder.codec, coder.encode(colour, Context(progress=progress)))]
    if alpha is not None:
        tried = Plane(SectionType.ALPHA, PlaneCodec.CLASSIC, classic.encode(alpha))
        if tried.size > alpha.size // 16:
            other = Plane(SectionType.ALPHA, coder.codec, coder.encode(alpha, Context((colour,))))
            tried = min(tried, other, key=lambda plane: plane.size)
        planes.append(tried)
    return planes


def _classic_choice(picture: Picture, arrangement: Arrangement, samples: NDArray[Any], reason: Reason) -> Choice:
    best = Choice(arrangement, [Plane(SectionType.COLOUR, PlaneCodec.CLASSIC, classic.encode(samples))], reason)
    if picture.mode == "P" and (colours := palette_colours(picture)) is not None:
        tried = Plane(SectionType.COLOUR, PlaneCodec.CLASSIC, classic.encode(colours))
        if tried.size + 2 < best.planes[0].size:
            return Choice(Arrangement.PALETTE_COLOURS, [tried], reason)
    return best
