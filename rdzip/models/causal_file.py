"""The finished causal model: its integer tensors in and out of a model file, its tables and its known answer."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from rdzip.entropy.cdf import MixtureCdf, MixtureTables, make_tables
from rdzip.entropy.philox import Philox
from rdzip.errors import ModelError
from rdzip.exact.devices import usable_device
from rdzip.exact.layers import ACT_MAX, BIAS_UNIT, INPUT_MAX, IntegerLinear, QuantisedLinear, check_stream, limit_stream
from rdzip.models import build, modelfile
from rdzip.models.causal import CausalNet
from rdzip.models.causal_config import ACTIVITY_MAX, DIFFERENCE_MAX, CausalConfig
from rdzip.models.causal_exact import ExactLayers, ExactNet, Parameters
from rdzip.models.mixture import SCALE_MIN, SCALES, SCALES_PER_OCTAVE
from rdzip.models.tables import read_tables, tables_as_tensors
from rdzip.models.template import TEMPLATE

ARCHITECTURE = "causal-mlp"
VERSION = 1
KINDS = {"colour": 3, "grey": 1}
Tensors = dict[str, NDArray[Any]]


def _input_max(name: str) -> int:
    return INPUT_MAX if name == "stem" or name.startswith("known.") else ACT_MAX


def _streams(net: Any, head: int) -> Iterator[tuple[list[Any], list[slice], list[int]]]:
    """The residual streams of a network: layers whose outputs are added, which of them, and their largest inputs."""
    trunk = [net.stem, *net.blocks]
    yield trunk, [slice(None)] * len(trunk), [INPUT_MAX] + [ACT_MAX] * len(net.blocks)
    for c, deep in enumerate(net.deep):
        known = [net.known[c - 1]] if c else []
        parts = [slice(c * head, (c + 1) * head)] + [slice(None)] * (len(known) + len(deep))
        yield [net.fan, *known, *deep], parts, [ACT_MAX] + [INPUT_MAX] * len(known) + [ACT_MAX] * len(deep)


def limited(net: CausalNet) -> CausalNet:
    """A copy of a trained network whose weights have units coarse enough for every sum to be exact."""
    net = copy.deepcopy(net).cpu()
    for layers, parts, largest in _streams(net, net.config.head):
        limit_stream(layers, parts, largest)
    return net


def freeze(net: CausalNet) -> Tensors:
    """Integer tensors of a trained network, named as in a model file (without the kind)."""
    net = limited(net)
    tensors: Tensors = {"compression": net.compression.numpy(), "activity_scale": net.activity_scale.numpy()}
    for name, layer in net.named_modules():
        if isinstance(layer, QuantisedLinear):
            for part, value in layer.freeze(_input_max(name)).integers.items():
                tensors[f"{name}.{part}"] = value.cpu().numpy()
    return tensors


def _thaw(config: CausalConfig, tensors: Mapping[str, NDArray[Any]], kind: str) -> ExactNet:
    def take(name: str, dtype: type, shape: tuple[int, ...]) -> NDArray[Any]:
        array = tensors.get(f"{kind}.{name}")
        if array is None or array.dtype != dtype or array.shape != shape:
            found = "nothing" if array is None else f"{array.dtype} {array.shape}"
            raise ModelError(f"model: expected {kind}.{name} {np.dtype(dtype)} {shape}, found {found}")
        return array

    def layer(name: str, inputs: int, outputs: int) -> IntegerLinear:
        parts = (
            take(f"{name}.weight", np.int8, (outputs, inputs)),
            take(f"{name}.exponent", np.int8, (outputs,)),
            take(f"{name}.bias", np.int32, (outputs,)),
        )
        weight, exponent, bias = (torch.from_numpy(np.ascontiguousarray(p)) for p in parts)
        return IntegerLinear(weight, exponent, bias, _input_max(name))

    c = config
    layers = ExactLayers(
        stem=layer("stem", c.inputs, c.width),
        blocks=[layer(f"blocks.{i}", c.width, c.width) for i in range(c.blocks)],
        fan=layer("fan", c.width, c.channels * c.head),
        known=[layer(f"known.{i - 1}", 3 * i, c.head) for i in range(1, c.channels)],
        deep=[[layer(f"deep.{i}.{j}", c.head, c.head) for j in range(c.head_blocks)] for i in range(c.channels)],
        out=[layer(f"out.{i}", c.head, c.outputs(i)) for i in range(c.channels)],
    )
    for stream, parts, _ in _streams(layers, c.head):
        check_stream(stream, parts)
    compression = take("compression", np.int16, (2 * DIFFERENCE_MAX + 1,))
    activity_scale = take("activity_scale", np.int16, (ACTIVITY_MAX + 1,))
    if int(np.abs(compression.astype(np.int32)).max()) > INPUT_MAX:
        raise ModelError(f"model: expected {kind}.compression within {INPUT_MAX}")
    return ExactNet(c, layers, compression, activity_scale)


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
                    torch.from_numpy(tensors[f"{kind}.{name}.{part}"].astype(np.float64))
                    for part in ("weight", "exponent", "bias")
                )
                layer.weight.data.copy_(weight * torch.exp2(-exponent)[:, None])
                layer.bias.data.copy_(bias / BIAS_UNIT)
        nets[kind] = net
    return nets


class CausalModel:
    """A causal pixel model ready to code: ``nets`` by kind ("colour", "grey"), and the tables of its mixtures."""

    def __init__(self, nets: dict[str, ExactNet], tables: MixtureTables, answer: str) -> None:
        self.nets = nets
        self.tables = tables
        self.answer = answer

    def cdf(self, parameters: Parameters) -> MixtureCdf:
        """Integer distribution functions of the mixtures that a network of this model gave."""
        return MixtureCdf(self.tables, *parameters)

    def to(self, device: str) -> CausalModel:
        """The same model with its matrix products on a torch device.

        Raises InputError if there is no such device here, ModelError if it does not give the known answer.
        """
        where = usable_device(device)
        moved = [net for net in self.nets.values() if net.device != where]
        for net in moved:
            net.to(where)
        if moved and self.known_answer() != self.answer:
            raise ModelError(f"the device {device} does not compute this model exactly: use --device cpu")
        return self

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
                    value = np.clip(centre + (w[1] & 15) - (w[1] >> 28), 0, 255) - (127 if plane else 0)
                    nbs.append(np.ascontiguousarray(value.T.astype(np.int16)))
                view = net.view(nbs)
                position = np.arange(n)
                fans = net.trunk(view, position, position >> 1).split(net.config.head, 1)
                known: list[NDArray[np.int16]] = []
                for channel, fan in enumerate(fans):
                    digest.update(
                        self.cdf(net.head(channel, fan, view, known)).high_frequencies().astype("<i4").tobytes()
                    )
                    known.append(nbs[channel][0] + (nbs[channel][1] & 3))
        return digest.hexdigest()


def from_tensors(tensors: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> CausalModel:
    """The model of a model file's tensors and document; ModelError if they are not of this architecture and version."""
    if meta.get("version") != VERSION:
        raise ModelError(
            f"model: expected {ARCHITECTURE} version {VERSION}, found {meta.get('version')!r}: update rdzip"
        )
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
    return CausalModel(nets, read_tables(tensors), str(meta.get("known_answer")))


def export(path: Path, nets: Mapping[str, CausalNet], facts: Mapping[str, Any]) -> None:
    """Write trained networks as an integer model file with its known answer; ``facts`` tell of the training."""
    tensors: Tensors = tables_as_tensors(make_tables(SCALES, SCALE_MIN, SCALES_PER_OCTAVE))
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
