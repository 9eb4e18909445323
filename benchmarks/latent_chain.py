"""Where the time of the codecs with latents goes, and how their rates settle along a chain (as in Bit-Swap's figures).

    python benchmarks/latent_chain.py --data ../shared/data [--models DIR]

Writes results/latent-shares.json (samples a second of processor time with one thread, so that other work on the machine
counts little; shares of networks, tables and coder by cProfile, which slows small calls most) and
results/latent-chain.json with its picture latent-chain.svg: bits per dimension after each image.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import common
import latent_data as sets
import numpy as np
import torch

from rdzip import hub
from rdzip.codecs.bits_back import chain
from rdzip.codecs.bits_back.options import Options
from rdzip.models import build, model_file

LENGTH = 100


def load(name: str, folder: Path | None) -> Any:
    """A model by its file in a folder, or by its id."""
    file = folder / f"{name}.safetensors" if folder else Path()
    return build(*model_file.read(file)) if file.is_file() else hub.load(name)


def shares(profile: cProfile.Profile) -> dict[str, float]:
    """Parts of the profiled time in networks, in tables (distributions and logarithms), in the coder, and elsewhere."""
    spent = {"networks": 0.0, "tables": 0.0, "coder": 0.0, "other": 0.0}
    for (file, _, name), (_, _, own, _, _) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        if "AnsCoder" in name or file.endswith("entropy/ans.py"):
            part = "coder"
        elif file.endswith(("entropy/cdf.py", "entropy/logarithm.py", "models/shared/sites.py")):
            part = "tables"
        elif "torch" in name or "torch" in file or "rdzip/exact" in file or "rdzip/models" in file:
            part = "networks"
        else:
            part = "other"
        spent[part] += own
    whole = sum(spent.values())
    return {part: own / whole for part, own in spent.items()}


def measure(name: str, model: Any, x: Any, codec: str, options: Options) -> dict[str, Any]:
    """Samples a second of processor time and shares, encoding and decoding; x: an array, or a list of rolls."""
    row: dict[str, Any] = {"model": name, "codec": codec, "samples": len(x)}
    row |= {key: value for key, value in asdict(options).items() if value != getattr(Options(), key)}
    chain.encode(model, x[:2], codec, options)
    payload = chain.encode(model, x, codec, options).payload
    shape = [roll.shape for roll in x] if isinstance(x, list) else x.shape
    calls = {"encode": (chain.encode, (model, x, codec, options)), "decode": (chain.decode, (model, payload, shape))}
    for work, (function, arguments) in calls.items():
        start = time.process_time()
        function(*arguments)  # type: ignore[operator]
        row[f"{work}_per_s"] = len(x) / (time.process_time() - start)
        profile = cProfile.Profile()
        profile.runcall(function, *arguments)
        row[f"{work}_shares"] = shares(profile)
        text = ", ".join(f"{part} {share:.0%}" for part, share in row[f"{work}_shares"].items())
        print(f"{name} {codec} {work}: {row[f'{work}_per_s']:.1f} a second, {text}", flush=True)
    return row


def along(model: Any, x: np.ndarray, codec: str) -> dict[str, list[float]]:
    """Bits per dimension, net and total, after each image of a chain that is coded image by image."""
    groups = chain.encode(model, x, codec, Options(), largest=1).groups
    size = x[0].size
    return {kind: [getattr(g, kind) / size / (i + 1) for i, g in enumerate(groups)] for kind in ("net", "total")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with mnist/ and cifar10/")
    parser.add_argument("--models", type=Path, help="folder of model files that are not bundled")
    options = parser.parse_args()
    torch.set_num_threads(1)
    cifar, digits = sets.cifar(options.data, 300), sets.binarised(sets.mnist(options.data, 300))
    grey, rolls = sets.mnist(options.data, 300), sets.chorales(options.data)
    rows = []
    for name, x, codec, how in (
        ("mnist-binary", digits, "stochastic", Options()),
        ("mnist-binary", digits, "bb-ans", Options()),
        ("mnist-binary", digits, "bb-ans", Options(refine=50)),
        ("mnist-binary", digits, "bb-is", Options(particles=50)),
        ("mnist-binary", digits, "bb-cis", Options(particles=50)),
        ("mnist-binary", digits[:50], "bb-ais", Options(steps=50)),
        ("mnist-bitswap", grey, "bb-ans", Options()),
        ("mnist-bitswap", grey, "bit-swap", Options()),
        ("cifar10-bitswap", cifar, "bb-ans", Options()),
        ("cifar10-bitswap", cifar, "bit-swap", Options()),
        ("cifar10-resnet-vae", cifar, "bb-ans", Options()),
        ("jsb-vrnn", rolls, "bb-ans", Options()),
        ("jsb-vrnn", rolls, "bb-smc", Options(particles=4)),
    ):
        rows.append(measure(name, load(name, options.models), x, codec, how))
    common.write("latent-shares", {"rows": rows})

    lines = {}
    for name in ("cifar10-bitswap", "cifar10-bitswap-4"):
        model = load(name, options.models)
        for codec in ("bb-ans", "bit-swap"):
            lines[f"{name}, {codec}"] = along(model, cifar[:LENGTH], codec)
    common.write("latent-chain", {"units": "bits per dimension after each image", "lines": lines})
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "rdzip"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.5))
    for i, (label, line) in enumerate(lines.items()):
        images = np.arange(1, LENGTH + 1)
        axes.plot(images, line["total"], color=f"C{i}", label=f"{label}, total")
        axes.plot(images, line["net"], color=f"C{i}", linestyle=":", label=f"{label}, net")
    axes.set(xlabel="images in the chain (CIFAR-10 test)", ylabel="bits per dimension", xscale="log", yscale="log")
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(common.RESULTS / "latent-chain.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
