"""Hierarchical VAE of images (pyramid.py) as an upper bound, method "resnet-vae"; one network serves all lambdas.

Rates are KL divergences, not file sizes: they are achievable by channel simulation only. Training and evaluation are
those of image_training.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdzip.bounds.point import Point, Report
from rdzip.bounds.sources.base import Source
from rdzip.bounds.upper import image_training
from rdzip.bounds.upper.image_training import check_images, evaluate
from rdzip.bounds.upper.pyramid import Pyramid, Shape

__all__ = ["Options", "evaluate", "solve", "train"]


@dataclass(frozen=True)
class Options(image_training.Fitting):
    """How to fit and to evaluate: see Fitting, and the network.

    widths: features at strides 2, 4, ...; blocks: residual blocks at each; slices: groups of channels coded one given
    the others (1: no autoregressive prior).
    """

    widths: tuple[int, ...] = (48, 64, 96, 96, 96)
    blocks: int = 2
    slices: int = 3

    def build(self, channels: int) -> Pyramid:
        """Return a fresh network for images of so many channels."""
        return Pyramid(Shape(channels, self.widths, self.blocks, self.slices))


def solve(source: Source, lambdas: Sequence[float], options: Options, report: Report) -> list[Point]:
    """Return the upper bounds at each lambda, on held-out (or fresh) images."""
    check_images("resnet-vae", source)
    return image_training.bound("resnet-vae", lambda: options.build(source.shape[2]), source, lambdas, options, report,
                          label="KL divergence: achievable by channel simulation only")  # fmt: skip


def train(
    source: Source,
    betas: Sequence[float],
    choosing: Sequence[NDArray[np.float32]],
    options: Options,
    progress: Callable[[float], None],
) -> tuple[Pyramid, dict[str, Any]]:
    """Fit a network to all betas and what lies between; return it, and facts.

    - source: of images
    - betas: lambda / dim
    - choosing: images to choose its state by
    - options: of the training
    - progress: called with the share that is done
    """
    build = lambda: options.build(source.shape[2])  # noqa: E731
    return image_training.train("resnet-vae", build, source, betas, choosing, options, progress)
