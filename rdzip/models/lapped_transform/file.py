"""Model files of lossy models: architecture "transform-code".

Layers of the program are int8 weights as in models/conv_vae/file.py; the transforms are floats as in
models/shared/float_tensors.py.
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
from rdzip.exact.integers import BIAS_UNIT
from rdzip.models import codecs_of, model_file
from rdzip.models.lapped_transform.model import CodeConfig, TransformModel, TransformNet
from rdzip.models.lapped_transform.slices import SliceConfig
from rdzip.models.shared import float_tensors
from rdzip.models.shared.integer_tensors import INTEGER_PARTS, convolutions, integer_tensors
from rdzip.models.shared.planned import Planned
from rdzip.models.shared.residual_site import ResidualTables, make_tables
from rdzip.models.shared.settings import squash_table

ARCHITECTURE = "transform-code"
VERSION = 1
LARGEST = 1024
_EXTRA = ("slices.base", "slices.squash")
Tensors = dict[str, NDArray[Any]]


def _floats(net: TransformNet) -> dict[str, Tensor]:
    """Parameters of the transforms by name."""
    return {name: value for name, value in net.named_parameters() if not name.startswith("slices.")}


def _config(meta: Mapping[str, Any]) -> CodeConfig:
    """The sizes of a network; ModelError unless all of them are within bounds."""
    try:
        network = meta["network"]
        found = dict(network["slices"])
        slices = SliceConfig(tuple(found["slices"]), tuple(found["passes"]), found["width"], found["blocks"],
                             found["first"])  # fmt: skip
        config = CodeConfig(tuple(network["widths"]), network["blocks"], slices)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"model: its network is described wrongly ({str(error)[:80]})") from error
    sizes = [*config.widths, *slices.slices, slices.width, slices.first]
    if not all(type(n) is int and 1 <= n <= LARGEST for n in sizes):
        raise ModelError(f"model: expected widths of 1 to {LARGEST}, found {str(sizes)[:60]}")
    if not all(type(n) is int and 0 <= n <= 32 for n in (config.blocks, slices.blocks)):
        raise ModelError("model: expected 0 to 32 blocks")
    if len(config.widths) != 3 or sum(slices.slices) > 3 * config.stride**2 or len(slices.slices) < 2:
        raise ModelError("model: expected three widths, and two or more slices of at most 192 channels in all")
    passes = slices.passes
    if len(passes) != len(slices.slices) - 1 or not all(type(n) is int and n in (1, 2, 4) for n in passes):
        raise ModelError("model: expected 1, 2 or 4 passes for every slice but the first")
    return config


def from_tensors(tensors: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> TransformModel:
    """Model from the tensors and the document of a model file; ModelError unless all fit and are exact."""
    if meta.get("version") != VERSION:
        raise ModelError(f"model: expected version {VERSION}, found {meta.get('version')!r}: update rdzip")
    config = _config(meta)
    with Planned(tensors):
        net = TransformNet(config).float()  # whatever the process has for its default
    layers, floats = convolutions(net), _floats(net)
    expected = {f"{name}.{part}" for name in layers for part in INTEGER_PARTS} | set(_EXTRA)
    expected |= float_tensors.names(floats)
    found = {name for name in tensors if not name.startswith("residual.")}
    if expected != found:
        raise ModelError(f"model: expected other tensors, differing in {', '.join(sorted(expected ^ found)[:3])}")
    for name, layer in layers.items():
        layer.load(*(float_tensors.read(tensors, f"{name}.{part}", dtype) for part, dtype in INTEGER_PARTS.items()))
        del layer.weight, layer.bias
    float_tensors.fill(floats, tensors)
    net.slices.base = float_tensors.read(tensors, _EXTRA[0], np.int32, tuple(net.slices.base.shape))
    table = float_tensors.read(tensors, _EXTRA[1], np.int8)
    if table.ndim != 1 or int(table[0]) != 0 or bool((table[1:] < table[:-1]).any()):
        raise ModelError("model: expected a table that rises from 0 as slices.squash")
    net.slices.table = table
    return TransformModel(net, ResidualTables.of(tensors), codecs_of(meta))


def trainable(tensors: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> TransformNet:
    """Network whose real parameters are the weights of a model file, to be trained further.

    It computes what the file's integers do: a weight times 2**-exponent is on every finer grid, too. Raises ModelError
    for a file of another architecture.
    """
    if meta.get("architecture") != ARCHITECTURE:
        raise ModelError(
            f"model: expected the architecture {ARCHITECTURE} to train further, found {meta.get('architecture')!r}"
        )
    from_tensors(tensors, meta)  # every check of a model that codes
    net = TransformNet(_config(meta)).float()
    for name, layer in convolutions(net).items():
        weight, exponent, bias = (
            torch.from_numpy(tensors[f"{name}.{part}"].astype(np.float64)) for part in ("weight", "exponent", "bias")
        )
        kernel = weight.view(-1, layer.size, layer.size, layer.inputs).permute(0, 3, 1, 2).reshape(len(weight), -1)
        layer.weight.data.copy_(kernel * torch.exp2(-exponent)[:, None])
        layer.bias.data.copy_(bias / BIAS_UNIT)
    float_tensors.fill(_floats(net), tensors)
    return net.requires_grad_(True)


def to_tensors(net: TransformNet) -> Tensors:
    """All that a model file holds of a trained network; ModelError if it cannot be exact."""
    tensors: Tensors = dict(make_tables().tensors()) | integer_tensors(net) | float_tensors.as_tensors(_floats(net))
    tensors[_EXTRA[0]] = net.slices.base.to(torch.int32).cpu().numpy()
    tensors[_EXTRA[1]] = squash_table().numpy()
    return tensors


def export(path: Path, net: TransformNet, facts: Mapping[str, Any]) -> None:
    """Write a trained network as a model file with its known answer; ``facts``: of the training."""
    tensors = to_tensors(net.cpu())
    meta = {
        "architecture": ARCHITECTURE,
        "version": VERSION,
        "id": facts["id"],
        "sample": {"kind": "image", "values": 256, "shape": [None, None, 3], "lossy": True},
        "network": net.config.as_dict(),
        "licence": facts.get("licence", "CC-BY-SA-4.0"),
        "training": {k: v for k, v in facts.items() if k not in ("id", "licence")},
        "known_answer": "0" * 64,
    }
    meta |= {"codecs": list(codecs_of(meta)), "known_answer": from_tensors(tensors, meta).known_answer()}
    model_file.write(path, tensors, meta)
