"""Iterative inference for the perceptron autoencoder: a posterior fitted to one image, by steps that a decoder repeats.

Stochastic variational inference (Hoffman, Blei, Wang & Paisley 2013, eq. 18) after amortised inference, as Ruan et al.
2021 (section 5.3) use it: natural-gradient ascent on the ELBO in mean and standard deviation of the Gaussian posterior,
    d mu = r s**2 (E[g] - (mu - 128) / 256),    d ln s = r / 2 (1 + E[g e s] - s**2 / 256),    z = mu + s e,
with g = d ln p(x | z) / dz by back-propagation, and shared noise e from Philox in place of random numbers. Products are
of dyadic numbers that float64 holds exactly, in any order of summation; everything else is elementwise and rounded to
multiples of 2**-16.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rdzip.entropy.ans import PRECISION
from rdzip.entropy.cdf import INVERSE_BITS, MEAN_BITS, SIGMOID_SIZE, MixtureTables
from rdzip.entropy.normal import SCALE_BITS, from_words
from rdzip.entropy.philox import Philox
from rdzip.errors import ModelError
from rdzip.exact.integers import ACT_MAX, INPUT_MAX
from rdzip.exact.layers import IntegerLinear, activate, round_half_up
from rdzip.exact.types import Float64, Int32
from rdzip.models.vae_mlp.network import (
    CENTRE,
    LOGIT_FACTOR,
    LOGIT_MAX,
    LOGIT_UNIT,
    MEAN_MAX,
    MEAN_MIN,
    MEAN_UNIT,
    PRIOR_DEVIATION,
    SCALES,
)

SEED = 0x7265_6669_6E65
"""Of the noise; its stream is the number of the step."""
PAIRS = 4
"""Pairs of a noise vector and its negative, in each step."""
UNIT = 2.0**-16
SLOPE_MAX = 2.0**10
STEP = 0.6
"""Rate r of the first step; it falls linearly to 0."""
SPREAD_SHARE = 0.25
"""Share of the rate for the deviations, whose gradients are noisy."""
INDICES = 4.328125
"""Scale indices by which ln s grows by 1/2: 3 / ln 2."""
ROWS = 512


def _unit(values: Float64) -> Float64:
    """Rounded to multiples of 2**-16."""
    rounded: Float64 = np.floor(values * (1 / UNIT) + 0.5) * UNIT
    return rounded


def _back(slope: Tensor, weight: Tensor, mask: Tensor) -> Tensor:
    """Slope in the stream before an activation and a layer, from that in the layer's output, in 2**-16."""
    back = (slope @ weight).mul_(mask)
    return (round_half_up(back * (1 / UNIT)) * UNIT).clamp_(-SLOPE_MAX, SLOPE_MAX)


