"""Tasks "transform-code", "hyper-code" and "irec-code": train a lossy model on photographs, all settings at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rdzip import hub
from rdzip.errors import InputError
from rdzip.metrics.ms_ssim_torch import SMALLEST, ms_ssim
from rdzip.models import model_file
from rdzip.models.hyperprior import file as hyperprior_file
from rdzip.models.hyperprior.file import config_of
from rdzip.models.hyperprior.network import HyperNet
from rdzip.models.irec_vae import file as irec_vae_file
from rdzip.models.irec_vae.model import IrecNet
from rdzip.models.lapped_transform import file as lapped_transform_file
from rdzip.models.lapped_transform.model import LAGRANGE, CodeConfig, TransformNet
from rdzip.models.lapped_transform.slices import SliceConfig
from rdzip.models.shared.settings import OCTAVES, SETTINGS, step_size
from rdzip.models.shared.shared_random import rows
from rdzip.train.data.augment import half_size
from rdzip.train.data.images import read_split
from rdzip.train.recipe import Recipe, share

VALIDATED = (0, 64, 128, 192, 255)
"""Settings that are validated."""
USUAL_RATE, FALL = 4.0, 0.9
"""About the cost in bits per pixel at setting 0, and how many octaves it falls with one of the step."""

AREA = 32
METRICS = ("mse", "ms-ssim")
STRUCTURE = 29_000.0
"""Bits a pixel that 1 - MS-SSIM is worth, times the squared step of samples 0..255: at equal rates about what squared
errors are worth in the pairs of multipliers that are usual for both (Begaint et al. 2020, CompressAI's table)."""


def _net(recipe: Recipe) -> TransformNet | HyperNet:
    values = dict(recipe.model)
    try:
        if recipe.task == "hyper-code":
            config = config_of(values)
            if not config.hyper:
                raise ValueError("expected hyper-latents, found none")
            return HyperNet(config)
        if recipe.task == "irec-code":
            return IrecNet(config_of(values))
        slices: dict[str, Any] = {
            name: tuple(v) if isinstance(v, list) else v for name, v in dict(values.pop("slices", {})).items()
        }
        values["widths"] = tuple(values.get("widths", CodeConfig.widths))
        return TransformNet(CodeConfig(slices=SliceConfig(**slices), **values))
    except (TypeError, ValueError) as error:
        raise InputError(f"recipe: {error}") from error


class LossyTask:
    """Network, loss and validation. The loss of a image is bits + LAGRANGE / step^2 * squared error, per pixel, over
    what is usual for its setting. [data]: ``shrunk``: share of crops that are taken at half size; ``metric``: "mse",
    or "ms-ssim" for STRUCTURE / step^2 * (1 - MS-SSIM) in place of the squared error."""

    def __init__(self, recipe: Recipe, data: Path, device: torch.device) -> None:
        options = dict(recipe.data)
        self.shrunk = share("data.shrunk", options.pop("shrunk", 0.25))
        self.metric = str(options.pop("metric", "mse"))
        self.tint = float(options.pop("tint", 0.0))
        if self.metric not in METRICS:
            raise InputError(f"data.metric: expected {' or '.join(METRICS)}, found {self.metric!r}")
        if self.metric == "ms-ssim" and recipe.crop < SMALLEST:
            raise InputError(f"recipe: expected a crop of at least {SMALLEST} for ms-ssim, found {recipe.crop}")
        if options:
            raise InputError(f"recipe: unknown keys in [data]: {', '.join(sorted(options))}")
        self.net = _net(recipe)
        self.finest = self.net.config.finest if isinstance(self.net, HyperNet) else 0
        if recipe.crop % self.net.config.stride:
            raise InputError(f"recipe: expected a crop that is a multiple of {self.net.config.stride}")
        self.nets = nn.ModuleDict({"net": self.net}).to(device)
        self.batch, self.crop, self.device = recipe.batch, recipe.crop, device
        self.dtype = torch.bfloat16 if recipe.bf16 else torch.float32
        training, validation = read_split(data, 2 * recipe.crop)
        self.images, self.names = training.images, training.names
        self.u: np.ndarray[Any, Any] = np.zeros((0, 7))
        self.facts = {
            "images": len(training.images), "skipped": training.skipped, "data_sha256": training.sha256
        }  # fmt: skip
        self.areas = np.cumsum([float(image.shape[0] * image.shape[1]) for image in self.images])
        held = [] if validation is None else validation.images
        sides = [[n // 2 // self.net.config.stride * self.net.config.stride for n in i.shape[:2]] for i in held]
        self.validation = [_tensor([i[: h or None, : w or None]]) for i, (h, w) in zip(held, sides, strict=True)]

    def start(self, name: str) -> None:
        """Take the weights of a finished model of the architecture transform-code and of the recipe's sizes."""
        if not isinstance(self.net, TransformNet):
            raise InputError(f"`start`: expected the folder of a run for this recipe, found {name!r}")
        ref = hub.resolve(name)
        found = lapped_transform_file.trainable(*model_file.read(ref.path))
        if found.config != self.net.config:
            raise InputError(f"`start`: expected a network of {self.net.config}, found {found.config}")
        self.net.load_state_dict(found.state_dict())
        self.facts |= {"from": f"{ref.id} {ref.sha256}", "licence": ref.licence}

    def drawn(self) -> list[str]:
        """Images of the last batch."""
        return [self.names[self._index(u)] for u in self.u]

    def _index(self, u: np.ndarray[Any, Any]) -> int:
        return min(int(np.searchsorted(self.areas, u[0] * self.areas[-1], "right")), len(self.images) - 1)

    def _crop(self, u: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        image = self.images[self._index(u)]
        side = self.crop * (2 if u[1] < self.shrunk else 1)
        y, x = (int(p * (n - side + 1)) for p, n in zip(u[2:4], image.shape[:2], strict=True))
        crop = image[y : y + side, x : x + side]
        if side > self.crop:
            crop = half_size(crop)
        crop = crop[:, ::-1] if u[4] < 0.5 else crop
        return crop.transpose(1, 0, 2) if u[5] < 0.5 else crop

    def cost(self, x: Tensor, step: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
        """Lagrangian and bits per pixel [n], and mean squared error [n] of samples in 0..1."""
        found, bits = self.net(x, step, dtype)
        pixels = x.shape[2] * x.shape[3]
        error = (found - x).square().flatten(1).sum(1)
        size = step_size(step).flatten()
        if self.metric == "mse":
            means = F.avg_pool2d(found - x, AREA).flatten(1).square().sum(1) * AREA**2
            total = bits + LAGRANGE * (error + self.tint * means) / size.square()
        else:
            total = bits + pixels * STRUCTURE / (255 * size).square() * (1 - ms_ssim(found, x))
        return total / pixels, bits / pixels, error / (3 * pixels)

    def loss(self, step: int, generator: torch.Generator) -> Tensor:
        """Training loss of a step, about 1 for a usual code."""
        u = rows(torch.rand(self.batch, 7, generator=generator, dtype=torch.float64), generator)
        self.u = u.numpy()
        x = _tensor([self._crop(row) for row in self.u]).to(self.device)
        settings = self.finest + torch.floor(u[:, 6] * (SETTINGS - self.finest)).float().to(self.device)
        total, _, _ = self.cost(x, settings, self.dtype)
        usual = USUAL_RATE * torch.exp2(-FALL * OCTAVES * settings / (SETTINGS - 1))
        return (total / usual).mean()

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Bits per pixel (estimated), PSNR and Lagrangian (bits per pixel) on held-out images, by setting."""
        figures: dict[str, float] = {}
        for setting in [s for s in VALIDATED if s >= self.finest] if self.validation else ():
            step = torch.tensor([float(setting)], device=self.device)
            rows = []
            for x in self.validation:
                total, bits, mse = self.cost(x.to(self.device), step, torch.float32)
                rows.append((float(total), float(bits), -10 * float(torch.log10(mse))))
            for name, value in zip(("cost", "bpp", "psnr"), np.mean(rows, 0), strict=True):
                figures[f"{name}_{setting}"] = round(float(value), 4)
        return figures

    def export(self, path: Path, facts: dict[str, Any]) -> None:
        """Write the finished model file."""
        if isinstance(self.net, IrecNet):
            irec_vae_file.export(path, self.net, facts)
        elif isinstance(self.net, HyperNet):
            hyperprior_file.export(path, self.net, facts)
        else:
            lapped_transform_file.export(path, self.net, facts)


def _tensor(images: list[np.ndarray[Any, Any]]) -> Tensor:
    x = torch.from_numpy(np.stack(images).astype(np.float32)) / 255
    return x.permute(0, 3, 1, 2).contiguous()
