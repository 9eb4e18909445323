"""Sequences by bits back with a particle filter: bb-smc, and bb-ans, bb-is and stochastic as its special cases.

Ruan, Ullrich, Severo, Townsend, Khisti, Doucet, Makhzani & Maddison 2021, "Improving lossless compression rates via
Monte Carlo bits-back coding", section 3.4. N particles run through a sequence; their net rate is -log2 of the filter's
estimate of p(x), which is unbiased (Del Moral 2004): with weights w of the particles since they were last resampled, a
factor mean(w) for each resampling and one at the end.

Encoder: pops, forwards in time, ancestors (where the filter resamples) and latents of all particles, then which
particle j is coded. The path of j leads back to the first step. It then pushes, backwards in time, what is not on the
path under the same distributions, and the place of the path among the particles, uniformly, at the first step and
wherever the filter resampled; and last the path itself, latents and data, under the model. The decoder so has the path
before anything else, repeats the filter around it, and finds out as it goes where the filter resampled; no flags are
sent. Then it pushes back all that the encoder popped.

Whatever decides (weights as frequencies, effective sample sizes) is an integer, so that both sides agree everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rdzip.codecs.bits_back.options import Options
from rdzip.entropy.ans import PRECISION, AnsStack
from rdzip.entropy.logarithm import effective_size, to_frequencies
from rdzip.entropy.philox import Philox
from rdzip.errors import InputError
from rdzip.models.latent_model import SequenceModel
from rdzip.models.shared.sites import LatentSite

CODECS = ("bb-smc", "bb-ans", "bb-is", "stochastic")
"""Codecs that sequence models can have."""
ADAPTIVE, ALWAYS, NEVER = 0, 1, 2
_ENTRIES = 1 << 22  # of frequencies in memory at a time
_SEED = 0x7374_6F63_6861_7374

Rolls = NDArray[np.uint8]
Index = NDArray[np.int64]
Ideal = NDArray[np.float64]
Symbols = NDArray[Any]


def options_for(codec: str, options: Options) -> Options:
    """The options under which the particle filter is that codec; InputError for codecs that sequences have not."""
    if codec not in CODECS:
        raise InputError(f"expected a codec of sequences ({', '.join(CODECS)}), found {codec!r}: choose one of them")
    if codec == "bb-smc":
        return options
    return replace(options, particles=options.particles if codec == "bb-is" else 1, resample=NEVER)


@dataclass
class _Step:
    """A step of the filter. proposal: of rows * N particles; z: their latents; resampled: rows [r]; frequencies int32
    [r, N] of ancestors, and ancestors [r, N], of those rows; all particles of a row are neighbours."""

    proposal: LatentSite
    z: Symbols
    resampled: Index
    frequencies: NDArray[np.int32]
    ancestors: Index


class _Draws(Protocol):
    """Where the filter's choices come from: the stack, or the stack and a known path."""

    def ancestors(self, rows: Index, frequencies: NDArray[np.int32]) -> Index:
        """Ancestors [r, N] of the particles of some rows, by frequencies [r, N]."""

    def latents(self, t: int, proposal: LatentSite) -> Symbols:
        """Latents [rows * N, ...] of a step."""


class _Popped:
    """The encoder's choices: all of them are popped."""

    def __init__(self, stack: AnsStack) -> None:
        self._stack = stack

    def ancestors(self, rows: Index, frequencies: NDArray[np.int32]) -> Index:
        return _pop_choices(self._stack, frequencies, frequencies.shape[1])

    def latents(self, t: int, proposal: LatentSite) -> Symbols:
        return proposal.pop(self._stack)


class _Around:
    """The decoder's choices: those on the path are known, the place of the path and the others are popped."""

    def __init__(self, stack: AnsStack, path: Symbols, particles: int) -> None:
        """path: latents [rows, steps, ...]."""
        self._stack = stack
        self._path = path
        self._n = particles
        self.place = stack.pop_uniform(np.full(len(path), particles)).astype(np.int64)

    def ancestors(self, rows: Index, frequencies: NDArray[np.int32]) -> Index:
        before = self.place[rows]
        place = self._stack.pop_uniform(np.full(len(rows), self._n)).astype(np.int64)
        self.place[rows] = place
        chosen = np.empty((len(rows), self._n), np.int64)
        chosen[np.arange(len(rows)), place] = before
        chosen[_others(place, self._n)] = _pop_choices(self._stack, frequencies, self._n - 1).reshape(-1)
        return chosen

    def latents(self, t: int, proposal: LatentSite) -> Symbols:
        others = np.flatnonzero(_others(self.place, self._n))
        z = np.empty(proposal.shape, self._path.dtype)
        z[np.arange(len(self.place)) * self._n + self.place] = self._path[:, t]
        if len(others):
            z[others] = proposal.take(others).pop(self._stack)
        return z


