"""JPEGs for tests: small ones by Pillow, and such as it cannot write."""

from __future__ import annotations

import io
from collections.abc import Sequence
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
