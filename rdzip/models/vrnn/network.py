"""Variational recurrent network for binary piano rolls, as it trains: every value that decides a rate is an integer.

Chung et al. 2015, "A recurrent latent variable model for sequential data", eqs. 5-9: for each step t a prior
p(z_t | h), a posterior q(z_t | h, x_t), an emission p(x_t | z_t, h) and a new state h(h, x_t, z_t). Latents are symbols
0..255 on a grid; prior and posterior are Gaussians on that grid with
a mean in 1/64 and one of 64 scales; the emission is a Bernoulli for each key. The state is an integer in 1/256 of the
8 bits that layers see of it. models/vrnn/model.py evaluates the same network when coding.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rdzip.exact.integers import BIAS_UNIT, INPUT_MAX
from rdzip.exact.layers import QuantisedLinear, activate, ste_round
from rdzip.models.shared.units import MEAN_UNIT, SCALE_MIN, SCALES_PER_OCTAVE

CENTRE = 128
MEAN_LOW, MEAN_HIGH = 16, 240
SCALE_LOW = 24
POSTERIOR_STEP = -3
SCALE_GAIN = 8 / 32
STATE_UNIT = 256
GATE_ONE = 256
LEVELS = 1024
"""Entries of the tables of gates and of logits; an output of a layer, rounded, plus LEVELS / 2 is the index."""
GATE_UNIT = 32
TANH_UNIT = 64
LOGIT_UNIT = 32
BIAS_GAIN = 64
LAYERS = ("x1", "x2", "x_fan", "h_fan", "z1", "z_fan", "p2", "q2", "e2", "a2")


@dataclass(frozen=True)
class VrnnConfig:
    """Shape of the network: keys of a roll, latents a step, units of the state, width of hidden layers, features.

    prior_scale: index of the prior's scale where its network gives 0; latent_gain: what a grid step of a latent is
    worth as a network input. The scale 30 (1.9 steps) with the gain 8 makes latents coarse, so that fewer initial bits
    are needed; 48 (15 steps) with the gain 1 makes them fine. largest_scale: of prior and posterior.
    """

    dims: int = 88
    latents: int = 32
    state: int = 128
    width: int = 128
    features: int = 64
    prior_scale: int = 30
    latent_gain: int = 8
    largest_scale: int = 45

    def as_dict(self) -> dict[str, int]:
        """The fields as plain integers, for the model file."""
        return asdict(self)

    def sizes(self) -> dict[str, tuple[int, int]]:
        """Inputs and outputs of each layer, by its name in LAYERS."""
        w, f = self.width, self.features
        return {
            "x1": (self.dims, f),
            "x2": (f, f),
            "x_fan": (f, 2 * w),
            "h_fan": (self.state, 4 * w),
            "z1": (self.latents, f),
            "z_fan": (f, 2 * w),
            "p2": (w, 2 * self.latents),
            "q2": (w, 2 * self.latents),
            "e2": (w, self.dims),
            "a2": (w, 2 * self.state),
        }


class Layer(nn.Module):
    """A QuantisedLinear whose bias moves by BIAS_GAIN times the optimiser's step, as activations are that large."""

    def __init__(self, inputs: int, outputs: int, gain: float) -> None:
        super().__init__()
        self.linear = QuantisedLinear(inputs, outputs, gain)
        self.linear.bias.requires_grad_(False)
        self.offset = nn.Parameter(torch.zeros(outputs))

    def parts(self, quantise: bool) -> tuple[Tensor, Tensor]:
        """Weight and bias as they are used, rounded to their grids if ``quantise``."""
        if not quantise:
            return self.linear.weight, self.offset * BIAS_GAIN
        bias = ste_round(self.offset * (BIAS_GAIN * BIAS_UNIT)) / BIAS_UNIT
        return self.linear.quantised_weight(), bias

    def finished(self) -> QuantisedLinear:
        """The layer with its bias in place."""
        with torch.no_grad():
            self.linear.bias.copy_(self.offset * BIAS_GAIN)
        return self.linear


class Gaussian(NamedTuple):
    """Latents on the grid: mean in 1/64 grid units and scale index, [n, latents], integers held in floats."""

    mean: Tensor
    scale: Tensor

    def sigma(self) -> Tensor:
        """Standard deviation in grid units."""
        return torch.exp2(self.scale * (1 / SCALES_PER_OCTAVE)) * SCALE_MIN

    def log_density(self, z: Tensor) -> Tensor:
        """Natural logarithm of the density at z (grid units), summed over latents, without the constant: [n]."""
        d = (z - self.mean * (1 / MEAN_UNIT)) / self.sigma()
        scale: Tensor = self.scale * (0.6931471805599453 / SCALES_PER_OCTAVE)
        return -(0.5 * d * d + scale).sum(-1)


