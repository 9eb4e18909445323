"""What the second decoder of the codec dct is made of: classes of numbers, hashes, fits, mixers."""

from __future__ import annotations

import math
from collections import defaultdict
from functools import cache
from typing import Any

from reference.binary_coder import Coder, Counter, squash
from reference.container import clip

FACTORS = (0x2F0B4C47, 0x16A3B1C5, 0x3C6EF372, 0x1F83D9AB, 0x2545F491)


def zigzag() -> list[int]:
    """Natural places 8 v + u of the 64 coefficients along the diagonals."""
    found = []
    for s in range(15):
        diagonal = [(v, s - v) for v in range(8) if 0 <= s - v < 8]
        found += [8 * v + u for v, u in (diagonal if s % 2 else diagonal[::-1])]
    return found


ZIGZAG = zigzag()


def log(j: int, v: int, most: int) -> int:
    more = 0
    while v >= 4096:
        v, more = v >> 8, more + 8 * 2**j
    shift = max(0, v.bit_length() - 1 - j)
    return min(most, (shift << j) + (v >> shift) + more)


def signed(v: int) -> int:
    return 31 + log(1, v, 31) if v >= 0 else 31 - log(1, -v, 31)


def bounded(x: float) -> int:
    return int(x) if abs(x) < 2**20 else 0


def place(kind: int, values: list[int], bits: int) -> int:
    h = (0x1B873593 * kind + sum(f * v for f, v in zip(FACTORS, values, strict=False))) % 2**32
    return (((h ^ (h >> 15)) * 0x2C1B3C6D) % 2**32) >> (32 - bits)


@cache
def scaling(f: int) -> list[list[list[int]]]:
    """T_f(j, a, w)."""
    if f == 1:
        return [[[8192 * (a == w) for w in range(8)] for a in range(8)]]
    n = 8 // f

    def p(size: int, w: int, x: int) -> float:
        return math.sqrt((1 if w == 0 else 2) / size) * math.cos((2 * x + 1) * w * math.pi / (2 * size))

    return [
        [
            [round(8192 / math.sqrt(f) * sum(p(8, a, j * n + x) * p(n, w, x) for x in range(n))) for w in range(n)]
            for a in range(8)
        ]
        for j in range(f)
    ]


class Fit:
    """Least squares of one kind, for 64 frequencies."""

    def __init__(self, n: int, first: dict[int, float], growth: tuple[float, float]) -> None:
        self.n, self.growth = n, growth
        self.sums = [[[0.1 * (i == j) for j in range(n + 1)] for i in range(n)] for _ in range(64)]
        self.weights = [[first.get(i, 0.0) for i in range(n)] for _ in range(64)]
        self.heavy = [1.0] * 64

    def predict(self, k: int, inputs: list[float]) -> float:
        s = 0.0
        for w, v in zip(self.weights[k], inputs, strict=True):
            s = s + w * v
        return s

    def learn(self, k: int, inputs: list[float], target: float, share: float) -> None:
        s, values = share * self.heavy[k], [*inputs, target]
        for i in range(self.n):
            a = inputs[i] * s
            for j in range(i, self.n + 1):
                self.sums[k][i][j] = self.sums[k][i][j] + a * values[j]
        self.heavy[k] = self.heavy[k] * self.growth[k == 0]
        if self.heavy[k] > 2.0**40:
            self.sums[k] = [[v * 2.0**-40 for v in row] for row in self.sums[k]]
            self.heavy[k] = self.heavy[k] * 2.0**-40

    def solve(self, k: int) -> None:
        n, ridge = self.n, 0.05 * self.heavy[k]
        t = [list(row) for row in self.sums[k]]
        for i in range(n):
            t[i][i] = t[i][i] + ridge
        for i in range(n):
            inverse = 1.0 / t[i][i] if t[i][i] > ridge * 0.001 else 0.0
            for j in range(i + 1, n):
                f = t[i][j] * inverse
                for m in range(j, n + 1):
                    t[j][m] = t[j][m] - f * t[i][m]
        for i in reversed(range(n)):
            s = t[i][n]
            for j in range(i + 1, n):
                s = s - t[i][j] * self.weights[k][j]
            self.weights[k][i] = s / t[i][i] if t[i][i] > ridge * 0.001 else 0.0


class Mixer:
    """Mixers, final mixer and APMs."""

    def __init__(self, contexts: int, mixers: int, apms: bool, coder: Coder) -> None:
        self.mixers, self.apms, self.coder = mixers, apms, coder
        first = 1038090 // contexts
        self.weights: Any = defaultdict(lambda: [first] * 32)
        self.final: Any = defaultdict(lambda: [65536 // mixers] * mixers)
        self.apm: dict[Any, Counter] = {}

    def refine(self, which: int, row: int, i: int) -> Counter:
        return self.apm.setdefault((which, row, i), Counter(64 * squash(128 * (i - 16))))

    def decide(self, counters: list[Counter], rows: list[int], final: int, apm: tuple[int, int]) -> int:
        odds = [clip(c.odds, -2047, 2047) if c.n else 0 for c in counters]
        inputs = odds + [0] * (31 - len(odds)) + [256]
        weights = [self.weights[m, rows[m]] for m in range(self.mixers)]
        z = [clip(sum((v * w) >> 6 for v, w in zip(inputs, own, strict=True)) >> 12, -2047, 2047) for own in weights]
        last = self.final[final]
        total = clip(sum(a * b for a, b in zip(z, last, strict=True)) >> 16, -3071, 3071)
        prob = mixed = squash(total)
        refined: list[Counter] = []
        if self.apms:
            y = clip(total + 2048, 0, 4095)
            part = y % 128
            refined = [self.refine(a, apm[a], y // 128 + i) for a in (0, 1) for i in (0, 1)]
            left, right = (sum(refined[i + 2 * a].p >> 6 for a in (0, 1)) for i in (0, 1))
            prob = (2 * mixed + (left * (128 - part) + right * part) // 128) >> 2
        bit = self.coder.bit(clip(prob, 4, 65532))
        error = 65536 * bit - mixed
        for m, own in enumerate(weights):
            last[m] = clip(last[m] + ((z[m] * error + 2**17) >> 18), -(2**20), 2**20)
            e = 10 * (65536 * bit - squash(z[m]))
            own[:] = [clip(w + ((v * e + 2**15) >> 16), 1 - 2**20, 2**20 - 1) for w, v in zip(own, inputs, strict=True)]
        for counter in (*refined, *counters):
            counter.see(bit, 250)
        return bit
