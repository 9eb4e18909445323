"""Bidirectional ResNet VAE in the manner of HiLLoC (Townsend, Bird, Kunze & Barber 2020; Kingma et al. 2016, sec. 4).

A deterministic path goes up from the image; a stochastic one goes down, where each level first adds a latent group,
    p(z_l | z_{>l}) from the stream h,   q(z_l | z_{>l}, x) from h and the features of the way up, relative to p,
and then a residual block. Levels lie at 1/2, 1/4, ... of the image's size; the first stream is a learned constant, so
that images of any size can be coded.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from rdzip.entropy.cdf import MixtureTables
from rdzip.exact.convolution import QuantisedConv, depth_to_space, requantise, space_to_depth
from rdzip.exact.integers import INPUT_MAX
from rdzip.exact.layers import activate
from rdzip.models.conv_vae import grid
from rdzip.models.conv_vae.blocks import LATENT_GAIN, Blocks, ConvModel, begin_narrow, latent, site, squeezed, tensor
from rdzip.models.conv_vae.grid import CENTRE
from rdzip.models.conv_vae.pixel_head import HeadConfig, PixelHead, PixelSite, document_of
from rdzip.models.latent_model import SAMPLE, Draw, Samples, Shape


@dataclass(frozen=True)
class ResNetConfig:
    """channels of the image; levels: latent channels of the levels of each scale 1/2, 1/4, ...; widths and depths."""

    channels: int
    levels: tuple[tuple[int, ...], ...]
    width: int = 64
    blocks: int = 1
    head: int = 64
    head_blocks: int = 1
    components: int = 2
    autoregressive: bool = True

    def as_dict(self) -> dict[str, Any]:
        """The fields as plain values, for the model file."""
        return document_of(asdict(self)) | {"levels": [list(scale) for scale in self.levels]}

    @property
    def multiple(self) -> int:
        """What height and width of images are padded to multiples of."""
        return 1 << len(self.levels)


class Level(nn.Module):
    """One level of the way down."""

    def __init__(self, width: int, channels: int, blocks: int) -> None:
        super().__init__()
        self.prior = QuantisedConv(width, 2 * channels, gain=0.3)
        self.posterior = QuantisedConv(width, 2 * channels, gain=0.3)
        self.inject = QuantisedConv(channels, width, gain=LATENT_GAIN, input_max=INPUT_MAX + 1)
        begin_narrow(self.posterior)
        self.blocks = Blocks(width, blocks)

    def priors(self, h: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Mean and scale of p(z | h)."""
        return latent(self.prior(activate(h, dtype=dtype)))

    def posteriors(
        self, h: Tensor, up: Tensor, prior: tuple[Tensor, Tensor], dtype: torch.dtype
    ) -> tuple[Tensor, Tensor]:
        """Mean and scale of q(z | h, up), relative to those of the prior."""
        return latent(self.posterior(activate(requantise(h + up), dtype=dtype)), *prior)

    def advance(self, h: Tensor, z: Tensor, dtype: torch.dtype) -> Tensor:
        """The stream after the latents z [n, c, h, w] in 0..255."""
        return cast(Tensor, self.blocks(requantise(h + self.inject((z - CENTRE).to(dtype))), dtype))


