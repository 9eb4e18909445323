"""Bit-Swap's model: a Markov chain of latents with convolutional networks (Kingma, Abbeel & Ho 2019, section 3).

    q(z_1|x) q(z_2|z_1) ... q(z_L|z_{L-1})   and   p(z_L) p(z_{L-1}|z_L) ... p(z_1|z_2) p(x|z_1)

Latents are logistic on a grid of 256 values; the prior of the last is logistic of the scale of 16 grid steps. A level
may have half the size of the one below.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rdzip.entropy.cdf import MixtureTables
from rdzip.exact.convolution import depth_to_space, space_to_depth
from rdzip.models.conv_vae import grid
from rdzip.models.conv_vae.blocks import LATENT_GAIN, ConvModel, Net, begin_narrow, latent, site, squeezed, tensor
from rdzip.models.conv_vae.grid import CENTRE
from rdzip.models.conv_vae.pixel_head import HeadConfig, PixelHead, PixelSite, document_of
from rdzip.models.latent_model import SAMPLE, Draw, Samples, Shape
from rdzip.models.shared.sites import GridSite, Site
from rdzip.models.shared.units import MEAN_UNIT

TOP_SCALE = 48
"""Index of the scale of the last latent's prior: 15.4 steps."""


@dataclass(frozen=True)
class BitSwapConfig:
    """channels of the image; of the latents of each level; which levels have half the size of the one below; widths.

    blocks: residual blocks of the networks of a level; image_blocks: of the two next to the image.
    """

    channels: int
    latents: tuple[int, ...]
    halved: tuple[int, ...] = ()
    width: int = 64
    blocks: int = 1
    image_blocks: int = 3
    head: int = 48
    head_blocks: int = 1
    components: int = 2
    autoregressive: bool = False

    def as_dict(self) -> dict[str, Any]:
        """The fields as plain values, for the model file."""
        return document_of(asdict(self))

    @property
    def multiple(self) -> int:
        """What height and width of images are padded to multiples of."""
        return 2 << len(self.halved)

    def size(self, level: int, shape: Shape) -> tuple[int, int]:
        """Height and width of the latents of a level 1..L for images of this shape."""
        down = 1 + sum(1 for other in self.halved if other <= level)
        h, w = (-(-side // self.multiple) * self.multiple >> down for side in shape[:2])
        return h, w


class BitSwapNet(nn.Module):
    """The networks: infer[l] of q(z_{l+1}|z_l), generate[l] of p(z_l|z_{l+1}), with z_0 the image; and the head."""

    def __init__(self, config: BitSwapConfig) -> None:
        super().__init__()
        self.config = c = config
        infer, generate = [], []
        for level, channels in enumerate(c.latents, 1):
            below = c.latents[level - 2] if level > 1 else 4 * c.channels
            factor = 4 if level in c.halved else 1
            blocks = c.image_blocks if level == 1 else c.blocks
            gain = LATENT_GAIN if level > 1 else 1.0
            infer.append(Net(below * factor, 2 * channels, c.width, blocks, gain))
            generate.append(Net(channels, 2 * below * factor if level > 1 else 1, c.width, blocks, LATENT_GAIN))
            begin_narrow(infer[-1].out)
        self.infer, self.generate = nn.ModuleList(infer), nn.ModuleList(generate)
        del cast(Net, self.generate[0]).out  # the head takes its place
        self.head = PixelHead(HeadConfig(c.channels, c.width, c.head, c.head_blocks, c.components, c.autoregressive))

    def inferred(self, level: int, below: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Mean and scale of q(z_level | below), below [n, c, h, w], the image as blocks for level 1."""
        if level in self.config.halved:
            below = space_to_depth(below)
        return latent(self.infer[level - 1](below, dtype))

    def generated(self, level: int, above: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Mean and scale of p(z_level | z_{level+1}), level 1..L-1."""
        mean, scale = latent(self.generate[level](above, dtype))
        return (depth_to_space(mean), depth_to_space(scale)) if level + 1 in self.config.halved else (mean, scale)

    def features(self, z: Tensor, dtype: torch.dtype) -> Tensor:
        """Features for the head from z_1."""
        return cast(Net, self.generate[0]).stream(z, dtype)

    def losses(
        self, x: Tensor, dtype: torch.dtype, generator: torch.Generator | None
    ) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """Bits, each [n], of images x [n, c, h, w]: -log2 p(x|z_1); by level log2 q - log2 p; by level -log2 q."""
        below, z, inference = space_to_depth(x), [], []
        for level in range(1, len(self.config.latents) + 1):
            mean, scale = self.inferred(level, below, dtype)
            below = grid.sample(mean, scale, generator)
            z.append(below)
            inference.append(grid.bits(mean, scale, below).flatten(1).sum(1))
        terms = []
        for level in range(1, len(z) + 1):
            if level < len(z):
                mean, scale = self.generated(level, z[level], dtype)
            else:
                mean = torch.full_like(z[-1], CENTRE * MEAN_UNIT)
                scale = torch.full_like(z[-1], TOP_SCALE)
            terms.append(grid.bits(mean, scale, z[level - 1]).flatten(1).sum(1) - inference[level - 1])
        return self.head.bits(self.features(z[0], dtype), x, dtype), terms, inference


class BitSwapModel(ConvModel):
    """A finished model: sites for the codecs. See models/latent_model.py for what the methods do."""

    def __init__(self, net: BitSwapNet, tables: MixtureTables) -> None:
        super().__init__(tables, net.config.channels)
        self.net = net.eval()
        self.levels = len(net.config.latents)

    def infer_site(self, level: int, below: NDArray[Any]) -> Site:
        """q(z_level | z_{level-1})."""
        x = squeezed(below, self.net.config.multiple) if level == 1 else tensor(below)
        with torch.inference_mode():
            return site(self.tables, *self.net.inferred(level, x, torch.float32))

    def generate_site(self, level: int, above: NDArray[Any], shape: Shape) -> Site:
        """p(z_level | z_{level+1}), the image for level 0."""
        with torch.inference_mode():
            if level:
                return site(self.tables, *self.net.generated(level, tensor(above), torch.float32))
            return PixelSite(self.net.head, self.tables, self.net.features(tensor(above), torch.float32), shape)

    def top_site(self, rows: int, shape: Shape) -> Site:
        """p(z_L)."""
        config = self.net.config
        size = (rows, config.latents[-1], *config.size(self.levels, shape))
        return GridSite(
            self.tables, np.full(size, CENTRE * MEAN_UNIT, np.int32), np.full(size, TOP_SCALE, np.int32), False
        )

    def infer(self, x: Samples, draw: Draw, refine: int = 0) -> None:
        """Draw z_1, z_2, ... from the posterior."""
        below: NDArray[Any] = x
        for level in range(1, self.levels + 1):
            below = draw(f"z{level}", self.infer_site(level, below))

    def generate(self, rows: int, shape: Shape, draw: Draw) -> Samples:
        """Draw z_L, ..., z_1 and the images."""
        above = draw(f"z{self.levels}", self.top_site(rows, shape))
        for level in range(self.levels - 1, 0, -1):
            above = draw(f"z{level}", self.generate_site(level, above, shape))
        return draw(SAMPLE, self.generate_site(0, above, shape))
