"""A second decoder of payloads of the codec dct, from docs/reference/format.md, section 11, alone: very slow."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from reference import dct_quick
from reference.binary_coder import Coder, Counter, hashed
from reference.container import clip
from reference.dct_parts import ZIGZAG, Fit, Mixer, bounded, log, place, scaling, signed

Block = list[int]
PRESETS = {
    2: (24, 10, 12, 12, 5, True, 8, False, 14),
    3: (28, 10, 14, 12, 7, True, 8, True, 15),
}
H = (2896, 4323, 4893, 5508, 5793, 5422, 4243, 2336)
G = (2896, 4629, 6001, 7610, 8689, 8569, 6919, 3874)
AC = (
    "K SIZE4; K SIZE2 RATIO; K TO_END SIZE2; K W N; K DOWN RIGHT DIAGONAL; K SUM COUNT; K NEAR4; SIZE_FINE; "
    "K LEFT TOP; K END COUNT; K A B; K MEAN SIZE1; K ROW COLUMN; K END4 END_W END_N; K NEAR2 BLOCK3; K NE NW; "
    "SIZE4 RATIO TO_END; K W3 N3 DOWN RIGHT; SIZE4 APART; "
    "K SIZE1 SUM_W SUM_N; K SIZE1 LEFT A; K TOP SIZE2; DISTANCE SIZE4; "
    "K DISTANCE SIZE2; K SIZE2 LOCAL_RATIO; SIZE2 RATIO LOCAL_RATIO; K DOWN W N RIGHT; K END A SIZE1"
)
DC = (
    "SIZE4; SIZE2 FRACTION; ERROR_W ERROR_N; APART SIZE2; SLOPES SIZE2; END SIZE2; SUM ERRORS; ; DISTANCE SIZE4; "
    "FRACTION DISTANCE"
)
AC_SIGN = (
    "K SIGN_RATIO MAGNITUDE; SIGN_MEAN MAGNITUDE; K SIGN_LEFT MAGNITUDE; K SIGN_TOP MAGNITUDE; "
    "SIGN_LEFT SIGN_TOP MAGNITUDE; K SIGNS_NEAR; K SIGNS_BLOCK; K SIGN_A MAGNITUDE; K SIGN_B MAGNITUDE; "
    "SIGN_A SIGN_B MAGNITUDE; K SIGN_MEAN SIZE2; SIGN_MEAN VALUE; K SIGN_LOCAL MAGNITUDE; "
    "SIGN_LOCAL SIGN_RATIO MAGNITUDE"
)
DC_SIGN = "FRACTION; FRACTION EXPONENT; SIGN_LEFT SIGN_TOP"
LISTS = [[context.split() for context in text.split(";")] for text in (AC, DC, AC_SIGN, DC_SIGN)]


class Component:
    """The blocks of a component of a band, as they are decoded."""

    def __init__(self, band: Band, index: int, rows: int, columns: int, steps: Block) -> None:
        self.band, self.index, self.rows, self.columns = band, index, rows, columns
        self.q = [max(step, 1) for step in steps]
        self.blocks: dict[tuple[int, int], Block] = {}
        self.ends: dict[Any, int] = defaultdict(int)
        self.sums: dict[Any, int] = defaultdict(int)
        self.errors: dict[Any, int] = defaultdict(int)
        self.mean = Fit(16, {0: 0.2, 1: 0.2}, (1.0015, 1.01))
        self.size = Fit(18, {0: 0.1, 1: 0.3, 2: 0.3}, (1.0015, 1.01))
        self.local = Fit(16, {0: 0.2, 1: 0.2}, (1.02, 1.02))
        self.f: dict[str, int] = defaultdict(int)
        self.a: dict[tuple[int, int], Block] | None = None
        self.b: dict[tuple[int, int], Block] | None = None

    def block(self, y: int, x: int) -> Block:
        return self.blocks.get((y, x), [0] * 64) if 0 <= x < self.columns else [0] * 64

    def asked(self, y: int, x: int, table: tuple[int, ...], *, left: bool) -> list[int]:
        """What the right edge of the block at (y, x) asks for, or its lower one."""
        c = self.block(y, x)
        if left:
            return [sum((-1) ** u * c[8 * v + u] * self.q[8 * v + u] * table[u] for u in range(8)) for v in range(8)]
        return [sum((-1) ** v * c[8 * v + u] * self.q[8 * v + u] * table[v] for v in range(8)) for u in range(8)]

    def other(self, theirs: Component, ratios: tuple[int, int]) -> dict[tuple[int, int], Block]:
        found = {}
        down, across = (scaling(f) for f in ratios)
        for y in range(self.rows):
            for x in range(self.columns):
                sums = [[0] * 8 for _ in range(8)]
                for j, vertical in enumerate(down):
                    for i, horizontal in enumerate(across):
                        c = theirs.block(len(down) * y + j, len(across) * x + i)
                        for v in range(8 // len(down)):
                            for u in range(8 // len(across)):
                                t = c[8 * v + u] * theirs.q[8 * v + u]
                                for a in range(8 if t else 0):
                                    for b in range(8):
                                        sums[a][b] += t * vertical[a][v] * horizontal[b][u]
                found[y, x] = [clip((s + 2**25) >> 26, -32768, 32767) for row in sums for s in row]
        return found

    def decode(self) -> None:
        for y in range(self.rows):
            for x in range(self.columns):
                if self.band.quick:
                    dct_quick.block(self, self.band.quick, y, x, H)
                else:
                    self.one(y, x)

    def end(self, y: int, x: int) -> int:
        north = self.ends[y - 1, x] if y else self.ends[y, x - 1] if x else 20
        west = self.ends[y, x - 1] if x else north
        ne = self.ends[y - 1, x + 1] if y and x < self.columns - 1 else north
        nw = self.ends[y - 1, x - 1] if y and x else north
        sum_n = self.sums[y - 1, x] if y else self.sums[y, x - 1]
        sum_w = self.sums[y, x - 1] if x else sum_n
        around = 2 * (west + north) + ne + nw
        first, second = (
            max([k for k in range(1, 64) if 2 * abs(o[y, x][ZIGZAG[k]]) >= n * self.q[ZIGZAG[k]]], default=0)
            if o
            else 0
            for o, n in ((self.a, 1), (self.b, 2))
        )
        edges = [self.asked(y, x - 1, H, left=True), self.asked(y - 1, x, H, left=False)]
        left, top = (log(1, (sum(map(abs, edge[1:])) >> 13) // self.q[1], 31) for edge in edges)
        left, top = left if x else 0, top if y else 0
        n = 1
        for _ in range(6):
            values = [
                n, 64 * n + west, 64 * n + north, 64 * n + around // 6, (64 * n + first) * 64 + second,
                (16 * n + (west >> 2)) * 16 + (north >> 2), (32 * n + log(1, sum_w, 31)) * 32 + log(1, sum_n, 31),
                (32 * n + left) * 32 + top, (16 * n + (ne >> 2)) * 16 + (nw >> 2),
                (64 * n + second) * 16 + around // 24, (64 * n + first) * 16 + around // 24,
                (64 * n + log(2, sum_w + sum_n, 63)) * 16 + around // 24,
            ]  # fmt: skip
            counters = [
                self.band.ends.setdefault((i, hashed(i, v) % 2**15), Counter())
                for i, v in enumerate(values[: self.band.preset[3]])
            ]
            rows = [n, 64 + around // 6, 128 + first, 192 + n, 256 + left, 320 + west, 384 + north]
            bit = self.band.mixer.decide(counters, [1024 + r for r in rows], n, (12032 + n, 12096 + around // 6))
            n = 2 * n + bit
        return n - 64

    def one(self, y: int, x: int) -> None:
        end = self.end(y, x)
        c = self.blocks[y, x] = [0] * 64
        self.ends[y, x] = end
        near = {
            name: self.block(y + dy, x + dx)
            for name, dy, dx in (
                ("W", 0, -1), ("N", -1, 0), ("NW", -1, -1), ("NE", -1, 1), ("WW", 0, -2), ("NN", -2, 0)
            )
        }  # fmt: skip
        asked = [
            (table, self.asked(y, x - 1, table, left=True), self.asked(y - 1, x, table, left=False)) for table in (H, G)
        ]
        count = 0
        for k in range(end, -1, -1):
            at = ZIGZAG[k]
            v, u = at >> 3, at & 7
            edges = []
            for table, left, top in asked:
                known_left = sum(c[8 * v + i] * self.q[8 * v + i] * table[i] for i in range(8))
                known_top = sum(c[8 * i + u] * self.q[8 * i + u] * table[i] for i in range(8))
                edges.append((left[v] - known_left) / (self.q[at] * table[u]) if x else 0.0)
                edges.append((top[u] - known_top) / (self.q[at] * table[v]) if y else 0.0)
            own = [
                c[8 * (v + dv) + u + du] if v + dv < 8 and u + du < 8 else 0
                for dv, du in ((1, 0), (0, 1), (2, 0), (0, 2), (1, 1))
            ]
            i = [
                edges[0], edges[1], *(float(near[name][at]) for name in ("W", "N", "NW", "NE")), *map(float, own),
                self.a[y, x][at] / self.q[at] if self.a else float(near["WW"][at]),
                self.b[y, x][at] / self.q[at] if self.b else float(near["NN"][at]), float(k == 0), edges[2], edges[3],
            ]  # fmt: skip
            mu = self.within(self.mean.predict(k, i))
            reference = 0 if k else int(mu + 4096.5) - 4096
            inputs = self.size_inputs(i, mu, near, k, at, y, x)
            size = self.size.predict(k, inputs)
            size = min(size, 2000.0) if size > 0.02 else 0.02
            local = self.within(self.local.predict(k, i)) if self.band.preset[7] else mu
            self.describe(i, mu, size, local, near, k, reference, y, x, count)
            found = self.coded_size(mu, size, k, reference, known=k == end > 0)
            value = reference
            if found:
                value += found if self.sign(mu, k, found) else -found
            c[at] = clip(value, -32768, 32767)
            share = 1.0 / (size * size + 0.1)
            self.mean.learn(k, i, float(c[at]), share)
            self.size.learn(k, inputs, float(found), share)
            if self.band.preset[7]:
                self.local.learn(k, i, float(c[at]), share)
            number = y * self.columns + x
            if (number + k) % self.band.preset[6] == 0 or (number < 512 and (number + k) % 2 == 0):
                self.mean.solve(k)
                self.size.solve(k)
                if self.band.preset[7]:
                    self.local.solve(k)
            if k and c[at]:
                count += 1
                self.sums[y, x] += found
        self.errors[y, x] = found

    @staticmethod
    def within(mu: float) -> float:
        if not mu < 4000.0:
            return 4000.0
        return 0.0 if abs(mu) < 0.0001 else max(mu, -4000.0)

    def size_inputs(self, i: list[float], mu: float, near: Any, k: int, at: int, y: int, x: int) -> list[float]:
        c = self.blocks[y, x]
        if k == 0:
            errors = [self.errors[y + dy, x + dx] for dy, dx in ((0, -1), (-1, 0), (-1, -1), (-1, 1))]
            rest = [float(log(2, self.sums[y, x], 127)), min(abs(i[0] - i[1]), 1000.0)]
            return [1.0, *map(float, errors), *rest, *(float(abs(c[n])) for n in (1, 8, 9)), *[0.0] * 8]
        return [
            0.25, *(abs(v) for v in i[2:6]), float(abs(near["WW"][at])), float(abs(near["NN"][at])),
            *(abs(i[n]) for n in (6, 7, 10, 8, 9)), abs(i[11]) if self.a else 0.0, abs(i[12]) if self.b else 0.0,
            abs(mu), min(abs(i[0]), 64.0), min(abs(i[1]), 64.0), self.sums[y, x] / (66 - k),
        ]  # fmt: skip

    def describe(
        self, i: list[float], mu: float, size: float, local: float, near: Any, k: int, reference: int, y: int, x: int,
        count: int,
    ) -> None:  # fmt: skip
        f, c, at = self.f, self.blocks[y, x], ZIGZAG[k]
        v, u, sg, end = at >> 3, at & 7, -1.0 if mu < 0 else 1.0, self.ends[y, x]
        w, n, nw, ne, ww, nn = (abs(near[name][at]) for name in ("W", "N", "NW", "NE", "WW", "NN"))
        around = 2 * (w + n) + nw + ne + ww + nn
        f |= {
            "K": k, "END": end, "END4": end >> 2, "TO_END": min(end - k, 31),
            "SIZE4": log(2, int(64 * size), 60), "SIZE2": log(1, int(64 * size), 31),
            "SIZE1": log(0, int(64 * size), 15),
            "SIZE_FINE": log(2, int(256 * size), 63) + 64 * (k < 6),
            "RATIO": log(1, int(abs(mu) / size * 8), 15) if k else 0,
            "LOCAL_RATIO": log(1, int(abs(local) / size * 8), 15), "MEAN": log(1, int(16 * abs(mu)), 63),
            "W": min(w, 7), "N": min(n, 7), "NW": min(nw, 7), "NE": min(ne, 7), "W3": min(w, 3), "N3": min(n, 3),
            "NEAR4": log(2, around, 63), "NEAR2": log(1, around, 31),
            "DOWN": min(int(abs(i[6])), 7), "RIGHT": min(int(abs(i[7])), 7), "DIAGONAL": min(int(abs(i[10])), 3),
            "SUM": log(1, self.sums[y, x], 31), "COUNT": count,
            "LEFT": log(1, abs(bounded(8 * i[0])), 31), "TOP": log(1, abs(bounded(8 * i[1])), 31),
            "APART": log(1, abs(bounded(8 * (i[0] - i[1]))), 31),
            "A": log(1, abs(bounded(4 * i[11])), 31), "B": log(1, abs(bounded(4 * i[12])), 31),
            "ROW": log(1, sum(abs(c[8 * v + j]) for j in range(u + 1, 8)), 31),
            "COLUMN": log(1, sum(abs(c[8 * j + u]) for j in range(v + 1, 8)), 31),
            "END_W": self.ends[y, x - 1] >> 2, "END_N": self.ends[y - 1, x] >> 2,
            "SUM_W": log(1, self.sums[y, x - 1], 15), "SUM_N": log(1, self.sums[y - 1, x], 15),
        }  # fmt: skip
        f["BLOCK3"] = log(1, f["DOWN"] + f["RIGHT"] + f["DIAGONAL"], 15)
        if k == 0:
            left, top = self.errors[y, x - 1], self.errors[y - 1, x]
            f |= {
                "FRACTION": int((mu - reference) * 16 + 8.5), "ERROR_W": log(1, left, 31), "ERROR_N": log(1, top, 31),
                "ERRORS": log(1, left + top, 31), "SLOPES": log(1, abs(c[1]) + abs(c[8]), 31),
                "SIGN_LEFT": signed(bounded(4 * (i[0] - mu))), "SIGN_TOP": signed(bounded(4 * (i[1] - mu))),
            }  # fmt: skip
            return
        digits = [1 + (sg * i[j] > 0) - (sg * i[j] < 0) for j in (2, 3, 6, 7, 8, 9)]
        f |= {
            "SIGN_RATIO": log(2, int(abs(mu) / size * 16), 63), "SIGN_MEAN": log(2, int(32 * abs(mu)), 63),
            **{name: signed(bounded(8 * (sg * i[j]))) for name, j in
               (("SIGN_LEFT", 0), ("SIGN_TOP", 1), ("SIGN_A", 11), ("SIGN_B", 12))},
            "SIGNS_NEAR": 3 * digits[0] + digits[1],
            "SIGNS_BLOCK": ((digits[2] * 3 + digits[3]) * 3 + digits[4]) * 3 + digits[5],
            "SIGN_LOCAL": signed(bounded(16 * (sg * local / size))),
        }  # fmt: skip

    def counters(self, kind: int, count: int, node: int) -> list[Counter]:
        bits, table = (self.band.bits, self.band.sizes) if kind < 2 else (16, self.band.signs)
        places = [place(kind, [self.f[name] for name in LISTS[kind][i]], bits) for i in range(count)]
        return [table.setdefault((i, at, node), Counter()) for i, at in enumerate(places)]

    def coded_size(self, mu: float, size: float, k: int, reference: int, *, known: bool) -> int:
        f, preset = self.f, self.band.preset
        bases = [
            16 * k, 16 * f["SIZE2"], 16 * min(f["TO_END"], 15), 16 * (f["SUM"] >> 1), 16 * f["NEAR2"],
            16 * (4 * f["END4"] + (k >> 4)), 128 * (f["ROW"] >> 2) + 16 * (f["COLUMN"] >> 2),
        ]  # fmt: skip

        def ask(node: int, threshold: float) -> int:
            f["DISTANCE"] = signed(int(min((threshold - abs(mu - reference)) / size * 8, 2.0**20)))
            counters = self.counters(int(k == 0), preset[0] if k else preset[1], node)
            if node == 0:
                final, apm = 128 + k, (1024 + 16 * f["SIZE4"] + f["RATIO"], 64 * k + f["NEAR4"])
            else:
                final = 192 + 64 * node + k
                one = 2048 + 8 * (64 * node + f["SIZE4"]) + (f["RATIO"] >> 1)
                apm = one, 4096 + 8 * (64 * node + k) + min(f["SIZE1"], 7)
            return self.band.mixer.decide(counters, [base + node for base in bases], final, apm)

        if not known and not ask(0, 0.5):
            return 0
        exponent = 0
        while exponent < 15 and ask(min(exponent + 1, 8), 2.0 ** (exponent + 1) - 0.5):
            exponent += 1
        found = 1
        for left in range(exponent, 0, -1):
            node = 8 + min(exponent, 4) if left == exponent else 13 if left == exponent - 1 else 14
            found = 2 * found + ask(node, float((2 * found + 1) << (left - 1)) - 0.5)
        return found

    def sign(self, mu: float, k: int, found: int) -> bool:
        f = self.f
        exponent = min(found.bit_length() - 1, 15)
        f |= {"MAGNITUDE": min(exponent, 3), "EXPONENT": exponent, "VALUE": min(found, 255)}
        rows = [
            k, 64 + 4 * f["RATIO"] + f["MAGNITUDE"], 128 + f["MEAN"],
            192 + 16 * (f["SIGN_LEFT"] >> 2) + (f["SIGN_TOP"] >> 2), 448 + f["SIZE2"], 512 + f["END"],
            576 + f["TO_END"],
        ]  # fmt: skip
        apm = 16384 + 16 * (f["SIGN_MEAN"] if k else 0) + exponent, 16384 + 16 * k + f["RATIO"]
        counters = self.counters(2 if k else 3, self.band.preset[2] if k else 3, 0)
        bit = self.band.mixer.decide(counters, [1472 + r for r in rows], 1280 + k, apm)
        return bool(bit) != bool(k and mu < 0)


class Band:
    """What the components of a band share."""

    def __init__(self, data: bytes, layout: int, blocks: int) -> None:
        self.preset = PRESETS[max(layout, 2)]
        self.bits = clip(blocks.bit_length(), 10, self.preset[8])
        self.coder = Coder(data)
        self.quick = dct_quick.QuickMixer(self.coder) if layout == 1 else None
        self.mixer = Mixer(self.preset[0], self.preset[4], self.preset[5], self.coder)
        self.begin()

    def begin(self) -> None:
        self.sizes: dict[Any, Counter] = {}
        self.signs: dict[Any, Counter] = {}
        self.ends: dict[Any, Counter] = {}
        self.mixer.apm.clear()
        if self.quick:
            self.quick.begin()


def numbers(payload: bytes, at: int, count: int) -> tuple[list[int], int]:
    found = []
    for _ in range(count):
        value = shift = 0
        while True:
            value |= (payload[at] & 127) << shift
            at, shift = at + 1, shift + 7
            if payload[at - 1] < 128:
                break
        found.append(value)
    return found, at


def decode(payload: bytes) -> list[tuple[list[list[Block]], Block, tuple[int, int]]]:
    """Of each component its rows of blocks in natural order, steps in natural order, sampling factors."""
    (layout, count), at = numbers(payload, 0, 2)
    heads, at = numbers(payload, at, 4 * count)
    shapes = [heads[4 * i : 4 * i + 4] for i in range(count)]
    tables = []
    for _ in range(1 + max(shape[3] for shape in shapes)):
        differences, at = numbers(payload, at, 64)
        step, steps = 0, [0] * 64
        for place_of, d in zip(ZIGZAG, differences, strict=True):
            step += (d + 1) // 2 if d % 2 else -(d // 2)
            steps[place_of] = step
        tables.append(steps)
    (bands,), at = numbers(payload, at, 1)
    lengths, at = numbers(payload, at, bands - 1)
    found: list[list[list[Block]]] = [[] for _ in shapes]
    samplings = [(shape[2] // 4 + 1, shape[2] % 4 + 1) for shape in shapes]
    for b in range(bands):
        size = lengths[b] if b < bands - 1 else len(payload) - at
        data, at = payload[at : at + size], at + size
        rows = []
        for (all_rows, *_), (_, v) in zip(shapes, samplings, strict=True):
            unit = v if all_rows % v == 0 else 1
            n = all_rows // unit
            rows.append(unit * (n * (b + 1) // bands) - unit * (n * b // bands))
        band = Band(data, layout, max(r * shape[1] for r, shape in zip(rows, shapes, strict=True)))
        done: list[Component] = []
        for i, shape in enumerate(shapes):
            if i == 1:
                band.begin()
            part = Component(band, i, rows[i], shape[1], tables[shape[3]])
            for name, other in (("a", max(i - 1, 0)),) if layout == 1 else (("a", 0), ("b", i - 1)):
                across, down = (n / m for n, m in zip(samplings[other], samplings[i], strict=True))
                if i > (name == "b") and {down, across} <= {1, 2, 4}:
                    setattr(part, name, part.other(done[other], (int(down), int(across))))
            part.decode()
            done.append(part)
            found[i] += [[part.block(y, x) for x in range(part.columns)] for y in range(part.rows)]
        assert band.coder.shifts + 1 == len(data)
    return [(found[i], tables[shape[3]], samplings[i]) for i, shape in enumerate(shapes)]
