"""A second decoder of lossy files up to their latents and hash, from docs/reference/{format,lossy}.md alone.

Slow and plain: Python integers, nothing of rdzip. Arrays are lists of channels, each a list of rows.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from reference.container import SIGNATURE, Reader, clip, layer, need, read_model
from reference.hyperprior import HyperProgram
from reference.images import Array, act, add, filled, requantise
from reference.irec_lossy import IrecProgram
from reference.residuals import MOST, Integers, rounded
from reference.sites import TOTAL, Stack

Place = tuple[int, int]
MODES = {0: "RGB", 1: "RGBA", 2: "L", 3: "LA"}
CODECS = ("hyperprior", "channel-ar", "irec-vae")
ARCHITECTURES = {"hyper-code": CODECS[:2], "transform-code": CODECS[1:2], "irec-code": CODECS[2:]}


def passes_of_means(rows: int, columns: int) -> Iterator[tuple[int, int, list[Place]]]:
    """Spacing, kind (-1: the first) and cells of each pass."""
    yield 0, -1, [(y, x) for y in range(0, rows, 8) for x in range(0, columns, 8)]
    for d in (4, 2, 1):
        for kind, (i, j) in enumerate(((1, 1), (0, 1), (1, 0))):
            cells = [(y, x) for y in range(i * d, rows, 2 * d) for x in range(j * d, columns, 2 * d)]
            if cells:
                yield d, kind, cells


def passes_of_detail(rows: int, columns: int, count: int) -> list[list[Place]]:
    """Cells of each pass."""
    places = {1: [[(0, 0), (0, 1), (1, 0), (1, 1)]], 2: [[(0, 0), (1, 1)], [(0, 1), (1, 0)]]}
    groups = places.get(count, [[(0, 0)], [(1, 1)], [(0, 1)], [(1, 0)]])
    found = [[(y, x) for i, j in group for y in range(i, rows, 2) for x in range(j, columns, 2)] for group in groups]
    return [cells for cells in found if cells]


def around(kind: int) -> list[Place]:
    """Offsets, in spacings, of neighbours that are known to cells of a kind."""
    kinds = [(1, 1), (0, 1), (1, 0)]
    known = [(0, 0), *kinds[:kind]]
    i, j = kinds[kind]
    offsets = [(a, b) for a in range(-2, 3) for b in range(-2, 3) if (a, b) != (0, 0)]
    return [(a, b) for a, b in offsets if ((i + a) % 2, (j + b) % 2) in known]


class Program(Integers):
    """The integers of "transform-code"."""

    side, settings = 8, 256

    def __init__(self, tensors: dict[str, Any], document: dict[str, Any]) -> None:
        super().__init__(tensors)
        network = document["network"]["slices"]
        self.sizes, self.passes = network["slices"], network["passes"]
        self.blocks, self.width, self.first = network["blocks"], network["width"], network["first"]

    def decode(self, stack: Stack, rows: int, columns: int, setting: int) -> dict[str, Array]:
        """Latents [channels, rows, columns] of a tile."""
        self.planes = self.planes_of(setting)
        self.base = [(2 * (b - 25 * setting) + 255) // 510 for b in self.tensors["slices.base"]]
        self.stack, self.rows, self.columns = stack, rows, columns
        found = self.means()
        planes = [filled(p, 1, rows, columns)[0] for p in self.planes]
        h = requantise(self.conv("enter", self.views(found) + planes))
        for i in range(len(self.sizes) - 1):
            h = add(h, self.conv(f"dense.{i}", act(h)))
            y = self.detail(i, h, len(found))
            found += y
            if i < len(self.sizes) - 2:
                h = add(h, self.conv(f"taken.{i}", self.squashed(y)))
        return {"y": found}

    def means(self) -> Array:
        m = self.sizes[0]
        y = filled(0, m, self.rows, self.columns)
        for d, kind, cells in passes_of_means(self.rows, self.columns):
            levels = [127 * (d == spacing) for spacing in (4, 2, 1)]
            middles, outputs = [], []
            for row, column in cells:
                inputs, middle = self.planes + levels, [0] * m
                if kind >= 0:
                    places = [(row + a * d, column + b * d, a * a + b * b) for a, b in around(kind)]
                    inside = [p for p in places if 0 <= p[0] < self.rows and 0 <= p[1] < self.columns]
                    nearest = [p for p in inside if p[2] == min(distance for _, _, distance in places)]
                    sums = [sum(plane[u][v] for u, v, _ in nearest) for plane in y]
                    middle = [(2 * total + len(nearest)) // (2 * len(nearest)) for total in sums]
                    for plane, mid in zip(y, middle, strict=True):
                        inputs += [self.squash(plane[p[0]][p[1]] - mid) if p in inside else 0 for p in places]
                h = self.deep(f"first_deep.{kind + 1}", self.vector(f"first.{kind + 1}", inputs))
                middles.append(middle)
                outputs.append(self.layer(f"first_out.{kind + 1}", h))
            self.draw(y, cells, outputs, middles, self.base[:m], 2)
        return y

    def detail(self, i: int, h: Array, start: int) -> Array:
        size = self.sizes[i + 1]
        y = filled(0, size, self.rows, self.columns)
        for number, cells in enumerate(passes_of_detail(self.rows, self.columns, self.passes[i])):
            u = h if not number else add(h, self.conv(f"known.{i}.{number - 1}", self.squashed(y)))
            streams = [self.deep(f"deep.{i}", [plane[row][column] for plane in u]) for row, column in cells]
            outputs = [self.layer(f"out.{i}", stream) for stream in streams]
            self.draw(y, cells, outputs, [[0] * size] * len(cells), self.base[start : start + size], 1)
        return y

    def draw(
        self, y: Array, cells: list[Place], outputs: list[list[int]], middles: list[list[int]], base: list[int], up: int
    ) -> None:
        """Pop the residuals of cells, channel by channel, and put what they give into y."""
        size = len(base)
        means = [
            clip(rounded(o[c], up, 1) + m[c], -MOST, MOST)
            for c in range(size)
            for o, m in zip(outputs, middles, strict=True)
        ]
        scales = [clip(rounded(o[size + c], 1, 4) + base[c], 0, 63) for c in range(size) for o in outputs]
        symbols = self.pop(scales, self.tables)
        for k, (symbol, mean) in enumerate(zip(symbols, means, strict=True)):
            row, column = cells[k % len(cells)]
            y[k // len(cells)][row][column] = clip(16 * symbol + mean, -MOST, MOST)

    def views(self, y: Array) -> Array:
        """Values, slopes and curvatures, squashed."""

        def view(plane: list[list[int]], kind: int) -> list[list[int]]:
            def at(row: int, column: int) -> int:
                return plane[clip(row, 0, self.rows - 1)][clip(column, 0, self.columns - 1)]

            def value(r: int, c: int) -> int:
                left, right, up, down = at(r, c - 1), at(r, c + 1), at(r - 1, c), at(r + 1, c)
                here = at(r, c)
                return (here, right - left, down - up, left + right - 2 * here, up + down - 2 * here)[kind]

            return [[self.squash(value(r, c)) for c in range(self.columns)] for r in range(self.rows)]

        return [view(plane, kind) for kind in range(5) for plane in y]

    def layer(self, name: str, inputs: list[int]) -> list[int]:
        """Outputs in 2**-11 of the activations of a requantised stream."""
        return layer(self.tensors, f"slices.{name}", [clip(v, 0, 255) for v in inputs])

    def vector(self, name: str, inputs: list[int]) -> list[int]:
        """A requantised stream of inputs."""
        return self.requantised(layer(self.tensors, f"slices.{name}", inputs))

    @staticmethod
    def requantised(outputs: list[int]) -> list[int]:
        return [clip((o + 1024) >> 11, -2047, 2047) for o in outputs]

    def deep(self, name: str, h: list[int]) -> list[int]:
        for j in range(self.blocks):
            o = self.layer(f"{name}.{j}", h)
            h = self.requantised([(a << 11) + b for a, b in zip(h, o, strict=True)])
        return h


@dataclass
class Latents:
    """What a lossy file holds before it becomes a picture: tiles by rows."""

    mode: str
    shape: Place
    setting: int
    quality: int
    tiles: list[dict[str, Array]]


def codecs_of(document: Any) -> tuple[str, ...]:
    """Codecs of the model that a document describes."""
    codecs = ARCHITECTURES[document["architecture"]]
    return codecs[document["network"]["slices"] > 1 :][:1] if document["architecture"] == "hyper-code" else codecs


def program_of(model: bytes) -> Program | HyperProgram:
    """The program of a model file."""
    tensors, document = read_model(model)
    need(document["version"] == 1, "version of the architecture")
    kinds = {"transform-code": Program, "hyper-code": HyperProgram, "irec-code": IrecProgram}
    return kinds[document["architecture"]](tensors, document)


def decode_payload(
    program: Program | HyperProgram, payload: bytes, height: int, width: int
) -> tuple[int, int, list[dict[str, Array]]]:
    """Setting, quality, and the latents of each tile."""
    reader = Reader(payload)
    setting, quality, tall, wide = (reader.varint() for _ in range(4))
    if isinstance(program, IrecProgram):
        program.search([reader.varint() for _ in range(4)])
    rows, columns = -(-height // program.side), -(-width // program.side)
    need(setting < program.settings and quality <= 100, "setting")
    need(1 <= tall <= rows and 1 <= wide <= columns and tall * wide * program.side**2 <= 1 << 22, "tiles")
    corners = [(y, x) for y in range(0, rows, tall) for x in range(0, columns, wide)]
    tiles = []
    for y, x in corners:
        last = (y, x) == corners[-1]
        stack = Stack(reader.take(len(reader.data) - reader.at if last else reader.varint()))
        tiles.append(program.decode(stack, min(tall, rows - y), min(wide, columns - x), setting))
        need(stack.state == TOTAL and not stack.words, "end of a tile")
    return setting, quality, tiles


def decode_file(data: bytes, model: bytes, alpha: bytes = b"") -> Latents:
    """The latents of a lossy file, their hash compared. alpha: its samples, which are not decoded here."""
    reader = Reader(data)
    need(reader.take(8) == SIGNATURE, "signature")
    need(reader.take(1) == b"\x01", "version")
    body = reader.take(reader.varint())
    reader.check(8)
    header = Reader(body).cbor()
    sections = {}
    while True:
        start = reader.at
        (kind,) = reader.take(1)
        if kind == 0:
            break
        sections[kind] = reader.take(reader.varint())
        reader.check(start)
    need(reader.at == len(data), "bytes after the end mark")
    (height, width), mode = header[0], MODES[header.get(1, 0)]
    need(header[3][1] == hashlib.sha256(model).digest()[:8] and header[3][2] == 5, "model")
    body = Reader(sections[1])
    need(body.take(1) == b"\x03", "codec")
    codec = body.varint()
    need(codec < 3 and CODECS[codec] in codecs_of(read_model(model)[1]), "codec")
    setting, quality, tiles = decode_payload(program_of(model), body.data[body.at :], height, width)
    arrays = [tile[name] for tile in tiles for name in sorted(tile)]
    symbols = b"".join(struct.pack("<i", v) for array in arrays for plane in array for row in plane for v in row)
    hashed = f"{mode}\0{height}\0{width}\0{setting}\0".encode() + hashlib.sha256(symbols).digest() + alpha
    need(hashlib.sha256(hashed).digest()[:8] == header[14], "hash of symbols")
    return Latents(mode, (height, width), setting, quality, tiles)
