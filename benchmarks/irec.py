"""Relative entropy coding: rates beside bits back on the same models, what encoding costs, and samples against q.

    python benchmarks/irec.py --data ../shared/data [--images 20] [--singles 5] [--archive 1000]

Writes results/irec.json and results/irec.md. Rates are those of files that were decoded and compared. Seconds are of
the process's own processor time, since other work may share the machine.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import common
import latent_data as sets
import numpy as np
import torch
from PIL import Image
from rec_samplers import Auxiliary, Coder, Importance, Ordered, Pair, Poisson, Rejection

import rdzip
from rdzip import hub
from rdzip.codecs.bits_back import chain
from rdzip.codecs.bits_back.options import Options
from rdzip.entropy.ans import TOTAL
from rdzip.rec import index_code

MODELS = {"cifar10-resnet-vae": ("bb-ans", "bb-cis"), "cifar10-bitswap": ("bb-ans", "bit-swap")}
SETTINGS: tuple[dict[str, Any], ...] = ({}, {"beams": 1}, {"beams": 100})
PARTICLES: dict[str, dict[str, Any]] = {"bb-cis": {"particles": 10}}
TILE = 256
"""Side of the tiles that irec takes of pictures."""
DRAWS = 400


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """A result and the processor seconds that it took."""
    start = time.process_time()
    return work(), time.process_time() - start


def coded(x: np.ndarray, model: str, codec: str, **options: Any) -> tuple[int, float, float]:
    """Bytes of the file of an array, and seconds to encode and decode it; SystemExit if it does not come back."""
    data, encode = timed(lambda: rdzip.compress(x, model=model, codec=codec, verify=False, batch=True, **options))
    back, decode = timed(lambda: rdzip.decompress_array(data))
    if not np.array_equal(back, x):
        raise SystemExit(f"{model}, {codec}: what was decoded differs")
    return len(data), encode, decode


def rates(data: Path, images: int, singles: int) -> Iterator[dict[str, Any]]:
    """Files of one image and of many: bits per dimension."""
    x = sets.cifar(data, images)
    for model, codecs in MODELS.items():
        loaded = hub.load(hub.resolve(model))
        ideal = chain.encode(loaded, x, "bb-ans", Options()).bits.ideal
        few = x[:singles]
        ideal_few = chain.encode(loaded, few, "bb-ans", Options()).bits.ideal
        settings = [(codec, PARTICLES.get(codec, {})) for codec in codecs]
        settings += [("irec", setting) for setting in SETTINGS if model == "cifar10-resnet-vae"]
        coded(few[:1], model, "bb-ans")  # what is only done once
        for codec, options in settings:
            size, encode, decode = coded(x, model, codec, **options)
            each = [coded(one[None], model, codec, **options)[0] for one in few]
            row = {"model": model, "codec": codec, "options": options, "images": len(x), "singles": len(few)}
            row |= {"ideal": ideal / x.size, "archive": 8 * size / x.size, "single": 8 * sum(each) / few.size}
            row |= {"single_ideal": ideal_few / few.size, "single_above": 8 * sum(each) / ideal_few - 1}
            row |= {"archive_above": 8 * size / ideal - 1}
            row |= {"encode_s": encode / len(x), "decode_s": decode / len(x)}
            print(row, flush=True)
            yield row


def archives(data: Path, images: int) -> Iterator[dict[str, Any]]:
    """Many images in one file."""
    model = "cifar10-resnet-vae"
    x = sets.cifar(data, images)
    ideal = chain.encode(hub.load(hub.resolve(model)), x, "bb-ans", Options()).bits.ideal
    for codec in ("bb-ans", "bb-cis", "irec"):
        size, encode, decode = coded(x, model, codec, **PARTICLES.get(codec, {}))
        row = {"model": model, "codec": codec, "images": len(x), "ideal": ideal / x.size, "archive": 8 * size / x.size}
        row |= {"above": 8 * size / ideal - 1, "encode_s": encode, "decode_s": decode}
        print(row, flush=True)
        yield row


def picture(data: Path) -> Iterator[dict[str, Any]]:
    """A photograph of Kodak, whole."""
    path = sorted((data / "kodak").glob("*.png"))[0]
    x = np.asarray(Image.open(path).convert("RGB"))
    model = "cifar10-resnet-vae"
    loaded = hub.load(hub.resolve(model))
    tiles = [x[i : i + TILE, j : j + TILE] for i in range(0, len(x), TILE) for j in range(0, x.shape[1], TILE)]
    ideal = sum(chain.encode(loaded, tile[None], "bb-ans", Options()).bits.ideal for tile in tiles)
    for codec in ("bb-ans", "irec"):
        data_, encode = timed(lambda: rdzip.compress(x, model=model, codec=codec, verify=False))  # noqa: B023
        back, decode = timed(lambda: rdzip.decompress_array(data_))  # noqa: B023
        if not np.array_equal(back, x):
            raise SystemExit(f"{path}, {codec}: what was decoded differs")
        row = {"image": path.name, "model": model, "codec": codec, "ideal": ideal / x.size}
        row |= {"file": 8 * len(data_) / x.size, "above": 8 * len(data_) / ideal - 1}
        row |= {"encode_s": encode, "decode_s": decode}
        print(row, flush=True)
        yield row


def cost(data: Path) -> Iterator[dict[str, Any]]:
    """Seconds of encoder and decoder against the size of a picture, and so against its KL."""
    folder = data / "photos" / "valid"
    path = sorted(p for p in folder.iterdir() if p.suffix.lower() in common.SUFFIXES)[0]
    pixels = np.asarray(Image.open(path).convert("RGB"))
    model = hub.load(hub.resolve("cifar10-resnet-vae"))
    for side in (32, 64, 128, 192):
        x = np.ascontiguousarray(pixels[:side, :side])[None]
        done, encode = timed(lambda: chain.encode(model, x, "irec", Options()))  # noqa: B023
        _, decode = timed(lambda: chain.decode(model, done.payload, x.shape))  # noqa: B023
        steps = _steps(model, done.payload, x.shape)
        row = {"side": side, "steps": steps, "kl_bits_about": steps * 3 / math.log(2), "encode_s": encode}
        row |= {"decode_s": decode, "bpd": 8 * len(done.payload) / x.size, "ideal": done.bits.ideal / x.size}
        print(row, flush=True)
        yield row


def _steps(model: Any, payload: bytes, shape: tuple[int, ...]) -> int:
    """Steps of all blocks of a payload."""
    from rdzip.rec.level import Level

    counted = []
    pop = Level.pop

    def counting(*arguments: Any) -> Level:
        level = pop(*arguments)
        counted.append(sum(len(chosen) for row in level.choices for chosen in row))
        return level

    Level.pop = staticmethod(counting)  # type: ignore[method-assign, assignment]
    try:
        chain.decode(model, payload, shape)
    finally:
        Level.pop = pop  # type: ignore[method-assign]
    return sum(counted)


def normal_law(mean: float, deviation: float) -> np.ndarray:
    """Integer distribution function of a normal law on 256 values."""
    edges = np.arange(1, 256) - 0.5
    below = np.array([math.erfc(-(e - mean) / deviation / 2**0.5) / 2 for e in edges])
    return np.concatenate([[0], np.round(below * (TOTAL - 256)).astype(np.int64) + np.arange(1, 256), [TOTAL]])[:, None]


def samples() -> Iterator[dict[str, Any]]:
    """Of one variable, p normal(128, 16), q normal(153, 8): distance from q, moments, what indices cost."""
    coders: list[tuple[str, Coder]] = [("Poisson", Poisson()), ("Rejection", Rejection())]
    for count in (4, 16, 64, 256):
        coders += [(f"Importance({count})", Importance(count)), (f"Ordered({count})", Ordered(count))]
    for omega in (0.5, 2.0):
        for epsilon in (0.2, 2.0):
            coders.append((f"Auxiliary({omega}, {epsilon}, sample)", Auxiliary(omega, epsilon, 1, sample=True)))
    coders += [(f"Auxiliary(1, 1, beams {beams})", Auxiliary(1.0, 1.0, beams)) for beams in (1, 20)]
    p, q = normal_law(128, 16), normal_law(153, 8)
    for name, coder in coders:
        rng = np.random.default_rng(0)
        found, indices = [], []
        for number in range(DRAWS):
            pair = Pair(p, q, 7, number)
            index = coder.encode(pair, rng)
            found.append(int(coder.decode(pair, index)[0]))
            indices.append(np.atleast_1d(np.asarray(index)))
        law = (np.array(found)[:, None] < np.arange(1, 256)).mean(0)
        row = {"coder": name, "kl_bits": float(pair.targets.divergence().sum()) / math.log(2)}
        row |= {"ks": float(np.abs(law - q[1:-1, 0] / TOTAL).max()), "ks_95": 1.36 / math.sqrt(DRAWS)}
        row |= {"mean": float(np.mean(found)), "deviation": float(np.std(found)), "bits": _bits(coder, indices)}
        if isinstance(coder, Auxiliary):
            row["steps"] = coder.steps(pair)
        print(row, flush=True)
        yield row


def _bits(coder: Coder, indices: list[np.ndarray]) -> float:
    """Bits of an index: by the fitted power law, or for unbounded ones by one over all that occurred."""
    if isinstance(coder, Auxiliary):
        chosen = np.concatenate([index[:-1] for index in indices])  # without the bend, which a level shares
        count = coder.candidates
    else:
        chosen = np.concatenate(indices)
        count = min(getattr(coder, "candidates", int(chosen.max()) + 1), index_code.MAX_CANDIDATES)
        chosen = np.minimum(chosen, count - 1)
    law = index_code.frequencies(max(2, count), index_code.fitted(chosen, max(2, count)))
    return float(-np.log2(law[chosen] / TOTAL).sum() / len(indices))


def table(record: dict[str, Any]) -> str:
    """The results as Markdown."""
    lines = ["# Relative entropy coding", "", f"On {record['environment']['cpu']}, one thread, processor seconds.", ""]
    if rows := record.get("rates"):
        lines += [
            "## Rates", "",
            f"CIFAR-10, the first {rows[0]['images']} test images in one file, and the first {rows[0]['singles']} each "
            "in a file of its own (containers included); bits per dimension. Above: the ideal ELBO of the same images.",
            "",
            "| model | codec | ideal | archive | above | single | above | encode s | decode s |",
            "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        ]  # fmt: skip
        for r in rows:
            options = ", ".join(f"{k} {v}" for k, v in r["options"].items())
            lines.append(
                f"| {r['model']} | {r['codec']}{f' ({options})' if options else ''} | {r['ideal']:.3f} | "
                f"{r['archive']:.3f} | {r['archive_above']:+.1%} | {r['single']:.3f} | {r['single_above']:+.1%} | "
                f"{r['encode_s']:.3f} | {r['decode_s']:.3f} |"
            )
        lines.append("")
    if rows := record.get("archives"):
        lines += ["## Archives", "", f"CIFAR-10, the first {rows[0]['images']} test images, {rows[0]['model']}.", "",
                  "| codec | ideal | archive | above | encode s | decode s |",
                  "| --- | ---: | ---: | ---: | ---: | ---: |"]  # fmt: skip
        lines += [
            f"| {r['codec']} | {r['ideal']:.4f} | {r['archive']:.4f} | {r['above']:+.2%} | {r['encode_s']:.1f} | "
            f"{r['decode_s']:.1f} |"
            for r in rows
        ]
        lines.append("")
    if rows := record.get("picture"):
        lines += ["## A photograph", "", f"{rows[0]['image']}, {rows[0]['model']}, bits per sample of the file.", "",
                  "| codec | ideal | file | above | encode s | decode s |",
                  "| --- | ---: | ---: | ---: | ---: | ---: |"]  # fmt: skip
        lines += [
            f"| {r['codec']} | {r['ideal']:.4f} | {r['file']:.4f} | {r['above']:+.2%} | {r['encode_s']:.1f} | "
            f"{r['decode_s']:.2f} |"
            for r in rows
        ]
        lines.append("")
    if rows := record.get("cost"):
        lines += ["## Cost against KL", "",
                  "Crops of one validation photograph, `cifar10-resnet-vae`; a step is 3 nats.", "",
                  "| side | steps | encode s | ms a step | decode s | bits per dimension | ideal |",
                  "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]  # fmt: skip
        lines += [
            f"| {r['side']} | {r['steps']} | {r['encode_s']:.2f} | {1000 * r['encode_s'] / max(1, r['steps']):.1f} | "
            f"{r['decode_s']:.2f} | {r['bpd']:.3f} | {r['ideal']:.3f} |"
            for r in rows
        ]
        lines.append("")
    if rows := record.get("samples"):
        lines += [
            "## Samples",
            "",
            f"p normal(128, 16), q normal(153, 8) on 256 values, {DRAWS} samples; KL {rows[0]['kl_bits']:.2f} bits.",
            f"KS: Kolmogorov and Smirnov's distance from q; {rows[0]['ks_95']:.3f} is exceeded by 1 in 20 of the right",
            "law. Bits: of the index, by a fitted power law.",
            "",
            "| coder | KS | mean | deviation | steps | bits |",
            "| --- | ---: | ---: | ---: | ---: | ---: |",
        ]
        lines += [
            f"| {r['coder']} | {r['ks']:.3f} | {r['mean']:.1f} | {r['deviation']:.2f} | {r.get('steps', '')} | "
            f"{r['bits']:.2f} |"
            for r in rows
        ]
        lines.append("")
    return "\n".join(lines)


def main() -> None:
    """Measure everything in one run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--singles", type=int, default=5)
    parser.add_argument("--archive", type=int, default=1000)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    data = arguments.data
    parts: dict[str, Callable[[], Iterator[dict[str, Any]]]] = {
        "rates": lambda: rates(data, arguments.images, arguments.singles),
        "cost": lambda: cost(data),
        "samples": samples,
        "picture": lambda: picture(data),
        "archives": lambda: archives(data, arguments.archive),
    }
    record: dict[str, Any] = {}
    for name, part in parts.items():
        record[name] = list(part())
        path = common.write("irec", record)
        path.with_suffix(".md").write_text(table(json.loads(path.read_text())))


if __name__ == "__main__":
    main()
