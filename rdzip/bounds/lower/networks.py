"""Weights u(x) of Csiszar's dual by networks: log u = quadratic skip + MLP or CNN, trained on the C_k objective.

The quadratic skip starts at reverse water-filling of the coordinates, so that a Gaussian source with independent
coordinates is exact before any training; the network learns the rest. Objective and the moving average of alpha are
those of Yang & Mandt 2022, section 4; the inner ascent over y is mean shift from many starting points at once.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import torch
from torch import Tensor, nn

from rdzip.bounds.lower.ck import SampleObjective, supremum
from rdzip.bounds.sources.base import Source
from rdzip.train.descent import Descent

CLIP = 100.0  # largest norm of a gradient
READY = 50  # steps at a new lambda in which only alpha follows
LARGEST_CHANGE = 1.0  # of log C_k against its moving average, in nats
CHANNELS, KERNELS = (4, 8, 16), (9, 5, 3)
DRAWS = 2  # of C_k in a step
CLIMBERS, CLIMB = 16, 10
FLOORS = (-12.0, -7.0, -5.0, -4.0, -3.0, -2.0, -1.0, 0.0)
EVALUATED = 1024  # samples that a network sees at a time


class TrainOptions(Protocol):
    """What training reads of log_u.Options."""

    @property
    def train_steps(self) -> int: ...  # noqa: D102
    @property
    def train_k(self) -> int: ...  # noqa: D102
    @property
    def rate(self) -> float: ...  # noqa: D102
    @property
    def beta(self) -> float: ...  # noqa: D102
    @property
    def hidden(self) -> tuple[int, ...]: ...  # noqa: D102
    @property
    def seed(self) -> int: ...  # noqa: D102
    @property
    def quick(self) -> bool: ...  # noqa: D102


class Network(nn.Module):
    """log u(x) = skip at the current lambda + body(standardised x); float32.

    mean, variance [dim]: of the source; precisions of the skip are exp(change) / max(variance, s2).
    """

    def __init__(self, body: nn.Module, mean: Tensor, variance: Tensor) -> None:
        super().__init__()
        self.body = body
        self.register_buffer("mean", mean.float())
        self.register_buffer("variance", variance.float())
        self.change = nn.Parameter(torch.zeros(len(mean)))
        self.shift = nn.Parameter(torch.zeros(len(mean)))
        self.s2 = 1.0

    def forward(self, x: Tensor) -> Tensor:
        """Return log u [n] of x [n, dim]."""
        variance, mean = self.get_buffer("variance"), self.get_buffer("mean")
        raised = variance.clamp_min(self.s2)
        away = (x.float() - mean) / raised.sqrt() - self.shift
        skip = -0.5 * (away * away) @ self.change.exp() - 0.5 * (raised / self.s2).log().sum()
        scale = variance.sqrt().clamp_min(1e-3 * float(variance.mean().sqrt()) + 1e-12)
        out: Tensor = skip + self.body((x.float() - mean) / scale)[:, 0]
        return out


@dataclass(frozen=True)
class NetworkU:
    """A trained network as a weight."""

    network: Network

    @torch.no_grad()
    def __call__(self, x: Tensor) -> Tensor:
        """Return log u [n] of x float64 [n, dim], in chunks."""
        return torch.cat([self.network(part).double() for part in x.split(EVALUATED)])


@dataclass(frozen=True)
class FlooredU:
    """A weight plus a constant, given by its logarithm: few rare samples then decide less on C_k."""

    weight: NetworkU
    log_floor: float

    def __call__(self, x: Tensor) -> Tensor:
        """Return log u [n] of x float64 [n, dim]."""
        log_u = self.weight(x)
        return torch.logaddexp(log_u, log_u.new_tensor(self.log_floor))


def floored(weight: NetworkU, s2: float, draw: Callable[[int], Tensor], k: int) -> FlooredU:
    """Return the weight with the floor that makes E[log u] + log C_k least on draws of training samples."""
    draws = [draw(k) for _ in range(2)]
    values = [weight(x) for x in draws]
    mean = float(torch.stack([value.mean() for value in values]).mean())
    losses = {}
    for floor in FLOORS:
        loss = 0.0
        for x, value in zip(draws, values, strict=True):
            log_u = torch.logaddexp(value, value.new_tensor(mean + floor))
            rare = x[log_u.topk(min(64, len(x)), largest=False).indices]
            starts = torch.cat([rare, x[:256]])
            loss += float(log_u.mean()) + supremum(SampleObjective(x, log_u, s2), starts, s2, ascend=16, steps=10)[0]
        losses[floor] = loss
    return FlooredU(weight, mean + min(losses, key=lambda floor: losses[floor]))


def perceptron(dim: int, hidden: tuple[int, ...]) -> nn.Sequential:
    """Return a body of fully connected layers with selu, whose output is 0 at first."""
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [nn.Linear(dim, width), nn.SELU()]
        dim = width
    last = nn.Linear(dim, 1)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(*layers, last)


def convolutional(shape: tuple[int, int, int], hidden: tuple[int, ...]) -> nn.Sequential:
    """Return a body for images [h, w, c] of convolutions with stride 2 and selu, then fully connected layers."""
    height, width, channels = shape
    layers: list[nn.Module] = [_Image(shape)]
    for out, kernel in zip(CHANNELS, KERNELS, strict=True):
        layers += [nn.Conv2d(channels, out, kernel, stride=2, padding=kernel // 2), nn.SELU()]
        channels, height, width = out, (height + 1) // 2, (width + 1) // 2
    return nn.Sequential(*layers, nn.Flatten(), perceptron(channels * height * width, hidden))


class _Image(nn.Module):
    """From [n, h w c] to [n, c, h, w]."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(-1, *self.shape).permute(0, 3, 1, 2)


