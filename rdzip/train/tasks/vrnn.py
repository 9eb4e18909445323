"""Task "vrnn": trains a variational recurrent network on piano rolls by ELBO, IWAE or FIVO."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from rdzip.errors import InputError
from rdzip.models.shared.shared_random import normal, rows, uniform, world
from rdzip.models.shared.units import MEAN_UNIT
from rdzip.models.vrnn.network import BIAS_GAIN, LOGIT_UNIT, Layer, Step, VrnnConfig, VrnnNet, log_emission
from rdzip.train.data.arrays import read_sequences, sha256
from rdzip.train.recipe import Recipe

BOUNDS = ("elbo", "iwae", "fivo")
VALIDATION_STEPS = 100


def sequence_bound(
    net: VrnnNet,
    rolls: Tensor,
    lengths: Tensor,
    particles: int,
    resample: bool,
    generator: torch.Generator,
    quantise: bool = True,
    dropout: float = 0.0,
    dtype: torch.dtype = torch.float32,
    warm: float = 1.0,
) -> Tensor:
    """Bound on -log2 p(x) of each sequence, bits, float32 [b], with reparameterised latents.

    - net: the network
    - rolls, lengths: float [steps, b, dims], zero beyond the lengths [b]
    - particles: one: ELBO; more without resampling: IWAE (Burda et al. 2016, eq. 8)
    - resample: FIVO (Maddison et al. 2017, algorithm 1), resampled where the effective sample size is below half of the
      particles; the gradient of the choice of ancestors is left out, as there
    - generator: of latents and ancestors
    - quantise: round as a decoder does
    - dropout: share of the inputs that are set to 0
    - dtype: of the layers
    - warm: weight of the divergence, which grows to 1 at first
    """
    step = Step(net, quantise, dropout, dtype)
    steps, batch, _ = rolls.shape
    n = batch * particles
    device = rolls.device
    posterior_of_x, advance_of_x = step.read(rolls)
    state = torch.zeros(n, net.config.state, device=device)
    log_weight = torch.zeros(batch, particles, device=device)
    total = torch.zeros(batch, device=device)
    first = torch.arange(batch, device=device)[:, None] * particles
    noise = normal((steps, n, net.config.latents), generator, dim=1).to(device)
    for t in range(steps):
        of_prior, of_posterior, of_emission, of_advance = step.recall(state)
        prior = step.prior(of_prior)
        seen = posterior_of_x[t].repeat_interleave(particles, 0)
        posterior = step.posterior(of_posterior + seen, prior)
        z = posterior.mean * (1 / MEAN_UNIT) + posterior.sigma() * noise[t]
        symbols = step._round(z).clamp(0, 255)
        emission_of_z, advance_of_z = step.look(symbols)
        logit = step.emission(of_emission + emission_of_z)
        x = rolls[t].repeat_interleave(particles, 0)
        gain = log_emission(logit, x) + warm * (prior.log_density(z) - posterior.log_density(z))
        alive = lengths > t
        log_weight = log_weight + gain.view(batch, particles) * alive[:, None]
        state = step.advance(state, of_advance + advance_of_x[t].repeat_interleave(particles, 0) + advance_of_z)
        if resample and particles > 1:
            with torch.no_grad():
                weight = torch.softmax(log_weight, 1)
                few = (1 / (weight * weight).sum(1) < particles / 2) & alive
                u = uniform((batch, particles), generator).to(device)
                drawn = torch.searchsorted(weight.cumsum(1), u).clamp_max(particles - 1)
                kept = torch.arange(particles, device=device).expand(batch, -1)
                ancestors = (first + torch.where(few[:, None], drawn, kept)).view(-1)
            total = total + torch.where(few, _log_mean(log_weight), 0.0)
            log_weight = torch.where(few[:, None], 0.0, log_weight)
            state = state[ancestors]
    return -(total + _log_mean(log_weight)) / math.log(2)


def _log_mean(log_weight: Tensor) -> Tensor:
    return torch.logsumexp(log_weight, 1) - math.log(log_weight.shape[1])


class VrnnTask:
    """Network, bound and validation. ``nets`` also holds the average of the weights and its best state so far."""

    def __init__(self, recipe: Recipe, data: Path, device: torch.device) -> None:
        model, options = dict(recipe.model), dict(recipe.data)
        self.kind = model.pop("bound", "fivo")
        self.particles = model.pop("particles", 4 if self.kind != "elbo" else 1)
        self.dropout = float(model.pop("dropout", 0.0))
        self.warm_start, self.warm_steps = float(model.pop("warm_start", 1.0)), int(model.pop("warm_steps", 0))
        self.average = float(model.pop("average", 0.99))
        if self.kind not in BOUNDS or not isinstance(self.particles, int) or self.particles < 1:
            raise InputError(f"recipe: expected a bound of {', '.join(BOUNDS)} and particles of 1 or more")
        self.transpose = int(options.pop("transpose", 5))
        if options:
            raise InputError(f"recipe: unknown keys in [data]: {', '.join(sorted(options))}")
        try:
            net = VrnnNet(VrnnConfig(**model))
        except TypeError as error:
            raise InputError(f"recipe: {error}") from error
        self.training = [torch.from_numpy(s).float() for s in read_sequences(data, "train")]
        self.validation = [torch.from_numpy(s[:VALIDATION_STEPS]).float() for s in read_sequences(data, "valid")]
        self.facts = {"samples": len(self.training), "skipped": [], "data_sha256": sha256(data)}
        share = torch.cat(self.training).mean(0).clamp_min(1e-4)
        with torch.no_grad():
            cast(Layer, net.layers["e2"]).offset.copy_(torch.logit(share) * (LOGIT_UNIT / BIAS_GAIN))
        frozen = [copy.deepcopy(net).requires_grad_(False) for _ in range(2)]
        self.nets = nn.ModuleDict({"vrnn": net, "average": frozen[0], "best": frozen[1]}).to(device)
        self.nets.register_buffer("best_rate", torch.tensor(math.inf))
        self.pieces: list[str] = []
        self.device = device
        self.batch, self.crop = recipe.batch, recipe.crop
        self.dtype = torch.bfloat16 if recipe.bf16 else torch.float32

    def _net(self, name: str) -> VrnnNet:
        return cast(VrnnNet, self.nets[name])

    def drawn(self) -> list[str]:
        """Pieces of the last batch."""
        return self.pieces

    def draw(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """A batch of transposed pieces of sequences, float [steps, batch, dims], and their lengths [batch]."""
        pieces, self.pieces = [], []
        for u, v, shift in torch.rand(self.batch, 3, generator=generator).tolist():
            roll = self.training[int(u * len(self.training))]
            start = int(v * (max(0, len(roll) - self.crop) + 1))
            k = int(shift * (2 * self.transpose + 1)) - self.transpose
            self.pieces.append(f"sequence {int(u * len(self.training))} from step {start}")
            pieces.append(torch.roll(roll[start : start + self.crop], k, 1))
        lengths = torch.tensor([len(p) for p in pieces])
        return pad_sequence(pieces).to(self.device), lengths.to(self.device)

    def loss(self, step: int, generator: torch.Generator) -> Tensor:
        """Training loss of a step, bits per step of a sequence; takes the last step's weights into the average."""
        average = min(self.average, (1 + step) / (10 + step))
        with torch.no_grad():
            for mean, now in zip(self._net("average").parameters(), self._net("vrnn").parameters(), strict=True):
                mean.lerp_(now, 1 - average)
        rolls, lengths = self.draw(generator)
        steps = lengths.sum() / world(generator)
        rolls, lengths = rows(rolls, generator, dim=1), rows(lengths, generator)
        resample = self.kind == "fivo"
        warm = min(1.0, self.warm_start + (1 - self.warm_start) * step / max(1, self.warm_steps))
        found = sequence_bound(
            self._net("vrnn"), rolls, lengths, self.particles, resample, generator,
            dropout=self.dropout, dtype=self.dtype, warm=warm,
        )  # fmt: skip
        return found.sum() / steps

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Bits per step on the validation split, sequences cut at 100 steps: the bound of the training, and the ELBO;
        the best averaged weights so far are kept for ``export``."""
        rolls = pad_sequence(self.validation).to(self.device)
        lengths = torch.tensor([len(s) for s in self.validation]).to(self.device)
        rates = {}
        for label, particles in (("bound", self.particles), ("elbo", 1)):
            generator = torch.Generator().manual_seed(1)
            net = self._net("average")
            found = sequence_bound(net, rolls, lengths, particles, self.kind == "fivo", generator)
            rates[label] = float(found.sum() / lengths.sum())
        best = cast(Tensor, self.nets.best_rate)
        if rates["bound"] < float(best):
            best.fill_(rates["bound"])
            self._net("best").load_state_dict(self._net("average").state_dict())
        return {**rates, "best": float(best)}

    def export(self, path: Path, facts: dict[str, Any]) -> None:
        """Write the best averaged weights as an integer model file."""
        from rdzip.models.vrnn.file import export

        export(path, self._net("best"), facts)
