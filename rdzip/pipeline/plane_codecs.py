"""The table of codecs of planes: what each takes, and how it encodes and decodes. A new codec of planes is a row here.

A plane is an array of samples [height, width] or [height, width, channels]. Codecs compute with what they import when
they are called, so that a picture loads what it needs and no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from rdzip.codecs.classic import codec as classic
from rdzip.codecs.mixing.presets import FAST_LS, FAST_NET, Preset, has_network
from rdzip.codecs.names import PlaneCodec
from rdzip.codecs.result import Encoded
from rdzip.errors import CoderError, InputError
from rdzip.formats.modes import BY_NUMBER
from rdzip.pipeline.model_handle import ModelHandle, Role
from rdzip.system import limits
from rdzip.system.progress import Progress, part_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rdzip.codecs.bits_back.options import Options


class Kind(Enum):
    """What the samples of a plane are. Volumes and coefficients of JPEGs will be kinds of their own."""

    GREY = "grey"
    COLOUR = "colour"
    ALPHA = "alpha"
    INDEX = "index of a palette"
    BILEVEL = "black or white"
    OTHER = "other"


_KINDS = {
    Kind.BILEVEL: ("1",),
    Kind.INDEX: ("P",),
    Kind.GREY: ("L", "LA", "I;16", "I;16B", "LA;16"),
    Kind.COLOUR: ("RGB", "RGBA", "RGB;16", "RGBA;16"),
}
ANY_KIND = frozenset(Kind)
CONTINUOUS_TONE = frozenset({Kind.GREY, Kind.COLOUR, Kind.ALPHA})


def kind_of(mode: str) -> Kind:
    """Return the kind of the colour samples of a mode."""
    return next((kind for kind, modes in _KINDS.items() if mode in modes), Kind.OTHER)


Shape: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class Context:
    """What a codec may know beside its plane.

    planes: those of the picture that are already coded, in their order; those of a lossy picture are its alpha.
    progress: called with the share done, 0 to 1.
    check_symbols: called by decoders of lossy payloads before symbols become samples, with their SHA-256 and the
        setting of the quantiser; raises FormatError.
    """

    planes: tuple[NDArray[Any], ...] = ()
    progress: Progress | None = None
    check_symbols: Callable[[bytes, int], None] | None = None


class Payload(NamedTuple):
    """What a decoder of a plane gets: the codec's bytes, shape and dtype of the samples, the layout number of the
    file."""

    data: bytes | memoryview
    shape: Shape
    dtype: np.dtype[Any]
    layout: int


ALONE = Context()
Encode: TypeAlias = "Callable[[NDArray[Any], ModelHandle | None, Any, Context], Encoded]"
Decode: TypeAlias = "Callable[[Payload, ModelHandle | None, Context], NDArray[Any]]"


def _never(layout: int) -> bool:
    return False


def _always(layout: int) -> bool:
    return True


@dataclass(frozen=True)
class Row:
    """A codec of planes.

    number: in files. name: that users see and give.
    encode: (array, model, options, context) -> Encoded; InputError for what it does not take.
    decode: (payload, model, context) -> array; CoderError for a corrupt payload.
    kinds: of planes that an encoder may give it.
    dtypes, channels: of arrays that it holds.
    needs_model: whether a payload of a layout is decoded by a model.
    lossy: whether what comes back are other samples, so that files hold a hash of symbols.
    """

    number: int
    name: str
    encode: Encode
    decode: Decode
    kinds: frozenset[Kind] = ANY_KIND
    dtypes: tuple[str, ...] = ("u1", "<u2", "<i4", "<f4")
    channels: tuple[int, ...] = (1, 2, 3, 4)
    needs_model: Callable[[int], bool] = _never
    lossy: bool = False

    def modes(self) -> tuple[str, ...]:
        """Return the modes of pictures whose colours it takes."""
        modes = (mode for mode in BY_NUMBER.values() if kind_of(mode.name) in self.kinds)
        return tuple(sorted(mode.name for mode in modes if self._holds_dtype(np.dtype(mode.dtype))))

    def holds(self, shape: Shape, dtype: np.dtype[Any]) -> bool:
        """Return whether a payload can be of such samples."""
        channels = shape[2] if len(shape) == 3 else 1
        return self._holds_dtype(dtype) and channels in self.channels and (channels > 1 or len(shape) == 2)

    def _holds_dtype(self, dtype: np.dtype[Any]) -> bool:
        return any(dtype == np.dtype(name) for name in self.dtypes)


class ChainOptions(NamedTuple):
    """How the codec latent is to encode: by which codec of `rdzip.codecs.names.LatentCodec`, and its options."""

    codec: str
    options: Options


class TransformOptions(NamedTuple):
    """How the codec transform is to encode: the setting of the quantiser, the quality that it was chosen by (0: none),
    the codec, and options of relative entropy coding, None for the model's."""

    setting: int
    quality: int
    codec: str
    options: Options | None