class ResNetVae(nn.Module):
    """The networks of all levels; index 0 is the largest scale, 1/2."""

    def __init__(self, config: ResNetConfig) -> None:
        super().__init__()
        self.config = c = config
        self.stem = QuantisedConv(4 * c.channels, c.width, input_max=INPUT_MAX + 1)
        self.up = nn.ModuleList(nn.ModuleList(Blocks(c.width, c.blocks) for _ in scale) for scale in c.levels)
        self.shrink = nn.ModuleList(QuantisedConv(4 * c.width, c.width, 1) for _ in c.levels[1:])
        self.grow = nn.ModuleList(QuantisedConv(c.width, 4 * c.width, 1) for _ in c.levels[1:])
        self.down = nn.ModuleList(
            nn.ModuleList(Level(c.width, channels, c.blocks) for channels in scale) for scale in c.levels
        )
        self.start = QuantisedConv(1, c.width, 1, input_max=1)
        with torch.no_grad():
            self.start.bias.uniform_(0, 64)
        self.head = PixelHead(HeadConfig(c.channels, c.width, c.head, c.head_blocks, c.components, c.autoregressive))

    def upwards(self, x: Tensor, dtype: torch.dtype) -> list[list[Tensor]]:
        """Features [n, width, h, w] of every level of the way up, from images as blocks [n, 4c, h, w]."""
        h = requantise(self.stem((x - CENTRE).to(dtype)))
        features = []
        for number, scale in enumerate(self.up):
            if number:
                h = requantise(self.shrink[number - 1](activate(space_to_depth(h), dtype=dtype)))
            found = []
            for blocks in cast(nn.ModuleList, scale):
                h = blocks(h, dtype)
                found.append(h)
            features.append(found)
        return features

    def first(self, n: int, h: int, w: int, device: torch.device) -> Tensor:
        """The stream before the first level, for features of h x w positions at half the image's size."""
        down = len(self.config.levels) - 1
        return requantise(self.start(torch.zeros(n, 1, h >> down, w >> down, device=device)))

    def larger(self, number: int, h: Tensor, dtype: torch.dtype) -> Tensor:
        """The stream at scale ``number`` from that at the next smaller one."""
        return depth_to_space(requantise(self.grow[number](activate(h, dtype=dtype))))

    def order(self) -> list[tuple[int, int]]:
        """Levels (scale, number) in the order of the way down."""
        return [(s, i) for s in range(len(self.config.levels) - 1, -1, -1)
                for i in range(len(self.config.levels[s]) - 1, -1, -1)]  # fmt: skip

    def level(self, scale: int, number: int) -> Level:
        """One level of the way down."""
        return cast(Level, cast(nn.ModuleList, self.down[scale])[number])

    def losses(
        self, x: Tensor, dtype: torch.dtype, generator: torch.Generator | None
    ) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """Bits, each [n], of images x [n, c, h, w]: -log2 p(x|z); by level log2 q - log2 p; by level -log2 q."""
        blocks = space_to_depth(x)
        up = self.upwards(blocks, dtype)
        h = self.first(len(x), blocks.shape[2], blocks.shape[3], x.device)
        terms, taken, scale = [], list[Tensor](), len(self.config.levels) - 1
        for s, i in self.order():
            if s != scale:
                h, scale = self.larger(s, h, dtype), s
            level = self.level(s, i)
            prior = level.priors(h, dtype)
            posterior = level.posteriors(h, up[s][i], prior, dtype)
            z = grid.sample(*posterior, generator)
            taken.append(grid.bits(*posterior, z).flatten(1).sum(1))
            terms.append(grid.bits(*prior, z).flatten(1).sum(1) - taken[-1])
            h = level.advance(h, z, dtype)
        return self.head.bits(h, x, dtype), terms, taken


class ResNetModel(ConvModel):
    """A finished model: sites for the codecs. See models/latent_model.py for what the methods do."""

    def __init__(self, net: ResNetVae, tables: MixtureTables) -> None:
        super().__init__(tables, net.config.channels)
        self.net = net.eval()

    def _descend(self, rows: int, shape: Shape, draw: Draw, up: list[list[Tensor]] | None) -> Tensor:
        """Go down and draw the latents, from the posterior if the features of the way up are given; the last stream."""
        with torch.inference_mode():
            multiple = self.net.config.multiple
            h, w = (-(-side // multiple) * multiple // 2 for side in shape[:2])
            stream, scale = self.net.first(rows, h, w, torch.device("cpu")), len(self.net.config.levels) - 1
            for s, i in self.net.order():
                if s != scale:
                    stream, scale = self.net.larger(s, stream, torch.float32), s
                level = self.net.level(s, i)
                found = level.priors(stream, torch.float32)
                if up is not None:
                    found = level.posteriors(stream, up[s][i], found, torch.float32)
                z = draw(f"z{s}.{i}", site(self.tables, *found))
                if up is None or (s, i) != (0, 0):
                    stream = level.advance(stream, tensor(z), torch.float32)
            return stream

    def infer(self, x: Samples, draw: Draw, refine: int = 0) -> None:
        """Draw the latents from the posterior, from the smallest scale on."""
        with torch.inference_mode():
            up = self.net.upwards(squeezed(x, self.net.config.multiple), torch.float32)
        self._descend(len(x), x.shape[1:], draw, up)

    def generate(self, rows: int, shape: Shape, draw: Draw) -> Samples:
        """Draw the latents from the prior, from the smallest scale on, then the images."""
        features = self._descend(rows, shape, draw, None)
        return draw(SAMPLE, PixelSite(self.net.head, self.tables, features, shape))
