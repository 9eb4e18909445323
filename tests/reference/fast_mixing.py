"""A second decoder of mixing payloads of layouts 1 to 3, written from docs/reference/format.md in plain Python.

Shares nothing with rdzip but the test's model file; what these layouts share with 4 and 5 is in binary_coder.py.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from reference.binary_coder import (
    PLACES,
    Coder,
    Counter,
    chance,
    distance_class,
    hashed,
    linear,
    mean_of,
    place,
    refiner,
    scale,
    solve,
    squash,
    stretch,
)
from reference.container import Damaged, Network, bands_of, clip, context_of, is_turned, need, turned

Matrix = list[list[float]]

STARTS = {1: (65536, 87381, 0), 2: (32768, 87381, 0), 3: (21845, 26214, 157286)}
"""Weights that mixers begin with: of contexts, of distance counters, of the network."""
CONTEXTS = {1: [3], 2: [0, 3, 5, 6], 3: [0, 3, 5, 6]}


def odds_of(counter: Counter) -> int:
    return clip(counter.odds, -2047, 2047)


class BlockFit:
    """Least squares for one plane, solved anew every 8 columns."""

    def __init__(self, c: int, planes: int, width: int) -> None:
        self.c, self.width = c, width
        self.inputs = [(c, at) for at in PLACES[: 6 if c else 8]]
        for q in range(planes):
            if q < c:
                self.inputs += [(q, (0, 0))] + [(q, at) for at in PLACES[: 4 if c == 1 else 3]]
            elif q > c == 0:
                self.inputs.append((q, PLACES[0]))
        self.n = len(self.inputs)
        self.v = [self.zeros() for _ in range(0, width, 8)]

    def zeros(self) -> Matrix:
        return [[0.0] * (self.n + 1) for _ in range(self.n)]

    def add(self, block: int, sign: int) -> None:
        for row, other in zip(self.a, self.v[block], strict=True):
            row[:] = [s + t if sign > 0 else s - t for s, t in zip(row, other, strict=True)]

    def begin(self) -> None:
        self.a, self.left, self.f = self.zeros(), self.zeros(), self.zeros()
        for block in range(min(2, len(self.v))):
            self.add(block, 1)

    def predict(self, y: int, x: int, sample: Any, means: list[float]) -> int:
        if x % 8 == 0:
            block = x // 8
            if block + 2 < len(self.v):
                self.add(block + 2, 1)
            if block >= 3:
                self.add(block - 3, -1)
            t = [[s + t for s, t in zip(*rows, strict=True)] for rows in zip(self.a, self.left, strict=True)]
            for i in range(self.n):
                t[i][i] += 4.0
            self.w = solve(t)
        self.u = [sample(q, y + dy, x + dx) - means[q] for q, (dy, dx) in self.inputs]
        return linear(means[self.c], self.w, self.u)

    def update(self, x: int, value: float) -> None:
        u = [*self.u, value]
        for i in range(self.n):
            for j in range(self.n + 1):
                self.f[i][j] += u[i] * u[j]
        if x % 8 != 7 and x != self.width - 1:
            return
        known = self.v[x // 8]
        for i in range(self.n):
            for j in range(self.n + 1):
                v = 0.85 * known[i][j] + self.f[i][j]
                self.a[i][j] += v - known[i][j]
                known[i][j] = v
                self.left[i][j] = 0.5 * (self.left[i][j] + self.f[i][j])
                self.f[i][j] = 0.0


class Fast:
    """Everything that is learnt of bits."""

    def __init__(self, samples: int, layout: int) -> None:
        self.layout = layout
        looked = samples * len(CONTEXTS[layout]) // 2
        self.buckets = 1 << clip(looked.bit_length(), 12, 20)
        self.checks: dict[int, int] = defaultdict(int)
        self.counters: dict[int, dict[int, Counter]] = defaultdict(lambda: defaultdict(Counter))
        self.refining: dict[Any, Counter] = {}
        self.distances: dict[Any, Counter] = defaultdict(Counter)
        self.sure: dict[Any, Counter] = {}
        self.rows: dict[Any, list[int]] = {}

    def look(self, hashes: list[int], v: int) -> list[int]:
        """The buckets of all contexts, emptied where they were others'."""
        buckets = []
        for h in hashes:
            h = hashed(h, v)
            bucket, check = h % self.buckets, h >> 12 | 1
            if self.checks[bucket] != check:
                self.checks[bucket] = check
                self.counters.pop(bucket, None)
            buckets.append(bucket)
        return buckets

    def sample(
        self, c: int, x: int, hashes: list[int], p: list[int], q: list[int], mass: list[int] | None, coder: Coder
    ) -> int:
        node, number, buckets = 1, 1, []
        for step in range(8):
            if step == 4:
                number, buckets = 1, []
            half = 128 >> step
            low = (node << (8 - step)) % 256
            z = [distance_class(low + half, prediction) for prediction in p]
            near = [self.distances[i, c, step, q[j], z[j]] for i, j in enumerate((6, 4, 5) if mass else (6, 4))]
            blend = odds_of(near[0])
            r = clip(stretch(chance(mass, low, half) >> 4), -2047, 2047) if mass else odds_of(near[1])
            if min(abs(r), abs(blend)) > 1800 and (r > 0) == (blend > 0):
                k = min((abs(r) + abs(blend)) >> 7, 31)
                counter = self.sure.setdefault((c, step, k), Counter(64 * squash(64 * k + 32)))
                likely = clip(counter.p >> 6, 4, 65532)
                bit = coder.bit(likely if r > 0 else 65536 - likely)
                counter.see(int(bit == (r > 0)), 1000)
                for counter in near[: 1 if mass else 2]:
                    counter.see(bit, 250)
            else:
                buckets = buckets or self.look(hashes, 0 if step < 4 else node)
                used = [self.counters[bucket][number] for bucket in buckets]
                bit = self.mixed(c, step, node, x, used, near, q[6], z[6], r, coder)
            node, number = 2 * node + bit, 2 * number + bit
        return node - 256

    def mixed(
        self,
        c: int,
        step: int,
        node: int,
        x: int,
        used: list[Counter],
        near: list[Counter],
        q: int,
        z: int,
        r: int,
        coder: Coder,
    ) -> int:
        """A decision that is not certain."""
        inputs = [0] * 4 + [odds_of(counter) for counter in near] + [0] * (4 - len(near)) + [256]
        if self.layout == 3:
            inputs[7] = r
        refining = [refiner(self.refining, i, c, counter) for i, counter in enumerate(used)]
        certain = 0
        for i, counter in enumerate(used):
            if counter.n:
                inputs[i] = odds_of(refining[i])
            certain += counter.n > 2 and abs(odds_of(counter)) > 1200
        choice = [node, ((4 * step + (q >> 2)) * 2 + (x & 1)) * 8 + min(certain, 7), 64 * step + 2 * z // 3]
        first, near_first, network_first = STARTS[self.layout]
        start = [first] * 4 + [near_first] * 3 + [network_first, 0]
        mixers = list(enumerate(choice[: 2 if self.layout == 1 else 3]))
        rows = [self.rows.setdefault((c, s, row), list(start)) for s, row in mixers]
        o = [clip(sum((v * w) >> 5 for v, w in zip(inputs, row, strict=True)) >> 13, -3071, 3071) for row in rows]
        bit = coder.bit(clip(squash((sum(o) + len(o) // 2) // len(o)), 4, 65532))

        for row, found in zip(rows, o, strict=True):
            error = (bit << 16) - squash(found)
            row[:] = [
                clip(w + ((8 * v * error + 32768) >> 16), 1 - (1 << 20), (1 << 20) - 1)
                for w, v in zip(row, inputs, strict=True)
            ]
        for counter in near:
            counter.see(bit, 250)
        for counter, other in zip(used, refining, strict=True):
            counter.see(bit, 60)
            other.see(bit, 127)
        return bit


class Band:
    """One band: a picture of its own."""

    def __init__(self, data: bytes, height: int, width: int, channels: int, layout: int, network: Network | None):
        self.height, self.width, self.channels, self.network = height, width, channels, network
        self.layout = layout
        self.planes: list[Any] = [[[None] * width for _ in range(height)] for _ in range(channels)]
        self.differences: list[Any] = [[[None] * width for _ in range(height)] for _ in range(channels)]
        self.errors: dict[Any, int] = {}
        self.fits = [BlockFit(c, channels, width) for c in range(channels)]
        self.fast, self.coder = Fast(height * width * channels, layout), Coder(data)
        for y in range(height):
            for fit in self.fits:
                fit.begin()
            for x in range(width):
                self.pixel(y, x)
        need(self.coder.shifts + 1 == len(data), "end of a band")

    def at(self, q: int, y: int, x: int) -> int:
        y, x = place(y, x, self.width)
        return 128 if y < 0 else int(self.planes[q][y][x])

    def scales(self, c: int, y: int, x: int) -> tuple[list[int], list[int]]:
        """e and q of all predictions."""

        def error(j: int, y: int, x: int) -> int:
            y, x = place(y, x, self.width)
            return 0 if y < 0 else self.errors[c, j, y, x]

        e = [
            2 * (error(j, y, x - 1) + error(j, y - 1, x))
            + error(j, y - 1, x + 1)
            + error(j, y - 1, x - 1)
            + error(j, y, x - 2)
            for j in range(7)
        ]
        return e, [scale(min(v, 32767)) for v in e]

    def pixel(self, y: int, x: int) -> None:
        means = [(self.at(q, y, x - 1) + self.at(q, y - 1, x)) / 2 for q in range(self.channels)]
        if self.network:
            context = context_of(self.differences, self.network.config, y, x, self.width)
            fan = self.network.trunk(context)
        for c in range(self.channels):
            w, n, nw, ne, ww, nn = (self.at(c, y + dy, x + dx) for dy, dx in PLACES[:6])
            a = b = aw = an = 0
            if c == 0:
                simple = [max(min(w, n), min(max(w, n), w + n - nw)), w + ((ne - n) >> 1), 2 * n - nn]
            else:
                a, aw, an, anw = (self.at(0, y + dy, x + dx) for dy, dx in [(0, 0), *PLACES[:3]])
                dw, dn, dnw = w - aw, n - an, nw - anw
                simple = [a + max(min(dw, dn), min(max(dw, dn), dw + dn - dnw)), a + dw, a + dn]
                simple.append(a + ((dw + dn) >> 1))
            if c == 2:
                b, bw, bn = (self.at(1, y + dy, x + dx) for dy, dx in [(0, 0), *PLACES[:2]])
                simple[3] = b + ((w - bw + n - bn) >> 1)
            p = [16 * clip(v, 0, 255) for v in simple]
            if c == 0:
                p.append(4 * (w + n + ne + nw))
            p.append(p[0] if self.layout == 1 else self.fits[c].predict(y, x, self.at, means))
            mass = None
            if self.network:
                mixture = self.network.parameters(c, fan, context, [self.differences[q][y][x] for q in range(c)])
                mass = self.network.cumulative(mixture)
            p.append(mean_of(self.network, mixture) if self.network else p[4])
            e, q = self.scales(c, y, x)
            v = [(1 << 26) // (2 * min(e_j >> 3, 1023) + 3) ** 2 for e_j in e[: self.layout + 3]]
            p.append((sum(v_j * p_j for v_j, p_j in zip(v, p, strict=False)) + sum(v) // 2) // sum(v))

            r = (p[4] + 8) >> 4
            if c == 0:
                contexts = {0: (p[6] >> 2) + 4096 * q[6], 3: r + 256 * w, 5: w + 256 * ww, 6: r}
            else:
                contexts = {0: a + 256 * b + 65536 * r, 3: a + 256 * b}
                contexts |= {5: a + 256 * w + 65536 * aw, 6: a + 256 * n + 65536 * an}
            hashes = [hashed((8 * c + i) * 0x1F123BB5 % (1 << 32), contexts[i]) for i in CONTEXTS[self.layout]]
            value = self.fast.sample(c, x, hashes, p, q, mass, self.coder)
            self.planes[c][y][x] = value
            self.differences[c][y][x] = value - (self.planes[0][y][x] if c else 0)
            for j in range(7):
                self.errors[c, j, y, x] = abs(16 * value - p[j])
            if self.layout > 1:
                self.fits[c].update(x, value - means[c])


def decode(payload: bytes, height: int, width: int, channels: int, layout: int, network: Network | None) -> bytes:
    """Samples of the picture, row by row, channels together; Damaged if the payload is not what the page says."""
    need(layout in STARTS and (network is not None) == (layout == 3), "layout")
    if is_turned(height, width):
        return turned(_decode(payload, width, height, channels, layout, network), width, height, channels)
    return _decode(payload, height, width, channels, layout, network)


def _decode(payload: bytes, height: int, width: int, channels: int, layout: int, network: Network | None) -> bytes:
    order = (1, 0, 2) if channels == 3 else (0,)
    found = b""
    for data, rows in bands_of(payload, height):
        planes = Band(data, rows, width, channels, layout, network).planes
        found += bytes(planes[c][y][x] for y in range(rows) for x in range(width) for c in order)
    return found


__all__ = ["Damaged", "decode"]
