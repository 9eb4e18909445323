"""Tiny models of every kind, those of the tests, by a name, and a hub that knows only them.

A reference in a header whose hash belongs to none of them is read as one of them, so that mutants reach the codecs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rdzip.errors import ModelError

IMAGES = ("toy-mixture", "vae", "grey", "deep", "resnet")
SEQUENCES = ("toy-hmm", "vrnn")
LOSSY = ("transform", "hyperprior", "channel-ar", "irec-one", "irec-two", "irec-four")
NAMES = ("causal", *IMAGES, *SEQUENCES, *LOSSY)


@cache
def files() -> dict[str, bytes]:
    """Model files by name."""
    import torch
    from helpers import tiny_causal, tiny_hyper, tiny_irec, tiny_latent, tiny_transform, tiny_vae, tiny_vrnn, toy_models

    from rdzip.models.vae_mlp.file import export

    torch.set_num_threads(1)
    with TemporaryDirectory() as name:
        folder = Path(name)

        def at(stem: str) -> Path:
            return folder / f"{stem}.safetensors"

        tiny_causal.write(at("causal"))
        toy_models.write_models(folder)
        export(at("vae"), tiny_vae.net(), {"id": "tiny-vae"})
        for kind in tiny_latent.nets():
            tiny_latent.write(folder, kind)
        tiny_vrnn.write(at("vrnn"))
        tiny_transform.write(at("transform"))
        for kind in tiny_hyper.CONFIGS:
            tiny_hyper.write(at(kind), kind)
        for kind in tiny_irec.CONFIGS:
            tiny_irec.write(at(f"irec-{kind}"), kind)
        return {stem: at(stem).read_bytes() for stem in NAMES}


@cache
def model(name: str) -> Any:
    """The model of one of these files."""
    from rdzip.models import build, model_file

    return build(*model_file.read(files()[name]))


@contextmanager
def known() -> Iterator[None]:
    """Within the context, the hub knows these models by id, hash and path, and nothing else, and fetches nothing."""
    from rdzip import hub

    before = hub.resolve, hub.load
    hub.resolve, hub.load = _resolve, _load
    try:
        yield
    finally:
        hub.resolve, hub.load = before


def path(name: str) -> Path:
    """The file of a model on the disk."""
    return Path(_folder().name, f"{name}.safetensors")


def ref(name: str) -> Any:
    """What the hub tells of a model."""
    return next(ref for known_name, ref in _refs().values() if known_name == name)


def _resolve(name: Any, **_: Any) -> Any:
    refs = [found for _, found in _refs().values()]
    if isinstance(name, bytes):
        return next((found for found in refs if found.sha256.startswith(name.hex())), refs[name[0] % len(refs)])
    found = [found for found in refs if str(name) in (found.id, str(found.path))]
    if not found:
        raise ModelError(f"no model {name}")
    return found[0]


def _load(name: Any, **_: Any) -> Any:
    return model(_refs()[(name if hasattr(name, "sha256") else _resolve(name)).sha256][0])


@cache
def _refs() -> dict[str, tuple[str, Any]]:
    """Names, and what the hub tells, by SHA-256."""
    from rdzip import hub

    found = {}
    for name, data in files().items():
        path(name).write_bytes(data)
        told = hub._ref_of_file(path(name), "cache")
        found[told.sha256] = (name, told)
    return found


@cache
def _folder() -> TemporaryDirectory[str]:
    return TemporaryDirectory()