@dataclass
class _Filter:
    """A run of the particle filter: its steps, logarithms of the last weights, and real-valued bits -log2 p_hat."""

    steps: list[_Step]
    log_weight: Index
    bits: Ideal


def _run(model: SequenceModel, x: Rolls, options: Options, draws: _Draws) -> _Filter:
    """Run the filter over x [rows, steps, dims], with choices from ``draws``."""
    rows, n = len(x), options.particles
    state = model.start(rows * n)
    log_weight = np.zeros((rows, n), np.int64)
    real = np.zeros((rows, n))
    bits = np.zeros(rows)
    steps = []
    for t in range(x.shape[1]):
        resampled = _to_resample(log_weight, options.resample) if t and n > 1 else np.zeros(0, np.int64)
        frequencies = to_frequencies(log_weight[resampled]) if len(resampled) else np.zeros((0, n), np.int32)
        ancestors = np.zeros((0, n), np.int64)
        if len(resampled):
            ancestors = draws.ancestors(resampled, frequencies)
            kept = np.broadcast_to(np.arange(n), (rows, n)).copy()
            kept[resampled] = ancestors
            state = state.take((kept + np.arange(rows)[:, None] * n).reshape(-1))
            bits[resampled] += _mean_bits(real[resampled])
            log_weight[resampled] = 0
            real[resampled] = 0
        now = np.repeat(x[:, t], n, axis=0)
        proposal = model.propose(state, now)
        z = draws.latents(t, proposal)
        steps.append(_Step(proposal, z, resampled, frequencies, ancestors))
        prior, emission = model.prior(state), model.emit(state, z)
        if n > 1:
            log_weight += (prior.log2(z) + emission.log2(now) - proposal.log2(z)).reshape(rows, n)
        real += (_coded_bits(proposal, z) - _coded_bits(prior, z) - emission.bits(now)).reshape(rows, n)
        state = model.advance(state, z, now)
    return _Filter(steps, log_weight, bits + _mean_bits(real))


def _to_resample(log_weight: Index, rule: int) -> Index:
    """Numbers of the rows that are resampled: where fewer than N / 2 particles are effective, all, or none."""
    if rule == NEVER:
        return np.zeros(0, np.int64)
    if rule == ALWAYS:
        return np.arange(len(log_weight))
    return np.flatnonzero(effective_size(log_weight) < log_weight.shape[1] << 7)  # in units of 1/256


def _mean_bits(real: Ideal) -> Ideal:
    """-log2 of the mean of 2**real over the last axis."""
    top = real.max(1)
    bits: Ideal = -top - np.log2(np.exp2(real - top[:, None]).mean(1))
    return bits


def _coded_bits(site: LatentSite, z: Symbols) -> Ideal:
    """-log2 of the probability of latents by the tables of the model, [rows].

    These are the distributions that particles come from. Real-valued ones differ far in the tails, where every symbol
    keeps a small probability, and a rare particle from there would spoil the mean of the weights.
    """
    bits: Ideal = (PRECISION - np.log2(site.interval(z)[1])).reshape(site.rows, -1).sum(1)
    return bits


def _others(place: Index, n: int) -> NDArray[np.bool_]:
    """Mask [r, n] of the particles that are not at ``place`` [r]."""
    mask: NDArray[np.bool_] = np.arange(n) != place[:, None]
    return mask


