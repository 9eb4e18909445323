"""The banana: a bent Gaussian in two dimensions, with a known density, and smooth surfaces of it in more."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdzip.bounds.sources.fresh import Fresh
from rdzip.errors import InputError

SCALES = np.array([3.0, 0.5])
BEND = 0.1
ANGLE = math.radians(240)
ROTATION = np.array([[math.cos(ANGLE), -math.sin(ANGLE)], [math.sin(ANGLE), math.cos(ANGLE)]])
HIDDEN = 64
"""Width of the network that embeds the banana."""


class Banana(Fresh):
    """x = Rot^-1 (z1, z2 - z1^2 / 10) - (1, 1), with z1 ~ N(0, 3^2), z2 ~ N(0, 1/2^2), Rot by 240 degrees.

    Yang & Mandt 2022, after the toy sources of tensorflow/compression. The map has unit Jacobian, so h(X) =
    ln(2 pi e 1.5).
    """

    def __init__(self) -> None:
        super().__init__("banana", (2,))

    def draw(self, n: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Samples [n, 2]."""
        return _banana(n, rng).astype(np.float32)

    def log_density(self, x: NDArray[Any]) -> NDArray[np.float64]:
        """Log density [n] at x [n, 2], nats."""
        u = (np.asarray(x, np.float64) + 1) @ ROTATION.T
        u[:, 1] += BEND * u[:, 0] ** 2
        density: NDArray[np.float64] = -0.5 * ((u / SCALES) ** 2).sum(1) - math.log(2 * math.pi * SCALES.prod())
        return density


class EmbeddedBanana(Fresh):
    """The banana b as x = scale W2 softplus(W1 b + bias), W1 [hidden, 2], W2 [dim, hidden]: no density in R^dim."""

    def __init__(self, first: NDArray[np.float64], bias: NDArray[np.float64], second: NDArray[np.float64]) -> None:
        super().__init__("banana", (len(second),))
        self._first, self._bias, self._second = first, bias, second

    def draw(self, n: int, rng: np.random.Generator) -> NDArray[np.float32]:
        """Samples [n, dim]."""
        hidden = np.logaddexp(0, _banana(n, rng) @ self._first.T + self._bias)
        x: NDArray[np.float32] = (hidden @ self._second.T).astype(np.float32)
        return x


def embedded_banana(dim: int | None, seed: int) -> EmbeddedBanana:
    """Return the banana in `dim` > 2 dimensions, by a random network.

    Its scale is such that a small step on the banana moves x by as much, in mean squared error over dimensions, on the
    average over the source and over directions: rates at equal distortion then compare with those of two dimensions.
    """
    if dim is None or dim < 2:
        raise InputError(f"expected a banana in 2 or more dimensions, found {dim}")
    rng = np.random.default_rng([seed, dim])
    first, bias = rng.standard_normal((HIDDEN, 2)), rng.standard_normal(HIDDEN)
    second = rng.standard_normal((dim, HIDDEN))
    slopes = 1 / (1 + np.exp(-(_banana(4096, rng) @ first.T + bias)))  # of softplus, [points, hidden]
    gram = (second.T @ second) * (first @ first.T)  # trace of J^T J = slopes^T gram slopes
    mean = np.einsum("ni,ij,nj->n", slopes, gram, slopes).mean() / dim
    return EmbeddedBanana(first, bias, second / math.sqrt(mean))


def _banana(n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    u = rng.standard_normal((n, 2)) * SCALES
    u[:, 1] -= BEND * u[:, 0] ** 2
    banana: NDArray[np.float64] = u @ ROTATION - 1  # Rot^-1 u = Rot^T u
    return banana
