"""The commands about images: each input is read, coded, written and reported; a failing one stops no other."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from rdzip import atomic, files
from rdzip.atomic import shown
from rdzip.cli_output import Output, bytes_text, shape_text
from rdzip.errors import InputError
from rdzip.files import Destination, Found, UsageError
from rdzip.formats import archive, container, rdz, reading, writing
from rdzip.formats.header import REASONS, Reason
from rdzip.formats.picture import Picture
from rdzip.process import own_process
from rdzip.progress import Report, bar

PREFIX = container.MAX_HEADER + 64  # bytes that surely hold a file's header


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
            picture, done = _compress(source.data, label, coding, say)
            atomic.write(target, done.data, like=source.status, force=destination.force)
            _say_compressed(item, target, done.report, say)
            if remove:
                _remove_original(item, source.status, picture.source_format, say)


def compress_archive(
    found: Sequence[Found], destination: Destination, coding: Coding, say: Output, *, remove: bool = False
) -> None:
    """Compress all inputs into the archive at `destination.output`; one that fails is left out of it.

    Raises InputError if the archive cannot be written or all inputs fail.
    """
    target = destination.place(found[0], "")
    kept: list[tuple[Found, os.stat_result | None, str]] = []
    with atomic.written(target, force=destination.force) as out:
        size = archive.write_archive(out, _members(found, target, coding, say, kept))
        if not kept:
            raise InputError("expected at least one image for the archive, found none that could be coded")
    say.note(f"{_target(target)}: {len(kept)} image{'' if len(kept) == 1 else 's'}, {bytes_text(size)}")
    for item, status, source_format in kept if remove else ():
        with say.guard(item.name):
            _remove_original(item, status, source_format, say)


def _members(
    found: Sequence[Found],
    target: Path | None,
    coding: Coding,
    say: Output,
    kept: list[tuple[Found, os.stat_result | None, str]],
) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the compressed bytes of each input that can be coded, and note it in `kept`."""
    names: set[str] = set()
    for item, label in _one_by_one(found):
        done = None
        with say.guard(item.name):
            files.compressed_name(item)
            name = archive.check_name(item.relative.as_posix())
            if name.casefold() in names:
                raise InputError(f"expected names that differ, found two inputs called {shown(name)}; rename one")
            source = files.read(item)
            picture, done = _compress(source.data, label, coding, say)
            _say_compressed(item, target, done.report, say)
            names.add(name.casefold())
            kept.append((item, source.status, picture.source_format))
        if done is not None:
            yield name, done.data


def _compress(data: bytes, label: str, coding: Coding, say: Output) -> tuple[Picture, rdz.Compressed]:
    with bar(label, quiet=say.quiet) as progress:
        picture = reading.read_picture(data, max_pixels=coding.max_pixels)
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
    return picture, done


def _remove_original(item: Found, status: os.stat_result | None, source_format: str, say: Output) -> None:
    if source_format in reading.LOSSY_FORMATS:
        say.note(f"{item.name} is kept: its .rdz holds the decoded pixels, not the {source_format} file")
    else:
        files.remove_source(item, status)


def decompress(
    found: Sequence[Found], destination: Destination, coding: Coding, say: Output, *, remove: bool = False
) -> None:
    """Decompress each input to its place, in the format of the original or the one that the name after -o asks for.

    The images of an archive go into a folder. Raises UsageError for a name after -o that asks for a lossy format.
    """
    wanted = _wanted_format(destination)
    for item, label in _one_by_one(found):
        with say.guard(item.name), files.opened(item) as (file, status):
            packed = _unpack(file)
            if isinstance(packed, bytes):
                complete = _decompress(item, packed, status, destination, coding, say, label=label, wanted=wanted)
            else:
                complete = _decompress_archive(item, packed, destination, coding, say)
            if remove and complete:
                files.remove_source(item, status)
            elif remove:
                say.note(f"{item.name} is kept, since not all that is in it could be written")


