"""Upper bounds on R(D) of images by one network for all lambda: training on squares, evaluation on whole images.

Shared by the methods that differ in the network only. Images are [h, w, c] in 0..1; rates in nats per image,
distortion squared error, mean over samples. Networks are fully convolutional: they train on squares of the source's
images and are evaluated on whole ones, padded to a multiple of their stride by repeating the border; padding costs
rate and gains nothing, so bounds stay valid.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from rdzip.bounds.point import Point, Report, check_lambdas
from rdzip.bounds.sources.base import Source
from rdzip.bounds.upper.training import Schedule, checkpoint_path, fit
from rdzip.errors import InputError

CROPS = 4
"""Squares of one drawn image in a batch."""
CHOOSING = 16


class ImageModel(nn.Module):
    """Gives reconstruction [n, c, h, w] and rate [n] in nats of (x [n, c, h, w], beta [n], noise).

    Sides of x must be multiples of stride; beta = lambda / dim, nats per squared error of one sample. noise: a
    generator of the CPU; None, where a model knows it, is for rounding in place of noise.
    """

    stride: int = 1


Model = TypeVar("Model", bound=ImageModel)


@dataclass(frozen=True)
class Fitting:
    """How to fit and to evaluate.

    crop: side of training squares, batch: how many. samples: held-out images of the final figures, at most. folder:
    where to save, and to resume from.
    """

    steps: int = 2000
    batch: int = 16
    crop: int = 64
    lr: float = 1e-3
    samples: int = 1000
    seed: int = 0
    device: str = "cpu"
    folder: Path | str | None = None


def bound(
    method: str,
    build: Callable[[], ImageModel],
    source: Source,
    lambdas: Sequence[float],
    options: Fitting,
    report: Report,
    *,
    label: str,
    rounding: bool = False,
) -> list[Point]:
    """Return the upper bounds at each lambda, on held-out (or fresh) images.

    - method: name in records
    - build: makes the network, once the generator of torch is seeded
    - source: of images
    - lambdas: nats per unit of mean squared error
    - options: of the training
    - report: called with each Point, and with progress
    - label: what the rates are
    - rounding: whether to measure the network with rounding in place of noise too, as facts
    """
    lambdas, began = check_lambdas(lambdas), time.monotonic()
    check_images(method, source)
    betas = [lam / source.dim for lam in lambdas]
    choosing, testing = _evaluation(source, options)
    net, facts = train(method, build, source, betas, choosing, options, lambda share: report(0.9 * share, None))
    points = []
    for i, (lam, beta) in enumerate(zip(lambdas, betas, strict=True)):
        rate, mse = evaluate(net, testing, beta, seed=options.seed)
        values = rate + lam * mse
        error = float(values.std(ddof=1) / math.sqrt(len(values)))
        own = dict(facts)
        if rounding:
            r, m = (float(v.mean()) for v in evaluate(net, testing, beta, rounded=True))
            own |= {"rounded_rate_nats": r, "rounded_mse": m, "rounded_value_nats": r + lam * m}
        point = Point.measured(method, "upper", lam=lam, value=float(values.mean()), mse=float(mse.mean()),
                               error=error, samples=len(values), seconds=(time.monotonic() - began) / len(lambdas),
                               data="fresh" if source.unlimited else "held-out", label=label,
                               bits_per_pixel=float(rate.mean()) / math.log(2) / math.prod(source.shape[:2]),
                               psnr_db=float((-10 * np.log10(mse)).mean()), **own)  # fmt: skip
        points.append(point)
        report(0.9 + 0.1 * (i + 1) / len(lambdas), point)
    return points


def check_images(method: str, source: Source) -> None:
    """Raise InputError where a source is not of images."""
    if len(source.shape) != 3:
        raise InputError(f"{method} takes images [height, width, channels], and {source.name} is {source.shape}")


def train(
    method: str,
    build: Callable[[], Model],
    source: Source,
    betas: Sequence[float],
    choosing: Sequence[NDArray[np.float32]],
    options: Fitting,
    progress: Callable[[float], None],
) -> tuple[Model, dict[str, Any]]:
    """Fit a network to all betas and what lies between; return it, and facts.

    - method: name in checkpoints
    - build: makes the network, once the generator of torch is seeded
    - source: of images
    - betas: lambda / dim
    - choosing: images to choose its state by
    - options: of the training
    - progress: called with the share that is done
    """
    for name in ("steps", "batch", "samples"):
        if getattr(options, name) < 1:
            raise InputError(f"expected {name} of at least 1, found {getattr(options, name)}")
    device = torch.device(options.device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        net = build().to(device)
    if options.crop % net.stride or options.crop < net.stride:
        raise InputError(f"expected a crop that is a multiple of {net.stride}, found {options.crop}")
    low, high = math.log(min(betas)), math.log(max(betas))

    def loss(rng: np.random.Generator, noise: torch.Generator) -> Tensor:
        x = torch.from_numpy(_crops(source, options, rng)).to(device)
        beta = torch.from_numpy(np.exp(rng.uniform(low, high, len(x))).astype(np.float32)).to(device)
        y, rate = net(x, beta, noise)
        error = (x - y).square().flatten(1).sum(1)
        # Relative to what the value would be without any prior: all betas matter alike.
        weight = 1 / (1 + torch.log1p(0.01 * beta))
        value: Tensor = (weight * (rate + beta * error)).mean() / x[0].numel()
        return value

    def losses_of(steps: int, rng: np.random.Generator, noise: torch.Generator) -> list[Callable[[], Tensor]]:
        return [partial(loss, rng, noise) for _ in range(steps)]

    def validate() -> Tensor:
        values = []
        for beta in sorted({min(betas), max(betas)}):
            rate, mse = evaluate(net, choosing, beta, seed=options.seed + 1)
            values.append(float(np.mean(rate / choosing[0].size + beta * mse)))
        return torch.tensor(values)

    identity = (source.name, source.shape, low, high, replace(options, folder=None, samples=0, device=""))
    checkpoint = checkpoint_path(Path(options.folder), method, *identity) if options.folder else None
    schedule = Schedule(options.steps, options.lr, clip=1.0, seed=options.seed, joint=True)
    facts = fit(net, losses_of, validate, schedule, progress, checkpoint)
    return net.requires_grad_(False), facts


def evaluate(
    net: ImageModel, images: Iterable[NDArray[np.float32]], beta: float, *, seed: int = 0, rounded: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rate in nats and mse of every image, both float64 [n].

    - net: the network
    - images: [h, w, c] in 0..1, of any size
    - beta: lambda / dim
    - seed: of the noise
    - rounded: round in place of noise
    """
    noise = None if rounded else torch.Generator().manual_seed(seed)
    device = next(net.parameters()).device
    stride = net.stride
    rates, errors = [], []
    with torch.no_grad():
        for image in images:
            x = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].to(device)
            height, width = x.shape[2:]
            padded = functional.pad(x, (0, -width % stride, 0, -height % stride), mode="replicate")
            y, rate = net(padded, torch.full((1,), beta, device=device), noise)
            rates.append(float(rate))
            errors.append(float((y[:, :, :height, :width] - x).double().square().mean()))
    return np.array(rates), np.array(errors)


