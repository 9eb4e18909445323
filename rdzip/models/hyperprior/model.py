"""The lossy model "hyper-code": the published hyperprior codecs, for all settings with one network.

With one slice and no prediction of quantisation errors it is the mean-scale hyperprior of Minnen, Balle and Toderici
2018, with several the channel-wise autoregressive codec of Minnen and Singh 2020. Analysis, synthesis and
hyper-analysis (models/hyperprior/gdn.py) compute in floats: only encoders and eyes see them. All that a decoder's
program depends on is integer (models/hyperprior/slices.py). Settings and steps are those of
models/shared/settings.py; gains by channel and setting come before the quantiser and after it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from rdzip.exact.devices import exact_inference
from rdzip.exact.types import Int32
from rdzip.models.hyperprior.factorised_prior import ChannelSite, ChannelTables, row_of
from rdzip.models.hyperprior.network import HYPER, NAME, SYMBOL_MAX, HyperNet
from rdzip.models.hyperprior.strided import StridedModel
from rdzip.models.lossy_model import Draw
from rdzip.models.shared.residual_site import ResidualSite, ResidualTables
from rdzip.models.shared.settings import MEAN_MAX, UNIT


class HyperModel(StridedModel):
    """A finished lossy model (models/lossy_model.py): float transforms, an exact program of integers."""

    def __init__(
        self, net: HyperNet, tables: ResidualTables, hyper_tables: ChannelTables, codecs: tuple[str, ...]
    ) -> None:
        super().__init__(net, codecs)
        self.tables, self.hyper_tables = tables, hyper_tables

    def analyse(self, x: Tensor, setting: int) -> dict[str, Tensor]:
        """Latents and hyper-latents of a picture; see LossyModel."""
        with torch.inference_mode():
            y, z = self.net.latents(x, self._setting_tensor(setting))
        return {NAME: y, HYPER: z}

    def code(self, draw: Draw, rows: int, columns: int, setting: int) -> dict[str, Int32]:
        """Run the program for a region; see LossyModel. Symbols come channel by channel."""
        hyper = self.net.config.hyper

        def values(number: int, mean: Tensor, index: Tensor) -> Tensor:
            middle, scale = (t.reshape(-1).to(torch.int32).numpy() for t in (mean, index))
            symbols = draw(f"{NAME}.{number}", ResidualSite(self.tables, scale, middle))
            v = np.clip(symbols.astype(np.int64) * UNIT + middle, -MEAN_MAX, MEAN_MAX)
            return torch.from_numpy(v.astype(np.float32)).view(mean.shape)

        row = np.repeat(row_of(self.finest + setting, hyper), rows * columns)
        z = draw(HYPER, ChannelSite(self.hyper_tables, row, np.zeros_like(row))).reshape(hyper, rows, columns)
        with exact_inference():
            y = self.net.slices(values, torch.from_numpy(z.astype(np.float32))[None], self._setting_tensor(setting))
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
        for setting in (0, self.setting_count // 2, self.setting_count - 1):

            def draw(name: str, site: ResidualSite) -> Int32:
                digest.update(site.mean.astype("<i4").tobytes() + site.scale.astype("<i4").tobytes())
                places = np.arange(len(site.scale), dtype=np.int64)
                most = np.int64(9) if name == HYPER else site.scale.astype(np.int64)
                symbols: Int32 = ((places * 2654435761 >> 7) % (2 * most + 1) - most >> 2).astype(np.int32)
                return symbols

            decoded = self.code(draw, 2, 3, setting)
            for name in (NAME, HYPER):
                digest.update(decoded[name].astype("<i4").tobytes())
        return digest.hexdigest()
