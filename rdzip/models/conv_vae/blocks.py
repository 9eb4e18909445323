"""What the convolutional models with latents share: blocks, latents as a grid, images as blocks of 2 x 2 pixels."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rdzip.entropy.cdf import MixtureTables
from rdzip.errors import InputError
from rdzip.exact.convolution import QuantisedConv, requantise, space_to_depth
from rdzip.exact.integers import INPUT_MAX
from rdzip.exact.layers import activate
from rdzip.models.conv_vae import grid
from rdzip.models.conv_vae.grid import CENTRE
from rdzip.models.latent_model import Draw, LatentModel, Samples, Shape
from rdzip.models.shared.sites import GridSite, Site

LATENT_GAIN = 4.0
"""Gain of the first layer after latents, whose values spread less than those of samples."""
NARROWER = 8
"""Scale indices by which posteriors begin narrower than priors: a factor of 2.5."""
_ANSWER_SIDES = (12, 10)


class Blocks(nn.Module):
    """Residual blocks on the stream: h + convolution of the activations of h, requantised."""

    def __init__(self, width: int, count: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(QuantisedConv(width, width, gain=0.7) for _ in range(count))

    def forward(self, h: Tensor, dtype: torch.dtype) -> Tensor:
        """Stream [n, width, h, w] to stream."""
        for layer in self.layers:
            h = requantise(h + layer(activate(h, dtype=dtype)))
        return h


class Net(nn.Module):
    """Centred samples or latents [n, i, h, w] to outputs [n, o, h, w]: a convolution, blocks, a convolution."""

    def __init__(self, inputs: int, outputs: int, width: int, blocks: int, gain: float = 1.0) -> None:
        """Make the layers.

        - inputs, outputs: channels
        - width: of the stream between them
        - blocks: residual blocks on it
        - gain: of the random weights of the first layer
        """
        super().__init__()
        self.stem = QuantisedConv(inputs, width, gain=gain, input_max=INPUT_MAX + 1)
        self.blocks = Blocks(width, blocks)
        self.out = QuantisedConv(width, outputs, gain=0.3)

    def stream(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        """Features before the last convolution, a requantised stream [n, width, h, w], of values x in 0..255."""
        return cast(Tensor, self.blocks(requantise(self.stem((x - CENTRE).to(dtype))), dtype))

    def forward(self, x: Tensor, dtype: torch.dtype) -> Tensor:
        """Outputs [n, o, h, w], a stream that is not requantised."""
        return cast(Tensor, self.out(activate(self.stream(x, dtype), dtype=dtype)))


def begin_narrow(layer: QuantisedConv) -> None:
    """Let the last layer of a posterior begin with narrower scales: latents then tell something from the start."""
    with torch.no_grad():
        layer.bias[len(layer.bias) // 2 :] = -NARROWER / grid.SCALE_GAIN


def latent(
    output: Tensor, mean: Tensor | float | None = None, scale: Tensor | float | None = None
) -> tuple[Tensor, Tensor]:
    """Mean (1/64 step) and scale index of latents from outputs [n, 2 c, h, w], relative to another mean and scale."""
    shift, spread = output.chunk(2, 1)
    return (
        grid.mean_of(shift) if mean is None else grid.mean_of(shift, mean),
        grid.scale_of(spread) if scale is None else grid.scale_of(spread, scale),
    )


def site(tables: MixtureTables, mean: Tensor, scale: Tensor) -> GridSite:
    """Site of latents [rows, c, h, w] from their mean and scale."""
    return GridSite(tables, mean.to(torch.int32).numpy(), scale.to(torch.int32).numpy(), normal=False)


def tensor(z: NDArray[np.uint8]) -> Tensor:
    """Latents [rows, c, h, w] as the networks take them."""
    return torch.from_numpy(z.astype(np.float32))


def squeezed(x: NDArray[np.uint8], multiple: int) -> Tensor:
    """Images uint8 [n, h, w(, c)] as float32 [n, 4c, h'/2, w'/2], padded to a multiple by their last row and column."""
    n, h, w = x.shape[:3]
    x = x.reshape(n, h, w, -1)
    x = np.pad(x, ((0, 0), (0, -h % multiple), (0, -w % multiple), (0, 0)), mode="edge")
    return space_to_depth(torch.from_numpy(x.astype(np.float32)).permute(0, 3, 1, 2))


class ConvModel(ABC):
    """What the finished convolutional models have in common: a LatentModel of images of 8 bits
    (models/latent_model.py)."""

    entry_time = 1.0
    """Microseconds that a run of the networks takes for a sample of a pixel, about."""

    def __init__(self, tables: MixtureTables, channels: int) -> None:
        self.tables, self.channels = tables, channels

    def values(self) -> int:
        """256: samples of 8 bits."""
        return 256

    def known_answer(self) -> str:
        """Hash of the means, scales and code lengths of fixed images."""
        return known_answer(self, self.channels)

    def check_item(self, shape: Shape) -> None:
        """InputError unless images of shape (h, w) or (h, w, c) have this model's channels."""
        found = shape[2] if len(shape) == 3 else 1
        if len(shape) not in (2, 3) or found != self.channels:
            expected = "[h, w]" if self.channels == 1 else f"[h, w, {self.channels}]"
            raise InputError(f"the model codes images of shape {expected}, found {list(shape)}: choose another model")

    @abstractmethod
    def infer(self, x: Samples, draw: Draw, refine: int = 0) -> None:
        """Draw the latents from the posterior."""

    @abstractmethod
    def generate(self, rows: int, shape: Shape, draw: Draw) -> Samples:
        """Draw the latents from the prior, then the images."""


def known_answer(model: LatentModel, channels: int) -> str:
    """SHA-256 over the means and scales of all latents, posterior and prior, of fixed images, and over their code."""
    h, w = _ANSWER_SIDES
    shape = (h, w) if channels == 1 else (h, w, channels)
    count = 2 * int(np.prod(shape))
    x = ((np.arange(count, dtype=np.int64) * 40503 >> 4) % 256).astype(np.uint8).reshape(2, *shape)
    digest = hashlib.sha256()
    latents: dict[str, NDArray[Any]] = {}

    def draw(name: str, site: Site) -> NDArray[Any]:
        if isinstance(site, GridSite):
            digest.update(site.mean.astype("<i4").tobytes() + site.scale.astype("<i4").tobytes())
            spread = (np.arange(site.mean.size, dtype=np.int64) * 7919 >> 3) % 5 - 2
            value = np.clip((site.mean >> 6) + spread.reshape(site.mean.shape), 0, 255).astype(np.uint8)
            return latents.setdefault(name, value)
        digest.update(site.log2(x).astype("<i8").tobytes())
        return x

    model.infer(x, draw)
    model.generate(2, shape, draw)
    return digest.hexdigest()
