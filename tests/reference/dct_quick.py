"""Layout 1 of the codec dct for its second decoder, from docs/reference/format.md, section 11, "Layout 1"."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from reference.binary_coder import Coder, Counter, squash
from reference.container import clip
from reference.dct_parts import ZIGZAG, bounded, log, signed


class QuickMixer:
    """Counters in lists of contexts, and a row of 8 weights for each kind of decision."""

    def __init__(self, coder: Coder) -> None:
        self.coder = coder
        self.begin()

    def begin(self) -> None:
        self.weights: Any = defaultdict(lambda: [65536] * 8)
        self.counters: Any = defaultdict(Counter)

    def decide(self, contexts: list[tuple[Any, ...]], row: int, node: int = 0) -> int:
        counters = [self.counters[i, context, node] for i, context in enumerate(contexts)]
        odds = [clip(c.odds, -2047, 2047) if c.n else 0 for c in counters]
        inputs, own = odds + [0] * (7 - len(odds)) + [256], self.weights[row]
        z = clip(sum((v * w) >> 6 for v, w in zip(inputs, own, strict=True)) >> 12, -2047, 2047)
        p = squash(z)
        bit = self.coder.bit(clip(p, 4, 65532))
        e = 12 * (65536 * bit - p)
        own[:] = [clip(w + ((v * e + 2**15) >> 16), 1 - 2**20, 2**20 - 1) for w, v in zip(own, inputs, strict=True)]
        for counter in counters:
            counter.see(bit, 250)
        return bit


def end(part: Any, mixer: QuickMixer, y: int, x: int) -> int:
    north = part.ends[y - 1, x] if y else part.ends[y, x - 1]
    west = part.ends[y, x - 1] if x else north
    other = 0
    if part.a:
        other = max([k for k in range(1, 64) if abs(part.a[y, x][ZIGZAG[k]]) >= part.q[ZIGZAG[k]]], default=0)
    mean, s = (west + north) >> 1, log(1, part.sums[y - 1, x] + part.sums[y, x - 1], 31)
    contexts: list[tuple[Any, ...]] = [
        ("end", mean, min(abs(west - north) >> 2, 15)), ("end", other, mean >> 2), ("end", s, west >> 2)
    ]  # fmt: skip
    n = 1
    for _ in range(6):
        n = 2 * n + mixer.decide(contexts, 1088 + n, n)
    return n - 64


def size(mixer: QuickMixer, contexts: list[tuple[Any, ...]], k: int, *, known: bool) -> int:
    def ask(node: int) -> int:
        return mixer.decide(contexts, 16 * k + node, node)

    if not known and not ask(0):
        return 0
    exponent = 0
    while exponent < 15 and ask(min(exponent + 1, 8)):
        exponent += 1
    found = 1
    for left in range(exponent, 0, -1):
        found = 2 * found + ask(8 + min(exponent, 4) if left == exponent else 13 if left == exponent - 1 else 14)
    return found


def block(part: Any, mixer: QuickMixer, y: int, x: int, table: tuple[int, ...]) -> None:
    """Decode a block of a component; table: cosines at the edge."""
    e = part.ends[y, x] = end(part, mixer, y, x)
    c = part.blocks[y, x] = [0] * 64
    w, n, nw, ne = (part.block(y + dy, x + dx) for dy, dx in ((0, -1), (-1, 0), (-1, -1), (-1, 1)))
    asked_left, asked_top = part.asked(y, x - 1, table, left=True), part.asked(y - 1, x, table, left=False)
    sums = 0
    for k in range(e, -1, -1):
        at = ZIGZAG[k]
        v, u = at >> 3, at & 7
        left = top = 0.0
        if x:
            known = sum(c[8 * v + i] * part.q[8 * v + i] * table[i] for i in range(8))
            left = (asked_left[v] - known) * (1.0 / (part.q[at] * table[u]))
        if y:
            known = sum(c[8 * i + u] * part.q[8 * i + u] * table[i] for i in range(8))
            top = (asked_top[u] - known) * (1.0 / (part.q[at] * table[v]))
        cross = part.a[y, x][at] * (1.0 / part.q[at]) if part.a else 0.0
        i, j, cr = bounded(8 * left), bounded(8 * top), bounded(4 * cross)
        if k:
            reference = 0
            near = 2 * (abs(w[at]) + abs(n[at])) + abs(nw[at]) + abs(ne[at])
            inside = 0
            for dv, du, weight in ((1, 0, 2), (0, 1, 2), (1, 1, 1)):
                if v + dv < 8 and u + du < 8:
                    inside += weight * abs(c[8 * (v + dv) + u + du])
            every = log(1, 2 * near + 3 * inside + (abs(i) + abs(j)) // 2 + 2 * abs(cr), 31)
            contexts: list[tuple[Any, ...]] = [
                (k, log(1, abs(cr), 31), log(1, near + inside, 15)), (k, every, min(e - k, 15)),
                ("all", every, log(1, sums, 31), min(e - k, 31)), (k, log(1, abs(i), 15), log(1, abs(j), 15)),
            ]  # fmt: skip
            f, g = signed(i), signed(j)
        else:
            m = (left + top) * 0.5 if x and y else left + top
            m = min(max(m, -4000.0), 4000.0)
            reference = int(m + 4096.5) - 4096
            errors = part.errors[y, x - 1] + part.errors[y - 1, x]
            contexts = [
                ("dc", log(2, errors, 31)), ("dc", log(1, errors, 31), min(log(1, sums, 31), 15)),
                ("dc", log(1, sums, 31)), ("dc", log(1, abs(i - j), 31), log(1, abs(c[1]) + abs(c[8]), 15)),
            ]  # fmt: skip
            f, g = signed(bounded(8 * (left - m))), int((m - reference) * 16 + 8.5)
        found = size(mixer, contexts, k, known=k == e > 0)
        value = reference
        if found:
            s = min(found, 3)
            signs: list[tuple[Any, ...]] = [
                ("sign", k, f, s), ("sign", k, g, s), ("sign", f, g, s), ("sign", k, signed(cr), s)
            ]  # fmt: skip
            value += -found if mixer.decide(signs, 1024 + k) else found
        c[at] = clip(value, -32768, 32767)
        if k:
            sums += found
        else:
            part.errors[y, x] = found
    part.sums[y, x] = sums
