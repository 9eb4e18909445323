"""A second reader of whole files, pictures, batches and archives, written from docs/reference/format.md.

Slow and plain: it shares nothing with rdzip, and takes payloads to the other slow decoders. Lossy files are read up to
their latents.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from reference import fast_mixing, slow_mixing
from reference import latents as slow_latents
from reference import lossy as slow_lossy
from reference.classic import classic, unlzma
from reference.container import SIGNATURE, Network, Reader, decode_payload, need, read_model
from reference.luma_chroma import coloured

Models = Callable[[bytes], bytes]
"""From the first 8 bytes of a model's hash to its file."""
FORMAT = (Path(__file__).resolve().parents[2] / "docs" / "reference" / "format.md").read_text("utf-8")
CONTEXTS = [
    [[int(f) for f in item.split(",") if f != "-"] for item in block.split()]
    for block in re.findall(r"```contexts\n(.*?)```", FORMAT, re.DOTALL)
]
MODES = {
    int(number): (
        name.split()[0],
        2 if "16" in sample else 4 if "32" in sample else 1,
        int(channels[0]),
        "alpha" in channels,
    )
    for number, name, sample, channels in re.findall(
        r"^\| (\d+) \| (\S[^|]*) \| ([^|]*(?:bits)[^|]*) \| (\d[^|]*) \|$", FORMAT.partition("Modes.")[2], re.MULTILINE
    )
}
"""Name, bytes of a sample, channels, and whether the last is alpha, by number."""
COLOUR, ALPHA, PALETTE, METADATA, MEMBER, INDEX, TAIL, CHAIN, NAMES, SEQUENCES = range(1, 11)
DESCRIPTION = 13
NARROWED = {"I;16": 2, "I;16B": 2, "RGB;16": 0}


class Values(Reader):
    """A reader of CBOR in its shortest form."""

    def value(self, depth: int = 0) -> Any:
        need(depth <= 8, "nesting")
        (first,) = self.take(1)
        kind, low = first >> 5, first & 31
        if kind == 7:
            need(low in (20, 21, 22, 27), "simple value")
            return struct.unpack(">d", self.take(8))[0] if low == 27 else (False, True, None)[low - 20]
        need(low < 28 and kind < 6, "kind or length")
        count = low
        if low >= 24:
            size = 1 << low - 24
            count = int.from_bytes(self.take(size), "big")
            need(count >= (24 if size == 1 else 1 << 4 * size), "shortest form")
        if kind < 2:
            return -1 - count if kind else count
        if kind < 4:
            return self.take(count) if kind == 2 else self.take(count).decode("utf-8", "surrogateescape")
        if kind == 4:
            return [self.value(depth + 1) for _ in range(count)]
        pairs = [(self.value(depth + 1), self.value(depth + 1)) for _ in range(count)]
        need(len(dict(pairs)) == count and all(type(key) in (int, str) for key, _ in pairs), "keys")
        return dict(pairs)


def cbor(data: bytes) -> Any:
    """The one value in these bytes."""
    reader = Values(data)
    value = reader.value()
    need(reader.at == len(data), "bytes after a value")
    return value


@dataclass
class File:
    """Header and sections, with the position of each."""

    header: dict[int, Any]
    sections: list[tuple[int, bytes, int]]

    def body(self, kind: int) -> bytes | None:
        """The section of a type, None if there is none."""
        found = [body for other, body, _ in self.sections if other == kind]
        return found[0] if found else None


def read(data: bytes) -> File:
    """The container."""
    reader = Reader(data)
    need(reader.take(8) == SIGNATURE and reader.take(1) == b"\x01", "signature or version")
    length = reader.varint()
    need(length <= 65536, "length of the header")
    header = reader.take(length)
    reader.check(8)
    sections = []
    while True:
        start = reader.at
        (kind,) = reader.take(1)
        if not kind:
            break
        body = reader.take(reader.varint())
        reader.check(start)
        need(kind <= SEQUENCES or kind == DESCRIPTION or kind >= 128, "unknown section")
        sections.append((kind, body, start))
    need(reader.at == len(data), "bytes after the end mark")
    once = [kind for kind, _, _ in sections if kind < 128 and kind not in (MEMBER, CHAIN)]
    need(len(set(once)) == len(once), "a section twice")
    return File(cbor(header), sections)


def unpacked(body: bytes) -> bytes:
    """A packed byte string."""
    reader = Reader(body)
    (form,) = reader.take(1)
    need(form < 2, "form of packed bytes")
    if not form:
        return body[1:]
    size = reader.varint()
    return unlzma(body[reader.at :], size, lc=3, dict_size=1 << 20)


# Pictures


@dataclass
class Picture:
    """What a file of a picture holds; of a lossy one the latents of its tiles in place of samples."""

    mode: str
    height: int
    width: int
    size: int
    samples: list[int] = field(default_factory=list)
    palette: bytes = b""
    palette_mode: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    source: str = "PNG"
    tiles: list[Any] = field(default_factory=list)

    def octets(self) -> bytes:
        """Samples, little-endian."""
        return b"".join(v.to_bytes(self.size, "little") for v in self.samples)


