"""The lossy model "transform-code": a lapped transform that networks correct, quantised, with distributions by slices.

Analysis and synthesis (models/shared/transforms.py) compute in floats: only encoders and eyes see them. The quantiser
rounds what is left of a latent after the mean that models/lapped_transform/slices.py predicts, towards 0 where bits
cost more than the error, and everything that the program of a decoder depends on is integer. One network serves all
settings: its step is STEP_MIN * 2**(OCTAVES * setting / 255) of 0..255.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rdzip.exact.devices import exact_inference
from rdzip.exact.types import Int32
from rdzip.models.lapped_transform.lapped import LappedTransform
from rdzip.models.lapped_transform.scan import Pass
from rdzip.models.lapped_transform.slices import SliceConfig, SliceNet
from rdzip.models.lossy_model import Draw
from rdzip.models.shared.residual_site import SCALE_MIN, SCALES_PER_OCTAVE, ResidualSite, ResidualTables
from rdzip.models.shared.settings import MEAN_MAX, SETTINGS, STEP_MIN, UNIT, residual_bits, step_size
from rdzip.models.shared.transforms import Analysis, Embedding, Shrink, Synthesis
from rdzip.rec.settings import Settings

LAGRANGE = 7.5
"""Bits that are worth a squared error of one step squared: 6 / ln 2 at high rates, a little less with a dead zone."""
NAME = "y"


@dataclass(frozen=True)
class CodeConfig:
    """widths: features of the transforms at strides 2, 4, 8; blocks: of residual layers at each; slices: see
    SliceConfig."""

    widths: tuple[int, ...] = (32, 64, 128)
    blocks: int = 2
    slices: SliceConfig = field(default_factory=SliceConfig)

    @property
    def stride(self) -> int:
        """Side of the blocks in pixels."""
        return int(2 ** len(self.widths))

    def as_dict(self) -> dict[str, Any]:
        """As a model file's document has it."""
        return asdict(self) | {"widths": list(self.widths), "slices": self.slices.as_dict()}


def chosen(residual: Tensor, index: Tensor) -> Tensor:
    """Whole numbers for residuals in steps: the nearest or the next towards 0, whichever costs less; no gradient."""
    near = torch.floor(residual + 0.5)
    less = near - near.sign()
    cost = residual_bits(near, index) + LAGRANGE * (residual - near) ** 2
    other = residual_bits(less, index) + LAGRANGE * (residual - less) ** 2
    return torch.where((other < cost) & (near != 0), less, near)


