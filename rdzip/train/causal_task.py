"""Task "causal": trains the colour and the grey network of a causal pixel model side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from rdzip.errors import InputError
from rdzip.models import mixture
from rdzip.models.causal import CausalConfig, CausalNet
from rdzip.train.data import Crops, CropSampler, read_split
from rdzip.train.recipe import Recipe

VALIDATION_BATCHES = 8
VALIDATION_CROPS = 64


def _config(table: dict[str, Any], channels: int) -> CausalConfig:
    try:
        return CausalConfig(channels=channels, **table)
    except TypeError as error:
        raise InputError(f"recipe: {error}") from error


def bits_per_sample(net: CausalNet, crops: Crops, dtype: torch.dtype, quantise: bool = True) -> Tensor:
    """Estimated code length of each channel, bits per sample, [channels], in the training forward."""
    context, planes = crops.context(net.config)
    mixtures = net(context, planes, dtype, quantise)
    samples = [planes[0]] + [planes[0] + d for d in planes[1:]]
    return torch.stack(
        [mixture.bits(m.mean, m.scale, m.logit, x).mean() for m, x in zip(mixtures, samples, strict=True)]
    )


class CausalTask:
    """Networks, losses and validation of a causal pixel model."""

    def __init__(self, recipe: Recipe, data: Path, device: torch.device) -> None:
        training, validation = read_split(data, recipe.crop)
        self.facts = {
            "images": len(training.images), "skipped": training.skipped, "data_sha256": training.sha256
        }  # fmt: skip
        model = dict(recipe.model)
        self.grey_every = int(model.pop("grey_every", 4))
        self.nets = nn.ModuleDict(
            {
                "colour": CausalNet(_config(model.pop("colour", {}), 3)),
                "grey": CausalNet(_config(model.pop("grey", {}), 1)),
            }
        ).to(device)
        if model:
            raise InputError(f"recipe: unknown keys in [model]: {', '.join(sorted(model))}")
        self.device = device
        self.batch = recipe.batch
        self.dtype = torch.bfloat16 if recipe.bf16 else torch.float32
        options = dict(recipe.data)
        self.sampler = CropSampler(
            training.images, options.pop("copies", ["plain", "mirror"]), recipe.crop, recipe.seed
        )
        if options:
            raise InputError(f"recipe: unknown keys in [data]: {', '.join(sorted(options))}")
        self.validation: list[Crops] = []
        if validation is not None:
            sampler = CropSampler(validation.images, ["plain"], recipe.crop, recipe.seed)
            generator = torch.Generator().manual_seed(recipe.seed)
            self.validation = [sampler.draw(VALIDATION_CROPS, generator).to(device) for _ in range(VALIDATION_BATCHES)]

    def loss(self, step: int, generator: torch.Generator) -> Tensor:
        """Training loss of a step, bits per sample; the grey network joins every ``grey_every`` steps."""
        crops = self.sampler.draw(self.batch, generator).to(self.device)
        loss = bits_per_sample(self.nets["colour"], crops, self.dtype).mean()  # type: ignore[arg-type]
        if step % self.grey_every == 0:
            loss = loss + bits_per_sample(self.nets["grey"], crops, self.dtype).mean()  # type: ignore[arg-type]
        return loss

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Estimated rates on held-out crops, bits per sample: exact integer network, and the same network in float."""
        rates = {}
        for kind, net in self.nets.items():
            for label, quantise in (("", True), ("_float", False)):
                values = [bits_per_sample(net, c, torch.float32, quantise).mean() for c in self.validation]  # type: ignore[arg-type]
                if values:
                    rates[kind + label] = float(torch.stack(values).mean())
        return rates

    def export(self, path: Path, facts: dict[str, Any]) -> None:
        """Write the finished integer model file."""
        from rdzip.models.causal_file import export

        export(path, {kind: net for kind, net in self.nets.items() if isinstance(net, CausalNet)}, facts)
