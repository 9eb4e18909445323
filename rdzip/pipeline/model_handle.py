"""A model as the pipeline holds it: found by its name, named in headers, loaded when a codec first asks for it."""

from __future__ import annotations

import time
from enum import Enum
from typing import Any

from rdzip.codecs.names import LATENT_CODECS, LOSSY_CODECS
from rdzip.errors import FormatError, InputError, ModelError
from rdzip.formats import cbor
from rdzip.formats.container import Container, Section, SectionType
from rdzip.formats.header import ModelReference
from rdzip.hub import origin
from rdzip.hub.origin import Origin
from rdzip.pipeline.request import DEFAULT_COMPUTE, Compute

CODER = 5
"""Number of the entropy coder of docs/reference/format.md, whatever computes it; files name it. No other has been."""


class Role(Enum):
    """What codecs a model is for."""

    CAUSAL = "a network that predicts samples"
    LATENT = "a model with latents"
    LOSSY = "a lossy model"


_WRONG = {
    Role.CAUSAL: "has latents, the payload none",
    Role.LATENT: "has no latents",
    Role.LOSSY: "is not lossy",
}
"""What a file says that has a payload for this role, and a model for another."""


class ModelHandle:
    """A model that is loaded when it is first used; torch is imported then, where the model needs it.

    name: id, hash or file of the model.
    origin: where to fetch it, if it is not known here.
    seconds: what loading it took.
    """

    def __init__(self, name: str | bytes, compute: Compute = DEFAULT_COMPUTE, origin: Origin | None = None) -> None:
        self.name, self.compute = name, compute
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
    def reference(self) -> ModelReference:
        """What the header says of the model; ModelError if it cannot be found."""
        ref = self._resolve()
        return ModelReference(ref.id, bytes.fromhex(ref.sha256)[:8], CODER)

    @property
    def id(self) -> str:
        """The model's id; ModelError if it cannot be found."""
        return self.reference.id

    def origin(self) -> list[Section]:
        """The section that says where the model can be fetched; none for a model that comes from no repository."""
        place = self._resolve().origin
        return [Section(SectionType.ORIGIN, cbor.dumps(place.to_list()))] if place else []

    @property
    def codecs(self) -> tuple[str, ...]:
        """Codecs that the model has, the default first; ModelError if it cannot be found."""
        return tuple(self._resolve().codecs)

    @property
    def role(self) -> Role:
        """What codecs it is for; ModelError if it cannot be found."""
        if any(codec in LOSSY_CODECS for codec in self.codecs):
            return Role.LOSSY
        return Role.LATENT if any(codec in LATENT_CODECS for codec in self.codecs) else Role.CAUSAL

    def load(self, role: Role) -> Any:
        """Return the model object, its known answer checked, on the device that was asked for.

        Raises FormatError for a model of another role, ModelError if it cannot be had, InputError for a device that it
        cannot use.
        """
        if self.role is not role:
            raise FormatError(f"header is inconsistent: the model {self.id} {_WRONG[role]}; the file is corrupt")
        if self._model is None:
            start = time.perf_counter()
            self._model = self._loaded()
            self.seconds = time.perf_counter() - start
        return self._model

    def _resolve(self) -> Any:
        from rdzip import hub

        if self._ref is None:
            self._ref = hub.resolve(self.name, offline=self.compute.offline, source=self._origin)
        return self._ref

    def _loaded(self) -> Any:
        from rdzip import hub

        device = self.compute.device
        if self.compute.threads is not None and (self.role is not Role.CAUSAL or device not in (None, "cpu")):
            import torch

            torch.set_num_threads(self.compute.threads)
        model: Any = hub.load(self._resolve(), offline=self.compute.offline)
        if hasattr(model, "to"):
            model.to(device or "cpu")
        elif device not in (None, "cpu"):
            raise InputError(f"the model {self.id} runs on the processor only, found `device={device}`: leave it out")
        return model


def origin_of(parsed: Container) -> Origin | None:
    """Where a file's model can be fetched, None if the file does not say so in a way that is understood."""
    body = parsed.find(SectionType.ORIGIN)
    if body is None:
        return None
    try:
        return origin.from_list(cbor.loads(bytes(body)))
    except (FormatError, ModelError):
        return None  # a newer rdzip may write it in another way


def check_coder(reference: ModelReference) -> None:
    """Raise FormatError unless this rdzip's entropy coder reads what the reference names."""
    if reference.coder != CODER:
        raise FormatError(
            f"the file needs entropy coder {reference.coder}, this rdzip has {CODER}: use another version of rdzip"
        )
