"""TIFF and BigTIFF: pages, SubIFDs, strips and tiles, plain or by PackBits or LZW (docs/reference/carriers.md).

A page whose samples no picture holds, or whose compression is another or does not come back, stays in the literal
bytes; a file has to have one page at least that is a picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdzip.errors import FormatError
from rdzip.formats.carriers.carrier import NotCarriedError, Opened
from rdzip.formats.carriers.raw import grouping
from rdzip.formats.carriers.raw.checks import certain, few_pixels, fields, integer, octets, require, shortened
from rdzip.formats.carriers.tiff import units
from rdzip.formats.carriers.tiff.directories import Directory, Form, Walk, form_of
from rdzip.formats.carriers.tiff.page import CODES, COLOR_MAP, COLOURED, Page, page_of
from rdzip.formats.carriers.tiff.prediction import (
    NEXT_AFTER_NEXT,
    NEXT_AFTER_THIS,
    NEXT_LIKE_LAST,
    Facts,
    Predictor,
)
from rdzip.formats.images.picture import Picture
from rdzip.formats.modes import BY_NAME
from rdzip.system import limits

UNPREDICTED = 3
"""Rule of a skeleton whose literal bytes are those of the file."""
SCALES = (257, 256)
MANY = 1 << 16
"""Pages with pictures in a file."""
UNIT_TIME = 20
"""Microseconds that a strip or tile takes beside what its bytes take."""
HEAD = 16


class _Taken:
    """Which bytes of a file are those of units; no byte may be that of two."""

    def __init__(self, size: int) -> None:
        self._free = np.ones(size, bool)

    def take(self, offsets: NDArray[np.int64], sizes: NDArray[np.int64]) -> bool:
        """Take units if all of their bytes are free."""
        order = np.argsort(offsets, kind="stable")
        starts, ends = offsets[order], (offsets + sizes)[order]
        if (starts[1:] < ends[:-1]).any() or starts[0] < 8:
            return False
        spans = list(zip(starts.tolist(), ends.tolist(), strict=True))
        if not all(self._free[start:end].all() for start, end in spans):
            return False
        for start, end in spans:
            self._free[start:end] = False
        return True


def open(data: bytes) -> Opened:
    """Return the pictures of all pages and the skeleton [literal bytes, pages, gaps, order of units, rule]."""
    form, first = form_of(data)
    directories = list(Walk(data, form, first))
    taken = _Taken(len(data))
    pictures: list[Picture] = []
    facts: dict[int, Facts] = {}
    records: list[Any] = []
    reasons: list[str] = []
    left = limits.MAX_PIXELS
    for number, directory in enumerate(directories):
        try:
            made, record, known = _open_page(data, form, directory, taken, left)
        except NotCarriedError as error:
            reasons.append(str(error))
            records.append(0)
            continue
        left -= known.page.width * known.page.height
        facts[number] = known
        pictures += made
        if len(pictures) > MANY:
            raise NotCarriedError(f"it has more than {MANY} pictures")
        records.append(record)
    if not pictures:
        raise NotCarriedError(reasons[0] if reasons else "it has no pages")
    rule = _rule(form.number(data, first, form.pointer), directories, facts)
    for choice in (rule, UNPREDICTED):
        target = bytearray(data)
        if choice != UNPREDICTED:
            for _ in Predictor(data, target, form, first, facts, choice):
                pass
        target[:HEAD] = data[:first] + target[first:HEAD]
        skeleton = _skeleton(target, facts, records, choice)
        try:
            return certain(data, Opened(pictures, skeleton), close)
        except NotCarriedError:
            if choice == UNPREDICTED:
                raise
    raise AssertionError


def _open_page(
    data: bytes, form: Form, directory: Directory, taken: _Taken, left: int
) -> tuple[list[Picture], list[Any], Facts]:
    """Return the pictures of a page, its record and what is known of it. left: pixels that it may have."""
    page, offsets, counts, palette = page_of(data, form, directory)
    few_pixels(limits.MAX_PIXELS + page.width * page.height - left)
    if int((offsets + counts).max()) > len(data) or int(offsets.min()) < 0:
        ends = np.minimum(offsets + counts, len(data))
        counts = np.maximum(ends - offsets, 0)
    if page.raw > units.EXPANSION[page.method] * int(counts.sum()):
        raise NotCarriedError("its samples are cut short")
    parts = [data[o : o + c] for o, c in zip(offsets.tolist(), counts.tolist(), strict=True)]
    raws, sizes, extra = units.decode(page, parts)
    samples = units.samples_of(page, raws, extra)
    lengths = np.array(sizes, np.int64)
    if not taken.take(offsets, lengths):
        raise NotCarriedError("its strips or tiles overlap")
    made = grouping.as_pictures(samples, page.kind, page.colour, palette)
    known = Facts(page, offsets, lengths, palette)
    if palette:
        entry = directory.entries[COLOR_MAP]
        values = entry.values(data, form, 1 << 16).tolist()
        known.scale = SCALES[int(sum(v & 255 == 0 for v in values) > len(values) // 2)]
    return made, _record(page, extra, known), known


def _record(page: Page, extra: units.Extra, known: Facts) -> list[Any]:
    mode = page.modes[0]
    usual = BY_NAME[mode]
    return shortened(
        [
            page.method,
            page.predictor - 1,
            0 if page.tile_height == page.height and not page.tile_width else page.tile_height,
            page.tile_width,
            0 if page.bits == _usual_bits(mode) else page.bits,
            (CODES.index(page.kind) - _usual_kind(mode)) % len(CODES),
            0 if page.channels == usual.channels else page.channels,
            int(page.planar),
            int(page.low_first),
            extra.pack(),
            SCALES.index(known.scale),
        ]
    )


def _usual_bits(mode: str) -> int:
    return 1 if mode == "1" else 8 * np.dtype(BY_NAME[mode].dtype).itemsize


def _usual_kind(mode: str) -> int:
    return 2 if mode == "F" else 0


def _rule(start: int, directories: Sequence[Directory], facts: dict[int, Facts]) -> int:
    """The rule for where directories are that fits the first one."""
    if 0 in facts and start == facts[0].end:
        return NEXT_AFTER_NEXT
    for number, rule in ((0, NEXT_AFTER_THIS), (1, NEXT_AFTER_NEXT)):
        if number in facts and directories[0].next == facts[number].end:
            return rule
    return NEXT_LIKE_LAST


def _skeleton(target: bytearray, facts: dict[int, Facts], records: list[Any], rule: int) -> list[Any]:
    """The skeleton of a file; target: its bytes, combined with what is predicted."""
    offsets = np.concatenate([known.offsets for known in facts.values()])
    ends = offsets + np.concatenate([known.counts for known in facts.values()])
    order = np.argsort(offsets, kind="stable")
    literals: list[bytes] = []
    gaps: list[int] = []
    at = 0
    for start, end in zip(offsets[order].tolist(), ends[order].tolist(), strict=True):
        if start > at or not gaps:
            literals.append(bytes(target[at:start]))
            gaps += [start - at, 0]
        gaps[-1] += 1
        at = end
    literals.append(bytes(target[at:]))
    runs: list[int] = []
    for unit in order.tolist():
        if runs and unit == runs[-2] + runs[-1]:
            runs[-1] += 1
        else:
            runs += [unit, 1]
    merged: list[Any] = []
    last = None
    for record in records:
        if record != 0 and record == last:
            if isinstance(merged[-1], list):
                merged.append(0)
            merged[-1] += 1
        else:
            merged.append(record)
        last = record
    return shortened([b"".join(literals), merged, gaps, runs if len(runs) > 2 else [], rule])


def close(pictures: Sequence[Picture], skeleton: Any) -> bytes:
    """Return the file."""
    literal, merged, gaps, runs, rule = fields(skeleton, 5)
    literal, rule = octets(literal), integer(rule, UNPREDICTED)
    require(literal[:2] in (b"II", b"MM"), "a skeleton's file is no TIFF")
    order = "<" if literal[:2] == b"II" else ">"
    for value in (merged, gaps, runs):
        require(isinstance(value, list) or value == 0, "a skeleton lacks a list")
    facts: dict[int, Facts] = {}
    parts: list[bytes] = []
    at = 0
    for number, record in enumerate(_expanded(merged or [], len(literal), len(pictures))):
        if record is not None:
            page, extra, scale, at = _page(record, pictures, at, order)
            known, made = _close_page(page, extra, pictures[at - len(page.modes) : at])
            facts[number] = replace(known, scale=scale)
            parts += made
    require(at == len(pictures), "a skeleton has fewer pages than there are pictures")
    numbers = _ordered(runs or [], len(parts))
    out, offsets = _placed(literal, gaps or [], numbers, parts)
    first = 0
    for known in facts.values():
        known.offsets = offsets[first : first + known.page.units]
        first += known.page.units
    if rule != UNPREDICTED:
        try:
            form, start = form_of(out)
            for _ in Predictor(out, out, form, start, facts, rule):
                pass
        except NotCarriedError as error:
            raise FormatError(f"a skeleton's directories are damaged: {error}; the file is corrupt") from error
    return bytes(out)


def _expanded(merged: list[Any], directories: int, pages: int) -> list[list[Any] | None]:
    """The record of each directory, None for those without pictures; at most so many directories and pages."""
    records: list[list[Any] | None] = []
    found = 0
    for item in merged:
        if isinstance(item, list):
            records.append(item)
            found += 1
        else:
            count = integer(item, pages)
            require(not count or (records and records[-1] is not None), "a skeleton repeats no page")
            records += [records[-1]] * count if count else [None]
            found += count
        require(found <= pages and len(records) <= pages + directories, "a skeleton has more pages than pictures")
    return records


def _page(record: list[Any], pictures: Sequence[Picture], at: int, order: str) -> tuple[Page, units.Extra, int, int]:
    """Return what a record says of the page whose first picture has number ``at``, and the number of the next one."""
    require(at < len(pictures), "a skeleton has more pages than there are pictures")
    method, predictor, tile_height, tile_width, bits, kind, channels, planar, low_first, extra, scale = fields(
        record, 11
    )
    picture = pictures[at]
    mode = picture.mode
    height, width = picture.shape[:2]
    colour = mode if mode in COLOURED or mode in ("P", "1") else ""
    page = Page(
        width, height, integer(channels, 1 << 16) or BY_NAME[mode].channels, integer(bits, 32) or _usual_bits(mode),
        CODES[(integer(kind, 2) + _usual_kind(mode)) % len(CODES)], colour, bool(integer(planar, 1)),
        integer(tile_width), integer(tile_height) or height, integer(method), integer(predictor, 2) + 1, order,
        bool(integer(low_first, 1)),
    )  # fmt: skip
    require(page.good and page.dtype.itemsize in (1, 2, 4), "a skeleton's page cannot be written")
    require(8 * page.dtype.itemsize == 8 * np.dtype(BY_NAME[mode].dtype).itemsize, "a page has samples of another size")
    return page, units.Extra.unpack(extra, page.method), SCALES[integer(scale, 1)], at + len(page.modes)


def _close_page(page: Page, extra: units.Extra, pictures: Sequence[Picture]) -> tuple[Facts, list[bytes]]:
    """Return what is known of a page but for the offsets of its units, and these units."""
    limits.claim(UNIT_TIME * page.units, f"{page.units} strips or tiles")
    limits.claim_memory(8 * page.raw + 200 * page.units, "the samples of a page")
    require(
        page.raw <= 64 * sum(p.samples.nbytes for p in pictures) + (1 << 22), "a page has tiles far beyond its edge"
    )
    shape = (page.height, page.width, page.channels)
    samples = grouping.samples_of(pictures, shape, page.dtype, page.kind, page.colour)
    parts = units.encode(page, samples, extra)
    palette = pictures[0].palette if page.colour == "P" else b""
    require(len(palette) % 3 == 0, "a palette has no whole colours")
    lengths = np.array([len(part) for part in parts], np.int64)
    return Facts(page, np.zeros_like(lengths), lengths, palette), parts


def _ordered(runs: list[Any], count: int) -> list[int]:
    """Numbers of units in the order of the file."""
    if not runs:
        return list(range(count))
    require(len(runs) % 2 == 0, "a skeleton has no order of strips")
    numbers: list[int] = []
    for i in range(0, len(runs), 2):
        start, many = integer(runs[i]), integer(runs[i + 1])
        require(start + many <= count and len(numbers) + many <= count, "a skeleton has no order of strips")
        numbers += range(start, start + many)
    require(len(set(numbers)) == count, "a skeleton has no order of strips")
    return numbers


def _placed(
    literal: bytes, gaps: list[Any], numbers: list[int], parts: list[bytes]
) -> tuple[bytearray, NDArray[np.int64]]:
    """Return the bytes of literals and units, and where each unit begins."""
    require(len(gaps) % 2 == 0, "a skeleton has no gaps")
    out = bytearray()
    offsets = np.zeros(len(parts), np.int64)
    used = done = 0
    for i in range(0, len(gaps), 2):
        gap, many = integer(gaps[i]), integer(gaps[i + 1])
        require(used + gap <= len(literal) and done + many <= len(parts), "a skeleton's gaps go beyond its bytes")
        out += literal[used : used + gap]
        used += gap
        for unit in numbers[done : done + many]:
            offsets[unit] = len(out)
            out += parts[unit]
        done += many
    require(done == len(parts), "a skeleton has strips without a place")
    out += literal[used:]
    return out, offsets
