"""What `rdzip info` prints; it imports neither numpy nor torch, and so answers at once."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from rdzip.commands import files
from rdzip.commands.files import Input
from rdzip.commands.output import Output, bytes_text, print_json, print_text, rows, shape_text, table
from rdzip.formats.describe import describe
from rdzip.system.atomic import shown


def info(inputs: Sequence[Input], out: Output) -> None:
    """Print what each file's headers say: a few lines, or one JSON object a line."""
    for number, item in enumerate(inputs):
        with out.guard(item.name):
            facts = describe(files.read(item).data)
            if out.json:
                print_json({"input": str(item), **facts})
            elif facts["kind"] == "archive":
                print_text(("\n" if number else "") + _archive(item.name, facts))
            elif facts["kind"] == "file":
                print_text(("\n" if number else "") + f"{item.name}\n" + rows(_file_lines(facts)))
            elif facts["kind"] == "batch":
                print_text(("\n" if number else "") + f"{item.name}\n" + rows(_batch_lines(facts)))
            else:
                print_text(("\n" if number else "") + f"{item.name}\n" + rows(_lines(facts)))


def _archive(name: str, facts: dict[str, Any]) -> str:
    header = ["IMAGE", "PIXELS", "MODE", "BYTES", "BITS PER SAMPLE", "CODEC"]
    body = [
        [
            f"{member['items']} {_items(member)} in a chain" if member["kind"] == "batch" else shown(member["name"]),
            _size(member),
            member["mode"] or "",
            f"{member['bytes']:,}",
            "" if member["bpsp"] is None else f"{member['bpsp']:.3f}",
            member["codec"],
        ]
        for member in facts["members"]
    ]
    count = sum(member.get("items", 1) for member in facts["members"])
    top = f"{name}: {count} image{'' if count == 1 else 's'}, {bytes_text(facts['bytes'])}"
    return f"{top}\n{table(header, body)}"


def _items(facts: dict[str, Any]) -> str:
    return "images" if facts["form"] == "images" else "sequences" if facts["lengths"] else "arrays"


def _size(facts: dict[str, Any]) -> str:
    """Size of a picture, or of each item of a batch; of several pictures how many there are."""
    if facts["kind"] == "file":
        return f"{len(facts['pictures'])} pictures" if facts["pictures"] else ""
    if facts["kind"] == "image" or facts["form"] == "images":
        return shape_text(facts["shape"][facts["kind"] != "image" :])
    return " x ".join(str(n) for n in facts["shape"][1:])


def _file_lines(facts: dict[str, Any]) -> list[tuple[str, str]]:
    rate = "" if facts["bpsp"] is None else f", {facts['bpsp']:.3f} bits per sample"
    lines = [_exact(facts), ("size", bytes_text(facts["bytes"]) + rate)]
    for number, picture in enumerate(facts["pictures"]):
        what = f"{shape_text(picture['shape'])}, {picture['mode']}, {bytes_text(picture['bytes'])}, {picture['codec']}"
        lines.append((f"  picture {number}", what))
    if "scans" in facts:
        order = "progressive" if facts["progressive"] else "sequential"
        scans = f"{facts['scans']} scan{'' if facts['scans'] == 1 else 's'}"
        lines.append(
            ("JPEG", f"quality about {facts['quality']}, sampling {' '.join(facts['sampling'])}, {order}, {scans}")
        )
    if facts["reason"]:
        lines.append(("codec", f"{facts['codec']}: {facts['reason']}"))
    lines.append(("format", f"version {facts['format_version']}"))
    return lines


def _exact(facts: dict[str, Any]) -> tuple[str, str]:
    """What of the source comes back."""
    if facts["exact"] != "file":
        return "exact", "picture: an equal one comes back, not the same file"
    if facts["carrier"] == "bytes":
        return "exact", "file: the same bytes come back"
    return "exact", f"file: the same {facts['carrier']} comes back, {bytes_text(facts['skeleton_bytes'])} for it"


def _batch_lines(facts: dict[str, Any]) -> list[tuple[str, str]]:
    if facts["lengths"]:
        steps = f"{sum(facts['lengths']):,} steps of {facts['shape'][1]} in all"
        items = f"{facts['items']:,} sequences, {steps}"
    else:
        shape = " x ".join(str(n) for n in facts["shape"])
        items = f"{facts['items']:,}, {shape}, {facts['mode'] or facts['dtype']}"
    kinds = {"npy": "an array (.npy)", "images": "image files", "npz": "sequences (.npz)"}
    options = "".join(f", {name} {value}" for name, value in facts["options"].items())
    lines = [
        ("items", f"{items}, from {kinds[facts['form']]}"),
        ("size", f"{bytes_text(facts['bytes'])}, {facts['bpsp']:.3f} bits per sample"),
        ("codec", f"{facts['codec']}{options}"),
        ("segments", f"{facts['segments']:,} of {facts['segment_items']:,} items"),
    ]
    if facts["model"] is not None:
        lines.append(("model", _model(facts)))
    if facts["names"]:
        lines.append(("names", ", ".join(shown(name) for name in facts["names"])))
    lines.append(("format", f"version {facts['format_version']}"))
    return lines


def _lines(facts: dict[str, Any]) -> list[tuple[str, str]]:
    source = f", from a {facts['source_format']} file" if facts["source_format"] else ""
    bits = facts["bits_per_sample"]
    rate = f"{facts['bpsp']:.3f} bits per sample"
    if "setting" in facts:
        rate = f"{facts['bpp']:.3f} bits per pixel"
    lines = [
        ("picture", f"{shape_text(facts['shape'])}, {facts['mode']}, {bits} bit{'' if bits == 1 else 's'}{source}"),
        ("size", f"{bytes_text(facts['bytes'])}, {rate}"),
        ("codec", f"{facts['codec']}: {facts['reason']}"),
    ]
    if "max_error" in facts:
        lines.append(("loss", f"near-lossless, samples differ by at most {facts['max_error']}"))
    elif facts["lossy"]:
        quality = f", for quality {facts['q']}" if facts["q"] else ""
        lines.append(("loss", f"lossy, setting {facts['setting']} of the quantiser{quality}"))
    else:
        lines.append(_exact(facts))
    if facts["history"]:
        lines.append(("history", f"was {facts['history']}"))
    for name, plane in facts["planes"].items():
        method = f" ({plane['method']})" if plane["method"] else ""
        lines.append((f"  {name}", f"{bytes_text(plane['bytes'])}, {plane['codec']}{method}"))
    if facts["model"] is not None:
        lines.append(("model", _model(facts)))
    if facts["palette_bytes"]:
        lines.append(("palette", bytes_text(facts["palette_bytes"])))
    lines.append(("metadata", bytes_text(facts["metadata_bytes"]) if facts["metadata_bytes"] else "none"))
    name = "symbols_hash" if "symbols_hash" in facts else "pixel_hash"
    lines.append((name.replace("_", " "), facts[name]))
    lines.append(("format", f"version {facts['format_version']}"))
    return lines


def _model(facts: dict[str, Any]) -> str:
    return f"{shown(facts['model'])}, sha-256 {facts['model_hash']}..., entropy coder {facts['coder']}"


def print_versions() -> None:
    """Print the versions of rdzip, of its file format, and of what codes with it."""
    from importlib.metadata import PackageNotFoundError, version

    from rdzip import __version__
    from rdzip.formats.container import VERSION

    parts = []
    for package in ("constriction", "torch", "pillow"):
        try:
            parts.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            parts.append(f"{package} missing")
    print_text(f"rdzip {__version__} (file format {VERSION}, {', '.join(parts)}, Python {sys.version.split()[0]})")
