"""Perceptrons, recurrence and toys of docs/reference/latents.md, sections 8 to 10, in Python integers and fractions.

Streams and outputs of layers are in units of 2**-11.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import Any

from reference.container import Rows, act, clip, cumulative, layer
from reference.sites import TOTAL, Site, Table, normal, random_words, table

Draw = Callable[[str, Site], Rows]
Tensors = dict[str, Any]
Numbers = list[Fraction]


def rounded(o: int, up: int, down: int = 1) -> int:
    """floor(o up / down + 1/2) of an output."""
    return (o * up * 2 + 2048 * down) // (4096 * down)


def add(stream: list[int], increments: list[int]) -> list[int]:
    """A sum of streams."""
    return [a + b for a, b in zip(stream, increments, strict=True)]


def coin(frequency: int) -> Table:
    """The table of a binary entry."""
    return [0, TOTAL - frequency, TOTAL]


class Grid:
    """Tables of grid entries, by mean and scale."""

    def __init__(self, tables: Tensors) -> None:
        self.tables = tables
        self.entry = cache(self._entry)

    def _entry(self, mean: int, scale: int) -> Table:
        return cumulative(self.tables, [(mean, scale, 0)])

    def row(self, means: list[int], scales: list[int]) -> list[Table]:
        return [self.entry(mean, scale) for mean, scale in zip(means, scales, strict=True)]


class Perceptron:
    """vae-mlp."""

    def __init__(self, tensors: Tensors, network: dict[str, int]) -> None:
        self.tensors, self.layers, self.latents = tensors, network["layers"], network["latents"]
        self.grid = Grid({name[8:]: t for name, t in tensors.items() if name.startswith("mixture.")})
        self.refinement = Refinement(self, network)
        self.posterior = cache(self._posterior)

    def run(self, part: str, inputs: list[int]) -> tuple[list[int], Rows]:
        """Outputs, and the streams before."""
        streams = [layer(self.tensors, f"{part}.0", inputs)]
        for i in range(1, self.layers):
            streams.append(add(streams[-1], layer(self.tensors, f"{part}.{i}", act(streams[-1]))))
        return layer(self.tensors, f"{part}.{self.layers}", act(streams[-1])), streams

    def level(self, o: int) -> int:
        """Place in the table of emissions."""
        return 191 + clip(rounded(o, 1, 2), -191, 191)

    def _posterior(self, x: tuple[int, ...], refine: int) -> list[Table]:
        o, _ = self.run("encoder", [127 * v for v in x])
        means = [clip(rounded(v, 32) + 8192, -1024, 17408) for v in o[: self.latents]]
        scales = [clip(rounded(v, 1, 4) + 40, 0, 63) for v in o[self.latents :]]
        if refine:
            means, scales = self.refinement.refine(x, means, scales, refine)
        return self.grid.row(means, scales)

    def infer(self, x: Rows, shape: tuple[int, ...], draw: Draw, refine: int) -> None:
        draw("z1", Site([self.posterior(tuple(image), refine) for image in x], grid=True))

    def generate(self, rows: int, shape: tuple[int, ...], draw: Draw) -> None:
        z = draw("z1", Site([[self.grid.entry(8192, 48)] * self.latents] * rows, grid=True))
        emission = self.tensors["emission"]
        outputs = [self.run("decoder", [clip(v - 128, -127, 127) for v in row])[0] for row in z]
        draw("x", Site([[coin(emission[self.level(v)]) for v in o] for o in outputs]))


def floor_half(v: Fraction) -> int:
    """floor(v + 1/2)."""
    return (2 * v.numerator + v.denominator) // (2 * v.denominator)


def unit(v: Fraction) -> Fraction:
    """R: rounded to a multiple of 2**-16."""
    return Fraction(floor_half(v * 65536), 65536)


def within(v: Fraction, limit: int) -> Fraction:
    """Clipped to +-limit."""
    return min(max(v, Fraction(-limit)), Fraction(limit))


class Refinement:
    """Posteriors of vae-mlp that are fitted to an image."""

    def __init__(self, model: Perceptron, network: dict[str, int]) -> None:
        self.model, self.layers, self.latents = model, network["layers"], network["latents"]
        tensors = model.tensors
        self.one = [Fraction((e + 128) >> 8, 65536) for e in tensors["emission"]]
        self.deviation = [Fraction(178956970 // i, 65536) for i in tensors["mixture.inverse_scale"]]
        self.weights = [
            [
                [w * Fraction(2) ** -e for w in row]
                for row, e in zip(tensors[f"decoder.{i}.weight"], tensors[f"decoder.{i}.exponent"], strict=True)
            ]
            for i in range(self.layers + 1)
        ]

    def back(self, y: Numbers, i: int) -> Numbers:
        """For each input of a layer, the sum over its outputs."""
        columns = zip(*self.weights[i], strict=True)
        return [sum((a * w for a, w in zip(y, column, strict=True)), Fraction(0)) for column in columns]

    def slope(self, z: Numbers, x: tuple[int, ...]) -> Numbers:
        """G(z)."""
        o, streams = self.model.run("decoder", [clip(floor_half(v) - 128, -127, 127) for v in z])

        def through(y: Numbers, stream: list[int]) -> Numbers:
            passed = [0 < a < 255 for a in act(stream)]
            return [within(unit(v), 1024) if p else Fraction(0) for v, p in zip(y, passed, strict=True)]

        error = [v - self.one[self.model.level(o_v)] for v, o_v in zip(x, o, strict=True)]
        y = through(self.back(error, self.layers), streams[-1])
        for i in range(self.layers - 1, 0, -1):
            more = through(self.back(y, i), streams[i - 1])
            y = [within(a + b, 1024) for a, b in zip(y, more, strict=True)]
        return [unit(v * Fraction(1, 32)) for v in self.back(y, 0)]

    def refine(
        self, x: tuple[int, ...], means: list[int], scales: list[int], steps: int
    ) -> tuple[list[int], list[int]]:
        """Means and scales after some steps."""
        m, k = [Fraction(v, 64) for v in means], [Fraction(v) for v in scales]
        for t in range(steps):
            noise = [Fraction(normal(word), 65536) for word in random_words(0x726566696E65, t, 4 * self.latents)]
            pairs = [noise[i * self.latents : (i + 1) * self.latents] for i in range(4)]
            e = [[sign * v for v in pair] for pair in pairs for sign in (1, -1)]
            s = [self.deviation[floor_half(v)] for v in k]
            d = [[unit(s_i * v) for s_i, v in zip(s, e_i, strict=True)] for e_i in e]
            g = [self.slope([a + b for a, b in zip(m, d_i, strict=True)], x) for d_i in d]
            rate = Fraction((393216 * (steps - t) + 5 * steps) // (10 * steps), 65536)
            for i in range(self.latents):
                a = sum((g_i[i] for g_i in g), Fraction(0)) * Fraction(1, 8)
                b = sum((unit(g_i[i] * d_i[i]) for g_i, d_i in zip(g, d, strict=True)), Fraction(0)) * Fraction(1, 8)
                v = unit(s[i] * s[i])
                up = unit(v * unit(a - (m[i] - 128) * Fraction(1, 256)))
                wide = unit(Fraction(277, 64) * unit(1 + b - v * Fraction(1, 256)))
                m[i] = min(max(unit(m[i] + rate * within(up, 16)), Fraction(-16)), Fraction(272))
                k[i] = min(max(unit(k[i] + rate * Fraction(1, 4) * within(wide, 6)), Fraction(0)), Fraction(63))
        return [floor_half(64 * v) for v in m], [floor_half(v) for v in k]


State = tuple[int, ...]


class Recurrent:
    """vrnn; its methods are for one row."""

    grid = True

    def __init__(self, tensors: Tensors, network: dict[str, int]) -> None:
        self.tensors, self.network = tensors, network
        self.gain = 64 // network["latent_gain"]
        tables = {"sigmoid": tensors["grid.cumulative"], "inverse_scale": tensors["grid.inverse_scale"]}
        self.tables = Grid(tables | {"exponential": [1] * 192})
        self.prior_parameters = cache(self._prior_parameters)

    def fan(self, name: str, part: int, inputs: list[int]) -> list[int]:
        """A part of a layer that several others share."""
        width = self.network["width"]
        return layer(self.tensors, name, inputs)[part * width : (part + 1) * width]

    def of_state(self, part: int, state: State) -> list[int]:
        return self.fan("h_fan", part, [(v + 128) >> 8 for v in state])

    def of_step(self, part: int, x: list[int]) -> list[int]:
        features = act(layer(self.tensors, "x1", [127 * v for v in x]))
        return self.fan("x_fan", part, act(layer(self.tensors, "x2", features)))

    def of_latents(self, part: int, z: list[int]) -> list[int]:
        inputs = [clip((v - 128) * self.network["latent_gain"], -127, 127) for v in z]
        return self.fan("z_fan", part, act(layer(self.tensors, "z1", inputs)))

    def out(self, name: str, stream: list[int]) -> tuple[list[int], list[int]]:
        """The halves of a last layer's outputs."""
        o = layer(self.tensors, name, act(stream))
        return o[: len(o) // 2], o[len(o) // 2 :]

    def entries(self, o: tuple[list[int], list[int]], means: list[int], scales: list[int]) -> tuple[State, State]:
        """Means and scales relative to others."""
        mean = (clip(m + rounded(v, self.gain), 1024, 15360) for m, v in zip(means, o[0], strict=True))
        most = self.network["largest_scale"]
        scale = (clip(s + rounded(v, 1, 4), 24, most) for s, v in zip(scales, o[1], strict=True))
        return tuple(mean), tuple(scale)

    def _prior_parameters(self, state: State) -> tuple[State, State]:
        k = self.network["latents"]
        return self.entries(self.out("p2", self.of_state(0, state)), [8192] * k, [self.network["prior_scale"]] * k)

    @staticmethod
    def index(o: int) -> int:
        return clip(rounded(o, 1) + 512, 0, 1023)

    def start(self) -> State:
        return (0,) * self.network["state"]

    def prior(self, state: State) -> list[Table]:
        return self.tables.row(*self.prior_parameters(state))

    def propose(self, state: State, x: list[int]) -> list[Table]:
        means, scales = self.prior_parameters(state)
        o = self.out("q2", add(self.of_state(1, state), self.of_step(0, x)))
        return self.tables.row(*self.entries(o, means, [s - 3 for s in scales]))

    def emit(self, state: State, z: list[int]) -> list[Table]:
        o = layer(self.tensors, "e2", act(add(self.of_state(2, state), self.of_latents(0, z))))
        return [coin(self.tensors["emission"][self.index(v)]) for v in o]

    def advance(self, state: State, z: list[int], x: list[int]) -> State:
        stream = add(add(self.of_state(3, state), self.of_latents(1, z)), self.of_step(1, x))
        gates, candidates = self.out("a2", stream)
        moved = []
        for s, u, c in zip(state, gates, candidates, strict=True):
            gate, candidate = self.tensors["gate"][self.index(u)], self.tensors["candidate"][self.index(c)]
            moved.append(s + ((gate * (256 * candidate - s) + 128) >> 8))
        return tuple(moved)


class ToyMixture:
    """toy-mixture."""

    def __init__(self, tensors: Tensors, network: object) -> None:
        self.tensors = tensors

    def infer(self, x: Rows, shape: tuple[int, ...], draw: Draw, refine: int) -> None:
        draw("z1", Site([[table(self.tensors["proposal"][v])] for (v,) in x]))

    def generate(self, rows: int, shape: tuple[int, ...], draw: Draw) -> None:
        z = draw("z1", Site([[table(self.tensors["prior"])]] * rows))
        draw("x", Site([[table(self.tensors["emission"][v])] for (v,) in z]))


class ToyHmm:
    """toy-hmm; its methods are for one row."""

    grid = False

    def __init__(self, tensors: Tensors, network: object) -> None:
        self.tensors = tensors

    def start(self) -> int:
        return len(self.tensors["emission"])

    def prior(self, state: int) -> list[Table]:
        return [table(self.tensors["transition"][state])]

    def propose(self, state: int, x: list[int]) -> list[Table]:
        return [table(self.tensors["proposal"][state][x[0]])]

    def emit(self, state: int, z: list[int]) -> list[Table]:
        return [table(self.tensors["emission"][z[0]])]

    def advance(self, state: int, z: list[int], x: list[int]) -> int:
        return z[0]
