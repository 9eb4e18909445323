"""Tables of `rdzip bench`: averages by codec and setting, and BD-rates."""

from __future__ import annotations

from collections.abc import Sequence

from rdzip.bench.curves import Curve
from rdzip.bench.measure import Record
from rdzip.bench.run import Saving
from rdzip.commands.output import table
from rdzip.metrics.bd_rate import BdRate
from rdzip.system.atomic import shown

_AVERAGES = (
    "CODEC", "SETTING", "BYTES", "BPP", "PSNR dB", "MS-SSIM", "ENCODE s", "DECODE s", "ENCODE MP/s", "DECODE MP/s"
)  # fmt: skip


def averages(records: Sequence[Record], pixels: int) -> str:
    """Return the table of averages. pixels: of all images together."""
    images = records[0]["images"]
    title = f"averages of {images} image{'' if images == 1 else 's'}, {pixels / 1e6:.2f} megapixels, RGB of 8 bits"
    body = []
    previous = None
    for record in records:
        lossy = record["mse"] > 0
        body.append([
            record["codec"] if record["codec"] != previous else "",
            record["setting"],
            f"{record['bytes']:,}",
            f"{record['bpp']:.4f}",
            _number(record["psnr"], 3) if lossy else "lossless",
            _number(record["ms_ssim"], 5) if lossy else "",
            *(_seconds(record[name]) for name in ("encode_s", "decode_s", "encode_mps", "decode_mps")),
        ])  # fmt: skip
        previous = record["codec"]
    return f"{title}\n\n{table(_AVERAGES, body, left=2)}"


def bd_rates(savings: Sequence[Saving], anchor: Curve, rates: tuple[float, float]) -> str:
    """Return the table of BD-rates over a range of bits per pixel, and what it says."""
    low, high = rates
    head = ("CODEC", "POINTS OF", f"{low:g}-{high:g} BPP", "PSNR dB")
    body = [[saving.curve.name, saving.curve.source, *_rate(saving.bd_rate)] for saving in savings]
    return (
        f"BD-rate against {shown(anchor.name)}: rate more (+) or less (-) for the same PSNR, over the PSNRs at which\n"
        f"both are at {low:g} to {high:g} bits per pixel\n\n{table(head, body, left=2)}"
    )


def jpeg_files(records: Sequence[Record]) -> str:
    """Return the table of codecs of JPEG files. records: of all files together, one for each codec."""
    count, source = records[0]["files"], records[0]["bytes_in"]
    head = ("CODEC", "BYTES", "SHARE", "SAME FILE", "ENCODE MB/s", "DECODE MB/s")
    body = [["original", f"{source:,}", "100.0 %", "", "", ""]]
    for record in records:
        body.append([
            record["codec"], f"{record['bytes']:,}", f"{100 * record['share']:.1f} %", f"{record['exact']} of {count}",
            *(_seconds(record[name]) if name in record else "" for name in ("encode_mb_s", "decode_mb_s")),
        ])  # fmt: skip
    title = f"{count} JPEG file{'' if count == 1 else 's'}, to come back byte for byte; what does not counts as it is"
    return f"{title}\n\n{table(head, body, left=1)}"


def _rate(value: BdRate | None) -> tuple[str, str]:
    return ("none", "") if value is None else (f"{value.percent:+.2f} %", f"{value.low:.2f} to {value.high:.2f}")


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _seconds(value: float) -> str:
    """Three digits that count, however small or large."""
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"
