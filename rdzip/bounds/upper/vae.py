"""Upper bounds by a variational autoencoder: method "vae" (any channel), and "ntc" (what transform coding achieves).

Any encoder p(z|x), decoder y(z) and prior q(z) bound R(D) from above (Yang and Mandt 2022, section 3): with
    R = E[ln p(Z|X) - ln q(Z)] >= I(X; Y),  D = E[|X - y(Z)|^2] / dim,
(D, R) is an achievable point, and R + lambda D >= L(lambda). Without a decoder Z = Y, up to an affine map.

The network starts as the optimal channel of the Gaussian of the same covariance (reverse water-filling in the
Karhunen-Loeve basis): its value before any training is that of this Gaussian, which no source of that covariance
exceeds. What is trained are corrections. "ntc" has the noise U(-1/2, 1/2) of dithered quantisation in place of the
encoder's, and its prior is convolved with it: the rate is that of an ideal entropy coder given the dither, so that
the point is operational as well as an upper bound; plain rounding of the same latents is among the facts.

All lambdas are trained at once, each with weights of its own (layers.py). Rates in nats per sample.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rdzip.bounds.moments import Moments, moments
from rdzip.bounds.point import Point, Report, check_lambdas
from rdzip.bounds.sources.base import Source
from rdzip.bounds.upper.flows import Flow
from rdzip.bounds.upper.layers import Perceptron
from rdzip.bounds.upper.priors import log_normal, make_prior
from rdzip.bounds.upper.training import Schedule, checkpoint_path, fit
from rdzip.errors import InputError

POSTERIORS = ("gaussian", "iaf", "uniform")
LOW_DIMENSION, FLOW_DIMENSION, HIGH_DIMENSION = 4, 40, 200
DROPPED = 0.005
"""Nats that leaving out directions of small variance may cost."""
MOST_DRAWS = 16


@dataclass(frozen=True)
class Options:
    """How to fit and to evaluate; None: chosen by the dimension (see `resolved`).

    units: hidden layers of encoder and decoder, () for diagonal affine maps in the Karhunen-Loeve basis. decoder:
    False for Z = Y. latent: dimensions of Z (those worth having). posterior: gaussian, iaf, uniform (ntc). prior: see
    priors.py; prior_units, prior_layers, order: of its flow and of iaf. lr: peak. samples: of the final evaluation
    where they are unlimited, and least number of draws where not. folder: where to save, and to resume from.
    """

    units: tuple[int, ...] | None = None
    decoder: bool | None = None
    latent: int | None = None
    posterior: str = "gaussian"
    prior: str | None = None
    prior_units: tuple[int, ...] | None = None
    prior_layers: int = 2
    order: str = "reverse"
    steps: int | None = None
    batch: int = 256
    lr: float = 2e-3
    samples: int = 200_000
    seed: int = 0
    folder: Path | str | None = None

    def resolved(self, dim: int, latent: int) -> Options:
        """Return the options with every None replaced; InputError for those that cannot be.

        dim: of the source; latent: the dimensions of Z that are worth having.
        """
        small, large = dim <= LOW_DIMENSION, latent > HIGH_DIMENSION
        usual: dict[str, Any] = {
            "units": () if large else (64, 64) if small else (128, 128),
            "decoder": not large,
            "latent": latent,
            "prior": "std_gaussian" if large else "maf_8" if latent <= FLOW_DIMENSION else "maf",
            "prior_units": (32, 32) if small else (64, 64),
            "steps": 200 if large else 3000 if small else 4000,
        }
        if self.posterior == "uniform":
            usual["prior"] = "deep"
        chosen = replace(self, **{name: value for name, value in usual.items() if getattr(self, name) is None})
        if self.posterior not in POSTERIORS:
            raise InputError(f"expected a posterior of {', '.join(POSTERIORS)}, found {self.posterior!r}")
        if not 1 <= (chosen.latent or 0) <= dim:
            raise InputError(f"expected 1 to {dim} latent dimensions, found {self.latent}")
        for name in ("steps", "batch", "samples"):
            least = 2 if name == "samples" else 1
            if getattr(chosen, name) < least:
                raise InputError(f"expected {name} of at least {least}, found {getattr(chosen, name)}")
        return chosen


class Channel(nn.Module):
    """Encoder, noise, decoder and prior of each lambda; x are Karhunen-Loeve coefficients [n, dim]."""

    def __init__(self, lambdas: Sequence[float], found: Moments, options: Options):
        super().__init__()
        units, latent = options.units or (), options.latent or len(found.variances)
        prior_units = options.prior_units or ()
        copies, dim = len(lambdas), len(found.variances)
        self.uniform = options.posterior == "uniform"
        self.dim, self.latent = dim, latent
        lam = torch.tensor(lambdas, dtype=torch.float64)
        variance = torch.from_numpy(found.variances)[None].clamp_min(1e-14 * float(found.variances.max()))
        level = (dim / (2 * lam))[:, None]  # D of every coordinate whose variance is above it
        self.lam: Tensor
        self.register_buffer("lam", lam.float(), persistent=False)
        self.feature_scale: Tensor
        self.register_buffer("feature_scale", torch.rsqrt(variance + 0.1 * level).float()[:, None], persistent=False)
        signal = torch.maximum(variance - level, 1e-3 * torch.minimum(variance, level))
        if self.uniform:
            step = torch.sqrt(12 * level)
            synthesis, gain = step * variance / (variance + level), (1 / step).expand(-1, dim)
            log_std = torch.zeros_like(gain)
            spread = torch.sqrt(variance / (12 * level) + 1 / 12)
        else:
            synthesis = torch.sqrt(signal)
            gain = synthesis / (level + signal)
            log_std = 0.5 * torch.log(level / (level + signal))
            spread = torch.ones_like(gain)

        def parameter(value: Tensor) -> nn.Parameter:
            return nn.Parameter(value[:, :latent].float()[:, None].clone())

        # Logarithms, since these scales differ by orders of magnitude and must stay above 0.
        self.log_gain, self.log_std = parameter(torch.log(gain)), parameter(log_std)
        self.log_synthesis = parameter(torch.log(synthesis))
        self.shift = nn.Parameter(torch.zeros(copies, 1, latent))
        self.encoder = Perceptron(copies, dim, units, 2 * latent) if units else None
        self.decoder = Perceptron(copies, latent, units, dim) if units and options.decoder else None
        self.iaf: Flow | None = None
        if options.posterior == "iaf":
            context = units[-1] if units else 0
            self.iaf = Flow(copies, latent, prior_units, options.prior_layers, options.order, context)
        self.prior = make_prior(options.prior or "std_gaussian", copies, latent, units=prior_units,
                                layers=options.prior_layers, order=options.order)  # fmt: skip
        if self.uniform:
            self.prior.rescale(spread[:, :latent].float())
        # The decoder's correction is in units of the standard deviation of the noise or, below it, of the signal.
        self.unit: Tensor
        unit = torch.sqrt(torch.minimum(variance, level)).float()[:, None]
        self.register_buffer("unit", unit, persistent=False)

    def _posterior(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        mean = x[..., : self.latent] * torch.exp(self.log_gain)
        log_std: Tensor = self.log_std
        hidden = None
        if self.encoder is not None:
            hidden = self.encoder.features(x * self.feature_scale)
            correction, log_factor = self.encoder.last(hidden).chunk(2, -1)
            mean = mean + correction
            log_std = log_std + 4 * torch.tanh(log_factor / 4)
        return mean, log_std, hidden

    def reconstruct(self, z: Tensor) -> Tensor:
        """Return the reconstruction [copies, n, dim] of latents [copies, n, latent]."""
        y: Tensor = self.shift + z * torch.exp(self.log_synthesis)
        if self.latent < self.dim:
            y = torch.cat([y, y.new_zeros(*y.shape[:2], self.dim - self.latent)], -1)
        if self.decoder is not None:
            y = y + self.unit * self.decoder(z)
        return y

    def distortion(self, x: Tensor, z: Tensor) -> Tensor:
        """Squared error, mean over dimensions, [copies, n]."""
        return (x - self.reconstruct(z)).square().mean(-1)

    def forward(self, x: Tensor, noise: torch.Generator) -> tuple[Tensor, Tensor]:
        """Rate (nats) and mse of x [n, dim] through every channel, with fresh noise: both [copies, n]."""
        mean, log_std, hidden = self._posterior(x[None])
        if self.uniform:
            z = mean + (torch.rand(mean.shape, generator=noise) - 0.5).to(mean)
            rate = -self.prior.log_mass(z)
        else:
            e = torch.randn(mean.shape, generator=noise).to(mean)
            z = mean + e * torch.exp(log_std)
            log_posterior = (log_normal(e) - log_std).sum(-1)
            if self.iaf is not None:
                z, log_det = self.iaf(z, hidden)
                log_posterior = log_posterior - log_det
            rate = log_posterior - self.prior.log_prob(z)
        return rate, self.distortion(x[None], z)

    def rounded(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Rate and mse where latents are rounded to integers: the rate of an ideal coder with the prior's masses."""
        z = torch.round(self._posterior(x[None])[0])
        return -self.prior.log_mass(z), self.distortion(x[None], z)