class TransformNet(nn.Module):
    """The whole code as it trains; pictures are [n, 3, h, w] in 0..1, sides multiples of the stride."""

    def __init__(self, config: CodeConfig) -> None:
        super().__init__()
        self.config = config
        channels = sum(config.slices.slices)
        self.linear = LappedTransform(channels)
        self.embed = Embedding()
        self.analysis = Analysis(self.linear, 3, config.widths, config.blocks)
        self.synthesis = Synthesis(self.linear, 3, config.widths, config.blocks)
        usual = SCALES_PER_OCTAVE * torch.log2(0.4 * self.linear.spread.flatten() * 255 / STEP_MIN / SCALE_MIN)
        self.slices = SliceNet(config.slices, torch.round(255 * usual))
        self.shrink = Shrink(channels, config.slices.slices[0])

    def condition(self, setting: Tensor) -> tuple[Tensor, Tensor]:
        """Step size and embedding of settings [n]."""
        size = step_size(setting)
        return size, self.embed(6 / size.flatten().square())

    def latents(self, x: Tensor, setting: Tensor) -> Tensor:
        """Latents [n, channels, h / stride, w / stride] in steps."""
        return self.analysis(x, *self.condition(setting))  # type: ignore[no-any-return]

    def picture(self, decoded: Tensor, setting: Tensor) -> Tensor:
        """Pictures of decoded latents in 1/16 steps."""
        return self.synthesis(self.shrink(decoded / UNIT), *self.condition(setting))  # type: ignore[no-any-return]

    def forward(self, x: Tensor, setting: Tensor, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
        """Pictures that are decoded, and their bits [n], straight through the quantiser."""
        kind = x.device.type
        with torch.autocast(kind, dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
            y = self.latents(x, setting).float()
        n, channels, rows, columns = y.shape
        flat = y.view(n, channels, -1)
        bits: list[Tensor] = []
        starts = [sum(self.config.slices.slices[:i]) for i in range(len(self.config.slices.slices))]

        def draw(name: str, at: Pass, mean: Tensor, index: Tensor) -> Tensor:
            first = starts[int(name.split(".")[0])]
            residual = flat[:, first : first + mean.shape[1], at.places] - mean * (1 / UNIT)
            with torch.no_grad():
                whole = chosen(residual, index)
            symbol = residual + (whole - residual).detach()
            bits.append(residual_bits(symbol, index).flatten(1).sum(1))
            return (symbol * UNIT + mean).clamp(-MEAN_MAX, MEAN_MAX)

        decoded = self.slices(draw, setting, rows, columns, dtype)
        with torch.autocast(kind, dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
            found = self.picture(decoded, setting).float()
        return found, torch.stack(bits).sum(0)


class TransformModel:
    """A finished lossy model (models/lossy_model.py): float transforms, an exact program of integers."""

    setting_count = SETTINGS
    halo = 8
    rec_settings: Settings | None = None

    def __init__(self, net: TransformNet, tables: ResidualTables, codecs: tuple[str, ...] = ("channel-ar",)) -> None:
        self.net, self.tables, self.codecs = net.eval().requires_grad_(False), tables, codecs
        self.stride = net.config.stride
        self._sizes = net.config.slices.slices
        self._starts = [sum(self._sizes[:i]) for i in range(len(self._sizes))]
        self._places: dict[str, Tensor] = {}

    def setting_of(self, quality: int) -> int:
        """Setting for a quality of 1 to 100: evenly spaced steps of the quantiser, in octaves."""
        return round((100 - quality) * (SETTINGS - 1) / 99)

    def analyse(self, x: Tensor, setting: int) -> dict[str, Tensor]:
        """Latents of a picture; see LossyModel."""
        with torch.inference_mode():
            return {NAME: self.net.latents(x, torch.tensor([float(setting)], device=x.device)).float()}

    def crop(self, latents: Mapping[str, Tensor], rows: slice, columns: slice) -> dict[str, Tensor]:
        """Latents of a region, given in strides."""
        return {name: y[:, :, rows, columns] for name, y in latents.items()}

    def code(self, draw: Draw, rows: int, columns: int, setting: int) -> dict[str, Int32]:
        """Run the program for a region; see LossyModel. Symbols come channel by channel."""
        device = self.net.slices.base.device

        def values(name: str, at: Pass, mean: Tensor, index: Tensor) -> Tensor:
            middle, scale = (t.reshape(-1).to(torch.int32).cpu().numpy() for t in (mean, index))
            self._places[name] = at.places
            symbols = draw(name, ResidualSite(self.tables, scale, middle))
            v = np.clip(symbols.astype(np.int64) * UNIT + middle, -MEAN_MAX, MEAN_MAX)
            return torch.from_numpy(v.astype(np.float32)).to(device).view(mean.shape)

        with exact_inference():
            y = self.net.slices(values, torch.tensor([setting], device=device), rows, columns)
        return {NAME: y[0].to(torch.int32).cpu().numpy()}

    def quantise(self, latents: Mapping[str, Tensor], name: str, site: ResidualSite) -> Int32:
        """The encoder's symbols for a site of the region that the latents are of."""
        number = int(name.split(".")[0])
        first, places = self._starts[number], self._places[name]
        y = latents[NAME][0].flatten(1)[first : first + self._sizes[number], places].reshape(-1).cpu()
        index = torch.from_numpy(site.scale).float()
        with torch.inference_mode():
            found = chosen(y - torch.from_numpy(site.mean).float() / UNIT, index)
        symbols: Int32 = found.to(torch.int32).numpy()
        return symbols

    def synthesise(self, decoded: Mapping[str, Int32], setting: int) -> Tensor:
        """Picture of decoded latents; see LossyModel."""
        device = self.net.slices.base.device
        y = torch.from_numpy(np.ascontiguousarray(decoded[NAME]).astype(np.float32)).to(device)[None]
        with torch.inference_mode():
            return self.net.picture(y, torch.tensor([float(setting)], device=device)).float()

    def known_answer(self) -> str:
        """SHA-256 in hex of means and scales for fixed symbols at three settings."""
        digest = hashlib.sha256()
        for setting in (0, 100, SETTINGS - 1):

            def draw(name: str, site: ResidualSite) -> Int32:
                digest.update(site.mean.astype("<i4").tobytes() + site.scale.astype("<i4").tobytes())
                places = np.arange(len(site.scale), dtype=np.int64)
                spread = (places * 2654435761 >> 7) % (2 * site.scale.astype(np.int64) + 1) - site.scale
                symbols: Int32 = (spread >> 2).astype(np.int32)
                return symbols

            decoded = self.code(draw, 11, 13, setting)
            digest.update(decoded[NAME].astype("<i4").tobytes())
        return digest.hexdigest()
