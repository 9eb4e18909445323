"""Variational autoencoder of binary images by perceptrons, 784-200-200-50, as it trains.

Kingma & Welling 2014; the sizes are those of Burda, Grosse & Salakhutdinov 2016 (IWAE, section 5). The latents are
symbols z in 0..255 on a grid of step 1/16 that is centred at 128, so that the prior N(0, 1) has a standard deviation
of 16 steps. The posterior is Gaussian: its mean a multiple of 1/64 step, its standard deviation one of 64. Layers are
those of exact/layers.py, and hidden layers after the first add to what is there before (measured after 2000 steps:
0.197 bits per pixel, against 0.202 without). The forward here is that of models/vae_mlp/model.py, with straight-through
rounding.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from rdzip.exact.integers import INPUT_MAX
from rdzip.exact.layers import QuantisedLinear, activate, ste_round

MEAN_UNIT = 64
CENTRE = 128
PRIOR_DEVIATION = 16.0
MEAN_MIN = -16 * MEAN_UNIT
MEAN_MAX = 272 * MEAN_UNIT
MEAN_GAIN = 32
"""1/64 steps of the mean per unit of the encoder's output."""
SCALES = 64
SCALES_PER_OCTAVE = 6
SCALE_MIN = 1 / 16
SCALE_BASE = 40
PRIOR_SCALE = 48
"""Index of the standard deviation 16: SCALE_MIN * 2**(48 / 6)."""
LOGIT_UNIT = 16
LOGIT_MAX = 191
LOGIT_FACTOR = 0.5
"""1/16 nats of an emission's logit per unit of the decoder's output."""
SCALE_FACTOR = 0.25
ROUNDING_VARIANCE = 1 / 12


@dataclass(frozen=True)
class VaeConfig:
    """Shape of the network: pixels of an image (height, width), units of each hidden layer, latents."""

    height: int = 28
    width: int = 28
    hidden: int = 200
    layers: int = 2
    latents: int = 50

    def as_dict(self) -> dict[str, int]:
        """The fields as plain integers, for the model file."""
        return asdict(self)

    @property
    def pixels(self) -> int:
        """Number of pixels of an image."""
        return self.height * self.width

    def encoder_sizes(self) -> list[int]:
        """Sizes of the encoder's layers, inputs first."""
        return [self.pixels, *[self.hidden] * self.layers, 2 * self.latents]

    def decoder_sizes(self) -> list[int]:
        """Sizes of the decoder's layers, inputs first."""
        return [self.latents, *[self.hidden] * self.layers, self.pixels]


