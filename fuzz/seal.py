"""Checksums and lengths that would stop most mutants at the door, put right: .rdz files, PNG files, and their mutation.

An input of a target is a file as it would lie on the disk, so a fault can be shown by the file alone.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable

from rdzip.errors import FormatError
from rdzip.formats import cbor
from rdzip.formats.container import MAX_HEADER, SIGNATURE, Section, pack_section, read_varint, write_varint

Mutate = Callable[[bytes, int], bytes]
PNG = b"\x89PNG\r\n\x1a\n"
VALUES = (
    0,
    1,
    2,
    3,
    4,
    7,
    8,
    255,
    256,
    257,
    65535,
    65536,
    (1 << 28) - 1,
    1 << 28,
    (1 << 31) - 1,
    1 << 31,
    (1 << 63) - 1,
)


def seal(data: bytes, depth: int = 2) -> bytes:
    """A .rdz file with its signature and its checksums put right, as far as its lengths lead; members too."""
    out = bytearray(data)
    out[: len(SIGNATURE)] = SIGNATURE
    at = len(SIGNATURE)
    try:
        length, start = read_varint(bytes(out), at + 1)
        at = _crc(out, at, start + length)
        while at < len(out) and out[at]:
            length, start = read_varint(bytes(out), at + 1)
            end = start + length
            if out[at] == 5 and depth and end <= len(out):
                out[start:end] = seal(bytes(out[start:end]), depth - 1)
            at = _crc(out, at, end)
    except FormatError:
        pass
    return bytes(out)


def _crc(out: bytearray, start: int, end: int) -> int:
    """Write the CRC-32 of bytes start..end-1 behind them; FormatError if it has no place."""
    if end + 4 > len(out):
        raise FormatError("cut")
    out[end : end + 4] = zlib.crc32(out[start:end]).to_bytes(4, "little")
    return end + 4


def parts(data: bytes) -> tuple[bytes, list[tuple[int, bytes]]]:
    """Header and sections of a .rdz file, as far as they are there."""
    at = len(SIGNATURE)
    header, sections = b"", []
    try:
        length, start = read_varint(data, at + 1)
        header, at = data[start : start + length], start + length + 4
        while at < len(data) and data[at]:
            length, start = read_varint(data, at + 1)
            sections.append((data[at], data[start : start + length]))
            at = start + length + 4
    except FormatError:
        pass
    return header, sections


def join(header: bytes, sections: list[tuple[int, bytes]]) -> bytes:
    """A .rdz file of these."""
    head = b"\1" + write_varint(len(header)) + header
    pieces: list[bytes | memoryview] = [SIGNATURE, head, zlib.crc32(head).to_bytes(4, "little")]
    for kind, body in sections:
        pieces += pack_section(Section(kind, body))
    return b"".join([*pieces, b"\0"])


def mutate_rdz(data: bytes, max_size: int, seed: int, mutate: Mutate) -> bytes:
    """A mutant of a .rdz file: of its header's values, of one section, or of its sections' order; else of its bytes."""
    rng = random.Random(seed)
    choice = rng.randrange(8)
    header, sections = parts(data)
    if choice == 0 or not header or len(data) > max_size:
        return mutate(data, max_size)
    room = max(16, max_size - len(data))
    if choice <= 2:
        try:
            header = cbor.dumps(changed(cbor.loads(header), rng))
        except (FormatError, ValueError):
            header = mutate(header, min(MAX_HEADER, len(header) + room))
    elif choice == 3 and sections:
        i = rng.randrange(len(sections))
        kind, body = sections[i]
        what = rng.randrange(4)
        if what == 0:
            sections[i] = (rng.choice((1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 128, 129, 255)), body)
        elif what == 1:
            del sections[i]
        elif what == 2:
            sections.insert(rng.randrange(len(sections) + 1), (kind, body))
        else:
            rng.shuffle(sections)
    elif sections:
        i = rng.randrange(len(sections))
        kind, body = sections[i]
        if kind == 5 and rng.random() < 0.8:
            body = mutate_rdz(body, len(body) + room, rng.randrange(1 << 30), mutate)
        else:
            body = mutate(body or b"\0", len(body) + room)
        sections[i] = (kind, body)
    return join(header, sections)[:max_size]


def changed(value: object, rng: random.Random) -> object:
    """A plain value with one thing in it changed."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        what = rng.random()
        if what < 0.1:
            return {k: v for k, v in value.items() if k != key}
        if what < 0.25:
            return value | {rng.randrange(18): rng.choice((value[key], *VALUES, True, "x"))}
        return value | {key: changed(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.9:
        i = rng.randrange(len(value))
        what = rng.random()
        if what < 0.1:
            return value[:i] + value[i + 1 :]
        if what < 0.2:
            return [*value, value[i]]
        return [*value[:i], changed(value[i], rng), *value[i + 1 :]]
    if isinstance(value, bytes) and value and rng.random() < 0.8:
        i = rng.randrange(len(value))
        return value[:i] + bytes([rng.randrange(256)]) + value[i + 1 :]
    if isinstance(value, str) and value and rng.random() < 0.8:
        i = rng.randrange(len(value))
        return value[:i] + rng.choice(("/", "\0", "é", "..", "A", "")) + value[i + 1 :]
    if isinstance(value, int) and not isinstance(value, bool) and rng.random() < 0.6:
        return max(-(1 << 63), min((1 << 64) - 1, value + rng.choice((-1, 1, 2, 256, value, -2 * value))))
    return rng.choice((*VALUES, True, False, None, 1.5, float("nan"), b"", b"12345678", "", "P", [], {}, [1, 1]))


def seal_png(data: bytes) -> bytes:
    """A PNG file with its signature and its checksums put right, as far as its lengths lead."""
    out = bytearray(data)
    out[:8] = PNG
    at = 8
    while at + 12 <= len(out):
        end = at + 8 + int.from_bytes(out[at : at + 4], "big")
        if end + 4 > len(out):
            break
        out[end : end + 4] = zlib.crc32(out[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(out)
