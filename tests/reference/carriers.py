"""A second closer of carriers, from docs/reference/carriers.md alone: BMP, PNM, NPY, TGA, and what all share."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import Any

CHANNELS = {"RGB": 3, "RGBA": 4, "LA": 2, "CMYK": 4, "YCbCr": 3, "LAB": 3, "LA;16": 2, "RGB;16": 3, "RGBA;16": 4}
SIZES = {"I": 4, "F": 4, "I;16": 2, "LA;16": 2, "RGB;16": 2, "RGBA;16": 2}


@dataclass
class Picture:
    """values: unsigned integers of 8, 16 or 32 bits, row by row, pixel by pixel, channel by channel."""

    mode: str
    height: int
    width: int
    values: list[int]
    palette: bytes = b""

    @property
    def channels(self) -> int:
        return CHANNELS.get(self.mode, 1)

    @property
    def size(self) -> int:
        return SIZES.get(self.mode, 1)


def fields(skeleton: Any, count: int) -> list[Any]:
    return [*(skeleton or []), *[0] * (count - len(skeleton or []))]


def patched(patch: Any, expected: bytes) -> bytes:
    out, at = b"", 0
    steps = patch or []
    for skip, removed, inserted in zip(steps[::3], steps[1::3], steps[2::3], strict=True):
        out += expected[at : at + skip] + inserted
        at += skip + removed
    return out + expected[at:]


def mirrored(data: bytes) -> bytes:
    return bytes(int(f"{byte:08b}"[::-1], 2) for byte in data)


def rows_of(rows: list[list[int]], bits: int, big: bool, align: int = 1, filling: bytes = b"") -> bytes:
    """Rows of samples in bytes; bits that fill rows up are given, or 0."""
    out = b""
    for number, row in enumerate(rows):
        if bits in (8, 16, 32):
            line = b"".join(value.to_bytes(bits // 8, "big" if big else "little") for value in row)
            line += bytes(-len(line) % align)
        else:
            text = "".join(f"{value:0{bits}b}" for value in row)
            text += "0" * (-len(text) % (8 * align))
            line = int(text, 2).to_bytes(len(text) // 8, "big")
        if filling:
            first = len(row) * bits // 8
            part = len(line) - first
            own = filling[number * part : (number + 1) * part]
            line = line[:first] + bytes(a | b for a, b in zip(line[first:], own, strict=True))
        out += line
    return out


def turned(values: list[int], size: int, kind: str) -> list[int]:
    """Samples as they are in the file, of those of pictures."""
    sign = 1 << (8 * size - 1)
    if size == 4 or kind == "u":
        return values
    if kind == "i":
        return [value ^ sign for value in values]
    return [value ^ sign if value & sign else value ^ (2 * sign - 1) for value in values]


def joined(pictures: list[Picture], kind: str) -> list[list[int]]:
    """Rows of samples with their channels, of one picture or of one for each channel."""
    first = pictures[0]
    values = first.values
    if len(pictures) > 1:
        values = [value for pixel in zip(*(p.values for p in pictures), strict=True) for value in pixel]
    values = turned(values, first.size, kind)
    step = len(values) // first.height
    return [values[i : i + step] for i in range(0, len(values), step)]


def bmp(pictures: list[Picture], skeleton: Any) -> bytes:
    patch, filling, fourth, rest = fields(skeleton, 4)
    (picture,) = pictures
    w, h = picture.width, picture.height
    palette = picture.palette
    if picture.mode == "L":
        palette = bytes(v for i in range(256) for v in (i, i, i))
    elif picture.mode == "1":
        palette = bytes([0, 0, 0, 255, 255, 255])
    n = len(palette) // 3
    bits = next(b for b in (1, 4, 8) if 1 << b >= n) if n else 32 if picture.mode == "RGBA" else 24
    start, size = 54 + 4 * n, -(-w * bits // 32) * 4 * h
    head = b"BM" + struct.pack("<III", start + size, 0, start)
    head += struct.pack("<IIIHHIIIIII", 40, w, h, 1, bits, 0, size, 0, 0, 0, 0)
    for i in range(n):
        head += palette[3 * i : 3 * i + 3][::-1] + b"\0"
    head = patched(patch, head)
    length = struct.unpack_from("<I", head, 14)[0]
    if length == 12:
        h, bits, method = *struct.unpack_from("<H2xH", head, 20), 0
    else:
        h, bits, method = struct.unpack_from("<i2xHI", head, 22)
    masks = struct.unpack_from("<III", head, 54) if method else (0x7C00, 0x3E0, 0x1F) if bits == 16 else ()
    rows = joined(pictures, "u")
    if bits == 24:
        rows = [[v for i in range(0, len(row), 3) for v in row[i : i + 3][::-1]] for row in rows]
    if bits == 32:
        masks = masks or (0xFF0000, 0xFF00, 0xFF)
        places = [(mask.bit_length() - 1) // 8 for mask in masks]
        places.append(({0, 1, 2, 3} - set(places)).pop())
        lines = []
        for row in rows:
            line = []
            for i in range(0, len(row), picture.channels):
                pixel = [*row[i : i + picture.channels], *([fourth - 1] if fourth else [])]
                line += [pixel[places.index(byte)] for byte in range(4)]
            lines.append(line)
        rows = lines
    if bits == 16:
        rows = [
            [sum(v * (m & -m) for v, m in zip(row[i : i + 3], masks, strict=True)) for i in range(0, len(row), 3)]
            for row in rows
        ]
    body = rows_of(rows if h < 0 else rows[::-1], {24: 8, 32: 8}.get(bits, bits), False, 4, filling or b"")
    return head + body + (rest or b"")


def pnm_head(picture: Picture) -> bytes:
    w, h, mode = picture.width, picture.height, picture.mode
    most = 65535 if picture.size > 1 else 255
    if mode == "F":
        return b"Pf\n%d %d\n-1.0\n" % (w, h)
    if mode == "1":
        return b"P4\n%d %d\n" % (w, h)
    if mode[:2] == "LA" or mode[:4] == "RGBA":
        depth, name = (2, b"GRAYSCALE_ALPHA") if mode[:2] == "LA" else (4, b"RGB_ALPHA")
        return b"P7\nWIDTH %d\nHEIGHT %d\nDEPTH %d\nMAXVAL %d\nTUPLTYPE %s\nENDHDR\n" % (w, h, depth, most, name)
    return b"P%d\n%d %d\n%d\n" % (6 if mode[:3] == "RGB" else 5, w, h, most)


def pnm(pictures: list[Picture], skeleton: Any) -> bytes:
    images, rest = fields(skeleton, 2)
    out, left = b"", list(pictures)
    for image in images or [[]] * len(pictures):
        patch, filling, layout = fields(image, 3)
        head = patched(patch, pnm_head(left[0]))
        kind = chr(head[1])
        if kind == "7":
            channels, most = (int(re.findall(rb"%s (\d+)" % key, head)[0]) for key in (b"DEPTH", b"MAXVAL"))
        else:
            words = re.sub(rb"#[^\r\n]*", b"", head).split()
            channels, most = 3 if kind in "36F" else 1, 1 if kind in "14Ff" else int(words[3])
        many = channels if left[0].mode == "F" or channels > 4 else 1
        rows = joined(left[:many], "u")
        del left[:many]
        if kind in "Ff":
            body = rows_of(rows[::-1], 32, not head.split()[3].startswith(b"-"))
        elif kind in "123":
            body = plain(rows, layout)
        else:
            body = rows_of(rows, 1 if kind == "4" else 8 if most < 256 else 16, True, 1, filling or b"")
        out += head + body
    return out + (rest or b"")


def plain(rows: list[list[int]], layout: Any) -> bytes:
    line, between, after, last, places, first = fields(layout, 6)
    between, after = ({0: usual, 1: b""}.get(g, g) for g, usual in ((between, b" "), (after, b"\n")))
    words = [str(value).rjust(places).encode() for row in rows for value in row]
    out = first or b""
    for i, word in enumerate(words):
        end = (last or b"") if i + 1 == len(words) else after if (i + 1) % (line or len(rows[0])) == 0 else between
        out += word + end
    return out


def npy(pictures: list[Picture], skeleton: Any) -> bytes:
    patch, rest = fields(skeleton, 2)
    first = pictures[0]
    shape: tuple[int, ...] = (first.height, first.width)
    shape = ((len(pictures),) if len(pictures) > 1 else ()) + shape + ((first.channels,) if first.channels > 1 else ())
    kind = {"1": "|b1", "I": "<i4", "F": "<f4"}.get(first.mode, "<u2" if first.size == 2 else "|u1")
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}"
    text += " " * (-(len(text) + 11) % 64) + "\n"
    head = patched(patch, b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text.encode())
    found = re.search(rb"'(.)(.)(\d+)'.*(True|False).*\(([^)]*)\)", head)
    assert found
    order, sort, size, fortran = found[1], found[2].decode(), int(found[3]), found[4] == b"True"
    axes = [int(n) for n in found[5].split(b",") if n.strip()]
    axes = axes[::-1] if fortran else axes
    channels = 1
    if len(axes) > 2 and 2 <= axes[0 if fortran else -1] <= 4:
        channels = axes.pop(0 if fortran else -1)
    many = channels if size == 4 else 1
    frames = [joined(pictures[i : i + many], {"b": "u"}.get(sort, sort)) for i in range(0, len(pictures), many)]
    values = [value for rows in frames for row in rows for value in row]
    if fortran:
        values = [value for c in range(channels) for value in values[c::channels]]
    return head + rows_of([values], 8 * size, order == b">") + (rest or b"")


def tga(pictures: list[Picture], skeleton: Any) -> bytes:
    patch, rest = fields(skeleton, 2)
    (picture,) = pictures
    mapped = picture.mode == "P"
    kind = 1 if mapped else 3 if picture.mode in ("L", "LA") else 2
    bits, n = 8 * picture.channels, len(picture.palette) // 3
    head = struct.pack("<BBBHHB", 0, mapped, kind, 0, n * mapped, 24 * mapped)
    head += struct.pack("<HHHHBB", 0, 0, picture.width, picture.height, bits, 8 if bits in (16, 32) else 0)
    for i in range(n * mapped):
        head += picture.palette[3 * i : 3 * i + 3][::-1]
    head = patched(patch, head)
    rows = joined(pictures, "u")
    if picture.channels > 2:
        step = picture.channels
        rows = [
            [v for i in range(0, len(row), step) for v in (*row[i : i + 3][::-1], *row[i + 3 : i + step])]
            for row in rows
        ]
    body = rows_of(rows if head[17] & 0x20 else rows[::-1], 8, False)
    return head + body + (bytes(8) + b"TRUEVISION-XFILE.\0" if rest == 1 else rest or b"")