class VrnnNet(nn.Module):
    """The trainable network. ``parts`` makes the weights of one evaluation, which all the others take."""

    def __init__(self, config: VrnnConfig) -> None:
        super().__init__()
        self.config = config
        gains = {"x1": 3.0, "p2": 0.1, "q2": 0.1, "e2": 0.5}
        self.layers = nn.ModuleDict(
            {name: Layer(i, o, gains.get(name, 1.0)) for name, (i, o) in config.sizes().items()}
        )

    def parts(self, quantise: bool = True) -> dict[str, tuple[Tensor, Tensor]]:
        """Weights and biases by layer, to be made once for many steps."""
        return {name: cast(Layer, layer).parts(quantise) for name, layer in self.layers.items()}


class Step:
    """The network at work with given weights, ``quantise=False`` without any rounding, with dropout on hidden layers.

    Streams are float [n, ...]; states are integers held in floats.
    """

    def __init__(self, net: VrnnNet, quantise: bool = True, dropout: float = 0.0, dtype: torch.dtype = torch.float32):
        self._parts = {name: (w.to(dtype), b) for name, (w, b) in net.parts(quantise).items()}
        self._config = net.config
        self._width = net.config.width
        self._quantise = quantise
        self._dropout = dropout
        self._dtype = dtype

    def _apply(self, name: str, a: Tensor) -> Tensor:
        weight, bias = self._parts[name]
        y = F.linear(a.to(self._dtype), weight)
        return y.float() + bias

    def _activate(self, h: Tensor) -> Tensor:
        a = activate(h, self._quantise, self._dtype)
        return F.dropout(a, self._dropout) if self._dropout else a

    def _round(self, x: Tensor) -> Tensor:
        return ste_round(x) if self._quantise else x

    def read(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What a posterior and a new state see of steps x [n, dims] of zeros and ones: streams [n, width]."""
        f = self._activate(self._apply("x2", self._activate(self._apply("x1", x * float(INPUT_MAX)))))
        posterior, advance = self._apply("x_fan", f).split(self._width, -1)
        return posterior, advance

    def recall(self, state: Tensor) -> tuple[Tensor, ...]:
        """What prior, posterior, emission and new state see of states [n, units]: streams [n, width]."""
        h = self._round(state * (1 / STATE_UNIT))
        streams: tuple[Tensor, ...] = self._apply("h_fan", h).split(self._width, -1)
        return streams

    def look(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """What emission and new state see of latents z [n, latents], symbols: streams [n, width]."""
        inputs = ((z - CENTRE) * self._config.latent_gain).clamp(-INPUT_MAX, INPUT_MAX)
        emission, advance = self._apply("z_fan", self._activate(self._apply("z1", inputs))).split(self._width, -1)
        return emission, advance

    def prior(self, stream: Tensor) -> Gaussian:
        """Prior of the latents from its stream of the state."""
        return self._gaussian(self._apply("p2", self._activate(stream)), None)

    def posterior(self, stream: Tensor, prior: Gaussian) -> Gaussian:
        """Posterior of the latents, relative to the prior, from the sum of its streams of state and step."""
        return self._gaussian(self._apply("q2", self._activate(stream)), prior)

    def _gaussian(self, o: Tensor, base: Gaussian | None) -> Gaussian:
        mean, scale = o.chunk(2, -1)
        c = self._config
        mean = self._round(mean * (MEAN_UNIT // c.latent_gain))
        scale = self._round(scale * SCALE_GAIN)
        if base is None:
            mean, scale = mean + CENTRE * MEAN_UNIT, scale + c.prior_scale
        else:
            mean, scale = mean + base.mean, scale + base.scale + POSTERIOR_STEP
        return Gaussian(
            mean.clamp(MEAN_LOW * MEAN_UNIT, MEAN_HIGH * MEAN_UNIT), scale.clamp(SCALE_LOW, c.largest_scale)
        )

    def emission(self, stream: Tensor) -> Tensor:
        """Logits of ones in 1/LOGIT_UNIT nat, [n, dims], from the sum of its streams of state and latents."""
        return self._round(self._apply("e2", self._activate(stream))).clamp(-LEVELS // 2, LEVELS // 2 - 1)

    def advance(self, state: Tensor, stream: Tensor) -> Tensor:
        """New state: the gate u moves it towards the candidate c, s + u (c - s), each of them an integer."""
        u, c = self._round(self._apply("a2", self._activate(stream))).chunk(2, -1)
        u = self._round(GATE_ONE * torch.sigmoid(u * (1 / GATE_UNIT)))
        c = self._round(INPUT_MAX * torch.tanh(c * (1 / TANH_UNIT)))
        return state + self._round(u * (STATE_UNIT * c - state) * (1 / GATE_ONE))


def log_emission(logit: Tensor, x: Tensor) -> Tensor:
    """Natural logarithm of the probability of steps x [n, dims] under logits in 1/LOGIT_UNIT nat: [n]."""
    return -F.binary_cross_entropy_with_logits(logit * (1 / LOGIT_UNIT), x, reduction="none").sum(-1)
