"""Model files of the convolutional models with latents: architectures "bit-swap" and "resnet-vae"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from rdzip.entropy.cdf import make_tables
from rdzip.errors import ModelError
from rdzip.exact.convolution import QuantisedConv
from rdzip.exact.integers import check_stream
from rdzip.exact.layers import limit_stream
from rdzip.models import codecs_of, model_file
from rdzip.models.conv_vae.bitswap import BitSwapConfig, BitSwapModel, BitSwapNet
from rdzip.models.conv_vae.pixel_head import PixelHead, fields_of
from rdzip.models.conv_vae.resnet import ResNetConfig, ResNetModel, ResNetVae
from rdzip.models.shared.integer_tensors import INTEGER_PARTS, convolutions, integer_tensors
from rdzip.models.shared.planned import Planned
from rdzip.models.shared.table_tensors import read_tables, tables_as_tensors
from rdzip.models.shared.units import SCALE_MIN, SCALES, SCALES_PER_OCTAVE

VERSION = 1
LARGEST = 4096
LIMITS = {
    "width": (1, LARGEST),
    "head": (1, LARGEST),
    "blocks": (0, 32),
    "image_blocks": (0, 32),
    "head_blocks": (0, 32),
    "components": (1, 32),
}
"""Least and largest sizes of networks."""
MAX_LEVELS, MAX_HALVINGS = 64, 7

Tensors = dict[str, NDArray[Any]]


def streams(net: nn.Module) -> list[tuple[list[QuantisedConv], list[slice]]]:
    """Layers of a network whose outputs are added before they are requantised."""
    return [stream for head in net.modules() if isinstance(head, PixelHead) for stream in head.streams()]


def _tensors(net: nn.Module) -> Tensors:
    """Integer tensors of all layers, after those whose outputs are added were limited; ModelError if that fails."""
    for layers, parts in streams(net):
        limit_stream(layers, parts, [layer.input_max for layer in layers])
    return integer_tensors(net)


def _check_sizes(values: Mapping[str, Any], latents: Sequence[int], halvings: int) -> None:
    """ModelError unless the sizes of a network are whole numbers within LIMITS."""
    found = {name: values[name] for name in LIMITS if name in values}
    for name, value in [*found.items(), *(("latents", n) for n in latents)]:
        low, high = LIMITS.get(name, (1, LARGEST))
        if type(value) is not int or not low <= value <= high:
            raise ModelError(f"model: expected {name} of {low} to {high}, found {str(value)[:60]}")
    if values.get("channels") not in (1, 3) or type(values.get("ahead", False)) is not bool:
        raise ModelError("model: expected 1 or 3 channels, and ahead true or false")
    if not 1 <= len(latents) <= MAX_LEVELS or halvings > MAX_HALVINGS:
        raise ModelError(f"model: expected 1 to {MAX_LEVELS} levels and {MAX_HALVINGS} halvings at most")
    if len(INTEGER_PARTS) * len(latents) * values.get("blocks", 0) > model_file.MAX_TENSORS:
        raise ModelError(f"model: expected layers of {model_file.MAX_TENSORS} tensors at most, found more blocks")


def _make(tensors: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> BitSwapNet | ResNetVae:
    """The network that a document describes; its weights are still to come."""
    try:
        values = dict(meta["network"])
        with Planned(tensors):
            if meta["architecture"] == "bit-swap":
                latents, halved = tuple(values["latents"]), tuple(values["halved"])
                _check_sizes(values, latents, len(halved))
                if len({*halved} & {*range(2, len(latents) + 1)}) != len(halved):
                    raise ModelError(f"model: expected halved levels of 2 to {len(latents)}, found {str(halved)[:60]}")
                return BitSwapNet(BitSwapConfig(**fields_of(values) | {"latents": latents, "halved": halved}))
            levels = tuple(tuple(scale) for scale in values["levels"])
            _check_sizes(values, [n for scale in levels for n in scale], len(levels) - 1)
            if not all(levels):
                raise ModelError("model: expected a level at every scale, found a scale without")
            return ResNetVae(ResNetConfig(**fields_of(values) | {"levels": levels}))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ModelError(f"model: its network is described wrongly ({str(error).splitlines()[0][:80]})") from error


def from_tensors(tensors: Mapping[str, NDArray[Any]], meta: Mapping[str, Any]) -> BitSwapModel | ResNetModel:
    """Model from the tensors and the document of a model file; ModelError unless all fit and are exact."""
    if meta.get("version") != VERSION:
        raise ModelError(f"model: expected version {VERSION}, found {meta.get('version')!r}: update rdzip")
    net = _make(tensors, meta)
    layers = convolutions(net)
    expected = {f"{name}.{part}" for name in layers for part in INTEGER_PARTS}
    found = {name for name in tensors if not name.startswith("mixture.")}
    if expected != found:
        raise ModelError(f"model: expected other tensors, differing in {', '.join(sorted(expected ^ found)[:3])}")
    for name, layer in layers.items():
        parts = []
        for part, dtype in INTEGER_PARTS.items():
            value = tensors[f"{name}.{part}"]
            if value.dtype != dtype:
                raise ModelError(f"model: expected {name}.{part} of {dtype.__name__}, found {value.dtype}")
            parts.append(torch.from_numpy(np.ascontiguousarray(value)))
        layer.load(*parts)
        del layer.weight, layer.bias
    for together, cuts in streams(net):
        check_stream([layer.integer for layer in together if layer.integer], cuts)
    tables = read_tables(dict(tensors), least_floor=1)
    model = BitSwapModel(net, tables) if isinstance(net, BitSwapNet) else ResNetModel(net, tables)
    return model


def export(path: Path, net: BitSwapNet | ResNetVae, facts: Mapping[str, Any]) -> None:
    """Write a trained network as an integer model file with its known answer; ``facts``: of the training."""
    tensors = tables_as_tensors(make_tables(SCALES, SCALE_MIN, SCALES_PER_OCTAVE, floor=1)) | _tensors(net)
    architecture = "bit-swap" if isinstance(net, BitSwapNet) else "resnet-vae"
    channels = net.config.channels
    meta = {
        "architecture": architecture,
        "version": VERSION,
        "id": facts["id"],
        "sample": {"kind": "image", "values": 256, "shape": [None, None] if channels == 1 else [None, None, channels]},
        "network": net.config.as_dict(),
        "licence": facts.get("licence", "CC-BY-SA-4.0"),
        "training": {k: v for k, v in facts.items() if k not in ("id", "licence")},
        "known_answer": "0" * 64,
    }
    meta |= {"codecs": list(codecs_of(meta)), "known_answer": from_tensors(tensors, meta).known_answer()}
    model_file.write(path, tensors, meta)
