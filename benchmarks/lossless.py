"""File sizes and speed of lossless codecs on a folder of photographs, all in one run.

python benchmarks/lossless.py ../shared/data/kodak --name kodak
python benchmarks/lossless.py ../shared/data/photos/valid --name valid --codecs jxl-e9,rdzip,rdzip-e9 --jobs 2
"""

from __future__ import annotations

import argparse
import io
import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import common
import imagecodecs
import numpy as np
from PIL import Image

import rdzip
from rdzip.system.process import tune_process

Coder = tuple[Callable[[np.ndarray], bytes], Callable[[bytes], np.ndarray]]


def pillow(**options: Any) -> Coder:
    def encode(pixels: np.ndarray) -> bytes:
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, **options)
        return out.getvalue()

    return encode, lambda data: np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def jpegxl(effort: int) -> Coder:
    return (
        lambda pixels: imagecodecs.jpegxl_encode(pixels, lossless=True, effort=effort),
        lambda data: imagecodecs.jpegxl_decode(data),
    )


def own(effort: int | None = None, codec: str | None = None) -> Coder:
    return (
        lambda pixels: rdzip.compress(Image.fromarray(pixels), verify=False, effort=effort, codec=codec),
        lambda data: np.asarray(rdzip.decompress(data)),
    )


CODECS: dict[str, Coder] = {
    "png": pillow(format="PNG", optimize=True),
    "webp": pillow(format="WEBP", lossless=True, quality=100, method=6, exact=True),
    "jxl-e7": jpegxl(7),
    "jxl-e9": jpegxl(9),
    "rdzip-e1": own(1),
    "rdzip-e3": own(3),
    "rdzip": own(),
    "rdzip-e9": own(9),
}
OTHERS: dict[str, Coder] = {f"rdzip-e{effort}": own(effort) for effort in range(1, 10)} | {
    "rdzip-causal": own(codec="causal")
}


def prepare(names: list[str]) -> None:
    """Load models and compile what the codecs need."""
    tune_process()
    picture = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    for name in names:
        encode, decode = (OTHERS | CODECS)[name]
        decode(encode(picture))
    for effort in (1, 3, 6, 9) if any(name.startswith("rdzip") for name in names) else ():
        rdzip.decompress(rdzip.compress(Image.fromarray(picture), codec="mixing", effort=effort))


def measured(file: str, pixels: np.ndarray, names: list[str]) -> tuple[dict[str, Any], dict[str, tuple[float, float]]]:
    """Bytes of a picture by every codec, and seconds to encode and decode it."""
    row: dict[str, Any] = {"samples": pixels.size}
    seconds = {}
    for name in names:
        encode, decode = (OTHERS | CODECS)[name]
        start = time.perf_counter()
        data = encode(pixels)
        middle = time.perf_counter()
        decoded = decode(data)
        seconds[name] = (middle - start, time.perf_counter() - middle)
        if not np.array_equal(decoded, pixels):
            raise SystemExit(f"{file}: {name} does not give the pixels back")
        row[name] = len(data)
        if name.startswith("rdzip"):
            row["codec"] = rdzip.info(data)["codec"]
    return row, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--name", required=True)
    parser.add_argument("--codecs", default=",".join(CODECS))
    parser.add_argument("--jobs", type=int, default=1, help="pictures at the same time, which slows each")
    arguments = parser.parse_args()
    pictures = common.images(arguments.folder)
    names = arguments.codecs.split(",")
    rows, seconds = {}, {name: [0.0, 0.0] for name in names}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(arguments.jobs, mp_context=context, initializer=prepare, initargs=(names,)) as pool:
        waiting = {file: pool.submit(measured, file, pixels, names) for file, pixels in pictures.items()}
        for file, one in waiting.items():
            rows[file], took = one.result()
            for name in names:
                seconds[name] = [a + b for a, b in zip(seconds[name], took[name], strict=True)]
            print(file, rows[file], flush=True)
    samples = sum(r["samples"] for r in rows.values())
    total = {
        name: {
            "bytes": (size := sum(r[name] for r in rows.values())),
            "bpsp": round(8 * size / samples, 4),
            "encode_mps": round(samples / 3e6 / seconds[name][0], 3),
            "decode_mps": round(samples / 3e6 / seconds[name][1], 3),
        }
        for name in names
    }
    record = {"folder": arguments.folder.name, "jobs": arguments.jobs, "sha256": common.digest(pictures)}
    record |= {"total": total, "images": rows}
    print(common.write(f"lossless-{arguments.name}", record))
    print("| image | " + " | ".join(names) + " | rdzip bits/sample |")
    print("| --- |" + " ---: |" * (len(names) + 1))
    for file, row in rows.items():
        bpsp = 8 * row.get("rdzip", 0) / row["samples"]
        print(f"| {file} | " + " | ".join(f"{row[n]:,}" for n in names) + f" | {bpsp:.3f} |")
    for key in ("bytes", "bpsp", "encode_mps", "decode_mps"):
        print(f"| {key} | " + " | ".join(f"{total[n][key]:,}" for n in names) + " | |")


if __name__ == "__main__":
    main()