def _crops(source: Source, options: Fitting, rng: np.random.Generator) -> NDArray[np.float32]:
    """Training squares, float32 [batch, c, crop, crop]: anywhere in images drawn, flipped at random."""
    height, width, _ = source.shape
    side = options.crop
    several = CROPS if min(height, width) >= 2 * side else 1
    images = source.train(-(-options.batch // several), rng)
    if min(height, width) < side:
        margin = ((0, 0), (0, max(0, side - height)), (0, max(0, side - width)), (0, 0))
        images = np.pad(images, margin, mode="edge")
    squares = []
    for i in range(options.batch):
        image = images[i // several]
        top, left = (int(rng.integers(0, n - side + 1)) for n in image.shape[:2])
        square = image[top : top + side, left : left + side]
        if rng.random() < 0.5:
            square = square[:, ::-1]
        squares.append(square.transpose(2, 0, 1))
    return np.ascontiguousarray(np.stack(squares))


def _evaluation(source: Source, options: Fitting) -> tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]]:
    """Images to choose the network's state by, and others for the final figures."""
    rng = np.random.default_rng([options.seed, 3])
    count = CHOOSING + options.samples if source.unlimited else source.held_out_count or 1
    held = list(source.held_out(count, rng))
    if len(held) < 3:
        raise InputError(f"{source.name}: expected at least 3 held-out images, found {len(held)}")
    part = min(CHOOSING, len(held) // 3)
    return held[:part], held[part:][: options.samples]
