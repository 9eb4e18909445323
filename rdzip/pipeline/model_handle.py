"""The neural codecs as formats see them: find the model, stamp it, code a plane or a chain of items. torch is imported
only when a model is loaded.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from rdzip.codecs.bits_back import head
from rdzip.codecs.bits_back.options import LATENT_CODECS, LOSSY_CODECS, with_unnamed
from rdzip.errors import CoderError, FormatError, InputError, ModelError
from rdzip.formats import cbor
from rdzip.formats.container import Container, Section, SectionType
from rdzip.formats.header import ModelStamp
from rdzip.hub import origin
from rdzip.hub.origin import Origin
from rdzip.pipeline.codec_options import codec_for
from rdzip.pipeline.request import DEFAULT_COMPUTE, Compute, Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from rdzip.codecs.bits_back.options import Options
    from rdzip.codecs.mixing.presets import Preset
    from rdzip.codecs.result import Encoded
    from rdzip.codecs.transform.codec import Coded, Unpacked

DEFAULT_LOSSY_MODEL = "photo-lossy"
CODER = 5
"""Number of the entropy coder of docs/reference/format.md, whatever computes it; files name it. No other has been."""


class Neural:
    """A neural model that is loaded when it is first used.

    name: id, hash or file of the model. seconds: what loading it took. origin: where to fetch it, if it is not known
    here.
    """

    def __init__(
        self,
        name: str | bytes,
        compute: Compute = DEFAULT_COMPUTE,
        origin: Origin | None = None,
    ) -> None:
        self.name, self.threads, self.device, self.offline = name, compute.threads, compute.device, compute.offline
        self._origin = origin
        self.seconds = 0.0
        self._ref: Any = None
        self._model: Any = None

    def find(self) -> bool:
        """Return whether the model's file is at hand (or could be fetched); nothing is loaded."""
        try:
            self._resolve()
        except ModelError:
            return False
        return True

    @property
    def stamp(self) -> ModelStamp:
        """What the header says of the model; ModelError if it cannot be found."""
        ref = self._resolve()
        return ModelStamp(ref.id, bytes.fromhex(ref.sha256)[:8], CODER)

    def origin(self) -> list[Section]:
        """The section that says where the model can be fetched; none for a model that comes from no repository."""
        place = self._resolve().origin
        return [Section(SectionType.ORIGIN, cbor.dumps(place.to_list()))] if place else []

    @property
    def codecs(self) -> tuple[str, ...]:
        """Codecs that the model has, the default first; ModelError if it cannot be found."""
        return with_unnamed(self._resolve().codecs)

    @property
    def latent(self) -> bool:
        """Whether it is a model with latents."""
        return any(codec in LATENT_CODECS for codec in self.codecs)

    @property
    def lossy(self) -> bool:
        """Whether it is a lossy model."""
        return any(codec in LOSSY_CODECS for codec in self.codecs)

    def encode(self, pixels: NDArray[Any], progress: Callable[[float], None] | None = None) -> Encoded:
        """Return the payload of uint8 pixels [h, w] or [h, w, 3]; ModelError if the model cannot be had."""
        from rdzip.codecs.causal import codec as causal

        model = self._causal_model()
        result: Encoded = causal.encode(model, pixels, progress=progress)
        return result

    def decode(
        self, payload: bytes, shape: tuple[int, ...], layout: int, progress: Callable[[float], None] | None = None
    ) -> NDArray[Any]:
        """Return the pixels; CoderError for a corrupt payload, ModelError if the model cannot be had."""
        from rdzip.codecs.causal import codec as causal

        model = self._causal_model()
        pixels: NDArray[Any] = causal.decode(model, payload, shape, layout, progress=progress)
        if tuple(pixels.shape) != shape:
            raise CoderError(f"the payload holds {list(pixels.shape)}, expected {list(shape)}: the file is corrupt")
        return pixels

    def encode_mixing(
        self, pixels: NDArray[Any], preset: Preset, progress: Callable[[float], None] | None = None
    ) -> Encoded:
        """Return the payload of uint8 pixels [h, w] or [h, w, 3] by context mixing, this model's network mixed in."""
        from rdzip.codecs.mixing import codec as mixing

        return mixing.encode(self._causal_model(), pixels, progress, preset)

    def decode_mixing(
        self, payload: bytes, shape: tuple[int, ...], layout: int, progress: Callable[[float], None] | None = None
    ) -> NDArray[Any]:
        """Return the pixels that `encode_mixing` coded; CoderError for a corrupt payload."""
        from rdzip.codecs.mixing import codec as mixing

        return mixing.decode(self._causal_model(), payload, shape, layout, progress)

    def decoding_time(self, shape: tuple[int, ...], preset: Preset) -> float:
        """Return the microseconds that decoding what `encode_mixing` codes takes (rdzip.system.limits)."""
        from rdzip.codecs.mixing import codec as mixing

        return mixing.decoding_time(self._causal_model(), shape, preset)

    def takes(self, shape: tuple[int, ...]) -> bool:
        """Return whether a model with latents codes items of this shape; ModelError if it cannot be had."""
        try:
            self.check_item(shape)
        except InputError:
            return False
        return True

    def check_item(self, shape: tuple[int, ...]) -> None:
        """Raise InputError unless a model with latents codes items of this shape."""
        self._latent_model().check_item(shape)

    def values(self) -> int:
        """Return how many values the samples of a model with latents have: 2 or 256."""
        return int(self._latent_model().values())

    def check_options(self, options: Options) -> None:
        """Raise InputError for options of a codec of latents that the model cannot grant."""
        model = self._latent_model()
        if options.refine and not getattr(model, "refines", hasattr(model, "_refinement")):
            raise InputError(
                f"expected --refine with a model that has iterative inference, found {self.stamp.id}: leave it out"
            )

    def encode_tiles(
        self, pixels: NDArray[Any], codec: str, options: Options, progress: Callable[[float], None] | None = None
    ) -> Encoded:
        """Return the payload of one picture [h, w] or [h, w, 3] by a codec of latents."""
        from rdzip.codecs.bits_back import tiles as tiled

        result: Encoded = tiled.encode(self._load(), pixels, codec, options, progress=progress)
        return result

    def decode_tiles(
        self, payload: bytes, shape: tuple[int, ...], layout: int, progress: Callable[[float], None] | None = None
    ) -> NDArray[Any]:
        """Return the picture that `encode_tiles` coded; CoderError for a corrupt payload."""
        from rdzip.codecs.bits_back import tiles as tiled

        model = self._latent_model()
        try:
            pixels: NDArray[Any] = tiled.decode(model, payload, shape, layout, progress=progress)
        except InputError as error:  # the model does not code pictures like that
            raise CoderError(f"{error}: the file is corrupt") from error
        if tuple(pixels.shape) != shape:
            raise CoderError(f"the payload holds {list(pixels.shape)}, expected {list(shape)}: the file is corrupt")
        return pixels

    def encode_chain(
        self, items: Any, codec: str, options: Options, progress: Callable[[float], None] | None = None
    ) -> Any:
        """Return the Chain (rdzip.codecs.bits_back.chain) of items [n, ...], or of a list of sequences."""
        from rdzip.codecs.bits_back import chain

        return chain.encode(self._load(), items, codec, options, progress=progress)

    def decode_chain(self, payload: bytes, shape: Any, progress: Callable[[float], None] | None = None) -> Any:
        """Return the items of a chain, given their shape (for sequences a list); CoderError for a corrupt payload."""
        from rdzip.codecs.bits_back import chain

        model = self._latent_model()
        _, _, sizes, _ = head.read_head(payload)
        count = len(shape) if isinstance(shape, list) else shape[0]
        if sum(sizes) != count:  # before memory is taken for them
            raise CoderError(f"the chain holds {sum(sizes)} items, expected {count}: the file is corrupt")
        return chain.decode(model, payload, shape, progress=progress)

    def setting_of(self, quality: int) -> int:
        """Return the setting of a lossy model's quantiser for a quality of 1 to 100."""
        return int(self._lossy_model().step_of(quality))

    def steps(self) -> int:
        """Return how many settings the quantiser of a lossy model has."""
        return int(self._lossy_model().steps)

    def find_setting(
        self,
        pixels: NDArray[Any],
        bits: float,
        extra: float,
        progress: Callable[[float], None] | None = None,
        *,
        options: Options | None = None,
    ) -> int:
        """Return the setting at which a lossy payload and `extra` bits come nearest to `bits`."""
        from rdzip.codecs.transform import rate_control

        settings = options.settings if options else None
        return rate_control.find_setting(self._lossy_model(), pixels, bits, extra, progress, settings=settings)

    def encode_transform(
        self,
        pixels: NDArray[Any],
        setting: int,
        *,
        quality: int = 0,
        codec: str | None = None,
        options: Options | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Coded:
        """Return the lossy payload of uint8 pixels [h, w] or [h, w, 3]; options: of relative entropy coding."""
        from rdzip.codecs.transform import codec as transform

        model, settings = self._lossy_model(), options.settings if options else None
        return transform.encode(
            model, pixels, setting, quality=quality, codec=codec, settings=settings, progress=progress
        )

    def unpack_transform(
        self, payload: bytes, shape: tuple[int, ...], layout: int, progress: Callable[[float], None] | None = None
    ) -> Unpacked:
        """Return the latents of a lossy payload; CoderError if it is corrupt."""
        from rdzip.codecs.transform import codec as transform

        return transform.unpack(self._lossy_model(), payload, shape, layout, progress)

    def synthesise(
        self, found: Unpacked, shape: tuple[int, ...], progress: Callable[[float], None] | None = None
    ) -> NDArray[Any]:
        """Return the pixels uint8 of `shape` that latents stand for."""
        from rdzip.codecs.transform import codec as transform

        return transform.synthesise(self._lossy_model(), found, shape, progress)

    def _limit_torch(self) -> None:
        """Have torch work with as many threads as were asked for."""
        if self.threads is not None:
            import torch

            torch.set_num_threads(self.threads)

    def _causal_model(self) -> Any:
        if self.latent or self.lossy:
            raise FormatError(
                f"header is inconsistent: the model {self.stamp.id} has latents, the payload none; the file is corrupt"
            )
        return self._load()

    def _lossy_model(self) -> Any:
        if not self.lossy:
            raise FormatError(f"header is inconsistent: the model {self.stamp.id} is not lossy; the file is corrupt")
        return self._load()

    def _latent_model(self) -> Any:
        if not self.latent:
            raise FormatError(f"header is inconsistent: the model {self.stamp.id} has no latents; the file is corrupt")
        return self._load()

    def _resolve(self) -> Any:
        from rdzip import hub

        if self._ref is None:
            self._ref = hub.resolve(self.name, offline=self.offline, source=self._origin)
        return self._ref

    def _load(self) -> Any:
        if self._model is None:
            from rdzip import hub

            start = time.perf_counter()
            ref = self._resolve()
            if self.latent or self.lossy or self.device not in (None, "cpu"):
                self._limit_torch()
            self._model = hub.load(ref, offline=self.offline)
            if hasattr(self._model, "to"):
                self._model.to(self.device or "cpu")
            elif self.device not in (None, "cpu"):
                raise InputError(
                    f"the model {ref.id} runs on the processor only, found --device {self.device}: leave it out"
                )
            self.seconds = time.perf_counter() - start
        return self._model


def latent_model(request: Request, compute: Compute) -> Neural | None:
    """Return the model with latents that a request names, None if it names none.

    Raises InputError for a codec of latents without a model that has it, ModelError for a model that cannot be had.
    """
    model, codec = request.model, request.codec
    if model is None and codec in LATENT_CODECS:
        raise InputError(
            f"the codec {codec} needs a model with latents, found none: name one by -m (rdzip models list)"
        )
    if model is None:
        return None
    neural = Neural(model, compute)
    if codec in LATENT_CODECS or neural.latent:
        codec_for(neural.codecs, codec, neural.stamp.id)
    return neural if neural.latent else None


def lossy_model(request: Request, compute: Compute) -> Neural | None:
    """Return the lossy model that a request names, or the default one where it allows loss; None if it names none.

    Raises InputError for a request that contradicts itself, ModelError for a model that cannot be had.
    """
    model, codec, loss = request.model, request.codec, request.loss
    if codec is not None and loss.by_model and codec not in LOSSY_CODECS:
        raise InputError(f"the codec {codec} loses nothing, found {loss.option} with it: leave one of them out")
    if codec in LOSSY_CODECS and loss.max_error is not None:
        raise InputError(f"the codec {codec} bounds no error, found --max-error with it: leave one of them out")
    if model is None and not loss.by_model:
        if codec in LOSSY_CODECS:
            raise InputError(f"the codec {codec} is lossy: say how much may be lost by -q or --target-bpp")
        return None
    neural = Neural(model or DEFAULT_LOSSY_MODEL, compute)
    if loss.max_error is not None and neural.lossy:
        raise InputError(
            f"the model {neural.stamp.id} bounds no error, found --max-error with it: leave one of them out"
        )
    if loss.by_model and not neural.lossy:
        raise InputError(
            f"the model {neural.stamp.id} loses nothing, found {loss.option} with it: leave that out, or name a lossy "
            "model by -m"
        )
    if codec in LOSSY_CODECS or neural.lossy:
        codec_for(neural.codecs, codec, neural.stamp.id)
    return neural if neural.lossy else None


def origin_of(parsed: Container) -> Origin | None:
    """Where a file's model can be fetched, None if the file does not say so in a way that is understood."""
    body = parsed.find(SectionType.ORIGIN)
    if body is None:
        return None
    try:
        return origin.from_list(cbor.loads(bytes(body)))
    except (FormatError, ModelError):
        return None  # a newer rdzip may write it in another way


def check_coder(stamp: ModelStamp) -> None:
    """Raise FormatError unless this rdzip's entropy coder reads what the stamp names."""
    if stamp.coder != CODER:
        raise FormatError(
            f"the file needs entropy coder {stamp.coder}, this rdzip has {CODER}: use another version of rdzip"
        )
