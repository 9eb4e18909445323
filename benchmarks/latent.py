"""Rates and speeds of the codecs with latents: from files that one process wrote and another decoded.

    python benchmarks/latent.py --data ../shared/data [--only mnist-binary,cifar10] [--models DIR]

Writes results/latent-NAME.json for each part: a row per model, codec and data set with ideal, net, total and file bits
per dimension (per step for sequences), samples a second, and the rates of peers on the same data.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import common
import latent_data as sets
import numpy as np
from PIL import Image

from rdzip import hub
from rdzip.hub.registry import WEIGHTS
from rdzip.models import build, model_file

CHAIN = 500


def coded(source: Path, model: str, codec: str, options: list[str], folder: Path) -> dict[str, Any]:
    """Compress in one process, decompress in another, compare; the command line's record."""
    target, back = folder / "coded.rdz", folder / ("back" + source.suffix)
    for path in (target, back):
        path.unlink(missing_ok=True)
    program = [sys.executable, "-m", "rdzip"]
    flags = ["-m", model, "--codec", codec, *options, "--no-verify", "--json", "-o", str(target)]
    record = json.loads(_run([*program, "compress", str(source), *flags]))
    decoded = json.loads(_run([*program, "decompress", str(target), "--json", "-o", str(back)]))
    if _samples(back) != _samples(source):
        raise SystemExit(f"{source.name} by {codec}: what was decoded differs")
    return record | {"decode_seconds": decoded["seconds"]["decode"]}


def _samples(path: Path) -> list[bytes]:
    if path.suffix == ".png":
        return [np.asarray(Image.open(path)).tobytes()]
    loaded = np.load(path)
    return [loaded[name].tobytes() for name in loaded.files] if path.suffix == ".npz" else [loaded.tobytes()]


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stderr}")
    return done.stdout


class Table:
    """Rows of one part."""

    def __init__(self, models: Path | None, folder: Path) -> None:
        self.models, self.folder = models, folder
        self.rows: list[dict[str, Any]] = []

    def model(self, name: str) -> str:
        """A model's file in the folder of models, or its id."""
        file = self.models / f"{name}.safetensors" if self.models else Path()
        return str(file) if file.is_file() else name

    def file(self, name: str) -> Path:
        """The file of a model that is in the folder of models or bundled."""
        file = Path(self.model(name))
        return file if file.is_file() else WEIGHTS / f"{name}.safetensors"

    def add(self, data: str, source: Path, model: str, codec: str, *options: str, units: int, samples: int,
            limit: float | None = None) -> None:  # fmt: skip
        """Code a file and note its rates per unit (dimension or step). limit: the least rate, where it is known."""
        record = coded(source, self.model(model), codec, list(options), self.folder)
        row = {"data": data, "samples": samples, "model": model, "codec": codec, "options": " ".join(options)}
        row |= {name: record["bits"][name] / units for name in ("ideal", "net", "total")}
        row |= {"file": 8 * record["bytes_out"] / units, "bytes": record["bytes_out"]}
        row |= {} if limit is None else {"limit": limit}
        row["encode_per_s"] = samples / record["seconds"]["encode"]
        row["decode_per_s"] = samples / record["decode_seconds"]
        self.rows.append(row)
        figures = " ".join(
            f"{name} {row[name]:.4f}" for name in ("limit", "ideal", "net", "total", "file") if name in row
        )
        print(f"{data:12} {model:20} {codec:10} {row['options']:28} {figures} "
              f"{row['encode_per_s']:.1f}/{row['decode_per_s']:.1f} a second", flush=True)  # fmt: skip

    def peers(self, data: str, images: np.ndarray) -> None:
        """PNG (optimised) and WebP (lossless, method 6), each image a file of its own."""
        for name, options in (("PNG", {"optimize": True}), ("WebP", {"lossless": True, "quality": 100, "method": 6})):
            total = 0
            for image in images:
                buffer = io.BytesIO()
                Image.fromarray(image).save(buffer, name, **options)
                total += buffer.tell()
            row = {"data": data, "samples": len(images), "codec": name.lower(), "file": 8 * total / images.size}
            self.rows.append(row | {"bytes": total})
            print(f"{data:12} {name} {8 * total / images.size:.4f}", flush=True)


def _saved(folder: Path, name: str, array: np.ndarray) -> Path:
    path = folder / f"{name}.npy"
    np.save(path, array)
    return path


def mnist_binary(table: Table, data: Path) -> None:
    """Binarised digits: importance sampling, coupled or not, annealing, refinement, one image."""
    name, x = "digits", sets.binarised(sets.mnist(data, CHAIN))
    file = _saved(table.folder, name, x)
    size = {"units": x.size, "samples": len(x)}
    for model in ("mnist-binary", "mnist-binary-iwae5", "mnist-binary-elbo"):
        table.add(name, file, model, "bb-ans", **size)
        table.add(name, file, model, "bb-is", "--particles", "5", **size)
        table.add(name, file, model, "bb-is", "--particles", "50", **size)
        table.add(name, file, model, "bb-cis", "--particles", "50", **size)
    model = "mnist-binary"
    table.add(name, file, model, "stochastic", **size)
    table.add(name, file, model, "bb-ans", "--refine", "50", **size)
    table.add(name, file, model, "bb-cis", "--particles", "50", "--refine", "50", **size)
    few = x[:20]
    part = _saved(table.folder, f"{name}-20", few)
    for order in ("--interleave", "--plain"):
        table.add(f"{name}-20", part, model, "bb-ais", "--steps", "50", order, units=few.size, samples=len(few))
    table.add(f"{name}-20", part, model, "bb-ans", units=few.size, samples=len(few))
    single = _saved(table.folder, f"{name}-1", x[:1])
    for codec, options in (("bb-ans", []), ("bb-is", ["--particles", "50"]), ("bb-cis", ["--particles", "50"])):
        table.add(f"{name}-1", single, model, codec, *options, units=x[:1].size, samples=1)


