"""A second closer of DICOM, NIfTI, FITS and gzip, from docs/reference/carriers.md alone."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable, Mapping
from math import prod
from typing import Any

from reference import deflate
from reference.carriers import Picture, fields, joined, mirrored, patched, rows_of

LONG = ("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV")
UNDEFINED = 0xFFFFFFFF


def frames(pictures: list[Picture], channels: int, bits: int, kind: str, big: bool, planar: bool = False) -> bytes:
    """Samples of frames; those of 1 bit not yet mirrored."""
    many = channels if bits == 32 or channels > 4 else 1
    values = []
    for i in range(0, len(pictures), many):
        frame = [value for row in joined(pictures[i : i + many], kind) for value in row]
        values += [value for c in range(channels) for value in frame[c::channels]] if planar else frame
    return rows_of([values], bits, big)


def element(data: bytes, at: int, explicit: bool, big: bool) -> tuple[int, str, int, int]:
    """Tag, kind, length and place of the value of an element."""
    order = ">" if big else "<"
    group, number, length = struct.unpack_from(order + "HHI", data, at)
    tag = group << 16 | number
    if not explicit or group == 0xFFFE:
        return tag, "", length, at + 8
    kind = data[at + 4 : at + 6].decode()
    if kind in LONG:
        return tag, kind, struct.unpack_from(order + "I", data, at + 8)[0], at + 12
    return tag, kind, struct.unpack_from(order + "H", data, at + 6)[0], at + 8


def behind(data: bytes, at: int, length: int, kind: str, explicit: bool, big: bool, end: int = 0xFFFEE0DD) -> int:
    """Where a value ends; of an undefined length: behind the delimiter ``end``."""
    if length != UNDEFINED:
        return at + length
    explicit, big = (False, False) if kind == "UN" else (explicit, big)
    while True:
        tag, kind, length, at = element(data, at, explicit, big)
        if tag == end:
            return at
        at = behind(data, at, length, kind, explicit, big, 0xFFFEE00D if tag == 0xFFFEE000 else 0xFFFEE0DD)


def elements(head: bytes) -> tuple[dict[int, tuple[int, int]], bool, bool]:
    """Places and lengths of all elements on top; whether they and the samples have the high byte first."""
    at = 132 if head[128:132] == b"DICM" else 0
    found: dict[int, tuple[int, int]] = {}
    syntax = ""
    while head[at : at + 2] == b"\2\0":
        tag, kind, length, at = element(head, at, True, False)
        if tag == 0x00020010:
            syntax = head[at : at + length].rstrip(b"\0 ").decode()
        at = behind(head, at, length, kind, True, False)
    explicit = syntax[-4:] in (".2.1", ".2.2") if syntax else re.match(rb"[A-Z]{2}", head[at + 4 :]) is not None
    big = syntax == "1.2.840.10008.1.2.2"
    while at < len(head):
        tag, kind, length, at = element(head, at, explicit, big)
        found[tag] = at, length
        if tag in (0x7FE00008, 0x7FE00010):
            break
        at = behind(head, at, length, kind, explicit, big)
    return found, big, big or syntax == "1.2.840.113619.5.2"


def dicom(pictures: list[Picture], skeleton: Any) -> bytes:
    patch, rest, filling, form = fields(skeleton, 4)
    size = sum(len(p.values) * p.size for p in pictures)
    expected = bytes(128) + b"DICM" + bytes.fromhex("02000000554c0400e07f10004f570000")
    head = patched(patch, expected + struct.pack("<I", size + size % 2))
    found, big, big_samples = elements(head)

    def number(tag: int, missing: int = 0) -> int:
        return int.from_bytes(head[found[tag][0] :][:2], "big" if big else "little") if tag in found else missing

    place, length = found.get(0x280004, (0, 0))
    colours = head[place : place + length]
    channels, bits, width = number(0x280002, 1), number(0x280100), number(0x280011)
    planar, sign = number(0x280006), number(0x280103)
    room = next(found[tag][1] for tag in (0x7FE00008, 0x7FE00010) if tag in found)
    many = len(pictures) // 3
    place, length = found.get(0x280008, (0, 0))
    pixels = int(head[place : place + length] or 1) * number(0x280010) * width
    half = colours.startswith((b"YBR_FULL_422", b"YBR_PARTIAL_422")) and not planar and not sign and not width % 2
    if half and room < 3 * pixels:
        samples = b""
        for i in range(many):
            luma, blue, red = (pictures[i + j * many].values for j in range(3))
            samples += bytes(v for j in range(len(blue)) for v in (*luma[2 * j : 2 * j + 2], blue[j], red[j]))
    else:
        kind = "f" if 0x7FE00008 in found else "i" if sign and bits > 1 else "u"
        samples = frames(pictures, channels, bits, kind, big_samples, planar == 1 and channels > 1)
    if bits == 1:
        samples = mirrored(samples[:-1] + bytes([samples[-1] | (filling or b"\0")[0]]))
    if form:
        table = bytearray(head)
        factor = {1: 256, 2: 257, 3: 1, 4: 1}[form]
        for c in range(3):
            own = rows_of([[v * factor for v in pictures[0].palette[c::3]]], 8 if form == 4 else 16, big)
            at = found[0x281201 + c][0]
            table[at : at + len(own)] = own
        head = bytes(table)
    return head + samples + patched(rest, bytes(len(samples) % 2))


def nifti(pictures: list[Picture], skeleton: Any) -> bytes:
    patch, extensions, rest, form = fields(skeleton, 4)
    first, order, second = pictures[0], "<>"[form % 2], form > 1
    datatype = {"I;16": 4, "I": 8, "F": 16, "RGB": 128, "RGBA": 2304}.get(first.mode, 2)
    bits = {2: 8, 4: 16, 8: 32, 16: 32, 128: 24, 2304: 32}[datatype]
    axes = [3, first.width, first.height, len(pictures), 1, 1, 1, 1]
    if second:
        head = bytearray(544)
        struct.pack_into(order + "i8shh8q", head, 0, 540, b"n+2\0\r\n\x1a\n", datatype, bits, *axes)
        struct.pack_into(order + "8dq", head, 104, *[1] * 8, 544)
    else:
        head = bytearray(352)
        struct.pack_into(order + "i", head, 0, 348)
        struct.pack_into(order + "8h", head, 40, *(n % (1 << 15) for n in axes))
        struct.pack_into(order + "hh", head, 70, datatype, bits)
        struct.pack_into(order + "9f", head, 76, *[1] * 8, 352)
        head[38], head[344:348] = ord("r"), b"n+1\0"
    start = patched(patch, bytes(head))
    datatype = struct.unpack_from(order + "h", start, 12 if second else 70)[0]
    channels, bits, kind = {
        2: (1, 8, "u"), 4: (1, 16, "i"), 8: (1, 32, "i"), 16: (1, 32, "f"), 128: (3, 8, "u"), 256: (1, 8, "i"),
        512: (1, 16, "u"), 768: (1, 32, "u"), 2304: (4, 8, "u"),
    }[datatype]  # fmt: skip
    return start + (extensions or b"") + frames(pictures, channels, bits, kind, order == ">") + (rest or b"")


def fits(pictures: list[Picture], skeleton: list[Any]) -> bytes:
    first, n = pictures[0], len(pictures)
    bits = {"I;16": 16, "I": 32, "F": -32}.get(first.mode, 8)
    axes = [first.width, first.height] + [n] * (n > 1)
    cards = [
        f"SIMPLE  = {'T':>20} / conforms to FITS standard", f"BITPIX  = {bits:>20} / array data type",
        f"NAXIS   = {len(axes):>20} / number of array dimensions",
        *(f"NAXIS{i}  = {axis:>20}" for i, axis in enumerate(axes, 1)), "END",
    ]  # fmt: skip
    expected = "".join(f"{card:80}" for card in cards).ljust(2880).encode()
    out, patches, left = b"", list(skeleton), list(pictures)
    at = 0
    while True:
        gap = patched(patches.pop(0) if patches else [], expected)
        out += gap
        if not left:
            return out
        while True:
            values, end = cards_of(gap, at)
            sizes = [values[b"NAXIS%d" % (i + 1)] for i in range(values[b"NAXIS"])]
            more, groups = values.get(b"PCOUNT", 0), values.get(b"GCOUNT", 1)
            if end == len(gap):
                break
            used = sizes[1:] if gap[at : at + 6] == b"SIMPLE" and len(sizes) > 1 and not sizes[0] else sizes
            size = abs(values[b"BITPIX"]) // 8 * groups * (more + (prod(used) if used else 0))
            at = end + size + -size % 2880
        bits = values[b"BITPIX"]
        many = prod(sizes[2:])
        samples = frames(left[:many], 1, abs(bits), "i" if bits == 16 else "u", True)
        out, left = out + samples, left[many:]
        at = -len(samples) % 2880
        expected = bytes(at)


def cards_of(data: bytes, at: int) -> tuple[dict[bytes, int], int]:
    """Integers of a head by their keywords, and where it ends."""
    values: dict[bytes, int] = {}
    here = at
    while data[here : here + 8] != b"END     ":
        card = data[here : here + 80]
        if found := re.fullmatch(rb"= +([+-]?\d+) *(/.*)?", card[8:], re.DOTALL):
            values.setdefault(card[:8].rstrip(), int(found[1]))
        here += 80
    here += 80
    return values, here + -(here - at) % 2880


def gzip(pictures: list[Picture], skeleton: Any, closers: Mapping[int, Callable[[list[Picture], Any], bytes]]) -> bytes:
    """closers: by the numbers of carriers."""
    number, inner, recipe, head, rest = fields(skeleton, 5)
    data = closers[number](pictures, inner)
    stream = deflate.rebuild(data, recipe)
    return b"\x1f\x8b\x08" + head + stream + struct.pack("<II", zlib.crc32(data), len(data)) + (rest or b"")
