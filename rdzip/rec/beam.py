"""Beam search over auxiliary variables, for the choices of many blocks at once.

iREC (Flamich, Havasi & Hernandez-Lobato 2020, algorithm 2): step by step each kept path is offered N candidates, and
the paths of the largest weight are kept. A path's weight is the density ratio of q and p that it leads to,
    r(b) = E[q(z) / p(z) | b],    z ~ N(b, 1 - t) under p, b the sum so far, t its variance under p,
which for Gaussians q = N(m, s^2), with u = 1 - s^2 and c = 1 - t u, is
    ln r(b) = (m b - u b^2 / 2) / c + terms that are the same for all paths.
It is quadratic, so the weights of B paths times N candidates are products of matrices. The last step knows z, and the
best of its paths are compared by exact ratios. What a choice costs is part of the weight.

Candidates are turned by the path (rec/shared.py). Encoders only: floats.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rdzip.rec import shared
from rdzip.rec.schedule import MAX_STEPS, WEIGHT_BITS, weights
from rdzip.rec.shared import BLOCK

ROUND = 0.7
"""A step more is taken from this share of omega on."""
TILT = 8
"""Exponent (rec/index_code.py) by which searches for files weigh choices."""
FINALISTS = 32
"""Paths of a block that are compared by exact ratios."""
_ENTRIES = 1 << 20  # numbers of the largest arrays


def steps_for(nats: float, omega: int) -> int:
    """Steps of a block of so many nats; omega in 1/100 nats."""
    return min(MAX_STEPS, math.floor(nats / (omega / 100) + ROUND))


@dataclass(frozen=True)
class Block:
    """What is searched for: Gaussians q of at most BLOCK variables; steps >= 1, bend, number of the block in its level.

    exact: ln q / p, [n], of values [n, variables], if it differs from that of the Gaussians.
    """

    mean: NDArray[np.float64]
    variance: NDArray[np.float64]
    steps: int
    bend: int
    number: int
    exact: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None = None


@dataclass(frozen=True)
class Search:
    """How to search: shared seed, beams, the frequencies of choices of 2**24, and whether to sample.

    noise: choose at random, by weights (with one beam: importance sampling in each step), instead of the best.
    """

    seed: int
    beams: int
    frequencies: NDArray[np.int32]
    noise: torch.Generator | None = None

    def choices(self, blocks: list[Block]) -> list[NDArray[np.int64]]:
        """The choices [steps] of each block."""
        found: list[NDArray[np.int64]] = [np.zeros(0, np.int64)] * len(blocks)
        longest = sorted(range(len(blocks)), key=lambda n: -blocks[n].steps)
        many = max(1, _ENTRIES // (self.beams * max(BLOCK, len(self.frequencies))))
        for first in range(0, len(longest), many):
            part = longest[first : first + many]
            for n, chosen in zip(part, self._search([blocks[n] for n in part]), strict=True):
                found[n] = chosen
        return found

    def _search(self, blocks: list[Block]) -> list[NDArray[np.int64]]:
        """Choices of blocks that have falling numbers of steps."""
        count = len(self.frequencies)
        cost = torch.from_numpy(-np.log(self.frequencies / self.frequencies.sum())).float()
        mean, u = (torch.zeros(len(blocks), 1, BLOCK, dtype=torch.float32) for _ in range(2))
        weight = np.zeros((len(blocks), blocks[0].steps))
        for n, block in enumerate(blocks):
            mean[n, 0, : len(block.mean)] = torch.from_numpy(block.mean)
            u[n, 0, : len(block.mean)] = torch.from_numpy(1 - block.variance)
            weight[n, : block.steps] = weights(block.steps, block.bend) / (1 << WEIGHT_BITS)
        share = (weight * weight).cumsum(1)
        sums, spent = torch.zeros_like(mean), torch.zeros_like(mean[:, :, 0])
        path = shared.start(np.array([[block.number] for block in blocks], np.int64))
        history = np.zeros((len(blocks), 1, 0), np.int64)
        found: list[NDArray[np.int64]] = []
        for step in range(blocks[0].steps):
            live = sum(block.steps > step for block in blocks)
            mean, u, sums, spent = mean[:live], u[:live], sums[:live], spent[:live]
            path, history = path[:live], history[:live]
            rows = torch.from_numpy(shared.candidates(self.seed, step, count).astype(np.float32) / 65536)
            w = torch.from_numpy(weight[:live, step, None]).float()
            c = 1 - torch.from_numpy(share[:live, step, None, None]).float() * u
            turn = torch.from_numpy(shared.turn(path))
            at = torch.arange(live)[:, None]
            back = BLOCK - turn  # entries of a vector in the order of the rows
            linear = _windows((mean - u * sums) / c)[at, torch.arange(sums.shape[1]), back]
            square = _windows(u / c)[at, 0, back]
            score = w[:, :, None] * (linear @ rows.T) - 0.5 * (w * w)[:, :, None] * (square @ (rows * rows).T)
            score += (((mean - 0.5 * u * sums) * sums / c).sum(2) - spent)[:, :, None] - cost
            kept = self._kept(score.flatten(1))
            beam, choice = kept // count, kept % count
            added = _windows(rows)[choice, turn.gather(1, beam)]
            sums = sums[at, beam] + w[:, :, None] * added
            spent = spent.gather(1, beam) + cost[choice]
            of, chosen = beam.numpy(), choice.numpy()
            path = shared.extend(np.take_along_axis(path, of, 1), chosen)
            history = np.concatenate([np.take_along_axis(history, of[:, :, None], 1), chosen[:, :, None]], 2)
            for n in range(live - 1, -1, -1):
                if blocks[n].steps == step + 1:
                    found.insert(0, history[n, self._best(blocks[n], sums[n], spent[n])])
        return found

    def _kept(self, score: Tensor) -> Tensor:
        """Numbers of the paths to keep, [n, beams]."""
        if self.noise is not None:
            uniform = torch.rand(score.shape, generator=self.noise, dtype=torch.float32).clamp_(1e-9, 1 - 1e-7)
            score = score - torch.log(-torch.log(uniform))
        return torch.topk(score, min(self.beams, score.shape[1]), dim=1).indices

    def _best(self, block: Block, sums: Tensor, spent: Tensor) -> int:
        """The path to take, of those that were kept, the best first by the Gaussians' ratio."""
        if block.exact is None or self.noise is not None:
            return 0
        g = sums[:FINALISTS, : len(block.mean)].numpy().astype(np.float64)
        return int(np.argmax(block.exact(g) - spent[:FINALISTS].numpy()))


def _windows(x: Tensor) -> Tensor:
    """Turned vectors: of x [..., BLOCK] windows [..., BLOCK + 1, BLOCK], number t beginning with entry t mod BLOCK."""
    return torch.cat([x, x], -1).unfold(-1, BLOCK, 1)