def hierarchies(table: Table, x: np.ndarray, name: str) -> None:
    """Bit-Swap beside bb-ans on the chains of 1, 2, 4 and 8 levels, for an archive and for one image."""
    file, single = _saved(table.folder, name, x), _saved(table.folder, f"{name}-1", x[:1])
    for levels in ("-1", "-2", "-4", ""):
        for codec in ("bb-ans", "bit-swap"):
            table.add(name, file, f"{name}-bitswap{levels}", codec, units=x.size, samples=len(x))
            table.add(f"{name}-1", single, f"{name}-bitswap{levels}", codec, units=x[:1].size, samples=1)
    table.peers(name, x)


def mnist(table: Table, data: Path) -> None:
    """Digits of 8 bits."""
    hierarchies(table, sets.mnist(data, 1000), "mnist")


def cifar10(table: Table, data: Path) -> None:
    """CIFAR-10: the chains and the ResNet VAE."""
    x = sets.cifar(data, 1000)
    hierarchies(table, x, "cifar10")
    file, single = table.folder / "cifar10.npy", table.folder / "cifar10-1.npy"
    table.add("cifar10", file, "cifar10-resnet-vae", "bb-ans", units=x.size, samples=len(x))
    table.add("cifar10", file, "cifar10-resnet-vae", "stochastic", units=x.size, samples=len(x))
    table.add("cifar10-1", single, "cifar10-resnet-vae", "bb-ans", units=x[:1].size, samples=1)


def pictures(table: Table, data: Path) -> None:
    """Pictures of 256 x 256 and of 768 x 512 pixels by the models of CIFAR-10: the file beside net."""
    for name in ("kodim03", "kodim07", "kodim13", "kodim23"):
        whole = Image.open(data / "kodak" / f"{name}.png")
        for label, picture in (("256", whole.crop((200, 100, 456, 356))), ("whole", whole)):
            file = table.folder / f"{name}-{label}.png"
            picture.save(file)
            for model, codec in (("cifar10-resnet-vae", "bb-ans"), ("cifar10-bitswap", "bit-swap")):
                units = 3 * picture.width * picture.height
                table.add(f"{name}-{label}", file, model, codec, units=units, samples=1)


def chorales(table: Table, data: Path) -> None:
    """JSB chorales, bits a step: the particle filter beside bb-ans."""
    rolls = sets.chorales(data)
    file = sets.save_sequences(table.folder / "jsb.npz", rolls)
    size = {"units": sum(len(roll) for roll in rolls), "samples": len(rolls)}
    for model in ("jsb-vrnn", "jsb-vrnn-iwae", "jsb-vrnn-elbo"):
        table.add("jsb", file, model, "bb-ans", **size)
        table.add("jsb", file, model, "bb-is", "--particles", "4", **size)
        table.add("jsb", file, model, "bb-smc", "--particles", "4", **size)
        table.add("jsb", file, model, "bb-smc", "--particles", "16", **size)
    table.add("jsb", file, "jsb-vrnn", "stochastic", **size)


def toys(table: Table, data: Path) -> None:
    """Toy models: net beside the least that any codec could reach for these very samples, by their probabilities."""
    rng = np.random.default_rng(0)
    mixture, hmm = (build(*model_file.read(table.file(name))) for name in ("toy-mixture", "toy-hmm"))
    x = mixture.sample(20000, rng)
    file = _saved(table.folder, "mixture", x)
    size: dict[str, Any] = {"units": x.size, "samples": len(x)}
    size["limit"] = -np.log2(mixture.probabilities()[x.ravel()]).sum() / x.size
    table.add("mixture", file, "toy-mixture", "bb-ans", **size)
    for codec in ("bb-is", "bb-cis"):
        for particles in ("5", "50", "500"):
            table.add("mixture", file, "toy-mixture", codec, "--particles", particles, **size)
    for steps in ("10", "100"):
        table.add("mixture", file, "toy-mixture", "bb-ais", "--steps", steps, **size)
    rolls = hmm.sample(200, 60, rng)
    file = sets.save_sequences(table.folder / "hmm.npz", list(rolls))
    size = {"units": rolls.size, "samples": len(rolls), "limit": hmm.bits(rolls).sum() / rolls.size}
    table.add("hmm", file, "toy-hmm", "bb-ans", **size)
    for codec in ("bb-is", "bb-smc"):
        for particles in ("4", "32", "256"):
            table.add("hmm", file, "toy-hmm", codec, "--particles", particles, **size)


PARTS = {
    "toys": toys,
    "mnist-binary": mnist_binary,
    "mnist": mnist,
    "cifar10": cifar10,
    "pictures": pictures,
    "jsb": chorales,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with mnist/, cifar10/, kodak/, pianoroll/")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, separated by commas")
    parser.add_argument("--models", type=Path, help="folder of model files that are not bundled")
    options = parser.parse_args()
    for file in options.models.glob("*.safetensors") if options.models else ():
        hub.pull(file)
    for part in options.only.split(","):
        with tempfile.TemporaryDirectory() as folder:
            table = Table(options.models, Path(folder))
            PARTS[part](table, options.data)
        common.write(f"latent-{part}", {"units": "bits per step" if part == "jsb" else "bits per dimension",
                                        "rows": table.rows})  # fmt: skip


if __name__ == "__main__":
    main()
