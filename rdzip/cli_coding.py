"""The commands about images: each input is read, coded, written and reported; a failing one stops no other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rdzip import files
from rdzip.cli_output import Output, bytes_text, shape_text
from rdzip.files import Destination, Found, Source, shown
from rdzip.formats import rdz, reading, writing
from rdzip.formats.header import REASONS, Reason
from rdzip.progress import bar


@dataclass(frozen=True)
class Coding:
    """How to code: which model and codec, what to keep and check, and on what it runs; None is the library's choice."""

    model: str | None = None
    codec: str | None = None
    metadata: str = "all"
    verify: bool = True
    threads: int | None = None
    device: str | None = None
    max_pixels: int | None = None


def compress(
    found: Sequence[Found], destination: Destination, coding: Coding, say: Output, *, remove: bool = False
) -> None:
    """Compress each input to its place."""
    for item, label in _one_by_one(found):
        with say.guard(item.name):
            target = destination.place(item, files.compressed_name(item))
            source = files.read(item)
            with bar(label, quiet=say.quiet) as progress:
                picture = reading.read_picture(source.data, max_pixels=coding.max_pixels)
                done = rdz.compress_picture(
                    picture,
                    model=coding.model,
                    codec=coding.codec,
                    metadata=coding.metadata,
                    threads=coding.threads,
                    device=coding.device,
                    progress=progress,
                    verify=coding.verify,
                )
            files.write(target, done.data, like=source.status, force=destination.force)
            _say_compressed(item, target, done.report, say)
            if remove and picture.source_format in reading.LOSSY_FORMATS:
                say.note(
                    f"{item.name} is kept: its .rdz holds the decoded pixels, not the {picture.source_format} file"
                )
            elif remove:
                files.remove_source(item, source)


def decompress(
    found: Sequence[Found], destination: Destination, coding: Coding, say: Output, *, remove: bool = False
) -> None:
    """Decompress each input to its place, in the format of the original or the one that the name after -o asks for."""
    wanted = _wanted_format(destination)
    for item, label in _one_by_one(found):
        with say.guard(item.name):
            source = files.read(item)
            name = _expected_name(item, destination, source)
            target = destination.place(item, name)
            with bar(label, quiet=say.quiet) as progress:
                decoded = _decode(source, coding, progress)
                written = writing.write_picture(decoded.picture, wanted)
            if target is not None and destination.output is None and written.format != decoded.picture.source_format:
                better = files.decompressed_name(item, written.suffix)
                target = target if better == name else destination.place(item, better)
            files.write(target, written.data, like=source.status, force=destination.force)
            for text in written.notes:
                say.note(f"{item.name}: {text}")
            _say_decoded(item, target, decoded, say)
            if remove and written.notes:
                say.note(f"{item.name} is kept: the result does not hold all that is in it")
            elif remove:
                files.remove_source(item, source)


def test(found: Sequence[Found], coding: Coding, say: Output) -> None:
    """Decode each input and check it against its hash; write nothing."""
    for item, label in _one_by_one(found):
        with say.guard(item.name):
            source = files.read(item)
            with bar(label, quiet=say.quiet) as progress:
                decoded = _decode(source, coding, progress)
            _say_decoded(item, None, decoded, say, tested=True)


def _one_by_one(found: Sequence[Found]) -> Iterator[tuple[Found, str]]:
    """Yield each input with the label of its progress bar."""
    for number, item in enumerate(found, 1):
        yield item, item.name if len(found) == 1 else f"{item.name} ({number} of {len(found)})"


def _decode(source: Source, coding: Coding, progress: Any) -> rdz.Decoded:
    return rdz.decode(
        source.data,
        max_pixels=coding.max_pixels,
        threads=coding.threads,
        device=coding.device,
        progress=progress,
    )


def _wanted_format(destination: Destination) -> str | None:
    if destination.output is None:
        return None
    suffix = destination.output.suffix.lower()
    wanted = writing.format_of_suffix(suffix)
    if wanted is None and suffix in files.IMAGE_SUFFIXES:
        raise files.UsageError(f"expected a format that rdzip writes without loss, found {suffix}; name the file .png")
    return wanted


def _expected_name(item: Found, destination: Destination, source: Source) -> str:
    """Return the name that the result will most probably have, from the header alone."""
    header = rdz.describe(source.data)
    if destination.output is not None or destination.stdout:
        return ""
    if header["source_format"] in writing.SUFFIXES:
        return files.decompressed_name(item)
    return files.decompressed_name(item, ".tif" if header["mode"] == "CMYK" else ".png")


def _say_compressed(item: Found, target: Path | None, report: rdz.Report, say: Output) -> None:
    if report.reason == REASONS[Reason.CLASSIC_NO_MODEL]:
        say.note_once(
            report.reason, "the model photo is missing: coding by classic codecs alone; see `rdzip models verify photo`"
        )
    for text in report.notes:
        say.note_once(text, f"{item.name}: {text}")
    seconds = _rounded(report.seconds)
    record = {
        "input": _path(item.path),
        "output": _path(target),
        "codec": report.codec,
        "model": report.model,
        "shape": list(report.shape),
        "bytes_in": report.bytes_in,
        "bytes_out": report.bytes_out,
        "bpsp": round(report.bpsp, 6),
        "bits": asdict(report.bits),
        "seconds": seconds,
    }
    line = (
        f"{item.name} -> {_target(target)}: {report.bytes_in:,} -> {bytes_text(report.bytes_out)} "
        f"({report.bytes_out / report.bytes_in:.1%}), {report.bpsp:.3f} bits per sample"
    )
    bits = ", ".join(f"{name} {value / 8:,.0f}" for name, value in asdict(report.bits).items())
    say.result(
        record,
        line,
        f"codec {report.codec}{f', model {report.model}' if report.model else ''}: {report.reason}",
        f"bytes of pixels: {bits}",
        f"seconds: {_times(seconds)}",
    )


def _say_decoded(item: Found, target: Path | None, decoded: rdz.Decoded, say: Output, *, tested: bool = False) -> None:
    shape, seconds = decoded.picture.shape, _rounded(decoded.seconds)
    record = {
        "input": _path(item.path),
        "output": None if tested else _path(target),
        "shape": list(shape),
        "seconds": seconds,
    }
    what = f"{shape_text(shape)} {decoded.picture.mode}"
    line = f"{item.name}: good, {what}" if tested else f"{item.name} -> {_target(target)}: {what}"
    say.result(record, line, f"seconds: {_times(seconds)}")


def _path(path: Path | None) -> str:
    return files.STDIO if path is None else str(path)


def _target(path: Path | None) -> str:
    return "stdout" if path is None else shown(path)


def _rounded(seconds: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in seconds.items()}


def _times(seconds: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.2f}" for name, value in seconds.items())
