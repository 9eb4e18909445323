"""The figures of `rdzip bound`: bounds of every source by the command line, and what issue 4 asks of them.

    python benchmarks/bounds.py --data ../shared/data [--only gaussian-2,banana] [--quick] [--device cuda]
    python benchmarks/bounds.py --table > benchmarks/results/bounds.md

Writes results/bounds-NAME.json for each part: the records of the run, its time and command, and for each lambda the
values with the gap beside the target. --table prints what is there in Markdown. --quick is for trying the script.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import common

Record = dict[str, Any]
GAUSSIANS = (2, 4, 8, 16)
BANANAS = (4, 16, 100)
STEPS = (1, 3, 10, 30, 100)


def lambdas(scale: float) -> list[str]:
    """--lambdas of STEPS times a scale."""
    return ["--lambdas", ",".join(f"{scale * step:g}" for step in STEPS)]


@dataclass(frozen=True)
class Part:
    """A run, what is asked of its values (None: nothing but order), and in words; and whether it needs --data."""

    arguments: list[str]
    target: str
    met: Callable[[Record], bool | None]
    data: bool = False


def gaussian(row: Record) -> bool:
    """Order; lower within 3 % of exact or .02 nats a dimension, upper within 1 %."""
    lower, exact, upper, dim = row["lower"], row["exact"], row["upper"], row["dim"]
    near = exact - lower <= max(0.03 * exact, 0.02 * dim)
    return bool(in_order(row) and near and upper - exact <= 0.01 * exact)


def gaussian_upper(row: Record) -> bool:
    """Upper within 1 % of exact."""
    return bool(in_order(row) and row["upper"] - row["exact"] <= 0.01 * row["exact"])


def gap(most: float, rates: tuple[float, float] = (0.0, math.inf)) -> Callable[[Record], bool | None]:
    """Order and at most this gap where the upper point's rate is within `rates`; None (not asked) elsewhere."""

    def met(row: Record) -> bool | None:
        if row["lower"] is None or row["upper"] is None:
            return False
        if not rates[0] <= row["rate"] <= rates[1]:
            return None
        return bool(in_order(row) and row["upper"] - row["lower"] <= most)

    return met


def in_order(row: Record) -> bool:
    """Lower <= exact <= upper, or but for noise of sampling."""
    return row["order"] != "wrong"


def order_only(row: Record) -> bool | None:
    """No target but order."""
    return None if in_order(row) else False


PARTS: dict[str, Part] = {
    **{
        f"gaussian-{n}": Part(
            ["--source", "gaussian", "--dim", str(n), *lambdas(n / 2)],
            "lower within 3 % of exact or 0.02 nats a dimension, upper within 1 %",
            gaussian,
        )
        for n in GAUSSIANS
    },
    "gaussian-1000": Part(
        ["--source", "gaussian", "--dim", "1000", "--method", "exact,vae,mixture", *lambdas(500)],
        "upper within 1 % of exact",
        gaussian_upper,
    ),
    "banana": Part(
        ["--source", "banana"], "gap at most 0.05 nats where the rate is 0.5 to 4 nats", gap(0.05, (0.5, 4))
    ),
    **{
        f"{name}-2d": Part(
            ["--source", f"{name}-2d", *extra],
            "gap at most 0.1 nats where the rate is 0.5 to 4 nats",
            gap(0.1, (0.5, 4)),
            True,
        )
        for name, extra in (("physics", []), ("speech", ["--set", "log-u.k=40000"]))
    },
    **{name: Part(["--source", name], "the gap is stated", order_only, True) for name in ("physics", "speech")},
    **{
        f"banana-{n}": Part(
            ["--source", "banana", "--dim", str(n), "--lambdas", "0.3,1,3,10,30", "--set", "log-u.k=10000"],
            "the upper curve stays with the one in two dimensions",
            order_only,
        )
        for n in BANANAS
    },
    "wgd-banana": Part(
        ["--source", "banana", "--method", "wgd,wgd-ba,ba"], "particles beside Blahut-Arimoto", order_only
    ),
    "ba-speed": Part(
        ["--source", "banana", "--method", "ba", "--set", "ba.bins=80", "--lambdas", "1,10"], "seconds", order_only
    ),
}
KODAK = "kodak"
PUBLISHED = ((0.226, 31.84), (0.342, 33.61), (0.498, 35.46), (0.704, 37.36), (0.965, 39.26), (1.295, 41.17))
"""Of resnet-vae on Kodak, bits per pixel and PSNR: Yang and Mandt 2022, theoretical as ours are."""


