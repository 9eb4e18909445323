"""Deflate streams from data and recipes, from docs/reference/carriers.md alone: slow, for tests.

One file, longer than others, so that the whole of that section can be read beside it.
"""

from __future__ import annotations

import zlib
from typing import Any

LEVELS = {
    1: (4, 4, 8, 4), 2: (4, 5, 16, 8), 3: (4, 6, 32, 32), 4: (4, 4, 16, 16), 5: (8, 16, 32, 32),
    6: (8, 16, 128, 128), 7: (8, 32, 128, 256), 8: (32, 128, 258, 1024), 9: (32, 258, 258, 4096),
}  # fmt: skip
ORDER = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)
LENGTHS = [(3 + i, 0) for i in range(8)]
for extra in range(1, 6):
    for _ in range(4):
        LENGTHS.append((LENGTHS[-1][0] + (1 << LENGTHS[-1][1]), extra))
LENGTHS.append((258, 0))
DISTANCES = [(1 + i, 0) for i in range(4)]
for extra in range(1, 14):
    for _ in range(2):
        DISTANCES.append((DISTANCES[-1][0] + (1 << DISTANCES[-1][1]), extra))
FIXED = [8] * 144 + [9] * 112 + [7] * 24 + [8] * 8
Token = int | tuple[int, int]


def symbol(table: list[tuple[int, int]], value: int) -> tuple[int, int, int]:
    """The symbol of a value, what is beyond its first, and in how many bits."""
    i = max(i for i, (first, _) in enumerate(table) if first <= value)
    return i, value - table[i][0], table[i][1]


class Bits:
    """Bits, the lowest of a byte first."""

    def __init__(self) -> None:
        self.bits: list[int] = []

    def number(self, value: int, size: int) -> None:
        self.bits += [value >> i & 1 for i in range(size)]

    def code(self, word: str) -> None:
        self.bits += map(int, word)

    def align(self) -> None:
        self.bits += [0] * (-len(self.bits) % 8)

    def whole(self) -> bytes:
        self.align()
        return bytes(sum(b << j for j, b in enumerate(self.bits[i : i + 8])) for i in range(0, len(self.bits), 8))