def picture(data: bytes, models: Models) -> Picture:
    """The picture of a file, its hash compared."""
    file = read(data)
    head = file.header
    need(set(head) <= {0, 1, 2, 3, 4, 5, 6, 14, 15}, "keys")
    height, width = head[0]
    mode, size, channels, alpha = MODES[head.get(1, 0)]
    found = Picture(mode, height, width, size, source=head.get(6, "PNG"))
    if (body := file.body(PALETTE)) is not None:
        found.palette_mode, found.palette = "RGBA"[: body[0]], unpacked(body[1:])
    need((body is not None) == (mode in ("P", "PA")), "palette")
    if (body := file.body(METADATA)) is not None:
        found.metadata = cbor(unpacked(body))
    model = models(head[3][1]) if 3 in head else b""
    if 14 in head:
        return lossy(file, found, model)
    if 15 in head:
        largest, bits = head[15]
        full = 8 * size
        if bits < full:
            _, size, channels, alpha = MODES[NARROWED[mode]]
    arrangement = head.get(5, 0)
    if arrangement == 1:
        channels -= 2
    if arrangement == 2:
        channels = len(found.palette_mode)
    samples = planes(file, height, width, channels, size, model)
    if arrangement == 1:
        samples = [samples[i + c] for i in range(0, len(samples), channels) for c in (0, 0, *range(channels))]
    elif arrangement == 2:
        step = channels
        colours = [found.palette[i : i + step] for i in range(0, len(found.palette) - step + 1, step)]
        samples = [colours.index(bytes(samples[i : i + step])) for i in range(0, len(samples), step)]
    elif arrangement == 3:
        need(max(samples) < 2, "two levels")
        samples = [255 * v for v in samples]
    need((file.body(DESCRIPTION) is not None) == (arrangement == 4), "description")
    if arrangement == 4:
        samples = coloured(samples, file.body(DESCRIPTION) or b"", height, width, channels)
    if 15 in head:
        step, every = 2 * largest + 1, MODES[head.get(1, 0)][2]
        samples = [
            v if alpha and i % every == every - 1 else min(v * step, (1 << full) - 1) for i, v in enumerate(samples)
        ]
    found.samples = samples
    hashed = f"{mode}\0{height}\0{width}\0{found.palette_mode}\0{len(found.palette)}\0".encode()
    need(hashlib.sha256(hashed + found.palette + found.octets()).digest()[:8] == head[2], "pixel hash")
    return found


def planes(file: File, height: int, width: int, channels: int, size: int, model: bytes) -> list[int]:
    """Samples of the colour section, and of the alpha section if there is one."""
    colour, alpha = file.body(COLOUR), file.body(ALPHA)
    assert colour is not None
    if alpha is None:
        return plane(colour, height, width, channels, size, model)
    step = channels - 1
    first = plane(colour, height, width, step, size, model)
    last = plane(alpha, height, width, 1, size, model)
    return [v for i, a in enumerate(last) for v in (*first[i * step : (i + 1) * step], a)]


def plane(body: bytes, height: int, width: int, channels: int, size: int, model: bytes) -> list[int]:
    """Samples of a plane group."""
    reader = Reader(body)
    (codec,) = reader.take(1)
    layout = reader.varint()
    payload = body[reader.at :]
    if codec == 0:
        return classic(layout, payload, height, width, channels, size)
    need(size == 1 and channels in (1, 3), "samples of a model")
    if codec == 1:
        need(layout == 3, "layout")
        return list(decode_payload(model, payload, height, width, channels))
    if codec == 2:
        need(layout == 1, "layout")
        return tiles(payload, height, width, channels, model)
    need(codec == 4, "codec")
    kind = "colour" if channels == 3 else "grey"
    network = Network(*_read_model(model), kind=kind) if layout in (3, 5) else None
    if 1 <= layout <= 3:
        return list(fast_mixing.decode(payload, height, width, channels, layout, network))
    need(layout in (4, 5), "layout")
    return list(slow_mixing.decode(payload, height, width, channels, CONTEXTS, network))


def tiles(payload: bytes, height: int, width: int, channels: int, model: bytes) -> list[int]:
    """Samples of a picture by a codec of latents."""
    shape = (height, width) if channels == 1 else (height, width, channels)
    found, rows, kind, first = slow_latents.decode_picture(_load(model), payload, shape)
    above = classic(kind, first, rows, width, channels, 1) if rows else []
    return above + [found[y, x] for y in range(rows, height) for x in range(width * channels)]


_load = cache(slow_latents.load)
_read_model = cache(read_model)
_program = cache(slow_lossy.program_of)


