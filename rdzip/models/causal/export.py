"""Causal networks between training and their model file: integers of trained ones, trainable ones of integers."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rdzip.entropy.cdf import make_tables
from rdzip.errors import ModelError
from rdzip.exact.integers import BIAS_UNIT
from rdzip.exact.layers import QuantisedLinear, limit_stream
from rdzip.models import build, codecs_of, model_file
from rdzip.models.causal.config import CausalConfig
from rdzip.models.causal.model import ARCHITECTURE, VERSION, Tensors, from_tensors, input_max, streams
from rdzip.models.causal.network import CausalNet
from rdzip.models.shared.layer_names import in_file
from rdzip.models.shared.table_tensors import tables_as_tensors
from rdzip.models.shared.units import SCALE_MIN, SCALES, SCALES_PER_OCTAVE


def limited(net: CausalNet) -> CausalNet:
    """A copy of a trained network whose weights have units coarse enough for every sum to be exact."""
    net = copy.deepcopy(net).cpu()
    for layers, parts, largest in streams(net, net.config.head):
        limit_stream(layers, parts, largest)
    return net


def integer_tensors(net: CausalNet) -> Tensors:
    """Integer tensors of a trained network, named as in a model file (without the kind)."""
    net = limited(net)
    tensors: Tensors = {"compression": net.compression.numpy(), "activity_scale": net.activity_scale.numpy()}
    for name, layer in net.named_modules():
        if isinstance(layer, QuantisedLinear):
            for part, value in layer.to_integer(input_max(name)).integers.items():
                tensors[f"{in_file(name)}.{part}"] = value.cpu().numpy()
    return tensors


def trainable(tensors: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> dict[str, CausalNet]:
    """Networks by kind with the weights of a model file as real parameters, to be trained further.

    They compute what the file's integers do: weight times 2**-exponent is on every finer grid too. Raises ModelError
    for a file that is not of this architecture.
    """
    if meta.get("architecture") != ARCHITECTURE:
        raise ModelError(
            f"model: expected the architecture {ARCHITECTURE} to train further, found {meta.get('architecture')!r}"
        )
    from_tensors(tensors, meta)  # every check of a model that codes
    nets = {}
    for kind, fields in meta["networks"].items():
        net = CausalNet(CausalConfig(**fields))
        net.compression.copy_(torch.from_numpy(tensors[f"{kind}.compression"].copy()))
        net.activity_scale.copy_(torch.from_numpy(tensors[f"{kind}.activity_scale"].copy()))
        for name, layer in net.named_modules():
            if isinstance(layer, QuantisedLinear):
                weight, exponent, bias = (
                    torch.from_numpy(tensors[f"{kind}.{in_file(name)}.{part}"].astype(np.float64))
                    for part in ("weight", "exponent", "bias")
                )
                layer.weight.data.copy_(weight * torch.exp2(-exponent)[:, None])
                layer.bias.data.copy_(bias / BIAS_UNIT)
        nets[kind] = net
    return nets


def export(path: Path, nets: Mapping[str, CausalNet], facts: Mapping[str, Any]) -> None:
    """Write trained networks as an integer model file with its known answer; ``facts``: of the training."""
    tensors: Tensors = tables_as_tensors(make_tables(SCALES, SCALE_MIN, SCALES_PER_OCTAVE))
    for kind, net in nets.items():
        tensors |= {f"{kind}.{name}": value for name, value in integer_tensors(net).items()}
    meta = {
        "architecture": ARCHITECTURE,
        "version": VERSION,
        "id": facts["id"],
        "networks": {kind: net.config.as_dict() for kind, net in nets.items()},
        "licence": facts.get("licence", "CC-BY-SA-4.0"),
        "training": {k: v for k, v in facts.items() if k not in ("id", "licence")},
        "known_answer": "0" * 64,
    }
    meta |= {"codecs": list(codecs_of(meta)), "known_answer": build(tensors, meta).known_answer()}
    model_file.write(path, tensors, meta)
