"""Probability models: one family a folder, each handing out distributions as integers (README.md).

A model object is built from the tensors and the document of a model file (`model_file`) by the builder that is
registered for the document's "architecture". Importing this package imports no network code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from rdzip.errors import ModelError

if TYPE_CHECKING:
    import numpy as np


class Model(Protocol):
    """What every model can do, whatever its architecture."""

    def known_answer(self) -> str:
        """SHA-256 in hex of the tables for a fixed integer input, computed on the device at hand."""
        ...


Builder = Callable[[Mapping[str, "np.ndarray[Any, Any]"], Mapping[str, Any]], Model]

_ARCHITECTURES: dict[str, str | Builder] = {
    "bit-swap": "rdzip.models.conv_vae.file:from_tensors",
    "causal-mlp": "rdzip.models.causal.model:from_tensors",
    "hyper-code": "rdzip.models.hyperprior.file:from_tensors",
    "irec-code": "rdzip.models.irec_vae.file:from_tensors",
    "resnet-vae": "rdzip.models.conv_vae.file:from_tensors",
    "toy-hmm": "rdzip.models.toy:hmm_from_tensors",
    "toy-mixture": "rdzip.models.toy:mixture_from_tensors",
    "transform-code": "rdzip.models.lapped_transform.file:from_tensors",
    "vae-mlp": "rdzip.models.vae_mlp.file:from_tensors",
    "vrnn": "rdzip.models.vrnn.file:from_tensors",
}


_BITS_BACK = ("bb-ans", "bb-is", "bb-cis")
_CODECS: dict[str, tuple[str, ...]] = {
    "bit-swap": ("bit-swap", *_BITS_BACK, "stochastic", "irec"),
    "causal-mlp": ("mixing", "causal"),
    "irec-code": ("irec-vae",),
    "resnet-vae": (*_BITS_BACK, "stochastic", "irec"),
    "toy-hmm": ("bb-smc", "bb-ans", "bb-is", "stochastic"),
    "toy-mixture": ("bb-cis", "bb-is", "bb-ans", "bb-ais", "stochastic", "irec"),
    "transform-code": ("channel-ar",),
    "vae-mlp": (*_BITS_BACK, "bb-ais", "stochastic", "irec"),
    "vrnn": ("bb-smc", "bb-ans", "bb-is", "stochastic"),
}
"""Codecs that code by a model, default first; those of "hyper-code" depend on its network."""


def codecs_of(meta: Mapping[str, Any]) -> tuple[str, ...]:
    """Codecs that code by the model of this document, default first.

    They follow from its architecture. The entry "codecs" counts only for an architecture that was `registered` without
    codecs.
    """
    architecture = str(meta.get("architecture"))
    if architecture == "hyper-code" and isinstance(network := meta.get("network"), Mapping):
        slices = network.get("slices")
        return ("channel-ar",) if isinstance(slices, int) and slices > 1 else ("hyperprior",)
    return _CODECS.get(architecture) or tuple(meta["codecs"])


def architectures() -> tuple[str, ...]:
    """Names of the architectures that `build` knows."""
    return tuple(sorted(_ARCHITECTURES))


@contextmanager
def registered(architecture: str, builder: Builder, codecs: Sequence[str] = ()) -> Iterator[None]:
    """Within the context, let `build` also know `architecture`: for tests and for models in trial.

    codecs: those that code by its models, default first; none: each model's document lists its own. Raises ModelError
    for a name that is taken, by rdzip or by a context around this one.
    """
    if architecture in _ARCHITECTURES:
        raise ModelError(f"the architecture {architecture!r} is known already")
    _ARCHITECTURES[architecture] = builder
    if codecs:
        _CODECS[architecture] = tuple(codecs)
    try:
        yield
    finally:
        del _ARCHITECTURES[architecture]
        _CODECS.pop(architecture, None)


def build(tensors: Mapping[str, np.ndarray[Any, Any]], meta: Mapping[str, Any]) -> Model:
    """Model object for the tensors and the document of a model file.

    The known answer is not checked here (see `check_known_answer`): an exporter builds the model to compute it.
    Raises ModelError for an unknown architecture or tensors that do not fit it.
    """
    architecture = meta.get("architecture")
    builder = _ARCHITECTURES.get(architecture) if isinstance(architecture, str) else None
    if builder is None:
        raise ModelError(
            f"the model {meta.get('id')!r} has the architecture {str(architecture)[:60]!r}, this rdzip knows "
            f"{', '.join(architectures())}: install a newer rdzip"
        )
    if isinstance(builder, str):
        module, function = builder.split(":")
        builder = getattr(import_module(module), function)
    return builder(tensors, meta)


def check_known_answer(model: Model, meta: Mapping[str, Any]) -> None:
    """Run the model's known-answer test on the device at hand and compare it with the model file's document.

    Raises ModelError on a mismatch: this machine would write files that no other decodes.
    """
    expected, found = meta.get("known_answer"), model.known_answer()
    if found != expected:
        raise ModelError(
            f"the model {meta.get('id')!r} computes other tables on this device than where it was made (known answer "
            f"{str(expected)[:16]}, found {found[:16]}): use `device=cpu`, or another PyTorch build"
        )
