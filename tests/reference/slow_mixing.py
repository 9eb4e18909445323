"""A second decoder of mixing payloads of layouts 4 and 5, written from docs/reference/format.md in plain Python: slow,
and short.

Shares nothing with rdzip but the test's model file; the network is that of container.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import chain, pairwise
from typing import Any

from reference.binary_coder import (
    PLACES,
    Coder,
    Counter,
    chance,
    distance_class,
    hashed,
    level_of,
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


class Fit:
    """Least squares for one plane."""

    def __init__(self, c: int, planes: int, width: int, decays: tuple[float, float]) -> None:
        self.c, self.width, self.decays = c, width, decays
        self.inputs = [(c, place) for place in PLACES[: 10 if c else 12]]
        for q in range(planes):
            if q < c:
                self.inputs += [(q, (0, 0))] + [(q, place) for place in PLACES[: 5 if c == 1 else 4]]
            elif q > c:
                self.inputs += [(q, place) for place in PLACES[:3]]
        self.n = len(self.inputs)
        self.v = [self.triangle() for _ in range(width)]

    def triangle(self) -> list[list[float]]:
        return [[0.0] * (self.n + 1) for _ in range(self.n + 1)]

    def take(self, t: list[list[float]], u: list[float], k: float) -> None:
        for i in range(self.n + 1):
            for j in range(i, self.n + 1):
                t[i][j] = k * t[i][j] + u[i] * u[j]

    def add(self, t: list[list[float]], other: list[list[float]], sign: int) -> None:
        for i in range(self.n + 1):
            for j in range(i, self.n + 1):
                t[i][j] = t[i][j] + other[i][j] if sign > 0 else t[i][j] - other[i][j]

    def begin(self) -> None:
        self.a, self.b = self.triangle(), self.triangle()
        self.u: list[list[float]] = []
        for v in self.v[:6]:
            self.add(self.a, v, 1)

    def predict(self, y: int, x: int, sample: Any, means: list[float]) -> int:
        if x + 6 < self.width:
            self.add(self.a, self.v[x + 6], 1)
        if x >= 7:
            self.add(self.a, self.v[x - 7], -1)
            self.take(self.v[x - 7], self.u[x - 7], self.decays[0])
        n = self.n
        t = [[self.a[i][j] + self.b[i][j] for j in range(n + 1)] for i in range(n + 1)]
        for i in range(n):
            t[i][i] += 4.0
        u = [sample(q, y + dy, x + dx) - means[q] for q, (dy, dx) in self.inputs]
        self.u.append(u)
        self.w = solve(t)
        return linear(means[self.c], self.w, u)

    def update(self, value: float) -> None:
        self.u[-1].append(value)
        self.take(self.b, self.u[-1], self.decays[1])

    def end(self) -> None:
        for x in range(max(0, self.width - 7), self.width):
            self.take(self.v[x], self.u[x], self.decays[0])


class Mixing:
    """Everything that is learnt of bits."""

    def __init__(self, samples: int, lists: list[list[list[int]]]) -> None:
        self.buckets = 1 << clip((8 * samples).bit_length(), 12, 22)
        self.lists = lists
        self.checks: dict[int, int] = defaultdict(int)
        self.counters: dict[int, dict[int, Counter]] = defaultdict(lambda: defaultdict(Counter))
        self.refining: dict[Any, Counter] = {}
        self.distances: dict[Any, Counter] = defaultdict(Counter)
        self.final_maps: dict[Any, list[Counter]] = {}
        self.rows: dict[Any, list[int]] = {}
        self.lasts: dict[Any, list[int]] = {}

    def sample(
        self, c: int, f: dict[int, int], p: list[int], q: list[int], mass: list[int] | None, coder: Coder
    ) -> int:
        hashes = []
        for i, features in enumerate(self.lists[min(c, 1)]):
            h = hashed(c, i)
            for feature in features:
                h = hashed(h, f[feature])
            hashes.append(h)
        node, blend = 1, (p[2] + 8) >> 4
        for step in range(8):
            if step in (0, 4):
                buckets = []
                for h in hashes:
                    h = hashed(h, node)
                    bucket, check = h % self.buckets, hashed(h, 77) >> 16
                    if self.checks[bucket] != check:
                        self.checks[bucket] = check
                        self.counters.pop(bucket, None)
                    buckets.append(bucket)
                number = 1
            half = 128 >> step
            low = (node << (8 - step)) % 256
            mid = low + half
            x, certain = [0] * 48, 0
            used = [self.counters[bucket][number] for bucket in buckets]
            refining = []
            for i, counter in enumerate(used):
                refining.append(refiner(self.refining, i, c, counter))
                if counter.n:
                    x[i] = refining[-1].odds
                certain += counter.n > 2 and abs(counter.odds) > 1200
            z = [distance_class(mid, prediction) for prediction in p]
            near = [self.distances[j, c, step, q[j], z[j]] for j in range(13)]
            x[28:41] = [counter.odds for counter in near]
            if mass:
                x[41] = stretch(chance(mass, low, half) >> 4)
            x[42] = 256
            choice = [
                node,
                (16 * step + f[20]) * 4 + f[19],
                64 * step + 2 * z[2] // 3,
                64 * step + 2 * z[0] // 3,
                32 * step + certain,
                64 * step + level_of(x[41] if mass else x[30]),
                32 * step + 2 * q[2] + (q[0] < q[1]),
            ]
            start = [8000] * 41 + [700000] + [0] * 6
            rows = [self.rows.setdefault((c, s, row), list(start)) for s, row in enumerate(choice)]
            last = self.lasts.setdefault((c, node), [149796] * 7)
            o = [clip(sum(map(int.__mul__, x, row)) >> 20, -3071, 3071) for row in rows]
            out = clip(sum(map(int.__mul__, o, last)) >> 20, -3071, 3071)
            m = squash(out)
            i, part = divmod(clip(out + 2560, 0, 5119), 160)
            values, seeing = [], []
            for which, k in enumerate((4 * q[2] + q[0] // 4, clip((blend - mid) // 4 + 32, 0, 63))):
                if (which, c, node, k) not in self.final_maps:
                    self.final_maps[which, c, node, k] = [Counter(64 * squash(160 * (j - 16))) for j in range(33)]
                pair = self.final_maps[which, c, node, k][i : i + 2]
                values.append((160 - part) * (pair[0].p >> 6) + part * (pair[1].p >> 6))
                seeing += pair
            bit = coder.bit(clip((2 * m + sum(values) // 160) >> 2, 4, 65532))

            for s, row in enumerate(rows):
                last[s] = clip(last[s] + ((o[s] * ((bit << 16) - m) + 8192) >> 14), -(1 << 27), 1 << 27)
                error = (bit << 16) - squash(o[s])
                row[:] = [
                    clip(w + ((3 * v * error + 8192) >> 14), -(1 << 27), 1 << 27) for w, v in zip(row, x, strict=True)
                ]
            for counter in seeing:
                counter.see(bit, 250)
            for counter in near:
                counter.see(bit, 250)
            for counter, other in zip(used, refining, strict=True):
                counter.see(bit, 40)
                other.see(bit, 127)
            node, number = 2 * node + bit, 2 * number + bit
        return node - 256


def decode(payload: bytes, height: int, width: int, channels: int, lists: Any, network: Network | None) -> bytes:
    """Samples of the picture, row by row, channels together; Damaged if the payload is not what the page says."""
    if is_turned(height, width):
        return turned(_decode(payload, width, height, channels, lists, network), width, height, channels)
    return _decode(payload, height, width, channels, lists, network)


def _decode(payload: bytes, height: int, width: int, channels: int, lists: Any, network: Network | None) -> bytes:
    return b"".join(_band(data, rows, width, channels, lists, network) for data, rows in bands_of(payload, height))


def _band(payload: bytes, height: int, width: int, channels: int, lists: Any, network: Network | None) -> bytes:
    planes: list[Any] = [[[None] * width for _ in range(height)] for _ in range(channels)]
    differences: list[Any] = [[[None] * width for _ in range(height)] for _ in range(channels)]
    errors: dict[Any, int] = {}
    fits = [[Fit(c, channels, width, d) for d in ((0.8, 0.9), (0.94, 0.97))] for c in range(channels)]
    mixing, coder = Mixing(height * width * channels, lists), Coder(payload)

    def at(q: int, y: int, x: int) -> int:
        y, x = place(y, x, width)
        return 128 if y < 0 else int(planes[q][y][x])

    def error(c: int, j: int, y: int, x: int) -> int:
        y, x = place(y, x, width)
        return 0 if y < 0 else errors[c, j, y, x]

    for y in range(height):
        for fit in chain(*fits):
            fit.begin()
        for x in range(width):
            if network:
                context = context_of(differences, network.config, y, x, width)
                fan = network.trunk(context)
            for c in range(channels):
                means = [(at(q, y, x - 1) + at(q, y - 1, x)) / 2 for q in range(channels)]
                p = [fit.predict(y, x, at, means) for fit in fits[c]]
                mass = None
                if network:
                    mixture = network.parameters(c, fan, context, [differences[q][y][x] for q in range(c)])
                    mass = network.cumulative(mixture)
                own = [at(c, y + dy, x + dx) for dy, dx in PLACES[:7]]
                w, n, nw, ne, ww, nn, nne = own
                pa, pb = (0 if c else min(1, channels - 1)), (min(2, channels - 1), 2, 1)[c]
                a, b = (at(0, y, x) if c else 0), (at(1, y, x) if c > 1 else 0)
                in_a = [at(pa, y + dy, x + dx) for dy, dx in PLACES[:7]]
                bw, bn = at(pb, y, x - 1), at(pb, y - 1, x)
                dw, dn, dnw, dne, dww, dnn, _ = (v - v_a for v, v_a in zip(own, in_a, strict=True))
                if c == 0:
                    simple = [
                        max(min(w, n), min(max(w, n), w + n - nw)),
                        w + n - nw,
                        n + ne - nne,
                        2 * w - ww,
                        2 * n - nn,
                        0,
                        w + ne - n,
                    ]
                else:
                    simple = [
                        a + max(min(dw, dn), min(max(dw, dn), dw + dn - dnw)),
                        a + dw,
                        a + dn,
                        a + 2 * dw - dww if c == 1 else b + w - bw,
                        a + 2 * dn - dnn if c == 1 else b + n - bn,
                        a + ((dw + dn + dne + dnw + 2) >> 2),
                        a + dw + dne - dn,
                    ]
                p += [0] + [16 * clip(v, 0, 255) for v in simple] + [16 * w, 16 * n]
                if c == 0:
                    p[8] = 4 * (w + n + ne + nw)
                if network:
                    p.append(mean_of(network, mixture))
                else:
                    p.append(p[0])
                e = [
                    2 * (error(c, j, y, x - 1) + error(c, j, y - 1, x))
                    + error(c, j, y - 1, x + 1)
                    + error(c, j, y - 1, x - 1)
                    + error(c, j, y, x - 2)
                    for j in range(13)
                ]
                q = [scale(min(v, 32767)) for v in e]
                weights = [0 if j == 2 else 10**9 // (v + 14) ** 2 for j, v in enumerate(e)]
                p[2] = (sum(map(int.__mul__, weights, p)) + sum(weights) // 2) // sum(weights)
                r = [(v + 8) >> 4 for v in p]
                f = dict(enumerate([w, n, nw, ne, ww, nn, a, b, in_a[0], in_a[1], bw, bn, r[0], r[1], r[2]], 1))
                f |= {k: (p[j] >> 2) + 4096 * q[j] for k, j in ((16, 0), (17, 1), (18, 2), (36, 12))}
                active = sum(abs(v - v_n) for v, v_n in pairwise([nw, n])) + abs(w - nw)
                active += abs(n - ne) + abs(w - ww) + abs(n - nn)
                f |= {19: 2 * (x & 1) + (y & 1), 20: scale(3 * active), 21: p[3] >> 4, 22: p[4] // 16, 23: p[5] // 16}
                f |= {24: a - in_a[0], 25: b - bw, 26: a - in_a[1], 27: b - bn, 28: (w + n) >> 1}
                f[29] = (w >> 2) + (n >> 2 << 6) + (nw >> 2 << 12) + (ne >> 2 << 18)
                f |= {30: clip(2 * w - ww, 0, 255), 31: clip(2 * n - nn, 0, 255), 32: p[8] >> 4, 33: w + ne - n}
                f |= {34: q[0] + 16 * q[1], 35: r[12]}
                value = mixing.sample(c, f, p, q, mass, coder)
                planes[c][y][x] = value
                differences[c][y][x] = value - (planes[0][y][x] if c else 0)
                for j in range(13):
                    errors[c, j, y, x] = abs(16 * value - p[j])
                for fit in fits[c]:
                    fit.update(value - means[c])
        for fit in chain(*fits):
            fit.end()
    need(coder.shifts + 1 == len(payload), "end of the payload")
    order = (1, 0, 2) if channels == 3 else (0,)
    return bytes(planes[c][y][x] for y in range(height) for x in range(width) for c in order)


__all__ = ["Damaged", "decode"]