@dataclass(frozen=True)
class Coder:
    """A codec with what its encoder needs; alternatives: others that may be smaller for small pictures."""

    codec: int
    model: ModelHandle | None = None
    options: Any = None
    alternatives: tuple[Coder, ...] = ()

    def encode(self, array: NDArray[Any], context: Context = ALONE) -> Encoded:
        """Return the payload of a plane."""
        return CODECS[self.codec].encode(array, self.model, self.options, context)


def decode(row: Row, payload: Payload, model: ModelHandle | None = None, context: Context = ALONE) -> NDArray[Any]:
    """Return the samples that a payload of a codec holds; CoderError unless they are of its shape and dtype.

    model: that the file names, if the codec needs one.
    """
    samples = row.decode(payload, model, context)
    if samples.shape != payload.shape or samples.dtype != payload.dtype:
        raise CoderError(
            f"the payload holds {list(samples.shape)} of {samples.dtype}, expected {list(payload.shape)} of "
            f"{payload.dtype}: the file is corrupt"
        )
    return samples


def _encode_classic(array: NDArray[Any], model: ModelHandle | None, options: Any, context: Context) -> Encoded:
    return classic.encode(array)


def _decode_classic(payload: Payload, model: ModelHandle | None, context: Context) -> NDArray[Any]:
    return classic.decode(*payload)


def _encode_causal(array: NDArray[Any], model: ModelHandle | None, options: Any, context: Context) -> Encoded:
    from rdzip.codecs.causal import codec as causal

    return causal.encode(_loaded(model, Role.CAUSAL), array, context.progress)


def _decode_causal(payload: Payload, model: ModelHandle | None, context: Context) -> NDArray[Any]:
    from rdzip.codecs.causal import codec as causal

    return causal.decode(
        _loaded(model, Role.CAUSAL), bytes(payload.data), payload.shape, payload.layout, context.progress
    )


def _encode_mixing(array: NDArray[Any], model: ModelHandle | None, options: Preset, context: Context) -> Encoded:
    """By a slow preset a payload so small that readers would not take so long over it (rdzip.system.limits) is made
    anew by a fast one."""
    from rdzip.codecs.mixing import codec as mixing

    network = _loaded(model, Role.CAUSAL) if options.network else None
    found = mixing.encode(network, array, context.progress, options)
    if not options.slow or limits.fits(mixing.decoding_time(network, array.shape, options), len(found.payload)):
        return found
    return mixing.encode(network, array, context.progress, FAST_NET if network else FAST_LS)


def _decode_mixing(payload: Payload, model: ModelHandle | None, context: Context) -> NDArray[Any]:
    from rdzip.codecs.mixing import codec as mixing

    network = _loaded(model, Role.CAUSAL) if has_network(payload.layout) else None
    return mixing.decode(network, bytes(payload.data), payload.shape, payload.layout, context.progress)


def _encode_latent(array: NDArray[Any], model: ModelHandle | None, options: ChainOptions, context: Context) -> Encoded:
    from rdzip.codecs.bits_back import tiles

    loaded = _loaded(model, Role.LATENT)
    return tiles.encode(loaded, array, options.codec, options.options, progress=context.progress)


