"""rdzip's own codecs in a benchmark, called by its public functions as any program would call them."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np

import rdzip
from rdzip import hub
from rdzip.bench.codec import Codec, Scale
from rdzip.codecs.names import LOSSY_CODECS
from rdzip.errors import ModelError, RdzipError
from rdzip.exact.types import Pixels
from rdzip.models.model_file import SUFFIX
from rdzip.pipeline.effort import FAST_MODEL

PREFIX = "rdzip"
QUALITY = Scale("quality", 1, 100)
QUALITIES = (1, 15, 30, 45, 60, 75, 90, 100)


def is_own(name: str) -> bool:
    """Whether a codec's name is rdzip, rdzip:MODEL or rdzip:MODEL:CODEC."""
    return name == PREFIX or name.startswith(f"{PREFIX}:")


def find(name: str) -> Codec:
    """Return the codec of such a name; MODEL is an id, a hash or a file. Raises ModelError where there is none.

    Whether it is lossy is a matter of the model's codecs, the first of which is its default.
    """
    model, codec = _parts(name)
    ref = hub.resolve(model)
    if ref.source == "file":
        _check_known(ref)
    lossy = (codec or ref.codecs[0]) in LOSSY_CODECS
    fixed: dict[str, Any] = {"model": model, "codec": codec, "metadata": "none", "verify": False, "batch": False}

    def encode(pixels: Pixels, setting: float | None, threads: int | None) -> bytes:
        more: dict[str, Any] = {} if setting is None else {"quality": int(setting)}
        return rdzip.compress(pixels, threads=threads, **fixed, **more)

    def decode(data: bytes, threads: int | None) -> Pixels:
        return np.asarray(rdzip.decompress(data, threads=threads).convert("RGB"))

    def warm(pixels: Pixels) -> None:
        hub.load(model)
        with suppress(RdzipError):  # what cannot be coded is reported when it is measured
            decode(encode(pixels, QUALITIES[0] if lossy else None, None), None)

    return Codec(
        name,
        QUALITY if lossy else None,
        QUALITIES if lossy else (None,),
        encode,
        decode,
        lambda: None,
        lambda: f"rdzip {rdzip.__version__}, model {ref.id} {ref.sha256[:16]}",
        warm,
    )


def _check_known(ref: hub.ModelRef) -> None:
    """Raise ModelError for a model file whose .rdz files nobody could decode here: they name it by its hash."""
    try:
        hub.resolve(ref.sha256, offline=True)
    except ModelError:
        raise ModelError(
            f"{ref.path}: what it codes is decoded by the model's hash, which is not known here; "
            f"run 'rdzip models pull {ref.path}' first"
        ) from None


def _parts(name: str) -> tuple[str, str | None]:
    _, _, rest = name.partition(":")
    if rest.endswith(SUFFIX):
        return rest, None
    model, _, codec = rest.partition(":")
    return model or FAST_MODEL, codec or None