def run(arguments: list[str]) -> tuple[list[Record], float, str]:
    """Run the command line in a new folder; its records, the seconds, and what it said of itself."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "rdzip", "bound", *arguments, "--out", f"{folder}/run", "--json"]
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - start
    if not done.stdout:
        raise SystemExit(f"{' '.join(command)}: {done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines()], seconds, done.stderr.strip()


def rows_of(records: list[Record], part: Part) -> list[Record]:
    """For each lambda: the values, the order, and whether the target is met."""
    from rdzip.bounds.point import Point
    from rdzip.bounds.sandwich import compare, hull

    points = [Point.from_record(record) for record in records]
    corners = hull(points)
    rows = []
    for entry in compare(points):
        row: Record = {"lambda": entry.lam, "dim": records[0]["dim"], "order": entry.order}
        for name in ("lower", "exact", "upper", "estimate"):
            bound = getattr(entry, name)
            row[name] = None if bound is None else bound.value
            row[f"{name}_ci95"] = None if bound is None else bound.ci95
            row[f"{name}_method"] = None if bound is None else bound.method
        if len(corners):
            row["mse"], row["rate"] = min(corners.tolist(), key=lambda c: c[1] + entry.lam * c[0])
        row["gap"] = entry.gap
        needed = row["upper"] is not None or part.met is order_only
        row["met"] = part.met(row) if needed else False
        rows.append(row)
    return rows


def measure(name: str, data: Path, extra: list[str]) -> Path:
    """Run a part and write its JSON."""
    part = PARTS[name]
    arguments = [*part.arguments, *(["--data", str(data)] if part.data else []), *extra]
    records, seconds, said = run(arguments)
    rows = rows_of(records, part)
    speeds = {
        record["method"]: record["facts"]["steps_per_second"]
        for record in records
        if "steps_per_second" in record["facts"]
    }
    for row in rows:
        print(name, {key: value for key, value in row.items() if not key.endswith("ci95")}, file=sys.stderr)
    command = "rdzip bound " + " ".join([*part.arguments, *(["--data", "DIR"] if part.data else []), *extra])
    return common.write(
        f"bounds-{name}",
        {"command": command, "seconds": round(seconds, 1), "target": part.target, "said": said,
         "steps_per_second": speeds, "rows": rows, "records": records},
    )  # fmt: skip


def kodak(data: Path, device: str, steps: int) -> Path:
    """Train resnet-vae on the photographs for training, and evaluate it on whole Kodak images."""
    import numpy as np

    from rdzip.bounds.defaults import IMAGE_LAMBDAS
    from rdzip.bounds.sources.base import open_source
    from rdzip.bounds.units import convention
    from rdzip.bounds.upper import image_vae
    from rdzip.metrics.psnr import psnr_of_mse

    pictures = [image.astype(np.float32) / 255 for image in common.images(data / "kodak").values()]
    shape = pictures[0].shape
    source = open_source(str(data / "photos" / "train"), crop=256)
    # Of papers: bits per pixel and squared error on 0..255; per dimension, so that the size of images does not matter.
    betas = [convention("bpp-255").lam(lam, shape) / math.prod(shape) for lam in IMAGE_LAMBDAS]
    options = image_vae.Options(steps=steps, crop=128, device=device)
    choosing = list(source.held_out(16, np.random.default_rng(1)))
    start = time.perf_counter()
    net, facts = image_vae.train(source, betas, choosing, options, lambda share: print(f"{share:.2f}", file=sys.stderr))
    rows = []
    for beta in betas:
        rate, mse = image_vae.evaluate(net, pictures, beta)
        bpp = float(np.mean(rate / math.log(2) / (shape[0] * shape[1])))
        rows.append({"beta": beta, "bpp": bpp, "psnr": float(np.mean([psnr_of_mse(x) for x in mse.tolist()])),
                     "mse": float(mse.mean())})  # fmt: skip
        print(rows[-1], file=sys.stderr)
    record = {"published": PUBLISHED, "rows": rows, "facts": facts, "seconds": round(time.perf_counter() - start, 1)}
    return common.write(f"bounds-{KODAK}", {"device": device, "steps": steps} | record)


def table() -> str:
    """All results there are, in Markdown."""
    lines = []
    for name in [*PARTS, KODAK]:
        path = common.RESULTS / f"bounds-{name}.json"
        if not path.exists():
            continue
        result = json.loads(path.read_text())
        lines += [f"## {name}", ""]
        if name == KODAK:
            lines += ["| ours bpp | ours PSNR | published bpp | published PSNR |", "| ---: | ---: | ---: | ---: |"]
            for row, (bpp, psnr) in zip(result["rows"], result["published"], strict=False):
                lines.append(f"| {row['bpp']:.3f} | {row['psnr']:.2f} | {bpp} | {psnr} |")
            lines.append("")
            continue
        speeds = "; ".join(f"{method} {speed:g} steps/s" for method, speed in result["steps_per_second"].items())
        lines += [f"`{result['command']}`: {result['seconds']:g} s{'; ' if speeds else ''}{speeds}. "
                  f"Target: {result['target']}.", ""]  # fmt: skip
        lines += ["| lambda | rate | mse | lower | exact | upper | estimate | gap | met |"]
        lines += ["| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |"]
        for row in result["rows"]:
            cells = [f"{row['lambda']:g}", number(row.get("rate")), number(row.get("mse"))]
            for role in ("lower", "exact", "upper", "estimate"):
                ci = row[f"{role}_ci95"]
                half = f" ± {(ci[1] - ci[0]) / 2:.4f}" if ci and ci[1] > ci[0] else ""
                cells.append(number(row[role]) + half)
            cells += [number(row["gap"]), {True: "yes", False: "no", None: ""}[row["met"]]]
            lines.append("| " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)


def number(x: float | None) -> str:
    """Four digits that matter, nothing for None."""
    if x is None:
        return ""
    return f"{x:.4f}" if abs(x) >= 0.1 else re.sub(r"e-0", "e-", f"{x:.4g}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--steps", type=int, default=2000, help="of resnet-vae on photographs, for the part kodak")
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    if arguments.table:
        print(table())
        return
    for name in arguments.only.split(","):
        if name == KODAK:
            print(kodak(arguments.data, arguments.device, arguments.steps), file=sys.stderr)
        elif name in PARTS:
            print(measure(name, arguments.data, ["--quick"] if arguments.quick else []), file=sys.stderr)
        else:
            raise SystemExit(f"no part {name!r}; expected some of {', '.join([*PARTS, KODAK])}")


if __name__ == "__main__":
    main()
