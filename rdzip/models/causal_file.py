"""The finished causal model: its integer tensors in and out of a model file, its tables and its known answer."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rdzip.entropy.cdf import LOGIT_SIZE, SIGMOID_MAX, SIGMOID_SIZE, MixtureCdf, MixtureTables, make_tables
from rdzip.entropy.philox import Philox
from rdzip.errors import ModelError
from rdzip.exact.layers import ACT_MAX, INPUT_MAX, IntegerLinear, QuantisedLinear, check_stream
from rdzip.models import build, modelfile
from rdzip.models.causal import ACTIVITY_MAX, CausalConfig, CausalNet, Context, Mixture
from rdzip.models.mixture import SCALE_MIN, SCALES, SCALES_PER_OCTAVE
from rdzip.models.template import TEMPLATE

ARCHITECTURE = "causal-mlp"
VERSION = 1
KINDS = {"colour": 3, "grey": 1}
Tensors = dict[str, NDArray[Any]]


def _layers(net: CausalNet) -> dict[str, nn.Module]:
    return {name: m for name, m in net.named_modules() if isinstance(m, QuantisedLinear | IntegerLinear)}


def _input_max(name: str) -> int:
    return INPUT_MAX if name == "stem" or name.startswith("known.") else ACT_MAX


def _replace(net: CausalNet, name: str, layer: IntegerLinear) -> None:
    parent, _, leaf = name.rpartition(".")
    setattr(net.get_submodule(parent) if parent else net, leaf, layer)


def _check(net: CausalNet) -> None:
    """Check the sums of the residual streams: trunk, and each head with its slice of the fan."""
    check_stream([net.stem, *net.blocks])  # type: ignore[list-item]
    for c in range(net.config.channels):
        adds = [net.known[c - 1]] if c else []
        deep = list(net.deep[c])  # type: ignore[arg-type]
        part = slice(c * net.config.head, (c + 1) * net.config.head)
        check_stream([net.fan, *adds, *deep], [part] + [slice(None)] * (len(adds) + len(deep)))  # type: ignore[list-item]


def freeze(net: CausalNet) -> Tensors:
    """Integer tensors of a trained network, named as in a model file (without the kind)."""
    tensors: Tensors = {"compression": net.compression.cpu().numpy(), "activity_scale": net.activity_scale.cpu().numpy()}
    for name, layer in _layers(net).items():
        for part, value in layer.freeze(_input_max(name)).integers.items():  # type: ignore[operator]
            tensors[f"{name}.{part}"] = value.cpu().numpy()
    return tensors


def _thaw(config: CausalConfig, tensors: Mapping[str, NDArray[Any]], kind: str) -> CausalNet:
    def take(name: str, dtype: type, shape: tuple[int, ...]) -> Tensor:
        array = tensors.get(f"{kind}.{name}")
        if array is None or array.dtype != dtype or array.shape != shape:
            found = "nothing" if array is None else f"{array.dtype} {array.shape}"
            raise ModelError(f"model: expected {kind}.{name} {np.dtype(dtype)} {shape}, found {found}")
        return torch.from_numpy(np.ascontiguousarray(array))

    net = CausalNet(config)
    net.exact = True
    net.compression = take("compression", np.int16, tuple(net.compression.shape))
    net.activity_scale = take("activity_scale", np.int16, (ACTIVITY_MAX + 1,))
    if int(net.compression.abs().max()) > INPUT_MAX:
        raise ModelError(f"model: expected {kind}.compression within {INPUT_MAX}")
    for name, layer in _layers(net).items():
        shape = tuple(layer.weight.shape)  # type: ignore[union-attr,arg-type]
        weight = take(f"{name}.weight", np.int8, shape)
        exponent, bias = take(f"{name}.exponent", np.int8, shape[:1]), take(f"{name}.bias", np.int32, shape[:1])
        _replace(net, name, IntegerLinear(weight, exponent, bias, _input_max(name)))
    _check(net)
    return net.requires_grad_(False).eval()


class CausalModel:
    """A causal pixel model ready to code: ``nets`` by kind ("colour", "grey"), and the tables of its mixtures."""

    def __init__(self, nets: dict[str, CausalNet], tables: MixtureTables) -> None:
        self.nets = nets
        self.tables = tables

    def cdf(self, mixture: Mixture) -> MixtureCdf:
        """Integer distribution functions of a mixture that a network of this model gave."""
        mean, scale, logit = (p.cpu().numpy().astype(np.int32) for p in mixture)
        return MixtureCdf(self.tables, mean, scale, logit)

    @torch.inference_mode()
    def known_answer(self) -> str:
        """SHA-256 in hex of the frequencies for fixed pseudo-random neighbourhoods, in batches of several sizes."""
        digest = hashlib.sha256()
        for stream, (_, net) in enumerate(sorted(self.nets.items())):
            words = Philox(seed=2026, stream=stream)
            start = 0
            for n in (1, 3, 64, 500):
                nbs = []
                for plane in range(net.config.channels):
                    k = net.config.plane_neighbours(plane)
                    w = words.words(start, 2 * n * k).astype(np.int64).reshape(2, n, k)
                    start += 2 * n * k
                    centre = (w[0] & 255) >> (w[0][:, :1] >> 8 & 7)
                    value = centre + (w[1] & 15) - (w[1] >> 28)
                    nbs.append(torch.from_numpy(np.clip(value, 0, 255).astype(np.int16) - (127 if plane else 0)))
                position = torch.arange(n, dtype=torch.int16)
                context = Context.of(nbs, position, position >> 1)
                values = [nb[:, 0] + (nb[:, 1] & 3) for nb in nbs]
                for mixture in net(context, values, torch.float32):
                    digest.update(self.cdf(mixture).high_frequencies().astype("<i4").tobytes())
        return digest.hexdigest()


def from_tensors(tensors: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> CausalModel:
    """The model of a model file's tensors and document; ModelError if they are not of this architecture and version."""
    if meta.get("version") != VERSION:
        raise ModelError(f"model: expected {ARCHITECTURE} version {VERSION}, found {meta.get('version')!r}: update rdzip")
    configs = meta.get("networks")
    if not isinstance(configs, dict) or sorted(configs) != sorted(KINDS):
        raise ModelError(f"model: expected the networks {', '.join(KINDS)} in the document")
    nets = {}
    for kind, fields in configs.items():
        try:
            config = CausalConfig(**fields)
        except TypeError as error:
            raise ModelError(f"model: bad description of the network {kind}: {error}") from error
        if (
            not all(isinstance(v, int) and 0 <= v <= 1024 for v in config.as_dict().values())
            or config.channels != KINDS[kind]
            or not 10 <= config.neighbours <= len(TEMPLATE)
            or not 10 <= config.colour_neighbours <= len(TEMPLATE)
            or min(config.width, config.head, config.components) < 1
        ):
            raise ModelError(f"model: the network {kind} has an impossible shape")
        nets[kind] = _thaw(config, tensors, kind)
    return CausalModel(nets, _tables(tensors))


