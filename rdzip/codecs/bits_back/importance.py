"""Bits back with importance sampling: bb-is, and bb-cis, whose particles share one random number.

Ruan, Ullrich, Severo, Townsend, Khisti, Doucet, Makhzani & Maddison 2021, "Improving lossless compression rates via
Monte Carlo bits-back coding", sections 3.2 and 4. N particles z_i from the proposal q(z | x) have the weights
w_i = p(x, z_i) / q(z_i | x); the net rate is -log2 of their mean (the importance-weighted bound of Burda et al. 2016).

Encoder: pops the particles, and which of them, j, is coded, by the weights. It pushes the other particles back under q,
then x and z_j under the model, then j, uniformly. The decoder takes x and z_j from it, then the other particles, and
pushes all that the encoder popped.

bb-cis pops one number u of P bits for each latent; particle i takes the latent at the place v = (u + s_i) mod 2**P of
the proposal: where its distribution function is (v + 1/2) / 2**P. The s_i are public random numbers. So N particles
need no more initial bits than one. What remains of u once z_j is known, its place among those that lead to z_j, is
pushed back.

Rows of a site are samples x particles, the particle index fastest.
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from rdzip.codecs.bits_back.options import Options
from rdzip.codecs.bits_back.trace import Trace, Values
from rdzip.entropy.ans import PRECISION, AnsStack
from rdzip.entropy.logarithm import LOG_BITS, LOG_UNIT, log2_fixed, to_frequencies
from rdzip.entropy.philox import Philox
from rdzip.errors import CoderError
from rdzip.models.latent_model import SAMPLE, LatentModel, Samples, Shape
from rdzip.models.shared.sites import LatentSite, Site, per_row

SHIFT_SEED = 0x6363_6973
"""Of the particles' shifts; their stream is the number of the draw in the proposal's order, from 0."""

Index = NDArray[np.int64]
Ideal = NDArray[np.float64]


class _Drawn:
    """N particles of the proposal for each row. chosen, latents: of the decoder, j [rows] and its latents.

    Attributes: latents, drawn so far; log2, the particles' logarithms of coded probability under the proposal, in
    2**-16 bits. The four methods of the kinds:
    pop: draws a latent of all particles; push: the inverse of all calls of pop;
    give_back: pushes what the particles took from the stack beyond the latents of those chosen;
    take_back: its inverse, latent by latent in the order of pop, once the latents of those chosen are known.
    """

    def __init__(self, stack: AnsStack, rows: int, options: Options, chosen: Index | None, latents: Values) -> None:
        self._stack = stack
        self._n = options.particles
        self._precision = options.precision
        self._rows = rows
        self._chosen = chosen
        self._chosen_latents = latents
        self._sites: list[tuple[str, LatentSite]] = []
        self.latents: Values = {}
        self.log2 = np.zeros(rows * self._n, np.int64)

    def _line(self, chosen: Index) -> Index:
        """Numbers of the chosen particles among all."""
        return np.arange(self._rows) * self._n + chosen

    def _others(self, chosen: Index) -> Index:
        """Numbers of the particles that were not chosen."""
        return np.flatnonzero(np.arange(self._n) != chosen[:, None])

    def _chosen_line(self) -> Index:
        if self._chosen is None:
            raise ValueError("the chosen particles are not known yet")
        return self._line(self._chosen)


class _Independent(_Drawn):
    """Particles of bb-is."""

    def pop(self, name: str, site: Site) -> NDArray[Any]:
        return self._keep(name, site, site.pop(self._stack))

    def _keep(self, name: str, site: Site, z: NDArray[Any]) -> NDArray[Any]:
        self._sites.append((name, cast(LatentSite, site)))
        self.latents[name] = z
        self.log2 += site.log2(z)
        return z

    def give_back(self, chosen: Index) -> None:
        others = self._others(chosen)
        if len(others):
            for name, site in reversed(self._sites):
                site.take(others).push(self._stack, self.latents[name][others])

    def take_back(self, name: str, site: Site) -> NDArray[Any]:
        line, chosen_latents = self._chosen_line(), self._chosen_latents[name]
        z = np.empty((site.rows, *chosen_latents.shape[1:]), chosen_latents.dtype)
        z[line] = chosen_latents
        if self._n > 1:
            others = self._others(cast(Index, self._chosen))
            z[others] = site.take(others).pop(self._stack)
        return self._keep(name, site, z)

    def push(self) -> None:
        for name, site in reversed(self._sites):
            site.push(self._stack, self.latents[name])


class _Coupled(_Drawn):
    """Particles of bb-cis. Places are in 0..2**P - 1."""

    def __init__(self, stack: AnsStack, rows: int, options: Options, chosen: Index | None, latents: Values) -> None:
        super().__init__(stack, rows, options, chosen, latents)
        self._shared: list[Index] = []
        self._shifts: list[Index] = []

    def _grid(self, site: LatentSite, z: NDArray[Any]) -> tuple[Index, Index]:
        """The first place that leads to z, and how many do, [rows, dims]."""
        start, size = site.interval(z)
        unit = PRECISION - self._precision
        half = 1 << unit - 1
        first = -(half - start >> unit)  # rounded up
        count = -(half - start - size >> unit) - first
        return first.reshape(site.rows, -1), count.reshape(site.rows, -1)

    def _modulo(self, places: Index) -> Index:
        wrapped: Index = places & (1 << self._precision) - 1
        return wrapped

    def _draw(self, name: str, site: LatentSite, shared: Index, shifts: Index) -> NDArray[Any]:
        """Values of all particles from the numbers u [rows, dims] and shifts [N, dims]."""
        place = self._modulo(shared[:, None] + shifts)
        z = site.quantile((2 * place.reshape(site.shape) + 1) << PRECISION - self._precision - 1)
        count = self._grid(site, z)[1]
        self._sites.append((name, site))
        self._shared.append(shared)
        self._shifts.append(shifts)
        self.latents[name] = z
        self.log2 += per_row(log2_fixed(count) - (self._precision << LOG_BITS), site.rows)
        return z

    def _new_shifts(self, dims: int) -> Index:
        words = Philox(SHIFT_SEED, len(self._sites)).words(0, self._n * dims) >> np.uint32(32 - self._precision)
        shifts: Index = words.astype(np.int64).reshape(self._n, dims)
        return shifts

    def pop(self, name: str, site: Site) -> NDArray[Any]:
        latent = cast(LatentSite, site)
        dims = int(np.prod(latent.shape[1:]))
        shared = self._stack.pop_uniform(np.full(self._rows * dims, 1 << self._precision))
        return self._draw(name, latent, shared.astype(np.int64).reshape(self._rows, dims), self._new_shifts(dims))

    def give_back(self, chosen: Index) -> None:
        line = self._line(chosen)
        for (name, site), shared, shifts in reversed(list(zip(self._sites, self._shared, self._shifts, strict=True))):
            first, count = self._grid(cast(LatentSite, site.take(line)), self.latents[name][line])
            offset = self._modulo(shared + shifts[chosen]) - first
            self._stack.push_uniform(offset.reshape(-1), count.reshape(-1))

    def take_back(self, name: str, site: Site) -> NDArray[Any]:
        latent = cast(LatentSite, site)
        first, count = self._grid(cast(LatentSite, site.take(self._chosen_line())), self._chosen_latents[name])
        if int(count.min()) < 1:
            raise CoderError("a latent was decoded that no place leads to: the file is corrupt")
        shifts = self._new_shifts(count.shape[1])
        offset = self._stack.pop_uniform(count.reshape(-1)).astype(np.int64).reshape(count.shape)
        return self._draw(name, latent, self._modulo(first + offset - shifts[self._chosen]), shifts)

    def push(self) -> None:
        for shared in reversed(self._shared):
            self._stack.push_uniform(shared.reshape(-1), np.full(shared.size, 1 << self._precision))


def _encode(kind: type[_Independent | _Coupled], model: LatentModel, x: Samples, stack: AnsStack, o: Options) -> Ideal:
    rows, n = len(x), o.particles
    copies = np.repeat(x, n, axis=0)
    particles = kind(stack, rows, o, None, {})
    model.infer(copies, particles.pop, o.refine)
    joint = Trace()
    model.generate(len(copies), x.shape[1:], joint.knowing(particles.latents | {SAMPLE: copies}))
    chosen = np.zeros(rows, np.int64)
    if n > 1:
        chosen = stack.pop(_frequencies(joint, particles, n)).astype(np.int64)
    particles.give_back(chosen)
    line = np.arange(rows) * n + chosen
    for _, site, symbols in reversed(joint.draws):
        site.take(line).push(stack, symbols[line])
    stack.push_uniform(chosen, np.full(rows, n))
    # the proposal's own probabilities: where it falls off, real ones are far below those that particles are drawn with
    return _mean_bits((-joint.bits() - particles.log2 * (1 / LOG_UNIT)).reshape(rows, n))


def _frequencies(joint: Trace, particles: _Drawn, n: int) -> NDArray[np.int32]:
    """Of the particles of each row by their weights, [rows, N]."""
    return to_frequencies((joint.log2() - particles.log2).reshape(-1, n))


def _decode(
    kind: type[_Independent | _Coupled], model: LatentModel, rows: int, shape: Shape, stack: AnsStack, o: Options
) -> Samples:
    n = o.particles
    chosen = stack.pop_uniform(np.full(rows, n)).astype(np.int64)
    path = Trace()
    x = model.generate(rows, shape, path.popping(stack))
    copies = np.repeat(x, n, axis=0)
    particles = kind(stack, rows, o, chosen, path.values)
    model.infer(copies, particles.take_back, o.refine)
    if n > 1:
        joint = Trace()
        model.generate(len(copies), shape, joint.knowing(particles.latents | {SAMPLE: copies}))
        stack.push(chosen, _frequencies(joint, particles, n))
    particles.push()
    return x


def _mean_bits(real: Ideal) -> Ideal:
    """-log2 of the mean of 2**real over the last axis."""
    top = real.max(1)
    bits: Ideal = -top - np.log2(np.exp2(real - top[:, None]).mean(1))
    return bits


def encode(model: LatentModel, x: Samples, stack: AnsStack, options: Options) -> Ideal:
    """Push samples x [rows, *shape] by bb-is; returns -log2 of the mean weight of each row, float64 [rows]."""
    return _encode(_Independent, model, x, stack, options)


def decode(model: LatentModel, rows: int, shape: Shape, stack: AnsStack, options: Options) -> Samples:
    """Pop samples [rows, *shape]; the stack is left as before ``encode``. CoderError if it holds less.

    Arguments as of rdzip.codecs.bits_back.chain.Coder.
    """
    return _decode(_Independent, model, rows, shape, stack, options)


def encode_coupled(model: LatentModel, x: Samples, stack: AnsStack, options: Options) -> Ideal:
    """Push samples x [rows, *shape] by bb-cis; returns as ``encode`` does, for proposals of P bits."""
    return _encode(_Coupled, model, x, stack, options)


def decode_coupled(model: LatentModel, rows: int, shape: Shape, stack: AnsStack, options: Options) -> Samples:
    """Pop samples [rows, *shape]; the stack is left as before ``encode_coupled``. CoderError if it holds less.

    Arguments as of rdzip.codecs.bits_back.chain.Coder.
    """
    return _decode(_Coupled, model, rows, shape, stack, options)
