"""Relative entropy coders of one choice, and of many, with one contract.

    index = coder.encode(pair, rng)         a sample of q, as the number of a sample of p that both sides can draw
    symbols = coder.decode(pair, index)     the same sample

p and q are known by integer distribution functions; what p draws is shared and exact. Only which of these is taken
comes from floats and from the encoder's own randomness. benchmarks/irec.py measures what the indices cost.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from rdzip.entropy import normal
from rdzip.entropy.philox import Philox
from rdzip.exact.types import Int64
from rdzip.rec import auxiliary, index_code
from rdzip.rec.beam import Block, Search
from rdzip.rec.gaussian import TOTAL, Targets, fitted_bend

PAIR_STREAM = 1 << 33
MAX_NATS = 15
"""Of the largest ratio q / p that exact coders search for."""
MAX_DRAWS = 1 << 22
Symbols = NDArray[np.int64]
Index = int | Int64


@dataclass(frozen=True)
class Pair:
    """Independent variables with a prior p and a posterior q each, and the randomness that both sides share.

    p, q: distribution functions int [symbols + 1, m] of 2**24. seed: 0..2**28 - 1. number: of the pair, so that pairs
    of one seed draw differently.
    """

    p: NDArray[np.integer]
    q: NDArray[np.integer]
    seed: int
    number: int = 0

    @property
    def targets(self) -> Targets:
        """The same, as the search takes it."""
        return Targets(self.q, self.p)

    def quantile(self, u: Int64) -> Symbols:
        """Symbols [n, m] whose intervals of p hold u [n, m]."""
        symbols: Symbols = (self.p[None, 1:-1] <= u[:, None]).sum(1)
        return symbols

    def draw(self, first: int, count: int) -> Symbols:
        """Samples number first..first+count-1 of p, [count, m]."""
        m = self.p.shape[1]
        words = Philox(self.seed, PAIR_STREAM + self.number).words(first * m, count * m)
        return self.quantile((words >> np.uint32(8)).astype(np.int64).reshape(count, m))

    def log_ratio(self, symbols: Symbols) -> NDArray[np.float64]:
        """ln q / p of samples [n, m], summed: [n]."""
        column = np.arange(self.p.shape[1])
        mass = [f[symbols + 1, column] - f[symbols, column] for f in (self.q, self.p)]
        return np.asarray(np.log(mass[0] / mass[1]).sum(1))


class Coder(Protocol):
    """A relative entropy coder."""

    def encode(self, pair: Pair, rng: np.random.Generator) -> Index:
        """The index of a sample of q, or nearly of q."""
        ...

    def decode(self, pair: Pair, index: Index) -> Symbols:
        """The sample of an index, [m]."""
        ...


class _Drawn:
    """Coders whose index is the number of a sample."""

    def decode(self, pair: Pair, index: Index) -> Symbols:
        """Draw that sample."""
        symbols: Symbols = pair.draw(int(index), 1)[0]
        return symbols


@dataclass(frozen=True)
class Importance(_Drawn):
    """One of N samples of p by its weight q / p (Havasi, Peharz & Hernandez-Lobato 2019). Biased unless N >> exp KL."""

    candidates: int

    def encode(self, pair: Pair, rng: np.random.Generator) -> int:
        """An index below N; all are equally likely a priori."""
        weight = pair.log_ratio(pair.draw(0, self.candidates))
        return int(np.argmax(weight + rng.gumbel(size=self.candidates)))


@dataclass(frozen=True)
class Ordered(_Drawn):
    """Ordered random coding (Theis & Yosri 2022, algorithm 1): the same law as Importance, but small indices.

    The Gumbel noise of the choice is sorted, the largest first, which changes nothing for exchangeable samples.
    """

    candidates: int

    def encode(self, pair: Pair, rng: np.random.Generator) -> int:
        """An index below N, small if q is near p."""
        n = self.candidates
        gaps = rng.exponential(size=n) / np.arange(n, 0, -1)
        return int(np.argmax(pair.log_ratio(pair.draw(0, n)) - np.log(np.cumsum(gaps))))


@dataclass(frozen=True)
class Poisson(_Drawn):
    """The Poisson functional representation (Li & El Gamal 2018): exact, by about exp(D_inf) draws of p.

    The samples arrive at the times of a Poisson process; the least time divided by q / p wins. It is A* coding
    (Flamich, Markou & Hernandez-Lobato 2022) without splitting the space.
    """

    def encode(self, pair: Pair, rng: np.random.Generator) -> int:
        """An index of any size; ValueError where exp(D_inf) draws are too many."""
        ratio = np.diff(pair.q, axis=0) / np.diff(pair.p, axis=0)
        largest = float(np.log(ratio.max(0)).sum())
        if largest > MAX_NATS:
            raise ValueError(f"q is too far from p: a ratio of {largest:.1f} nats, {MAX_NATS} are the most to search")
        time, best, winner, first, count = 0.0, math.inf, 0, 0, 64
        while not time or math.log(time) - largest < best:
            times = time + np.cumsum(rng.exponential(size=count))
            scores = np.log(times) - pair.log_ratio(pair.draw(first, count))
            if scores.min() < best:
                best, winner = float(scores.min()), first + int(scores.argmin())
            time, first, count = float(times[-1]), first + count, min(4 * count, 1 << 14)
        return winner


@dataclass(frozen=True)
class Rejection(_Drawn):
    """Greedy rejection sampling (Harsha, Jain, McAllester & Radhakrishnan 2010, section 3): exact, for one variable.

    Sample i is taken with the probability that fills up q as fast as p allows; what is filled is known to both.
    """

    def encode(self, pair: Pair, rng: np.random.Generator) -> int:
        """An index of any size; ValueError for more than one variable, or after 2**22 draws."""
        if pair.p.shape[1] != 1:
            raise ValueError("greedy rejection needs the whole alphabet: one variable")
        p, left = np.diff(pair.p[:, 0]) / TOTAL, np.diff(pair.q[:, 0]) / TOTAL
        remaining = 1.0
        for first in range(0, MAX_DRAWS, 256):
            for i, symbol in enumerate(pair.draw(first, 256)[:, 0]):
                taken = np.minimum(left, remaining * p)
                if rng.random() * remaining * p[symbol] < taken[symbol]:
                    return first + i
                left = left - taken
                remaining = max(float(left.sum()), 1e-300)
        raise ValueError("q is too far from p for rejection sampling")


@dataclass(frozen=True)
class Auxiliary:
    """iREC: the choices of auxiliary variables (rec/beam.py), for 1..1024 variables together.

    omega in nats, epsilon as a share; beams: paths that are kept. sample: choose by weights in each step, as in
    importance sampling, in place of the best; for one beam.
    """

    omega: float = 3.0
    epsilon: float = 0.2
    beams: int = 20
    sample: bool = False

    @property
    def candidates(self) -> int:
        """Candidates of a step."""
        return index_code.candidates(round(100 * self.omega), round(100 * self.epsilon))

    def steps(self, pair: Pair) -> int:
        """Auxiliary variables that a pair is given."""
        return max(1, math.ceil(float(pair.targets.divergence().sum()) / self.omega))

    def encode(self, pair: Pair, rng: np.random.Generator) -> Int64:
        """The choices, each below ``candidates``, and as the last entry the bend of the schedule."""
        mean, variance = pair.targets.moments()
        steps = self.steps(pair)
        bend = fitted_bend(mean, variance, steps)
        noise = torch.Generator().manual_seed(int(rng.integers(1 << 62))) if self.sample else None
        search = Search(pair.seed, self.beams, index_code.frequencies(self.candidates, 0), noise)
        block = Block(mean, variance, steps, bend, pair.number, pair.targets.log_ratio)
        return np.append(search.choices([block])[0], bend)

    def decode(self, pair: Pair, index: Index) -> Symbols:
        """The sample of choices, [m]."""
        choices = np.asarray(index)
        values = auxiliary.values(pair.seed, [pair.number], [int(choices[-1])], [choices[:-1]])[:, : pair.p.shape[1]]
        symbols: Symbols = pair.quantile(normal.to_uniform(values))[0]
        return symbols