def _decode_latent(payload: Payload, model: ModelHandle | None, context: Context) -> NDArray[Any]:
    from rdzip.codecs.bits_back import tiles

    loaded = _loaded(model, Role.LATENT)
    try:
        return tiles.decode(loaded, bytes(payload.data), payload.shape, payload.layout, progress=context.progress)
    except InputError as error:  # the model does not code pictures like that
        raise CoderError(f"{error}: the file is corrupt") from error


def _encode_transform(
    array: NDArray[Any], model: ModelHandle | None, options: TransformOptions, context: Context
) -> Encoded:
    from rdzip.codecs.transform import codec as transform

    setting, quality, codec, rec_options = options
    rec_settings = rec_options.rec_settings if rec_options else None
    loaded = _loaded(model, Role.LOSSY)
    return transform.encode(
        loaded, array, setting, quality=quality, codec=codec, rec_settings=rec_settings, progress=context.progress
    )


def _decode_transform(payload: Payload, model: ModelHandle | None, context: Context) -> NDArray[Any]:
    from rdzip.codecs.transform import codec as transform

    loaded = _loaded(model, Role.LOSSY)
    found = transform.unpack(
        loaded, bytes(payload.data), payload.shape, payload.layout, part_of(context.progress, 0.0, 0.6)
    )
    if context.check_symbols:
        context.check_symbols(found.digest, found.head.setting)
    return transform.synthesise(loaded, found, payload.shape, part_of(context.progress, 0.6, 1.0))


def _loaded(model: ModelHandle | None, role: Role) -> Any:
    """Return the model object; CoderError where there is none."""
    if model is None:
        raise CoderError("the payload needs a model, found none: the file is corrupt")
    return model.load(role)


_CONTINUOUS_TONE: dict[str, Any] = {"kinds": CONTINUOUS_TONE, "dtypes": ("u1",), "channels": (1, 3)}
CODECS: dict[int, Row] = {
    row.number: row
    for row in (
        Row(PlaneCodec.CLASSIC, "classic", _encode_classic, _decode_classic),
        Row(PlaneCodec.CAUSAL, "causal", _encode_causal, _decode_causal, needs_model=_always, **_CONTINUOUS_TONE),
        Row(
            PlaneCodec.LATENT,
            "latent",
            _encode_latent,
            _decode_latent,
            needs_model=_always,
            **{**_CONTINUOUS_TONE, "kinds": CONTINUOUS_TONE | {Kind.BILEVEL}},
        ),
        Row(
            PlaneCodec.TRANSFORM,
            "transform",
            _encode_transform,
            _decode_transform,
            needs_model=_always,
            lossy=True,
            **_CONTINUOUS_TONE,
        ),
        Row(PlaneCodec.MIXING, "mixing", _encode_mixing, _decode_mixing, needs_model=has_network, **_CONTINUOUS_TONE),
    )
}
"""By number."""
BY_MODEL = (PlaneCodec.LATENT, PlaneCodec.TRANSFORM)
"""Rows that users name by codecs of the model, not by their own names."""


def by_name(name: str) -> Row | None:
    """Return the row that users mean by a name, None if none has it."""
    rows = (row for row in CODECS.values() if row.number not in BY_MODEL)
    return next((row for row in rows if row.name == name), None)


def names() -> tuple[str, ...]:
    """Names of codecs that users may give without regard to the model."""
    return tuple(row.name for row in CODECS.values() if row.number not in BY_MODEL)


@contextmanager
def registered(row: Row) -> Iterator[None]:
    """Within the context there is one more codec: for tests and for codecs in trial."""
    if row.number in CODECS or by_name(row.name):
        raise InputError(f"expected a codec with a number and a name of its own, found {row.number}, {row.name}")
    CODECS[row.number] = row
    try:
        yield
    finally:
        del CODECS[row.number]
