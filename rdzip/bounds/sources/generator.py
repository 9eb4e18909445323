"""Generator networks as sources: x = G(z), z standard normal; G of layers in a safetensors file.

Nothing in such a file is run: it has numbers, and names of layers that are looked up here. TorchScript files are
programs, which can write any file of the user, and are not read. A safetensors file has the tensors of a
torch.nn.Sequential, "i.weight" and "i.bias" for its layer i, and as metadata under "generator" a JSON object: latent,
the size of z; layers, a list of layers, each the name of one without settings or [name, settings]; image, true if it
gives images [n, channels, height, width]; range, [low, high] of the samples of images, [0, 1] if left out. Names:
linear, conv, conv_transpose, batch_norm (means and variances as stored), upsample {factor}, reshape {shape}, relu,
leaky_relu {slope}, softplus, tanh, sigmoid, elu, selu, gelu, silu. Settings of convolutions: stride, padding.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from torch import Tensor
from torch.nn import functional

from rdzip.bounds.sources.fresh import Fresh
from rdzip.errors import InputError

CHUNK = 1024
PROBES = 64

Layer = Callable[[Tensor], Tensor]
_PLAIN: dict[str, Layer] = {
    "relu": functional.relu,
    "softplus": functional.softplus,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "elu": functional.elu,
    "selu": functional.selu,
    "gelu": functional.gelu,
    "silu": functional.silu,
}


class Generator(Fresh):
    """x = G(z): the first `free` coordinates of z [latent] are standard normal, the rest 0."""

    def __init__(self, name: str, network: Layer, latent: int, free: int, span: tuple[float, float] | None) -> None:
        """Take a network as a source.

        - name: of the source
        - network: G
        - latent, free: coordinates of z, and how many of them, the first ones, are drawn
        - span: range of the samples of images [n, c, h, w], mapped to 0..1; None if network gives any
        """
        self._network, self._latent, self._free, self._span = network, latent, free, span
        probe = self._run(np.random.default_rng(0).standard_normal((PROBES, free)))
        if probe.ndim < 2 or len(probe) != PROBES or not probe.size:
            raise InputError(f"{name}: expected a network that gives one sample for each z, found {list(probe.shape)}")
        if not np.isfinite(probe).all():
            raise InputError(f"{name}: expected finite samples, found NaN or infinite values")
        if bool((probe == probe[:1]).all()):
            raise InputError(f"{name}: expected samples that differ, found equal ones for {PROBES} z: its R(D) is 0")
        super().__init__(name, probe.shape[1:])

    def draw(self, n: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Samples [n, *shape]."""
        z = rng.standard_normal((n, self._free))
        return np.concatenate([self._run(z[i : i + CHUNK]) for i in range(0, max(n, 1), CHUNK)])

    def _run(self, z: NDArray[np.float64]) -> NDArray[np.float32]:
        full = np.zeros((len(z), self._latent), np.float32)
        full[:, : self._free] = z
        with torch.no_grad():
            x = self._network(torch.from_numpy(full))
        if x.ndim == 4:
            x = x.movedim(1, 3)
            low, high = self._span or (0.0, 1.0)
            x = ((x - low) / (high - low)).clamp(0, 1)
        elif x.ndim != 2:
            x = x.flatten(1)
        return np.ascontiguousarray(x.float().numpy())


def generator_file(path: Path, dim: int | None) -> Generator:
    """Return the source of a generator in a .safetensors file; dim: coordinates of z that are random, None for all.

    Raises InputError.
    """
    network, latent, span = _from_safetensors(path)
    free = latent if dim is None else dim
    if not 1 <= free <= latent:
        raise InputError(f"{path}: expected from 1 to {latent} random coordinates of its latent, found {free}")
    try:
        return Generator(path.name, network, latent, free, span)
    except (RuntimeError, ValueError, TypeError, AttributeError, IndexError) as error:
        raise InputError(
            f"{path}: its network does not take z of shape [n, {latent}]: {' '.join(str(error).split())[-120:]}"
        ) from error


def _from_safetensors(path: Path) -> tuple[Layer, int, tuple[float, float] | None]:
    try:
        with safe_open(str(path), "pt") as file:
            document = json.loads((file.metadata() or {})["generator"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        latent, image, span = document["latent"], document.get("image", False), document.get("range", [0, 1])
        layers = [_layer(i, entry, tensors) for i, entry in enumerate(document["layers"])]
        low, high = map(float, span)
        if type(latent) is not int or latent < 1 or type(image) is not bool or not low < high:
            raise ValueError(f"latent {latent!r}, image {image!r}, range {span!r}")
    except (SafetensorError, OSError, KeyError, ValueError, TypeError, AttributeError) as error:
        what = " ".join(repr(error).split())[:120]
        raise InputError(
            f"{path}: expected a generator as docs/reference/bounds.md describes, found a fault in it: {what}"
        ) from (error)

    def network(z: Tensor) -> Tensor:
        for layer in layers:
            z = layer(z)
        if image != (z.ndim == 4):
            raise ValueError(f"image is {image}, but its output has {z.ndim} dimensions")
        return z

    return network, latent, (low, high)


def _layer(i: int, entry: Any, tensors: dict[str, Tensor]) -> Layer:
    name, settings = (entry, {}) if isinstance(entry, str) else entry

    def own(kind: str) -> Tensor:
        return tensors[f"{i}.{kind}"].float()

    def built() -> Layer:
        if name == "linear":
            weight, bias = own("weight"), tensors.get(f"{i}.bias")
            return lambda x: functional.linear(x, weight, bias if bias is None else bias.float())
        if name in ("conv", "conv_transpose"):
            weight, bias = own("weight"), tensors.get(f"{i}.bias")
            call = functional.conv2d if name == "conv" else functional.conv_transpose2d
            stride, padding = int(settings.pop("stride", 1)), int(settings.pop("padding", 0))
            return lambda x: call(x, weight, None if bias is None else bias.float(), stride=stride, padding=padding)
        if name == "batch_norm":
            mean, variance, weight, bias = map(own, ("running_mean", "running_var", "weight", "bias"))
            return lambda x: functional.batch_norm(x, mean, variance, weight, bias)
        if name == "upsample":
            factor = int(settings.pop("factor", 2))
            return lambda x: functional.interpolate(x, scale_factor=factor)
        if name == "reshape":
            shape = [int(size) for size in settings.pop("shape")]
            return lambda x: x.reshape(len(x), *shape)
        if name == "leaky_relu":
            slope = float(settings.pop("slope", 0.01))
            return lambda x: functional.leaky_relu(x, slope)
        return _PLAIN[name]

    settings = dict(settings)
    layer = built()
    if settings:
        raise ValueError(f"layer {i}, {name}: unknown settings {', '.join(settings)}")
    return layer
