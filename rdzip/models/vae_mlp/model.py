"""The finished perceptron autoencoder: the forward of models/vae_mlp/network.py in exact integers, as codecs ask for
it.

Matrix products run in torch on IntegerLinear layers (exact float32), what follows in numpy on float64 that holds
integers and halves exactly. Results for a row do not depend on the rows beside it.
"""

from __future__ import annotations

import hashlib

import numpy as np
import torch
from numpy.typing import NDArray

from rdzip.entropy.cdf import MixtureTables
from rdzip.entropy.philox import Philox
from rdzip.errors import InputError, ModelError
from rdzip.exact.devices import usable_device
from rdzip.exact.integers import INPUT_MAX
from rdzip.exact.layers import IntegerLinear, activate
from rdzip.exact.types import Int32
from rdzip.models.latent_model import Draw, Samples, Shape
from rdzip.models.shared.sites import BernoulliSite, GridSite
from rdzip.models.vae_mlp.network import (
    CENTRE,
    LOGIT_FACTOR,
    LOGIT_MAX,
    MEAN_GAIN,
    MEAN_MAX,
    MEAN_MIN,
    MEAN_UNIT,
    PRIOR_SCALE,
    SCALE_BASE,
    SCALE_FACTOR,
    SCALES,
    VaeConfig,
)
from rdzip.models.vae_mlp.refine import Refinement

LATENT = "z1"


class VaeMlpModel:
    """The model of a file, a LatentModel with one group of latents "z1" [rows, latents] and binary samples [h, w].

    encoder, decoder: layers in order; tables: of the normal distribution; emission: int32 [383], frequency of a one
    of 2**24 by the logit in 1/16 nat, -191..191.
    """

    entry_time = 0.03
    """Microseconds that a run of the networks takes for a pixel, about."""

    def __init__(
        self,
        config: VaeConfig,
        encoder: list[IntegerLinear],
        decoder: list[IntegerLinear],
        tables: MixtureTables,
        emission: Int32,
        answer: str,
    ) -> None:
        """Take the parts of a model file.

        - config: sizes
        - encoder, decoder: layers in order
        - tables: of the normal distribution
        - emission: int32 [383], frequency of a one of 2**24 by the logit in 1/16 nat, -191..191
        - answer: the known answer
        """
        self.config = config
        self.tables = tables
        self.answer = answer
        self._encoder = encoder
        self._decoder = decoder
        self._emission = emission
        self._refinement = Refinement(decoder, emission, tables)
        self._device = torch.device("cpu")

    def to(self, device: str) -> VaeMlpModel:
        """The same model with its matrix products on a torch device.

        Raises InputError if there is no such device here, ModelError if it does not give the known answer.
        """
        where = usable_device(device)
        if where != self._device:
            for layer in [*self._encoder, *self._decoder]:
                layer.to(where)
            self._device = where
            if self.known_answer() != self.answer:
                raise ModelError(f"the device {device} does not compute this model exactly: use `device=cpu`")
        return self

    def check_item(self, shape: Shape) -> None:
        """InputError unless samples of this shape can be coded."""
        expected = (self.config.height, self.config.width)
        if tuple(shape) != expected:
            raise InputError(
                f"this model codes binary images of shape {expected}, found {tuple(shape)}: choose another model"
            )

    def values(self) -> int:
        """Number of values of a pixel."""
        return 2

    def posterior(self, x: Samples, refine: int = 0) -> GridSite:
        """q(z | x) of images [rows, h, w], after ``refine`` steps of iterative inference."""
        flat = np.ascontiguousarray(x.reshape(len(x), -1))
        new = np.ones(len(flat), bool)
        new[1:] = (flat[1:] != flat[:-1]).any(1)  # equal neighbours, as particles of one image are, are computed once
        kept = flat[new]
        o = self._run(self._encoder, kept.astype(np.float32) * INPUT_MAX)
        k = self.config.latents
        mean = np.floor(o[:, :k] * MEAN_GAIN + 0.5) + CENTRE * MEAN_UNIT
        scale = np.floor(o[:, k:] * SCALE_FACTOR + 0.5) + SCALE_BASE
        mean, scale = mean.clip(MEAN_MIN, MEAN_MAX), scale.clip(0, SCALES - 1)
        means, scales = mean.astype(np.int32), scale.astype(np.int32)
        if refine:
            means, scales = self._refinement(kept, means, scales, refine)
        rows = np.cumsum(new) - 1
        return GridSite(self.tables, means[rows], scales[rows])

    def prior(self, rows: int) -> GridSite:
        """p(z)."""
        shape = (rows, self.config.latents)
        return GridSite(
            self.tables, np.full(shape, CENTRE * MEAN_UNIT, np.int32), np.full(shape, PRIOR_SCALE, np.int32)
        )

    def likelihood(self, z: NDArray[np.integer]) -> BernoulliSite:
        """p(x | z) of latents [rows, latents]."""
        inputs = np.clip(np.asarray(z, np.int32) - CENTRE, -INPUT_MAX, INPUT_MAX).astype(np.float32)
        o = self._run(self._decoder, inputs)
        logit = np.floor(o * LOGIT_FACTOR + 0.5).clip(-LOGIT_MAX, LOGIT_MAX).astype(np.int32)
        return BernoulliSite(self._emission, (logit + LOGIT_MAX).reshape(len(z), self.config.height, self.config.width))

    def infer(self, x: Samples, draw: Draw, refine: int = 0) -> None:
        """Draw the latents from their posterior."""
        draw(LATENT, self.posterior(x, refine))

    def generate(self, rows: int, shape: Shape, draw: Draw) -> Samples:
        """Draw the latents from their prior, then images."""
        z = draw(LATENT, self.prior(rows))
        x: Samples = draw("x", self.likelihood(z))
        return x

    @torch.inference_mode()
    def _run(self, layers: list[IntegerLinear], inputs: NDArray[np.float32]) -> NDArray[np.float64]:
        h = layers[0](torch.from_numpy(inputs).to(self._device))
        for layer in layers[1:-1]:
            h += layer(activate(h))
        return layers[-1](activate(h)).cpu().numpy().astype(np.float64)

    def known_answer(self) -> str:
        """SHA-256 in hex of posteriors, refined ones too, and likelihoods for pseudo-random images and latents."""
        digest = hashlib.sha256()
        words, start = Philox(seed=2026, stream=50), 0
        for n, refine in ((1, 0), (3, 2), (40, 0)):
            count = n * self.config.pixels
            bits = words.words(start, count).reshape(n, -1)
            x = ((bits >> 8 & 255) < (bits[:, :1] & 255)).astype(np.uint8).reshape(n, self.config.height, -1)
            site = self.posterior(x, refine)
            z = site.quantile((bits[:, : self.config.latents] >> 8).astype(np.int64))
            likelihood = self.likelihood(z)
            for values in (site.mean, site.scale, z, likelihood.table[likelihood.index], self.prior(n).interval(z)[1]):
                digest.update(np.ascontiguousarray(values.astype("<i4")).tobytes())
            start += count
        return digest.hexdigest()