def train_all(
    source: Source,
    lambdas: list[float],
    kind: str,
    options: TrainOptions,
    draw: Callable[[int], Tensor],
    progress: Callable[[float], None],
) -> dict[float, NetworkU]:
    """Return a weight for each lambda: one network, annealed from the least to the largest and saved at each.

    - source: what is bounded
    - lambdas: nats per unit of mean squared error
    - kind: of the network: "cnn" or "mlp"
    - options: of the training
    - draw: samples [n, dim], given n
    - progress: called with the share that is done

    Half of the steps of each lambda move from the one before it (evenly in its logarithm), the others stay.
    """
    torch.manual_seed(options.seed)
    many = draw(20_000 if source.dim <= 4096 else 2000)
    if kind == "cnn":
        height, width, channels = source.shape
        body = convolutional((height, width, channels), options.hidden[-1:])
    else:
        body = perceptron(source.dim, options.hidden)
    network = Network(body, many.mean(0), many.var(0))
    steps = max(1, options.train_steps // (4 if options.quick else 1))
    ascending = sorted(lambdas)
    saved: dict[float, NetworkU] = {}
    log_a = math.nan

    def loss(step: int) -> Tensor | None:
        nonlocal log_a
        i, step = divmod(step, steps)
        before = ascending[max(0, i - 1)]
        network.s2 = source.dim / (2 * before * (ascending[i] / before) ** min(1.0, 2 * step / steps))
        found, log_a = _loss(network, draw, options, log_a)
        return found if i > 0 or step >= min(READY, steps // 4) else None

    def pause() -> None:
        progress(descent.step / (steps * len(ascending)))
        if descent.step % steps == 0:
            saved[ascending[descent.step // steps - 1]] = NetworkU(copy.deepcopy(network).eval())

    descent = Descent(
        network,
        torch.optim.Adam(network.parameters(), lr=options.rate),
        lambda step: options.rate * (1.0 if step % steps < 0.75 * steps else 0.2),
        partial(nn.utils.clip_grad_norm_, max_norm=CLIP),
    )
    descent.run(steps * len(ascending), loss, 1, pause)
    return saved


def _loss(network: Network, draw: Callable[[int], Tensor], options: TrainOptions, log_a: float) -> tuple[Tensor, float]:
    """Return E[log u] + C_k / alpha to descend, and log alpha after this step."""
    losses, found = [], []
    for _ in range(DRAWS):
        x = draw(options.train_k)
        log_u = network(x).double()
        with torch.no_grad():
            y = _highest(SampleObjective(x, log_u.detach(), network.s2), x)
        terms = -0.5 * ((x - y) ** 2).sum(1) / network.s2 - log_u
        log_c = terms.logsumexp(0) - math.log(len(x))
        found.append(float(log_c.detach()))
        losses.append((log_u.mean(), log_c))
    newest = sum(found) / len(found)
    if not math.isnan(log_a):
        newest = log_a + max(-LARGEST_CHANGE, min(LARGEST_CHANGE, newest - log_a))
    log_a = newest if math.isnan(log_a) else (1 - options.beta) * log_a + options.beta * newest
    parts = [mean + (log_c - log_a).clamp_max(LARGEST_CHANGE).exp() for mean, log_c in losses]
    # beyond the clamp the gradient of log C itself: as steep as it is there, without the exponential's overflow
    steep = [(c - c.detach()) * (float(c.detach()) - log_a > LARGEST_CHANGE) for _mean, c in losses]
    return torch.stack([part + more for part, more in zip(parts, steep, strict=True)]).mean(), log_a


def _highest(objective: SampleObjective, x: Tensor) -> Tensor:
    """Return the y [dim] with the largest C that is reached from the highest samples."""
    values, shifts = objective(x)
    top = values.topk(min(CLIMBERS, len(x))).indices
    best, where, y = values[top], x[top], shifts[top]
    for _ in range(CLIMB):
        value, shift = objective(y)
        better = value > best
        best, where = torch.where(better, value, best), torch.where(better[:, None], y, where)
        y = shift
    return where[int(best.argmax())]
