"""Peak memory and processor seconds of whole commands on pictures of every shape, by codec: `rdzip compress`, which
decodes what it wrote, and `rdzip decompress`, each in a process of its own.

At most 500 MB and 200 bytes a pixel is what a process may take, of a JPEG 400 MB and 12 bytes
(tests/test_shapes.py). Pictures are the demo's
photograph, its pixels in rows of another length.

python benchmarks/shapes.py                                      # all cases, 100,000 pixels each
python benchmarks/shapes.py --pixels 1000000 --case effort-1 --case classic
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rdzip.commands.demo import picture as photograph
from rdzip.formats.images.picture import Picture
from rdzip.formats.images.write import to_image, write_picture

FIXED, PER_PIXEL = 500e6, 200.0
"""Bytes that a process may take, in all and for each pixel."""
JPEG_FIXED, JPEG_PER_PIXEL = 400e6, 12.0
"""The same, of JPEG files."""
MOST_OF_JPEG = 65_500
"""Pixels that a side of a JPEG has at most, as Pillow writes them."""
SIDES = (1, 2, 3, 7, 8, 9, 17, 64, 0)
"""Shorter sides of the shapes."""
COLOUR, GREY, ALPHA, DEEP, DEEP_GREY, PALETTE, BILEVEL = "RGB", "L", "RGBA", "RGB;16", "I;16", "P", "1"


@dataclass(frozen=True)
class Case:
    """A way to compress: options of the command line, the mode of the pictures, the pixels that suit its speed; as what
    JPEG the pictures are saved by Pillow, None: as PNG."""

    options: tuple[str, ...] = ()
    mode: str = COLOUR
    pixels: int = 1_000_000
    jpeg: dict[str, Any] | None = None

    def allowed(self, height: int, width: int) -> float:
        """Bytes that a process may take for a picture."""
        fixed, each = (FIXED, PER_PIXEL) if self.jpeg is None else (JPEG_FIXED, JPEG_PER_PIXEL)
        return fixed + each * height * width


MIXING = ("--codec", "mixing")
CASES = {
    "default": Case(),
    **{f"effort-{effort}": Case(("-e", str(effort), *MIXING)) for effort in range(1, 9)},
    "effort-9": Case(("-e", "9", *MIXING), pixels=100_000),
    "effort-6-grey": Case(("-e", "6", *MIXING), GREY),
    "effort-6-alpha": Case(("-e", "6", *MIXING), ALPHA),
    "causal": Case(("--codec", "causal")),
    "causal-grey": Case(("--codec", "causal"), GREY),
    "classic": Case(("--codec", "classic")),
    "16-bits": Case((), DEEP),
    "16-bits-grey": Case((), DEEP_GREY),
    "palette": Case((), PALETTE),
    "bilevel": Case((), BILEVEL),
    "near": Case(("--max-error", "2")),
    "near-16-bits": Case(("--max-error", "200"), DEEP),
    "photo-lossy": Case(("-q", "60")),
    "photo-lossy-rate": Case(("--target-bpp", "0.5"), pixels=100_000),
    "hyperprior-small": Case(("-q", "60", "-m", "hyperprior-small"), pixels=100_000),
    "channel-ar-small": Case(("-q", "60", "-m", "channel-ar-small"), pixels=100_000),
    "photo-irec": Case(("-q", "60", "-m", "photo-irec"), pixels=20_000),
    "latents-bb-ans": Case(("-m", "cifar10-resnet-vae", "--codec", "bb-ans"), pixels=100_000),
    "latents-bit-swap": Case(("-m", "cifar10-bitswap-2", "--codec", "bit-swap"), pixels=100_000),
    "jpeg": Case(jpeg={"quality": 90, "subsampling": 2}),
    "jpeg-fast": Case(("-e", "1"), jpeg={"quality": 90, "subsampling": 2}),
    "jpeg-444": Case(("-e", "1"), jpeg={"quality": 90, "subsampling": 0}),
    "jpeg-progressive": Case(("-e", "1"), jpeg={"quality": 90, "subsampling": 2, "progressive": True}),
    "jpeg-restart": Case(("-e", "1"), jpeg={"quality": 90, "subsampling": 2, "restart_marker_blocks": 1}),
    "jpeg-cmyk": Case(("-e", "1"), "CMYK", jpeg={"quality": 90}),
    "jpeg-grey": Case(("-e", "1"), GREY, jpeg={"quality": 90}),
    "latents-irec": Case(("-m", "cifar10-resnet-vae", "--codec", "irec"), pixels=5_000),
}


def shapes(pixels: int, sides: Sequence[int] = SIDES) -> list[tuple[int, int]]:
    """Heights and widths with about so many pixels and these shorter sides, upright and flat; side 0: a square."""
    square = round(pixels**0.5)
    pairs = [(pixels // short, short) if short else (square, square) for short in sides if short <= square]
    return [*pairs, *((w, h) for h, w in pairs if w != h)]


def made(mode: str, height: int, width: int) -> Picture:
    """A picture of a mode: the pixels of the demo's photograph in rows of this width."""
    pixels = np.resize(np.asarray(photograph()).reshape(-1, 3), (height, width, 3))
    grey = pixels[..., 1].copy()
    if mode == COLOUR:
        return Picture(pixels, mode)
    if mode == ALPHA:
        return Picture(np.concatenate([pixels, grey[..., None] | 128], 2), mode)
    if mode in (DEEP, DEEP_GREY):
        deep = pixels.astype("<u2") * 257 + pixels[::-1]
        return Picture(deep if mode == DEEP else deep[..., 0].copy(), mode)
    if mode == PALETTE:
        return Picture(grey >> 3, mode, bytes(range(96)), "RGB")
    return Picture((grey > 128).astype(np.uint8) if mode == BILEVEL else grey, mode)


