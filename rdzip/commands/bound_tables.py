"""Tables of `rdzip bound`: the points that were found, and the sandwich."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rdzip.commands.output import table
from rdzip.system.atomic import shown

if TYPE_CHECKING:
    from rdzip.bounds.run import Result
    from rdzip.bounds.sandwich import Bound

_ORDER = {"exact": 0, "lower": 1, "upper": 2, "estimate": 3}


def tables(result: Result) -> str:
    """Return the points, the sandwich and its verdict as text."""
    from rdzip.metrics.psnr import psnr_of_mse

    first = result.records[0]
    images = len(first.get("shape", ())) == 3
    distortion = "PSNR" if images else "MSE"
    head = ["LAMBDA", "ROLE", "METHOD", "RATE", "BITS/DIM", distortion, "L = R + LAMBDA D", "SAMPLES", "SECONDS"]
    points = []
    for record in sorted(result.records, key=lambda r: (r["lambda"], _ORDER[r["role"]], r["method"])):
        mse = record["mse"]
        points.append([
            f"{record['lambda']:g}",
            record["role"],
            record["method"],
            _plain(record["rate_nats"]),
            _plain(record["rate_bits_per_dim"]),
            f"{psnr_of_mse(mse):.2f}" if images else f"{mse:.4g}",
            f"{record['value_nats']:.4f}{_half_width(record)}",
            f"{record['samples']:,}",
            f"{record['seconds']:.1f}",
        ])  # fmt: skip
    title = f"{shown(str(first['source']))}, {first['dim']} dimensions: rates in nats per sample"
    parts = [f"{title}\n\n{table(head, points, left=3)}"]
    if any(row.pairs for row in result.rows):
        sandwich = []
        for row in result.rows:
            cells = [_cell(entry) for entry in (row.lower, row.exact, row.upper, row.estimate)]
            sandwich.append([f"{row.lam:g}", *cells, "" if row.gap is None else f"{row.gap:.4f}"])
        head = ["LAMBDA", "LOWER", "EXACT", "UPPER", "ESTIMATE", "GAP"]
        parts.append(f"L in nats: lower <= exact <= upper\n\n{table(head, sandwich, left=1)}")
        parts.append(result.verdict)
    return "\n\n".join(parts)


def _plain(x: float) -> str:
    """Four digits after the point, and no minus before zeros."""
    return f"{x:.4f}".replace("-0.0000", "0.0000")


def _half_width(record: Mapping[str, Any]) -> str:
    low, high = record["ci95_nats"]
    return "" if low is None or high is None or high <= low else f" ±{(high - low) / 2:.4f}"


def _cell(found: Bound | None) -> str:
    if found is None:
        return ""
    half = (found.ci95[1] - found.ci95[0]) / 2
    return f"{found.value:.4f} ±{half:.4f}" if half > 0 else f"{found.value:.4f}"
