"""Mutants of files through the carriers of their formats: python -m fuzz.carriers --count 100000 FILE...

Each must be refused by NotCarriedError, or come back byte for byte; hostile skeletons must be refused by FormatError,
or give bytes of a bounded length.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from helpers.carrier_support import carried_or_not, close_hostile, mutants
from helpers.png_files import mended

from rdzip.formats.carriers.table import carrier_of


def main() -> None:
    """Read the command line, and print for each file what became of its mutants."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--count", type=int, default=10_000, help="mutants of each file")
    parser.add_argument("--hostile", type=int, default=0, help="hostile skeletons of each file")
    parser.add_argument("--head", type=int, default=512, help="bytes of the head, where most of the changes are")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    for path in args.files:
        data = path.read_bytes()
        row = carrier_of(data)
        if row is None:
            print(f"{path}: of no format that is carried")
            continue
        start, slowest = time.perf_counter(), 0.0
        seen: Counter[bool] = Counter()
        for i, mutant in enumerate(mutants(data, args.count, args.seed, args.head)):
            if row.name == "PNG" and i % 4:  # else checksums tell them all
                mutant = mended(mutant)
            before = time.perf_counter()
            seen[carried_or_not(row, mutant)] += 1
            slowest = max(slowest, time.perf_counter() - before)
        if args.hostile:
            close_hostile(row.number, row.open(data), args.hostile, args.seed)
        took = time.perf_counter() - start
        print(
            f"{path}: {row.name}, {seen[True]} came back, {seen[False]} refused, {took:.0f} s, slowest {slowest:.2f} s"
        )


if __name__ == "__main__":
    main()
