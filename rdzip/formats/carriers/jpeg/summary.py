"""What a skeleton of a JPEG says of it to users. No numpy here."""

from __future__ import annotations

from typing import Any

DHT, DQT, PROGRESSIVE, OPTIMAL = 0xC4, 0xDB, 0xC2, 2
ALONE = (0x01, *range(0xD0, 0xDA))
USUAL_DC, USUAL_AC = 28, 178
"""Bytes of the usual Huffman tables."""


def scans_of(skeleton: Any) -> tuple[int, bool]:
    """Return how many scans the JPEG of a skeleton has, and whether it is progressive; (0, False) of none."""
    if not (isinstance(skeleton, list) and len(skeleton) > 2 and isinstance(skeleton[2], list)):
        return 0, False
    head, tables = skeleton[0], iter(skeleton[1] if isinstance(skeleton[1], list) else [])
    pieces = head if isinstance(head, list) else [head]
    data, at = b"".join(piece for piece in pieces if isinstance(piece, bytes)), 2
    inside = len(pieces) > 1
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            break
        marker, size = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == 0xFF or marker in ALONE:
            at += 1 if marker == 0xFF else 2
            continue
        if 0xC0 <= marker <= 0xC2:
            return len(skeleton[2]), marker == PROGRESSIVE
        at += 2 + (_kept(data, at + 4, size - 2, marker, tables) + 2 if marker in (DHT, DQT) else size)
        if inside and marker & 0xF0 == 0xE0:  # a thumbnail was taken out of it: go on at the next frame that looks so
            found = [data.find(bytes([0xFF, frame, 0, 17, 8])) for frame in (0xC0, 0xC1, PROGRESSIVE)]
            return len(skeleton[2]), found[2] > 0 and found[0] < 0 and found[1] < 0
    return len(skeleton[2]), False


def _kept(data: bytes, at: int, size: int, marker: int, tables: Any) -> int:
    """Return how many bytes of a segment of tables the head has."""
    start, length = at, 0
    while length < size and at < len(data):
        kind, known = data[at], next(tables, 0)
        if marker == DHT and known == OPTIMAL:
            return at + 1 - start
        count = (128 if kind >> 4 else 64) if marker == DQT else USUAL_AC if kind >> 4 else USUAL_DC
        if marker == DHT and not known:
            count = 16 + sum(data[at + 1 : at + 17])
        at += 1 if known else 1 + count
        length += 1 + count
    return at - start
