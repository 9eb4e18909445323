"""What an effort means: the preset of context mixing, and the model that it asks."""

from __future__ import annotations

from rdzip.codecs.bits_back.options import mixing_is_fast
from rdzip.codecs.mixing.presets import FAST_LS, FAST_NET, FAST_PLAIN, SLOW, SLOW_NET, Preset
from rdzip.codecs.names import PlaneCodec
from rdzip.errors import InputError
from rdzip.pipeline.model_handle import ModelHandle
from rdzip.pipeline.plane_codecs import CODECS, Coder, by_name
from rdzip.pipeline.request import Compute, Request

EFFORTS = range(1, 10)
DEFAULT_EFFORT, SLOW_EFFORT = 6, 7
"""The effort unless another is asked for, and that from which on the codec causal cannot follow."""
PRESETS = {
    1: FAST_PLAIN, 2: FAST_LS, 3: FAST_LS, 4: FAST_LS, 5: FAST_NET, 6: FAST_NET, 7: FAST_NET, 8: FAST_NET, 9: SLOW_NET,
}  # fmt: skip
"""Presets of context mixing by effort."""
FAST_MODEL, DEFAULT_MODEL, LARGE_MODEL = "photo-fast", "photo", "photo-large"
"""The models where no other is named: of the efforts 5 and 6, of 7 and of the codec causal, of 8 and 9."""
MODELS = {5: FAST_MODEL, 6: FAST_MODEL, 7: DEFAULT_MODEL, 8: LARGE_MODEL, 9: LARGE_MODEL}


def preset_for(codec: str | None, effort: int | None) -> Preset | None:
    """Return the preset of context mixing for a codec and an effort, None where these name another codec.

    Without either that is mixing, but causal where nothing compiles scalar code. InputError for a codec and an effort
    that contradict each other.
    """
    if effort is not None and effort not in EFFORTS:
        raise InputError(f"expected an effort of {EFFORTS[0]} to {EFFORTS[-1]}, found {effort}")
    if codec == "mixing" or (codec is None and effort is not None):
        return PRESETS[effort or DEFAULT_EFFORT]
    if codec is None:
        return PRESETS[DEFAULT_EFFORT] if mixing_is_fast() else None
    if effort is not None and effort >= SLOW_EFFORT:
        raise InputError(f"the codec {codec} has no effort {effort}: leave `effort` or `codec` out")
    return None


def default_model(preset: Preset | None, effort: int | None) -> str:
    """Return the id of the model that codes where none is named, of context mixing by effort."""
    return DEFAULT_MODEL if preset is None else MODELS.get(effort or DEFAULT_EFFORT, DEFAULT_MODEL)


def coder_for(mode: str, request: Request, compute: Compute, named: ModelHandle | None) -> Coder | None:
    """Return the codec to try beside classic ones for a picture of a mode, with its model; None if there is none.

    named: the model that the request names, one without latents. Context mixing does without a network where no model
    is named and that of the effort cannot be had. Raises InputError for a request that contradicts itself, ModelError
    for a model that cannot be had.
    """
    codec, effort = request.codec, request.effort
    preset = preset_for(codec, effort)
    if preset is not None and not preset.network:
        if named is not None:
            raise InputError(f"`effort={effort}` asks no model, found {named.name!s}: leave one out, or take 5 or more")
        return Coder(PlaneCodec.MIXING, None, preset)
    row = CODECS[PlaneCodec.CAUSAL] if codec is None else by_name(codec)
    if row is None or row.number == PlaneCodec.CLASSIC or mode not in row.modes():
        return None
    if row.number not in (PlaneCodec.CAUSAL, PlaneCodec.MIXING):
        return Coder(row.number, named)
    model: ModelHandle | None = named or ModelHandle(default_model(preset, effort), compute)
    if model is not None and named is None and not model.find():
        if row.number == PlaneCodec.CAUSAL and codec is not None:
            _ = model.reference  # raises the ModelError that says what to do
        model = None
    if preset is None:
        return None if model is None else Coder(PlaneCodec.CAUSAL, model)
    if model is None:
        return Coder(PlaneCodec.MIXING, None, SLOW if preset.slow else FAST_LS)
    causal, fast = Coder(PlaneCodec.CAUSAL, model), Coder(PlaneCodec.MIXING, model, FAST_NET)
    return Coder(PlaneCodec.MIXING, model, preset, (causal, *([fast] if preset.slow else [])))
