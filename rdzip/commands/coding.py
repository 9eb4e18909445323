"""The commands about images: each input is read, coded, written and reported; a failing one stops no other."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

from rdzip.commands import fetch as cli_fetch
from rdzip.commands import files
from rdzip.commands import removal as cli_removal
from rdzip.commands import report as cli_told
from rdzip.commands.files import Destination, Found
from rdzip.commands.output import Output, bytes_text
from rdzip.commands.progress_bar import Report, bar
from rdzip.commands.removal import Coded
from rdzip.errors import InputError, UsageError
from rdzip.formats import archive, container, member_names
from rdzip.formats.batch import files as batch_files
from rdzip.formats.batch import items as batch
from rdzip.formats.images import faithful
from rdzip.formats.images import read as reading
from rdzip.formats.images import write as writing
from rdzip.formats.images.faithful import Returned
from rdzip.formats.images.picture import Picture
from rdzip.pipeline import compress as rdz
from rdzip.pipeline.codec_options import NO_WISHES, Wishes
from rdzip.pipeline.loss import NO_LOSS, Loss
from rdzip.pipeline.model_handle import latent_model
from rdzip.system import atomic, limits, workers
from rdzip.system.atomic import shown
from rdzip.system.process import own_process
from rdzip.system.workers import Pool

ALONE = Pool()
PREFIX = container.MAX_HEADER + 64  # bytes that surely hold a file's header


@dataclass(frozen=True)
class Coding:
    """How to code: which model and codec, what to keep and check, and on what it runs; None is the library's choice.

    wishes: about codecs of latents. items: which items of a file to decode, None for all. loss: what may be lost.
    offline: fetch no model. fetch: models from repositories that files name, too.
    """

    model: str | None = None
    codec: str | None = None
    metadata: str = "all"
    verify: bool = True
    threads: int | None = None
    device: str | None = None
    max_pixels: int | None = None
    wishes: Wishes = NO_WISHES
    items: tuple[int, ...] | None = None
    loss: Loss = NO_LOSS
    effort: int | None = None
    offline: bool = False
    fetch: bool = False


def compress(
    found: Sequence[Found],
    destination: Destination,
    coding: Coding,
    say: Output,
    *,
    remove: bool = False,
    pool: Pool = ALONE,
) -> None:
    """Compress each input to its place."""
    places: dict[int, tuple[Path | None, os.stat_result | None]] = {}

    def order(index: int) -> Order:
        target = destination.place(found[index], files.compressed_name(found[index]))
        source = files.read(found[index])
        places[index] = target, source.status
        return Order(source.data, _label(found, index), coding, say.quiet or not pool.alone)

    def end(index: int, result: Any) -> None:
        item = found[index]
        with say.guard(item.name):
            if isinstance(result, Exception):
                raise result
            target, status = places.pop(index)
            why, done = result
            atomic.write(target, done.data, like=status, force=destination.force)
            cli_told.say_compressed([item], target, done.report, say)
            if remove:
                cli_removal.remove([Coded(item, status, why)], target, sha256(done.data).digest(), say)

    own_process()
    workers.work(carry_out, len(found), order, pool, on_end=end)


@dataclass(frozen=True)
class Order:
    """What a worker is to compress: the bytes of a file, and how. images: refuse a file of many items."""

    data: bytes
    label: str
    coding: Coding
    quiet: bool
    images: bool = False


def carry_out(order: Order, say: Callable[[Any], None]) -> tuple[str, rdz.Compressed]:
    """Compress, in whichever process this is: why the file must stay ("" if it comes back) and its .rdz file."""
    return _compress(order.data, order.label, order.coding, order.quiet, images=order.images)


def compress_archive(
    found: Sequence[Found],
    destination: Destination,
    coding: Coding,
    say: Output,
    *,
    remove: bool = False,
) -> None:
    """Compress all inputs into the archive at `destination.output`; one that fails is left out of it.

    Raises InputError if the archive cannot be written or all inputs fail.
    """
    if not coding.loss.wanted and latent_model(coding.model, coding.codec) is not None:
        from rdzip.commands import batch as cli_batch

        cli_batch.compress_chained(found, destination, coding, say, remove=remove)
        return
    coding.wishes.check(None)
    target = destination.place(found[0], "")
    coded: list[Coded] = []
    with write_archive(target, coded, destination) as out:
        size = archive.write_archive(out, _members(found, target, coding, say, coded))
    say.note(f"{cli_told.target_text(target)}: {cli_told.images_text(len(coded))}, {bytes_text(size)}")
    if remove:
        cli_removal.remove(coded, target, out.digest, say)


@contextmanager
def write_archive(target: Path | None, coded: list[Coded], destination: Destination) -> Iterator[atomic.Hashed]:
    """Open an archive for what is noted in `coded` as the block goes on; InputError if that is nothing."""
    sources: list[os.stat_result] = []
    with atomic.written(target, made_of=sources, force=destination.force) as file:
        yield atomic.Hashed(file)
        if not coded:
            raise InputError("expected at least one image for the archive, found none that could be coded")
        sources += [one.status for one in coded if one.status is not None]


def _members(
    found: Sequence[Found],
    target: Path | None,
    coding: Coding,
    say: Output,
    coded: list[Coded],
) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the compressed bytes of each input that can be coded, and note it in `coded`."""
    names: set[str] = set()
    for item, label in one_by_one(found):
        done = None
        with say.guard(item.name):
            name = member_name(item, names)
            source = files.read(item)
            why, done = _compress(source.data, label, coding, say.quiet, images=True)
            cli_told.say_compressed([item], target, done.report, say)
            names.add(name.casefold())
            coded.append(Coded(item, source.status, why))
        if done is not None:
            yield name, done.data


