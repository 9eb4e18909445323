"""What an effort means: the preset of context mixing, and the model that it asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rdzip.codecs.bits_back.options import mixing_is_fast
from rdzip.codecs.mixing.presets import FAST_LS, FAST_NET, FAST_PLAIN, SLOW, SLOW_NET, Preset
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
PRESETS = {
    1: FAST_PLAIN, 2: FAST_LS, 3: FAST_LS, 4: FAST_LS, 5: FAST_NET, 6: FAST_NET, 7: FAST_NET, 8: FAST_NET, 9: SLOW_NET,
}  # fmt: skip
"""Presets of context mixing by effort."""
FAST_MODEL, DEFAULT_MODEL, LARGE_MODEL = "photo-fast-2", "photo", "photo-large"
"""The models where no other is named: of the efforts 5 and 6, of 7 and of the codec causal, of 8 and 9."""
MODELS = {5: FAST_MODEL, 6: FAST_MODEL, 7: DEFAULT_MODEL, 8: LARGE_MODEL, 9: LARGE_MODEL}


class Mixing:
    """Context mixing as an encoder of one preset; of that without the network where `neural` is None."""

    def __init__(self, neural: Neural | None, preset: Preset) -> None:
        self.neural = neural if preset.network else None
        if preset.network and neural is None:
            preset = SLOW if preset.slow else FAST_LS
        self.preset = preset

    def encode(self, pixels: NDArray[Any], progress: Callable[[float], None] | None = None) -> Encoded:
        """Return the payload of uint8 pixels [h, w] or [h, w, 3].

        Where it is so small that readers would not take so long over it, a fast preset makes another
        (rdzip.system.limits).
        """
        if self.neural is not None:
            found = self.neural.encode_mixing(pixels, self.preset, progress)
        else:
            from rdzip.codecs.mixing import codec as mixing

            found = mixing.encode(None, pixels, progress, self.preset)
        if not self.preset.slow or limits.fits(self._decoding_time(pixels.shape), len(found.payload)):
            return found
        return Mixing(self.neural, FAST_NET if self.neural else FAST_LS).encode(pixels, progress)

    def _decoding_time(self, shape: tuple[int, ...]) -> float:
        if self.neural is not None:
            return self.neural.decoding_time(shape, self.preset)
        from rdzip.codecs.mixing import codec as mixing

        return mixing.decoding_time(None, shape, self.preset)

    def rivals(self) -> list[Neural | Mixing]:
        """Return the coders with the same network that may be smaller for small pictures."""
        if self.neural is None:
            return []
        return [self.neural, *([Mixing(self.neural, FAST_NET)] if self.preset.slow else [])]


def preset_for(codec: str | None, effort: int | None) -> Preset | None:
    """Return the preset of context mixing that these wishes mean, None where they mean another codec.

    Without wishes that is mixing, but causal where nothing compiles scalar code. InputError for wishes that contradict
    each other.
    """
    if effort is not None and effort not in EFFORTS:
        raise InputError(f"expected an effort of {EFFORTS[0]} to {EFFORTS[-1]}, found {effort}")
    if codec == "mixing" or (codec is None and effort is not None):
        return PRESETS[effort or DEFAULT_EFFORT]
    if codec is None:
        return PRESETS[DEFAULT_EFFORT] if mixing_is_fast() else None
    if effort is not None and effort >= SLOW_EFFORT:
        raise InputError(f"the codec {codec} has no effort {effort}: leave --effort or --codec out")
    return None


def default_model(preset: Preset | None, effort: int | None) -> str:
    """Return the id of the model that codes where none is named, of context mixing by effort."""
    return DEFAULT_MODEL if preset is None else MODELS.get(effort or DEFAULT_EFFORT, DEFAULT_MODEL)
