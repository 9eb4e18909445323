"""The strips and tiles of a page: bytes to samples and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdzip.errors import FormatError
from rdzip.formats.carriers.carrier import NotCarriedError
from rdzip.formats.carriers.deflate import rebuild, recover
from rdzip.formats.carriers.deflate.recover import inflate
from rdzip.formats.carriers.raw.checks import fields, integer, octets, require, shortened
from rdzip.formats.carriers.raw.rows import Rows
from rdzip.formats.carriers.tiff import lzw, packbits, predictors
from rdzip.formats.carriers.tiff.page import DEFLATE, LZW, OLD_DEFLATE, PACKBITS, PLAIN, Page

EXPANSION = {PLAIN: 1, PACKBITS: 128, LZW: 4096, DEFLATE: 1032, OLD_DEFLATE: 1032}
"""At most so many bytes come of one."""
NO_GAP = 4
"""Added to a way of LZW: its table is cleared only where it is full."""
OLD = 8
"""Added to a way of LZW: as NO_GAP, in the form of before TIFF 6.0."""
ZEROS, EDGE, GIVEN = 0, 1, 2
"""What fills up tiles beyond the edge: zeros, the last sample of each row and then the last row, or what a skeleton
holds."""


@dataclass
class Extra:
    """What a page's units have beside samples.

    - filling: bits that fill up rows
    - edge: ZEROS, EDGE, GIVEN
    - beyond: the samples beyond the edge, bytes of those right of the page, then of those below, for GIVEN
    - way: of the encoder: for PackBits a way, + 8 where a unit is coded whole; for LZW how the end code comes, + NO_GAP
      where its table is cleared only when full, or OLD; for deflate a recipe
    - full: codes at which LZW's table is cleared
    - others: for units by their number: where LZW's table is cleared else, or another recipe
    """

    filling: bytes = b""
    edge: int = ZEROS
    beyond: bytes = b""
    way: Any = 0
    full: int = lzw.FULL
    others: dict[int, Any] = field(default_factory=dict)

    def pack(self) -> list[Any]:
        """Return fields of a skeleton."""
        others = [part for pair in self.others.items() for part in pair]
        return shortened([self.way, self.edge, self.filling, self.beyond, others, self.full ^ lzw.FULL])

    @classmethod
    def unpack(cls, value: Any, method: int) -> Extra:
        """Return what fields of a skeleton say of units compressed by a method; FormatError if they are none."""
        way, edge, filling, beyond, others, full = fields(value or [], 6)
        others = others or []
        require(isinstance(others, list) and len(others) % 2 == 0, "a skeleton has no list of units")
        found: dict[int, Any] = {}
        for unit, other in zip(others[::2], others[1::2], strict=True):
            if method == LZW:
                require(isinstance(other, list), "a skeleton has no list of clear codes")
                other = [integer(number) for number in other]
            found[integer(unit)] = other
        if method < DEFLATE:
            way = integer(way, 2 + OLD if method == LZW else 15)
            require(method != LZW or way % NO_GAP < 3, "a skeleton has an unknown way of LZW")
        full = integer(full, 1 << 13) ^ lzw.FULL
        return cls(octets(filling or b""), integer(edge, GIVEN), octets(beyond or b""), way, full, found)


def decode(page: Page, parts: Sequence[bytes]) -> tuple[list[bytes], list[int], Extra]:
    """Return the bytes of each unit, how many of the compressed ones that took, and how they come back; NotCarriedError
    if they would not.

    parts: the compressed bytes of each unit, and maybe more after them.
    """
    extra = Extra()
    sizes = [page.size(i) for i in range(page.units)]
    for part, size in zip(parts, sizes, strict=True):
        if size > EXPANSION[page.method] * len(part):
            raise NotCarriedError("a strip or tile is cut short")
    if page.method == PLAIN:
        return [part[:size] for part, size in zip(parts, sizes, strict=True)], sizes, extra
    if page.method == PACKBITS:
        return _decode_packbits(page, parts, sizes, extra)
    return (_decode_lzw if page.method == LZW else _decode_deflate)(parts, sizes, extra)


def _decode_packbits(
    page: Page, parts: Sequence[bytes], sizes: list[int], extra: Extra
) -> tuple[list[bytes], list[int], Extra]:
    raws: list[bytes] = []
    taken: list[int] = []
    for part, size in zip(parts, sizes, strict=True):
        if (found := packbits.decode(part, size)) is None:
            raise NotCarriedError("a strip or tile is damaged")
        raws.append(found[0])
        taken.append(found[1])
    for way in (way + whole for whole in (0, 8) for way in range(packbits.RULES)):
        extra.way = way
        if all(encode_unit(page, raw, i, extra) == parts[i][: taken[i]] for i, raw in enumerate(raws)):
            return raws, taken, extra
    raise NotCarriedError("its PackBits are of an unknown encoder")


def _decode_lzw(parts: Sequence[bytes], sizes: list[int], extra: Extra) -> tuple[list[bytes], list[int], Extra]:
    coder = lzw.Lzw()
    old = len(parts[0]) > 1 and parts[0][0] == 0 and parts[0][1] & 1 == 1  # a clear code whose low bit comes first
    found = [coder.decode(part, size, old) for part, size in zip(parts, sizes, strict=True)]
    streams: list[tuple[bytes, bytes, list[int]]] = []
    ends: set[bool] = set()
    for part, one in zip(parts, found, strict=True):
        if one is None:
            raise NotCarriedError("a strip or tile is damaged")
        streams.append((one[0], part[: one[1]], one[2]))
        ends.add(one[4])
    full = max(
        (c for _, _, clears in streams[:16] for c in clears if c >= lzw.LEAST_FULL), default=0 if old else lzw.FULL
    )
    best: Extra | None = None
    for end in (0, 1) if ends == {True} else (2,):
        for way in (end + OLD,) if old else (end, end + NO_GAP):
            others = _clears(streams, replace(extra, way=way, full=full), coder)
            if others is not None and (best is None or len(others) < len(best.others)):
                best = replace(extra, way=way, full=full, others=others)
            if best is not None and not best.others:
                break
        if best is not None:
            break
    if best is None:
        raise NotCarriedError("its LZW is of an unknown encoder")
    return [raw for raw, _, _ in streams], [len(coded) for _, coded, _ in streams], best


def _clears(streams: list[tuple[bytes, bytes, list[int]]], extra: Extra, coder: lzw.Lzw) -> dict[int, Any] | None:
    """Clear codes of the units that do not have them where the rule says; None if these do not come back either.

    streams: bytes of each unit, its codes, and the codes of the table at clear codes.
    """
    others: dict[int, Any] = {}
    for i, (raw, coded, clears) in enumerate(streams):
        if _lzw(raw, [], extra, coder) != coded:
            others[i] = clears or [0]
            if _lzw(raw, others[i], extra, coder) != coded:
                return None
    return others


def _lzw(raw: bytes, clears: list[int], extra: Extra, coder: lzw.Lzw) -> bytes:
    gap = 0 if extra.way >= NO_GAP else lzw.GAP
    return coder.encode(raw, clears, extra.full, gap, extra.way % NO_GAP, extra.way >= OLD)


def _decode_deflate(parts: Sequence[bytes], sizes: list[int], extra: Extra) -> tuple[list[bytes], list[int], Extra]:
    raws: list[bytes] = []
    taken: list[int] = []
    recipe: Any = None
    for i, (part, size) in enumerate(zip(parts, sizes, strict=True)):
        raw, used = inflate(part, size, True)
        if len(raw) != size:
            raise NotCarriedError("a strip or tile is damaged")
        if not i or not _rebuilt(raw, recipe, part[:used]):
            recipe = recover(part, size)[1]
        if not i:
            extra.way = recipe
        if recipe != extra.way:
            extra.others[i] = recipe
        raws.append(raw)
        taken.append(used)
    return raws, taken, extra


def _rebuilt(raw: bytes, recipe: Any, stream: bytes) -> bool:
    """Whether a recipe, maybe that of another unit, gives the stream."""
    try:
        return rebuild(raw, recipe) == stream
    except FormatError:
        return False


def encode_unit(page: Page, raw: bytes, unit: int, extra: Extra, coder: lzw.Lzw | None = None) -> bytes:
    """Return the compressed bytes of a unit.

    - page: that it is of
    - raw: its bytes
    - unit: its number
    - extra: of the page
    - coder: room for the tables of LZW
    """
    if page.method == PACKBITS:
        return packbits.encode(raw, len(raw) if extra.way & 8 else page.stride, extra.way & 7)
    if page.method == LZW:
        return _lzw(raw, extra.others.get(unit, []), extra, coder or lzw.Lzw())
    return rebuild(raw, extra.others.get(unit, extra.way)) if page.method >= DEFLATE else raw


def samples_of(page: Page, raws: Sequence[bytes], extra: Extra) -> NDArray[Any]:
    """Return samples [h, w, c] of the bytes of units, and note in ``extra`` what fills up rows and tiles."""
    if not page.tile_width:
        block, extra.filling = page.rows(page.height * page.planes).read(b"".join(raws))
        block = predictors.undo(_bytes_for(page, block), page.together, page.predictor, page.dtype)
        return _together(page, block.reshape(page.planes, page.height, page.width, page.together))
    shape = (page.planes, page.down * page.tile_height, page.across * page.tile_width, page.together)
    full = np.empty(shape, page.dtype)
    rows = page.rows(page.tile_height)
    for raw, (plane, y, x) in zip(raws, page.tiles(), strict=True):
        block, filling = rows.read(raw)
        if filling:
            raise NotCarriedError("the rows of its tiles are filled up with bits")
        block = predictors.undo(_bytes_for(page, block), page.together, page.predictor, page.dtype)
        full[plane, y, x] = block.reshape(page.tile_height, page.tile_width, page.together)
    inner = full[:, : page.height, : page.width]
    for edge in (ZEROS, EDGE):
        if np.array_equal(_filled(inner, full.shape, edge), full):
            extra.edge = edge
            break
    else:
        extra.edge = GIVEN
        extra.beyond = full[:, : page.height, page.width :].tobytes() + full[:, page.height :].tobytes()
    return _together(page, inner)


def _bytes_for(page: Page, block: NDArray[Any]) -> NDArray[Any]:
    """For the predictor of floats, the bytes of rows as they are in the file."""
    if page.predictor != predictors.FLOATS:
        return block
    order = block.dtype.newbyteorder(page.order)  # type: ignore[arg-type]
    return np.ascontiguousarray(block.astype(order)).view(np.uint8)


def _together(page: Page, planes: NDArray[Any]) -> NDArray[Any]:
    """[planes, h, w, channels that lie together] as [h, w, c]."""
    return planes[0] if not page.planar else planes[:, :, :, 0].transpose(1, 2, 0)


def _filled(inner: NDArray[Any], shape: tuple[int, ...], edge: int) -> NDArray[Any]:
    height, width = inner.shape[1:3]
    full = np.zeros(shape, inner.dtype)
    full[:, :height, :width] = inner
    if edge == EDGE:
        full[:, :height, width:] = inner[:, :, -1:]
        full[:, height:] = full[:, height - 1 : height]
    return full


def encode(page: Page, samples: NDArray[Any], extra: Extra) -> list[bytes]:
    """Return the compressed bytes of each unit of samples [h, w, c]."""
    planes = np.ascontiguousarray(samples.transpose(2, 0, 1)[..., None] if page.planar else samples[None])
    coder = lzw.Lzw() if page.method == LZW else None
    if not page.tile_width:
        block = planes.reshape(page.planes * page.height, page.width * page.together)
        raw = _raw(page, page.rows(page.height * page.planes), block, extra.filling)
        units: list[bytes] = []
        at = 0
        for i in range(page.units):
            size = page.size(i)
            units.append(encode_unit(page, raw[at : at + size], i, extra, coder))
            at += size
        return units
    full = _filled(planes, (page.planes, page.down * page.tile_height, page.across * page.tile_width, page.together),
                   extra.edge)  # fmt: skip
    if extra.edge == GIVEN:
        right, below = full[:, : page.height, page.width :], full[:, page.height :]
        beyond = np.frombuffer(extra.beyond, np.uint8)
        require(beyond.size == right.nbytes + below.nbytes, "a skeleton has not all that is beyond the edge")
        right[...] = beyond[: right.nbytes].view(page.dtype).reshape(right.shape)
        below[...] = beyond[right.nbytes :].view(page.dtype).reshape(below.shape)
    rows = page.rows(page.tile_height)
    return [
        encode_unit(page, _raw(page, rows, full[plane, y, x].reshape(page.tile_height, -1)), i, extra, coder)
        for i, (plane, y, x) in enumerate(page.tiles())
    ]


def _raw(page: Page, rows: Rows, block: NDArray[Any], filling: bytes = b"") -> bytes:
    """The bytes of rows before they are compressed."""
    changed = predictors.apply(block, page.together, page.predictor)
    return changed.tobytes() if page.predictor == predictors.FLOATS else rows.write(changed, filling)
