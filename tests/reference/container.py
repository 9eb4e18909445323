"""A second decoder of .rdz files with a causal payload, from docs/reference/{format,models}.md alone.

Slow and plain: Python integers, no numpy, no torch, nothing of rdzip, not one float. It is here to prove that the
pages say enough, and that the format needs no floating point.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from dataclasses import dataclass
from typing import Any

Rows = list[list[int]]
Pixel = tuple[int, int]
Mixture = list[tuple[int, int, int]]
"""(mean, scale, logit) of each component."""

SIGNATURE = bytes.fromhex("8952445a0d0a1a0a")
FIRST = [(0, -1), (-1, 0), (-1, -1), (-1, 1), (0, -2), (-2, 0), (-2, 1), (-2, -1), (-1, -2), (-1, 2)]
REST = [(dy, dx) for dy in range(-5, 1) for dx in range(-5, 6) if (dy or dx < 0) and dx + 3 * dy < 0]
TEMPLATE = FIRST + sorted(set(REST) - set(FIRST), key=lambda o: (o[0] ** 2 + o[1] ** 2, *o))


class Damaged(Exception):
    """The file is not what the pages say."""


def need(condition: bool, what: str) -> None:
    """Raise Damaged unless the condition holds."""
    if not condition:
        raise Damaged(what)


def clip(v: int, low: int, high: int) -> int:
    """The value within low..high that is nearest to v."""
    return min(max(v, low), high)


# The model file


def nested(flat: list[int], shape: list[int]) -> Any:
    """Row-major items as lists of lists."""
    if len(shape) == 1:
        return flat
    step = len(flat) // shape[0]
    return [nested(flat[i * step : (i + 1) * step], shape[1:]) for i in range(shape[0])]


def read_model(data: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """Tensors as nested lists of integers, and the document."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    document = json.loads(header.pop("__metadata__")["rdzip"])
    tensors = {}
    for name, entry in header.items():
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        code = {"I8": "b", "U8": "B", "I16": "h", "I32": "i"}[entry["dtype"]]
        items = [item for (item,) in struct.iter_unpack("<" + code, data[begin:end])]
        tensors[name] = nested(items, entry["shape"])
    return tensors, document


# The network


def median(w: int, n: int, nw: int) -> int:
    return max(min(w, n), min(max(w, n), w + n - nw))


def layer(tensors: dict[str, Any], name: str, inputs: list[int]) -> list[int]:
    """Outputs of a layer in units of 2**-11."""
    weight, exponent, bias = (tensors[f"{name}.{part}"] for part in ("weight", "exponent", "bias"))
    return [
        (sum(w * a for w, a in zip(row, inputs, strict=True)) << 11 - e) + 16 * b
        for row, e, b in zip(weight, exponent, bias, strict=True)
    ]


def act(stream: list[int]) -> list[int]:
    """Activations of a stream in units of 2**-11."""
    return [clip((u + 1024) >> 11, 0, 255) for u in stream]