class _Emission(torch.autograd.Function):
    """Fused -ln P(x | logits), nats [n, k], of outputs [n, k, d] for images [n, 1, d]: few passes over memory."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, o: Tensor, sign: Tensor, quantise: bool) -> Tensor:  # type: ignore[override]
        logit = o * LOGIT_FACTOR
        if quantise:
            logit.add_(0.5).floor_()
        inside = logit.abs() < LOGIT_MAX
        logit.clamp_(-LOGIT_MAX, LOGIT_MAX).mul_(1 / LOGIT_UNIT)
        likelihood = logit.mul_(sign).sigmoid_()
        slope = ((likelihood - 1) * sign).mul_(inside).to(torch.bfloat16)
        ctx.save_for_backward(slope)
        return -likelihood.log_().sum(-1)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        (slope,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return slope.float() * (grad[..., None] * (LOGIT_FACTOR / LOGIT_UNIT)), None, None


class Posterior(NamedTuple):
    """Gaussian posterior [n, latents] in steps of the grid: mean, and standard deviation as it is after rounding."""

    mean: Tensor
    deviation: Tensor

    @property
    def rounded_variance(self) -> Tensor:
        """Variance of the rounded latent (Sheppard's correction)."""
        return self.deviation**2 + ROUNDING_VARIANCE


class VaeMlp(nn.Module):
    """The trainable network."""

    def __init__(self, config: VaeConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = _perceptron(config.encoder_sizes(), first_gain=1.0, last_gain=0.2)
        self.decoder = _perceptron(config.decoder_sizes(), first_gain=4.0, last_gain=0.3)

    def posterior(self, x: Tensor, dtype: torch.dtype, quantise: bool = True) -> Posterior:
        """Posterior of binary images [n, pixels] (0 or 1)."""
        o = _run(self.encoder, x.to(dtype) * INPUT_MAX, quantise)
        mean, scale = o.split(self.config.latents, 1)
        mean, scale = mean * MEAN_GAIN + CENTRE * MEAN_UNIT, scale * SCALE_FACTOR + SCALE_BASE
        if quantise:
            mean, scale = ste_round(mean), ste_round(scale)
        mean = mean.clamp(MEAN_MIN, MEAN_MAX) / MEAN_UNIT
        return Posterior(mean, torch.exp2(scale.clamp(0, SCALES - 1) / SCALES_PER_OCTAVE) * SCALE_MIN)

    def emission(self, z: Tensor, x: Tensor, dtype: torch.dtype, quantise: bool = True) -> Tensor:
        """-ln P(x | z), nats [n, k], of latents [n, k, latents] and binary images [n, pixels]."""
        inputs = (z - CENTRE).clamp(-INPUT_MAX, INPUT_MAX).to(dtype)
        o = _run(self.decoder, inputs.flatten(0, 1), quantise).unflatten(0, z.shape[:2])
        return _Emission.apply(o, (2 * x - 1)[:, None, :], quantise)  # type: ignore[no-any-return, no-untyped-call]

    def log_weights(
        self, x: Tensor, noise: Tensor, dtype: torch.dtype, quantise: bool = True, beta: float | None = None
    ) -> Tensor:
        """Logarithms of the importance weights p(x, z) / q(z | x), nats [n, k], z = round(mean + deviation * noise).

        - x: binary samples [n, pixels]
        - noise: standard normal [n, k, latents]
        - dtype: of the layers
        - quantise: round as a decoder does
        - beta: with this weight and the divergence from prior to posterior in place of the logarithm of their ratio,
          for k = 1: with 1 the mean is the same, and the gradient less noisy
        """
        q = self.posterior(x, dtype, quantise)
        mean, variance = q.mean[:, None], q.rounded_variance[:, None]
        z = mean + q.deviation[:, None] * noise
        if quantise:
            z = ste_round(z)
        z = z.clamp(0, 255)
        error = self.emission(z, x, dtype, quantise)
        prior = PRIOR_DEVIATION**2
        if beta is not None:
            divergence = 0.5 * ((variance + (mean - CENTRE) ** 2) / prior - 1 - torch.log(variance / prior))
            return -(error + beta * divergence.sum(-1))
        ratio = (z - mean) ** 2 / variance - (z - CENTRE) ** 2 / prior + torch.log(variance / prior)
        return 0.5 * ratio.sum(-1) - error


def bound(log_weights: Tensor) -> Tensor:
    """Importance-weighted bound on ln p(x), nats [n], from log weights [n, k] (Burda et al. 2016, eq. 8)."""
    return torch.logsumexp(log_weights, 1) - math.log(log_weights.shape[1])


def _perceptron(sizes: list[int], first_gain: float, last_gain: float) -> nn.ModuleList:
    gains = [first_gain, *[2**0.5] * (len(sizes) - 3), last_gain]
    return nn.ModuleList(QuantisedLinear(a, b, g) for a, b, g in zip(sizes, sizes[1:], gains, strict=False))


def _run(layers: nn.ModuleList, a: Tensor, quantise: bool) -> Tensor:
    h: Tensor = layers[0](a, quantise)
    for layer in layers[1:-1]:
        h = h + layer(activate(h, quantise, a.dtype), quantise)
    return layers[-1](activate(h, quantise, a.dtype), quantise)  # type: ignore[no-any-return]
