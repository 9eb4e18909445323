"""A lossy model without weights: an orthonormal 8 x 8 DCT of three orthonormal colours, fixed scales by frequency.

`filtered` adds a filter before and behind it that sees beyond blocks, so that seams would show. `registered` lets files
of it be loaded; `write` makes such a file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from rdzip import hub, models
from rdzip.models import model_file
from rdzip.models.lossy_model import Decoded, Draw
from rdzip.models.shared.residual_site import SCALES, ResidualSite, make_tables

ARCHITECTURE = "lossy-stub"
ANSWER = "6" * 64
SIDE = 8
COARSE = 48
"""Channels of the latents "a", the rest are "b" with 2 x 2 values a stride for each of its channels."""


def _cosines(size: int) -> Tensor:
    """Rows of the orthonormal DCT."""
    k, n = torch.arange(size, dtype=torch.float64)[:, None], torch.arange(size, dtype=torch.float64)[None]
    rows = torch.cos(torch.pi * (n + 0.5) * k / size) * (2 / size) ** 0.5
    rows[0] /= 2**0.5
    return rows.float()


class StubModel:
    stride = SIDE
    rec_settings = None
    setting_count = 256

    def __init__(self, codecs: tuple[str, ...] = ("channel-ar",), filtered: bool = False) -> None:
        self.codecs, self.filtered = codecs, filtered
        self.halo = 1 if filtered else 0
        self.tables = make_tables()
        frequency = torch.arange(SIDE)[:, None] + torch.arange(SIDE)[None]
        order = torch.stack([frequency * 3 + colour for colour in range(3)]).reshape(-1)
        self.order = torch.argsort(order, stable=True)
        weight = (order[self.order] // 3).numpy()
        # scales of 30 / 1.45 ** frequency levels for steps of 4
        self.base = np.round(252 * 5 * np.log2(30 / 4 / 1.45**weight / 0.05)).astype(np.int32)
        self.base[:3] = [252 * 60, 252 * 45, 252 * 40]
        self.base += np.arange(len(weight), dtype=np.int32) * 89 % 252  # so that not all scales change together

    def to(self, device: str) -> None:
        assert device == "cpu"

    def known_answer(self) -> str:
        return ANSWER

    def setting_of(self, quality: int) -> int:
        return (100 - quality) * 255 // 99

    def analyse(self, x: Tensor, setting: int) -> dict[str, Tensor]:
        x = _filter(x, 0.15) if self.filtered else x
        colours = torch.einsum("ij,njhw->nihw", _cosines(3), 255 * (x - 0.5))
        _, _, h, w = x.shape
        blocks = colours.reshape(3, h // SIDE, SIDE, w // SIDE, SIDE)
        y = torch.einsum("ki,lj,chiwj->cklhw", _cosines(SIDE), _cosines(SIDE), blocks)
        return {"y": y.reshape(-1, h // SIDE, w // SIDE)[self.order] / self._size(setting)}

    def crop(self, latents: Mapping[str, Tensor], rows: slice, columns: slice) -> dict[str, Tensor]:
        return {"y": latents["y"][:, rows, columns]}

    def code(self, draw: Draw, rows: int, columns: int, setting: int) -> Decoded:
        found = []
        for start in range(0, len(self.base), COARSE):
            index = np.clip((self.base[start : start + COARSE] - 30 * setting) // 252, 0, SCALES - 1)
            scale = np.repeat(index.astype(np.int32), rows * columns)
            site = ResidualSite(self.tables, scale, np.zeros_like(scale))
            found.append(draw(str(start), site).reshape(COARSE, rows, columns))
        fine = np.concatenate(found[1:]).reshape(2, 2, -1, rows, columns).transpose(2, 3, 0, 4, 1)
        return {"b": np.ascontiguousarray(fine).reshape(-1, 2 * rows, 2 * columns), "a": found[0]}

    def quantise(self, latents: Mapping[str, Tensor], name: str, site: ResidualSite) -> np.ndarray:
        start = int(name)
        symbols = latents["y"][start : start + COARSE].round().to(torch.int32).reshape(-1).numpy()
        return np.where(site.scale == 0, 0, symbols).astype(np.int32)

    def synthesise(self, decoded: Mapping[str, np.ndarray], setting: int) -> Tensor:
        a, b = decoded["a"], decoded["b"]
        _, rows, columns = a.shape
        b = b.reshape(-1, rows, 2, columns, 2).transpose(2, 4, 0, 1, 3).reshape(-1, rows, columns)
        y = torch.empty(len(self.base), rows, columns)
        y[self.order] = torch.from_numpy(np.concatenate([a, b])).float() * self._size(setting)
        blocks = y.reshape(3, SIDE, SIDE, rows, columns)
        colours = torch.einsum("ki,lj,cklhw->chiwj", _cosines(SIDE), _cosines(SIDE), blocks)
        x = torch.einsum("ij,ihw->jhw", _cosines(3), colours.reshape(3, rows * SIDE, columns * SIDE))[None] / 255 + 0.5
        return _filter(x, -0.15) if self.filtered else x

    @staticmethod
    def _size(setting: int) -> float:
        """Size of the quantiser's step in levels of a sample."""
        return float(4 * 2 ** (setting / 42))


def _filter(x: Tensor, gain: float) -> Tensor:
    """Sharpen by a 5 x 5 mean, zeros around."""
    mean = torch.nn.functional.avg_pool2d(x - 0.5, 5, 1, 2)
    return x + gain * (x - 0.5 - mean)


def write(path: Path, codecs: tuple[str, ...] = ("channel-ar",)) -> Path:
    """The file of a stub, in the cache too, so that decoding finds it by its hash."""
    meta: dict[str, Any] = {"architecture": ARCHITECTURE, "version": 1, "id": path.stem, "codecs": list(codecs)}
    meta |= {"known_answer": ANSWER, "licence": "MIT"}
    model_file.write(path, {"nothing": np.zeros(1, np.uint8)}, meta)
    hub.pull(path)
    return path


@contextmanager
def registered() -> Iterator[None]:
    """Within the context, files of stubs can be loaded."""
    with models.registered(ARCHITECTURE, lambda _, meta: StubModel(models.codecs_of(meta))):
        yield


def photo(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A picture with smooth parts, edges and noise, uint8 [height, width, 3]."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / a + y / b + c) for a, b, c in rng.uniform(5, 40, (3, 3))]
    samples = 128 + 60 * np.stack(waves, -1) + 50 * ((x // 19 + y // 23) % 2)[..., None]
    noisy: np.ndarray = np.clip(samples + rng.normal(0, 4, samples.shape), 0, 255).astype(np.uint8)
    return noisy