def solve(source: Source, lambdas: Sequence[float], options: Options, report: Report) -> list[Point]:
    """Return the upper bounds of "vae" at each lambda, on fresh or held-out samples."""
    if options.posterior == "uniform":
        raise InputError("the uniform posterior belongs to method ntc: expected gaussian or iaf")
    return bound("vae", source, lambdas, options, report)


def bound(method: str, source: Source, lambdas: Sequence[float], options: Options, report: Report) -> list[Point]:
    """Fit and evaluate; return the upper bounds at each lambda. See the module.

    - method: "vae" or "ntc"
    - source: what is bounded
    - lambdas: nats per unit of mean squared error
    - options: of the method
    - report: called with each Point, and with progress
    """
    lambdas, began = check_lambdas(lambdas), time.monotonic()
    found = moments(source, np.random.default_rng([options.seed, 1]))
    options = options.resolved(source.dim, _worthwhile(found, max(lambdas)))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        channel = Channel(lambdas, found, options)
    choosing, testing, draws, facts = _evaluation(source, options)
    check = found.coefficients(choosing) if choosing is not None else None

    total = options.steps or 1

    def coefficients(n: int, rng: np.random.Generator) -> Tensor:
        return torch.from_numpy(found.coefficients(source.train(n, rng)))

    def losses_of(steps: int, rng: np.random.Generator, noise: torch.Generator) -> list[Callable[[], Tensor]]:
        batches = coefficients(steps * options.batch, rng).split(options.batch)
        return [partial(_mean_value, channel, x, noise) for x in batches]

    def validate() -> Tensor:
        x = (
            torch.from_numpy(check)
            if check is not None
            else coefficients(8192, np.random.default_rng([options.seed, 2]))
        )
        noise = torch.Generator().manual_seed(options.seed + 2)
        with torch.no_grad():
            return torch.cat([_value(channel, part, noise).double() for part in x.split(2048)], -1).mean(-1)

    identity = (source.name, source.shape, lambdas, replace(options, folder=None, samples=0), method)
    checkpoint = checkpoint_path(Path(options.folder), method, *identity) if options.folder else None
    schedule = Schedule(total, options.lr, seed=options.seed)
    facts |= fit(channel, losses_of, validate, schedule, lambda share: report(0.95 * share, None), checkpoint)
    facts |= {"parameters_per_lambda": sum(p[0].numel() for p in channel.parameters() if p.requires_grad)}
    facts |= {
        "latent": channel.latent,
        "prior": options.prior,
        "posterior": options.posterior,
        "decoder": channel.decoder is not None,
    }
    channel.requires_grad_(False)
    chunks = (torch.from_numpy(found.coefficients(x)) for x in testing)
    measured = _measure(channel, chunks, draws, torch.Generator().manual_seed(options.seed + 4))
    points = []
    for i, lam in enumerate(lambdas):
        values = measured.values[i]
        error = float(values.std(ddof=1) / np.sqrt(len(values)))
        own = dict(facts)
        if measured.rounded is not None:
            rate, mse = (float(v) for v in measured.rounded[:, i])
            own |= {"label": "operational rate of transform coding, with dither and an ideal entropy coder",
                    "rounded_rate_nats": rate, "rounded_mse": mse, "rounded_value_nats": rate + lam * mse}  # fmt: skip
        point = Point.measured(method, "upper", lam=lam, value=float(values.mean()), mse=float(measured.mse[i]),
                               error=error, samples=len(values), seconds=(time.monotonic() - began) / len(lambdas),
                               **own)  # fmt: skip
        points.append(point)
        report(0.95 + 0.05 * (i + 1) / len(lambdas), point)
    return points


