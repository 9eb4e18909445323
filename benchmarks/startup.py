"""Seconds until `rdzip --help` and `rdzip info` have answered: wall clock and processor time, the best of several.

python benchmarks/startup.py
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import common

import rdzip
from rdzip.demo import picture

REPEAT = 9


def best(*arguments: str) -> dict[str, float]:
    """The quickest of REPEAT runs, by the clock and by the processor's."""
    wall, processor = [], []
    for _ in range(REPEAT):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.perf_counter()
        subprocess.run([sys.executable, "-m", "rdzip", *arguments], check=True, stdout=subprocess.DEVNULL)
        wall.append(time.perf_counter() - start)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        processor.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return {"wall": round(min(wall), 3), "processor": round(min(processor), 3)}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "a.rdz")
        file.write_bytes(rdzip.compress(picture(), codec="classic"))
        record = {"help": best("--help"), "info": best("info", str(file)), "repeat": REPEAT}
    print(common.write("startup", record), record)


if __name__ == "__main__":
    main()