class Refinement:
    """Iterative inference with the decoder's layers, the table of emissions [383] and the tables of the posterior."""

    def __init__(self, decoder: list[IntegerLinear], emission: Int32, tables: MixtureTables) -> None:
        self._decoder = decoder
        self._probability = (emission.astype(np.int64) + (1 << 7) >> PRECISION - 16) * UNIT
        span = (SIGMOID_SIZE << INVERSE_BITS + 16) // (24 << MEAN_BITS)
        self._deviation = (span // tables.inverse_scale.astype(np.int64)) * UNIT
        self._weights: list[Tensor] = []

    def _backward(self) -> list[Tensor]:
        """Weights of the layers in float64; ModelError if back-propagated sums could be inexact."""
        if not self._weights:
            weights = [layer.weight.double().cpu() for layer in self._decoder]
            for w, layer in zip(weights, self._decoder, strict=True):
                # sums in the unit of 2**-16 of that of the weights stay below 2**53
                if float(w.abs().sum(0).max() * layer.finest.max()) * SLOPE_MAX >= 2.0**37:
                    raise ModelError("model: its decoder's weights are too large for exact refinement: leave it out")
            self._weights = weights
        return self._weights

    def _slope(self, z: Float64, x: Float64) -> Float64:
        """d ln p(x | z) / dz for latents [n, k] (steps of the grid, any real) and images [n, pixels], in 2**-16."""
        inputs = np.clip(np.floor(z + 0.5) - CENTRE, -INPUT_MAX, INPUT_MAX).astype(np.float32)
        h, seen = self._decoder[0](torch.from_numpy(inputs).to(self._decoder[0].weight.device)), []
        for layer in self._decoder[1:]:
            a = activate(h)
            seen.append(((a > 0) & (a < ACT_MAX)).cpu())
            h = layer(a) if layer is self._decoder[-1] else h + layer(a)
        o = h.cpu().numpy().astype(np.float64)
        logit = np.floor(o * LOGIT_FACTOR + 0.5).clip(-LOGIT_MAX, LOGIT_MAX).astype(np.int32)
        error = torch.from_numpy(x - self._probability[logit + LOGIT_MAX])
        weights = self._backward()
        slope = _back(error, weights[-1], seen[-1])
        for w, mask in zip(weights[-2:0:-1], seen[-2::-1], strict=True):
            slope = (slope + _back(slope, w, mask)).clamp_(-SLOPE_MAX, SLOPE_MAX)
        return _unit((slope @ weights[0]).numpy() * (LOGIT_FACTOR / LOGIT_UNIT))

    @torch.inference_mode()
    def __call__(self, x: NDArray[np.uint8], mean: Int32, scale: Int32, steps: int) -> tuple[Int32, Int32]:
        """Mean and scale index int32 [n, k] after ``steps`` steps for images [n, pixels], from those given."""
        parts = [
            self._refine(x[i : i + ROWS].astype(np.float64), mean[i : i + ROWS], scale[i : i + ROWS], steps)
            for i in range(0, len(x), ROWS)
        ]
        return np.concatenate([m for m, _ in parts]), np.concatenate([s for _, s in parts])

    def _refine(self, x: Float64, mean: Int32, scale: Int32, steps: int) -> tuple[Int32, Int32]:
        mu, index = mean.astype(np.float64) * (1 / MEAN_UNIT), scale.astype(np.float64)
        n, k = mu.shape
        images = np.repeat(x, 2 * PAIRS, axis=0)
        prior = 1 / PRIOR_DEVIATION**2
        for step in range(steps):
            words = Philox(SEED, step).words(0, PAIRS * k).reshape(PAIRS, k)
            noise = from_words(words).astype(np.float64) * 2.0**-SCALE_BITS
            both = np.stack([noise, -noise], 1).reshape(1, 2 * PAIRS, k)
            s = self._deviation[np.floor(index + 0.5).astype(np.int64)]
            offset = _unit(s[:, None] * both)
            slope = self._slope((mu[:, None] + offset).reshape(-1, k), images).reshape(n, -1, k)
            total, spread = np.zeros((n, k)), np.zeros((n, k))
            for i in range(2 * PAIRS):
                total += slope[:, i]
                spread += _unit(slope[:, i] * offset[:, i])
            rate = _unit(np.asarray(STEP * (steps - step) / steps))
            variance = _unit(s * s)
            up = total * (0.5 / PAIRS) - (mu - CENTRE) * prior
            wide = 1 + spread * (0.5 / PAIRS) - variance * prior
            mu = _unit(mu + rate * _unit(variance * _unit(up)).clip(-16, 16)).clip(
                MEAN_MIN // MEAN_UNIT, MEAN_MAX // MEAN_UNIT
            )
            index = _unit(index + rate * SPREAD_SHARE * _unit(INDICES * _unit(wide)).clip(-6, 6)).clip(0, SCALES - 1)
        return np.floor(mu * MEAN_UNIT + 0.5).astype(np.int32), np.floor(index + 0.5).astype(np.int32)
