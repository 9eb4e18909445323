"""A second closer of JPEGs, from docs/reference/carriers.md and ITU-T T.81 alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain, repeat
from typing import Any

from reference.carriers import fields, patched
from reference.dct_parts import ZIGZAG

Image = list[tuple[list[list[list[int]]], list[int], tuple[int, int]]]
"""Of each component rows of blocks (64 coefficients in natural order), steps in natural order, sampling factors."""
SOF, DHT, RST, SOI, EOI = (0xC0, 0xC1, 0xC2), 0xC4, range(0xD0, 0xD8), 0xD8, 0xD9
SOS, DQT, DNL, DRI = 0xDA, 0xDB, 0xDC, 0xDD
TYPICAL = [
    bytes.fromhex(text)
    for text in (
        "00010501010101010100000000000000 000102030405060708090a0b",
        "00030101010101010101010000000000 000102030405060708090a0b",
        "0002010303020403050504040000017d 01020300041105122131410613516107227114328191a1082342b1c11552d1f0"
        "2433627282090a161718191a25262728292a3435363738393a434445464748494a535455565758595a636465666768696a"
        "737475767778797a838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6"
        "c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9fa",
        "00020102040403040705040400010277 0001020311040521310612415107617113223281081442 91a1b1c109233352f0"
        "156272d10a162434e125f11718191a262728292a35363738393a434445464748494a535455565758595a636465666768"
        "696a737475767778797a82838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3"
        "c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae2e3e4e5e6e7e8e9eaf2f3f4f5f6f7f8f9fa",
    )
]
"""T.81, tables K.3 to K.6: counts of codes of 1 to 16 bits, and their symbols; by 2 Tc + Th."""


def codes(table: bytes) -> dict[int, str]:
    """T.81, annex C.2: of each symbol its code."""
    found, code, at = {}, 0, 16
    for bits in range(1, 17):
        for _ in range(table[bits - 1]):
            found.setdefault(table[at], f"{code:0{bits}b}")
            code, at = code + 1, at + 1
        code *= 2
    return found


def optimal(counts: dict[int, int]) -> bytes:
    """T.81, annex K.2: figures K.1 to K.4."""
    freq = [counts.get(symbol, 0) for symbol in range(256)] + [1]
    size, others = [0] * 257, [-1] * 257
    while True:
        left = sorted((f, -v) for v, f in enumerate(freq) if f)
        if len(left) == 1:
            break
        one, other = -left[0][1], -left[1][1]
        freq[one], freq[other] = freq[one] + freq[other], 0
        size[one] += 1
        while others[one] >= 0:
            one = others[one]
            size[one] += 1
        others[one] = other
        size[other] += 1
        while others[other] >= 0:
            other = others[other]
            size[other] += 1
    bits = [0] * 300
    for one in size:
        bits[one] += one > 0
    i = 299
    while True:
        if bits[i] == 0:
            i -= 1
            if i == 16:
                break
            continue
        j = i - 2
        while bits[j] == 0:
            j -= 1
        bits[i] -= 2
        bits[i - 1] += 1
        bits[j + 1] += 2
        bits[j] -= 1
    while bits[i] == 0:
        i -= 1
    bits[i] -= 1
    return bytes(bits[1:17]) + bytes(v for n in range(1, 300) for v in range(256) if size[v] == n)


class Counting(dict[int, str]):
    """In place of codes: counts what is asked for."""

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}

    def __getitem__(self, symbol: int) -> str:
        self.counts[symbol] = self.counts.get(symbol, 0) + 1
        return "0"


def number(value: int) -> tuple[int, str]:
    """T.81, F.1.2.1: category of a difference or coefficient, and the bits that follow its code."""
    size = abs(value).bit_length()
    return size, f"{value if value > 0 else value + (1 << size) - 1:0{size}b}" if size else ""


@dataclass
class Part:
    """A component in a scan."""

    blocks: list[list[list[int]]]
    dc: dict[int, str]
    ac: dict[int, str]
    places: list[list[tuple[int, int]]]
    last: int = 0


@dataclass
class Scan:
    """What the header of a scan says, and the bits and bytes so far."""

    first: int
    end: int
    high: int
    low: int
    parts: list[Part]
    fill: str
    longest: int
    out: bytearray = field(default_factory=bytearray)
    bits: list[str] = field(default_factory=list)
    run: int = 0
    waiting: str = ""

    def flush(self) -> None:
        """Whole bytes of the bits so far, a zero byte after each FF."""
        text = "".join(self.bits)
        whole = len(text) - len(text) % 8
        for at in range(0, whole, 8):
            byte = int(text[at : at + 8], 2)
            self.out += bytes([byte] if byte < 255 else [255, 0])
        self.bits = [text[whole:]]

    def pad(self) -> None:
        self.flush()
        self.bits.append(self.fill * (-len(self.bits[0]) % 8))
        self.flush()

    def end_of_band(self, ac: dict[int, str]) -> None:
        """The run that waits, and its correction bits."""
        if self.run:
            size = self.run.bit_length() - 1
            self.bits.append(ac[size << 4] + (f"{self.run - (1 << size):0{size}b}" if size else "") + self.waiting)
        self.run, self.waiting = 0, ""

    def sequential(self, part: Part, c: list[int]) -> None:
        self.difference(part, c[0])
        zeros = 0
        for k in range(1, 64):
            value = c[ZIGZAG[k]]
            if value == 0:
                zeros += 1
                continue
            size, text = number(value)
            long = "".join(part.ac[0xF0] for _ in range(zeros // 16))
            self.bits.append(long + part.ac[zeros % 16 << 4 | size] + text)
            zeros = 0
        if zeros:
            self.bits.append(part.ac[0])

    def difference(self, part: Part, value: int) -> None:
        size, text = number(value - part.last)
        part.last = value
        self.bits.append(part.dc[size] + text)

    def progressive(self, part: Part, c: list[int]) -> None:
        if self.first == 0:
            if self.high:
                self.bits.append(str(c[0] >> self.low & 1))
            else:
                self.difference(part, c[0] >> self.low)
            return
        zeros, corrections = 0, ""
        sizes = [abs(c[ZIGZAG[k]]) >> self.low for k in range(64)]
        fresh = [k for k in range(self.first, self.end + 1) if (sizes[k] == 1 if self.high else sizes[k])]
        for k in range(self.first, self.end + 1):
            if sizes[k] == 0:
                zeros += 1
                continue
            while zeros > 15 and fresh and k <= fresh[-1]:
                self.end_of_band(part.ac)
                self.bits.append(part.ac[0xF0] + corrections)
                zeros, corrections = zeros - 16, ""
            if k not in fresh:
                corrections += str(sizes[k] & 1)
                continue
            self.end_of_band(part.ac)
            size, text = number(-sizes[k] if c[ZIGZAG[k]] < 0 else sizes[k])
            self.bits.append(part.ac[zeros << 4 | size] + text + corrections)
            zeros, corrections = 0, ""
        if zeros or corrections:
            self.run, self.waiting = self.run + 1, self.waiting + corrections
            if self.run == self.longest or len(self.waiting) > 937:
                self.end_of_band(part.ac)


def coded(scan: Scan, *, progressive: bool, missing: int, interval: int) -> bytes:
    """Entropy-coded data of a scan, before its patch."""
    block = scan.progressive if progressive else scan.sequential
    count = len(scan.parts[0].places) - missing
    for mcu in range(count):
        if interval and mcu and mcu % interval == 0:
            scan.end_of_band(scan.parts[0].ac)
            scan.pad()
            scan.out += bytes([255, 0xD0 + (mcu // interval - 1) % 8])
            for part in scan.parts:
                part.last = 0
        for part in scan.parts:
            for y, x in part.places[mcu]:
                block(part, part.blocks[y][x])
    scan.end_of_band(scan.parts[0].ac)
    scan.flush() if missing else scan.pad()
    return bytes(scan.out)


def jpeg(images: list[Image], skeleton: Any) -> bytes:
    left = list(images)
    data = closed(left, skeleton)
    assert not left
    return data


class Closing:
    """Tables and frame so far."""

    def __init__(self, image: Image, tables: list[int], scans: list[Any]) -> None:
        self.image = image
        self.tables = chain(tables, repeat(0))
        self.scans = chain(scans, repeat([]))
        self.huffman = {16 * kind + i: codes(TYPICAL[2 * kind + i]) for kind in (0, 1) for i in (0, 1)}
        self.waiting: list[tuple[int, int]] = []
        self.interval = 0
        self.frame: tuple[int, int, int, list[int]] = (0, 0, 0, [])

    def quantisation(self, head: bytes, at: int, length: int) -> tuple[bytes, int]:
        made = b""
        while len(made) < length:
            pq, which = head[at] >> 4, next(self.tables)
            size = 128 if pq else 64
            made += head[at : at + 1]
            at += 1
            if which:
                steps = self.image[which - 1][1]
                made += b"".join(steps[place].to_bytes(2 if pq else 1, "big") for place in ZIGZAG)
            else:
                made += head[at : at + size]
                at += size
        return made, at

    def codes(self, head: bytes, at: int, length: int) -> tuple[bytes, int]:
        made = b""
        while len(made) < length:
            name, which = head[at], next(self.tables)
            made += head[at : at + 1]
            at += 1
            if which == 2:
                return made, at
            if which:
                table = TYPICAL[2 * (name >> 4) + (name & 15)]
            else:
                table = head[at : at + 16 + sum(head[at : at + 16])]
                at += len(table)
            self.huffman[name] = codes(table)
            made += table
        return made, at

    def places(self, which: int, *, alone: bool) -> list[list[tuple[int, int]]]:
        """The blocks of each MCU."""
        _, height, width, names = self.frame
        rows, (h, v) = self.image[which][0], self.image[which][2]
        if not alone:
            down, across = len(rows) // v, len(rows[0]) // h
            return [
                [(v * y + j, h * x + i) for j in range(v) for i in range(h)] for y in range(down) for x in range(across)
            ]
        if len(names) > 1:
            across, down = (max(one[2][i] for one in self.image) for i in (0, 1))
            height, width = -(-height * v // down), -(-width * h // across)
        return [[(y, x)] for y in range(-(-height // 8)) for x in range(-(-width // 8))]

    def scan(self, header: bytes, out: bytearray) -> None:
        """Add entropy-coded data; before it, put tables that depend on them where they wait."""
        kept = fields(next(self.scans), 6)
        if self.waiting:
            counting = {name: Counting() for name, _ in self.waiting}
            self.coded(header, kept, self.huffman | counting)
            tables = [(place, name, optimal(counting[name].counts)) for name, place in self.waiting]
            for place, name, table in sorted(tables, reverse=True):
                self.huffman[name] = codes(table)
                out[place:place] = table
            self.waiting = []
        out += patched(kept[4], self.coded(header, kept, self.huffman))

    def coded(self, header: bytes, kept: list[Any], huffman: dict[int, dict[int, str]]) -> bytes:
        count = header[0]
        first, end, steps = header[1 + 2 * count : 4 + 2 * count]
        _, fill, run, missing, _, restart = kept
        parts = []
        for i in range(count):
            which, tables = self.frame[3].index(header[1 + 2 * i]), header[2 + 2 * i]
            dc, ac = huffman.get(tables >> 4, {}), huffman.get(16 + (tables & 15), {})
            parts.append(Part(self.image[which][0], dc, ac, self.places(which, alone=count == 1)))
        scan = Scan(first, end, steps >> 4, steps & 15, parts, str(1 - fill), 32767 - run)
        interval = restart - 1 if restart else self.interval
        return coded(scan, progressive=self.frame[0] == 0xC2, missing=missing, interval=interval)


def closed(left: list[Image], skeleton: Any) -> bytes:
    """The JPEG of a skeleton, with the first images that are left."""
    head, tables, scans, rest, more = fields(skeleton, 5)
    closing = Closing(left.pop(0), tables or [], scans or [])
    if isinstance(head, list):
        head = b"".join(one if isinstance(one, bytes) else closed(left, one) for one in head)
    out, at = bytearray(head[:2]), 2
    while at < len(head):
        start = at
        while head[at] == 255:
            at += 1
        marker = head[at]
        at += 1
        out += head[start:at]
        if marker in RST or marker in (1, SOI, EOI):
            continue
        length = int.from_bytes(head[at : at + 2], "big") - 2
        out += head[at : at + 2]
        at += 2
        if marker in (DQT, DHT):
            made, at = (closing.quantisation if marker == DQT else closing.codes)(head, at, length)
            out += made
            if len(made) < length:
                closing.waiting.append((made[0], len(out)))
            continue
        body = head[at : at + length]
        out += body
        at += length
        if marker in SOF:
            frame = marker, int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big"), list(body[6::3])
            closing.frame = frame
        elif marker == DRI:
            closing.interval = int.from_bytes(body[:2], "big")
        elif marker == SOS:
            if closing.frame[1] == 0:
                behind = head[at:].lstrip(b"\xff")
                assert behind[:3] == bytes([DNL, 0, 4])
                kind, _, width, names = closing.frame
                closing.frame = kind, int.from_bytes(behind[3:5], "big"), width, names
            closing.scan(body, out)
    return bytes(out) + (rest or b"") + (closed(left, more) if more else b"")
