"""Seconds of whole commands, a process each: wall clock and processor time, the best of several.

`rdzip --help`, `rdzip info`, and with the default settings `rdzip compress` (which decodes what it wrote), the same
without that, and `rdzip decompress`, of the demo's photograph of 768 x 512.

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
        file, photo, out = (str(Path(folder, name)) for name in ("a.rdz", "photo.png", "photo.rdz"))
        Path(file).write_bytes(rdzip.compress(picture(), codec="classic"))
        picture().save(photo)
        compress = ["compress", photo, "-o", out, "--force", "--quiet"]
        record = {
            "help": best("--help"),
            "info": best("info", file),
            "compress": best(*compress),
            "compress --no-verify": best(*compress, "--no-verify"),
            "decompress": best("decompress", out, "-o", str(Path(folder, "b.png")), "--force", "--quiet"),
            "repeat": REPEAT,
        }
    print(common.write("startup", record), record)


if __name__ == "__main__":
    main()