def cumulative(tables: dict[str, Any], mixture: Mixture) -> list[int]:
    """C(0) ... C(256) by the tables of a model."""
    largest = max(logit for _, _, logit in mixture)
    e = [tables["exponential"][min(largest - logit, 191)] for _, _, logit in mixture]
    w = [4096 * e_k // sum(e) for e_k in e]
    w[0] += 4096 - sum(w)
    c = [0]
    for v in range(1, 256):
        total = 0
        for w_k, (mean, scale, _) in zip(w, mixture, strict=True):
            z = ((64 * v - 32 - mean) * tables["inverse_scale"][scale]) >> 8
            total += w_k * tables["sigmoid"][clip(z + 8192, 0, 16383)]
        c.append((total >> 4) + min(16, 65536 - tables["sigmoid"][-1]) * v)
    return [*c, 1 << 24]


class Network:
    """The network of one kind, as far as one pixel at a time needs it."""

    def __init__(self, tensors: dict[str, Any], document: dict[str, Any], kind: str) -> None:
        self.config = document["networks"][kind]
        self.tensors = {name[len(kind) + 1 :]: t for name, t in tensors.items() if name.startswith(kind + ".")}
        self.mixture = {name[8:]: t for name, t in tensors.items() if name.startswith("mixture.")}

    def compress(self, d: int) -> int:
        return int(self.tensors["compression"][clip(d, -255, 255) + 255])

    def layer(self, name: str, inputs: list[int]) -> list[int]:
        return layer(self.tensors, name, inputs)

    def add(self, stream: list[int], name: str, inputs: list[int]) -> list[int]:
        return [u + y for u, y in zip(stream, self.layer(name, inputs), strict=True)]

    def trunk(self, context: Context) -> list[int]:
        inputs = [self.compress(v - m) for nb, m in zip(context.near, context.medians, strict=True) for v in nb]
        y, x = context.pixel
        inputs += [64 * (bit & 1) - 32 for bit in (x, y, x + y)]
        inputs.append((context.medians[0] - 128) >> 1)
        h = self.layer("stem", inputs)
        for i in range(self.config["blocks"]):
            h = self.add(h, f"blocks.{i}", act(h))
        return self.layer("fan", act(h))

    def parameters(self, p: int, fan: list[int], context: Context, known: list[int]) -> Mixture:
        """(mean, scale, logit) of each component of plane p."""
        head, k = self.config["head"], self.config["components"]
        u = fan[p * head : (p + 1) * head]
        if p:
            seen = []
            for q, v in enumerate(known):
                seen += [v - context.medians[q], v - context.near[q][0], v - context.near[q][1]]
            u = self.add(u, f"known.{p - 1}", [self.compress(d) for d in seen])
        for j in range(self.config["head_blocks"]):
            u = self.add(u, f"deep.{p}.{j}", act(u))
        o = self.layer(f"out.{p}", act(u))

        a, base = context.activities[p], context.medians[p]
        if p:
            a += abs(known[p - 1] - context.medians[p - 1]) >> 1
            base += known[0]
        a = min(a, 2047)
        d = [v - context.medians[p] for v in context.near[p][: 6 if p else 10]]
        d += [v - context.medians[q] for q, v in enumerate(known)]
        c = sum(o_j * d_j for o_j, d_j in zip(o[3 * k :], d, strict=True))
        found = []
        for offset, spread, preference in zip(o[:k], o[k : 2 * k], o[2 * k : 3 * k], strict=True):
            mean = (offset * (64 + 26 * a) + (c << 8) + (base << 24) + (1 << 17)) >> 18
            scale = (spread + (self.tensors["activity_scale"][a] << 13) + (1 << 12)) >> 13
            found.append((clip(mean, -1024, 17408), clip(scale, 0, 63), (preference + (1 << 11)) >> 12))
        return found

    def cumulative(self, mixture: Mixture) -> list[int]:
        return cumulative(self.mixture, mixture)


@dataclass
class Context:
    """What surrounds a pixel: neighbours, MED predictions and activities of each plane."""

    pixel: Pixel
    near: Rows
    medians: list[int]
    activities: list[int]


def context_of(planes: list[Rows], config: dict[str, int], y: int, x: int, width: int) -> Context:
    """The context of a pixel; None in a plane is a pixel that is not decoded yet, and must not be touched."""

    def value(p: int, y: int, x: int) -> int:
        if x < 0:
            y, x = y - 1, 0
        if y < 0:
            return 0 if p else 128
        found = planes[p][y][min(x, width - 1)]
        assert found is not None
        return found

    near = []
    for p in range(len(planes)):
        count = config["colour_neighbours" if p else "neighbours"]
        near.append([value(p, y + dy, x + dx) for dy, dx in TEMPLATE[:count]])
    medians = [median(*nb[:3]) for nb in near]
    activities = [
        abs(w - nw) + abs(n - nw) + abs(n - ne) + abs(w - ww) + abs(n - nn) for w, n, nw, ne, ww, nn, *_ in near
    ]
    return Context((y, x), near, medians, activities)


# The entropy coder and the payload


class Stack:
    """The coder's state and words."""

    def __init__(self, payload: bytes) -> None:
        need(len(payload) % 4 == 0 and len(payload) > 0, "length of the payload")
        self.words = [word for (word,) in struct.iter_unpack("<I", payload)]
        self.state = self.words.pop()
        need(self.state > 0, "last word")
        self.refill()

    def refill(self) -> None:
        if self.state < 1 << 32 and self.words:
            self.state = self.state << 32 | self.words.pop()

    def pop(self, cumulative: list[int]) -> int:
        """The symbol i whose interval [cumulative[i], cumulative[i + 1]) is on top."""
        q = self.state & (1 << 24) - 1
        symbol = next(i for i in range(len(cumulative) - 1) if cumulative[i] <= q < cumulative[i + 1])
        start, end = cumulative[symbol : symbol + 2]
        self.state = (self.state >> 24) * (end - start) + q - start
        self.refill()
        return symbol


def decode_payload(model: bytes, payload: bytes, height: int, width: int, channels: int) -> bytes:
    """Samples of the picture, row by row, channels together."""
    network = Network(*read_model(model), kind="colour" if channels == 3 else "grey")
    planes: list[Any] = [[[None] * width for _ in range(height)] for _ in range(channels)]
    samples: list[dict[Pixel, int]] = [{} for _ in range(channels)]
    stack = Stack(payload)
    for t in range(width + 3 * (height - 1)):
        pixels = [(y, t - 3 * y) for y in range(height) if 0 <= t - 3 * y < width]
        contexts = {at: context_of(planes, network.config, *at, width) for at in pixels}
        fans = {at: network.trunk(contexts[at]) for at in pixels}
        for p in range(channels):
            tables = {}
            for y, x in pixels:
                known = [planes[q][y][x] for q in range(p)]
                tables[y, x] = network.cumulative(network.parameters(p, fans[y, x], contexts[y, x], known))
            high = {at: stack.pop(tables[at][::16]) for at in pixels}
            for at in pixels:
                c = tables[at][16 * high[at] : 16 * high[at] + 17]
                low = stack.pop([(c_j - c[0]) * ((1 << 24) - 16) // (c[16] - c[0]) + j for j, c_j in enumerate(c)])
                samples[p][at] = 16 * high[at] + low
                planes[p][at[0]][at[1]] = samples[p][at] - (samples[0][at] if p else 0)
    need(stack.state == 1 << 24 and not stack.words, "end of the payload")
    order = (1, 0, 2) if channels == 3 else (0,)
    return bytes(samples[p][y, x] for y in range(height) for x in range(width) for p in order)


# The container


class Reader:
    """Bytes from front to back."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        need(self.at + count <= len(self.data), "truncated")
        self.at += count
        return self.data[self.at - count : self.at]

    def varint(self) -> int:
        value = shift = 0
        while True:
            (byte,) = self.take(1)
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def check(self, start: int) -> None:
        """The CRC-32 that stands here, of everything from ``start``."""
        expected = zlib.crc32(self.data[start : self.at])
        need(int.from_bytes(self.take(4), "little") == expected, "checksum")

    def cbor(self) -> Any:
        """One item of the few kinds that an image's header has."""
        (first,) = self.take(1)
        kind, value = first >> 5, first & 31
        need(value < 28, "CBOR length")
        if value >= 24:
            value = int.from_bytes(self.take(1 << value - 24), "big")
        need(kind in (0, 2, 3, 4, 5), "CBOR type")
        if kind == 0:
            return value
        if kind in (2, 3):
            return self.take(value) if kind == 2 else self.take(value).decode()
        if kind == 4:
            return [self.cbor() for _ in range(value)]
        return {self.cbor(): self.cbor() for _ in range(value)}


def bands_of(payload: bytes, height: int) -> list[tuple[bytes, int]]:
    """Data and rows of each band of a mixing payload."""
    reader = Reader(payload)
    bands = reader.varint()
    need(1 <= bands <= min(64, height), "number of bands")
    lengths = [reader.varint() for _ in range(bands - 1)]
    need(reader.at + sum(lengths) <= len(payload), "lengths of the bands")
    lengths.append(len(payload) - reader.at - sum(lengths))
    rows = [height * (b + 1) // bands - height * b // bands for b in range(bands)]
    return [(reader.take(length), count) for length, count in zip(lengths, rows, strict=True)]


MOST_COLUMNS, MOST_FOR_A_ROW = 4096, 16


def is_turned(height: int, width: int) -> bool:
    """Whether a mixing payload is that of the transpose."""
    return width > MOST_COLUMNS and width > MOST_FOR_A_ROW * height


def turned(samples: bytes, height: int, width: int, channels: int) -> bytes:
    """Samples of the transpose of a picture of this size."""
    starts = [channels * (y * width + x) for x in range(width) for y in range(height)]
    return b"".join(samples[at : at + channels] for at in starts)


@dataclass
class Image:
    """What a file holds."""

    mode: str
    height: int
    width: int
    samples: bytes


def decode_file(data: bytes, model: bytes) -> Image:
    """The image of a .rdz file of mode RGB or L, lossless or near-lossless, with a causal payload."""
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

    (height, width), mode = header[0], ("RGB", "RGBA", "L")[header.get(1, 0)]
    need(header[3][1] == hashlib.sha256(model).digest()[:8], "hash of the model")
    need(header[3][2] == 5, "version of the coder")
    body = Reader(sections[1])
    need(body.take(1) == b"\x01", "codec")
    need(body.varint() == 3, "layout")
    samples = decode_payload(model, body.data[body.at :], height, width, 3 if mode == "RGB" else 1)
    if 15 in header:
        largest, bits = header[15]
        need(1 <= largest <= 31 and bits == 8, "quantiser")
        samples = bytes(min(i * (2 * largest + 1), 255) for i in samples)
    hashed = f"{mode}\0{height}\0{width}\0\0" + "0\0"
    need(hashlib.sha256(hashed.encode() + samples).digest()[:8] == header[2], "pixel hash")
    return Image(mode, height, width, samples)
