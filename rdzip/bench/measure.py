"""One image through one codec at one setting: size, distortion and time, of a file that was decoded again."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from rdzip.bench.codec import Codec
from rdzip.errors import InputError, RdzipError
from rdzip.exact.types import Pixels
from rdzip.metrics.ms_ssim import ms_ssim
from rdzip.metrics.psnr import psnr_of_mse

Record = dict[str, Any]
CHANNELS = 3
WARM_SIDE = 256
ROWS = 1 << 8


def measure(codec: Codec, setting: float | None, pixels: Pixels, threads: int | None) -> Record:
    """Encode, decode and compare; the record of an image without its name.

    Raises InputError where the codec fails, a lossless one does not give the pixels back, or a lossy one gives an image
    of another size.
    """
    start = time.perf_counter()
    try:
        data = codec.encode(pixels, setting, threads)
        middle = time.perf_counter()
        decoded = codec.decode(data, threads)
    except (RdzipError, MemoryError):
        raise
    except Exception as error:  # libraries raise what they like
        raise InputError(f"cannot be coded: {type(error).__name__}: {error}") from error
    end = time.perf_counter()
    if decoded.shape != pixels.shape or decoded.dtype != pixels.dtype:
        raise InputError(
            f"expected {list(pixels.shape)} of {pixels.dtype} decoded, found {list(decoded.shape)} of {decoded.dtype}"
        )
    squared = mse(pixels, decoded)
    if codec.lossless and squared:
        raise InputError("expected the pixels back from a lossless codec, found others")
    similarity = ms_ssim(pixels, decoded)
    count = pixels.shape[0] * pixels.shape[1]
    return {
        "codec": codec.name,
        "setting": codec.label(setting),
        "shape": list(pixels.shape),
        "bytes": len(data),
        "bpsp": 8 * len(data) / pixels.size,
        "bpp": 8 * len(data) / count,
        "psnr": psnr_of_mse(squared / 255**2) if squared else None,
        "mse": squared,
        "ms_ssim": similarity,
        "encode_s": middle - start,
        "decode_s": end - middle,
        "encode_mps": count / 1e6 / max(middle - start, 1e-9),
        "decode_mps": count / 1e6 / max(end - middle, 1e-9),
    }


def mse(a: Pixels, b: Pixels) -> float:
    """Mean squared error of two images uint8 of one shape, on 0..255."""
    total = 0
    for row in range(0, len(a), ROWS):
        difference = a[row : row + ROWS].astype(np.int32) - b[row : row + ROWS]
        total += int(np.sum(difference * difference, dtype=np.int64))
    return total / a.size


def warm(codec: Codec, pixels: Pixels) -> None:
    """Let a codec load what it loads once, by the middle of an image, so that no image's time has it."""
    h, w = pixels.shape[:2]
    top, left = max(0, h - WARM_SIDE) // 2, max(0, w - WARM_SIDE) // 2
    part = np.ascontiguousarray(pixels[top : top + WARM_SIDE, left : left + WARM_SIDE])
    if codec.warm is not None:
        codec.warm(part)
        return
    try:
        codec.decode(codec.encode(part[:64, :64], codec.settings[0], None), None)
    except Exception:
        return  # what cannot be coded is reported when it is measured


def average(records: Sequence[Record]) -> Record:
    """Return the record of a codec and setting over images: bytes are summed, rates, distortions and seconds averaged.

    Each image counts alike, but in megapixels per second, which are all pixels by all seconds. psnr is None where an
    image came back without error; ms_ssim where an image was too small for it.
    """
    first, count = records[0], len(records)

    def mean(name: str) -> float | None:
        values = [record[name] for record in records]
        return None if any(value is None for value in values) else math.fsum(values) / count

    pixels = sum(record["shape"][0] * record["shape"][1] for record in records)
    seconds = {name: math.fsum(record[f"{name}_s"] for record in records) for name in ("encode", "decode")}
    return {
        "codec": first["codec"],
        "setting": first["setting"],
        "images": count,
        "bytes": sum(record["bytes"] for record in records),
        **{name: mean(name) for name in ("bpsp", "bpp", "psnr", "mse", "ms_ssim", "encode_s", "decode_s")},
        **{f"{name}_mps": pixels / 1e6 / max(taken, 1e-9) for name, taken in seconds.items()},
    }
