"""The lossy model "hyper-code": the published hyperprior codecs, for all settings with one network.

With one slice and no prediction of quantisation errors it is the mean-scale hyperprior of Minnen, Balle and Toderici
2018, with several the channel-wise autoregressive codec of Minnen and Singh 2020. Analysis, synthesis and
hyper-analysis (models/hyperprior/gdn.py) compute in floats: only encoders and eyes see them. All that a decoder's
program depends on is integer (models/hyperprior/slices.py). Settings and steps are those of
models/lapped_transform/model.py; gains by channel and setting come before the quantiser and after it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from rdzip.exact.devices import exactly
from rdzip.exact.layers import ste_round
from rdzip.exact.types import Int32
from rdzip.models.hyperprior.factorised_prior import ChannelSite, ChannelTables, FactorisedPrior, row_of
from rdzip.models.hyperprior.gdn import GdnAnalysis, GdnSynthesis, HyperAnalysis
from rdzip.models.hyperprior.slices import QUALITIES, HyperConfig, HyperSlices
from rdzip.models.lapped_transform.model import STEP_MIN, residual_bits, step_size
from rdzip.models.lapped_transform.slices import MEAN_MAX, SETTINGS, UNIT
from rdzip.models.lossy_model import Draw
from rdzip.models.shared.residual_site import (
    ESCAPE_BITS,
    SCALE_MIN,
    SCALES,
    SCALES_PER_OCTAVE,
    ResidualSite,
    ResidualTables,
)
from rdzip.models.shared.transforms import Embedding, Gain
from rdzip.rec.settings import Settings

NAME, HYPER = "y", "z"
FINE = 4
"""Latents a stride, by row and by column."""
FINEST = STEP_MIN / 255
SYMBOL_MAX = (1 << ESCAPE_BITS) - 1
SCALE_OF_SPREAD = math.sqrt(3) / math.pi
"""Scale of a logistic distribution of standard deviation 1."""


class HyperNet(nn.Module):
    """The whole code as it trains; pictures are [n, 3, h, w] in 0..1, sides multiples of the stride."""

    def __init__(self, config: HyperConfig) -> None:
        super().__init__()
        self.config = config
        self.embed = Embedding()
        self.analysis = GdnAnalysis(config.width, config.latent)
        self.synthesis = GdnSynthesis(config.width, config.latent)
        self.gain, self.inverse_gain = Gain(config.latent), Gain(config.latent)
        if config.hyper:
            self.hyper_analysis = HyperAnalysis(config.latent, config.hyper_analysis, config.hyper)
            self.hyper_gain = Gain(config.hyper)
            self.prior = FactorisedPrior(config.hyper)
        scale = SCALE_OF_SPREAD / FINEST / SCALE_MIN * self.analysis.spread
        self.slices = HyperSlices(config, (SCALES_PER_OCTAVE * torch.log2(scale.clamp_min(1))).clamp_max(SCALES - 1))

    def setting(self, step: Tensor) -> tuple[Tensor, Tensor]:
        """Step size and embedding of settings [n]."""
        size = step_size(step)
        return size, self.embed(6 / size.flatten().square())

    def latents(self, x: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
        """Latents [n, latent, h / 16, w / 16] in steps, and hyper-latents [n, hyper, h / 64, w / 64]."""
        size, embedding = self.setting(step)
        y = self.analysis(x)
        if self.config.hyper:
            z = self.hyper_analysis(torch.asinh(y * (1 / FINEST))) * self.hyper_gain(embedding)
        else:
            z = y.new_zeros(len(y), 0, y.shape[2] // FINE, y.shape[3] // FINE)
        return y / size * self.gain(embedding), z

    def picture(self, decoded: Tensor, step: Tensor) -> Tensor:
        """Pictures of decoded latents in 1/16 steps."""
        size, embedding = self.setting(step)
        found: Tensor = self.synthesis(decoded / UNIT * size * self.inverse_gain(embedding))
        return found

    def forward(self, x: Tensor, step: Tensor, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
        """Pictures that are decoded, and their bits [n], straight through the quantiser."""
        kind = x.device.type
        with torch.autocast(kind, dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
            y, z = (t.float() for t in self.latents(x, step))
        whole = ste_round(z)
        bits = self.prior.bits(whole, step)
        size = self.config.slice_size

        def draw(number: int, mean: Tensor, index: Tensor) -> Tensor:
            nonlocal bits
            symbol = ste_round(y[:, number * size : (number + 1) * size] - mean * (1 / UNIT))
            bits = bits + residual_bits(symbol, index).flatten(1).sum(1)
            return (symbol * UNIT + mean).clamp(-MEAN_MAX, MEAN_MAX)

        decoded = self.slices(draw, whole, step, dtype)
        with torch.autocast(kind, dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
            found = self.picture(decoded, step).float()
        return found, bits


class StridedModel:
    """What finished models with latents at two strides share: settings, regions, the way back to pixels.

    Names of latents at the finer stride begin with NAME.
    """

    halo = 3
    settings: Settings | None = None

    def __init__(self, net: HyperNet, codecs: tuple[str, ...]) -> None:
        self.net, self.codecs = net.eval().requires_grad_(False), codecs
        self.stride, self.finest = net.config.stride, net.config.finest
        self.steps = SETTINGS - self.finest

    def step_of(self, quality: int) -> int:
        """Setting for a quality of 1 to 100: evenly spaced steps of the quantiser, in octaves."""
        return round((QUALITIES - quality) * (self.steps - 1) / (QUALITIES - 1))

    def _setting(self, step: int) -> Tensor:
        """The network's setting [1]."""
        return torch.tensor([self.finest + step])

    def crop(self, latents: Mapping[str, Tensor], rows: slice, columns: slice) -> dict[str, Tensor]:
        """Latents of a region, given in strides."""
        fine = [slice(FINE * s.start, FINE * s.stop) for s in (rows, columns)]
        return {
            name: values[:, :, fine[0], fine[1]] if name.startswith(NAME) else values[:, :, rows, columns]
            for name, values in latents.items()
        }

    def synthesise(self, decoded: Mapping[str, Int32], step: int) -> Tensor:
        """Picture of decoded latents; see LossyModel."""
        y = torch.from_numpy(np.ascontiguousarray(decoded[NAME]).astype(np.float32))[None]
        with torch.inference_mode():
            return self.net.picture(y, self._setting(step))


