"""Task "vae-mlp": trains the perceptron autoencoder of binary images by the ELBO or an importance-weighted bound."""

from __future__ import annotations

import math
from itertools import accumulate
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from rdzip.errors import InputError
from rdzip.models.shared.shared_random import normal, rows
from rdzip.models.vae_mlp.network import VaeConfig, VaeMlp, bound
from rdzip.train.data.arrays import read_samples, sha256
from rdzip.train.recipe import Recipe

VALIDATION_PARTICLES = 50
VALIDATION_ROWS = 100


class VaeMlpTask:
    """Network, loss and validation of the autoencoder; the images are binarised anew at every step.

    [data] held_out: images at the end that only validate. stages: [[steps, particles, batch], ...], one after another;
    without it, the recipe's batch and ``particles`` throughout (1: the ELBO). ease: steps over which the weight of the
    divergence grows to 1 while there is one particle (Sonderby et al. 2016, section 2.3), for more latents in use.
    """

    def __init__(self, recipe: Recipe, data: Path, device: torch.device) -> None:
        images = read_samples(data)
        options = dict(recipe.data)
        held_out = int(options.pop("held_out", 2000))
        particles = int(options.pop("particles", 1))
        self.ease = int(options.pop("ease", 0))
        stages = options.pop("stages", [[recipe.steps, particles, recipe.batch]])
        if options:
            raise InputError(f"recipe: unknown keys in [data]: {', '.join(sorted(options))}")
        if images.ndim != 3 or len(images) <= held_out:
            raise InputError(f"{data}: expected more than {held_out} grey images, found {list(images.shape)}")
        self.facts: dict[str, Any] = {
            "samples": len(images) - held_out, "skipped": [], "data_sha256": sha256(data), "licence": "Apache-2.0"
        }  # fmt: skip
        try:
            config = VaeConfig(height=images.shape[1], width=images.shape[2], **recipe.model)
        except TypeError as error:
            raise InputError(f"recipe: {error}") from error
        self.net = VaeMlp(config)
        self.nets = nn.ModuleDict({"vae": self.net}).to(device)
        self.device = device
        self.dtype = torch.bfloat16 if recipe.bf16 else torch.float32
        ends = accumulate(int(stage[0]) for stage in stages)
        self.stages = [(end, int(k), int(batch)) for end, (_, k, batch) in zip(ends, stages, strict=True)]
        flat = torch.from_numpy(images.reshape(len(images), -1).copy())
        self.chosen = torch.zeros(0, dtype=torch.int64)
        self.images = flat[: len(flat) - held_out]
        generator = torch.Generator().manual_seed(recipe.seed)
        validation = flat[len(flat) - held_out :].float() / 255
        self.validation = (torch.rand(validation.shape, generator=generator) < validation).float()
        self.noise = torch.randn(VALIDATION_ROWS, VALIDATION_PARTICLES, config.latents, generator=generator)
        mean = (self.images.float().mean(0) / 255).clamp(1e-4, 1 - 1e-4)
        with torch.no_grad():
            cast(Any, self.net.decoder[-1]).bias.copy_(32 * torch.log(mean / (1 - mean)))

    def drawn(self) -> list[str]:
        """Images of the last batch, by their number in the file."""
        return [f"image {i}" for i in self.chosen.tolist()]

    def stage(self, step: int) -> tuple[int, int]:
        """Particles and batch of a step."""
        for end, particles, batch in self.stages:
            if step < end:
                return particles, batch
        return self.stages[-1][1:]

    def loss(self, step: int, generator: torch.Generator) -> Tensor:
        """Negative bound of freshly binarised images, bits per pixel."""
        particles, batch = self.stage(step)
        self.chosen = torch.randint(len(self.images), (batch,), generator=generator)
        intensity = self.images[self.chosen].float().mul_(1 / 255)
        x = rows((torch.rand(intensity.shape, generator=generator) < intensity).float(), generator)
        noise = normal((len(x), particles, self.net.config.latents), generator)
        x, noise = x.to(self.device), noise.to(self.device)
        beta = min(1.0, (step + 1) / max(1, self.ease)) if particles == 1 else None
        weights = self.net.log_weights(x, noise, self.dtype, beta=beta)
        return -bound(weights).mean() / (math.log(2) * self.net.config.pixels)

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Estimated rates on held-out images, bits per pixel: negative ELBO and bound of 50 particles."""
        noise = self.noise.to(self.device)
        elbo, tight = [], []
        for x in self.validation.split(VALIDATION_ROWS):
            weights = self.net.log_weights(x.to(self.device), noise[: len(x)], torch.float32)
            elbo.append(-weights.mean(1))
            tight.append(-bound(weights))
        unit = math.log(2) * self.net.config.pixels
        return {"elbo": float(torch.cat(elbo).mean()) / unit, "iwae50": float(torch.cat(tight).mean()) / unit}

    def export(self, path: Path, facts: dict[str, Any]) -> None:
        """Write the finished integer model file."""
        from rdzip.models.vae_mlp.file import export

        export(path, self.net, facts)
