"""The lower bound of a weight u, from draws of C_k that no fit has seen.

L(lambda) >= E[-log u(X)] - log sup_y E[exp(-lambda rho(X, y)) / u(X)] (Csiszar 1974), and -log c >= -c / a - log a + 1
for every a > 0. Each independent draw of C_k, whose mean is at least the supremum, gives xi = E[-log u] - C_k / a -
log a + 1, whose mean is thus a lower bound as long as a comes from other draws: each half of the draws has its a from
the other half. (Yang & Mandt 2022, section 4.2, fix a by the first half and use the second.)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

T95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131)
"""97.5 % points of Student's t with 1, 2, ... degrees of freedom."""


@dataclass(frozen=True)
class Estimate:
    """A lower bound in nats with the half-width of its 95 % interval."""

    value: float
    half_width: float


def two_fold(minus_log_u: Tensor, log_c: Tensor) -> Estimate:
    """Return the bound from means of -log u [draws] and log C_k [draws], at least two independent draws."""
    draws = len(log_c)
    half = draws // 2
    xi = torch.empty(draws, dtype=torch.float64)
    for own, other in ((slice(0, half), slice(half, draws)), (slice(half, draws), slice(0, half))):
        log_a = log_c[other].logsumexp(0) - math.log(len(log_c[other]))
        xi[own] = minus_log_u[own] - (log_c[own] - log_a).exp() - log_a + 1
    t = T95[draws - 2] if draws - 2 < len(T95) else 1.96 + 2.5 / (draws - 1)
    return Estimate(float(xi.mean()), t * float(xi.std()) / math.sqrt(draws))


def one_draw(minus_log_u: Tensor, log_c: float, log_a: float, left_out: Tensor) -> Estimate:
    """Return the bound from a single draw, a from training samples, and its interval by the jackknife.

    minus_log_u [k]; left_out [blocks]: log C_k without each of equal blocks of the samples, in their order.
    """
    blocks = len(left_out)
    k = len(minus_log_u)
    total = minus_log_u.sum()
    parts = torch.stack([part.sum() for part in minus_log_u.tensor_split(blocks)])
    sizes = torch.tensor([len(part) for part in minus_log_u.tensor_split(blocks)])
    without = (total - parts) / (k - sizes) - (left_out - log_a).exp()
    value = float(minus_log_u.mean()) - math.exp(log_c - log_a) - log_a + 1
    spread = float(((without - without.mean()) ** 2).sum()) * (blocks - 1) / blocks
    return Estimate(value, 1.96 * math.sqrt(spread))