def _tables(tensors: Mapping[str, NDArray[Any]]) -> MixtureTables:
    parts = []
    for name, size, largest in (
        ("sigmoid", SIGMOID_SIZE, SIGMOID_MAX), ("inverse_scale", SCALES, 2**16), ("exponential", LOGIT_SIZE, 2**16)
    ):  # fmt: skip
        table = tensors.get(f"mixture.{name}")
        if table is None or table.dtype != np.int32 or table.shape != (size,) or table.min() < 0 or table.max() > largest:
            raise ModelError(f"model: expected mixture.{name} int32 ({size},) within 0..{largest}")
        parts.append(table)
    sigmoid, inverse, exponential = parts
    if (np.diff(sigmoid) < 0).any() or inverse.min() < 1 or exponential[0] < 1:
        raise ModelError("model: the tables of the mixture are not monotone")
    return MixtureTables(sigmoid, inverse, exponential)


def export(path: Path, nets: Mapping[str, CausalNet], facts: Mapping[str, Any]) -> None:
    """Write trained networks as an integer model file with its known answer; ``facts`` tell of the training."""
    tables = make_tables(SCALES, SCALE_MIN, SCALES_PER_OCTAVE)
    tensors: Tensors = {
        "mixture.sigmoid": tables.sigmoid,
        "mixture.inverse_scale": tables.inverse_scale,
        "mixture.exponential": tables.exponential,
    }
    for kind, net in nets.items():
        tensors |= {f"{kind}.{name}": value for name, value in freeze(net).items()}
    meta = {
        "architecture": ARCHITECTURE,
        "version": VERSION,
        "id": facts["id"],
        "codecs": ["causal"],
        "networks": {kind: net.config.as_dict() for kind, net in nets.items()},
        "licence": facts.get("licence", "CC-BY-SA-4.0"),
        "training": {k: v for k, v in facts.items() if k not in ("id", "licence")},
        "known_answer": "0" * 64,
    }
    meta["known_answer"] = build(tensors, meta).known_answer()
    modelfile.write(path, tensors, meta)
