"""The codec irec-vae on photographs, from decoded files: rates beside the KL of the model, cost, R-D beside others.

    python benchmarks/irec_lossy.py ../shared/data/kodak [--images kodim01,...] [--models ID-OR-FILE,...] [--peers P]

Model files must have been pulled (rdzip models pull FILE). Writes results/NAME.json, .md and .svg. The KL is that of
posteriors from priors, as training measures it, where every latent is a sample of its posterior; "sample" is the PSNR
of such samples. Seconds are of the process's own processor time, one thread, since other work may share the machine.
"""

from __future__ import annotations

import argparse
import math
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import common
import lossy
import numpy as np
import torch

import rdzip
from rdzip import hub
from rdzip.bench import codecs, curves, images, plot, run
from rdzip.bench.measure import mse
from rdzip.codecs.transform import codec as transform
from rdzip.codecs.transform.tiles import Grid
from rdzip.metrics.ms_ssim import ms_ssim
from rdzip.metrics.psnr import psnr_of_mse
from rdzip.models.irec_vae.model import IrecModel
from rdzip.models.irec_vae.normal_site import NormalSite, divergence
from rdzip.models.model_file import SUFFIX

QUALITIES = (1, 34, 67, 100)
PEERS = "jpeg,webp,avif,rdzip:hyperprior-small,rdzip:photo-lossy"
OWN_QUALITIES = "1,34,67,100"
"""Of other models of rdzip."""


def samples(model: IrecModel, pixels: np.ndarray, setting: int) -> tuple[float, float]:
    """KL in bits of all latents, each a sample of its posterior given those before it, and the PSNR of the picture."""
    guess = model.searching(None, guess=True)
    grid = Grid.of(pixels.shape, model.stride)
    (tile,) = grid.tiles()
    latents = transform.analyse(guess, pixels, grid, tile, setting)
    nats = 0.0

    def draw(name: str, site: NormalSite) -> np.ndarray:
        nonlocal nats
        posterior = guess.posterior(latents, name)
        nats += float(divergence(*site.target(*posterior)).sum())
        return site.choose(*posterior)

    decoded = guess.code(draw, tile.rows, tile.columns, setting)  # type: ignore[arg-type]
    found = guess.synthesise(decoded, setting)[0].permute(1, 2, 0).numpy()[: pixels.shape[0], : pixels.shape[1]]
    rounded = np.floor(np.clip(found, 0, 1) * 255 + 0.5).astype(np.uint8)
    return nats / math.log(2), psnr_of_mse(mse(pixels, rounded) / 255**2)


def label(name: str) -> str:
    """How tables call a model: its id, or the name of its file."""
    return f"rdzip:{Path(name).name.removesuffix(SUFFIX)}"


def measured(name: str, model: IrecModel, pixels: np.ndarray, quality: int) -> dict[str, Any]:
    """One file, there and back."""
    bits, sampled = samples(model, pixels, model.setting_of(quality))
    start = time.process_time()
    data = rdzip.compress(pixels, model=name, codec="irec-vae", quality=quality, verify=False)
    middle = time.process_time()
    back = rdzip.decompress_array(data)
    end = time.process_time()
    area = pixels.shape[0] * pixels.shape[1]
    return {
        "codec": label(name), "setting": f"q{quality}", "bytes": len(data), "bpp": 8 * len(data) / area,
        "kl_bpp": bits / area, "above": 8 * len(data) / bits - 1, "psnr": psnr_of_mse(mse(pixels, back) / 255**2),
        "sample_psnr": sampled, "ms_ssim": ms_ssim(pixels, back), "encode_s": middle - start, "decode_s": end - middle,
        "encode_ms_a_kbit": 1e6 * (middle - start) / bits,
    }  # fmt: skip


