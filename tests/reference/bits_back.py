"""The codecs of docs/reference/latents.md, section 6: decoders in Python integers.

decode(model, rows, shape, stack, options) gives the samples of a group, each a flat list of integers in row-major order
(of sequences a list of steps), and leaves the stack as the encoder found it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from reference.container import Rows, need
from reference.sites import Site, Stack, Table, effective_size, frequencies, log2, quantile, random_words

Shape = tuple[int, ...]
Draws = dict[str, tuple[Site, Rows]]


class Options(NamedTuple):
    """The numbers of a chain's head."""

    particles: int
    refine: int
    steps: int
    precision: int
    resample: int
    interleave: int


def popped(model: Any, rows: int, shape: Shape, stack: Stack) -> tuple[Rows, Draws]:
    """Samples by the model, and the latents' sites and symbols by name, in p's order."""
    draws: Draws = {}

    def pop(name: str, site: Site) -> Rows:
        draws[name] = (site, site.pop(stack))
        return draws[name][1]

    model.generate(rows, shape, pop)
    return draws.pop("x")[1], draws


def log_joint(model: Any, x: Rows, shape: Shape, latents: dict[str, Rows]) -> list[int]:
    """log p(latents) + log p(sample) of each row."""
    sums = [0] * len(x)

    def add(name: str, site: Any) -> Rows:
        values = x if name == "x" else latents[name]
        sums[:] = [a + b for a, b in zip(sums, site.log2(values), strict=True)]
        return values

    model.generate(len(x), shape, add)
    return sums


def stochastic(model: Any, rows: int, shape: Shape, stack: Stack, options: Options) -> Rows:
    return popped(model, rows, shape, stack)[0]


def bb_ans(model: Any, rows: int, shape: Shape, stack: Stack, options: Options) -> Rows:
    x, latents = popped(model, rows, shape, stack)
    posterior = []

    def know(name: str, site: Site) -> Rows:
        posterior.append((site, latents[name][1]))
        return latents[name][1]

    model.infer(x, shape, know, options.refine)
    for site, z in reversed(posterior):
        site.push(stack, z)
    return x


def bit_swap(model: Any, rows: int, shape: Shape, stack: Stack, options: Options) -> Rows:
    above = model.top_site(rows, shape).pop(stack)
    for level in range(model.levels, 0, -1):
        below = model.generate_site(level - 1, above, shape).pop(stack)
        model.infer_site(level, below, shape).push(stack, above)
        above = below
    return above


Drawn = tuple[Rows, list[int], Callable[[], None]]


def independent(number: int, site: Site, known: Rows, kept: list[int], stack: Stack, options: Options) -> Drawn:
    """Particles of one latent around the known ones; their log q; how to push them back."""
    others = [row for row in range(len(site.rows)) if row not in kept]
    z = dict(zip(kept, known, strict=True)) | dict(zip(others, site.take(others).pop(stack), strict=True))
    rows = [z[row] for row in range(len(site.rows))]
    return rows, site.log2(rows), lambda: site.push(stack, rows)