def _parts(rows: int, width: int) -> Iterator[slice]:
    size = max(1, _ENTRIES // max(1, width))
    return (slice(i, min(rows, i + size)) for i in range(0, rows, size))


def _pop_choices(stack: AnsStack, frequencies: NDArray[np.int32], times: int) -> Index:
    """Indices [r, times] of which each row's come from its frequencies [r, n]."""
    r, n = frequencies.shape
    if n == 1 or not times:
        return np.zeros((r, times), np.int64)
    found = [stack.pop(np.repeat(frequencies[part], times, axis=0)) for part in _parts(r, n * times)]
    return np.concatenate(found).astype(np.int64).reshape(r, times)


def _push_choices(stack: AnsStack, chosen: Index, frequencies: NDArray[np.int32]) -> None:
    """The inverse of ``_pop_choices``."""
    r, times = chosen.shape
    n = frequencies.shape[1]
    if n == 1 or not times:
        return
    for part in reversed(list(_parts(r, n * times))):
        stack.push(chosen[part].reshape(-1), np.repeat(frequencies[part], times, axis=0))


def _push_path(model: SequenceModel, x: Rolls, z: Symbols, stack: AnsStack) -> None:
    """Push latents z [rows, steps, ...] and data x under the model, so that they pop forwards in time."""
    state = model.start(len(x))
    sites = []
    for t in range(x.shape[1]):
        sites.append((model.prior(state), model.emit(state, z[:, t])))
        state = model.advance(state, z[:, t], x[:, t])
    for t in range(x.shape[1] - 1, -1, -1):
        prior, emission = sites[t]
        emission.push(stack, x[:, t])
        prior.push(stack, z[:, t])


def _pop_path(model: SequenceModel, rows: int, steps: int, stack: AnsStack) -> tuple[Rolls, Symbols]:
    """Data [rows, steps, dims] and latents [rows, steps, ...] of the path."""
    state = model.start(rows)
    xs, zs = [], []
    for _ in range(steps):
        z = model.prior(state).pop(stack)
        x = model.emit(state, z).pop(stack).astype(np.uint8)
        state = model.advance(state, z, x)
        xs.append(x)
        zs.append(z)
    return np.stack(xs, 1), np.stack(zs, 1)


def encode(model: SequenceModel, x: Rolls, stack: AnsStack, options: Options) -> Ideal:
    """Push sequences x uint8 [rows, steps, dims] by bb-smc; returns -log2 p_hat of each row, float64 [rows]."""
    rows, n = len(x), options.particles
    if not x.shape[1]:
        return np.zeros(rows)
    run = _run(model, x, options, _Popped(stack))
    place = _pop_choices(stack, to_frequencies(run.log_weight), 1)[:, 0]
    first = np.arange(rows) * n
    path = []
    for t in range(x.shape[1] - 1, -1, -1):
        step = run.steps[t]
        path.append(step.z[first + place])
        others = np.flatnonzero(_others(place, n))
        if len(others):
            step.proposal.take(others).push(stack, step.z[others])
        if len(step.resampled):
            now = place[step.resampled]
            away = step.ancestors[_others(now, n)].reshape(-1, n - 1)
            _push_choices(stack, away, step.frequencies)
            stack.push_uniform(now, np.full(len(now), n))
            place[step.resampled] = step.ancestors[np.arange(len(now)), now]
    stack.push_uniform(place, np.full(rows, n))
    _push_path(model, x, np.stack(path[::-1], 1), stack)
    return run.bits


def decode(model: SequenceModel, rows: int, shape: tuple[int, ...], stack: AnsStack, options: Options) -> Rolls:
    """Pop sequences uint8 [rows, steps, dims] of ``shape`` (steps, dims); the stack is left as before ``encode``.

    Arguments as of rdzip.codecs.bits_back.chain.Coder.
    """
    if not shape[0]:
        return np.zeros((rows, *shape), np.uint8)
    x, path = _pop_path(model, rows, shape[0], stack)
    draws = _Around(stack, path, options.particles)
    run = _run(model, x, options, draws)
    _push_choices(stack, draws.place[:, None], to_frequencies(run.log_weight))
    for step in reversed(run.steps):
        step.proposal.push(stack, step.z)
        if len(step.resampled):
            _push_choices(stack, step.ancestors, step.frequencies)
    return x


def encode_stochastic(model: SequenceModel, x: Rolls, stack: AnsStack, options: Options) -> Ideal:
    """Push sequences with latents drawn at random from the proposal, no bits of which come back.

    The random words are those of a fixed generator, from the start for every call; a decoder does not need them.
    Returns -log2 p(x, z) of each row.
    """
    rows, steps = x.shape[:2]
    if not steps:
        return np.zeros(rows)
    state = model.start(rows)
    ideal = np.zeros(rows)
    drawn = []
    for t in range(steps):
        proposal = model.propose(state, x[:, t])
        words = Philox(_SEED, t).words(0, max(16, 2 * int(np.prod(proposal.shape))))
        z = proposal.pop(AnsStack((words | np.uint32(1)).astype("<u4").tobytes()))
        ideal += _coded_bits(model.prior(state), z) + model.emit(state, z).bits(x[:, t])
        state = model.advance(state, z, x[:, t])
        drawn.append(z)
    _push_path(model, x, np.stack(drawn, 1), stack)
    return ideal


def decode_stochastic(
    model: SequenceModel, rows: int, shape: tuple[int, ...], stack: AnsStack, options: Options
) -> Rolls:
    """Pop what ``encode_stochastic`` pushed.

    Arguments as of rdzip.codecs.bits_back.chain.Coder.
    """
    if not shape[0]:
        return np.zeros((rows, *shape), np.uint8)
    return _pop_path(model, rows, shape[0], stack)[0]
