"""Mutants of small JPEGs through their carrier: each comes back byte for byte, or is refused by the one exception.

Sources are made by Pillow: grey, RGB, CMYK; baseline, progressive, optimised, with restart markers; of sides 8 to 60.
Mutants have bits turned, bytes changed, inserted, left out, or are cut, anywhere in the file.

nice -n 19 python benchmarks/jpeg_mutants.py
"""

from __future__ import annotations

import argparse
import io
import resource
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import common
import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from helpers.carrier_support import carried_or_not, mutants

from rdzip.formats.carriers.table import CARRIERS, JPEG

KINDS: tuple[dict[str, Any], ...] = (
    {}, {"progressive": True}, {"optimize": True}, {"restart_marker_blocks": 1},
    {"progressive": True, "restart_marker_blocks": 2}, {"quality": 95, "subsampling": 0},
)  # fmt: skip


def sources() -> list[bytes]:
    """Small JPEGs of many kinds."""
    rng = np.random.default_rng(0)
    found = []
    for mode in ("L", "RGB", "CMYK"):
        for options in KINDS:
            for width, height in ((8, 8), (33, 20), (60, 47)):
                small = Image.fromarray(rng.integers(0, 256, (height // 4, width // 4, 3), np.uint8))
                out = io.BytesIO()
                small.resize((width, height), Image.Resampling.BICUBIC).convert(mode).save(out, "JPEG", **options)
                found.append(out.getvalue())
    return found


def main() -> None:
    """Read the command line, and write what became of the mutants; any other exception ends it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000, help="mutants in all")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    files = sources()
    each = -(-args.count // len(files))
    row, seen, slowest, start = CARRIERS[JPEG], Counter[bool](), 0.0, time.perf_counter()
    for number, data in enumerate(files):
        assert carried_or_not(row, data)
        for mutant in mutants(data, each, args.seed + number, len(data)):
            before = time.perf_counter()
            seen[carried_or_not(row, mutant)] += 1
            if number:  # else it is compiling
                slowest = max(slowest, time.perf_counter() - before)
    record = {
        "sources": len(files),
        "mutants": each * len(files),
        "came_back": seen[True],
        "refused": seen[False],
        "seconds": round(time.perf_counter() - start, 1),
        "slowest_seconds": round(slowest, 3),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    print(common.write("jpeg-mutants", record))


if __name__ == "__main__":
    main()
