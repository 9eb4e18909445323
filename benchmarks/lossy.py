"""Lossy codecs on a folder of photographs, from decoded files: R-D points, BD-rates, speed, rate control.

python benchmarks/lossy.py ../shared/data/kodak --name kodak [--models photo-lossy,hyperprior-small] [--picture FOLDER]

Everything is measured in one run. BD-rates are of each rdzip model against each other codec, over 0.2 to 1.5 bits per
pixel, by PSNR and by MS-SSIM in dB. Figures in benchmarks/published/ hold for Kodak only
and are compared with there alone. Writes results/lossy-NAME.json and results/lossy-NAME.md.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import common
import numpy as np

from rdzip.bench import codecs, curves, images, plot, run
from rdzip.bench.curves import Curve
from rdzip.formats.images.picture import from_array
from rdzip.metrics.bd_rate import bd_rate
from rdzip.pipeline.compress import compress
from rdzip.pipeline.loss import Loss
from rdzip.pipeline.request import Request
from rdzip.system.process import tune_process

PEERS = "jpeg,webp,avif,jxl,heic"
QUALITIES = "1,10,20,30,40,50,60,75,90"
RATES = (0.2, 1.5)
TARGETS = (0.15, 0.25, 0.5, 1.0, 2.0)
EVERY = 4
"""One image in so many is coded at target rates."""
PUBLISHED = Path(__file__).parent / "published"


def own_name(model: str) -> str:
    return f"rdzip:{model}"


def percent(anchor: Sequence[tuple[float, float]], points: Sequence[tuple[float, float]]) -> float | None:
    """BD-rate in percent over RATES."""
    found = bd_rate(anchor, points, RATES)
    return None if found is None else round(found.percent, 1)


def decibels(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(rate, -10 * math.log10(1 - s)) for rate, s in points if s < 1]


def compared(all_curves: Sequence[Curve], names: Sequence[str]) -> list[dict[str, Any]]:
    """BD-rates of rdzip's curves against all others."""
    return [
        {"codec": one.name, "anchor": other.name, "psnr": percent(other.points, one.points),
         "ms_ssim": percent(decibels(other.similarity), decibels(one.similarity))}
        for one in all_curves if one.name in names
        for other in all_curves if other.name != one.name
    ]  # fmt: skip


def rate_control(model: str, items: Sequence[images.Item]) -> dict[str, Any]:
    """How far files are from target rates and from their estimates, in percent; over all images and targets."""
    misses, gaps, missed = [], [], []
    for item in items[::EVERY]:
        pixels, _ = images.read(item.path)
        for target in TARGETS:
            done = compress(from_array(pixels), Request(model=model, loss=Loss(target_bpp=target)))
            loss = done.report.lossy
            if loss is None:
                missed.append([item.name, target, "coded without loss"])
                continue
            misses.append(100 * (loss.bpp / target - 1))
            gaps.append(100 * (8 * len(done.data) / loss.estimated - 1))
            if abs(misses[-1]) > 2:
                missed.append([item.name, target, round(loss.bpp, 4)])
    return {
        "model": model, "targets": list(TARGETS), "files": len(misses),
        "worst_miss": round(float(np.max(np.abs(misses))), 3), "mean_miss": round(float(np.mean(np.abs(misses))), 3),
        "worst_gap_to_estimate": round(float(np.max(np.abs(gaps))), 3), "beyond_2_percent": missed,
    }  # fmt: skip


def figure(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


POINTS = ("codec", "setting", "bpp", "PSNR, dB", "MS-SSIM", "encode, s", "decode, s")
ABOUT_SAVINGS = "BD-rates in percent over .2 to 1.5 bits per pixel; below 0 the codec is smaller than the anchor."
SAVINGS = ("codec", "anchor", "PSNR", "MS-SSIM")


def head(names: Sequence[str]) -> list[str]:
    return ["", f"| {' | '.join(names)} |", "| --- | --- |" + " ---: |" * (len(names) - 2)]


def text(record: dict[str, Any]) -> str:
    """The tables."""
    lines = [f"## {record['folder']}: {record['images']} photographs", *head(POINTS)]
    for row in record["averages"]:
        lines.append(
            f"| {row['codec']} | {row['setting']} | {row['bpp']:.4f} | {row['psnr']:.3f} | "
            f"{figure(row['ms_ssim'], 5)} | {row['encode_s']:.3f} | {row['decode_s']:.3f} |"
        )
    lines += ["", ABOUT_SAVINGS, *head(SAVINGS)]
    for row in record["bd_rates"]:
        values = [figure(row[by], 1) for by in ("psnr", "ms_ssim")]
        lines.append(f"| {row['codec']} | {row['anchor']} | {' | '.join(values)} |")
    for row in record["rate_control"]:
        lines += [
            "",
            f"`--target-bpp` with {row['model']}, {row['files']} files at {row['targets']} bits per pixel: at most "
            f"{row['worst_miss']} % from the target ({row['mean_miss']} % on average), at most "
            f"{row['worst_gap_to_estimate']} % from the estimate; beyond 2 %: {row['beyond_2_percent'] or 'none'}.",
        ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--name", required=True)
    parser.add_argument("--models", default="photo-lossy")
    parser.add_argument("--peers", default=PEERS)
    parser.add_argument("--picture", type=Path, help="folder for bench.png and bench.svg")
    arguments = parser.parse_args()
    tune_process()
    names = [own_name(model) for model in arguments.models.split(",")]
    chosen = codecs.choose(",".join([*names, arguments.peers]), [f"{n}={QUALITIES}" for n in names], print)
    paths = sorted(p for p in arguments.folder.iterdir() if p.suffix.lower() in common.SUFFIXES)
    items, failed = images.items([(p, p.name) for p in paths])
    if failed or not items:
        raise SystemExit(f"{arguments.folder}: {failed or 'no images'}")
    result = run.run(items, chosen, on_record=lambda r: print(r["image"], r["codec"], r["setting"], flush=True))
    if result.failures:
        raise SystemExit(str(result.failures))
    measured = curves.of_records(result.averages)
    before = [c for p in sorted(PUBLISHED.glob(f"{arguments.name}-*.csv")) for c in curves.read(p)]
    everything = curves.together(measured, before)
    record = {
        "folder": arguments.folder.name,
        "sha256": common.digest(common.images(arguments.folder)),
        "images": len(items),
        "averages": result.averages,
        "bd_rates": compared(everything, names),
        "rate_control": [rate_control(model, items) for model in arguments.models.split(",")],
    }
    path = common.write(f"lossy-{arguments.name}", record)
    path.with_suffix(".md").write_text(text(record))
    if arguments.picture is not None:
        arguments.picture.mkdir(parents=True, exist_ok=True)
        for name, data in zip(plot.PLOTS, plot.draw(everything), strict=True):
            (arguments.picture / name).write_bytes(data)
    print(text(record))


if __name__ == "__main__":
    main()
