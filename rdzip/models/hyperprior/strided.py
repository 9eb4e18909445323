"""What finished lossy models with latents at two strides share: settings, regions, the way back to pixels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from rdzip.exact.types import Int32
from rdzip.models.hyperprior.network import FINE, NAME, HyperNet
from rdzip.models.hyperprior.slices import QUALITIES
from rdzip.models.shared.settings import SETTINGS
from rdzip.rec.settings import Settings


class StridedModel:
    """A model y at a fine stride and z at a coarse one.

    Names of latents at the finer stride begin with NAME.
    """

    halo = 3
    rec_settings: Settings | None = None

    def __init__(self, net: HyperNet, codecs: tuple[str, ...]) -> None:
        self.net, self.codecs = net.eval().requires_grad_(False), codecs
        self.stride, self.finest = net.config.stride, net.config.finest
        self.setting_count = SETTINGS - self.finest

    def setting_of(self, quality: int) -> int:
        """Setting for a quality of 1 to 100: evenly spaced steps of the quantiser, in octaves."""
        return round((QUALITIES - quality) * (self.setting_count - 1) / (QUALITIES - 1))

    def _setting_tensor(self, setting: int) -> Tensor:
        """The network's setting [1]."""
        return torch.tensor([self.finest + setting])

    def crop(self, latents: Mapping[str, Tensor], rows: slice, columns: slice) -> dict[str, Tensor]:
        """Latents of a region, given in strides."""
        fine = [slice(FINE * s.start, FINE * s.stop) for s in (rows, columns)]
        return {
            name: values[:, :, fine[0], fine[1]] if name.startswith(NAME) else values[:, :, rows, columns]
            for name, values in latents.items()
        }

    def synthesise(self, decoded: Mapping[str, Int32], setting: int) -> Tensor:
        """Picture of decoded latents; see LossyModel."""
        y = torch.from_numpy(np.ascontiguousarray(decoded[NAME]).astype(np.float32))[None]
        with torch.inference_mode():
            return self.net.picture(y, self._setting_tensor(setting))
