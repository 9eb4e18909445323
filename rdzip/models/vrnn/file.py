"""The finished variational recurrent network: its integer tensors in and out of a model file."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from rdzip.entropy.ans import TOTAL
from rdzip.entropy.cdf import LOGIT_SIZE, SIGMOID_BITS, SIGMOID_SIZE, MixtureTables, make_tables
from rdzip.errors import ModelError
from rdzip.exact.integers import ACT_MAX, INPUT_MAX, check_stream
from rdzip.exact.layers import IntegerLinear, QuantisedLinear, limit_stream
from rdzip.models import build, codecs_of, model_file
from rdzip.models.shared.units import MEAN_UNIT, SCALE_MIN, SCALES, SCALES_PER_OCTAVE
from rdzip.models.vrnn.model import VrnnModel, VrnnTables
from rdzip.models.vrnn.network import (
    GATE_ONE,
    GATE_UNIT,
    LAYERS,
    LEVELS,
    LOGIT_UNIT,
    SCALE_LOW,
    TANH_UNIT,
    Layer,
    VrnnConfig,
    VrnnNet,
)

ARCHITECTURE = "vrnn"
VERSION = 1
LEAST = 16
"""Smallest frequency, of 2**24, of a key's being on or off."""
Tensors = dict[str, NDArray[Any]]
_LARGEST = dict.fromkeys(LAYERS, ACT_MAX) | {"x1": INPUT_MAX, "h_fan": INPUT_MAX, "z1": INPUT_MAX}


def _streams(width: int) -> list[dict[str, slice]]:
    """Sums of layers that are activated or rounded: which outputs of which layers are added."""
    parts = [slice(i * width, (i + 1) * width) for i in range(4)]
    sums = [
        {"h_fan": parts[1], "x_fan": parts[0]},
        {"h_fan": parts[2], "z_fan": parts[0]},
        {"h_fan": parts[3], "x_fan": parts[1], "z_fan": parts[1]},
    ]
    return [{name: slice(None)} for name in LAYERS] + sums


def integer_tensors(net: VrnnNet) -> Tensors:
    """Integer tensors of a trained network, named as in a model file."""
    net = copy.deepcopy(net).cpu()
    layers: dict[str, QuantisedLinear] = {name: cast(Layer, net.layers[name]).finished() for name in LAYERS}
    for parts in _streams(net.config.width):
        limit_stream([layers[n] for n in parts], list(parts.values()), [_LARGEST[n] for n in parts])
    tensors: Tensors = {}
    for name, layer in layers.items():
        for part, value in layer.to_integer(_LARGEST[name]).integers.items():
            tensors[f"{name}.{part}"] = value.numpy()
    return tensors


def table_tensors() -> Tensors:
    """Tables for a new model file, from their formulas; a decoder reads them from the file."""
    grid = make_tables(SCALES, SCALE_MIN, SCALES_PER_OCTAVE, "normal", floor=1)
    v = np.arange(LEVELS) - LEVELS / 2
    one = np.round(TOTAL / (1 + np.exp(-v / LOGIT_UNIT)))
    return {
        "grid.cumulative": grid.sigmoid,
        "grid.inverse_scale": grid.inverse_scale,
        "emission": np.clip(one, LEAST, TOTAL - LEAST).astype(np.int32),
        "gate": np.floor(GATE_ONE / (1 + np.exp(-v / GATE_UNIT)) + 0.5).astype(np.int16),
        "candidate": np.floor(INPUT_MAX * np.tanh(v / TANH_UNIT) + 0.5).astype(np.int16),
    }


def from_tensors(tensors: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> VrnnModel:
    """The model of a model file's tensors and document; ModelError if they are not of this architecture and version."""
    if meta.get("version") != VERSION:
        raise ModelError(
            f"model: expected {ARCHITECTURE} version {VERSION}, found {meta.get('version')!r}: update rdzip"
        )
    fields = meta.get("network")
    try:
        config = VrnnConfig(**(fields if isinstance(fields, dict) else {"": 0}))
    except TypeError as error:
        raise ModelError(f"model: bad description of the network: {error}") from error
    if not all(isinstance(v, int) and 1 <= v <= 1024 for v in config.as_dict().values()):
        raise ModelError("model: the network has an impossible shape")
    if not SCALE_LOW <= config.prior_scale <= config.largest_scale < SCALES or config.latent_gain > MEAN_UNIT:
        raise ModelError("model: the network has latents of an impossible scale")

    def take(name: str, dtype: type, shape: tuple[int, ...], low: int, high: int) -> NDArray[Any]:
        array = tensors.get(name)
        if array is None or array.dtype != dtype or array.shape != shape or array.min() < low or array.max() > high:
            found = "nothing" if array is None else f"{array.dtype} {array.shape} in {array.min()}..{array.max()}"
            raise ModelError(f"model: expected {name} {np.dtype(dtype)} {shape} in {low}..{high}, found {found}")
        return array

    def layer(name: str, inputs: int, outputs: int) -> IntegerLinear:
        parts = (
            take(f"{name}.weight", np.int8, (outputs, inputs), -127, 127),
            take(f"{name}.exponent", np.int8, (outputs,), -128, 127),
            take(f"{name}.bias", np.int32, (outputs,), -(2**31), 2**31 - 1),
        )
        weight, exponent, bias = (torch.from_numpy(np.ascontiguousarray(p)) for p in parts)
        return IntegerLinear(weight, exponent, bias, _LARGEST[name])

    layers = {name: layer(name, i, o) for name, (i, o) in config.sizes().items()}
    for parts in _streams(config.width):
        check_stream([layers[n] for n in parts], list(parts.values()))
    cumulative = take("grid.cumulative", np.int32, (SIGMOID_SIZE,), 0, (1 << SIGMOID_BITS) - 1)
    if (np.diff(cumulative) < 0).any():
        raise ModelError("model: the distribution function of the latents is not monotone")
    grid = MixtureTables(
        cumulative,
        take("grid.inverse_scale", np.int32, (SCALES,), 1, 2**16),
        np.ones(LOGIT_SIZE, np.int32),
    )
    tables = VrnnTables(
        grid,
        take("emission", np.int32, (LEVELS,), LEAST, TOTAL - LEAST),
        take("gate", np.int16, (LEVELS,), 0, GATE_ONE),
        take("candidate", np.int16, (LEVELS,), -INPUT_MAX, INPUT_MAX),
    )
    return VrnnModel(config, layers, tables)


def export(path: Path, net: VrnnNet, facts: Mapping[str, Any]) -> None:
    """Write a trained network as an integer model file with its known answer; ``facts``: of the training."""
    tensors = integer_tensors(net) | table_tensors()
    meta = {
        "architecture": ARCHITECTURE,
        "version": VERSION,
        "id": facts["id"],
        "network": net.config.as_dict(),
        "sample": {"kind": "sequence", "values": 2, "shape": [None, net.config.dims]},
        "licence": facts.get("licence", "Apache-2.0"),
        "training": {k: v for k, v in facts.items() if k not in ("id", "licence")},
        "known_answer": "0" * 64,
    }
    meta |= {"codecs": list(codecs_of(meta)), "known_answer": build(tensors, meta).known_answer()}
    model_file.write(path, tensors, meta)
