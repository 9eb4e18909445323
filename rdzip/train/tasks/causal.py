"""Task "causal": trains the colour and the grey network of a causal pixel model side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from rdzip.errors import InputError
from rdzip.models.causal.config import COLOUR_DIFFERENCES, FIRST_DIFFERENCES, CausalConfig
from rdzip.models.causal.grow import grown
from rdzip.models.causal.network import CausalNet
from rdzip.models.shared import logistic_mixture
from rdzip.train.data.crops import Crops, CropSampler
from rdzip.train.data.images import read_split
from rdzip.train.recipe import Recipe, share

VALIDATION_BATCHES = 8
VALIDATION_CROPS = 64


MOST = 1024
"""Of a size of a network, as model files have it."""


def _config(table: dict[str, Any], channels: int) -> CausalConfig:
    try:
        config = CausalConfig(channels=channels, **table)
    except TypeError as error:
        raise InputError(f"recipe: {error}") from error
    least = {"neighbours": FIRST_DIFFERENCES, "colour_neighbours": COLOUR_DIFFERENCES, "blocks": 0, "head_blocks": 0}
    for name, value in config.as_dict().items():
        if type(value) is not int or not least.get(name, 1) <= value <= MOST:
            raise InputError(f"recipe: expected {name} of {least.get(name, 1)} to {MOST}, found {value!r}")
    return config


def bits_per_sample(net: CausalNet, crops: Crops, dtype: torch.dtype, quantise: bool = True) -> Tensor:
    """Estimated code length of each channel, bits per sample, [channels], in the training forward."""
    context, planes = crops.context(net.config)
    mixtures = net(context, planes, dtype, quantise)
    samples = [planes[0]] + [planes[0] + d for d in planes[1:]]
    return torch.stack(
        [logistic_mixture.bits(m.mean, m.scale, m.logit, x).mean() for m, x in zip(mixtures, samples, strict=True)]
    )


class CausalTask:
    """Networks, losses and validation of a causal pixel model. Where all images are grey, only the grey network trains.

    [data] copies: variants of every image (see augment.py); shrunk: share of crops that are taken at half size, which
    washes out traces of JPEG. [model] grey_every: steps from one batch of the grey network to the next; colour, grey:
    shapes, for which those of the model that the training starts from stand in, unless grow is true: then its networks
    are grown to them (models/causal/grow.py).
    """

    def __init__(self, recipe: Recipe, data: Path, device: torch.device) -> None:
        model, options = dict(recipe.model), dict(recipe.data)
        self.grey_every = model.pop("grey_every", 4)
        if type(self.grey_every) is not int or self.grey_every < 1:
            raise InputError(f"recipe: expected model.grey_every of 1 or more, found {self.grey_every!r}")
        self.grows = bool(model.pop("grow", False))
        self.target_shapes = shapes = {
            "colour": _config(model.pop("colour", {}), 3),
            "grey": _config(model.pop("grey", {}), 1),
        }
        copies, shrunk = options.pop("copies", ["plain", "mirror"]), share("data.shrunk", options.pop("shrunk", 0.0))
        if not (isinstance(copies, list) and copies and all(isinstance(copy, str) for copy in copies)):
            raise InputError(f"recipe: expected data.copies to be a list of names, found {copies!r}")
        for name, left in (("model", model), ("data", options)):
            if left:
                raise InputError(f"recipe: unknown keys in [{name}]: {', '.join(sorted(left))}")
        training, validation = read_split(data, recipe.crop)
        self.facts: dict[str, Any] = {
            "images": len(training.images), "held_out": len(validation.images) if validation else 0,
            "skipped": training.skipped, "data_sha256": training.sha256
        }  # fmt: skip
        self.colour = not training.grey
        self.nets = nn.ModuleDict({kind: CausalNet(shape) for kind, shape in shapes.items()}).to(device)
        self.device = device
        self.batch = recipe.batch
        self.dtype = torch.bfloat16 if recipe.bf16 else torch.float32
        self.names = training.names
        self.sampler = CropSampler(training.images, copies, recipe.crop, shrunk)
        self.validation: list[Crops] = []
        if validation is not None:
            sampler = CropSampler(validation.images, ["plain"], recipe.crop)
            generator = torch.Generator().manual_seed(recipe.seed)
            self.validation = [sampler.draw(VALIDATION_CROPS, generator).to(device) for _ in range(VALIDATION_BATCHES)]

    def start(self, name: str) -> None:
        """Take the weights, and the networks' shapes, of a causal model."""
        from rdzip import hub
        from rdzip.models import model_file
        from rdzip.models.causal.export import trainable

        ref = hub.resolve(name)
        tensors, meta = model_file.read(ref.path)
        for kind, net in trainable(tensors, meta).items():
            self.nets[kind] = net.to(self.device)
        self.grow()
        self.facts |= {"from": f"{ref.id} {ref.sha256}", "licence": ref.licence}

    def shapes(self) -> dict[str, dict[str, int]]:
        """Shapes of the networks, for checkpoints: those of a model that the training started from, or the recipe's."""
        return {kind: cast(CausalNet, net).config.as_dict() for kind, net in self.nets.items()}

    def reshape(self, shapes: dict[str, dict[str, int]]) -> None:
        """Make networks of these shapes."""
        for kind, shape in shapes.items():
            self.nets[kind] = CausalNet(CausalConfig(**shape)).to(self.device)

    def grow(self) -> None:
        """Grow the networks to the shapes of the recipe, if it says so."""
        for kind, shape in self.target_shapes.items() if self.grows else ():
            self.nets[kind] = grown(cast(CausalNet, self.nets[kind]), shape).to(self.device)

    def drawn(self) -> list[str]:
        """Images, and places in them, of the last batch."""
        return [f"{self.names[p.image]} at ({p.y}, {p.x})" for p in self.sampler.places]

    def loss(self, step: int, generator: torch.Generator) -> Tensor:
        """Training loss of a step, bits per sample; the grey network joins every ``grey_every`` steps."""
        crops = self.sampler.draw(self.batch, generator).to(self.device)
        kinds = ["colour"] if self.colour else ["grey"]
        if self.colour and step % self.grey_every == 0:
            kinds.append("grey")
        losses = [bits_per_sample(self.nets[kind], crops, self.dtype).mean() for kind in kinds]  # type: ignore[arg-type]
        return torch.stack(losses).sum()

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Estimated rates on held-out crops, bits per sample: exact integer network, and the same network in float."""
        rates = {}
        for kind, net in self.nets.items():
            if kind == "colour" and not self.colour:
                continue
            for label, quantise in (("", True), ("_float", False)):
                values = [bits_per_sample(net, c, torch.float32, quantise).mean() for c in self.validation]  # type: ignore[arg-type]
                if values:
                    rates[kind + label] = float(torch.stack(values).mean())
        return rates

    def export(self, path: Path, facts: dict[str, Any]) -> None:
        """Write the finished integer model file."""
        from rdzip.models.causal.export import export

        export(path, {kind: net for kind, net in self.nets.items() if isinstance(net, CausalNet)}, facts)
