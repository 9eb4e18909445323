"""Entropy-coded data of a scan from coefficients, and what is kept of them beside.

What is kept is a list [bytes, 1 - bit that fills bytes, 32767 - longest end-of-band run, MCUs that are not decoded,
patch, 1 + MCUs between restart markers], zeros at its end left out; the last is 0 where they are as DRI says. Where
MCUs are missing, the rest of the data is the patch's.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdzip.codecs.dct.coefficients import ZIGZAG
from rdzip.exact.types import Int16, Int32, Int64
from rdzip.formats.carriers.jpeg import encoding
from rdzip.formats.carriers.jpeg.decoding import AC_FIRST, AC_MORE, DC_FIRST, DC_MORE, SEQUENTIAL
from rdzip.formats.carriers.jpeg.encoding import ROOM, encode_scan
from rdzip.formats.carriers.jpeg.scans import Scan
from rdzip.formats.carriers.raw.checks import fields, integer, require
from rdzip.formats.carriers.raw.patches import patched
from rdzip.system import limits

LONGEST = 32767
MOST_A_BLOCK, FREE_SIZE = 520, 4096
"""Bytes that a block may take: 64 coefficients of 32 bits, each byte doubled, and a restart marker; and bytes more."""
MOST_RESTART = 1 << 28
_ZIGZAG = np.array(ZIGZAG, np.int64)


def write_scan(scan: Scan, kept: Any, coefficients: Int16) -> bytes:
    """Return the entropy-coded data of a scan; FormatError for what no scan keeps."""
    scan, size, fill, longest, mcus, patch = _read(scan, kept)
    return patched(patch, made(scan, coefficients, size, fill, longest, mcus))


def counted(scan: Scan, kept: Any, coefficients: Int16) -> Int64:
    """Return how often a scan uses each symbol, int64 [8, 256] by table (DC first); FormatError for what no scan keeps.

    Whatever its tables are: symbols do not depend on them.
    """
    scan, size, fill, longest, mcus, _ = _read(scan, kept)
    counts: Int64 = np.zeros(8 * 256, np.int64)
    _encoded(scan, coefficients, size, fill, longest, mcus, np.ones(8 * 256, np.int32), counts)
    return counts.reshape(8, 256)


def _read(scan: Scan, kept: Any) -> tuple[Scan, int, int, int, int, Any]:
    """Return what is kept of a scan: the scan with its restart markers, bytes, fill, longest run, MCUs, patch."""
    size, fill, longest, mcus, patch, restart = fields(kept, 6)
    size, mcus = integer(size), integer(mcus, scan.mcus)
    fill, longest = 1 - integer(fill, 1), LONGEST - integer(longest, LONGEST)
    restart = integer(restart, MOST_RESTART) - 1
    if restart >= 0:
        scan = replace(scan, restart=restart)
    return scan, size, fill, longest, scan.mcus - mcus, patch


def kind_of(scan: Scan) -> int:
    """Return the kind of a scan."""
    if not scan.progressive:
        return SEQUENTIAL
    if scan.first == 0:
        return DC_MORE if scan.high else DC_FIRST
    return AC_MORE if scan.high else AC_FIRST


def made(scan: Scan, coefficients: Int16, size: int, fill: int, longest: int, mcus: int) -> bytes:
    """Return the entropy-coded data of the first MCUs of a scan, as most encoders would write them.

    - scan, coefficients: what is coded
    - size: of the data that it was in the file, about which there is room for
    - fill, longest, mcus: see `encoding.encode_scan`
    """
    return _encoded(scan, coefficients, size, fill, longest, mcus, _codes(scan), np.zeros(8 * 256, np.int64))


def _encoded(
    scan: Scan, coefficients: Int16, size: int, fill: int, longest: int, mcus: int, codes: Int32, counts: Int64
) -> bytes:
    """Return the entropy-coded data by codes, as `made`; its symbols are counted."""
    require(size <= MOST_A_BLOCK * len(scan.order) + FREE_SIZE, "a scan says that it is longer than its blocks can be")
    limits.claim(len(scan.order), f"{len(scan.order)} blocks of a scan")
    limits.claim_memory(2 * size + 4096, "the data of a scan")
    out: NDArray[np.uint8] = np.zeros(size + size // 8 + 4096, np.uint8)
    state = np.zeros(6, np.int64)
    encode_scan(
        state, out, coefficients, scan.order, scan.parts, scan.dc, scan.ac, codes, counts, _ZIGZAG, kind_of(scan),
        scan.first, scan.last, scan.low, scan.restart, longest, fill, mcus, np.zeros(4, np.int64),
        np.zeros(ROOM + 64, np.uint8),
    )  # fmt: skip
    require(not state[encoding.FAULT], "a scan has coefficients without a code, or more data than it says")
    return out[: int(state[encoding.PLACE])].tobytes()


def _codes(scan: Scan) -> NDArray[np.int32]:
    """Codes of all tables, int32 [8 * 256]."""
    none = np.zeros(256, np.int32)
    return np.concatenate([table.codes if table else none for table in scan.tables])