def averaged(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over images of one setting."""
    numbers = [key for key, value in rows[0].items() if isinstance(value, float | int)]
    found = {key: float(np.mean([row[key] for row in rows])) for key in numbers}
    return {"codec": rows[0]["codec"], "setting": rows[0]["setting"], "images": len(rows)} | found


def of_others(names: str, paths: list[Path]) -> list[dict[str, Any]]:
    """Averages of other codecs over the same images."""
    items, _ = images.items([(p, p.name) for p in paths])
    own = [f"{name}={OWN_QUALITIES}" for name in names.split(",") if name.startswith("rdzip:")]
    found = run.run(items, codecs.choose(names, own, print), threads=1)
    if found.failures:
        raise SystemExit(str(found.failures))
    keep = ("codec", "setting", "images", "bytes", "bpp", "psnr", "ms_ssim", "library")
    return [{key: row.get(key) for key in keep} for row in found.averages]


def text(record: dict[str, Any]) -> str:
    """The tables."""
    own = [row for row in record["averages"] if "kl_bpp" in row]
    lines = [
        "# Lossy coding by relative entropy", "",
        f"{', '.join(record['models'])}; {record['images']} photographs of {record['folder']}: "
        f"{record['names'][0]} ... {record['names'][-1]}. On "
        f"{record['environment']['cpu']}, one thread, processor seconds an image.", "", "## Files and the KL", "",
        "KL: of posteriors from priors, bits per pixel, averaged; above: the file beyond it. PSNR of the file, and of",
        "samples of the posteriors, for which the KL is the ideal rate.", "",
        "| codec | setting | KL | file | above | PSNR, file | PSNR, samples | encode s | decode s | ms a kbit of KL |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]  # fmt: skip
    lines += [
        f"| {r['codec']} | {r['setting']} | {r['kl_bpp']:.4f} | {r['bpp']:.4f} | {r['above']:+.1%} | {r['psnr']:.2f} | "
        f"{r['sample_psnr']:.2f} | {r['encode_s']:.1f} | {r['decode_s']:.2f} | {r['encode_ms_a_kbit']:.0f} |"
        for r in own
    ]
    lines += ["", "## Beside others", "", "Averages over the same photographs, from decoded files.",
              *lossy.head(("codec", "setting", "bpp", "PSNR, dB", "MS-SSIM"))]  # fmt: skip
    lines += [
        f"| {r['codec']} | {r['setting']} | {r['bpp']:.4f} | {r['psnr']:.3f} | {lossy.figure(r['ms_ssim'], 5)} |"
        for r in record["averages"]
    ]
    lines += ["", lossy.ABOUT_SAVINGS, *lossy.head(lossy.SAVINGS)]
    lines += [
        f"| {r['codec']} | {r['anchor']} | {lossy.figure(r['psnr'], 1)} | {lossy.figure(r['ms_ssim'], 1)} |"
        for r in record["bd_rates"]
    ]
    return "\n".join([*lines, ""])


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", help="names without suffix; all unless given")
    parser.add_argument("--models", default="photo-irec")
    parser.add_argument("--peers", default=PEERS)
    parser.add_argument("--name", default="irec-lossy", help="of the results")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    models = {name: hub.load(hub.resolve(name)) for name in arguments.models.split(",")}
    wanted = arguments.images.split(",") if arguments.images else None
    paths = sorted(
        p
        for p in arguments.folder.iterdir()
        if p.suffix.lower() in common.SUFFIXES and (wanted is None or p.stem in wanted)
    )
    rows: list[dict[str, Any]] = []
    with ProcessPoolExecutor(1) as beside:
        others = beside.submit(of_others, arguments.peers, paths)
        for path in paths:
            pixels, _ = images.read(path)
            for name, model in models.items():
                if not isinstance(model, IrecModel):
                    raise SystemExit(f"{name}: expected a model of irec-vae")
                for quality in QUALITIES:
                    rows.append({"image": path.name} | measured(name, model, pixels, quality))
                    print(rows[-1], flush=True)
        write(arguments.name, list(models), arguments.folder.name, paths, rows, others.result())


def write(
    result: str,
    names: list[str],
    folder: str,
    paths: list[Path],
    rows: list[dict[str, Any]],
    others: list[dict[str, Any]],
) -> None:
    """The results: JSON, tables and a plot."""
    kinds = [(label(name), f"q{quality}") for name in names for quality in QUALITIES]
    averages = [averaged([row for row in rows if (row["codec"], row["setting"]) == kind]) for kind in kinds] + others
    drawn = curves.of_records(averages)
    record = {
        "folder": folder, "names": [p.stem for p in paths], "images": len(paths),
        "models": {label(name): hub.resolve(name).sha256 for name in names}, "rows": rows, "averages": averages,
        "bd_rates": lossy.compared(drawn, [label(name) for name in names]),
    }  # fmt: skip
    path = common.write(result, record)
    path.with_suffix(".md").write_text(text({"environment": common.environment()} | record))
    path.with_suffix(".svg").write_bytes(plot.draw(drawn)[1])


if __name__ == "__main__":
    main()
