"""Images into one archive: each as a member of its own, or all in one chain of a model with latents."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from rdzip.commands import encoding, files, removal, report
from rdzip.commands.coding import Coding, one_by_one
from rdzip.commands.destination import Destination
from rdzip.commands.files import Input
from rdzip.commands.output import Output, bytes_text
from rdzip.commands.progress_bar import bar
from rdzip.commands.removal import Coded
from rdzip.errors import InputError
from rdzip.formats import archive, member_names, metadata
from rdzip.formats.archive import Attributes, Packed
from rdzip.formats.batch.items import of_pictures
from rdzip.formats.images import faithful
from rdzip.formats.images.faithful import Returned
from rdzip.formats.images.picture import Picture
from rdzip.formats.images.read import read_picture
from rdzip.pipeline.codec_options import NO_OPTIONS
from rdzip.pipeline.model_handle import Role
from rdzip.pipeline.resolve import resolve
from rdzip.system import atomic
from rdzip.system.atomic import explain, shown

CHAIN_NAME = "chain"  # of an archive's member that is a batch; never shown, and no file gets it
_MODES = ("RGB", "L", "1")


def compress_archive(
    inputs: Sequence[Input], destination: Destination, coding: Coding, out: Output, *, remove: bool = False
) -> None:
    """Compress all inputs into the archive at `destination.output`; one that fails is left out of it.

    A model with latents codes all images of one shape and mode in one chain.
    Raises InputError if the archive cannot be written or all inputs fail.

    Arguments as of rdzip.commands.compress.compress.
    """
    model = None if coding.request.loss.is_lossy else resolve(coding.request, coding.compute)
    if model is not None and model.role is Role.LATENT:
        compress_chained(inputs, destination, coding, out, remove=remove)
        return
    coding.request.options.check(None)
    target = destination.place(inputs[0], "")
    coded: list[Coded] = []
    with _written(target, coded, destination, folders=all(item.folder for item in inputs)) as file:
        size = archive.write_archive(file, _members(inputs, target, coding, out, coded))
    _end(target, coded, size, file, out, remove=remove)


def compress_chained(
    inputs: Sequence[Input], destination: Destination, coding: Coding, out: Output, *, remove: bool = False
) -> None:
    """Compress all images into the file at `destination.output`: in one chain if they have one shape and mode.

    Images with metadata or of other modes become members of their own, coded by the default model or classic codecs;
    images of several shapes all become members of their own. Raises InputError if nothing can be coded.

    Arguments as of rdzip.commands.compress.compress.
    """
    target = destination.place(inputs[0], "")
    images = _read(inputs, coding, out)
    chained = [one for one in images if _fits(one.picture, coding)]
    others = [one for one in images if not _fits(one.picture, coding)]
    if len({(one.picture.mode, one.picture.shape) for one in chained}) > 1:
        out.note("the images differ in size or mode: each is coded alone")
        chained, others = [], images
    if not images:
        raise InputError("expected at least one image for the archive, found none that could be read")
    coded: list[Coded] = []
    members = _chain_and_members(chained, others, target, coding, out, coded)
    with _written(target, coded, destination) as file:
        if others:
            size = archive.write_archive(file, members)
        else:
            size = sum(file.write(member.data) for member in members)
    _end(target, coded, size, file, out, remove=remove)


@contextmanager
def _written(
    target: Path | None, coded: list[Coded], destination: Destination, *, folders: bool = False
) -> Iterator[atomic.Hashed]:
    """Open an archive for what is noted in `coded` as the block goes on; InputError if that is nothing.

    - target, destination: of the archive
    - coded: what is in it
    - folders: whether it is of folders only, and may have no files
    """
    sources: list[os.stat_result] = []
    with atomic.written(target, made_of=sources, force=destination.force) as file:
        yield atomic.Hashed(file)
        if not coded and not folders:
            raise InputError("expected at least one image for the archive, found none that could be coded")
        sources += [one.status for one in coded if one.status is not None]


def _end(
    target: Path | None, coded: Sequence[Coded], size: int, file: atomic.Hashed, out: Output, *, remove: bool
) -> None:
    out.note(f"{report.target_text(target)}: {report.images_text(len(coded))}, {bytes_text(size)}")
    if remove:
        removal.remove(coded, target, file.digest, out)


def _members(
    inputs: Sequence[Input], target: Path | None, coding: Coding, out: Output, coded: list[Coded]
) -> Iterator[Packed]:
    """Yield each input that can be coded, compressed, and note it in `coded`; folders with nothing."""
    names: set[str] = set()
    for item, label in one_by_one(inputs):
        done = None
        if item.folder:
            with out.guard(item.name):
                yield Packed(member_name(item, names) + "/", b"", _attributes(_status(item), coding))
            continue
        with out.guard(item.name):
            name = member_name(item, names)
            source = files.read(item)
            why, done = encoding.encode_data(source.data, label, coding, quiet=out.quiet, image=True)
            report.compressed([item], target, done.report, out)
            names.add(name.casefold())
            coded.append(Coded(item, source.status, why))
        if done is not None:
            yield Packed(name, done.data, _attributes(source.status, coding))


def _status(item: Input) -> os.stat_result | None:
    try:
        return item.path.stat() if item.path else None
    except OSError as error:
        raise InputError(f"cannot be read: {explain(error)}") from None


def _attributes(status: os.stat_result | None, coding: Coding) -> Attributes | None:
    """Return mode and time of a file or folder; None where it has none, or metadata are left out."""
    if status is None or coding.request.metadata == "none":
        return None
    return Attributes(status.st_mode & archive.MAX_MODE, status.st_mtime_ns)


def member_name(item: Input, names: set[str]) -> str:
    """Return the name of an input in an archive; InputError for a bad one, or one of `names` (in lower case)."""
    item.check()
    name = member_names.check_name(item.relative.as_posix())
    if name.casefold() in names:
        raise InputError(f"expected names that differ, found two inputs called {shown(name)}; rename one")
    return name


@dataclass(frozen=True)
class One:
    """An input of an archive: its status when it was read, its picture, and what of the file comes back."""

    item: Input
    status: os.stat_result | None
    picture: Picture
    returned: Returned


def _read(inputs: Sequence[Input], coding: Coding, out: Output) -> list[One]:
    images: list[One] = []
    names: set[str] = set()
    for item, _ in one_by_one([item for item in inputs if not item.folder]):
        with out.guard(item.name):
            name = member_name(item, names)
            source = files.read(item)
            picture = read_picture(source.data, max_pixels=coding.compute.max_pixels)
            returned = faithful.check(source.data, picture, coding.request.metadata)
            images.append(One(item, source.status, picture, returned))
            names.add(name.casefold())
    return images


def _fits(picture: Picture, coding: Coding) -> bool:
    """Return whether a chain may hold an image: it has one of a few modes, and no metadata to keep."""
    kept = picture.metadata if coding.request.metadata == "all" else metadata.essential(picture.metadata)
    return picture.mode in _MODES and not kept


def _chain_and_members(
    chained: list[One], others: list[One], target: Path | None, coding: Coding, out: Output, coded: list[Coded]
) -> Iterator[Packed]:
    """Yield the chain of some images and a member for each other one, and note in `coded` what was."""
    if chained:
        yield Packed(_chain_name(others), _chain(chained, target, coding, out, coded))
    own = replace(coding, request=replace(coding.request, segment=None))
    if chained and others:
        out.note(
            f"{report.images_text(len(others))} with metadata, or of other modes than {', '.join(_MODES)}: "
            "coded alone, without this model (--metadata none leaves metadata out)"
        )
        own = replace(own, request=replace(own.request, model=None, codec=None, options=NO_OPTIONS))
    for one in others:
        with out.guard(one.item.name):
            with bar(one.item.name, quiet=out.quiet) as progress:
                why, done = encoding.encode_image(one.picture, one.returned, own, progress)
            coded.append(Coded(one.item, one.status, why))
            report.compressed([one.item], target, done.report, out)
            yield Packed(one.item.relative.as_posix(), done.data, _attributes(one.status, coding))


def _chain(chained: list[One], target: Path | None, coding: Coding, out: Output, coded: list[Coded]) -> bytes:
    """Return the .rdz file of images in one chain."""
    with bar(f"{len(chained)} images in a chain", quiet=out.quiet) as progress:
        items = of_pictures([(one.item.relative.as_posix(), one.picture) for one in chained])
        for one in chained:
            for note in one.picture.notes:
                out.note_once(note.text, note.text)
            if one.returned.note:
                out.note(f"{one.item.name}: {one.returned.note}")
        done = encoding.encode_items([items], coding, progress)
    coded += [Coded(one.item, one.status, encoding.why_kept(one.returned, done.report)) for one in chained]
    report.compressed([one.item for one in chained], target, done.report, out)
    return done.data


def _chain_name(others: list[One]) -> str:
    """Return a name for the chain that no image has."""
    taken = {one.item.relative.as_posix().casefold() for one in others}
    return next(name for number in range(len(taken) + 1) if (name := f"{CHAIN_NAME}{number}") not in taken)