def _decompress(
    item: Found,
    data: bytes,
    status: os.stat_result | None,
    destination: Destination,
    coding: Coding,
    say: Output,
    *,
    label: str,
    wanted: str | None = None,
    folder: Path | None = None,
) -> bool:
    """Write one image; return whether all that is in it could be kept."""
    free = folder is not None or not (destination.stdout or destination.output)
    name = _expected_name(item, data) if free else ""
    target = destination.place(item, name, folder)
    with bar(label, quiet=say.quiet) as progress:
        decoded = _decode(data, coding, progress)
        written = writing.write_picture(decoded.picture, wanted)
    if free and written.format != decoded.picture.source_format:
        better = files.decompressed_name(item, written.suffix)
        target = target if better == name else destination.place(item, better, folder)
    atomic.write(target, written.data, like=status, force=destination.force)
    for text in written.notes:
        say.note(f"{item.name}: {text}")
    _say_decoded(item, target, decoded, say)
    return not written.notes


def _decompress_archive(
    item: Found, packed: archive.Archive, destination: Destination, coding: Coding, say: Output
) -> bool:
    """Write the images of an archive into its folder; return whether all that is in it could be kept."""
    folder = destination.folder_for(item)
    complete = True
    for member in _members_of(item, packed):
        done = False
        with say.guard(member.name):
            data = packed.read(member.member or "")
            done = _decompress(member, data, None, destination, coding, say, label=member.name, folder=folder)
        complete &= done
    return complete


def test(found: Sequence[Found], coding: Coding, say: Output) -> None:
    """Decode each input and check it against its hash; write nothing."""
    for item, label in _one_by_one(found):
        with say.guard(item.name), files.opened(item) as (file, _):
            packed = _unpack(file)
            if isinstance(packed, bytes):
                _test(item, packed, label, coding, say)
                continue
            for member in _members_of(item, packed):
                with say.guard(member.name):
                    _test(member, packed.read(member.member or ""), member.name, coding, say)


def _test(item: Found, data: bytes, label: str, coding: Coding, say: Output) -> None:
    with bar(label, quiet=say.quiet) as progress:
        decoded = _decode(data, coding, progress)
    _say_decoded(item, None, decoded, say, tested=True)


def _unpack(file: BinaryIO) -> bytes | archive.Archive:
    """Return the bytes of a .rdz file, or the archive that it is, which then reads from `file` itself."""
    if archive.is_archive(file.read(PREFIX)):
        return archive.Archive(file)
    file.seek(0)
    return files.read_on(file)


def _members_of(item: Found, packed: archive.Archive) -> Iterator[Found]:
    for name in packed.names:
        yield Found(item.path, Path(name + files.SUFFIX), member=name)


def _one_by_one(found: Sequence[Found]) -> Iterator[tuple[Found, str]]:
    """Yield each input with the label of its progress bar."""
    own_process()
    for number, item in enumerate(found, 1):
        yield item, item.name if len(found) == 1 else f"{item.name} ({number} of {len(found)})"


def _decode(data: bytes, coding: Coding, progress: Report) -> rdz.Decoded:
    return rdz.decode(
        data, max_pixels=coding.max_pixels, threads=coding.threads, device=coding.device, progress=progress
    )


def _wanted_format(destination: Destination) -> str | None:
    if destination.output is None:
        return None
    suffix = destination.output.suffix.lower()
    wanted = writing.format_of_suffix(suffix)
    if wanted is None and suffix in files.IMAGE_SUFFIXES:
        raise UsageError(f"expected a format that rdzip writes without loss, found {suffix}; name the file .png")
    return wanted


def _expected_name(item: Found, data: bytes) -> str:
    """Return the name that the result will most probably have, from the header alone."""
    header = rdz.describe(data)
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
        "input": str(item),
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
        "input": str(item),
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
