"""What both slow decoders of the codec mixing share: tables, counters, hashes, least squares, the arithmetic coder."""

from __future__ import annotations

import math
from decimal import Decimal, getcontext
from functools import cache
from typing import Any

from reference.container import Network, clip

getcontext().prec = 30
PLACES = [(0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0), (-2, 1), (-2, -1), (-1, -2), (-1, 2), (0, -3), (-3, 0)]


@cache
def squash(s: int) -> int:
    if s < 0:
        return 65536 - squash(-s)
    return min(65535, math.floor(65536 / (1 + (Decimal(-s) / 256).exp()) + Decimal("0.5")))


@cache
def stretch(i: int) -> int:
    return math.floor(256 * (Decimal(2 * i + 1) / (8191 - 2 * i)).ln() + Decimal("0.5"))


@cache
def scale(e: int) -> int:
    return min(15, math.floor(2 * math.log2((e + 12) / 12) + 1e-12))


@cache
def distance(d: int) -> int:
    return min(47, math.floor(6 * math.log2((d + 4) / 4) + 1e-12))


class Counter:
    """A probability of 22 bits and a number of observations."""

    def __init__(self, p: int = 1 << 21) -> None:
        self.p, self.n = p, 0

    def see(self, bit: int, limit: int) -> None:
        self.p += ((((1 << 22) - 1) * bit - self.p) * (655360 // (10 * self.n + 16))) >> 16
        self.n = min(self.n + 1, limit)

    @property
    def odds(self) -> int:
        return stretch(self.p >> 10)


def refiner(table: dict[Any, Counter], i: int, c: int, counter: Counter) -> Counter:
    """The counter of context i's adaptive probability map for its counter."""
    seen = counter.n if counter.n < 8 else min(15, 8 + ((counter.n - 8) >> 3))
    k = level_of(counter.odds)
    return table.setdefault((i, c, seen, k), Counter(64 * squash(72 * (k - 32) + 36)))


def distance_class(mid: int, prediction: int) -> int:
    """z: class of the distance of a decision's threshold from a prediction."""
    d = 16 * mid - 8 - prediction
    return 48 + distance(min(d, 4095)) if d >= 0 else 47 - distance(min(-d - 1, 4095))


def chance(mass: list[int], low: int, half: int) -> int:
    """g: the network's probability of a decision, in 2**-16."""
    upper, whole = mass[low + 2 * half] - mass[low + half], mass[low + 2 * half] - mass[low]
    return clip((upper << 16) // whole, 1, 65535)


def solve(t: list[list[float]]) -> list[float]:
    """Weights of the inputs, by elimination in place."""
    n = len(t[0]) - 1
    for k in range(n):
        f = 1.0 / t[k][k]
        for i in range(k + 1, n):
            g = t[k][i] * f
            for j in range(i, n + 1):
                t[i][j] = t[i][j] - g * t[k][j]
    w = [0.0] * n
    for i in reversed(range(n)):
        s = t[i][n]
        for j in range(i + 1, n):
            s = s - t[i][j] * w[j]
        w[i] = s / t[i][i]
    return w


def linear(mean: float, w: list[float], u: list[float]) -> int:
    """The prediction of a fit in 1/16."""
    s = mean
    for weight, v in zip(w, u, strict=True):
        s = s + weight * v
    return 0 if s <= 0 else 4080 if s >= 255 else math.floor(16 * s + 0.5)


def place(y: int, x: int, width: int) -> tuple[int, int]:
    """Where in the picture the value at (y, x) stands; y < 0 for nowhere."""
    if x < 0:
        y, x = y - 1, 0
    return y, min(x, width - 1)


def hashed(h: int, v: int) -> int:
    g = ((h ^ v % (1 << 32)) * 0x2F0B4C47 + 0x1B873593) % (1 << 32)
    return g ^ (g >> 15)


def level_of(s: int) -> int:
    return clip((s + 2304) // 72, 0, 63)


class Coder:
    """The arithmetic decoder."""

    def __init__(self, payload: bytes) -> None:
        self.payload, self.low, self.high, self.shifts = payload, 0, (1 << 32) - 1, 0
        self.code = int.from_bytes(payload[:4].ljust(4, b"\0"), "big")

    def bit(self, p: int) -> int:
        middle = self.low + (((self.high - self.low) * p) >> 16)
        bit = int(self.code <= middle)
        if bit:
            self.high = middle
        else:
            self.low = middle + 1
        while self.low >> 24 == self.high >> 24:
            at = self.shifts + 4
            self.low = 256 * self.low % (1 << 32)
            self.high = 256 * self.high % (1 << 32) + 255
            self.code = 256 * self.code % (1 << 32) + (self.payload[at] if at < len(self.payload) else 0)
            self.shifts += 1
        return bit


def mean_of(network: Network, mixture: list[tuple[int, int, int]]) -> int:
    """Mean of a mixture in 1/16."""
    tables = network.mixture
    largest = max(logit for _, _, logit in mixture)
    e = [tables["exponential"][min(largest - logit, 191)] for _, _, logit in mixture]
    w = [4096 * v // sum(e) for v in e]
    w[0] += 4096 - sum(w)
    return clip((sum(v * mean for v, (mean, _, _) in zip(w, mixture, strict=True)) + (1 << 13)) >> 14, 0, 4080)
