"""The safety net: which codec codes a picture, decided by size, and cheaply for photographs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rdzip.codecs import classic
from rdzip.codecs.result import Bits, Encoded
from rdzip.errors import InputError
from rdzip.formats.arrangement import arrange, palette_colours
from rdzip.formats.container import SectionType
from rdzip.formats.header import Arrangement, Reason
from rdzip.formats.modes import BY_NAME

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from rdzip.formats.neural import Neural
    from rdzip.formats.picture import Picture

CODECS = ("classic", "causal")
CLASSIC, CAUSAL = range(2)
NEURAL_MODES = ("L", "LA", "RGB", "RGBA")


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


@dataclass(frozen=True)
class Choice:
    """What was chosen: how the samples were arranged, the coded planes, and why."""

    arrangement: Arrangement
    planes: list[Plane]
    reason: Reason

    @property
    def codec(self) -> str:
        """Name of the codec of the colour planes."""
        return CODECS[self.planes[0].codec]

    @property
    def bits(self) -> Bits:
        """Sum of the planes' bits."""
        return sum((plane.encoded.bits for plane in self.planes), Bits(0.0, 0.0, 0.0))


def choose(picture: Picture, neural: Neural | None, codec: str | None, progress: Callable[[float], None] | None = None) -> Choice:
    """Return the coded planes of a picture.

    neural: the model to try, None when there is none. codec: "classic" or "causal" to have no other, None to have the smaller.
    Raises InputError for an unknown codec or one that cannot code the picture.
    """
    if codec is not None and codec not in CODECS:
        raise InputError(f"expected a codec of {', '.join(CODECS)}, found {codec}")
    arrangement, samples = arrange(picture)
    if codec == "causal":
        if picture.mode not in NEURAL_MODES or neural is None:
            raise InputError(f"the codec causal codes the modes {', '.join(NEURAL_MODES)}, found {picture.mode}: leave the choice to rdzip")
        return Choice(arrangement, _neural_planes(samples, neural, progress), Reason.REQUESTED)
    if codec == "classic" or picture.mode not in NEURAL_MODES or neural is None:
        reason = Reason.REQUESTED if codec else Reason.CLASSIC_MODE if picture.mode not in NEURAL_MODES else Reason.CLASSIC_NO_MODEL
        return _classic_choice(picture, arrangement, samples, reason)
    coded = Choice(arrangement, _neural_planes(samples, neural, progress), Reason.NEURAL_SMALLER)
    tried = _classic_choice(picture, arrangement, samples, Reason.CLASSIC_SMALLER)
    return min(coded, tried, key=lambda choice: sum(plane.size for plane in choice.planes))


def _neural_planes(samples: NDArray[Any], neural: Neural, progress: Callable[[float], None] | None) -> list[Plane]:
    if samples.ndim == 3 and samples.shape[2] in (2, 4):
        colour = np.ascontiguousarray(samples[:, :, 0] if samples.shape[2] == 2 else samples[:, :, :3])
        planes = [Plane(SectionType.COLOUR, CAUSAL, neural.encode(colour, progress))]
        alpha = np.ascontiguousarray(samples[:, :, -1])
        tried = Plane(SectionType.ALPHA, CLASSIC, classic.encode(alpha))
        if tried.size > alpha.size // 16:
            tried = min(tried, Plane(SectionType.ALPHA, CAUSAL, neural.encode(alpha)), key=lambda plane: plane.size)
        return [*planes, tried]
    return [Plane(SectionType.COLOUR, CAUSAL, neural.encode(samples, progress))]


def _classic_choice(picture: Picture, arrangement: Arrangement, samples: NDArray[Any], reason: Reason) -> Choice:
    best = Choice(arrangement, [Plane(SectionType.COLOUR, CLASSIC, classic.encode(samples))], reason)
    if picture.mode == "P" and (colours := palette_colours(picture)) is not None:
        tried = Plane(SectionType.COLOUR, CLASSIC, classic.encode(colours))
        if tried.size + 2 < best.planes[0].size:
            return Choice(Arrangement.PALETTE_COLOURS, [tried], reason)
    return best


def alpha_shape(mode: str, shape: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the shapes of the colour and the alpha section of arranged samples whose last channel is coded apart."""
    colour = shape[:2] if shape[2] == 2 else (*shape[:2], shape[2] - 1)
    if not BY_NAME[mode].alpha:
        raise InputError(f"mode {mode} has no alpha channel")
    return colour, shape[:2]
