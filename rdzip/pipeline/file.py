"""A file to a .rdz file that brings the same bytes back, or, where no carrier can and that is far larger, its picture.

file -> carrier -> pictures -> codecs of planes -.
                `> skeleton ---------------------+-> .rdz, exact: file
file -> carrier of JPEG (coefficients.py) ---------'
file -> its bytes, packed -----------------------'
file -> picture, metadata -> codecs of planes -----> .rdz, exact: picture
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import numpy as np

from rdzip.codecs.result import Bits
from rdzip.errors import FormatError, InputError
from rdzip.formats import container
from rdzip.formats.batch import files as batch_files
from rdzip.formats.batch.items import Batch
from rdzip.formats.carriers import section
from rdzip.formats.carriers.carrier import NotCarriedError, Opened, Row
from rdzip.formats.carriers.table import CARRIERS, JPEG, WHOLE, carrier_of
from rdzip.formats.container import Section, SectionType
from rdzip.formats.header import CARRIED_KIND, MEMBERS
from rdzip.formats.images import faithful
from rdzip.formats.images.picture import Picture
from rdzip.formats.images.read import LOSSY_FORMATS, NotAnImageError, read_picture
from rdzip.formats.notes import Note, NoteKind
from rdzip.pipeline.coefficients import compress_coefficients
from rdzip.pipeline.compress import check_request, compress
from rdzip.pipeline.model_handle import Role
from rdzip.pipeline.report import Compressed, Report, Returned, limit_notes
from rdzip.pipeline.request import DEFAULT_COMPUTE, DEFAULT_REQUEST, Compute, Request
from rdzip.pipeline.resolve import resolve
from rdzip.system import limits
from rdzip.system.progress import Progress, one_of

WORTH = 0.9
"""Of the bytes of a file that comes back whole, what its picture alone may take to be kept in its place."""
QUICK = 0.5
"""Of the bytes of a file: where a carrier takes less, its bytes alone are not tried."""


def compress_file(
    data: bytes,
    request: Request = DEFAULT_REQUEST,
    compute: Compute = DEFAULT_COMPUTE,
    progress: Progress | None = None,
    why: str = "",
) -> Compressed:
    """Return the .rdz file of an image file, or of any other, and a report.

    - data: the bytes of the file
    - request, compute, progress: as in compress
    - why: what to say if it is kept as bytes, "" for nothing

    Raises InputError for a picture that cannot be coded as the request says, and as compress does.
    """
    if request.pixels or request.loss.is_lossy or request.metadata == "none" or _of_pictures(request, compute):
        return _picture(data, request, compute, progress)
    check_request(request)
    row, unknown = carrier_of(data), ""
    if row is not None and row.number == JPEG and (request.model is not None or request.codec is not None):
        return _picture(data, request, compute, progress)
    if row is not None:
        try:
            opened = row.open(data)
            if row.number == JPEG:
                return _smaller(compress_coefficients(data, row, opened, request, compute, progress), data, request)
            check_pixels(opened.pictures, compute.max_pixels)
            if opened.pictures:
                return _smaller(_carried(data, row, opened, request, compute, progress), data, request)
        except NotCarriedError as error:
            unknown = str(error)
    done = _not_carried(data, unknown, request, compute, progress)
    if why and done.report.returned is not None and done.report.returned.carrier == CARRIERS[WHOLE].name:
        done.report.notes.append(Note(NoteKind.AS_BYTES, f"kept as bytes: {why}"))
    return done


def items_in(data: bytes, request: Request, max_pixels: int | None = None) -> tuple[list[Batch] | None, str]:
    """Return the ways to see a file as many items, None if it is to be coded as a file, and then why no items ("" if it
    is of none); InputError for items that cannot be coded where the request is for such."""
    try:
        return batch_files.readings_of(data, max_pixels=max_pixels), ""
    except InputError as error:
        if request != Request(effort=request.effort, metadata=request.metadata, verify=request.verify):
            raise
        return None, str(error)


def _of_pictures(request: Request, compute: Compute) -> bool:
    """Return whether the model that is asked for is lossy, or of latents: these run in torch, beside which compiled
    carriers would take more memory than a process may, and are for research."""
    if request.model is None:
        return False
    model = resolve(request, compute)
    return model is not None and model.role in (Role.LOSSY, Role.LATENT)


def _picture(data: bytes, request: Request, compute: Compute, progress: Progress | None) -> Compressed:
    """Return the .rdz file of the picture that a file holds; InputError if it holds none, or would mean another."""
    picture = read_picture(data, max_pixels=compute.max_pixels)
    returned = faithful.check(data, picture, request.metadata)
    return _of_picture(data, picture, returned, request, compute, progress)


def _of_picture(
    data: bytes,
    picture: Picture,
    returned: faithful.Returned,
    request: Request,
    compute: Compute,
    progress: Progress | None,
) -> Compressed:
    """Return the .rdz file of a picture that was read.

    - data: of the file that it was read from
    - picture: what is coded
    - returned: what of that file comes back
    - request, compute, progress: as in compress
    """
    done = compress(picture, request, compute, progress)
    if returned.note:
        done.report.notes.append(Note(NoteKind.NOT_RETURNED, returned.note))
    why = returned.why
    if (done.report.lossy and done.report.lossy.setting is not None) or (
        done.report.near and done.report.near.largest_error
    ):
        why = "its .rdz holds what is left after loss"
    found = Returned("picture", "", 0, sha256(data).hexdigest(), why)
    return Compressed(done.data, replace(done.report, returned=found))


def _not_carried(data: bytes, why: str, request: Request, compute: Compute, progress: Progress | None) -> Compressed:
    """Return the .rdz file of a file of which no carrier makes pictures: of its bytes, or of its picture."""
    if request.model is not None or request.codec is not None:
        return _picture(data, request, compute, progress)
    alone = _bytes(data)
    try:
        picture = read_picture(data, max_pixels=compute.max_pixels)
        returned = faithful.check(data, picture, request.metadata)
    except NotAnImageError:
        return alone
    except InputError as error:
        alone.report.notes.append(Note(NoteKind.AS_BYTES, f"kept as bytes: {why or error}"))
        return alone
    if picture.source_format in LOSSY_FORMATS:
        return alone
    if returned.note:
        alone.report.notes.append(Note(NoteKind.AS_BYTES, f"kept as bytes; with `pixels` {returned.note}"))
        return alone
    kept = f"the same file does not come back: {why}" if why else "the same file may not come back, byte for byte"
    returned = replace(returned, why=returned.why or kept)
    done = _of_picture(data, picture, returned, request, compute, progress)
    if why:
        done.report.notes.append(Note(NoteKind.NOT_RETURNED, f"the picture comes back, but not the same file: {why}"))
    else:
        said = f"the picture comes back, but not surely the same {picture.source_format} file"
        done.report.notes.append(Note(NoteKind.NOT_RETURNED, said))
    return alone if len(done.data) >= WORTH * len(alone.data) else done


def _smaller(done: Compressed, data: bytes, request: Request) -> Compressed:
    """Return a carried file, or its bytes alone where they take less and nothing was asked of the codec."""
    if len(done.data) < QUICK * len(data) or request.model is not None or request.codec is not None:
        return done
    alone = _bytes(data)
    return alone if len(alone.data) < len(done.data) else done


def _bytes(data: bytes) -> Compressed:
    """Return the .rdz file of the bytes of a file, and a report."""
    body = section.write(WHOLE, (), data, data)
    packed = container.pack({MEMBERS: CARRIED_KIND}, [Section(SectionType.SKELETON, body)])
    report = Report(
        codec="bytes",
        model=None,
        shape=(),
        bytes_in=len(data),
        bytes_out=len(packed),
        bpsp=8 * len(packed) / max(1, len(data)),
        bits=Bits(0.0, 0.0, 0.0),
        seconds={},
        cause=None,
        returned=_returned("bytes", len(body), data),
    )
    return Compressed(packed, report)


def _returned(carrier: str, skeleton: int, data: bytes) -> Returned:
    return Returned("file", carrier, skeleton, sha256(data).hexdigest(), "")


def _carried(
    data: bytes, row: Row, opened: Opened, request: Request, compute: Compute, progress: Progress | None
) -> Compressed:
    """Return the .rdz file of a file that a carrier has opened, and a report; NotCarriedError if it does not close."""
    grouped = groups(opened.pictures)
    done = []
    for number, group in enumerate(grouped):
        done.append(compress(stacked(group), request, compute, one_of(progress, number, len(grouped))))
    counts = tuple(len(group) for group in grouped)
    body = section.write(row.number, counts, opened.skeleton, data)
    skeleton = Section(SectionType.SKELETON, body)
    if len(done) == 1:
        parsed = container.unpack(done[0].data)
        sections = sorted([*parsed.sections, skeleton], key=lambda one: one.type >= container.FIRST_OPTIONAL)
        packed = container.pack(parsed.header, sections)  # type: ignore[arg-type]
    else:
        members = [Section(SectionType.MEMBER, one.data) for one in done]
        packed = container.pack({MEMBERS: CARRIED_KIND}, [skeleton, *members])
    budget = limits.Budget(strict=False)
    if request.verify:
        with limits.bounded(len(packed), budget):
            _check(packed, row, opened.pictures, data)
    first = max(done, key=lambda one: len(one.data)).report
    report = replace(
        first,
        shape=stacked(grouped[0]).shape if len(done) == 1 else first.shape,
        bytes_in=len(data),
        bytes_out=len(packed),
        bpsp=8 * len(packed) / sum(one.samples.size for one in opened.pictures),
        bits=sum((one.report.bits for one in done), Bits(0.0, 0.0, 0.0)),
        seconds={name: sum(one.report.seconds[name] for one in done) for name in first.seconds},
        notes=[note for one in done for note in one.report.notes] + limit_notes(budget),
        returned=_returned(row.name, len(body), data),
    )
    return Compressed(packed, report)


def _check(packed: bytes, row: Row, pictures: list[Picture], data: bytes) -> None:
    """Close the file again from what was written beside the pictures, which are known to decode to the same."""
    found = section.read(container.unpack(packed))
    if found is None or CARRIERS[row.number].close(pictures, found.value()) != data:
        raise NotCarriedError(f"closing it gives another {row.name} file, a fault of rdzip: please report it")


def check_pixels(pictures: list[Picture], most: int | None) -> None:
    """Raise NotCarriedError for pictures of more pixels in all than are allowed."""
    found, limit = sum(one.shape[0] * one.shape[1] for one in pictures), limits.MAX_PIXELS if most is None else most
    if found > limit:
        raise NotCarriedError(f"it has {found} pixels, at most {limit} are allowed: raise `max_pixels`")


def groups(pictures: list[Picture]) -> list[list[Picture]]:
    """Return pictures in groups of those that follow each other and have one mode, shape and palette."""
    found: list[list[Picture]] = []
    for picture in pictures:
        last = found[-1][0] if found else None
        if last is not None and _alike(last, picture):
            found[-1].append(picture)
        else:
            found.append([picture])
    return found


def _alike(one: Picture, other: Picture) -> bool:
    return (one.mode, one.shape, one.palette, one.palette_mode) == (
        other.mode, other.shape, other.palette, other.palette_mode,
    )  # fmt: skip


def stacked(group: list[Picture]) -> Picture:
    """Return the pictures of a group one below the other, as one."""
    if len(group) == 1:
        return group[0]
    return replace(group[0], samples=np.concatenate([picture.samples for picture in group]))


def unstacked(picture: Picture, count: int) -> list[Picture]:
    """Return so many pictures that lie one below the other; FormatError if the height is no multiple."""
    height, rest = divmod(picture.shape[0], count)
    if rest:
        raise FormatError(f"header is inconsistent: {count} pictures in {picture.shape[0]} rows; the file is corrupt")
    parts = (picture.samples[n * height : (n + 1) * height] for n in range(count))
    return [replace(picture, samples=np.ascontiguousarray(part)) for part in parts]
