"""Whether an image file will come back from what was read of it: the picture is written again, and both files compared.

A file whose samples would mean something else, or that could not be written at all, is refused. One of which only other
things would be lost may be compressed; it is named what, and the file must stay.
"""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from rdzip.errors import InputError
from rdzip.formats import metadata
from rdzip.formats.images.facts import facts
from rdzip.formats.images.facts_base import Facts
from rdzip.formats.images.facts_tiff import BITS, EXTRA, FORMAT, PHOTOMETRIC
from rdzip.formats.images.losses import facts_written, lost
from rdzip.formats.images.read import pillow_limit
from rdzip.formats.images.write import write_picture

if TYPE_CHECKING:
    from rdzip.formats.images.picture import Picture

SHOWN = 6  # names of lost things in a note
LOSS_NOTE = "the picture comes back, but not "
_FORMS = {1: "unsigned", 2: "signed", 3: "floats", 4: "undefined"}


@dataclass(frozen=True)
class Returned:
    """What comes back of a file: why it must stay, "" if all does; and what the user is to know, "" for nothing."""

    why: str = ""
    note: str = ""


def check(data: bytes, picture: Picture, keep: str = "all") -> Returned:
    """Return what of an image file comes back from the picture that was read from it.

    keep: its metadata, "all" or "none", which leaves out what is no part of the picture. Raises InputError where
    samples would come back with another meaning, or no file could be written.
    """
    if keep == "none":
        picture = replace(picture, metadata=metadata.essential(picture.metadata))
    if picture.mode == "RGB" and _fourth_channel(data):
        raise InputError(
            "the BMP has four bytes a pixel, of which the last would be lost (Pillow reads no alpha in it): convert it "
            "to PNG"
        )
    written = write_picture(picture, quick=True)
    if written.data == data:
        return Returned()
    before, after = facts(data), facts_written(written.data)
    changed: list[str] = []
    if written.format == picture.source_format and before is not None and after is not None:
        changed = _changed(before, after, data, picture)
    gone = list(lost(before, after))
    parts = [*changed, *gone]
    noun = {"TIFF": "tags", "PNG": "chunks"}.get(before.format if before else "", "parts")
    what = f"{len(gone)} of its {noun} ({_names(gone)})" if gone else ""
    said = "; ".join(changed)
    note = ""
    if keep == "all" and gone:
        note = LOSS_NOTE + what + (f"; {said}" if said else "")
    elif said:
        note = f"the picture comes back, but {said}"
    if written.format != picture.source_format:
        why = f"its .rdz holds the decoded pixels, not the {picture.source_format} file"
    elif before is not None and before.lossy:
        why = f"its .rdz holds the decoded pixels, not the {before.lossy}"
    elif before is None:
        why = f"what its .rdz brings back is an equal picture, but not the same {picture.source_format} file"
        note = note or f"the picture comes back, but other things that the {picture.source_format} holds may not"
    elif keep == "none" and parts:
        why = "its metadata are left out (`metadata=none`)"
    else:
        why = f"not all of it comes back: {_names(parts)}" if parts else ""
    return Returned(why, note)


def _names(parts: list[str]) -> str:
    more = f" and {len(parts) - SHOWN} more" if len(parts) > SHOWN else ""
    return ", ".join(parts[:SHOWN]) + more


def _changed(before: Facts, after: Facts, data: bytes, picture: Picture) -> list[str]:
    """Return what is said otherwise of the samples though they mean the same; InputError where they do not."""
    if before.format == "TIFF":
        return _changed_tiff(before, after, data, picture)
    result = []
    for name, value in before.structure.items():
        other = after.structure.get(name)
        if other == value:
            continue
        if name == "maxval" and isinstance(other, int) and other % value:
            raise InputError(
                f"the {before.format} has samples up to {value}, which would come back scaled to {other}: convert it "
                "to a maximum of 255 or 65535 first"
            )
        if name == "transparency":
            raise InputError(f"the {before.format} has a transparent colour that would be lost: convert it to PNG")
        result.append(f"its {name} {value} becomes {other}")
    return result


def _changed_tiff(before: Facts, after: Facts, data: bytes, picture: Picture) -> list[str]:
    result = []
    old, new = (
        {tag: side.structure.get(tag, ()) for tag in (PHOTOMETRIC, FORMAT, EXTRA, BITS)} for side in (before, after)
    )
    if old[PHOTOMETRIC] != new[PHOTOMETRIC]:
        if (old[PHOTOMETRIC], new[PHOTOMETRIC]) in (((0,), (1,)), ((1,), (0,))) and not _inverted(data):
            raise InputError(
                "in this TIFF 0 is white, which its picture would come back without, as a negative: convert it to "
                "BlackIsZero, or to PNG"
            )
        result.append(f"its PhotometricInterpretation {_list(old[PHOTOMETRIC])} becomes {_list(new[PHOTOMETRIC])}")
    form, formed = old[FORMAT] or (1,), new[FORMAT] or (1,)
    if form != formed:
        top = 1 << max(old[BITS] or (1,)) - 1
        lowest, highest = int(picture.samples.min()), int(picture.samples.max())
        if lowest < 0 or highest >= top or {*form, *formed} & {3, 5, 6}:
            raise InputError(
                f"the TIFF has {_form(form)} samples of {_list(old[BITS])} bits, which would come back as "
                f"{_form(formed)} ones with other numbers: convert it to unsigned 8 or 16 bits first"
            )
        result.append(f"its {_form(form)} samples become {_form(formed)}")
    if old[EXTRA] != new[EXTRA]:
        if 1 in old[EXTRA]:
            raise InputError(
                "the TIFF has colours that are multiplied by alpha, which would come back divided by it: convert it to "
                "unassociated alpha, or to PNG"
            )
        result.append(f"its ExtraSamples {_list(old[EXTRA])} becomes {_list(new[EXTRA])}")
    if (old[BITS] or (1,)) != (new[BITS] or (1,)):
        result.append(f"its BitsPerSample {_list(old[BITS])} becomes {_list(new[BITS])}")
    return result


def _list(values: tuple[int, ...]) -> str:
    return "/".join(str(value) for value in values) or "none"


def _form(values: tuple[int, ...]) -> str:
    return "/".join(_FORMS.get(value, str(value)) for value in values)


def _fourth_channel(data: bytes) -> bool:
    """Return whether a BMP of 32 bits a pixel has other than equal values in the last byte of each."""
    if data[:2] != b"BM" or data[28:30] != b" \0":
        return False
    last = np.frombuffer(data, np.uint8)[int.from_bytes(data[10:14], "little") + 3 :: 4]
    return bool(len(last)) and bool((last != last[0]).any())


def _inverted(data: bytes) -> bool:
    """Return whether what reads a TIFF turns its samples round, so that 0 is black."""
    with warnings.catch_warnings(), pillow_limit(None), Image.open(io.BytesIO(data), formats=["TIFF"]) as image:
        warnings.simplefilter("ignore")
        arguments = [tile.args if isinstance(tile.args, tuple) else (tile.args,) for tile in getattr(image, "tile", [])]
        return bool(arguments) and all(";I" in str(mode[0]) for mode in arguments)