class Predictor:
    """Tokens as zlib finds them."""

    def __init__(self, data: bytes, level: int, memory: int, window: int, strategy: int, far: bool) -> None:
        self.data, self.level, self.strategy, self.far = data, level, strategy, far
        self.bits, self.width, self.limit = memory + 7, 1 << window, (1 << (memory + 6)) - 1
        self.good, self.lazy, self.nice, self.chain = LEVELS[level]
        self.head: dict[int, int] = {}
        self.before: dict[int, int] = {}
        self.next = self.base = self.filled = self.p = self.first = self.start = 0
        self.waits, self.match = False, (2, 0)
        self.tokens: list[Token] = []
        self.blocks: list[tuple[int, int, bool]] = []

    def key(self, p: int) -> int:
        s = (self.bits + 2) // 3
        a, b, c = self.data[p : p + 3]
        return ((a << 2 * s) ^ (b << s) ^ c) % (1 << self.bits)

    def candidate(self, p: int) -> int:
        """The first candidate at p, -1 for none, without inserting p."""
        if p < self.next:
            return self.before.get(p, -1)
        return self.head.get(self.key(p), -1) if p + 3 <= len(self.data) else -1

    def insert(self, end: int) -> None:
        for p in range(self.next, min(end, len(self.data) - 2)):
            self.before[p] = self.head.get(self.key(p), -1)
            self.head[self.key(p)] = p
        self.next = max(self.next, end)

    def common(self, c: int, p: int, most: int) -> int:
        return next((i for i in range(most) if self.data[c + i] != self.data[p + i]), most)

    def search(self, p: int, c: int, b: int, start: int) -> tuple[int, int]:
        farthest = self.width - 262
        most = min(258, len(self.data) - p)
        if not (c > self.base and p - c <= farthest) or b >= most:
            return b, start
        for _ in range(self.chain // 4 if b >= self.good else self.chain):
            n = self.common(c, p, most)
            if n > b:
                b, start = n, c
                if n >= min(self.nice, most):
                    break
            c = self.before.get(c, -1)
            if c <= max(self.base, p - farthest):
                break
        return b, start

    def read(self) -> None:
        least = {2: 1, 3: 259}.get(self.strategy, 262)
        if self.filled - self.p >= least:
            return
        while True:
            if self.p - self.base >= 2 * self.width - 262:
                self.base += self.width
            more = self.filled < len(self.data)
            self.filled = min(self.base + 2 * self.width, len(self.data))
            if not more or self.filled - self.p >= 262:
                return

    def put(self, token: Token, end: int, counted: bool = True) -> None:
        self.tokens.append(token)
        if counted and len(self.tokens) - self.first == self.limit:
            self.end_block(end)

    def end_block(self, end: int) -> None:
        self.blocks.append((len(self.tokens), end, self.start >= self.base))
        self.first, self.start = len(self.tokens), end

    def run(self, stop: int = -1) -> bool:
        """Predict all tokens, or those before the one of a number; whether that was met."""
        size = len(self.data)
        while True:
            self.read()
            p = self.p
            if p == size:
                break
            if self.strategy in (2, 3) or self.level < 4:
                token: Token = self.data[p]
                if self.strategy == 3:
                    n = self.common(p - 1, p, min(258, size - p)) if p else 0
                    if n >= 3:
                        token = (n, 1)
                elif self.strategy != 2:
                    c = self.candidate(p)
                    if p + 3 <= size:
                        self.insert(p + 1)
                    n, start = self.search(p, c, 2, 0)
                    if n >= 3:
                        token = (n, p - start)
                if len(self.tokens) == stop:
                    return True
                end = p + (token[0] if isinstance(token, tuple) else 1)
                if self.strategy not in (2, 3):
                    if isinstance(token, tuple) and token[0] <= self.lazy and size - end >= 3:
                        self.insert(end)
                    self.next = end
                self.put(token, end)
                self.p = end
                continue
            c = self.candidate(p)
            if p + 3 <= size:
                self.insert(p + 1)
            old, old_start = self.match
            n, start = 2, old_start
            if old < self.lazy and c > self.base and p - c <= self.width - 262:
                n, start = self.search(p, c, old, old_start)
                n = min(n, size - p)
                if n <= 5 and (self.strategy == 1 or (n == 3 and p - start > 4096 and not self.far)):
                    n = 2
            if old >= 3 and n <= old:
                if len(self.tokens) == stop:
                    return True
                end = p - 1 + old
                self.insert(end)
                self.waits, self.match = False, (2, 0)
                self.put((old, p - 1 - old_start), end)
                self.p = end
            else:
                if self.waits:
                    if len(self.tokens) == stop:
                        return True
                    self.put(self.data[p - 1], p)
                self.waits, self.match = True, (n, start)
                self.p = p + 1
        if self.waits:
            if len(self.tokens) == stop:
                return True
            self.put(self.data[size - 1], size, counted=False)
            self.waits = False
        return False

    def dictate(self, length: int, rank: int, distance: int) -> None:
        at = self.p - self.waits
        token: Token = self.data[at]
        if length:
            if rank:
                c, passed = self.candidate(at), 0
                while True:
                    if self.common(c, at, length) == length:
                        passed += 1
                        if passed == rank:
                            break
                    c = self.before.get(c, -1)
                distance = at - c
            token = (length, distance)
        end = at + max(1, length)
        self.insert(end)
        self.p, self.waits, self.match = end, False, (2, 0)
        self.put(token, end)


def code_lengths(counts: list[int], limit: int) -> tuple[list[int], int]:
    """Lengths of a code, and its largest symbol."""
    weights = dict(enumerate(counts))
    heap = [0] + [i for i, n in enumerate(counts) if n]
    largest = max(heap[1:], default=-1)
    while len(heap) < 3:
        i = 0
        if largest < 2:
            largest += 1
            i = largest
        heap.append(i)
        weights[i] = 1
    depth = dict.fromkeys(range(len(counts)), 0)
    parent: dict[int, int] = {}

    def first(a: int, b: int) -> bool:
        return (weights[a], depth[a]) <= (weights[b], depth[b])

    def sift(k: int) -> None:
        node = heap[k]
        while 2 * k < len(heap):
            child = 2 * k
            if child + 1 < len(heap) and first(heap[child + 1], heap[child]):
                child += 1
            if first(node, heap[child]):
                break
            heap[k] = heap[child]
            k = child
        heap[k] = node

    for k in range((len(heap) - 1) // 2, 0, -1):
        sift(k)
    taken, new = [], len(counts)
    while len(heap) > 2:
        a = heap[1]
        heap[1] = heap[-1]
        heap.pop()
        sift(1)
        b = heap[1]
        taken += [a, b]
        weights[new], depth[new] = weights[a] + weights[b], max(depth[a], depth[b]) + 1
        parent[a] = parent[b] = new
        heap[1] = new
        new += 1
        sift(1)
    length = {heap[1]: 0}
    excess, number = 0, [0] * (limit + 1)
    for node in reversed(taken):
        length[node] = length[parent[node]] + 1
        if length[node] > limit:
            length[node] = limit
            excess += 1
        if node < len(counts):
            number[length[node]] += 1
    leaves = [node for node in taken if node < len(counts)]
    if excess:
        while excess > 0:
            n = max(n for n in range(1, limit) if number[n])
            number[n] -= 1
            number[n + 1] += 2
            number[limit] -= 1
            excess -= 2
        given = [n for n in range(limit, 0, -1) for _ in range(number[n])]
        length.update(zip(leaves, given, strict=True))
    return [length.get(i, 0) if i in leaves else 0 for i in range(len(counts))], largest


def code_words(lengths: list[int]) -> list[str]:
    words, code = [""] * len(lengths), 0
    for n in range(1, 16):
        for i, length in enumerate(lengths):
            if length == n:
                words[i] = f"{code:0{n}b}"
                code += 1
        code <<= 1
    return words


def runs(lengths: list[int]) -> list[tuple[int, int, int]]:
    """Symbols of the third code, with what follows each and in how many bits."""
    out: list[tuple[int, int, int]] = []
    i, before = 0, -1
    while i < len(lengths):
        value = lengths[i]
        most = 138 if value == 0 else 7 if value != before else 6
        n = 1
        while n < most and i + n < len(lengths) and lengths[i + n] == value:
            n += 1
        i += n
        if value == 0:
            out += [(0, 0, 0)] * n if n < 3 else [(17, n - 3, 3)] if n <= 10 else [(18, n - 11, 7)]
        elif n < (3 if value == before else 4):
            out += [(value, 0, 0)] * n
        else:
            if value != before:
                out.append((value, 0, 0))
                n -= 1
            out.append((16, n - 3, 2))
        before = value
    return out


class Block:
    """Tokens and their codes."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.counts = [[0] * 286, [0] * 30]
        self.counts[0][256] = 1
        self.extra = 0
        for token in tokens:
            if isinstance(token, int):
                self.counts[0][token] += 1
            else:
                for table, which, shift, value in ((LENGTHS, 0, 257, token[0]), (DISTANCES, 1, 0, token[1])):
                    i, _, size = symbol(table, value)
                    self.counts[which][i + shift] += 1
                    self.extra += size
        found = [code_lengths(counts, 15) for counts in self.counts]
        self.own = [lengths for lengths, _ in found]
        self.head = Bits()
        runs_of_both = [run for lengths, largest in found for run in runs(lengths[: largest + 1])]
        third, _ = code_lengths([sum(run[0] == i for run in runs_of_both) for i in range(19)], 7)
        written = max(4, *(i + 1 for i, n in enumerate(ORDER) if third[n]))
        for value, size in ((found[0][1] - 256, 5), (found[1][1], 5), (written - 4, 4)):
            self.head.number(value, size)
        for i in ORDER[:written]:
            self.head.number(third[i], 3)
        words = code_words(third)
        for i, value, size in runs_of_both:
            self.head.code(words[i])
            self.head.number(value, size)

    def size(self, lengths: list[list[int]]) -> int:
        """Bits of tokens and end."""
        pairs = zip(self.counts, lengths, strict=True)
        return self.extra + sum(n * length for c, bits in pairs for n, length in zip(c, bits, strict=False))

    def kind(self, size: int, storable: bool, strategy: int, old: bool) -> int:
        own = -(-(3 + len(self.head.bits) + self.size(self.own)) // 8)
        fixed = -(-(3 + self.size([FIXED, [5] * 30])) // 8)
        least = fixed if fixed <= own or (strategy == 4 and not old) else own
        if storable and size + 4 <= least:
            return 0
        return 1 if strategy == 4 or fixed == least else 2

    def write(self, out: Bits, lengths: list[list[int]]) -> None:
        literals, distances = map(code_words, lengths)
        for token in self.tokens:
            if isinstance(token, int):
                out.code(literals[token])
                continue
            i, value, size = symbol(LENGTHS, token[0])
            out.code(literals[i + 257])
            out.number(value, size)
            i, value, size = symbol(DISTANCES, token[1])
            out.code(distances[i])
            out.number(value, size)
        out.code(literals[256])


def stored(out: Bits, data: bytes) -> None:
    out.align()
    out.number(len(data), 16)
    out.number(65535 - len(data), 16)
    for value in data:
        out.number(value, 8)


def numbers(data: bytes) -> list[int]:
    found, i = [], 0
    while i < len(data):
        wide = {254: 2, 255: 4}.get(data[i], 0)
        found.append(int.from_bytes(data[i + 1 : i + 1 + wide], "little") if wide else data[i])
        i += 1 + wide
    return found


def given_lengths(bits: list[int]) -> tuple[list[list[int]], int]:
    """Lengths of two codes that their description has, and its bits."""
    at = 0

    def take(size: int) -> int:
        nonlocal at
        at += size
        return sum(b << i for i, b in enumerate(bits[at - size : at]))

    literals, distances, written = take(5) + 257, take(5) + 1, take(4) + 4
    third = [0] * 19
    for i in ORDER[:written]:
        third[i] = take(3)
    symbols = {word: i for i, word in enumerate(code_words(third)) if word}
    lengths: list[int] = []
    while len(lengths) < literals + distances:
        word = ""
        while word not in symbols:
            word += str(take(1))
        i = symbols[word]
        if i < 16:
            lengths.append(i)
        else:
            value = lengths[-1] if i == 16 else 0
            lengths += [value] * (3 + take(2) if i == 16 else 3 + take(3) if i == 17 else 11 + take(7))
    return [lengths[:literals], lengths[literals:]], at


def rebuild(data: bytes, recipe: Any) -> bytes:
    """The stream of data and a recipe."""
    number, header, *rest = recipe if isinstance(recipe, list) else [recipe, b""]
    places = []
    for base in (10, 9, 2, 5, 2, 7, 2):
        places.append(number % base)
        number //= base
    level, memory, far, strategy, old, window, raw = places
    memory, window = next(m for m in range(1, 10) if (8 - m) % 9 == memory), 15 - window
    out = Bits()
    if level == 0:
        sizes = rest[0]
        if isinstance(sizes, int):
            full, left = divmod(len(data), sizes)
            sizes = [sizes] * full + ([left] if left or not full or rest[1:] == [1] else [])
        at = 0
        for i, size in enumerate(sizes):
            out.number(i == len(sizes) - 1, 3)
            stored(out, data[at : at + size])
            at += size
    else:
        predictor = Predictor(data, level, memory, window, strategy, bool(far))
        if rest:
            gaps, lengths, ranks, distances = map(numbers, rest[0])
            for gap, length in zip(gaps, lengths, strict=True):
                assert predictor.run(len(predictor.tokens) + gap)
                rank = ranks.pop(0) if length else 0
                predictor.dictate(length, rank, distances.pop(0) if length and not rank else 0)
        predictor.run()
        predictor.end_block(len(data))
        first = start = 0
        if len(rest) < 2:
            cuts = [(last, -1, end, storable) for last, end, storable in predictor.blocks]
        else:
            cuts, last = [], 0
            for value in numbers(rest[1]):
                last += value >> 2
                cuts.append((last, value & 3, -1, False))
        heads = rest[2] if len(rest) > 2 else b""
        for i, (last, kind, end, storable) in enumerate(cuts):
            block = Block(predictor.tokens[first:last])
            if end < 0:
                end = start + sum(1 if isinstance(token, int) else token[0] for token in block.tokens)
            if kind < 0:
                kind = block.kind(end - start, storable, strategy, bool(old))
            out.number(i == len(cuts) - 1, 1)
            out.number(min(kind, 2), 2)
            if kind == 0:
                stored(out, data[start:end])
            elif kind == 1:
                block.write(out, [FIXED, [5] * 30])
            elif kind == 2:
                out.bits += block.head.bits
                block.write(out, block.own)
            else:
                bits = [byte >> j & 1 for byte in heads for j in range(8)]
                own, used = given_lengths(bits)
                out.bits += bits[:used]
                heads = heads[-(-used // 8) :]
                block.write(out, own)
            first, start = last, end
    body = out.whole()
    if raw:
        return body
    if not header:
        speed = 0 if strategy >= 2 or level < 2 else 1 if level < 6 else 2 if level == 6 else 3
        value = (8 + 16 * (window - 8)) << 8 | speed << 6
        header = (value + -value % 31).to_bytes(2, "big")
    return header + body + zlib.adler32(data).to_bytes(4, "big")
