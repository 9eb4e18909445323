"""Seconds of whole commands, a process each: wall clock and processor time, the best of several.

`rdzip --help`, `rdzip info`, and with the default settings `rdzip compress` (which decodes what it wrote), the same
without that, and `rdzip decompress`, of the demo's photograph of 768 x 512, and of 32 x 32 pixels of it; once,
compressing where nothing has been compiled yet; JPEG XL -e 9 encoding the same photograph. Then seconds of one thread
in a process that is warm: compressing (and checking) and decompressing crops of four sizes, and their bytes.

python benchmarks/startup.py
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import common
import imagecodecs
import numpy as np

import rdzip
from rdzip.commands.demo import picture

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


def uncompiled(*arguments: str) -> float:
    """Seconds of a run that has to compile the coder first."""
    with tempfile.TemporaryDirectory() as cache:
        start = time.perf_counter()
        command = [sys.executable, "-m", "rdzip", *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ | {"NUMBA_CACHE_DIR": cache})
        return round(time.perf_counter() - start, 1)


def jpeg_xl() -> float:
    """Seconds of the quickest of three times that JPEG XL -e 9 encodes the photograph."""
    pixels, seconds = np.asarray(picture()), []
    for _ in range(3):
        start = time.perf_counter()
        imagecodecs.jpegxl_encode(pixels, lossless=True, effort=9)
        seconds.append(time.perf_counter() - start)
    return round(min(seconds), 2)


def warm(side: int) -> dict[str, float]:
    """Seconds of the quickest of REPEAT calls for a crop of the photograph, and the bytes of its file."""
    crop = picture().crop((300, 200, 300 + side, 200 + side))
    compress, decompress = [], []
    for _ in range(REPEAT + 1):
        start = time.perf_counter()
        data = rdzip.compress(crop, threads=1)
        middle = time.perf_counter()
        rdzip.decompress(data, threads=1)
        compress.append(middle - start)
        decompress.append(time.perf_counter() - middle)
    return {"compress": round(min(compress), 4), "decompress": round(min(decompress), 4), "bytes": len(data)}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        file, photo, out = (str(Path(folder, name)) for name in ("a.rdz", "photo.png", "photo.rdz"))
        Path(file).write_bytes(rdzip.compress(picture(), codec="classic"))
        picture().save(photo)
        small, small_out = str(Path(folder, "small.png")), str(Path(folder, "small.rdz"))
        picture().crop((300, 200, 332, 232)).save(small)
        compress = ["compress", photo, "-o", out, "--force", "--quiet"]
        back = ["-o", str(Path(folder, "b.png")), "--force", "--quiet"]
        record = {
            "help": best("--help"),
            "info": best("info", file),
            "compress": best(*compress),
            "compress --no-verify": best(*compress, "--no-verify"),
            "decompress": best("decompress", out, *back),
            "compress, nothing compiled": uncompiled(*compress),
            "JPEG XL -e 9": jpeg_xl(),
            "compress 32 x 32": best("compress", small, "-o", small_out, "--force", "--quiet"),
            "decompress 32 x 32": best("decompress", small_out, *back),
            "warm": {f"{side} x {side}": warm(side) for side in (16, 24, 32, 64)},
            "repeat": REPEAT,
        }
    print(common.write("startup", record), record)


if __name__ == "__main__":
    main()