def _worthwhile(found: Moments, lam: float) -> int:
    """How many directions to code: leaving the others at their mean costs at most DROPPED nats at that lambda."""
    costs = lam * found.variances[::-1].cumsum() / len(found.variances)
    return max(1, len(costs) - int(np.searchsorted(costs, DROPPED, "right")))


def _value(channel: Channel, x: Tensor, noise: torch.Generator) -> Tensor:
    rate, mse = channel(x, noise)
    value: Tensor = rate + channel.lam[:, None] * mse
    return value


def _mean_value(channel: Channel, x: Tensor, noise: torch.Generator) -> Tensor:
    return _value(channel, x, noise).mean(-1)


def _evaluation(
    source: Source, options: Options
) -> tuple[NDArray[np.float32] | None, Iterator[NDArray[np.float32]], int, dict[str, Any]]:
    """Samples to choose states by (None: fresh ones), chunks of those of the final figures, draws a sample, facts."""
    rng = np.random.default_rng([options.seed, 3])
    chunk = max(1, 4_000_000 // source.dim)
    if source.unlimited:
        sizes = [min(chunk, options.samples - done) for done in range(0, options.samples, chunk)]
        return None, (source.held_out(size, rng) for size in sizes), 1, {"data": "fresh"}
    held = source.held_out(source.held_out_count or 1, rng)
    if len(held) < 8:
        raise InputError(f"{source.name}: expected at least 8 held-out samples, found {len(held)}")
    part = min(len(held) // 4, 8192)
    rest = held[part:][: options.samples]
    draws = min(MOST_DRAWS, -(-options.samples // len(rest)))
    facts = {"data": "held-out", "draws": draws, "chosen_on": f"{part} other held-out samples"}
    return held[:part], (rest[i : i + chunk] for i in range(0, len(rest), chunk)), draws, facts


@dataclass(frozen=True)
class Measured:
    """Values of every sample [copies, n], mse [copies], and mean rate and mse of rounding [2, copies] or None."""

    values: NDArray[np.float64]
    mse: NDArray[np.float64]
    rounded: NDArray[np.float64] | None


def _measure(channel: Channel, chunks: Iterator[Tensor], draws: int, noise: torch.Generator) -> Measured:
    """Figures of the channel on all chunks [n, dim]; each sample counts once, by its mean over the draws."""
    rows = max(1, min(4096, 2_000_000 // channel.dim // len(channel.lam)))
    values, errors, rounded = [], [], []
    with torch.no_grad():
        for part in (part for chunk in chunks for part in chunk.split(rows)):
            figures = torch.zeros(2, len(channel.lam), len(part), dtype=torch.float64)
            for _ in range(draws):
                figures += torch.stack(channel(part, noise)).double() / draws
            values.append((figures[0] + channel.lam[:, None].double() * figures[1]).numpy())
            errors.append(figures[1].numpy())
            if channel.uniform:
                rounded.append(torch.stack(channel.rounded(part)).double().numpy())
    mean = np.concatenate(rounded, 2).mean(2) if rounded else None
    return Measured(np.concatenate(values, 1), np.concatenate(errors, 1).mean(1), mean)
