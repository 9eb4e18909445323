"""Bits back with annealed importance sampling: bb-ais, for models with one group of latents.

Ruan, Ullrich, Severo, Townsend, Khisti, Doucet, Makhzani & Maddison 2021, "Improving lossless compression rates via
Monte Carlo bits-back coding", section 3.3, after Neal 2001. A latent z_0 ~ q(z | x) moves by kernels T_t that leave
    f_t(z) = q(z | x)**(1 - b_t) p(x, z)**b_t,    b_t = t / (T + 1),    t = 1 .. T
invariant. The net rate is -log2 of p(x, z_T) / q(z_0 | x) prod_t f_t(z_{t-1}) / f_t(z_t), the mean of which is p(x).

A kernel draws one coordinate of z anew from f_t among the K values of a class: those that lie in one block of K strides
and have one rest by the stride. Old and new values are in the same class and so have the same table: each kernel is its
own reversal. Which coordinates, and how wide their strides, follows from q and the prior: a decoder that has x knows.

Encoder: pops z_0, then the new value of each step; pushes the old value of each step, first all steps, or, interleaved
as in Bit-Swap (Kingma, Abbeel & Ho 2019), each as soon as the new one was popped, which needs few initial bits; then x
and z_T under the model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from rdzip.codecs.bits_back.options import Options
from rdzip.codecs.bits_back.trace import Trace
from rdzip.entropy.ans import TOTAL, AnsStack
from rdzip.entropy.logarithm import LOG_UNIT, to_frequencies
from rdzip.errors import CoderError, InputError
from rdzip.models.latent_model import SAMPLE, LatentModel, Samples, Shape
from rdzip.models.shared.sites import LatentSite, Site

VALUES = 16
"""K: values among which a kernel draws, where the number of symbols is a multiple of it; else all symbols."""
STRIDES = 4
"""Strides to the middle half of q, at least."""
OFFSET = 5
"""The blocks move by this many strides from one visit of a coordinate to the next."""

Index = NDArray[np.int64]
Ideal = NDArray[np.float64]


@dataclass(frozen=True)
class _Move:
    """A step of all rows. coordinate [rows] that is drawn anew; values of its class and their frequencies [rows, K]."""

    coordinate: Index
    values: Index
    frequencies: NDArray[np.int32]

    def place(self, z: NDArray[Any]) -> Index:
        """Which values of their classes the latents z [rows, dims] have, [rows]."""
        now = z[np.arange(len(z)), self.coordinate]
        found: Index = (self.values == now[:, None]).argmax(1)
        return found

    def moved(self, z: NDArray[Any], place: Index) -> NDArray[Any]:
        """Latents with the values at ``place`` [rows] of their classes."""
        rows = np.arange(len(z))
        moved: NDArray[Any] = z.copy()
        moved[rows, self.coordinate] = self.values[rows, place].astype(z.dtype)
        return moved


class _Annealing:
    """Kernels between q(z | x) and p(x, z) for samples x [rows, *shape]."""

    def __init__(self, model: LatentModel, x: Samples, proposal: LatentSite, prior: LatentSite, steps: int) -> None:
        self._model = model
        self._x = x
        self._proposal = proposal
        self._shape = proposal.shape
        self._steps = steps
        quarters = [site.quantile(np.full(site.shape, TOTAL // 4 * q)) for site in (proposal, prior) for q in (1, 3)]
        low, high, prior_low, prior_high = (q.astype(np.int64).reshape(len(x), -1) for q in quarters)
        width, usual = high - low, prior_high - prior_low
        narrow = 4 * width < 3 * usual  # coordinates of which x tells something
        narrow |= ~narrow.any(1, keepdims=True)
        self._visited = narrow.sum(1)
        self._order = np.argsort(np.where(narrow, width, 1 << 16), axis=1, kind="stable")
        self._symbols = int(proposal.quantile(np.full(self._shape, TOTAL - 1)).max()) + 1
        whole = self._symbols % VALUES
        self._values = self._symbols if whole else VALUES
        most = self._symbols // self._values
        stride = np.ones_like(width)
        while most % 2 == 0:
            stride = np.where(width >= 2 * STRIDES * stride, 2 * stride, stride)
            most //= 2
        self._stride = stride

    def bits(self, z: NDArray[Any]) -> tuple[Ideal, Ideal]:
        """-log2 of q(z | x), as it is coded, and of p(x, z), real numbers [rows]."""
        coded: Ideal = self._proposal.log2(z.reshape(self._shape)).astype(np.float64) * (-1 / LOG_UNIT)
        return coded, self._joint(self._x, z).bits()

    def _joint(self, x: Samples, z: NDArray[Any]) -> Trace:
        joint = Trace()
        values = {_LATENT: z.reshape(-1, *self._shape[1:]), SAMPLE: x}
        self._model.generate(len(x), x.shape[1:], joint.knowing(values))
        return joint

    def move(self, t: int, z: NDArray[Any]) -> _Move:
        """Step t in 1..T from latents z [rows, dims]: the same from before it as from after it."""
        rows, k = np.arange(len(z)), self._values
        visit, turn = np.divmod(t - 1, self._visited)
        coordinate = self._order[rows, turn]
        stride = self._stride[rows, coordinate]
        offset = visit * OFFSET * stride
        block = k * stride
        now = (z[rows, coordinate].astype(np.int64) - offset) % self._symbols
        first = now // block * block + now % stride
        values = (first[:, None] + stride[:, None] * np.arange(k) + offset[:, None]) % self._symbols
        lines = np.repeat(rows, k)
        candidates = z[lines]
        candidates[np.arange(len(lines)), coordinate[lines]] = values.reshape(-1).astype(z.dtype)
        q = self._proposal.take(lines).log2(candidates.reshape(-1, *self._shape[1:]))
        p = self._joint(self._x[lines], candidates).log2()
        whole = self._steps + 1
        target = ((whole - t) * q + t * p) // whole
        return _Move(coordinate, values, to_frequencies(target.reshape(-1, k)))


_LATENT = "z1"


def _only(trace: Trace, what: str) -> tuple[LatentSite, NDArray[Any]]:
    """The site and symbols of the one group of latents that a program drew; InputError if there are others."""
    latents = [(site, symbols) for name, site, symbols in trace.draws if name != SAMPLE]
    if len(latents) != 1 or trace.draws[0][0] != _LATENT:
        raise InputError(
            f"bb-ais codes models with one group of latents, {what} has {len(latents)}: use bb-is or bb-cis"
        )
    site: Site = latents[0][0]
    return cast(LatentSite, site), latents[0][1]


def _flat(z: NDArray[Any]) -> NDArray[Any]:
    return z.reshape(len(z), -1)


def encode(model: LatentModel, x: Samples, stack: AnsStack, options: Options) -> Ideal:
    """Push samples [rows, *shape]; the ideal bits of each row, -log2 of the annealed weight, float64 [rows]."""
    if options.particles != 1:
        raise InputError(f"bb-ais works with 1 particle, {options.particles} were asked for: raise the steps instead")
    inference, first = Trace(), Trace()
    model.infer(x, inference.popping(stack), options.refine)
    proposal, start = _only(inference, "the posterior")
    model.generate(len(x), x.shape[1:], first.knowing({_LATENT: start, SAMPLE: x}))
    prior = _only(first, "the prior")[0]
    annealing = _Annealing(model, x, proposal, prior, options.steps)
    z = _flat(start)
    q, p = annealing.bits(z)
    ideal = -q
    later: list[tuple[Index, NDArray[np.int32]]] = []
    for t in range(1, options.steps + 1):
        move = annealing.move(t, z)
        new, old = stack.pop(move.frequencies).astype(np.int64), move.place(z)
        if options.interleave:
            stack.push(old, move.frequencies)
        else:
            later.append((old, move.frequencies))
        z = move.moved(z, new)
        share = t / (options.steps + 1)
        before = (1 - share) * q + share * p
        q, p = annealing.bits(z)
        ideal = ideal + before - (1 - share) * q - share * p
    for old, frequencies in later:
        stack.push(old, frequencies)
    last = Trace()
    model.generate(len(x), x.shape[1:], last.knowing({_LATENT: z.reshape(start.shape), SAMPLE: x}))
    last.push(stack)
    return ideal + p


def decode(model: LatentModel, rows: int, shape: Shape, stack: AnsStack, options: Options) -> Samples:
    """Pop samples [rows, *shape]; the stack is left as before ``encode``. CoderError if it holds less.

    Arguments as of rdzip.codecs.bits_back.chain.Coder.
    """
    if options.particles != 1:
        raise CoderError(f"bb-ais has 1 particle, {options.particles} were found: the file is corrupt")
    generation, inference = Trace(), Trace()
    x = model.generate(rows, shape, generation.popping(stack))
    prior, end = _only(generation, "the prior")
    model.infer(x, inference.knowing({_LATENT: end}), options.refine)
    proposal = _only(inference, "the posterior")[0]
    annealing = _Annealing(model, x, proposal, prior, options.steps)
    z = _flat(end)
    later: list[tuple[Index, NDArray[np.int32]]] = []
    for t in range(options.steps, 0, -1):
        move = annealing.move(t, z)
        old, new = stack.pop(move.frequencies).astype(np.int64), move.place(z)
        if options.interleave:
            stack.push(new, move.frequencies)
        else:
            later.append((new, move.frequencies))
        z = move.moved(z, old)
    for new, frequencies in later:
        stack.push(new, frequencies)
    proposal.push(stack, z.reshape(end.shape))
    return x