class HyperModel(StridedModel):
    """A finished lossy model (models/lossy_model.py): float transforms, an exact program of integers."""

    def __init__(
        self, net: HyperNet, tables: ResidualTables, hyper_tables: ChannelTables, codecs: tuple[str, ...]
    ) -> None:
        super().__init__(net, codecs)
        self.tables, self.hyper_tables = tables, hyper_tables

    def analyse(self, x: Tensor, step: int) -> dict[str, Tensor]:
        """Latents and hyper-latents of a picture; see LossyModel."""
        with torch.inference_mode():
            y, z = self.net.latents(x, self._setting(step))
        return {NAME: y, HYPER: z}

    def code(self, draw: Draw, rows: int, columns: int, step: int) -> dict[str, Int32]:
        """Run the program for a region; see LossyModel. Symbols come channel by channel."""
        hyper = self.net.config.hyper

        def values(number: int, mean: Tensor, index: Tensor) -> Tensor:
            middle, scale = (t.reshape(-1).to(torch.int32).numpy() for t in (mean, index))
            symbols = draw(f"{NAME}.{number}", ResidualSite(self.tables, scale, middle))
            v = np.clip(symbols.astype(np.int64) * UNIT + middle, -MEAN_MAX, MEAN_MAX)
            return torch.from_numpy(v.astype(np.float32)).view(mean.shape)

        row = np.repeat(row_of(self.finest + step, hyper), rows * columns)
        z = draw(HYPER, ChannelSite(self.hyper_tables, row, np.zeros_like(row))).reshape(hyper, rows, columns)
        with exactly():
            y = self.net.slices(values, torch.from_numpy(z.astype(np.float32))[None], self._setting(step))
        return {NAME: y[0].to(torch.int32).numpy(), HYPER: z}

    def quantise(self, latents: Mapping[str, Tensor], name: str, site: ResidualSite) -> Int32:
        """The encoder's symbols for a site of the region that the latents are of: the nearest whole numbers."""
        if name == HYPER:
            values = latents[HYPER]
        else:
            number, size = int(name.split(".")[1]), self.net.config.slice_size
            values = latents[NAME][:, number * size : (number + 1) * size]
        residual = values.reshape(-1).double().numpy() - site.mean * (1 / UNIT)
        found: Int32 = np.clip(np.rint(np.nan_to_num(residual)), -SYMBOL_MAX, SYMBOL_MAX).astype(np.int32)
        return found

    def known_answer(self) -> str:
        """SHA-256 in hex of means and scales for fixed symbols at three settings."""
        digest = hashlib.sha256()
        for step in (0, self.steps // 2, self.steps - 1):

            def draw(name: str, site: ResidualSite) -> Int32:
                digest.update(site.mean.astype("<i4").tobytes() + site.scale.astype("<i4").tobytes())
                places = np.arange(len(site.scale), dtype=np.int64)
                most = np.int64(9) if name == HYPER else site.scale.astype(np.int64)
                symbols: Int32 = ((places * 2654435761 >> 7) % (2 * most + 1) - most >> 2).astype(np.int32)
                return symbols

            decoded = self.code(draw, 2, 3, step)
            for name in (NAME, HYPER):
                digest.update(decoded[name].astype("<i4").tobytes())
        return digest.hexdigest()