def lossy(file: File, found: Picture, model: bytes) -> Picture:
    """A lossy picture up to its latents, their hash compared."""
    height, width = found.height, found.width
    body = file.body(COLOUR)
    assert body is not None
    reader = Reader(body)
    need(reader.take(1) == b"\x03", "codec")
    need(slow_lossy.CODECS[reader.varint()] in slow_lossy.codecs_of(_read_model(model)[1]), "codec of the model")
    setting, _, found.tiles = slow_lossy.decode_payload(_program(model), body[reader.at :], height, width)
    alpha = b""
    if (body := file.body(ALPHA)) is not None:
        alpha = bytes(plane(body, height, width, 1, 1, b""))
    arrays = [tile[name] for tile in found.tiles for name in sorted(tile)]
    symbols = b"".join(struct.pack("<i", v) for array in arrays for plane in array for row in plane for v in row)
    hashed = f"{found.mode}\0{height}\0{width}\0{setting}\0".encode() + hashlib.sha256(symbols).digest() + alpha
    need(hashlib.sha256(hashed).digest()[:8] == file.header[14], "hash of symbols")
    return found


# Batches and archives


@dataclass
class Batch:
    """What a batch holds: its samples in order, little-endian; names and formats, or lengths."""

    samples: bytes
    names: list[list[str]] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)


def batch(data: bytes, models: Models) -> Batch:
    """The items of a batch, the hash of each segment compared."""
    file = read(data)
    head = file.header
    need(set(head) <= {0, 1, 3, 7, 8, 9, 10, 11, 12, 13} and head[7] == 2, "keys")
    shape, form = head[0], head.get(8, 0)
    count, of_segment = shape[0], head.get(9, shape[0])
    found = Batch(b"")
    if form == 1:
        names = cbor(unpacked(file.body(NAMES) or b""))
        found.names = [name if isinstance(name, list) else [name, "PNG"] for name in names]
        need(len(names) == count, "names")
    if form > 1:
        found.lengths, kind = cbor(unpacked(file.body(SEQUENCES) or b""))
        need(len(found.lengths) == count and any(found.lengths) and re.fullmatch("[<|][iu][1248]", kind), "lengths")
    bodies = [body for kind, body, _ in file.sections if kind == (CHAIN if 3 in head else MEMBER)]
    need(len(bodies) == -(-count // of_segment), "segments")
    model = models(head[3][1]) if 3 in head else b""
    for number, body in enumerate(bodies):
        first, end = number * of_segment, min(count, (number + 1) * of_segment)
        lengths = found.lengths[first:end]
        if 3 in head:
            found.samples += chain(body, head, first, end, lengths, model)
        elif form > 1:
            found.samples += picture(body, models).octets() if any(lengths) else b""
        else:
            found.samples += mosaic(picture(body, models), end - first, *shape[1:])
    return found


def chain(body: bytes, head: dict[int, Any], first: int, end: int, lengths: Sequence[int], model: bytes) -> bytes:
    """Samples of a segment with a model."""
    shape, factor = head[0], head.get(13, 1)
    if head.get(8, 0) > 1:
        shapes = [(n, shape[1]) for n in lengths if n]
        sizes = [sum(lengths), shape[1]]
    else:
        shapes = [tuple(shape[1:])] * (end - first)
        sizes = [end - first, *shape[1:]]
    items = slow_latents.decode_chain(_load(model), body[8:], shapes) if shapes else []
    samples = bytes(factor * v for item in items for v in flat(item))
    hashed = "".join(f"{n}\0" for n in (first, *sizes, *lengths)).encode()
    need(hashlib.sha256(hashed + samples).digest()[:8] == body[:8], "hash of a segment")
    return samples


def flat(values: Any) -> Iterator[int]:
    """Numbers of lists within lists."""
    for value in values:
        if isinstance(value, list):
            yield from flat(value)
        else:
            yield value


def mosaic(found: Picture, count: int, height: int, width: int, channels: int = 1) -> bytes:
    """Samples of the items in a picture."""
    across = found.width // width
    need(found.width == across * width and found.height == -(-count // across) * height, "mosaic")
    size, row = found.size * channels, found.width
    octets = found.octets()
    out = []
    for i in range(count):
        top, left = i // across * height, i % across * width
        out += [octets[((top + y) * row + left) * size :][: width * size] for y in range(height)]
    return b"".join(out)


def archive(data: bytes) -> list[tuple[str, bytes]]:
    """Names and files of an archive's members, found by its tail and index alone, and in order."""
    file = read(data)
    need(file.header == {7: 1}, "header")
    need(data[-15] == TAIL and data[-14] == 8, "tail")
    start = int.from_bytes(data[-13:-5], "little")
    index = cbor(unpacked(next(body for kind, body, at in file.sections if kind == INDEX and at == start)))
    members = [(at, body) for kind, body, at in file.sections if kind == MEMBER]
    need([[at, len(body)] for at, body in members] == [entry[1:] for entry in index], "index")
    return [(entry[0], body) for entry, (_, body) in zip(index, members, strict=True)]
