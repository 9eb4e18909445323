"""What a benchmark shows as text: averages by codec and setting, and BD-rates."""

from __future__ import annotations

import io
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from rdzip.bench.curves import Curve
from rdzip.bench.measure import Record
from rdzip.bench.run import Saving
from rdzip.metrics.bd_rate import BdRate
from rdzip.system.atomic import shown

WIDTH = 160
"""Tables are as wide as they need, up to this; a narrow terminal breaks lines rather than numbers."""


def render(parts: Sequence[Table | str], *, colours: bool) -> str:
    """Return tables, and lines between them, as text without blanks at the ends of lines."""
    buffer = io.StringIO()
    console = Console(file=buffer, force_terminal=colours, width=WIDTH, markup=False)
    for part in parts:
        console.print(part, highlight=False)
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines())


def averages(records: Sequence[Record], pixels: int, *, ascii_only: bool) -> Table:
    """Return the table of averages. pixels: of all images together."""
    images = records[0]["images"]
    title = f"averages of {images} image{'' if images == 1 else 's'}, {pixels / 1e6:.2f} megapixels, RGB of 8 bits"
    head = (
        "codec",
        "setting",
        "bytes",
        "bpp",
        "PSNR dB",
        "MS-SSIM",
        "encode s",
        "decode s",
        "encode MP/s",
        "decode MP/s",
    )
    table = _new(title, head, left=2, ascii_only=ascii_only)
    previous = None
    for record in records:
        lossy = record["mse"] > 0
        table.add_row(
            record["codec"] if record["codec"] != previous else "",
            record["setting"],
            f"{record['bytes']:,}",
            f"{record['bpp']:.4f}",
            _number(record["psnr"], 3) if lossy else "lossless",
            _number(record["ms_ssim"], 5) if lossy else "",
            *(_seconds(record[name]) for name in ("encode_s", "decode_s", "encode_mps", "decode_mps")),
        )
        previous = record["codec"]
    return table


def bd_rates(found: Sequence[Saving], anchor: Curve, rates: tuple[float, float], *, ascii_only: bool) -> Table:
    """Return the table of BD-rates over a range of bits per pixel."""
    low, high = rates
    head = ("codec", "points of", f"{low:g}-{high:g} bpp", "PSNR dB")
    table = _new(None, head, left=2, ascii_only=ascii_only)
    for saving in found:
        table.add_row(shown(saving.curve.name), shown(saving.curve.source), *_rate(saving.bd_rate))
    return table


def about_bd_rates(anchor: Curve, rates: tuple[float, float]) -> str:
    """Return the lines that say what the table of BD-rates has."""
    low, high = rates
    return (
        f"BD-rate against {shown(anchor.name)}: rate more (+) or less (-) for the same PSNR, over the PSNRs at which\n"
        f"both are at {low:g} to {high:g} bits per pixel"
    )


def _new(title: str | None, head: Sequence[str], *, left: int, ascii_only: bool) -> Table:
    table = Table(title=title, title_justify="left", box=box.ASCII if ascii_only else box.SIMPLE_HEAD)
    for index, name in enumerate(head):
        table.add_column(name, justify="left" if index < left else "right", no_wrap=True)
    return table


def _rate(value: BdRate | None) -> tuple[str, str]:
    return ("none", "") if value is None else (f"{value.percent:+.2f} %", f"{value.low:.2f} to {value.high:.2f}")


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _seconds(value: float) -> str:
    """Three digits that count, however small or large."""
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"
