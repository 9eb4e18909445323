"""The commands on files of many items: arrays, sequences, and folders whose images are coded in one chain."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rdzip.commands import coding as cli_coding
from rdzip.commands import fetch as cli_fetch
from rdzip.commands import files
from rdzip.commands import removal as cli_removal
from rdzip.commands import report as cli_told
from rdzip.commands.coding import Coding
from rdzip.commands.files import Destination, Found
from rdzip.commands.output import Output, bytes_text
from rdzip.commands.progress_bar import Report, bar
from rdzip.commands.removal import Coded
from rdzip.errors import FormatError, InputError
from rdzip.formats import archive, metadata
from rdzip.formats.archive import Archive
from rdzip.formats.batch import files as batch_files
from rdzip.formats.batch import items as batch
from rdzip.formats.batch.header import BatchHeader, Form
from rdzip.formats.batch.items import Batch
from rdzip.formats.container import unpack_prefix
from rdzip.formats.images import faithful
from rdzip.formats.images import read as reading
from rdzip.formats.images import write as writing
from rdzip.formats.images.faithful import Returned
from rdzip.formats.images.picture import Picture
from rdzip.pipeline import compress as rdz
from rdzip.pipeline.batch_compress import compress_batch
from rdzip.pipeline.batch_decompress import DecodedBatch, decode_batch
from rdzip.pipeline.codec_options import Wishes
from rdzip.system.atomic import shown

CHAIN_NAME = "chain"  # of an archive's member that is a batch; never shown, and no file gets it
_MODES = ("RGB", "L", "1")


@dataclass(frozen=True)
class One:
    """An input of an archive: its status when it was read, its picture, and what of the file comes back."""

    item: Found
    status: os.stat_result | None
    picture: Picture
    returned: Returned


def code(ways: Sequence[Batch], coding: Coding, progress: Report) -> rdz.Compressed:
    """Return the .rdz file of a batch, given the ways to see it."""
    return compress_batch(
        ways,
        model=coding.model,
        codec=coding.codec,
        wishes=coding.wishes,
        threads=coding.threads,
        device=coding.device,
        progress=progress,
        verify=coding.verify,
        effort=coding.effort,
    )


def why_kept(ways: Sequence[Batch], data: bytes) -> str:
    """Return why a file of many items must stay: what comes back is not the same bytes; "" if it is."""
    same = batch_files.write_items(ways[0]).data == data
    return "" if same else "what its .rdz brings back has the same numbers, but is not the same file"


def compress_chained(
    found: Sequence[Found], destination: Destination, coding: Coding, say: Output, *, remove: bool = False
) -> None:
    """Compress all images into the file at `destination.output`: in one chain if they have one shape and mode.

    Images with metadata or of other modes become members of their own, coded by the default model or classic codecs;
    images of several shapes all become members of their own. Raises InputError if nothing can be coded.
    """
    target = destination.place(found[0], "")
    pictures: list[One] = []
    names: set[str] = set()
    for item, _ in cli_coding.one_by_one(found):
        with say.guard(item.name):
            name = cli_coding.member_name(item, names)
            source = files.read(item)
            picture = reading.read_picture(source.data, max_pixels=coding.max_pixels)
            returned = faithful.check(source.data, picture, coding.metadata)
            pictures.append(One(item, source.status, picture, returned))
            names.add(name.casefold())
    chained = [one for one in pictures if _fits(one.picture, coding)]
    others = [one for one in pictures if not _fits(one.picture, coding)]
    if len({(one.picture.mode, one.picture.shape) for one in chained}) > 1:
        say.note("the images differ in size or mode: each is coded alone")
        chained, others = [], pictures
    if not pictures:
        raise InputError("expected at least one image for the archive, found none that could be read")
    coded: list[Coded] = []
    members = _members(chained, others, coding, target, say, coded)
    with cli_coding.write_archive(target, coded, destination) as out:
        if others:
            size = archive.write_archive(out, members)
        else:
            size = sum(out.write(data) for _, data in members)
    say.note(f"{cli_told.target_text(target)}: {cli_told.images_text(len(coded))}, {bytes_text(size)}")
    if remove:
        cli_removal.remove(coded, target, out.digest, say)


def _fits(picture: Picture, coding: Coding) -> bool:
    kept = picture.metadata if coding.metadata == "all" else metadata.essential(picture.metadata)
    return picture.mode in _MODES and not kept


def _members(
    chained: list[One],
    others: list[One],
    coding: Coding,
    target: Path | None,
    say: Output,
    coded: list[Coded],
) -> Iterator[tuple[str, bytes]]:
    """Yield the chain of some images and a member for each other one, and note in `coded` what was."""
    if chained:
        with bar(f"{len(chained)} images in a chain", quiet=say.quiet) as progress:
            ways = [batch.of_pictures([(one.item.relative.as_posix(), one.picture) for one in chained])]
            for one in chained:
                for text in one.picture.notes:
                    say.note_once(text, text)
                if one.returned.note:
                    say.note(f"{one.item.name}: {one.returned.note}")
            done = code(ways, coding, progress)
        coded += [Coded(one.item, one.status, cli_coding.why_kept(one.returned, done.report)) for one in chained]
        cli_told.say_compressed([one.item for one in chained], target, done.report, say)
        taken = {one.item.relative.as_posix().casefold() for one in others}
        yield (
            next(name for number in range(len(taken) + 1) if (name := f"{CHAIN_NAME}{number}") not in taken),
            done.data,
        )
    alone = replace(coding, wishes=replace(coding.wishes, segment=None))
    if chained and others:
        say.note(
            f"{cli_told.images_text(len(others))} with metadata, or of other modes than {', '.join(_MODES)}: "
            "coded alone, without this model (--metadata none leaves metadata out)"
        )
        alone = replace(alone, model=None, codec=None, wishes=Wishes())
    for one in others:
        with say.guard(one.item.name):
            with bar(one.item.name, quiet=say.quiet) as progress:
                done = cli_coding.code(one.picture, alone, progress)
            cli_coding.tell(one.returned, done.report)
            coded.append(Coded(one.item, one.status, cli_coding.why_kept(one.returned, done.report)))
            cli_told.say_compressed([one.item], target, done.report, say)
            yield one.item.relative.as_posix(), done.data


def count(data: bytes) -> int:
    """Return how many items a .rdz file holds: one if it is a picture."""
    return BatchHeader.from_map(unpack_prefix(data)[0]).count if batch.is_batch(data) else 1


def decompress(
    item: Found,
    data: bytes,
    status: os.stat_result | None,
    destination: Destination,
    coding: Coding,
    say: Output,
    *,
    label: str,
    folder: Path | None = None,
) -> bool:
    """Write the items of a batch, or those in coding.items; return whether all that is in it could be kept.

    folder: that of the archive whose member the batch is.
    """
    header = BatchHeader.from_map(unpack_prefix(data)[0])
    images = header.form == Form.IMAGES
    if folder is None and images:
        folder = destination.folder_for(item)
    if not images and folder is not None:
        raise FormatError("the archive has an array as a member, which this rdzip does not write; it is corrupt")
    target = None
    if not images:
        suffix = batch_files.SUFFIXES[header.form]
        if destination.output is not None and destination.output.suffix.lower() in files.IMAGE_SUFFIXES:
            raise InputError(
                f"expected a name that ends in {suffix}, found {shown(destination.output.name)}: rename it"
            )
        free = not (destination.stdout or destination.output)
        target = destination.place(item, files.items_name(item, suffix) if free else "")
    cli_fetch.fetch(data, item.name, say, wanted=coding.fetch)
    decoded = decode(data, coding, label, say)
    whole = coding.items is None
    if images:
        return _write_images(item, decoded, status, destination, say, folder or Path()) and whole
    safe = cli_removal.put(target, batch_files.write_items(decoded.batch).data, destination, status)
    cli_told.say_items(item, target, decoded, say)
    return safe and whole


def _write_images(
    item: Found,
    decoded: DecodedBatch,
    status: os.stat_result | None,
    destination: Destination,
    say: Output,
    folder: Path,
) -> bool:
    complete = True
    destination.expect([member_of(item, name) for name in decoded.batch.names], folder)
    share = {name: value / len(decoded.numbers) for name, value in decoded.seconds.items()}
    for name, picture in decoded.batch.pictures():
        member = member_of(item, name)
        done = False
        with say.guard(member.name):
            written = writing.write_picture(picture)
            same = written.format == picture.source_format
            crowded = destination.crowded(member, folder)
            restored = files.restored_name(member, written.suffix, own=same, crowded=crowded)
            target = destination.place(member, restored, folder)
            safe = cli_removal.put(target, written.data, destination, status, member=True)
            for text in written.notes:
                say.note(f"{member.name}: {text}")
            cli_told.say_decoded(member, target, rdz.Decoded(picture, share), say)
            done = safe and not written.notes
        complete &= done
    return complete


def test(item: Found, data: bytes, coding: Coding, say: Output, *, label: str) -> None:
    """Decode a batch, or the items in coding.items, and say whether it is good."""
    cli_told.say_items(item, None, decode(data, coding, label, say), say, tested=True)


def decode(data: bytes, coding: Coding, label: str, say: Output) -> DecodedBatch:
    """Return the items of a batch that coding.items lists (None: all)."""
    with bar(label, quiet=say.quiet) as progress:
        return decode_batch(
            data,
            items=coding.items,
            max_pixels=coding.max_pixels,
            threads=coding.threads,
            device=coding.device,
            offline=coding.offline,
            progress=progress,
        )


def member_of(item: Found, name: str) -> Found:
    """Return what stands for an image of an archive."""
    return Found(item.path, Path(name + files.SUFFIX), member=name)


def members(item: Found, packed: Archive, coding: Coding, say: Output) -> Iterator[tuple[Found, bytes, Coding]]:
    """Yield each member of an archive with its bytes, and how to decode it: which of its items, if some are asked for.

    Raises InputError at the end for items that the archive has not.
    """
    first = 0
    asked = coding.items
    for name in packed.names:
        member = member_of(item, name)
        data, held = None, 1
        with say.guard(member.name):
            data = packed.read(name)
            held = count(data)
        mine = None if asked is None else tuple(n - first for n in asked if first <= n < first + held)
        first += held
        if data is not None and mine != ():
            yield member, data, replace(coding, items=mine)
    if asked is not None:
        batch.check_items(asked, first)


def parse_items(text: str | None) -> tuple[int, ...] | None:
    """Return the numbers that a list like ``5,7-9`` stands for; InputError for anything else."""
    if text is None:
        return None
    numbers: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not (first.isdecimal() and first.isascii()) or (dash and not (last.isdecimal() and last.isascii())):
            raise InputError(f"expected numbers and ranges after --items, such as 5,7-9, found {shown(text)[:60]!r}")
        if len(first) > 10 or len(last) > 10 or int(last or first) - int(first) >= 1 << 24:
            raise InputError(f"expected numbers below 2^24 after --items, found {shown(text)[:60]!r}")
        if dash and int(last) < int(first):
            raise InputError(f"expected rising ranges after --items, found {shown(part)[:60]!r}")
        numbers += range(int(first), int(last or first) + 1)
    return tuple(numbers)
