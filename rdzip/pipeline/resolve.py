"""Which model a request names, and whether that suits the rest of what is asked."""

from __future__ import annotations

from rdzip.codecs.names import LATENT_CODECS, LOSSY_CODECS
from rdzip.errors import InputError
from rdzip.pipeline import plane_codecs
from rdzip.pipeline.codec_options import codec_for
from rdzip.pipeline.model_handle import ModelHandle, Role
from rdzip.pipeline.request import Compute, Request

DEFAULT_LOSSY_MODEL = "photo-lossy"


def resolve(request: Request, compute: Compute) -> ModelHandle | None:
    """Return the model that a request names, or the default one where it allows loss by a model; None if it names none.

    Raises InputError for a request that contradicts itself, ModelError for a model that cannot be had.
    """
    check_codec(request.codec)
    codec, loss = request.codec, request.loss
    if codec is not None and loss.by_model and codec not in LOSSY_CODECS:
        raise InputError(f"the codec {codec} loses nothing, found `{loss.argument}` with it: leave one of them out")
    if codec in LOSSY_CODECS and loss.max_error is not None:
        raise InputError(f"the codec {codec} bounds no error, found `max_error` with it: leave one of them out")
    if request.model is None and not loss.by_model:
        if codec in LOSSY_CODECS:
            raise InputError(f"the codec {codec} is lossy: say how much may be lost by `quality` or `target_bpp`")
        if codec in LATENT_CODECS:
            raise InputError(
                f"the codec {codec} needs a model with latents, found none: name one by `model` (rdzip models list)"
            )
        return None
    model = ModelHandle(request.model or DEFAULT_LOSSY_MODEL, compute)
    lossy = model.role is Role.LOSSY
    if loss.max_error is not None and lossy:
        raise InputError(f"the model {model.id} bounds no error, found `max_error` with it: leave one of them out")
    if loss.by_model and not lossy:
        raise InputError(
            f"the model {model.id} loses nothing, found `{loss.argument}` with it: leave that out, or name a lossy "
            "model by `model`"
        )
    if codec in (*LATENT_CODECS, *LOSSY_CODECS) or model.role is not Role.CAUSAL:
        chosen = codec_for(model.codecs, codec, model.id)
        if request.effort is not None and model.role is not Role.CAUSAL:
            what = f"the model {model.id}" if lossy else f"the codec {chosen}"
            raise InputError(f"{what} has one effort, found `effort={request.effort}`: leave it out")
    return model


def check_codec(codec: str | None) -> None:
    """Raise InputError unless this rdzip has a codec of this name (None: any)."""
    known = (*plane_codecs.names(), *LATENT_CODECS, *LOSSY_CODECS)
    if codec not in (None, *known):
        raise InputError(f"expected a codec of {', '.join(known)}, found {codec}")
