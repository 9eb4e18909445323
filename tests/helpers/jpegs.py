"""JPEGs for tests: small ones by Pillow, and such as it cannot write."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from PIL import Image

from rdzip.formats.carriers.table import CARRIERS, JPEG


def by_pillow(mode: str, size: tuple[int, int], seed: int = 3, **options: Any) -> bytes:
    """A JPEG of smooth noise."""
    rng = np.random.default_rng(seed)
    channels = {"L": 1, "RGB": 3, "CMYK": 4}[mode]
    small = rng.integers(0, 256, (max(1, size[1] // 5), max(1, size[0] // 5), channels), np.uint8)
    image = Image.fromarray(small[:, :, 0] if channels == 1 else small, mode).resize(size, Image.Resampling.BICUBIC)
    out = io.BytesIO()
    image.save(out, "JPEG", **options)
    return out.getvalue()


def scan_start(data: bytes) -> int:
    """Where the entropy-coded data of the first scan begin."""
    at = data.index(b"\xff\xda")
    return at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")


def in_scans(data: bytes, groups: Sequence[Sequence[int]]) -> bytes:
    """A baseline JPEG of the same coefficients, with a scan for each group of components."""
    opened = CARRIERS[JPEG].open(data)
    head, tables, _ = opened.skeleton
    before, header, after = head[: head.index(b"\xff\xda")], head[head.index(b"\xff\xda") :], head[scan_start(head) :]
    selectors = [header[5 + 2 * i : 7 + 2 * i] for i in range(header[4])]
    scans = [
        b"\xff\xda\0" + bytes([6 + 2 * len(group), len(group)]) + b"".join(selectors[i] for i in group) + b"\0\x3f\0"
        for group in groups
    ]
    kept = [[len(data)]] * len(groups)
    return CARRIERS[JPEG].close(opened.pictures, [before + b"".join(scans) + after, tables, kept])


def odd_files() -> Iterator[tuple[str, bytes, int]]:
    """JPEGs that decoders take though they are not as T.81 says, or are damaged: what it is, the file, and how many
    bytes a skeleton may have at most, if most of the image is to be coefficients."""
    plain = by_pillow("RGB", (160, 120), quality=85)
    marked = by_pillow("RGB", (160, 120), quality=85, restart_marker_rows=1)
    frame, quantisers = plain.index(b"\xff\xc0"), plain.index(b"\xff\xda")
    late = plain[:-2] + b"\xff\xdc\0\4" + plain[frame + 5 : frame + 7] + b"\xff\xd9"
    yield "DNL", late[: frame + 5] + b"\0\0" + late[frame + 7 :], 130
    yield "no Huffman tables", plain[: plain.index(b"\xff\xc4")] + plain[quantisers:], 130
    yield "markers without DRI", marked[: (at := marked.index(b"\xff\xdd"))] + marked[at + 6 :], 130
    yield "DRI without markers", plain[:quantisers] + b"\xff\xdd\0\4\0\x0a" + plain[quantisers:], 130
    yield "wrong DRI", marked[: at + 5] + b"\7" + marked[at + 6 :], 130
    start = scan_start(marked)
    places = [i for i in range(start, len(marked)) if marked[i - 1] == 255 and marked[i] & 0xF8 == 0xD0]
    same, filled = bytearray(marked), marked
    for i in places:
        same[i] = 0xD5
    for i in reversed(places):
        filled = filled[: i - 1] + b"\xff\xff" + filled[i - 1 :]
    yield "markers of one number", bytes(same), 190
    yield "fill bytes before markers", filled, 190
    yield "fill bytes before the end", plain[:-2] + b"\xff\xff\xff" + plain[-2:], 130
    yield "marker at the end", plain[:-2] + b"\xff\xd0" + plain[-2:], 130
    one, other = places[2], places[4]
    interval = 3 * len(marked) // len(places)
    yield "a marker is missing", marked[: one - 1] + marked[one + 1 :], interval
    yield "a marker too many", marked[: one + 1] + marked[one - 1 :], interval
    yield "intervals are missing", marked[:one] + marked[other:], interval
    yield "an interval is damaged", marked[: one + 20] + b"\xff\0\x12" * 9 + marked[one + 47 :], interval
    yield "scans of one component", in_scans(plain, [[1], [0], [2]]), 130
    yield "cut between scans", in_scans(plain, [[1], [0], [2]])[: -len(plain) // 5], 200
    progressive = by_pillow("RGB", (160, 120), quality=85, progressive=True)
    yield "progressive, cut", progressive[: 7 * len(progressive) // 8], len(progressive) // 8
    last = progressive.rindex(b"\xff\xda")
    wrong = progressive[: last + 8] + b"\x50\x40" + progressive[last + 10 :]
    yield "progressive, wrong last scan", wrong, len(progressive) // 3
