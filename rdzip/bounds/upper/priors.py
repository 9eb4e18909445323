"""Priors over latents: densities that are fitted together with the channel, one copy for each lambda.

Names: std_gaussian; gmm_K, lmm_K (independent coordinates, each a mixture of K Gaussians or logistics); gsm_K, lsm_K
(the same with all components centred at 0: scale mixtures); deep (independent coordinates, each with the monotone
network of Balle et al. 2018, section 6.1, as its distribution function); maf (autoregressive flow to a standard
Gaussian); maf_K (the same, but the last layer gives each coordinate a mixture of K Gaussians, given those before it).

All start close to a standard Gaussian. Independent ones also give the mass of intervals of width 1, as transform coding
needs it. Latents are [copies, n, dim], results [copies, n], natural logarithms.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from rdzip.bounds.upper.flows import Flow
from rdzip.bounds.upper.layers import Autoregressive
from rdzip.errors import InputError

NAMES = "std_gaussian, gmm_K, gsm_K, lmm_K, lsm_K, maf, maf_K, deep"
LOG_SQRT_2PI = 0.5 * math.log(2 * math.pi)
LOGISTIC_STD = math.pi / math.sqrt(3)


def log_normal(z: Tensor) -> Tensor:
    """Return ln N(z; 0, 1), elementwise."""
    return -0.5 * z.square() - LOG_SQRT_2PI


def log_difference(larger: Tensor, smaller: Tensor) -> Tensor:
    """Return ln(exp(larger) - exp(smaller)), exact where the two are close; both must differ."""
    gap = (larger - smaller).clamp_min(1e-12)
    return larger + torch.where(gap > 0.7, torch.log1p(-torch.exp(-gap)), torch.log(-torch.expm1(-gap)))


class Prior(nn.Module):
    """A density over latents."""

    def log_prob(self, z: Tensor) -> Tensor:
        """Return ln p(z) [copies, n] of z [copies, n, dim]."""
        raise NotImplementedError

    def log_mass(self, z: Tensor) -> Tensor:
        """Return ln of the probability of the cube of side 1 around z, [copies, n]: p convolved with U(-1/2, 1/2)."""
        raise InputError(f"{type(self).__name__} has no distribution function: the uniform posterior needs one of "
                         "std_gaussian, gmm_K, gsm_K, lmm_K, lsm_K, deep")  # fmt: skip

    def rescale(self, scale: Tensor) -> None:
        """Widen a fresh prior: coordinates are of standard deviation scale [copies, dim] from now on."""
        raise NotImplementedError


class StdGaussian(Prior):
    """N(0, diag(scale^2)); the scale is 1 until `rescale`, and then learned."""

    def __init__(self, copies: int, dim: int):
        super().__init__()
        self.log_scale = nn.Parameter(torch.zeros(copies, 1, dim), requires_grad=False)

    def log_prob(self, z: Tensor) -> Tensor:
        """Return ln p(z)."""
        return (log_normal(z * torch.exp(-self.log_scale)) - self.log_scale).sum(-1)

    def log_mass(self, z: Tensor) -> Tensor:
        """Return ln of the mass around z."""
        inverse = torch.exp(-self.log_scale)
        return gaussian_mass(z * inverse, 0.5 * inverse).sum(-1)

    def rescale(self, scale: Tensor) -> None:
        """Set the scales, and let them be learned."""
        self.log_scale.data += torch.log(scale)[:, None]
        self.log_scale.requires_grad_(True)


def gaussian_mass(centre: Tensor, half: Tensor) -> Tensor:
    """Return ln of the mass that N(0, 1) has within `half` (> 0) of `centre`, elementwise."""
    # By symmetry both ends can lie in the lower tail or around 0, where log_ndtr is exact.
    low = -centre.abs()
    return log_difference(torch.special.log_ndtr(low + half), torch.special.log_ndtr(low - half))


def _logistic_mass(upper: Tensor, lower: Tensor) -> Tensor:
    """Return ln(sigmoid(upper) - sigmoid(lower)) without cancellation."""
    gap = (upper - lower).clamp_min(1e-12)
    return functional.logsigmoid(upper) + functional.logsigmoid(-lower) + torch.log(-torch.expm1(-gap))


def _start(components: int) -> tuple[Tensor, Tensor]:
    """Means and standard deviations of a mixture that differ, and whose law is of variance 1 and near a Gaussian."""
    if components == 1:
        return torch.zeros(1), torch.ones(1)
    spread = torch.linspace(-1, 1, components)
    return spread * torch.sqrt(0.5 / spread.square().mean()), torch.full((components,), 0.5**0.5)


class Mixture(Prior):
    """Independent coordinates, each a mixture of K Gaussians or logistics; centred: all components at 0."""

    def __init__(self, copies: int, dim: int, components: int, *, logistic: bool, centred: bool):
        """Make the mixtures.

        - copies: independent priors, for the values of lambda
        - dim: coordinates
        - components: K
        - logistic: logistics in place of Gaussians
        - centred: all components at 0
        """
        super().__init__()
        self.logistic, self.centred = logistic, centred
        loc, scale = _start(components)
        if centred:
            loc, scale = torch.zeros(components), torch.exp(0.7 * loc)
            scale = scale / scale.square().mean().sqrt()
        shape = (copies, 1, dim, components)
        self.logits = nn.Parameter(torch.zeros(shape))
        self.loc = nn.Parameter(loc.expand(shape).clone(), requires_grad=not centred)
        self.log_scale = nn.Parameter((scale / (LOGISTIC_STD if logistic else 1)).log().expand(shape).clone())

    def log_prob(self, z: Tensor) -> Tensor:
        """Return ln p(z)."""
        inverse = torch.exp(-self.log_scale)
        u = (z[..., None] - self.loc) * inverse
        each = functional.logsigmoid(u) + functional.logsigmoid(-u) if self.logistic else log_normal(u)
        return torch.logsumexp(each - self.log_scale + torch.log_softmax(self.logits, -1), -1).sum(-1)

    def log_mass(self, z: Tensor) -> Tensor:
        """Return ln of the mass around z."""
        inverse = torch.exp(-self.log_scale)
        u, half = (z[..., None] - self.loc) * inverse, 0.5 * inverse
        each = _logistic_mass(u + half, u - half) if self.logistic else gaussian_mass(u, half)
        return torch.logsumexp(each + torch.log_softmax(self.logits, -1), -1).sum(-1)

    def rescale(self, scale: Tensor) -> None:
        """Widen all components."""
        self.log_scale.data += torch.log(scale)[:, None, :, None]
        self.loc.data *= scale[:, None, :, None]


class Deep(Prior):
    """Balle et al. 2018: the logit of the distribution function is a monotone network of 3 hidden layers of 3 units.

    A layer is x -> softplus(H) x + b, then x + tanh(a) tanh(x), of slope above 0; the last is linear.
    """

    def __init__(self, copies: int, dim: int, units: Sequence[int] = (3, 3, 3)):
        super().__init__()
        widths = [1, *units, 1]
        self.matrices, self.biases, self.factors = nn.ParameterList(), nn.ParameterList(), nn.ParameterList()
        slope = (LOGISTIC_STD) ** (1 / (len(widths) - 1))
        for k, (a, b) in enumerate(pairwise(widths)):
            start = math.log(math.expm1(slope / a))
            self.matrices.append(nn.Parameter(torch.full((copies, dim, b, a), start)))
            # Units must differ, or they stay alike.
            bias = torch.empty(dim, b, 1).uniform_(-0.5, 0.5) if b > 1 else torch.zeros(dim, b, 1)
            self.biases.append(nn.Parameter(bias.expand(copies, -1, -1, -1).clone()))
            if k < len(units):
                self.factors.append(nn.Parameter(torch.zeros(copies, dim, b, 1)))
        self.log_scale = nn.Parameter(torch.zeros(copies, dim, 1, 1))

    def _logit(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Logit of the distribution function at z and the logarithm of its derivative, both [copies, n, dim]."""
        inverse = torch.exp(-self.log_scale)
        x = z.transpose(1, 2)[:, :, None] * inverse
        slope = torch.ones_like(x) * inverse
        for k, (matrix, bias) in enumerate(zip(self.matrices, self.biases, strict=True)):
            weight = functional.softplus(matrix)
            x, slope = weight @ x + bias, weight @ slope
            if k < len(self.factors):
                factor, bent = torch.tanh(self.factors[k]), torch.tanh(x)
                x, slope = x + factor * bent, slope * (1 + factor * (1 - bent.square()))
        return x[:, :, 0].transpose(1, 2), torch.log(slope[:, :, 0].transpose(1, 2))

    def log_prob(self, z: Tensor) -> Tensor:
        """Return ln p(z)."""
        logit, log_slope = self._logit(z)
        return (functional.logsigmoid(logit) + functional.logsigmoid(-logit) + log_slope).sum(-1)

    def log_mass(self, z: Tensor) -> Tensor:
        """Return ln of the mass around z."""
        n = z.shape[1]
        both = self._logit(torch.cat([z + 0.5, z - 0.5], 1))[0]
        return _logistic_mass(both[:, :n], both[:, n:]).sum(-1)

    def rescale(self, scale: Tensor) -> None:
        """Widen the coordinates."""
        self.log_scale.data += torch.log(scale)[:, :, None, None]


