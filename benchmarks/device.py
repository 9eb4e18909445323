"""Files of photographs written and read with the network on another device: the same bytes, and how much faster.

python benchmarks/device.py ../shared/data/kodak --device cuda --every 4
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import common
import numpy as np
import torch
from PIL import Image

import rdzip
from rdzip.system.process import tune_process

WAYS: dict[str, dict[str, Any]] = {
    "mixing -e 6": {"effort": 6},
    "mixing -e 7": {"effort": 7},
    "mixing -e 9": {"effort": 9},
    "causal": {"codec": "causal"},
}
HERE = "cpu"


def timed(function: Callable[[], Any], repeat: int) -> tuple[float, Any]:
    """The shortest of some times, and what came of it."""
    best, result = 1e9, None
    for _ in range(repeat):
        start = time.perf_counter()
        result = function()
        best = min(best, time.perf_counter() - start)
    return best, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--every", type=int, default=1, help="take every n-th image")
    parser.add_argument("--side", type=int, default=1 << 16, help="cut images to that many pixels a side")
    parser.add_argument("--repeat", type=int, default=2)
    arguments = parser.parse_args()
    tune_process()
    pictures = dict(list(common.images(arguments.folder).items())[:: arguments.every])
    name = torch.cuda.get_device_name(arguments.device) if arguments.device.startswith("cuda") else arguments.device
    warm = Image.fromarray(np.ascontiguousarray(next(iter(pictures.values()))[:64, :64]))
    rows = []
    for way, options in WAYS.items():
        for device in (HERE, arguments.device):  # loads models, compiles, checks the known answer there
            rdzip.decompress(rdzip.compress(warm, verify=False, device=device, **options), device=device)
        for file, pixels in pictures.items():
            image = Image.fromarray(np.ascontiguousarray(pixels[: arguments.side, : arguments.side]))
            row: dict[str, Any] = {"way": way, "image": file}
            files = {}
            for device in (HERE, arguments.device):
                encode, files[device] = timed(
                    lambda: rdzip.compress(image, verify=False, device=device, **options),  # noqa: B023
                    arguments.repeat,
                )
                decode, back = timed(lambda: rdzip.decompress(files[device], device=device), arguments.repeat)  # noqa: B023
                if not np.array_equal(np.asarray(back), np.asarray(image)):
                    raise SystemExit(f"{file}, {way}, {device}: other pixels came back")
                row[device] = {"encode": round(encode, 3), "decode": round(decode, 3)}
            if files[HERE] != files[arguments.device]:
                raise SystemExit(f"{file}, {way}: other bytes on {arguments.device}")
            rows.append(row | {"bytes": len(files[HERE])})
            print(rows[-1], flush=True)
    record = {"device": name, "sha256": common.digest(pictures), "repeat": arguments.repeat, "images": rows}
    print(common.write("device", record))


if __name__ == "__main__":
    main()
