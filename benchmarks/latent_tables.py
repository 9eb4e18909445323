"""The papers' tables side by side with ours, in Markdown: from the JSON that benchmarks/latent.py wrote.

    python benchmarks/latent_tables.py > benchmarks/results/latent.md

Published rates are bits per dimension (per step for the chorales) of the papers' own models, which were trained for
days, each in the column of its kind: net beside net, file beside file. Binary digits and chorales are those of Ruan et
al. 2021, CIFAR-10 those of Kingma et al. 2019 (Bit-Swap), Townsend et al. 2020 (HiLLoC) and Flamich et al. 2020 (single
images, classical codecs). The digits of Ruan et al. are EMNIST's, which are others than MNIST's.
"""

from __future__ import annotations

import json
from typing import Any

import common

TITLES = {
    "toys": "Toy models, bits per symbol",
    "mnist-binary": "Binary digits (MNIST test), bits per dimension",
    "mnist": "Digits of 8 bits (MNIST test), bits per dimension",
    "cifar10": "CIFAR-10 test, bits per dimension",
    "pictures": "Single pictures (Kodak) by the models of CIFAR-10, bits per sample",
    "jsb": "JSB chorales, test split, bits per step",
}
PUBLISHED = {
    ("digits", "mnist-binary-elbo", "bb-ans", ""): {"net": ".2382 (EMNIST)"},
    ("digits", "mnist-binary-iwae5", "bb-is", "--particles 5"): {"net": ".2335 (EMNIST)"},
    ("digits", "mnist-binary", "bb-is", "--particles 50"): {"net": ".2305 (EMNIST)", "total": ".2782 (EMNIST)"},
    ("digits", "mnist-binary", "bb-cis", "--particles 50"): {"net": ".2303 (EMNIST)", "total": ".2325 (EMNIST)"},
    ("cifar10", "cifar10-bitswap", "bit-swap", ""): {"net": "3.82"},
    ("cifar10", "cifar10-resnet-vae", "bb-ans", ""): {"net": "3.56"},
    ("cifar10-1", "cifar10-bitswap", "bit-swap", ""): {"total": "6.53"},
    ("cifar10-1", "cifar10-resnet-vae", "bb-ans", ""): {"total": "24.51"},
    ("cifar10", "", "png", ""): {"file": "5.87"},
    ("cifar10", "", "webp", ""): {"file": "4.61"},
    ("jsb", "jsb-vrnn-elbo", "bb-ans", ""): {"net": "12.54"},
    ("jsb", "jsb-vrnn", "bb-smc", "--particles 4"): {"net": "10.96"},
}
"""By data, model, codec and options: rates by kind."""
SHOWN = {"limit": ("limit",), "ideal": ("ideal",)} | {
    kind: (kind, f"{kind}, published") for kind in ("net", "total", "file")
}
"""Columns of each kind of rate."""


def figure(row: dict[str, Any], name: str) -> str:
    """A rate to four digits after the point, empty where there is none."""
    return f"{row[name]:.4f}" if name in row else ""


def table(part: str, record: dict[str, Any]) -> list[str]:
    """The lines of one part."""
    limited = any("limit" in row for row in record["rows"])
    quoted = [
        PUBLISHED.get((r["data"], r.get("model", ""), r["codec"], r.get("options", "")), {}) for r in record["rows"]
    ]
    kinds = [*(["limit"] if limited else []), "ideal", "net", "total", "file"]
    beside = {kind for rates in quoted for kind in rates}
    names = [name for kind in kinds for name in SHOWN[kind][: 2 if kind in beside else 1]]
    lines = [f"## {TITLES[part]}", "", f"Measured at {record['environment']['commit'][:10]}.", ""]
    lines.append("| data | samples | model | codec | " + " | ".join(names) + " |")
    lines.append("| --- | ---: | --- | --- | " + " | ".join(["---:"] * len(names)) + " |")
    for row, published in zip(record["rows"], quoted, strict=True):
        options, model = row.get("options", ""), row.get("model", "")
        codec = " ".join([row["codec"], options.replace("--", "")]).strip()
        shown = {f"{kind}, published": rate for kind, rate in published.items()}
        rates = [shown.get(name, "") if "published" in name else figure(row, name) for name in names]
        lines.append(f"| {' | '.join([row['data'], str(row['samples']), model, codec, *rates])} |")
    return lines


def speeds(record: dict[str, Any]) -> list[str]:
    """The lines of the speeds and shares of time that benchmarks/latent_chain.py measured."""
    lines = ["## Speed, samples a second of processor time (one thread), and where the time goes", ""]
    lines += [f"Measured at {record['environment']['commit'][:10]} by `python benchmarks/latent_chain.py`.", ""]
    lines.append("| model | codec | samples | encode /s | networks, tables, coder, other | decode /s | the same |")
    lines.append("| --- | --- | ---: | ---: | --- | ---: | --- |")
    for row in record["rows"]:
        options = " ".join(f"{key} {row[key]}" for key in ("particles", "refine", "steps") if key in row)
        cells = [row["model"], f"{row['codec']} {options}".strip(), str(row["samples"])]
        for work in ("encode", "decode"):
            shares = (f"{row[f'{work}_shares'][part]:.0%}" for part in ("networks", "tables", "coder", "other"))
            cells += [f"{row[f'{work}_per_s']:.1f}", ", ".join(shares)]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def main() -> None:
    print("# Codecs with latents: rates from written files\n")
    print("By `python benchmarks/latent.py --data DIR` and `python benchmarks/latent_tables.py`. limit: least rate of")
    print("any codec; ideal: of the model; net: coded, without initial bits; total: with them; file: all bytes.")
    print("Published rates are those of the papers' own models, on other data where that is named. Of the files of")
    print("chorales the smallest is bb-ans with the model trained for it: what particles save in net rate they cost in")
    print("initial bits, which 77 sequences do not pay off.\n")
    for part in TITLES:
        file = common.RESULTS / f"latent-{part}.json"
        if file.is_file():
            print("\n".join(table(part, json.loads(file.read_text()))) + "\n")
    print("\n".join(speeds(json.loads((common.RESULTS / "latent-shares.json").read_text()))))


if __name__ == "__main__":
    main()
