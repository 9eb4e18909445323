"""Model files of the published hyperprior codecs: architecture "hyper-code".

Layers of the program are int8 weights as in models/conv_vae/file.py; the transforms are floats as in
models/shared/float_tensors.py. Densities of hyper-latents are there as tables only.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rdzip.errors import ModelError
from rdzip.models import codecs_of, model_file
from rdzip.models.hyperprior.factorised_prior import BANDS, ChannelTables
from rdzip.models.hyperprior.model import HyperModel
from rdzip.models.hyperprior.network import HyperNet
from rdzip.models.hyperprior.slices import HyperConfig
from rdzip.models.shared import float_tensors
from rdzip.models.shared.integer_tensors import INTEGER_PARTS, convolutions, integer_tensors
from rdzip.models.shared.planned import Planned
from rdzip.models.shared.residual_site import ResidualTables, make_tables
from rdzip.models.shared.settings import SETTINGS, squash_table

VERSION = 1
LARGEST_FACTOR = 1 << 16
_SQUASH, _FACTORS = "slices.squash", ("slices.coarser", "slices.finer")
_TABLES = ("residual.", "hyper.")
Tensors = dict[str, NDArray[Any]]


def _floats(net: HyperNet) -> dict[str, Tensor]:
    """Parameters of the transforms by name."""
    return {name: value for name, value in net.named_parameters() if not name.startswith(("slices.", "prior"))}


def config_of(table: Mapping[str, Any]) -> HyperConfig:
    """The sizes of a network from a model file or a recipe; ValueError with a line unless they are sound."""
    try:
        values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in table.items()}
        config = HyperConfig(**values)
        problem = config.problem()
    except TypeError as error:
        problem = str(error)[:80]
    if problem:
        raise ValueError(problem)
    return config


def described(meta: Mapping[str, Any]) -> HyperConfig:
    """The sizes of the network that a document describes; ModelError unless they are sound."""
    try:
        return config_of(dict(meta["network"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"model: its network is described wrongly ({str(error)[:120]})") from error


def fill(net: HyperNet, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Give a network its layers, floats and factors; ModelError unless exactly these are there."""
    layers, floats = convolutions(net), _floats(net)
    expected = {f"{name}.{part}" for name in layers for part in INTEGER_PARTS} | {_SQUASH, *_FACTORS}
    expected |= float_tensors.names(floats)
    if expected != set(tensors):
        raise ModelError(
            f"model: expected other tensors, differing in {', '.join(sorted(expected ^ set(tensors))[:3])}"
        )
    for name, layer in layers.items():
        layer.load(*(float_tensors.read(tensors, f"{name}.{part}", dtype) for part, dtype in INTEGER_PARTS.items()))
        del layer.weight, layer.bias
    net.load_state_dict(float_tensors.values(floats, tensors), strict=False, assign=True)
    net.slices.table = float_tensors.read(tensors, _SQUASH, np.int8)
    if net.slices.table.ndim != 1 or int(net.slices.table[0]) or bool(torch.diff(net.slices.table.int()).lt(0).any()):
        raise ModelError(f"model: expected a table that rises from 0 as {_SQUASH}")
    factors = [float_tensors.read(tensors, name, np.int32, (SETTINGS,)) for name in _FACTORS]
    if any(int(f.min()) < 1 or int(f.max()) > LARGEST_FACTOR for f in factors):
        raise ModelError(f"model: expected factors of 1 to {LARGEST_FACTOR} in {' and '.join(_FACTORS)}")
    net.slices.coarser, net.slices.finer = factors


def from_tensors(tensors: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> HyperModel:
    """Model from the tensors and the document of a model file; ModelError unless all fit and are exact."""
    if meta.get("version") != VERSION:
        raise ModelError(f"model: expected version {VERSION}, found {meta.get('version')!r}: update rdzip")
    config = described(meta)
    if not config.hyper:
        raise ModelError("model: expected hyper-latents, found none")
    with Planned(tensors):
        net = HyperNet(config)
    fill(net, {name: value for name, value in tensors.items() if not name.startswith(_TABLES)})
    hyper_tables = ChannelTables.of(tensors, "hyper")
    if len(hyper_tables.rows) != BANDS * net.config.hyper:
        raise ModelError(f"model: expected {BANDS * net.config.hyper} tables of hyper-latents, "
                         f"found {len(hyper_tables.rows)}")  # fmt: skip
    return HyperModel(net, ResidualTables.of(tensors), hyper_tables, codecs_of(meta))


def to_tensors(net: HyperNet) -> Tensors:
    """All that a model file holds of a trained network; ModelError if it cannot be exact."""
    return dict(make_tables().tensors()) | integer_tensors(net) | own_tensors(net) | net.prior.tables().tensors("hyper")


def own_tensors(net: HyperNet) -> Tensors:
    """Floats and factors: what ``fill`` reads beside the integers of layers."""
    tensors: Tensors = float_tensors.as_tensors(_floats(net))
    tensors[_SQUASH] = squash_table().numpy()
    for name, factor in zip(_FACTORS, (net.slices.coarser, net.slices.finer), strict=True):
        tensors[name] = factor.cpu().numpy()
    return tensors


def export(path: Path, net: HyperNet, facts: Mapping[str, Any]) -> None:
    """Write a trained network as a model file with its known answer; ``facts``: of the training."""
    tensors = to_tensors(net.cpu())
    meta = document("hyper-code", VERSION, net, facts)
    meta["known_answer"] = from_tensors(tensors, meta).known_answer()
    model_file.write(path, tensors, meta)


def document(architecture: str, version: int, net: HyperNet, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The document of a model file, but for its known answer; version: of the architecture, facts: of the training."""
    meta: dict[str, Any] = {
        "architecture": architecture,
        "version": version,
        "id": facts["id"],
        "sample": {"kind": "image", "values": 256, "shape": [None, None, 3], "lossy": True},
        "network": net.config.as_dict(),
        "licence": facts.get("licence", "CC-BY-SA-4.0"),
        "training": {k: v for k, v in facts.items() if k not in ("id", "licence")},
        "known_answer": "0" * 64,
    }
    return meta | {"codecs": list(codecs_of(meta))}
