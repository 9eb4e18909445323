"""Transform coding with a mean-scale hyperprior (Minnen, Balle, Toderici 2018), method "hyperprior", for images.

Rates are estimated, not sizes of files: those of dithered quantisation (uniform noise) with an ideal entropy coder. See
transform_coding.py for the code, image_training.py for training and evaluation; one network serves all lambdas.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rdzip.bounds.point import Point, Report
from rdzip.bounds.sources.base import Source
from rdzip.bounds.upper import image_training
from rdzip.bounds.upper.transform_coding import Shape, TransformCode

LABEL = "estimated rate of transform coding, with dither and an ideal entropy coder"


@dataclass(frozen=True)
class Options(image_training.Fitting):
    """How to fit and to evaluate: see Fitting, and the network.

    widths: features at strides 2, 4, ...; blocks: residual blocks at each; latent: channels of latents (None: all that
    the block transform has); hyper: channels of hyper-latents; slices: groups of channels coded one given the others;
    residual: whether the decoder predicts the quantisation error of latents.
    """

    widths: tuple[int, ...] = (48, 64, 96)
    blocks: int = 2
    latent: int | None = None
    hyper: int = 48
    slices: int = 1
    residual: bool = False

    def build(self, channels: int) -> TransformCode:
        """Return a fresh network for images of so many channels."""
        return TransformCode(
            Shape(channels, self.widths, self.blocks, self.latent, self.hyper, self.slices, self.residual)
        )


def solve(source: Source, lambdas: Sequence[float], options: Options, report: Report) -> list[Point]:
    """Return the upper bounds at each lambda, on held-out (or fresh) images."""
    return solve_as("hyperprior", source, lambdas, options, report)


def solve_as(method: str, source: Source, lambdas: Sequence[float], options: Options, report: Report) -> list[Point]:
    """Return the upper bounds of a method that differs from this one in its options.

    - method: name in records
    - source: of images
    - lambdas: nats per unit of mean squared error
    - options: of the training
    - report: called with each Point, and with progress
    """
    image_training.check_images(method, source)
    return image_training.bound(method, lambda: options.build(source.shape[2]), source, lambdas, options, report,
                          label=LABEL, rounding=True)  # fmt: skip
