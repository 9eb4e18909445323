"""Reports on files that were compressed, decompressed or tested: a record for --json, and a line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

from rdzip.commands.files import STDIO, Input
from rdzip.commands.output import Output, bytes_text, shape_text
from rdzip.formats.batch.items import Batch
from rdzip.formats.header import Reason
from rdzip.formats.notes import NoteKind
from rdzip.pipeline.batch_decompress import DecodedBatch
from rdzip.pipeline.report import Decoded, Lossy, Near, Report, Returned
from rdzip.pipeline.restore import Restored
from rdzip.system.atomic import shown


def compressed(items: Sequence[Input], target: Path | None, report: Report, out: Output) -> None:
    """Report what was compressed: one input, or several that went into one chain."""
    name = items[0].name if len(items) == 1 else images_text(len(items))
    if report.cause is Reason.CLASSIC_NO_MODEL:
        out.note_once(
            report.reason, "the neural model is missing: coding by classic codecs alone; see `rdzip models verify`"
        )
    for note in report.notes:
        out.note_once(note.text if note.kind is NoteKind.LOSSY_SOURCE else name + note.text, f"{name}: {note.text}")
    seconds = _rounded(report.seconds)
    record = {
        "input": str(items[0]) if len(items) == 1 else [str(item) for item in items],
        "output": _path(target),
        "codec": report.codec,
        "model": report.model,
        "shape": list(report.shape),
        "bytes_in": report.bytes_in,
        "bytes_out": report.bytes_out,
        "bpsp": round(report.bpsp, 6),
        "bits": asdict(report.bits),
        **(_returned_record(report.returned) if report.returned else {}),
        **(_lossy_record(report.lossy) if report.lossy else {}),
        **(_near_record(report.near) if report.near else {}),
        "seconds": seconds,
    }
    line = (
        f"{name} -> {target_text(target)}: {report.bytes_in:,} -> {bytes_text(report.bytes_out)} "
        f"({report.bytes_out / max(1, report.bytes_in):.1%}), "
    ) + (_lossy_text(report.lossy) if report.lossy else _rate_text(report))
    line += _near_text(report.near) if report.near else ""
    bits = ", ".join(f"{name} {value / 8:,.0f}" for name, value in asdict(report.bits).items())
    out.result(
        record,
        line,
        f"codec {report.codec}{f', model {report.model}' if report.model else ''}: {report.reason}",
        f"bytes of pixels: {bits}",
        f"seconds: {_times(seconds)}",
    )


def _rate_text(report: Report) -> str:
    return f"{report.bpsp:.3f} bits per sample" if report.shape else "as bytes"


def _returned_record(returned: Returned) -> dict[str, Any]:
    return {
        "exact": returned.exact,
        "carrier": returned.carrier or None,
        "skeleton_bytes": returned.skeleton,
        "sha256": returned.sha256,
    }


def _near_record(near: Near) -> dict[str, Any]:
    return {
        "bpp": round(near.bpp, 6),
        "psnr": _psnr(near.psnr),
        "max_error": near.max_error,
        "largest_error": near.largest_error,
    }


def _near_text(near: Near) -> str:
    if not near.largest_error:
        return ", nothing lost"
    return f", largest error {near.largest_error}" + ("" if math.isinf(near.psnr) else f", PSNR {near.psnr:.2f} dB")


def _psnr(value: float | None) -> float | None:
    return None if value is None or math.isinf(value) else round(value, 4)


def _lossy_record(lossy: Lossy) -> dict[str, Any]:
    return {
        "bpp": round(lossy.bpp, 6),
        "psnr": _psnr(lossy.psnr),
        "setting": lossy.setting,
        "q": lossy.quality,
        "estimated_bits": round(lossy.estimated, 1),
    }


def _lossy_text(lossy: Lossy) -> str:
    if lossy.setting is None:
        quality = "nothing lost"
    elif lossy.psnr is None:
        quality = "quality not measured"
    else:
        quality = f"PSNR {lossy.psnr:.2f} dB"
    return f"{lossy.bpp:.3f} bits per pixel, {quality}"


def decoded_items(item: Input, target: Path | None, done: DecodedBatch, out: Output, *, tested: bool = False) -> None:
    """Report a batch that was decoded.

    - item: the input
    - target: where it was written, None for nowhere or the standard output
    - done: the batch, and how long it took
    - out: where the report goes
    - tested: nothing was to be written
    """
    _decoded(item, target, done, done.batch.shape, items_text(done.batch), out, tested)


def items_text(items: Batch) -> str:
    """Return what a batch is: ``100 items of 28 x 28``."""
    of = " x ".join(str(n) for n in items.item_shape)
    what = "sequence" if items.sequences else "item"
    steps = f" of {sum(items.lengths):,} steps in all" if items.sequences else ""
    return f"{items.count:,} {what}{'' if items.count == 1 else 's'}{steps} of {of}"


def images_text(count: int) -> str:
    """Return ``1 image`` or ``2 images``."""
    return f"{count:,} image{'' if count == 1 else 's'}"


def decoded(item: Input, target: Path | None, done: Decoded, out: Output, *, tested: bool = False) -> None:
    """Report a picture that was decoded.

    - item: the input
    - target: where it was written, None for nowhere or the standard output
    - done: the picture, and how long it took
    - out: where the report goes
    - tested: nothing was to be written
    """
    shape = done.picture.shape
    _decoded(item, target, done, shape, f"{shape_text(shape)} {done.picture.mode}", out, tested)


def _decoded(
    item: Input,
    target: Path | None,
    done: Decoded | DecodedBatch,
    shape: tuple[int, ...],
    what: str,
    out: Output,
    tested: bool,
) -> None:
    seconds = _rounded(done.seconds)
    record = {
        "input": str(item),
        "output": None if tested else _path(target),
        "shape": list(shape),
        "seconds": seconds,
    }
    line = f"{item.name}: good, {what}" if tested else f"{item.name} -> {target_text(target)}: {what}"
    out.result(record, line, f"seconds: {_times(seconds)}")


def restored(item: Input, target: Path | None, done: Restored, out: Output, *, tested: bool = False) -> None:
    """Report a file that came back.

    item, target, done, out, tested: as in decoded.
    """
    seconds = _rounded(done.seconds)
    shapes = [list(picture.shape) for picture in done.pictures]
    digest = sha256(done.data).hexdigest()
    record = {
        "input": str(item),
        "output": None if tested else _path(target),
        "shape": shapes[0] if len(shapes) == 1 else None,
        "exact": "file",
        "carrier": done.carrier,
        "sha256": digest,
        "seconds": seconds,
    }
    what = f"{bytes_text(len(done.data))}, the same file"
    line = f"{item.name}: good, {what}" if tested else f"{item.name} -> {target_text(target)}: {what}"
    out.result(record, line, f"sha-256 {digest}", f"seconds: {_times(seconds)}")


def _path(path: Path | None) -> str:
    return STDIO if path is None else str(path)


def target_text(path: Path | None) -> str:
    """Return where a result went, as it is shown."""
    return "stdout" if path is None else shown(path)


def _rounded(seconds: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in seconds.items()}


def _times(seconds: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.2f}" for name, value in seconds.items())
