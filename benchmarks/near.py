"""File sizes of near-lossless coding on a folder of photographs: no sample differs by more than N.

python benchmarks/near.py ../shared/data/photos/valid --name valid
python benchmarks/near.py ../shared/data/photos/valid --name valid-slow --every 4 --codecs rdzip-e9   (slow)
JPEG-LS codes each channel alone. "quantised" means what rdzip does before it codes: WebP and JPEG XL have no bound of
their own on errors. Every file is decoded, and its largest error compared with N.
"""

from __future__ import annotations

import argparse
import io
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import common
import imagecodecs
import numpy as np
from PIL import Image

import rdzip
from rdzip.system.process import tune_process

Coder = tuple[Callable[[np.ndarray, int], bytes], Callable[[bytes, int], np.ndarray]]


def indices(pixels: np.ndarray, n: int) -> np.ndarray:
    return ((pixels.astype(np.int32) + n) // (2 * n + 1)).astype(np.uint8)


def levels(found: np.ndarray, n: int) -> np.ndarray:
    return np.minimum(found.astype(np.int32) * (2 * n + 1), 255).astype(np.uint8)


def webp(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "WEBP", lossless=True, quality=100, method=6, exact=True)
    return out.getvalue()


def own(codec: str | None, effort: int | None) -> Coder:
    return (
        lambda pixels, n: rdzip.compress(pixels, max_error=n, codec=codec, effort=effort, verify=False),
        lambda data, _: rdzip.decompress_array(data),
    )


CODECS: dict[str, Coder] = {
    "jpeg-ls": (
        lambda pixels, n: imagecodecs.jpegls_encode(pixels, level=n),
        lambda data, _: imagecodecs.jpegls_decode(data),
    ),
    "webp-quantised": (
        lambda pixels, n: webp(indices(pixels, n)),
        lambda data, n: levels(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")), n),
    ),
    "jxl-e9-quantised": (
        lambda pixels, n: imagecodecs.jpegxl_encode(indices(pixels, n), lossless=True, effort=9),
        lambda data, n: levels(imagecodecs.jpegxl_decode(data), n),
    ),
    "rdzip": own(None, None),
}
OTHERS: dict[str, Coder] = {"rdzip-causal": own("causal", None), "rdzip-e9": own(None, 9)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--name", required=True)
    parser.add_argument("--errors", default="1,2,4", help="values of N")
    parser.add_argument("--every", type=int, default=1, help="take every n-th image")
    parser.add_argument("--codecs", default=",".join(CODECS))
    arguments = parser.parse_args()
    tune_process()
    pictures = dict(list(common.images(arguments.folder).items())[:: arguments.every])
    names, errors = arguments.codecs.split(","), [int(n) for n in arguments.errors.split(",")]
    rows: list[dict[str, Any]] = []
    for file, pixels in pictures.items():
        for n in errors:
            row: dict[str, Any] = {"image": file, "max_error": n, "samples": pixels.size}
            for name in names:
                encode, decode = (CODECS | OTHERS)[name]
                data = encode(pixels, n)
                unlike = decode(data, n).astype(np.int32) - pixels
                if np.abs(unlike).max() > n:
                    raise SystemExit(f"{file}: {name} differs by {np.abs(unlike).max()}, {n} is allowed")
                row[name] = {"bytes": len(data), "psnr": round(10 * math.log10(255**2 / np.mean(unlike**2)), 3)}
            rows.append(row)
            print(row, flush=True)
    totals = []
    for n in errors:
        found = [row for row in rows if row["max_error"] == n]
        samples = sum(row["samples"] for row in found)
        total: dict[str, Any] = {"max_error": n, "samples": samples}
        for name in names:
            size = sum(row[name]["bytes"] for row in found)
            psnr = sum(row[name]["psnr"] for row in found) / len(found)
            total[name] = {"bytes": size, "bpsp": round(8 * size / samples, 4), "psnr": round(psnr, 2)}
        totals.append(total)
    record = {"folder": arguments.folder.name, "sha256": common.digest(pictures), "total": totals, "images": rows}
    print(common.write(f"near-{arguments.name}", record))
    print("| N | " + " | ".join(names) + " |")
    print("| ---: |" + " ---: |" * len(names))
    for total in totals:
        cells = (f"{total[name]['bytes']:,} ({total[name]['bpsp']:.3f})" for name in names)
        print(f"| {total['max_error']} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
