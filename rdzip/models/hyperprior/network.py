"""The networks of the published hyperprior codecs as they train: transforms in floats, the program in integers."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from rdzip.exact.layers import ste_round
from rdzip.models.hyperprior.factorised_prior import FactorisedPrior
from rdzip.models.hyperprior.gdn import GdnAnalysis, GdnSynthesis, HyperAnalysis
from rdzip.models.hyperprior.slices import HyperConfig, HyperSlices
from rdzip.models.shared.residual_site import ESCAPE_BITS, SCALE_MIN, SCALES, SCALES_PER_OCTAVE
from rdzip.models.shared.settings import MEAN_MAX, STEP_MIN, UNIT, residual_bits, step_size
from rdzip.models.shared.transforms import Embedding, Gain

NAME, HYPER = "y", "z"
"""Latents, and hyper-latents."""
FINE = 4
"""Latents a stride, by row and by column."""
FINEST = STEP_MIN / 255
SYMBOL_MAX = (1 << ESCAPE_BITS) - 1
SCALE_OF_SPREAD = math.sqrt(3) / math.pi
"""Scale of a logistic distribution of standard deviation 1."""


class HyperNet(nn.Module):
    """Analysis, hyper-analysis, entropy model and synthesis.

    Pictures are [n, 3, h, w] in 0..1, sides multiples of the stride.
    """

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

    def condition(self, setting: Tensor) -> tuple[Tensor, Tensor]:
        """Step size and embedding of settings [n]."""
        size = step_size(setting)
        return size, self.embed(6 / size.flatten().square())

    def latents(self, x: Tensor, setting: Tensor) -> tuple[Tensor, Tensor]:
        """Latents [n, latent, h / 16, w / 16] in steps, and hyper-latents [n, hyper, h / 64, w / 64]."""
        size, embedding = self.condition(setting)
        y = self.analysis(x)
        if self.config.hyper:
            z = self.hyper_analysis(torch.asinh(y * (1 / FINEST))) * self.hyper_gain(embedding)
        else:
            z = y.new_zeros(len(y), 0, y.shape[2] // FINE, y.shape[3] // FINE)
        return y / size * self.gain(embedding), z

    def picture(self, decoded: Tensor, setting: Tensor) -> Tensor:
        """Pictures of decoded latents in 1/16 steps."""
        size, embedding = self.condition(setting)
        found: Tensor = self.synthesis(decoded / UNIT * size * self.inverse_gain(embedding))
        return found

    def forward(self, x: Tensor, setting: Tensor, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
        """Pictures that are decoded, and their bits [n], straight through the quantiser."""
        kind = x.device.type
        with torch.autocast(kind, dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
            y, z = (t.float() for t in self.latents(x, setting))
        whole = ste_round(z)
        bits = self.prior.bits(whole, setting)
        size = self.config.slice_size

        def draw(number: int, mean: Tensor, index: Tensor) -> Tensor:
            nonlocal bits
            symbol = ste_round(y[:, number * size : (number + 1) * size] - mean * (1 / UNIT))
            bits = bits + residual_bits(symbol, index).flatten(1).sum(1)
            return (symbol * UNIT + mean).clamp(-MEAN_MAX, MEAN_MAX)

        decoded = self.slices(draw, whole, setting, dtype)
        with torch.autocast(kind, dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
            found = self.picture(decoded, setting).float()
        return found, bits
