"""Toy models whose entropy is known: a mixture and a hidden Markov model over few symbols, all of it integer tables.

They measure codecs: the best rate is known, and the proposal distributions are crude on purpose, so that the evidence
lower bound is visibly worse than the entropy and particles have something to gain (as the toy models of Ruan et al.
2021, section 5.1 and 5.3). Tables are frequencies of 2**24, int32, each >= 1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdzip.entropy.ans import TOTAL, AnsStack
from rdzip.errors import InputError, ModelError
from rdzip.exact.types import Float64, Int32
from rdzip.models.latent_model import SAMPLE, Draw, Samples, Shape
from rdzip.models.shared.sites import CategoricalSite, Symbols

VERSION = 1
LARGEST = 256
"""Largest number of symbols and of latent values."""

Tensors = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class PixelSite:
    """A CategoricalSite of one symbol a row as a site of images: symbols [rows, *shape], one pixel each."""

    site: CategoricalSite
    shape: Shape

    @property
    def rows(self) -> int:
        """Number of images."""
        return self.site.rows

    def _flat(self, symbols: Symbols) -> Symbols:
        return symbols.reshape(self.rows, -1)

    def push(self, stack: AnsStack, symbols: Symbols) -> None:
        """Put pixels on the stack."""
        self.site.push(stack, self._flat(symbols))

    def pop(self, stack: AnsStack) -> Symbols:
        """Take pixels off the stack."""
        return self.site.pop(stack).reshape(self.rows, *self.shape)

    def log2(self, symbols: Symbols) -> NDArray[np.int64]:
        """Logarithm of the coded probability, in 2**-16 bits."""
        return self.site.log2(self._flat(symbols))

    def bits(self, symbols: Symbols) -> Float64:
        """-log2 of the probability."""
        return self.site.bits(self._flat(symbols))

    def take(self, index: NDArray[np.integer]) -> PixelSite:
        """The site of some rows."""
        return PixelSite(self.site.take(index), self.shape)


class ToyMixture:
    """p(z) p(x|z) of images of one pixel, with the posterior q(z|x) that its file gives.

    prior [m], emission [m, k], proposal [k, m]: frequencies for m latent values and k symbols.
    """

    def __init__(self, prior: Int32, emission: Int32, proposal: Int32) -> None:
        self.prior, self.emission, self.proposal = prior, emission, proposal

    def known_answer(self) -> str:
        """SHA-256 in hex of the tables."""
        return _digest(self.prior, self.emission, self.proposal)

    def check_item(self, shape: Shape) -> None:
        """InputError unless images have one pixel."""
        if tuple(shape) not in ((1, 1), (1, 1, 1)):
            raise InputError(f"the toy mixture codes images of one pixel, found shape {list(shape)}")

    def values(self) -> int:
        """Number of symbols."""
        return int(self.emission.shape[1])

    def infer(self, x: Samples, draw: Draw, refine: int = 0) -> None:
        """Draw the latent from the crude posterior."""
        draw("z1", CategoricalSite(self.proposal[x.reshape(-1)][:, None]))

    def generate(self, rows: int, shape: Shape, draw: Draw) -> Samples:
        """Draw the latent, then the pixel."""
        z = draw("z1", CategoricalSite(np.broadcast_to(self.prior, (rows, 1, len(self.prior)))))
        emission = CategoricalSite(self.emission[z.reshape(-1)][:, None])
        return draw(SAMPLE, PixelSite(emission, tuple(shape))).astype(np.uint8).reshape(rows, *shape)

    def probabilities(self) -> Float64:
        """p(x) of each symbol, float64 [k]."""
        p: Float64 = (self.prior / TOTAL) @ (self.emission / TOTAL)
        return p

    def sample(self, n: int, rng: np.random.Generator) -> Samples:
        """Random data, uint8 [n, 1, 1], for tests and benchmarks."""
        return rng.choice(self.values(), size=(n, 1, 1), p=self.probabilities()).astype(np.uint8)


@dataclass(frozen=True)
class HmmState:
    """Latent of the last step, int64 [rows]; the number of latent values before the first."""

    last: NDArray[np.int64]

    def take(self, index: NDArray[np.integer]) -> HmmState:
        """The state of some rows."""
        return HmmState(self.last[index])


class ToyHmm:
    """Hidden Markov model of sequences [steps, 1] of k symbols, a SequenceModel.

    transition [m + 1, m]: by the last latent value, the row m for the first step; emission [m, k]; proposal
    [m + 1, k, m]: by the last latent value and the symbol.
    """

    def __init__(self, transition: Int32, emission: Int32, proposal: Int32) -> None:
        self.transition, self.emission, self.proposal = transition, emission, proposal

    def known_answer(self) -> str:
        """SHA-256 in hex of the tables."""
        return _digest(self.transition, self.emission, self.proposal)

    def check_item(self, shape: Shape) -> None:
        """InputError unless a step is one symbol."""
        if tuple(shape) != (1,):
            raise InputError(f"the toy HMM codes sequences of steps of one value, found steps of shape {list(shape)}")

    def values(self) -> int:
        """Number of symbols."""
        return int(self.emission.shape[1])

    def start(self, rows: int) -> HmmState:
        """The state before the first step."""
        return HmmState(np.full(rows, len(self.emission)))

    def prior(self, state: HmmState) -> CategoricalSite:
        """p(z_t | z_{t-1})."""
        return CategoricalSite(self.transition[state.last][:, None])

    def propose(self, state: HmmState, x: Samples) -> CategoricalSite:
        """q(z_t | z_{t-1}, x_t), x uint8 [rows, 1]."""
        return CategoricalSite(self.proposal[state.last, x[:, 0]][:, None])

    def emit(self, state: HmmState, z: Symbols) -> CategoricalSite:
        """p(x_t | z_t), z [rows, 1]."""
        return CategoricalSite(self.emission[z[:, 0]][:, None])

    def advance(self, state: HmmState, z: Symbols, x: Samples) -> HmmState:
        """The state after a step."""
        return HmmState(z[:, 0].astype(np.int64))

    def bits(self, x: Samples) -> Float64:
        """-log2 p(x) of sequences uint8 [rows, steps, 1], float64 [rows], by the forward algorithm (Rabiner 1989,
        eq. 19-21): the best rate of any codec for them."""
        emission, transition = self.emission / TOTAL, self.transition / TOTAL
        total = np.zeros(len(x))
        belief = np.broadcast_to(transition[-1], (len(x), len(self.emission)))
        for t in range(x.shape[1]):
            joint = belief * emission[:, x[:, t, 0]].T
            share = joint.sum(1)
            total -= np.log2(share)
            belief = joint / share[:, None] @ transition[:-1]
        return total

    def sample(self, n: int, steps: int, rng: np.random.Generator) -> Samples:
        """Random data, uint8 [n, steps, 1], for tests and benchmarks."""
        z = np.full(n, len(self.emission))
        out = np.empty((n, steps, 1), np.uint8)
        for t in range(steps):
            z = _choose(self.transition[z], rng)
            out[:, t, 0] = _choose(self.emission[z], rng)
        return out


def _choose(frequencies: Int32, rng: np.random.Generator) -> NDArray[np.int64]:
    """One index for each row of frequencies [n, m]."""
    u = rng.integers(0, TOTAL, (len(frequencies), 1))
    chosen: NDArray[np.int64] = (frequencies.cumsum(1, dtype=np.int64) <= u).sum(1)
    return chosen


def _digest(*tables: Int32) -> str:
    digest = hashlib.sha256()
    for table in tables:
        digest.update(np.ascontiguousarray(table, "<i4").tobytes())
    return digest.hexdigest()


def _tables(tensors: Tensors, meta: Mapping[str, Any], axes: Mapping[str, str]) -> list[Int32]:
    """Tables whose axes are m latent values, k symbols, or l = m + 1 states, by one letter each; or ModelError."""
    if meta.get("version") != VERSION:
        raise ModelError(f"model: expected a toy model of version {VERSION}, found {meta.get('version')!r}")
    found = {name: tensors[name] for name in axes if name in tensors}
    shapes = {name: list(table.shape) for name, table in found.items()}
    sizes = shapes.get("emission", [])
    if len(sizes) != 2 or not 2 <= min(sizes) <= max(sizes) <= LARGEST:
        raise ModelError(f"model: expected an emission [m, k], m and k of 2 to {LARGEST}, found {sizes}")
    m, k = sizes
    expected = {name: [{"l": m + 1, "m": m, "k": k}[axis] for axis in letters] for name, letters in axes.items()}
    if shapes != expected:
        raise ModelError(f"model: expected tables of shapes {expected}, found {shapes}")
    for name, table in found.items():
        if table.dtype != np.int32 or table.min() < 1 or bool((table.sum(-1, dtype=np.int64) != TOTAL).any()):
            raise ModelError(f"model: expected {name} of int32 frequencies >= 1 whose rows sum to {TOTAL}")
    return [found[name] for name in axes]


def mixture_from_tensors(tensors: Tensors, meta: Mapping[str, Any]) -> ToyMixture:
    """The mixture of a model file; ModelError for tables that do not fit."""
    return ToyMixture(*_tables(tensors, meta, {"prior": "m", "emission": "mk", "proposal": "km"}))


def hmm_from_tensors(tensors: Tensors, meta: Mapping[str, Any]) -> ToyHmm:
    """The hidden Markov model of a model file; ModelError for tables that do not fit."""
    return ToyHmm(*_tables(tensors, meta, {"transition": "lm", "emission": "mk", "proposal": "lkm"}))
