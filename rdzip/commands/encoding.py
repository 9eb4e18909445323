"""The bytes of one input to those of its .rdz file, and whether that brings the input back."""

from __future__ import annotations

from collections.abc import Sequence

from rdzip.commands.coding import Coding
from rdzip.commands.progress_bar import bar
from rdzip.errors import InputError
from rdzip.formats.batch import files as batch_files
from rdzip.formats.batch.items import Batch
from rdzip.formats.images.faithful import Returned
from rdzip.formats.images.picture import Picture
from rdzip.formats.notes import Note, NoteKind
from rdzip.pipeline.batch_compress import compress_batch
from rdzip.pipeline.compress import compress
from rdzip.pipeline.file import compress_file, items_in
from rdzip.pipeline.report import Compressed, Report
from rdzip.system.progress import Progress


def encode_data(data: bytes, label: str, coding: Coding, *, quiet: bool, image: bool = False) -> tuple[str, Compressed]:
    """Compress the bytes of a file: return why the file must stay ("" if it comes back) and its .rdz file.

    - data: the bytes
    - label: name of the file in a bar of progress
    - coding: how to code
    - quiet: show no bar
    - image: have an array or sequences come back as files
    """
    readings, why = (None, "") if image else items_in(data, coding.request, coding.compute.max_pixels)
    if readings is not None and coding.request.loss.is_lossy:
        raise InputError(
            f"expected an image with `{coding.request.loss.argument}`, found an array or sequences: leave it out"
        )
    with bar(label, quiet=quiet) as progress:
        if readings is not None:
            return why_items_kept(readings, data), encode_items(readings, coding, progress)
        done = compress_file(data, coding.request, coding.compute, progress, why)
        return done.report.returned.why if done.report.returned else "", done


def encode_image(picture: Picture, returned: Returned, coding: Coding, progress: Progress) -> tuple[str, Compressed]:
    """Code an image: return why its file must stay ("" if it comes back) and its .rdz file.

    returned: what of the file comes back if the image does.
    """
    done = compress(picture, coding.request, coding.compute, progress)
    if returned.note:
        done.report.notes.append(Note(NoteKind.NOT_RETURNED, returned.note))
    return why_kept(returned, done.report), done


def encode_items(readings: Sequence[Batch], coding: Coding, progress: Progress) -> Compressed:
    """Code many items of one shape. readings: the ways to read the file."""
    return compress_batch(readings, coding.request, coding.compute, progress)


def why_kept(returned: Returned, report: Report) -> str:
    """Return why an original must stay though it was compressed: its file does not bring it back; "" if it does."""
    if (report.lossy and report.lossy.setting is not None) or (report.near and report.near.largest_error):
        return "its .rdz holds what is left after loss"
    return returned.why


def why_items_kept(readings: Sequence[Batch], data: bytes) -> str:
    """Return why a file of many items must stay: what comes back is not the same bytes; "" if it is."""
    same = batch_files.write_items(readings[0]).data == data
    return "" if same else "what its .rdz brings back has the same numbers, but is not the same file"
