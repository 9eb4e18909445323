"""Encoding and decoding time as ratios to JPEG XL -e 9 encoding of the same image, in one run on all cores.

python benchmarks/speed.py ../shared/data/kodak --every 4
python benchmarks/speed.py ../shared/data/photos/train --mosaic 4096x3072 --repeat 1     (12 megapixels of photographs)
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
from rdzip.system.process import tune_process

EFFORTS = (1, 3, 6)


def timed(function: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = function()
    return time.perf_counter() - start, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--every", type=int, default=1, help="take every n-th image")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--mosaic", help="WIDTHxHEIGHT of one picture put together from those of the folder")
    arguments = parser.parse_args()
    tune_process()
    if arguments.mosaic:
        width, height = map(int, arguments.mosaic.split("x"))
        pictures = {f"mosaic {arguments.mosaic}": common.mosaic(arguments.folder, width, height)}
    else:
        pictures = dict(list(common.images(arguments.folder).items())[:: arguments.every])
    first = next(iter(pictures.values()))[:64, :64]
    for effort in EFFORTS:  # loads models, compiles
        rdzip.decompress(rdzip.compress(Image.fromarray(np.ascontiguousarray(first)), codec="mixing", effort=effort))
    rows = []
    for file, pixels in pictures.items():
        image = Image.fromarray(pixels)
        best = {"jxl": 1e9} | {f"{kind}-e{effort}": 1e9 for effort in EFFORTS for kind in ("encode", "decode")}
        for _ in range(arguments.repeat):
            found, _ = timed(lambda: imagecodecs.jpegxl_encode(pixels, lossless=True, effort=9))  # noqa: B023
            seconds = {"jxl": found}
            for effort in EFFORTS:
                seconds[f"encode-e{effort}"], data = timed(lambda: rdzip.compress(image, verify=False, effort=effort))  # noqa: B023
                seconds[f"decode-e{effort}"], _ = timed(lambda: rdzip.decompress(data))  # noqa: B023
            best = {key: min(best[key], value) for key, value in seconds.items()}
        ratios = {key: round(value / best["jxl"], 3) for key, value in best.items() if key != "jxl"}
        rows.append({"image": file, "seconds": {k: round(v, 3) for k, v in best.items()}, "ratios": ratios})
        print(rows[-1], flush=True)
    median = {key: round(statistics.median(row["ratios"][key] for row in rows), 3) for key in rows[0]["ratios"]}
    name = "speed-mosaic" if arguments.mosaic else "speed"
    print(common.write(name, {"repeat": arguments.repeat, "median": median, "images": rows}), median)


if __name__ == "__main__":
    main()