def member_name(item: Found, names: set[str]) -> str:
    """Return the name of an input in an archive; InputError for a bad one, or one of `names` (in lower case)."""
    files.compressed_name(item)
    name = member_names.check_name(item.relative.as_posix())
    if name.casefold() in names:
        raise InputError(f"expected names that differ, found two inputs called {shown(name)}; rename one")
    return name


def _compress(
    data: bytes, label: str, coding: Coding, quiet: bool, *, images: bool = False
) -> tuple[str, rdz.Compressed]:
    """Return why a file must stay ("" if it comes back) and its .rdz file; `images` refuses a file of many items."""
    ways = batch_files.read_ways(data, max_pixels=coding.max_pixels)
    if ways is not None and images:
        raise InputError("expected an image for the archive, found an array: compress it into a file of its own")
    if ways is not None and coding.loss.wanted:
        raise InputError(f"expected an image with {coding.loss.option}, found an array or sequences: leave it out")
    with bar(label, quiet=quiet) as progress:
        if ways is not None:
            from rdzip.commands import batch as cli_batch

            return cli_batch.why_kept(ways, data), cli_batch.code(ways, coding, progress)
        picture = reading.read_picture(data, max_pixels=coding.max_pixels)
        returned = faithful.check(data, picture, coding.metadata)
        done = code(picture, coding, progress)
        tell(returned, done.report)
        return why_kept(returned, done.report), done


def code(picture: Picture, coding: Coding, progress: Report) -> rdz.Compressed:
    """Return the .rdz file of a picture."""
    return rdz.compress_picture(
        picture,
        model=coding.model,
        codec=coding.codec,
        loss=coding.loss,
        metadata=coding.metadata,
        threads=coding.threads,
        device=coding.device,
        progress=progress,
        verify=coding.verify,
        wishes=coding.wishes,
        effort=coding.effort,
    )


def tell(returned: Returned, report: rdz.Report) -> None:
    """Add what does not come back of a file to what is told of it."""
    if returned.note:
        report.notes.append(returned.note)


def why_kept(returned: Returned, report: rdz.Report) -> str:
    """Return why an original must stay though it was compressed: its file does not bring it back; "" if it does."""
    if (report.lossy and report.lossy.setting is not None) or (report.near and report.near.largest_error):
        return "its .rdz holds what is left after loss"
    return returned.why


def decompress(
    found: Sequence[Found], destination: Destination, coding: Coding, say: Output, *, remove: bool = False
) -> None:
    """Decompress each input to its place, in the format of the original or the one that the name after -o asks for.

    The images of an archive go into a folder. Raises UsageError for a name after -o that asks for a lossy format.
    """
    wanted = _wanted_format(destination)
    destination.confirm = remove
    for item, label in one_by_one(found):
        with say.guard(item.name), files.opened(item) as (file, status):
            packed = _unpack(file)
            if isinstance(packed, bytes) and batch.is_batch(packed):
                from rdzip.commands import batch as cli_batch

                complete = cli_batch.decompress(item, packed, status, destination, coding, say, label=label)
            elif isinstance(packed, bytes):
                complete = _decompress(item, packed, status, destination, coding, say, label=label, wanted=wanted)
            else:
                complete = _decompress_archive(item, packed, status, destination, coding, say)
            if remove and complete:
                files.remove_source(item, status)
            elif remove:
                say.note(f"{item.name} is kept, since not all that is in it is in a file now")


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
    if coding.items is not None:
        batch.check_items(coding.items, 1)
    free = folder is not None or not (destination.stdout or destination.output)
    crowded = free and destination.crowded(item, folder)
    name = _expected_name(item, data, crowded=crowded) if free else ""
    target = destination.place(item, name, folder)
    cli_fetch.fetch(data, item.name, say, wanted=coding.fetch)
    with bar(label, quiet=say.quiet) as progress:
        decoded = _decode(data, coding, progress)
        written = writing.write_picture(decoded.picture, wanted)
    if free and written.format != decoded.picture.source_format:
        better = files.restored_name(item, written.suffix, own=False, crowded=crowded)
        target = target if better == name else destination.place(item, better, folder)
    safe = cli_removal.put(target, written.data, destination, status, member=folder is not None)
    for text in written.notes:
        say.note(f"{item.name}: {text}")
    cli_told.say_decoded(item, target, decoded, say)
    return safe and not written.notes


