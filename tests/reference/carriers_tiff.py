"""A second closer of TIFFs, from docs/reference/carriers.md alone; without deflate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from reference.carriers import Picture, fields, joined, mirrored, rows_of

TAGS = [256, 257, 258, 259, 262, 273, 277, 278, 279, 282, 283, 284, 296, 305, 317, 320, 322, 323, 324, 325, 338, 339]
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
UNSIGNED = (1, 3, 4, 13, 16, 18)
COLOURS = {"CMYK": 5, "YCbCr": 6, "LAB": 8, "P": 3}


@dataclass
class Page:
    method: int
    predictor: int
    height: int
    tile: int
    bits: int
    kind: str
    channels: int
    planar: bool
    pictures: list[Picture]
    scale: int
    units: list[bytes]
    places: list[int]


def page_of(record: list[Any], left: list[Picture], order: str) -> Page:
    method, predictor, height, tile, bits, kind, channels, planar, low, extra, scale = fields(record, 11)
    first = left[0]
    channels = channels or first.channels
    bits = bits or (1 if first.mode == "1" else 8 * first.size)
    sort = "uif"[(kind + 2 * (first.mode == "F")) % 3]
    many = channels if first.size == 4 or channels > 4 else 1
    page = Page(
        method, predictor, height or first.height, tile, bits, sort, channels, bool(planar), left[:many],
        256 if scale else 257, [], [],
    )  # fmt: skip
    del left[:many]
    way, edge, filling, beyond, others, full = fields(extra, 6)
    others = dict(zip((others or [])[::2], (others or [])[1::2], strict=True))
    parts = split(page, filling or b"", edge, beyond or b"", order == "big")
    for number, (raw, row) in enumerate(parts):
        raw = mirrored(raw) if low else raw
        if method == 1:
            raw = packbits(raw, len(raw) if way & 8 else row, way & 7)
        elif method == 2:
            raw = lzw(raw, others.get(number), way, full ^ 4094)
        page.units.append(raw)
    return page


def split(page: Page, filling: bytes, edge: int, beyond: bytes, big: bool) -> list[tuple[bytes, int]]:
    """Bytes of each unit before it is compressed, and of its rows."""
    first = page.pictures[0]
    rows = joined(page.pictures, page.kind)
    planes = [[row[c :: page.channels] for row in rows] for c in range(page.channels)] if page.planar else [rows]
    step = 1 if page.planar else page.channels
    width = page.tile or first.width
    across, down = -(-first.width // width), -(-first.height // page.height)
    if page.tile:
        wide, tall = (across * width - first.width) * step, down * page.height - first.height
        rest = [int.from_bytes(beyond[i : i + first.size], "little") for i in range(0, len(beyond), first.size)]
        for plane in planes:
            for i, row in enumerate(plane):
                more = [0] * wide if edge == 0 else row[-step:] * (wide // step)
                if edge == 2:
                    more, rest = rest[:wide], rest[wide:]
                plane[i] = row + more
        for plane in planes:
            for _ in range(tall):
                more = [0] * len(plane[0]) if edge == 0 else plane[first.height - 1]
                if edge == 2:
                    more, rest = rest[: len(plane[0])], rest[len(plane[0]) :]
                plane.append(more)
    units, used = [], 0
    for plane in planes:
        for y in range(down):
            for x in range(across):
                block = plane[y * page.height : (y + 1) * page.height]
                block = [row[x * width * step : (x + 1) * width * step] for row in block]
                part = -(-width * step * page.bits // 8) - width * step * page.bits // 8
                own = filling[used : used + part * len(block)]
                used += part * len(block)
                raw = predicted(block, step, page, big) or rows_of(block, page.bits, big, 1, own)
                units.append((raw, len(raw) // len(block)))
    return units


def predicted(block: list[list[int]], step: int, page: Page, big: bool) -> bytes:
    """Bytes of rows after a predictor; none without one."""
    size = page.bits // 8

    def differences(row: list[int], most: int) -> list[int]:
        return [(v - (row[i - step] if i >= step else 0)) % most for i, v in enumerate(row)]

    if page.predictor == 1:
        return rows_of([differences(row, 1 << page.bits) for row in block], page.bits, big)
    if page.predictor == 2:
        parts = [[v >> 8 * (size - 1 - i) & 255 for i in range(size) for v in row] for row in block]
        return b"".join(bytes(differences(row, 256)) for row in parts)
    return b""


def packbits(data: bytes, row: int, way: int) -> bytes:
    out = b""
    for line in (data[i : i + row] for i in range(0, len(data), row)):
        literals, i = b"", 0
        while i < len(line):
            n = 1
            while n < 128 and line[i : i + n + 1] == line[i : i + 1] * (n + 1):
                n += 1
            run = n >= 2
            if n == 2 and way == 0 and 1 <= len(literals) <= 126 and i + 2 < len(line):
                run = line[i + 3 : i + 4] == line[i + 2 : i + 3]
            if n == 2 and (way == 3 or (way == 2 and literals)):
                run = False
            if run:
                out += packet(literals) + bytes([257 - n, line[i]])
                literals = b""
            else:
                for byte in line[i : i + n]:
                    if len(literals) == 128:
                        out, literals = out + packet(literals), b""
                    literals += bytes([byte])
            i += n
        out += packet(literals)
    return out


def packet(literals: bytes) -> bytes:
    return bytes([len(literals) - 1]) + literals if literals else b""


def lzw(data: bytes, places: list[int] | None, way: int, full: int) -> bytes:
    codes = [(256, 9)]
    table: dict[bytes, int] = {}
    at = done = start = 0
    c, bits, limit, largest = 258, 9, 10000, 0
    late = int(way >= 8)
    while at < len(data):
        size = 1
        while at + size < len(data) and data[at : at + size + 1] in table:
            size += 1
        match = data[at : at + size]
        width = max(9, min(12, (c - late).bit_length()))
        codes.append((table[match] if size > 1 else match[0], width))
        bits += width
        at += size
        if at < len(data) and c < 4096:
            table.setdefault(data[at - size : at + 1], c)
        c += 1
        wider = max(9, min(12, (c - late).bit_length()))
        clear = c == full if places is None else done < len(places) and places[done] == c
        if not clear and places is None and way < 4 and at < len(data) and wider == width:
            t = at + 1 - start
            if t >= limit:
                limit = t + 10000
                r = t * 256 // bits if t <= 8388607 else t // (bits >> 8) if bits >> 8 else 2147483647
                clear, largest = r <= largest, max(r, largest)
        if clear:
            codes.append((256, wider))
            table, c, bits, start, largest, done = {}, 258, wider, at + 1, 0, done + 1
    if way % 4 < 2:
        codes.append(
            (257, codes[-1][1] if way % 4 == 1 and codes[-1][0] != 256 else max(9, min(12, (c - late).bit_length())))
        )
    if late:
        text = "".join(f"{code:0{width}b}" for code, width in codes[::-1])
        return int(text, 2).to_bytes(-(-len(text) // 8), "little")
    text = "".join(f"{code:0{width}b}" for code, width in codes)
    text += "0" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big")


def tiff(pictures: list[Picture], skeleton: Any) -> bytes:
    literal, records, gaps, runs, rule = fields(skeleton, 5)
    order = "little" if literal[:2] == b"II" else "big"
    left = list(pictures)
    pages: dict[int, Page] = {}
    number, last = 0, None
    for item in records:
        for record in [last] * item if isinstance(item, int) and item else [item]:
            if record != 0:
                pages[number] = page_of(record, left, order)
                last = record
            number += 1
    owners = [(page, i) for page in pages.values() for i in range(len(page.units))]
    for page in pages.values():
        page.places = [0] * len(page.units)
    if runs:
        owners = [owners[i] for a, n in zip(runs[::2], runs[1::2], strict=True) for i in range(a, a + n)]
    out, used = bytearray(), 0
    for gap, many in zip(gaps[::2], gaps[1::2], strict=True):
        out += literal[used : used + gap]
        used += gap
        for page, unit in owners[:many]:
            page.places[unit] = len(out)
            out += page.units[unit]
        owners = owners[many:]
    out += literal[used:]
    return bytes(out) if rule == 3 else Rules(out, order, pages, rule).apply()


class Rules:
    def __init__(self, out: bytearray, order: str, pages: dict[int, Page], rule: int) -> None:
        self.out, self.order, self.pages, self.rule = out, order, pages, rule
        self.big = 43 in out[2:4]
        self.p = 8 if self.big else 4
        self.n = 8 if self.big else 2
        self.before: dict[str, Any] = {"at": 0, "count": 0, "tags": [], "entries": {}, "next": 0}
        self.number = -1

    def get(self, at: int, size: int) -> int:
        return int.from_bytes(self.out[at : at + size], self.order)  # type: ignore[arg-type]

    def mix(self, at: int, value: int | bytes, size: int = 0) -> None:
        data = value if isinstance(value, bytes) else (value % (1 << 8 * size)).to_bytes(size, self.order)  # type: ignore[arg-type]
        for i, byte in enumerate(data):
            if at + i < len(self.out):
                self.out[at + i] ^= byte

    def end(self, page: Page) -> int:
        last = max(a + len(u) for a, u in zip(page.places, page.units, strict=True))
        return last + last % 2

    def apply(self) -> bytes:
        start = self.p * 2 if self.big else 8
        if self.rule == 1 and 0 in self.pages:
            start = self.end(self.pages[0])
        self.mix(8 if self.big else 4, start, self.p)
        todo, seen = [(self.get(8 if self.big else 4, self.p), True)], set()
        while todo:
            at, chain = todo.pop(0)
            while at and at not in seen:
                seen.add(at)
                following, below = self.directory(at)
                todo += [(place, False) for place in below]
                at = following if chain else 0
        return bytes(self.out)

    def directory(self, at: int) -> tuple[int, list[int]]:
        self.number += 1
        page, old = self.pages.get(self.number), self.before
        self.mix(at, old["count"] or 13 * (page is not None), self.n)
        count = self.get(at, self.n)
        step = 4 + 2 * self.p
        end = at + self.n + count * step
        cursor, tag = end + self.p, 0
        new: dict[str, Any] = {"at": at, "count": count, "tags": [], "entries": {}}
        found: dict[int, tuple[int, int, int]] = {}
        for i in range(count):
            place = at + self.n + i * step
            self.mix(place, next((t for t in old["tags"] or TAGS if t > tag), 0), 2)
            tag = self.get(place, 2)
            known = old["entries"].get(tag)
            self.mix(place + 2, known[0] if known else self.usual_type(tag), 2)
            self.mix(place + 4, known[1] if known else self.usual_count(tag, page), self.p)
            kind, many, at_value = self.get(place + 2, 2), self.get(place + 4, self.p), place + 4 + self.p
            size = SIZES.get(kind, 0) * many
            outside = size > self.p
            values = self.values(tag, kind, many, page)
            if outside:
                value = cursor
                if known and known[3]:
                    value = known[2] + place - known[4]
                self.mix(at_value, value, self.p)
                cursor = self.get(at_value, self.p) + size
                cursor += cursor % 2
            elif values is not None:
                self.mix(at_value, values)
            elif known and not known[3]:
                self.mix(at_value, known[2], self.p)
            elif page and kind in UNSIGNED and many == 1:
                self.mix(at_value, self.usual(tag, page), SIZES[kind])
            new["tags"].append(tag)
            new["entries"][tag] = (kind, many, self.get(at_value, self.p), outside, place)
            found.setdefault(tag, (kind, many, self.get(at_value, self.p) if outside else at_value))
        if end + self.p <= len(self.out):
            self.mix(end, self.following(at), self.p)
        new["next"] = self.get(end, self.p) if end + self.p <= len(self.out) else 0
        for tag, (kind, many, place) in found.items():
            values = self.values(tag, kind, many, page)
            if values is not None and len(values) > self.p:
                self.mix(place, values)
        self.before = new
        below: list[int] = []
        if 330 in found and found[330][0] in UNSIGNED:
            kind, many, place = found[330]
            below = [self.get(place + i * SIZES[kind], SIZES[kind]) for i in range(many)]
        return new["next"], below

    def following(self, at: int) -> int:
        old = self.before
        page = self.pages.get(self.number + (self.rule == 1))
        if self.rule and page and self.number < max(self.pages):
            return self.end(page)
        return old["next"] + at - old["at"] if old["next"] and not self.rule else 0

    def usual_type(self, tag: int) -> int:
        return {254: 4, 273: 4, 279: 4, 324: 4, 325: 4, 282: 5, 283: 5, 305: 2}.get(tag, 3)

    def usual_count(self, tag: int, page: Page | None) -> int:
        if page and tag in (273, 279, 324, 325):
            return len(page.units)
        if page and tag in (258, 339):
            return page.channels
        if page and tag == 320:
            return 3 << page.bits
        return 12 if page and tag == 305 else 1

    def usual(self, tag: int, page: Page) -> int:
        first = page.pictures[0]
        colour = 2 if first.mode[:3] == "RGB" else COLOURS.get(first.mode, 1)
        return {
            256: first.width, 257: first.height, 258: page.bits, 259: (1, 32773, 5, 8, 32946)[page.method],
            262: colour, 277: page.channels, 278: page.height, 323: page.height, 284: 1 + page.planar, 296: 2,
            317: page.predictor + 1, 322: page.tile, 338: 2, 339: "uif".index(page.kind) + 1,
        }.get(tag, 0)  # fmt: skip

    def values(self, tag: int, kind: int, many: int, page: Page | None) -> bytes | None:
        if page is None or kind not in UNSIGNED:
            return None
        palette = page.pictures[0].palette
        known = {
            273: page.places, 324: page.places, 279: [len(u) for u in page.units], 325: [len(u) for u in page.units],
            258: [page.bits] * page.channels,
            320: [page.scale * palette[i] for c in range(3) for i in range(c, len(palette), 3)],
        }.get(tag)  # fmt: skip
        if known is None or len(known) != many:
            return None
        size = SIZES[kind]
        return b"".join((value % (1 << 8 * size)).to_bytes(size, self.order) for value in known)  # type: ignore[arg-type]
