"""FITS: images of the primary and of IMAGE extensions as pictures (docs/reference/carriers.md).

Source: IAU FITS Working Group, "Definition of the Flexible Image Transport System", version 4.0, sections 3
(structure), 4.1 (cards), 4.4.1 (mandatory keywords), 7.1 (IMAGE).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

from rdzip.errors import FormatError
from rdzip.formats.carriers.carrier import NotCarriedError, Opened
from rdzip.formats.carriers.raw.array import MANY, Array
from rdzip.formats.carriers.raw.checks import certain, few_pixels, require, shortened
from rdzip.formats.carriers.raw.grouping import FLOAT, SIGNED, UNSIGNED
from rdzip.formats.carriers.raw.patches import difference, patched
from rdzip.formats.images.picture import Picture

BLOCK, CARD = 2880, 80
"""Bytes of which heads and data are multiples; bytes of a card."""
PRIMARY, EXTENSION, LAST = b"SIMPLE  =", b"XTENSION=", b"END     "
TYPES = {8: UNSIGNED, 16: SIGNED, 32: SIGNED, -32: FLOAT}
"""Kind of the samples by BITPIX."""
DEFAULT = {"L": 8, "I;16": 16, "I": 32, "F": -32}
INTEGER = re.compile(rb"= +([+-]?\d{1,18}) *(?:/.*)?", re.DOTALL)
SIZES = (8, 16, 32, 64, -32, -64)
MOST_CARDS = 1 << 14
"""Cards of a head."""
MOST_AXES = 999


class _Unit(NamedTuple):
    """A header and data unit: where its data begin and how many bytes they are; how pictures lie in them, if so."""

    start: int
    size: int
    array: Array | None


def open(data: bytes) -> Opened:
    """Return the pictures of all images, and the skeleton: a list of patches.

    The first makes what comes before the first image's samples from the most usual head; each other makes all from
    behind an image's samples to the next image's, or the end, from zeros that fill the block up.
    """
    pictures: list[Picture] = []
    gaps: list[bytes] = []
    fillings: list[bytes] = []
    at = end = samples = 0
    while True:
        try:
            unit = _image(data, at)
            array = unit.array
            if array is None or len(pictures) + array.total > MANY:
                break
            samples += array.pixels
            few_pixels(samples)
            found = array.read(data, unit.start)
        except NotCarriedError:
            if not pictures:
                raise
            break
        pictures += found
        gaps.append(data[end : unit.start])
        fillings.append(bytes(-unit.size % BLOCK))
        end = unit.start + unit.size
        at = end + len(fillings[-1])
    if not pictures:
        raise NotCarriedError("it has too many pictures")
    gaps.append(data[end:])
    patches = [difference(*pair) for pair in zip(gaps, [_expected(pictures), *fillings], strict=True)]
    return certain(data, Opened(pictures, shortened(patches)), close)


def close(pictures: Sequence[Picture], skeleton: Any) -> bytes:
    """Return the file."""
    require(isinstance(skeleton, list) and len(pictures) > 0, "a skeleton lacks images")
    parts: list[bytes] = []
    at = used = filled = 0
    expected = _expected(pictures)
    while True:
        gap = patched(skeleton[used] if used < len(skeleton) else [], expected)
        parts.append(gap)
        if at == len(pictures):
            require(len(skeleton) <= used + 1, "a skeleton has more images than there are pictures")
            return b"".join(parts)
        try:
            unit = _image(gap, filled)
        except NotCarriedError as error:
            raise FormatError(f"a skeleton's image is not carried: {error}; the file is corrupt") from error
        if unit.array is None or unit.start != len(gap):
            raise FormatError("a skeleton's image begins elsewhere; the file is corrupt")
        parts.append(unit.array.write(pictures[at : at + unit.array.total]))
        at += unit.array.total
        filled = -unit.size % BLOCK
        expected = bytes(filled)
        used += 1


def _image(data: bytes, at: int) -> _Unit:
    """Return the first unit from a place on that is an image; NotCarriedError if there is none."""
    if at >= len(data):
        raise NotCarriedError("it has no image that pictures hold")
    while True:
        unit = _unit(data, at)
        if unit.array is not None:
            return unit
        at = unit.start + unit.size + -unit.size % BLOCK


def _unit(data: bytes, at: int) -> _Unit:
    """Return the unit that begins at a place; NotCarriedError if there is none."""
    first = data[at : at + 9]
    if first not in (PRIMARY, EXTENSION):
        raise NotCarriedError("it has no image that pictures hold")
    values: dict[bytes, int] = {}
    here = at
    for _ in range(MOST_CARDS):
        card = data[here : here + CARD]
        here += CARD
        if len(card) < CARD or card[:8] == LAST:
            break
        found = INTEGER.fullmatch(card, 8)
        if found:
            values.setdefault(card[:8].rstrip(), int(found[1]))
    else:
        card = b""
    if len(card) < CARD:
        raise NotCarriedError("its head is cut short")
    start = at + (here - at + BLOCK - 1) // BLOCK * BLOCK
    bits, count = values.get(b"BITPIX", 0), values.get(b"NAXIS", -1)
    if bits not in SIZES or not 0 <= count <= MOST_AXES:
        raise NotCarriedError("its head lacks BITPIX or NAXIS")
    axes = [values.get(b"NAXIS%d" % (i + 1), -1) for i in range(count)]
    more, groups = values.get(b"PCOUNT", 0), values.get(b"GCOUNT", 1)
    if any(n < 0 for n in (*axes, more, groups)):
        raise NotCarriedError("its head lacks the length of an axis")
    plain = (first == PRIMARY or data[at + 10 : at + 20] == b"'IMAGE   '") and (more, groups) == (0, 1)
    grouped = first == PRIMARY and count > 1 and axes[0] == 0
    items = prod(axes[1:] if grouped else axes) if count else 0
    size = abs(bits) // 8 * groups * (more + items)
    array = None
    if plain and not grouped and bits in TYPES and count >= 2 and items:
        array = Array(prod(axes[2:]), axes[1], axes[0], 1, abs(bits), TYPES[bits], True)
        array.check()
    return _Unit(start, size, array)


def _expected(pictures: Sequence[Picture]) -> bytes:
    """The head that astropy writes for an image of such pictures."""
    first = pictures[0]
    axes = [first.shape[1], first.shape[0], *([len(pictures)] if len(pictures) > 1 else [])]
    cards = [
        _card("SIMPLE", "T", "conforms to FITS standard"),
        _card("BITPIX", str(DEFAULT.get(first.mode, 8)), "array data type"),
        _card("NAXIS", str(len(axes)), "number of array dimensions"),
        *(_card(f"NAXIS{i + 1}", str(n)) for i, n in enumerate(axes)),
        "END",
    ]
    text = "".join(card.ljust(CARD) for card in cards)
    return text.ljust(BLOCK).encode("ascii")


def _card(name: str, value: str, comment: str = "") -> str:
    return f"{name:8}= {value:>20}" + (f" / {comment}" if comment else "")
