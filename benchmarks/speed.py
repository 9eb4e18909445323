"""Encoding and decoding time as ratios to JPEG XL -e 9 encoding of the same image, in one run on all cores.

python benchmarks/speed.py ../shared/data/kodak --every 4
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import common
import imagecodecs
import numpy as np
from PIL import Image

import rdzip
from rdzip.process import own_process


def timed(function: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take every n-th image")
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    own_process()
    pictures = dict(list(common.images(arguments.folder).items())[:: arguments.every])
    first = next(iter(pictures.values()))[:64, :64]
    rdzip.decompress(rdzip.compress(Image.fromarray(np.ascontiguousarray(first)), codec="causal"))
    rows = []
    for file, pixels in pictures.items():
        image = Image.fromarray(pixels)
        best = {"jxl": 1e9, "encode": 1e9, "decode": 1e9}
        for _ in range(arguments.repeat):
            jxl, _ = timed(lambda: imagecodecs.jpegxl_encode(pixels, lossless=True, effort=9))  # noqa: B023
            encode, data = timed(lambda: rdzip.compress(image, verify=False))  # noqa: B023
            decode, _ = timed(lambda: rdzip.decompress(data))  # noqa: B023
            for key, value in (("jxl", jxl), ("encode", encode), ("decode", decode)):
                best[key] = min(best[key], value)
        row = {"image": file, **{k: round(v, 3) for k, v in best.items()}}
        row |= {
            "encode_ratio": round(best["encode"] / best["jxl"], 3),
            "decode_ratio": round(best["decode"] / best["jxl"], 3),
        }
        rows.append(row)
        print(row, flush=True)
    ratios = {k: round(statistics.median(r[k] for r in rows), 3) for k in ("encode_ratio", "decode_ratio")}
    print(common.write("speed", {"repeat": arguments.repeat, "median": ratios, "images": rows}), ratios)


if __name__ == "__main__":
    main()
