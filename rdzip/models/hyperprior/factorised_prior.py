"""Hyper-latents as sites that code themselves: tables by channel and band of settings, of densities that are learned.

Factorised prior of Balle et al. 2018, section 6.1: the logit of a channel's distribution function is a monotone
network. It is stretched for each of BANDS bands of settings, since coarser ones leave less to tell. Tables are rows of
frequencies as in models/shared/residual_site.py, around 0 and with an escape.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from rdzip.entropy.ans import TOTAL
from rdzip.errors import ModelError
from rdzip.exact.types import Int32
from rdzip.models.shared.residual_site import ResidualSite, ResidualTables
from rdzip.models.shared.settings import SETTINGS

BANDS = 8
BAND = SETTINGS // BANDS
"""Settings in a band."""
UNITS = (3, 3, 3)
"""Of the hidden layers of a channel's network."""
START_SPREAD = 1.5
"""Standard deviation of the densities at the start."""
REACH_MAX = 255
TAIL = 2.0**-14
"""Probability on either side beyond which symbols are escapes."""


def row_of(setting: int, channels: int) -> Int32:
    """Rows of the tables int32 [channels] at a setting."""
    rows: Int32 = np.arange(channels, dtype=np.int32) + np.int32(setting // BAND * channels)
    return rows


@dataclass(frozen=True)
class ChannelTables(ResidualTables):
    """Frequencies of 2**24 for each band and channel: rows int32 [2 * reach + 2], of -reach ... reach and escape."""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) < 4 or len(row) % 2 or row.min() < 1 or int(row.sum(dtype=np.int64)) != TOTAL:
                raise ModelError("model: expected tables of hyper-latents whose frequencies sum to 2**24")


@dataclass(frozen=True)
class ChannelSite(ResidualSite):
    """Symbols [n]: hyper-latents. scale int32 [n]: rows of the tables, any number of them; mean: 0."""

    def _groups(self) -> list[tuple[int, NDArray[np.intp]]]:
        order = np.argsort(self.scale, kind="stable")
        found, starts = np.unique(self.scale[order], return_index=True)
        return list(zip(found.tolist(), np.split(order, starts[1:]), strict=True))


class FactorisedPrior(nn.Module):
    """The densities as they train.

    A layer is x -> softplus(H) x + b, then x + tanh(a) tanh(x), of slope above 0; the last is linear.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        widths = [1, *UNITS, 1]
        self.matrices, self.biases, self.factors = nn.ParameterList(), nn.ParameterList(), nn.ParameterList()
        slope = (math.pi / math.sqrt(3)) ** (1 / (len(widths) - 1))
        for k, (a, b) in enumerate(pairwise(widths)):
            self.matrices.append(nn.Parameter(torch.full((channels, b, a), math.log(math.expm1(slope / a)))))
            # Units must differ, or they stay alike.
            bias = torch.empty(channels, b, 1).uniform_(-0.5, 0.5) if b > 1 else torch.zeros(channels, b, 1)
            self.biases.append(nn.Parameter(bias))
            if k < len(UNITS):
                self.factors.append(nn.Parameter(torch.zeros(channels, b, 1)))
        self.log_spread = nn.Parameter(torch.full((BANDS, channels), math.log(START_SPREAD)))

    def logit(self, x: Tensor) -> Tensor:
        """Logit of the distribution function of each channel at x [channels, m], in units of its spread."""
        x = x[:, None]
        for k, (matrix, bias) in enumerate(zip(self.matrices, self.biases, strict=True)):
            x = F.softplus(matrix) @ x + bias
            if k < len(self.factors):
                x = x + torch.tanh(self.factors[k]) * torch.tanh(x)
        return x[:, 0]

    def bits(self, z: Tensor, setting: Tensor) -> Tensor:
        """Code length [n] of hyper-latents z [n, channels, h, w] at settings [n]: -log2 of masses of width 1."""
        n = len(z)
        inverse = torch.exp(-self.log_spread[torch.floor(setting / BAND).long()])[:, :, None]  # [n, channels, 1]
        flat = z.flatten(2)
        upper, lower = (
            self.logit(((flat + side) * inverse).transpose(0, 1).flatten(1)) for side in (0.5, -0.5)
        )  # [channels, n * h * w]
        gap = (upper - lower).clamp_min(1e-12)
        mass = F.logsigmoid(upper) + F.logsigmoid(-lower) + torch.log(-torch.expm1(-gap))
        found: Tensor = mass.view(self.channels, n, -1).sum((0, 2)) * (-1 / math.log(2))
        return found

    @torch.no_grad()
    def tables(self) -> ChannelTables:
        """Tables for a model file."""
        edges = torch.arange(-REACH_MAX, REACH_MAX + 2).double() - 0.5
        precise = FactorisedPrior(self.channels).double()
        precise.load_state_dict({name: value.double().cpu() for name, value in self.state_dict().items()})
        rows = []
        for spread in torch.exp(precise.log_spread):
            logits = precise.logit(edges / spread[:, None])
            below, above = torch.sigmoid(logits).numpy(), torch.sigmoid(-logits).numpy()
            rows += [_row(left, right) for left, right in zip(below, above, strict=True)]
        return ChannelTables(tuple(rows))


def _row(below: NDArray[np.float64], above: NDArray[np.float64]) -> Int32:
    """Frequencies, given the probabilities of less and of more at the edges of all symbols."""
    middle = len(below) // 2 - 1  # the edge below 0
    tails = np.maximum(below[middle::-1], above[middle + 1 :])[1:]  # of reach 1, 2, ...
    reach = 1 + int(np.argmax(tails < TAIL)) if bool((tails < TAIL).any()) else REACH_MAX
    low, high = middle - reach, middle + reach + 1
    inside = np.where(below[low:high] < 0.5, np.diff(below[low : high + 1]), -np.diff(above[low : high + 1]))
    mass = np.append(inside, below[low] + above[high])
    frequencies = 1 + np.floor(mass / mass.sum() * (TOTAL - len(mass))).astype(np.int64)
    frequencies[int(np.argmax(frequencies))] += TOTAL - frequencies.sum()
    row: Int32 = frequencies.astype(np.int32)
    return row
