"""`.rdz` files to images, arrays and sequences, and the check that they decode."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from rdzip.commands import files, removal, report
from rdzip.commands.coding import Coding, one_by_one
from rdzip.commands.destination import Destination, file_name, items_name, restored_name
from rdzip.commands.fetch import fetch
from rdzip.commands.files import IMAGE_SUFFIXES, SUFFIX, Input
from rdzip.commands.output import Output, notes
from rdzip.commands.progress_bar import bar
from rdzip.errors import FormatError, InputError, UsageError
from rdzip.formats import container
from rdzip.formats.archive import Archive, is_archive
from rdzip.formats.batch import files as batch_files
from rdzip.formats.batch.header import BatchHeader, Form
from rdzip.formats.batch.items import check_items, is_batch
from rdzip.formats.carriers.table import CARRIERS_BY_NAME
from rdzip.formats.describe import describe
from rdzip.formats.images import write
from rdzip.formats.images.picture import Picture
from rdzip.formats.images.read import is_suffix_of
from rdzip.pipeline.batch_decompress import DecodedBatch, decompress_batch
from rdzip.pipeline.decompress import decompress as decompress_image
from rdzip.pipeline.report import Decoded
from rdzip.pipeline.restore import Restored, is_carried, picture_in, restore
from rdzip.system import atomic, limits
from rdzip.system.atomic import shown

PREFIX = container.MAX_HEADER + 64  # bytes that surely hold a file's header


def decompress(
    inputs: Sequence[Input], destination: Destination, coding: Coding, out: Output, *, remove: bool = False
) -> None:
    """Decompress each input to its place, in the format of the original or the one that the name after -o asks for.

    The images of an archive go into a folder. Raises UsageError for a name after -o that asks for a lossy format.

    Arguments as of rdzip.commands.compress.compress.
    """
    if remove and coding.convert:
        raise UsageError("--rm deletes what came back as it was, found --as; leave one of them out")
    destination.confirm = remove
    for item, label in one_by_one(inputs):
        with notes(out), out.guard(item.name), files.opened(item) as (file, status):
            packed = _unpack(file)
            if isinstance(packed, Archive):
                complete = _archive(item, packed, status, destination, coding, out)
            elif is_batch(packed):
                complete = _items(item, packed, status, destination, coding, out, label=label)
            else:
                complete = _image(item, packed, status, destination, coding, out, label=label)
            if remove and complete:
                files.remove_source(item, status)
            elif remove:
                out.note(f"{item.name} is kept, since not all that is in it is in a file now")


def test(inputs: Sequence[Input], coding: Coding, out: Output) -> None:
    """Decode each input and check it against its hash; write nothing."""
    for item, label in one_by_one(inputs):
        with notes(out), out.guard(item.name), files.opened(item) as (file, _):
            packed = _unpack(file)
            if not isinstance(packed, Archive):
                _test(item, packed, label, coding, out)
                continue
            budget = limits.Budget(coding.compute.max_pixels)
            for member, data, own in _members(item, packed, coding, out):
                with out.guard(member.name), limits.bounded(0, budget):
                    _test(member, data, member.name, own, out)


def _test(item: Input, data: bytes, label: str, coding: Coding, out: Output) -> None:
    if is_batch(data):
        report.decoded_items(item, None, _decode_items(data, coding, label, out), out, tested=True)
        return
    if coding.items is not None:
        check_items(coding.items, 1)
    if is_carried(data):
        report.restored(item, None, _restore(data, coding, label, out), out, tested=True)
        return
    report.decoded(item, None, _decode_image(data, coding, label, out), out, tested=True)


def _unpack(file: BinaryIO) -> bytes | Archive:
    """Return the bytes of a .rdz file, or the archive that it is, which then reads from `file` itself."""
    if is_archive(file.read(PREFIX)):
        return Archive(file)
    file.seek(0)
    return files.read_on(file)


def _image(
    item: Input,
    data: bytes,
    status: os.stat_result | atomic.Kept | None,
    destination: Destination,
    coding: Coding,
    out: Output,
    *,
    label: str,
    folder: Path | None = None,
) -> bool:
    """Write one image; return whether all that is in it could be kept.

    item, data, status: the .rdz file, its bytes, and its status when it was read (None: a stream).
    label: that of the progress bar.
    folder: that of the archive whose member it is, if any.
    """
    if coding.items is not None:
        check_items(coding.items, 1)
    if is_carried(data):
        return _file(item, data, status, destination, coding, out, label=label, folder=folder)
    image_format = coding.convert or _output_format(destination)
    free = folder is not None or not (destination.stdout or destination.output)
    crowded = free and destination.crowded(item, folder)
    name = _expected_name(item, data, crowded=crowded) if free else ""
    target = destination.place(item, name, folder)
    fetch(data, item.name, out, allowed=coding.fetch)
    decoded = _decode_image(data, coding, label, out)
    written = _written(decoded.picture, image_format)
    if free and written.format != decoded.picture.source_format:
        better = restored_name(item, written.suffix, own=False, crowded=crowded)
        target = target if better == name else destination.place(item, better, folder)
    safe = removal.put(target, written.data, destination, status, member=folder is not None)
    for note in written.notes:
        out.note(f"{item.name}: {note.text}")
    report.decoded(item, target, decoded, out)
    return safe and not written.notes


def _file(
    item: Input,
    data: bytes,
    status: os.stat_result | atomic.Kept | None,
    destination: Destination,
    coding: Coding,
    out: Output,
    *,
    label: str,
    folder: Path | None = None,
) -> bool:
    """Write the file that comes back, or its picture in the format that is asked for; return whether it is whole.

    Arguments are those of `_image`.
    """
    free = folder is not None or not (destination.stdout or destination.output)
    fetch(data, item.name, out, allowed=coding.fetch)
    kept = describe(data)
    suffix = f".{coding.convert.lower()}" if coding.convert else CARRIERS_BY_NAME[kept["carrier"]].suffix
    name = file_name(item, suffix, convert=coding.convert is not None) if free else ""
    target = destination.place(item, name, folder)
    found = _restore(data, coding, label, out)
    image_format = coding.convert or _other_format(destination, found)
    if image_format is None:
        safe = removal.put(target, found.data, destination, status, member=folder is not None)
        report.restored(item, target, found, out)
        return safe
    if len(found.pictures) > 1:
        raise InputError(f"expected one picture to write as {image_format}, found {len(found.pictures)}: leave it out")
    picture = picture_in(found, coding.compute.max_pixels)
    written = _written(picture, image_format)
    safe = removal.put(target, written.data, destination, status, member=folder is not None)
    for text in written.notes:
        out.note(f"{item.name}: {text}")
    report.decoded(item, target, Decoded(picture, found.seconds), out)
    return False


def _written(picture: Picture, image_format: str | None) -> write.Written:
    """Return a picture as a file of a format, None for its own; samples as an array (NPY)."""
    if image_format != "NPY":
        return write.write_picture(picture, image_format)
    file = io.BytesIO()
    np.save(file, picture.samples)
    return write.Written(file.getvalue(), "NPY", ".npy", [])


def _other_format(destination: Destination, found: Restored) -> str | None:
    """Return the format that the name after -o asks for, None if it is that of the file that came back, or of none."""
    if destination.output is None or destination.output.suffix.lower() not in IMAGE_SUFFIXES:
        return None
    if is_suffix_of(destination.output.suffix, found.data):
        return None
    return _output_format(destination)


def _items(
    item: Input,
    data: bytes,
    status: os.stat_result | atomic.Kept | None,
    destination: Destination,
    coding: Coding,
    out: Output,
    *,
    label: str,
    folder: Path | None = None,
) -> bool:
    """Write many items of one shape, or those in coding.items; return whether all that is in it could be kept.

    Arguments are those of `_image`.
    """
    header = BatchHeader.from_map(container.unpack_prefix(data)[0])
    images = header.form == Form.IMAGES
    if folder is None and images:
        folder = destination.folder_for(item)
    if not images and folder is not None:
        raise FormatError("the archive has an array as a member, which this rdzip does not write; it is corrupt")
    target = None
    if not images:
        suffix = batch_files.SUFFIXES[header.form]
        if destination.output is not None and destination.output.suffix.lower() in IMAGE_SUFFIXES:
            raise InputError(
                f"expected a name that ends in {suffix}, found {shown(destination.output.name)}: rename it"
            )
        free = not (destination.stdout or destination.output)
        target = destination.place(item, items_name(item, suffix) if free else "")
    fetch(data, item.name, out, allowed=coding.fetch)
    found = _decode_items(data, coding, label, out)
    whole = coding.items is None
    if images:
        return _images_of_chain(item, found, status, destination, out, folder or Path()) and whole
    safe = removal.put(target, batch_files.write_items(found.batch).data, destination, status)
    report.decoded_items(item, target, found, out)
    return safe and whole


def _images_of_chain(
    item: Input,
    found: DecodedBatch,
    status: os.stat_result | atomic.Kept | None,
    destination: Destination,
    out: Output,
    folder: Path,
) -> bool:
    """Write the images that one chain holds into a folder; return whether all that is in them could be kept."""
    complete = True
    destination.expect([_member(item, name) for name in found.batch.names], folder)
    share = {name: value / len(found.numbers) for name, value in found.seconds.items()}
    for name, picture in found.batch.pictures():
        member = _member(item, name)
        done = False
        with out.guard(member.name):
            written = write.write_picture(picture)
            same = written.format == picture.source_format
            crowded = destination.crowded(member, folder)
            restored = restored_name(member, written.suffix, own=same, crowded=crowded)
            target = destination.place(member, restored, folder)
            safe = removal.put(target, written.data, destination, status, member=True)
            for note in written.notes:
                out.note(f"{member.name}: {note.text}")
            report.decoded(member, target, Decoded(picture, share), out)
            done = safe and not written.notes
        complete &= done
    return complete


def _archive(
    item: Input,
    packed: Archive,
    status: os.stat_result | atomic.Kept | None,
    destination: Destination,
    coding: Coding,
    out: Output,
) -> bool:
    """Write the images of an archive into its folder; return whether all that is in it could be kept."""
    folder = destination.folder_for(item)
    destination.expect([_member(item, name) for name in packed.names], folder)
    complete, budget = 0, limits.Budget(coding.compute.max_pixels)
    kept = {member.name: member.attributes for member in packed.members}
    for member, data, own in _members(item, packed, coding, out):
        with out.guard(member.name), limits.bounded(0, budget):
            by = _items if is_batch(data) else _image
            like = atomic.with_attributes(status, kept.get(member.member or ""))
            complete += by(member, data, like, destination, own, out, label=member.name, folder=folder)
    if coding.items is None:
        for one in sorted(packed.folders, key=lambda one: -one.name.count("/")):  # what is inside changes times
            with out.guard(one.name):
                atomic.make_folder(folder / one.name, one.attributes)
    return coding.items is None and complete == len(packed.names)


def _members(item: Input, packed: Archive, coding: Coding, out: Output) -> Iterator[tuple[Input, bytes, Coding]]:
    """Yield each member of an archive with its bytes, and how to decode it: which of its items, if some are asked for.

    Raises InputError at the end for items that the archive has not.
    """
    first = 0
    asked = coding.items
    for name in packed.names:
        member = _member(item, name)
        data, held = None, 1
        with out.guard(member.name):
            data = packed.read(name)
            held = _count(data)
        mine = None if asked is None else tuple(n - first for n in asked if first <= n < first + held)
        first += held
        if data is not None and mine != ():
            yield member, data, replace(coding, items=mine)
    if asked is not None:
        check_items(asked, first)


def _member(item: Input, name: str) -> Input:
    """Return what stands for an image of an archive."""
    return Input(item.path, Path(name + SUFFIX), member=name)


def _count(data: bytes) -> int:
    """Return how many items a .rdz file holds: one if it is an image."""
    return BatchHeader.from_map(container.unpack_prefix(data)[0]).count if is_batch(data) else 1


def _decode_image(data: bytes, coding: Coding, label: str, out: Output) -> Decoded:
    with bar(label, quiet=out.quiet) as progress:
        return decompress_image(data, coding.compute, progress)


def _restore(data: bytes, coding: Coding, label: str, out: Output) -> Restored:
    with bar(label, quiet=out.quiet) as progress:
        return restore(data, coding.compute, progress)


def _decode_items(data: bytes, coding: Coding, label: str, out: Output) -> DecodedBatch:
    with bar(label, quiet=out.quiet) as progress:
        return decompress_batch(data, coding.compute, progress, items=coding.items)


def _output_format(destination: Destination) -> str | None:
    if destination.output is None:
        return None
    suffix = destination.output.suffix.lower()
    found = write.format_of_suffix(suffix)
    if found is None and suffix in IMAGE_SUFFIXES:
        raise UsageError(f"expected a format that rdzip writes without loss, found {suffix}; name the file .png")
    return found


def _expected_name(item: Input, data: bytes, *, crowded: bool) -> str:
    """Return the name that the result will most probably have, from the header alone."""
    header = describe(data)
    own = header["source_format"] in write.SUFFIXES
    kind = header["source_format"] if own else "TIFF" if header["mode"] == "CMYK" else "PNG"
    return restored_name(item, write.suffix_of(kind, header["mode"]), own=own, crowded=crowded)


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