COMMAND = """
import atexit, re, sys, time
from pathlib import Path

def tell():
    peak = re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())
    print(peak.group(1), time.process_time(), flush=True)

atexit.register(tell)
from rdzip.__main__ import main
main()
"""
"""The command line, which says at its end how much memory it had at most (ru_maxrss has the parent's, too)."""


@dataclass(frozen=True)
class Measured:
    """Peak memory in bytes and seconds of processor time of a command."""

    peak: int
    seconds: float


def measured(*arguments: str) -> Measured:
    """Run the command line in a process of its own; raises RuntimeError where it fails."""
    done = subprocess.run([sys.executable, "-c", COMMAND, *arguments], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"rdzip {' '.join(arguments)}: {done.stderr[-500:]}")
    kilobytes, seconds = done.stdout.splitlines()[-1].split()
    return Measured(int(kilobytes) * 1024, float(seconds))


def both_ways(case: Case, height: int, width: int, folder: Path) -> tuple[Measured, Measured, int]:
    """What compressing and decompressing a picture took, and the bytes of its file."""
    source, file = folder / ("a.png" if case.jpeg is None else "a.jpg"), folder / "a.rdz"
    if case.jpeg is None:
        source.write_bytes(write_picture(made(case.mode, height, width), "PNG").data)
    else:
        to_image(made(COLOUR, height, width)).convert(case.mode).save(source, **case.jpeg)
    there = measured("compress", str(source), "-o", str(file), "--force", "--quiet", *case.options)
    back = measured("decompress", str(file), "-o", str(folder / f"b{source.suffix}"), "--force", "--quiet")
    return there, back, file.stat().st_size


def main() -> None:
    import common  # records where and of what it was run; tests import this file, too

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pixels", type=int, help="of each picture; default: what suits the case's speed")
    parser.add_argument("--side", type=int, action="append", help="shorter side of the shapes; 0: a square")
    parser.add_argument("--case", action="append", choices=CASES)
    parser.add_argument("--name", default="memory-shapes", help="of the JSON file in results/")
    arguments = parser.parse_args()
    record: dict[str, Any] = {
        "limit": {"bytes": FIXED, "bytes_per_pixel": PER_PIXEL},
        "limit_jpeg": {"bytes": JPEG_FIXED, "bytes_per_pixel": JPEG_PER_PIXEL},
        "cases": {},
    }
    with tempfile.TemporaryDirectory() as name:
        for key in arguments.case or CASES:
            case = CASES[key]
            rows = record["cases"][key] = []
            for height, width in shapes(arguments.pixels or case.pixels, arguments.side or SIDES):
                if case.jpeg is not None and max(height, width) > MOST_OF_JPEG:
                    continue
                there, back, size = both_ways(case, height, width, Path(name))
                most = max(there.peak, back.peak) / case.allowed(height, width)
                rows.append(
                    {
                        "width": width,
                        "height": height,
                        "bytes": size,
                        "compress_mb": round(there.peak / 1e6, 1),
                        "compress_cpu_seconds": round(there.seconds, 2),
                        "decompress_mb": round(back.peak / 1e6, 1),
                        "decompress_cpu_seconds": round(back.seconds, 2),
                        "of_limit": round(most, 3),
                    }
                )
                print(key, rows[-1], flush=True)
    print(common.write(arguments.name, record))


if __name__ == "__main__":
    main()
