"""Model files of the perceptron autoencoder of binary images: architecture "vae-mlp"."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray

from rdzip.entropy.ans import TOTAL
from rdzip.entropy.cdf import FLOOR, make_tables
from rdzip.errors import ModelError
from rdzip.exact.integers import ACT_MAX, INPUT_MAX, check_stream
from rdzip.exact.layers import IntegerLinear, QuantisedLinear, limit_stream
from rdzip.models import codecs_of, model_file
from rdzip.models.shared.table_tensors import read_tables, tables_as_tensors
from rdzip.models.vae_mlp.model import VaeMlpModel
from rdzip.models.vae_mlp.network import LOGIT_MAX, LOGIT_UNIT, SCALE_MIN, SCALES, SCALES_PER_OCTAVE, VaeConfig, VaeMlp

ARCHITECTURE = "vae-mlp"
VERSION = 1
LARGEST = 4096
Tensors = dict[str, NDArray[Any]]


def emission_table() -> NDArray[np.int32]:
    """Frequencies of a one of 2**24 by the logit in 1/16 nat, int32 [383]."""
    logit = np.arange(-LOGIT_MAX, LOGIT_MAX + 1) / LOGIT_UNIT
    return np.round(TOTAL / (1 + np.exp(-logit))).astype(np.int32)


def _input_max(name: str) -> int:
    return INPUT_MAX if name.endswith(".0") else ACT_MAX


def integer_tensors(net: VaeMlp) -> Tensors:
    """Integer tensors of a trained network; channels that would overflow get coarser weights."""
    net = copy.deepcopy(net).cpu()
    for part in (net.encoder, net.decoder):
        *hidden, last = (cast(QuantisedLinear, layer) for layer in part)
        largest = [INPUT_MAX] + [ACT_MAX] * (len(hidden) - 1)
        limit_stream(hidden, [slice(None)] * len(hidden), largest)
        limit_stream([last], [slice(None)], [ACT_MAX])
    tensors: Tensors = {}
    for name, layer in net.named_modules():
        if isinstance(layer, QuantisedLinear):
            for kind, value in layer.to_integer(_input_max(name)).integers.items():
                tensors[f"{name}.{kind}"] = value.cpu().numpy()
    return tensors


def from_tensors(tensors: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> VaeMlpModel:
    """The model of a model file's tensors and document; ModelError if they are not of this architecture and version."""
    if meta.get("version") != VERSION:
        raise ModelError(
            f"model: expected {ARCHITECTURE} version {VERSION}, found {meta.get('version')!r}: update rdzip"
        )
    fields = meta.get("network")
    try:
        config = VaeConfig(**fields)  # type: ignore[arg-type]
    except TypeError as error:
        raise ModelError(f"model: its network is described wrongly: {error}") from error
    if not all(type(v) is int and 1 <= v <= LARGEST for v in config.as_dict().values()) or config.layers > 8:
        raise ModelError(f"model: the network has an impossible shape: {str(fields)[:80]}")

    def take(name: str, dtype: type, shape: tuple[int, ...]) -> NDArray[Any]:
        array = tensors.get(name)
        if array is None or array.dtype != dtype or array.shape != shape:
            found = "nothing" if array is None else f"{array.dtype} {array.shape}"
            raise ModelError(f"model: expected {name} {np.dtype(dtype)} {shape}, found {found}")
        return array

    def layers(part: str, sizes: list[int]) -> list[IntegerLinear]:
        made = []
        for i, (inputs, outputs) in enumerate(pairwise(sizes)):
            name = f"{part}.{i}"
            parts = (
                take(f"{name}.weight", np.int8, (outputs, inputs)),
                take(f"{name}.exponent", np.int8, (outputs,)),
                take(f"{name}.bias", np.int32, (outputs,)),
            )
            weight, exponent, bias = (torch.from_numpy(np.ascontiguousarray(p)) for p in parts)
            made.append(IntegerLinear(weight, exponent, bias, _input_max(name)))
        check_stream(made[:-1])
        return made

    emission = take("emission", np.int32, (2 * LOGIT_MAX + 1,))
    if int(emission.min()) < FLOOR or int(emission.max()) > TOTAL - FLOOR:
        raise ModelError(f"model: expected emission within {FLOOR}..{TOTAL - FLOOR}")
    return VaeMlpModel(
        config,
        layers("encoder", config.encoder_sizes()),
        layers("decoder", config.decoder_sizes()),
        read_tables(tensors, least_floor=1),
        emission,
        str(meta.get("known_answer")),
    )


def export(path: Path, net: VaeMlp, facts: Mapping[str, Any]) -> None:
    """Write a trained network as an integer model file with its known answer; ``facts``: of the training."""
    tables = make_tables(SCALES, SCALE_MIN, SCALES_PER_OCTAVE, "normal", floor=1)
    tensors = tables_as_tensors(tables) | integer_tensors(net) | {"emission": emission_table()}
    config = net.config
    meta = {
        "architecture": ARCHITECTURE,
        "version": VERSION,
        "id": facts["id"],
        "sample": {"kind": "image", "values": 2, "shape": [config.height, config.width]},
        "network": config.as_dict(),
        "licence": facts.get("licence", "Apache-2.0"),
        "training": {k: v for k, v in facts.items() if k not in ("id", "licence")},
        "known_answer": "0" * 64,
    }
    meta |= {"codecs": list(codecs_of(meta)), "known_answer": from_tensors(tensors, meta).known_answer()}
    model_file.write(path, tensors, meta)
