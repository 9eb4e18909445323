"""The lossy model "irec-code": a hierarchical VAE of pictures whose latents are coded by relative entropy coding.

Flamich, Havasi & Hernandez-Lobato 2020, section 4: normal posteriors, normal priors, transforms with divisive
normalisation. Levels are z at a stride of 64, with a prior for each channel, and groups of y at 16, each given z and
the groups before it: one group is the paper's VAE of two levels, three are one of four; without z one group is that of
one level, whose prior only knows the setting. The networks are those of
models/hyperprior/model.py: transforms in floats, the program in integers. In place of the quantiser are posteriors of
learned width, and nothing is rounded but to 1/16 of a step.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from copy import copy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rdzip.exact.devices import exact_inference
from rdzip.exact.layers import ste_round
from rdzip.exact.types import Int32
from rdzip.models.hyperprior.factorised_prior import BAND, BANDS
from rdzip.models.hyperprior.network import HYPER, NAME, HyperNet
from rdzip.models.hyperprior.slices import HYPER_GAIN, HyperConfig
from rdzip.models.hyperprior.strided import StridedModel
from rdzip.models.irec_vae.normal_site import DEVIATION_BITS, NormalGuess, NormalSite
from rdzip.models.lossy_model import Draw
from rdzip.models.shared.residual_site import SCALE_MIN, SCALES, SCALES_PER_OCTAVE
from rdzip.models.shared.settings import MEAN_MAX, UNIT
from rdzip.rec.settings import LOSSY, Settings

WIDTH_AT_FIRST = 0.29
"""Deviation of posteriors where training begins, in steps: that of rounding."""
DEVIATION_OF_SCALE = math.pi / math.sqrt(3)
"""Deviation of a logistic distribution of scale 1: scale indices are those of models/shared/residual_site.py."""
LOG_WIDTHS = (math.log(0.02), math.log(4.0))
LARGEST_DEVIATION = 1 << 26


def deviations() -> Int32:
    """Deviations of y by scale index, int32 [SCALES], in 2**-DEVIATION_BITS of 1/16 steps."""
    steps = DEVIATION_OF_SCALE * SCALE_MIN * 2.0 ** (np.arange(SCALES) / SCALES_PER_OCTAVE)
    found: Int32 = np.round(steps * UNIT * (1 << DEVIATION_BITS)).astype(np.int32)
    return found


class IrecNet(HyperNet):
    """The whole code as it trains; pictures are [n, 3, h, w] in 0..1, sides multiples of the stride."""

    def __init__(self, config: HyperConfig) -> None:
        super().__init__(config)
        if config.hyper:
            del self.prior
            self.prior_log_deviation = nn.Parameter(torch.zeros(BANDS, config.hyper))
        self.width = _widths(config.latent)
        if config.hyper:
            self.hyper_width = _widths(config.hyper)

    def posteriors(self, x: Tensor, setting: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Mean and deviation of y [n, latent, h / 16, w / 16] in steps, and of z [n, hyper, h / 64, w / 64]."""
        y, z = self.latents(x, setting)

        def width(mean: Tensor, layer: nn.Conv2d) -> Tensor:
            return torch.exp(layer(torch.asinh(mean)).clamp(*LOG_WIDTHS))

        return y, width(y, self.width), z, width(z, self.hyper_width) if self.config.hyper else z

    def hyper_deviations(self) -> Int32:
        """Deviations of z by band of settings and channel, int32 [BANDS, hyper], in 2**-DEVIATION_BITS of 1/4."""
        with torch.no_grad():
            unit = torch.exp(self.prior_log_deviation.double()) * HYPER_GAIN * (1 << DEVIATION_BITS)
        found: Int32 = unit.round().clamp(1, LARGEST_DEVIATION).cpu().numpy().astype(np.int32)
        return found

    def forward(self, x: Tensor, setting: Tensor, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
        """Pictures that are decoded, and the KL divergences of posteriors and priors in bits [n]: one sample each.

        The noise is made from the batch itself, so that a run that is resumed sees the same.
        """
        kind = x.device.type
        generator = torch.Generator().manual_seed(int(x.double().sum() * 4096) & (1 << 62) - 1)
        with torch.autocast(kind, dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
            y, y_width, z, z_width = (t.float() for t in self.posteriors(x, setting))

        def sampled(mean: Tensor, width: Tensor, unit: int) -> Tensor:
            noise = torch.randn(mean.shape, generator=generator).to(mean.device)
            return ste_round((mean + width * noise) * unit)

        nats = y.new_zeros(len(y))
        if self.config.hyper:
            log_prior = self.prior_log_deviation[torch.floor(setting / BAND).long()][:, :, None, None]
            nats = divergence(z, z_width, torch.zeros_like(z), log_prior)
        hyper_latents = sampled(z, z_width, HYPER_GAIN) * (1 / HYPER_GAIN)
        size = self.config.slice_size

        def draw(number: int, mean: Tensor, index: Tensor) -> Tensor:
            nonlocal nats
            part = slice(number * size, (number + 1) * size)
            log_deviation = index * (math.log(2) / SCALES_PER_OCTAVE) + math.log(DEVIATION_OF_SCALE * SCALE_MIN)
            nats = nats + divergence(y[:, part], y_width[:, part], mean * (1 / UNIT), log_deviation)
            return sampled(y[:, part], y_width[:, part], UNIT).clamp(-MEAN_MAX, MEAN_MAX)

        decoded = self.slices(draw, hyper_latents, setting, dtype)
        with torch.autocast(kind, dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
            found = self.picture(decoded, setting).float()
        return found, nats * (1 / math.log(2))


def _widths(channels: int) -> nn.Conv2d:
    """A layer from means to logarithms of deviations, all WIDTH_AT_FIRST."""
    layer = nn.Conv2d(channels, channels, 1)
    with torch.no_grad():
        nn.init.zeros_(layer.weight)
        layer.bias.fill_(math.log(WIDTH_AT_FIRST))  # type: ignore[union-attr]
    return layer


def divergence(mean: Tensor, width: Tensor, centre: Tensor, log_deviation: Tensor) -> Tensor:
    """KL of normal laws of mean and deviation ``width`` from those around ``centre``, in nats, summed to [n]."""
    inverse = torch.exp(-2 * log_deviation)
    each = log_deviation - torch.log(width) + 0.5 * ((width.square() + (mean - centre).square()) * inverse - 1)
    return each.flatten(1).sum(1)


class IrecModel(StridedModel):
    """A finished lossy model (models/lossy_model.py): float transforms, an exact program of integers."""

    net: IrecNet
    rec_settings: Settings

    def __init__(
        self, net: IrecNet, deviation: Int32, hyper_deviation: NDArray[np.int32], codecs: tuple[str, ...]
    ) -> None:
        super().__init__(net, codecs)
        self.deviation, self.hyper_deviation = deviation, hyper_deviation
        self.rec_settings = LOSSY
        self._site: type[NormalSite] = NormalSite

    def searching(self, rec_settings: Settings | None, *, guess: bool = False) -> IrecModel:
        """This model with other settings; see SearchedModel."""
        found = copy(self)
        found.rec_settings, found._site = rec_settings or self.rec_settings, NormalGuess if guess else NormalSite
        return found

    def analyse(self, x: Tensor, setting: int) -> dict[str, Tensor]:
        """Means and deviations of all latents of a picture; see LossyModel."""
        with torch.inference_mode():
            y, y_width, z, z_width = self.net.posteriors(x, self._setting_tensor(setting))
        return {NAME: y, "y width": y_width, HYPER: z, "z width": z_width}

    def code(self, draw: Draw, rows: int, columns: int, setting: int) -> dict[str, Int32]:
        """Run the program for a region; see LossyModel. Variables come channel by channel, row by row."""

        def values(number: int, mean: Tensor, index: Tensor) -> Tensor:
            middle, scale = (t.reshape(-1).to(torch.int32).numpy() for t in (mean, index))
            site = self._site(middle, self.deviation[scale], self.rec_settings)
            v = site.values(draw(f"{NAME}.{number}", site))  # type: ignore[arg-type]
            return torch.from_numpy(v.astype(np.float32)).view(mean.shape)

        hyper = self.net.config.hyper
        z: Int32 = np.zeros((hyper, rows, columns), np.int32)
        if hyper:
            deviation = np.repeat(self.hyper_deviation[(self.finest + setting) // BAND], rows * columns)
            site = self._site(np.zeros_like(deviation), deviation, self.rec_settings)
            z = site.values(draw(HYPER, site)).reshape(z.shape)  # type: ignore[arg-type]
        hyper_latents = torch.from_numpy(z.astype(np.float32))[None] * (1 / HYPER_GAIN)
        with exact_inference():
            y = self.net.slices(values, hyper_latents, self._setting_tensor(setting))
        return {NAME: y[0].to(torch.int32).numpy(), HYPER: z}

    def posterior(self, latents: Mapping[str, Tensor], name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and deviation of a site's values, float64 [n] each in their units, in the region of the latents."""
        if name == HYPER:
            mean, width, unit = latents[HYPER], latents["z width"], HYPER_GAIN
        else:
            number, size = int(name.split(".")[1]), self.net.config.slice_size
            part = slice(number * size, (number + 1) * size)
            mean, width, unit = latents[NAME][:, part], latents["y width"][:, part], UNIT
        m, d = (np.nan_to_num(t.reshape(-1).double().numpy()) * unit for t in (mean, width))
        return m, d

    def quantise(self, latents: Mapping[str, Tensor], name: str, site: NormalSite) -> Int32:
        """The encoder's symbols for a site of the region that the latents are of."""
        return site.choose(*self.posterior(latents, name))

    def known_answer(self) -> str:
        """SHA-256 in hex of means, deviations and values for fixed choices at three settings."""
        digest = hashlib.sha256()
        for setting in (0, self.setting_count // 2, self.setting_count - 1):

            def draw(name: str, site: NormalSite) -> Int32:
                digest.update(site.mean.astype("<i4").tobytes() + site.deviation.astype("<i4").tobytes())
                blocks = -(-len(site.mean) // 1024)
                fixed = [2] * blocks + [3] + [(7 * n + len(name)) % 36 for n in range(2 * blocks)]
                return np.array(fixed, np.int32)

            decoded = self.code(draw, 2, 3, setting)  # type: ignore[arg-type]
            for name in (NAME, HYPER):
                digest.update(decoded[name].astype("<i4").tobytes())
        return digest.hexdigest()
