"""Peak memory of the command line on a 48-megapixel photograph, compressing and decompressing.

python benchmarks/memory.py ../shared/data/photos/train [--quality 60]
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import common
import numpy as np
from PIL import Image

from rdzip.bench.measure import mse

WIDTH, HEIGHT = 8000, 6000


def run(*command: str) -> dict[str, float]:
    """Run rdzip in a process of its own; seconds and peak resident memory in GiB."""
    start = time.perf_counter()
    code = (
        "import resource, subprocess, sys; r = subprocess.run(sys.argv[1:]).returncode; "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(r)"
    )
    line = [sys.executable, "-c", code, sys.executable, "-m", "rdzip", *command]
    done = subprocess.run(line, check=True, stdout=subprocess.PIPE, text=True)
    return {
        "seconds": round(time.perf_counter() - start, 1),
        "peak_gib": round(int(done.stdout.split()[-1]) * 1024 / 2**30, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--quality", type=int, help="with loss, and verified as the command line does")
    arguments = parser.parse_args()
    way = ["--no-verify"] if arguments.quality is None else ["-q", str(arguments.quality)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        Image.fromarray(common.mosaic(arguments.folder, WIDTH, HEIGHT)).save(folder / "large.png", compress_level=1)
        encode = run("compress", str(folder / "large.png"), *way)
        size = (folder / "large.png.rdz").stat().st_size
        decode = run("decompress", str(folder / "large.png.rdz"), "-o", str(folder / "back.png"))
        found = mse(*(np.asarray(Image.open(folder / name)) for name in ("large.png", "back.png")))
        info = json.loads(
            subprocess.run(
                [sys.executable, "-m", "rdzip", "info", str(folder / "large.png.rdz"), "--json"],
                check=True,
                stdout=subprocess.PIPE,
            ).stdout
        )
    record = {"pixels": WIDTH * HEIGHT, "bytes": size, "codec": info["codec"], "compress": encode, "decompress": decode}
    record |= {"identical": found == 0} if arguments.quality is None else {"q": arguments.quality, "mse": found}
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 2**30
    file = "memory-48mp" if arguments.quality is None else "memory-48mp-lossy"
    print(common.write(file, record | {"script_gib": round(own, 2)}), record)


if __name__ == "__main__":
    Image.MAX_IMAGE_PIXELS = None
    main()