def coupled(number: int, site: Site, known: Rows, kept: list[int], stack: Stack, options: Options) -> Drawn:
    """The same with one random number for all particles of a sample."""
    n, p, entries = options.particles, options.precision, len(known[0])
    half = 1 << 23 - p
    words = random_words(0x63636973, number, n * entries)

    def places(c: Table, symbol: int) -> tuple[int, int]:
        first, end = (-(-(edge - half) // (2 * half)) for edge in c[symbol : symbol + 2])
        return first, end - first

    def shift(row: int, d: int) -> int:
        return words[row % n * entries + d] >> 32 - p

    at = [(row, d) for row in kept for d in range(entries)]
    found = [places(site.rows[row][d], known[row // n][d]) for row, d in at]
    need(all(count > 0 for _, count in found), "coupled symbol")
    rest = stack.pop_uniform([count for _, count in found])
    shared = [(f + o - shift(*a)) % (1 << p) for (f, _), o, a in zip(found, rest, at, strict=True)]
    z: Rows = []
    logs = []
    for row, tables in enumerate(site.rows):
        u = shared[row // n * entries :][:entries]
        v = [(u_d + shift(row, d)) % (1 << p) for d, u_d in enumerate(u)]
        z.append([quantile(c, (2 * v_d + 1) * half) for c, v_d in zip(tables, v, strict=True)])
        counts = [places(c, symbol)[1] for c, symbol in zip(tables, z[-1], strict=True)]
        logs.append(sum(log2(count) - (p << 16) for count in counts))
    return z, logs, lambda: stack.push_uniform(shared, [1 << p] * len(shared))


def bb_is(
    model: Any, rows: int, shape: Shape, stack: Stack, options: Options, particles: Callable[..., Drawn] = independent
) -> Rows:
    n = options.particles
    j = stack.pop_uniform([n] * rows)
    x, path = popped(model, rows, shape, stack)
    kept = [b * n + j_b for b, j_b in enumerate(j)]
    copies = [sample for sample in x for _ in range(n)]
    latents: dict[str, Rows] = {}
    log_q = [0] * len(copies)
    back: list[Callable[[], None]] = []

    def draw(name: str, site: Site) -> Rows:
        latents[name], logs, push = particles(len(back), site, path[name][1], kept, stack, options)
        log_q[:] = [a + b for a, b in zip(log_q, logs, strict=True)]
        back.append(push)
        return latents[name]

    model.infer(copies, shape, draw, options.refine)
    log_w = [p - q for p, q in zip(log_joint(model, copies, shape, latents), log_q, strict=True)]
    push_choices(stack, log_w, j, n)
    for push in reversed(back):
        push()
    return x


def bb_cis(model: Any, rows: int, shape: Shape, stack: Stack, options: Options) -> Rows:
    return bb_is(model, rows, shape, stack, options, coupled)


def push_choices(stack: Stack, log_w: list[int], j: list[int], n: int) -> None:
    """Push which particle of each sample is coded."""
    if n > 1:
        for b in reversed(range(len(j))):
            stack.push(frequencies(log_w[b * n : b * n + n]), j[b])


class Kernel:
    """The steps of annealing of one sample x, from its row of the posterior and that of the prior."""

    def __init__(self, model: Any, x: list[int], shape: Shape, q: Site, prior: Site, steps: int) -> None:
        self.model, self.x, self.shape, self.q, self.steps = model, x, shape, q, steps
        width, usual = ([quantile(c, 3 << 22) - quantile(c, 1 << 22) for c in site.rows[0]] for site in (q, prior))
        visited = [d for d in range(len(width)) if 4 * width[d] < 3 * usual[d]] or list(range(len(width)))
        self.order = sorted(visited, key=lambda d: width[d])
        self.symbols = len(q.rows[0][0]) - 1
        self.k = 16 if self.symbols % 16 == 0 else self.symbols
        self.stride = [self._stride(w) for w in width]

    def _stride(self, width: int) -> int:
        stride = 1
        while self.symbols // self.k % (2 * stride) == 0 and 8 * stride <= width:
            stride *= 2
        return stride

    def move(self, t: int, z: list[int]) -> tuple[int, list[int], Table]:
        """The entry of step t, the symbols of its class and their table."""
        d, visit = self.order[(t - 1) % len(self.order)], (t - 1) // len(self.order)
        k, stride = self.k, self.stride[d]
        o = 5 * visit * stride
        a = (z[d] - o) % self.symbols
        c = [(a // (k * stride) * k * stride + a % stride + i * stride + o) % self.symbols for i in range(k)]
        candidates = [[*z[:d], symbol, *z[d + 1 :]] for symbol in c]
        log_q = self.q.take([0] * k).log2(candidates)
        log_p = log_joint(self.model, [self.x] * k, self.shape, {"z1": candidates})
        end = self.steps + 1
        return d, c, frequencies([((end - t) * a + t * b) // end for a, b in zip(log_q, log_p, strict=True)])


def bb_ais(model: Any, rows: int, shape: Shape, stack: Stack, options: Options) -> Rows:
    x, draws = popped(model, rows, shape, stack)
    ((prior, z),) = draws.values()
    found: list[Site] = []

    def know(name: str, site: Site) -> Rows:
        found.append(site)
        return z

    model.infer(x, shape, know, options.refine)
    kernels = [Kernel(model, x[b], shape, found[0].take([b]), prior.take([b]), options.steps) for b in range(rows)]
    later = []
    for t in range(options.steps, 0, -1):
        moves = [kernel.move(t, z_b) for kernel, z_b in zip(kernels, z, strict=True)]
        old = [stack.pop(c) for _, _, c in moves]
        new = [symbols.index(z_b[d]) for (d, symbols, _), z_b in zip(moves, z, strict=True)]
        later += [(c, place) for (_, _, c), place in zip(moves, new, strict=True)][::-1]
        if options.interleave:
            push_all(stack, later)
            later = []
        z = [
            [*z_b[:d], symbols[place], *z_b[d + 1 :]] for (d, symbols, _), z_b, place in zip(moves, z, old, strict=True)
        ]
    push_all(stack, later)
    found[0].push(stack, z)
    return x


def push_all(stack: Stack, coded: list[tuple[Table, int]]) -> None:
    """Push symbols in this order."""
    for c, symbol in coded:
        stack.push(c, symbol)


# Sequences: the model is a state machine whose parts are for one row


def path_of(model: Any, rows: int, shape: Shape, stack: Stack) -> tuple[list[Rows], list[Rows]]:
    """Steps and latents of each sequence, by the model."""
    states = [model.start()] * rows
    x: list[Rows] = [[] for _ in range(rows)]
    z: list[Rows] = [[] for _ in range(rows)]
    for _ in range(shape[0]):
        latents = Site([model.prior(s) for s in states], model.grid).pop(stack)
        steps = Site([model.emit(s, z_b) for s, z_b in zip(states, latents, strict=True)]).pop(stack)
        states = [model.advance(*row) for row in zip(states, latents, steps, strict=True)]
        for b in range(rows):
            x[b].append(steps[b])
            z[b].append(latents[b])
    return x, z


def path_only(model: Any, rows: int, shape: Shape, stack: Stack, options: Options) -> list[Rows]:
    """Stochastic, for sequences."""
    return path_of(model, rows, shape, stack)[0]


def bb_smc(model: Any, rows: int, shape: Shape, stack: Stack, options: Options) -> list[Rows]:
    n = options.particles
    x, path = path_of(model, rows, shape, stack)
    j = stack.pop_uniform([n] * rows)
    states = [model.start()] * (rows * n)
    log_w = [0] * (rows * n)
    back: list[tuple[Site, Rows, list[tuple[Table, int]]]] = []
    for t in range(shape[0]):
        chosen = resample(t, states, log_w, j, stack, options)
        now = [x[row // n][t] for row in range(rows * n)]
        q = Site([model.propose(*row) for row in zip(states, now, strict=True)], model.grid)
        kept = [b * n + j_b for b, j_b in enumerate(j)]
        z, log_q, _ = independent(0, q, [path[b][t] for b in range(rows)], kept, stack, options)
        back.append((q, z, chosen))
        log_p = Site([model.prior(s) for s in states]).log2(z)
        log_x = Site([model.emit(*row) for row in zip(states, z, strict=True)]).log2(now)
        log_w = [w + a + b - c for w, a, b, c in zip(log_w, log_p, log_x, log_q, strict=True)]
        states = [model.advance(*row) for row in zip(states, z, now, strict=True)]
    push_choices(stack, log_w, j, n)
    for q, z, chosen in reversed(back):
        q.push(stack, z)
        push_all(stack, chosen[::-1])
    return x


def resample(
    t: int, states: list[Any], log_w: list[int], j: list[int], stack: Stack, options: Options
) -> list[tuple[Table, int]]:
    """Step 1 of the filter around the path; changes states, logarithms and places; tables and ancestors."""
    n = options.particles
    logs = [log_w[b * n : b * n + n] for b in range(len(j))]
    if not t or n == 1 or options.resample == 2:
        return []
    some = [b for b, row in enumerate(logs) if options.resample == 1 or effective_size(row) < 128 * n]
    places = dict(zip(some, stack.pop_uniform([n] * len(some)), strict=True))
    chosen = []
    for b in some:
        c = frequencies(logs[b])
        ancestors = [j[b] if k == places[b] else stack.pop(c) for k in range(n)]
        chosen += [(c, ancestor) for ancestor in ancestors]
        states[b * n : b * n + n] = [states[b * n + ancestor] for ancestor in ancestors]
        log_w[b * n : b * n + n] = [0] * n
        j[b] = places[b]
    return chosen


IMAGES = (stochastic, bb_ans, bit_swap, bb_is, bb_cis, bb_ais)
SEQUENCES = {0: path_only, 1: bb_smc, 3: bb_smc, 6: bb_smc}
