"""What an effort means: the layout of the codec mixing, and the model that it asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rdzip.codecs.bits_back.options import (
    CALM_ALONE,
    CALM_WITH_NETWORK,
    LEAN_FITTED,
    LEAN_PLAIN,
    LEAN_WITH_NETWORK,
    NETWORKED,
    mixing_is_fast,
)
from rdzip.errors import InputError
from rdzip.system import limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from rdzip.codecs.result import Encoded
    from rdzip.pipeline.model_handle import Neural

EFFORTS = range(1, 10)
DEFAULT_EFFORT, SLOW_EFFORT = 6, 7
"""The effort unless another is asked for, and that from which on the codec causal cannot follow."""
LAYOUTS = {
    1: LEAN_PLAIN, 2: LEAN_FITTED, 3: LEAN_FITTED, 4: LEAN_FITTED, 5: LEAN_WITH_NETWORK, 6: LEAN_WITH_NETWORK,
    7: LEAN_WITH_NETWORK, 8: LEAN_WITH_NETWORK, 9: CALM_WITH_NETWORK,
}  # fmt: skip
"""Layouts of the codec mixing by effort."""
FAST_MODEL, DEFAULT_MODEL, LARGE_MODEL = "photo-fast-2", "photo", "photo-large"
"""The models where no other is named: of the efforts 5 and 6, of 7 and of the codec causal, of 8 and 9."""
MODELS = {5: FAST_MODEL, 6: FAST_MODEL, 7: DEFAULT_MODEL, 8: LARGE_MODEL, 9: LARGE_MODEL}


class Mixing:
    """The codec mixing as an encoder of one layout; of that without the network where `neural` is None."""

    def __init__(self, neural: Neural | None, layout: int) -> None:
        self.neural = neural if layout in NETWORKED else None
        if layout in NETWORKED and neural is None:
            layout = LEAN_FITTED if layout == LEAN_WITH_NETWORK else CALM_ALONE
        self.layout = layout

    def encode(self, pixels: NDArray[Any], progress: Callable[[float], None] | None = None) -> Encoded:
        """Return the payload of uint8 pixels [h, w] or [h, w, 3].

        Where it is so small that readers would not take so long over it, a fast layout makes another
        (rdzip.system.limits).
        """
        if self.neural is not None:
            found = self.neural.encode_mixing(pixels, self.layout, progress)
        else:
            from rdzip.codecs.mixing import codec as mixing

            found = mixing.encode(None, pixels, progress, self.layout)
        fast = {CALM_WITH_NETWORK: LEAN_WITH_NETWORK, CALM_ALONE: LEAN_FITTED}.get(self.layout)
        if fast is None or limits.fits(self._decoding_time(pixels.shape), len(found.payload)):
            return found
        return Mixing(self.neural, fast).encode(pixels, progress)

    def _decoding_time(self, shape: tuple[int, ...]) -> float:
        if self.neural is not None:
            return self.neural.decoding_time(shape, self.layout)
        from rdzip.codecs.mixing import codec as mixing

        return mixing.decoding_time(None, shape, self.layout)

    def rivals(self) -> list[Neural | Mixing]:
        """Return the coders with the same network that may be smaller for small pictures."""
        if self.neural is None:
            return []
        brisk = [Mixing(self.neural, LEAN_WITH_NETWORK)] if self.layout == CALM_WITH_NETWORK else []
        return [self.neural, *brisk]


def mixing_layout(codec: str | None, effort: int | None) -> int | None:
    """Return the layout of the codec mixing that these wishes mean, None where they mean another codec.

    Without wishes that is mixing, but causal where nothing compiles scalar code. InputError for wishes that contradict
    each other.
    """
    if effort is not None and effort not in EFFORTS:
        raise InputError(f"expected an effort of {EFFORTS[0]} to {EFFORTS[-1]}, found {effort}")
    if codec == "mixing" or (codec is None and effort is not None):
        return LAYOUTS[effort or DEFAULT_EFFORT]
    if codec is None:
        return LAYOUTS[DEFAULT_EFFORT] if mixing_is_fast() else None
    if effort is not None and effort >= SLOW_EFFORT:
        raise InputError(f"the codec {codec} has no effort {effort}: leave --effort or --codec out")
    return None


def default_model(layout: int | None, effort: int | None) -> str:
    """Return the id of the model that codes where none is named, of the codec mixing by effort."""
    return DEFAULT_MODEL if layout is None else MODELS.get(effort or DEFAULT_EFFORT, DEFAULT_MODEL)
