"""Tasks "bit-swap" and "resnet-vae": convolutional models with latents, trained on arrays of images or photographs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rdzip.errors import InputError
from rdzip.models.conv_vae.bitswap import BitSwapConfig, BitSwapNet
from rdzip.models.conv_vae.pixel_head import fields_of
from rdzip.models.conv_vae.resnet import ResNetConfig, ResNetVae
from rdzip.models.shared.shared_random import rows
from rdzip.train.data.arrays import read_samples, sha256
from rdzip.train.data.images import read_split
from rdzip.train.recipe import Recipe

VALIDATION_BATCH = 100
LIGHT = 0.1
"""Weight of the latents' cost in the first third of the warm-up: they are then used before they pay."""


def _net(recipe: Recipe) -> BitSwapNet | ResNetVae:
    table = fields_of(recipe.model)
    try:
        if recipe.task == "bit-swap":
            for name in ("latents", "halved"):
                table[name] = tuple(table.get(name, ()))
            return BitSwapNet(BitSwapConfig(**table))
        return ResNetVae(ResNetConfig(**table | {"levels": tuple(tuple(scale) for scale in table.get("levels", ()))}))
    except TypeError as error:
        raise InputError(f"recipe: {error}") from error


class ConvTask:
    """Networks, losses and validation. [data]: ``held_out`` images at the end are for validation; ``mirror`` flips at
    random; ``warmup``: steps over which the cost of the latents grows to its full weight; ``frugal``:
    weight of the bits that posteriors take from the stack, which an ELBO leaves free for latents that tell nothing."""

    def __init__(self, recipe: Recipe, data: Path, device: torch.device) -> None:
        options = dict(recipe.data)
        held_out, self.mirror = int(options.pop("held_out", 500)), bool(options.pop("mirror", False))
        self.warmup = int(options.pop("warmup", 500))
        self.entropy_weight = float(options.pop("frugal", 0.003))
        if options:
            raise InputError(f"recipe: unknown keys in [data]: {', '.join(sorted(options))}")
        self.batch, self.crop, self.device = recipe.batch, recipe.crop, device
        self.dtype = torch.bfloat16 if recipe.bf16 else torch.float32
        self.net = _net(recipe)
        self.nets = nn.ModuleDict({"net": self.net}).to(device)
        if data.is_dir():
            training, validation = read_split(data, recipe.crop)
            channels = self.net.config.channels
            if channels == 1 and not training.grey:
                raise InputError(f"{data}: expected grey images for a model of one channel, found coloured ones")
            self.images = [image[..., :channels] for image in training.images]
            held = [] if validation is None else [image[..., :channels] for image in validation.images]
            digest, skipped, self.names = training.sha256, training.skipped, training.names
        else:
            samples = read_samples(data)
            self.images, held = list(samples[: len(samples) - held_out]), list(samples[len(samples) - held_out :])
            digest, skipped, self.names = sha256(data), [], [f"{data.name}[{i}]" for i in range(len(self.images))]
        if not self.images:
            raise InputError(f"{data}: expected more than the {held_out} images that are held out")
        self.chosen: np.ndarray[Any, Any] = np.zeros(0, np.int64)
        self.areas = np.cumsum([float(image.shape[0] * image.shape[1]) for image in self.images])
        self.facts = {"images": len(self.images), "skipped": skipped, "data_sha256": digest}
        rng = np.random.default_rng(recipe.seed)
        self.validation = self._tensor([self._crop(image, rng.random(2)) for image in held])
        self.dimensions = self.net.config.channels * self.crop * self.crop

    def drawn(self) -> list[str]:
        """Images of the last batch."""
        return [self.names[i] for i in self.chosen]

    def _crop(self, image: np.ndarray[Any, Any], place: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        y, x = (int(p * (side - self.crop + 1)) for p, side in zip(place, image.shape[:2], strict=True))
        return image[y : y + self.crop, x : x + self.crop]

    def _tensor(self, crops: list[np.ndarray[Any, Any]]) -> Tensor:
        if not crops:
            return torch.empty(0)
        x = torch.from_numpy(np.stack(crops).astype(np.float32)).view(len(crops), self.crop, self.crop, -1)
        return x.permute(0, 3, 1, 2).to(self.device)

    def loss(self, step: int, generator: torch.Generator) -> Tensor:
        """Negative ELBO of a batch, bits per sample; the latents' part is weighted lower during the warm-up."""
        u = rows(torch.rand(self.batch, 4, generator=generator, dtype=torch.float64), generator).numpy()
        chosen = np.searchsorted(self.areas, u[:, 0] * self.areas[-1], side="right").clip(0, len(self.images) - 1)
        self.chosen = chosen
        crops = [self._crop(self.images[i], place[1:3]) for i, place in zip(chosen, u, strict=True)]
        if self.mirror:
            crops = [crop[:, ::-1] if place[3] < 0.5 else crop for crop, place in zip(crops, u, strict=True)]
        likelihood, latents, taken = self.net.losses(self._tensor(crops), self.dtype, generator)
        weight = min(1.0, max(LIGHT, LIGHT + (1 - LIGHT) * (1.5 * step / max(1, self.warmup) - 0.5)))
        bits = likelihood + weight * torch.stack(latents).sum(0) + self.entropy_weight * torch.stack(taken).sum(0)
        return bits.mean() / self.dimensions

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Estimated rates on held-out images, exact integer network, bits per sample: in all, and of each term."""
        if not len(self.validation):
            return {}
        generator = torch.Generator().manual_seed(1)
        sums: dict[str, float] = {}
        for x in self.validation.split(VALIDATION_BATCH):
            likelihood, latents, taken = self.net.losses(x, torch.float32, generator)
            for name, bits in [("x", likelihood), ("initial", torch.stack(taken).sum(0)),
                               *((f"z{i}", term) for i, term in enumerate(latents, 1))]:  # fmt: skip
                sums[name] = sums.get(name, 0.0) + float(bits.sum()) / (self.dimensions * len(self.validation))
        return {"elbo": sum(bits for name, bits in sums.items() if name != "initial")} | sums

    def export(self, path: Path, facts: dict[str, Any]) -> None:
        """Write the finished integer model file."""
        from rdzip.models.conv_vae.file import export

        export(path, self.net, facts)