class Maf(Prior):
    """An autoregressive flow to noise that is a standard Gaussian, or mixtures of K Gaussians given those before."""

    def __init__(
        self, copies: int, dim: int, components: int, units: Sequence[int], layers: int, order: str = "reverse"
    ):
        """Make the flow and what it flows to.

        - copies: independent priors, for the values of lambda
        - dim: coordinates
        - components: K, 0 for a standard Gaussian
        - units: widths of the hidden layers
        - layers: of the flow
        - order: of the coordinates between layers: reverse, or random
        """
        super().__init__()
        self.components = components
        self.flow = Flow(copies, dim, units, layers, order)
        self.log_scale = nn.Parameter(torch.zeros(copies, 1, dim), requires_grad=False)
        if components:
            self.ends = Autoregressive(copies, dim, units, 3 * components)
            loc, scale = _start(components)
            start = torch.stack([torch.zeros(components), loc, torch.log(scale)])
            self.start: Tensor
            self.register_buffer("start", start, persistent=False)

    def log_prob(self, z: Tensor) -> Tensor:
        """Return ln p(z)."""
        log_det: Tensor
        u, log_det = self.flow(z * torch.exp(-self.log_scale))
        log_det = log_det - self.log_scale.sum(-1)
        if not self.components:
            return log_normal(u).sum(-1) + log_det
        if len(self.flow.layers) % 2:
            u = u.flip(-1)
        ends = self.ends(u).unflatten(-1, (3, self.components)) + self.start
        logits, loc, raw = ends.unbind(-2)
        log_scale = 6 * torch.tanh(raw / 6)
        each = log_normal((u[..., None] - loc) * torch.exp(-log_scale)) - log_scale + torch.log_softmax(logits, -1)
        return torch.logsumexp(each, -1).sum(-1) + log_det

    def rescale(self, scale: Tensor) -> None:
        """Widen the coordinates."""
        self.log_scale.data += torch.log(scale)[:, None]


def make_prior(
    name: str, copies: int, dim: int, *, units: Sequence[int] = (64, 64), layers: int = 2, order: str = "reverse"
) -> Prior:
    """Return the prior of a name; InputError for an unknown one.

    - name: as the option `prior` of the method vae has it
    - copies: independent priors, for the values of lambda
    - dim: coordinates
    - units, layers, order: of maf and maf_K, see Maf
    """
    if name == "std_gaussian":
        return StdGaussian(copies, dim)
    if name == "deep":
        return Deep(copies, dim)
    found = re.fullmatch(r"(?:([gl])([ms])m|maf)(?:_([1-9]\d{0,2}))?", name)
    if found is None or (found[1] and not found[3]):
        raise InputError(f"expected a prior of {NAMES} (K components), found {name!r}")
    components = int(found[3] or 0)
    if name.startswith("maf"):
        return Maf(copies, dim, components, units, layers, order)
    return Mixture(copies, dim, components, logistic=found[1] == "l", centred=found[2] == "s")
