"""Entropy-coded data of a scan to coefficients and back, and what is to be kept of them beside.

What is kept is a list [bytes, 1 - bit that fills bytes, 32767 - longest end-of-band run, MCUs that are not decoded,
patch], zeros at its end left out. Where MCUs are missing, the rest of the data is the patch's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdzip.codecs.dct.coefficients import ZIGZAG
from rdzip.errors import FormatError
from rdzip.exact.types import Int16, Int64
from rdzip.formats.carriers.carrier import NotCarriedError
from rdzip.formats.carriers.jpeg import decoding, encoding
from rdzip.formats.carriers.jpeg.decoding import AC_FIRST, AC_MORE, DC_FIRST, DC_MORE, SEQUENTIAL, decode_scan
from rdzip.formats.carriers.jpeg.encoding import ROOM, encode_scan
from rdzip.formats.carriers.jpeg.scans import Scan
from rdzip.formats.carriers.jpeg.tables import LOOK
from rdzip.formats.carriers.raw.checks import fields, integer, require, shortened
from rdzip.formats.carriers.raw.patches import difference, patched
from rdzip.system import limits

LONGEST = 32767
MOST_A_BLOCK, FREE_SIZE = 520, 4096
"""Bytes that a block may take: 64 coefficients of 32 bits, each byte doubled, and a restart marker; and bytes more."""
_ZIGZAG = np.array(ZIGZAG, np.int64)
MOST_PATCH = 0.5
"""Of the bytes of a scan, what may differ from what is usual."""


def read_scan(scan: Scan, data: bytes, coefficients: Int16) -> list[Any]:
    """Decode a scan into the coefficients; returns what is to be kept. NotCarriedError if that is too much."""
    state = np.zeros(8, np.int64)
    state[decoding.FILLED] = 3
    look, most, first, symbols = _decoding_tables(scan)
    decode_scan(
        state, np.frombuffer(data, np.uint8), coefficients, scan.order, scan.parts, scan.dc, scan.ac, look, most, first,
        symbols, _ZIGZAG, kind_of(scan), scan.first, scan.last, scan.low, scan.restart, np.zeros(4, np.int64),
    )  # fmt: skip
    mcus = int(state[decoding.DONE])
    if mcus < scan.mcus and (scan.progressive or not mcus):
        raise NotCarriedError("a scan of it is damaged")
    fill = 0 if state[decoding.FILLED] == 0 else 1
    room = min(len(data), MOST_A_BLOCK * len(scan.order) + FREE_SIZE)
    kept = [room, fill, LONGEST, mcus, []]
    runs = {LONGEST, int(state[decoding.LONGEST])} - {0}
    found: list[list[Any]] = []
    for longest in sorted(runs, reverse=True):
        kept[2] = longest
        try:
            made = _made(scan, coefficients, room, fill, longest, mcus)
        except FormatError:
            continue
        found.append([*kept[:4], difference(data, made)])
        if not found[-1][4]:
            break
    if not found:
        raise NotCarriedError("its Huffman tables lack codes")
    best = min(found, key=lambda one: sum(len(part) for part in one[4][2::3]))
    if sum(len(part) + 8 for part in best[4][2::3]) > 64 + MOST_PATCH * len(data) * (mcus == scan.mcus) + (
        len(data) * (mcus < scan.mcus)
    ):
        raise NotCarriedError("a scan of it is coded in no usual way")
    size, fill, longest, mcus, patch = best
    return shortened([size, 1 - fill, LONGEST - longest, scan.mcus - mcus, patch])


def write_scan(scan: Scan, kept: Any, coefficients: Int16) -> bytes:
    """Return the entropy-coded data of a scan; FormatError for what no scan keeps."""
    size, fill, longest, mcus, patch = fields(kept, 5)
    size, mcus = integer(size), integer(mcus, scan.mcus)
    fill, longest = 1 - integer(fill, 1), LONGEST - integer(longest, LONGEST)
    return patched(patch, _made(scan, coefficients, size, fill, longest, scan.mcus - mcus))


def kind_of(scan: Scan) -> int:
    """Return the kind of a scan."""
    if not scan.progressive:
        return SEQUENTIAL
    if scan.first == 0:
        return DC_MORE if scan.high else DC_FIRST
    return AC_MORE if scan.high else AC_FIRST


def _made(scan: Scan, coefficients: Int16, size: int, fill: int, longest: int, mcus: int) -> bytes:
    """Return the entropy-coded data of the first MCUs of a scan, as most encoders would write them.

    - scan, coefficients: what is coded
    - size: of the data that it was in the file, about which there is room for
    - fill, longest, mcus: see `encoding.encode_scan`
    """
    require(size <= MOST_A_BLOCK * len(scan.order) + FREE_SIZE, "a scan says that it is longer than its blocks can be")
    limits.claim(len(scan.order), f"{len(scan.order)} blocks of a scan")
    limits.claim_memory(2 * size + 4096, "the data of a scan")
    out: NDArray[np.uint8] = np.zeros(size + size // 8 + 4096, np.uint8)
    state = np.zeros(6, np.int64)
    encode_scan(
        state, out, coefficients, scan.order, scan.parts, scan.dc, scan.ac, _codes(scan), _ZIGZAG, kind_of(scan),
        scan.first, scan.last, scan.low, scan.restart, longest, fill, mcus, np.zeros(4, np.int64),
        np.zeros(ROOM + 64, np.uint8),
    )  # fmt: skip
    require(not state[encoding.FAULT], "a scan has coefficients without a code, or more data than it says")
    return out[: int(state[encoding.PLACE])].tobytes()


def _codes(scan: Scan) -> NDArray[np.int32]:
    """Codes of all tables, int32 [8 * 256]."""
    none = np.zeros(256, np.int32)
    return np.concatenate([table.codes if table else none for table in scan.tables])


def _decoding_tables(scan: Scan) -> tuple[NDArray[np.int32], Int64, Int64, Int64]:
    """What decodes by all tables, flat: look, most, first, symbols."""
    empty = np.zeros(1 << LOOK, np.int32), np.full(18, -1, np.int64), np.zeros(18, np.int64), np.zeros(256, np.int64)
    rows = [table[:4] if table else empty for table in scan.tables]
    return (
        np.concatenate([row[0] for row in rows]),
        np.concatenate([row[1] for row in rows]),
        np.concatenate([row[2] for row in rows]),
        np.concatenate([row[3] for row in rows]),
    )