def _decompress_archive(
    item: Found,
    packed: archive.Archive,
    status: os.stat_result | None,
    destination: Destination,
    coding: Coding,
    say: Output,
) -> bool:
    """Write the images of an archive into its folder; return whether all that is in it could be kept."""
    from rdzip.commands import batch as cli_batch

    folder = destination.folder_for(item)
    destination.expect([cli_batch.member_of(item, name) for name in packed.names], folder)
    complete, budget = 0, limits.Budget(coding.max_pixels)
    for member, data, own in cli_batch.members(item, packed, coding, say):
        with say.guard(member.name), limits.bounded(0, budget):
            by = cli_batch.decompress if batch.is_batch(data) else _decompress
            complete += by(member, data, status, destination, own, say, label=member.name, folder=folder)
    return coding.items is None and complete == len(packed.names)


def test(found: Sequence[Found], coding: Coding, say: Output) -> None:
    """Decode each input and check it against its hash; write nothing."""
    from rdzip.commands import batch as cli_batch

    for item, label in one_by_one(found):
        with say.guard(item.name), files.opened(item) as (file, _):
            packed = _unpack(file)
            if isinstance(packed, bytes):
                _test(item, packed, label, coding, say)
                continue
            budget = limits.Budget(coding.max_pixels)
            for member, data, own in cli_batch.members(item, packed, coding, say):
                with say.guard(member.name), limits.bounded(0, budget):
                    _test(member, data, member.name, own, say)


def _test(item: Found, data: bytes, label: str, coding: Coding, say: Output) -> None:
    if batch.is_batch(data):
        from rdzip.commands import batch as cli_batch

        cli_batch.test(item, data, coding, say, label=label)
        return
    if coding.items is not None:
        batch.check_items(coding.items, 1)
    with bar(label, quiet=say.quiet) as progress:
        decoded = _decode(data, coding, progress)
    cli_told.say_decoded(item, None, decoded, say, tested=True)


def _unpack(file: BinaryIO) -> bytes | archive.Archive:
    """Return the bytes of a .rdz file, or the archive that it is, which then reads from `file` itself."""
    if archive.is_archive(file.read(PREFIX)):
        return archive.Archive(file)
    file.seek(0)
    return files.read_on(file)


def one_by_one(found: Sequence[Found]) -> Iterator[tuple[Found, str]]:
    """Yield each input with the label of its progress bar."""
    own_process()
    for index, item in enumerate(found):
        yield item, _label(found, index)


def _label(found: Sequence[Found], index: int) -> str:
    name = found[index].name
    return name if len(found) == 1 else f"{name} ({index + 1} of {len(found)})"


def _decode(data: bytes, coding: Coding, progress: Report) -> rdz.Decoded:
    return rdz.decode(
        data,
        max_pixels=coding.max_pixels,
        threads=coding.threads,
        device=coding.device,
        offline=coding.offline,
        progress=progress,
    )


def _wanted_format(destination: Destination) -> str | None:
    if destination.output is None:
        return None
    suffix = destination.output.suffix.lower()
    wanted = writing.format_of_suffix(suffix)
    if wanted is None and suffix in files.IMAGE_SUFFIXES:
        raise UsageError(f"expected a format that rdzip writes without loss, found {suffix}; name the file .png")
    return wanted


def _expected_name(item: Found, data: bytes, *, crowded: bool) -> str:
    """Return the name that the result will most probably have, from the header alone."""
    header = rdz.describe(data)
    own = header["source_format"] in writing.SUFFIXES
    kind = header["source_format"] if own else "TIFF" if header["mode"] == "CMYK" else "PNG"
    return files.restored_name(item, writing.suffix_of(kind, header["mode"]), own=own, crowded=crowded)
