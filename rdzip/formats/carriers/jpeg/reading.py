"""Coefficients of a scan from its entropy-coded data, and what is to be kept of these beside (see entropy.py).

Encoders do not always keep to what DRI says, and files are damaged: where a scan ends early, other distances of restart
markers are tried, and after a fault the decoder goes on at the next marker; what then differs from what an encoder
would write is kept as a patch.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from rdzip.codecs.dct.coefficients import ZIGZAG
from rdzip.errors import FormatError
from rdzip.exact.types import Int16, Int32, Int64
from rdzip.formats.carriers.carrier import NotCarriedError
from rdzip.formats.carriers.jpeg import decoding
from rdzip.formats.carriers.jpeg.decoding import AC_FIRST, AC_MORE, DC_FIRST, DC_MORE, DONE, FILLED, PLACE, SEQUENTIAL
from rdzip.formats.carriers.jpeg.differences import inserted, shortest
from rdzip.formats.carriers.jpeg.entropy import FREE_SIZE, LONGEST, MOST_A_BLOCK, kind_of, made
from rdzip.formats.carriers.jpeg.scans import Scan
from rdzip.formats.carriers.jpeg.tables import LOOK
from rdzip.formats.carriers.raw.checks import shortened

MOST_GAPS = 256
"""Faults of a scan after which its decoder goes on."""
MOST_LOST = 4
"""Restart intervals that may be missing together."""
MOST_PATCH = 0.5
"""Of the bytes of a scan, what may differ from what is usual, if all MCUs are there."""
_ZIGZAG = np.array(ZIGZAG, np.int64)


class _Found(NamedTuple):
    """What decoding a scan came to: the scan with the distance of its restart markers, MCUs up to its last fault and to
    its first one, the bit that fills bytes, and the longest end-of-band run."""

    scan: Scan
    mcus: int
    sound: int
    fill: int
    longest: int


def read_scan(scan: Scan, data: bytes, coefficients: Int16) -> list[Any]:
    """Decode a scan into the coefficients; returns what is to be kept. NotCarriedError if that is too much."""
    found = _decoded(scan, data, coefficients)
    if found.sound < scan.mcus and kind_of(scan) not in (DC_MORE, AC_MORE):
        found = _decoded_otherwise(scan, data, coefficients, found)
    kept: list[Any] = []
    for mcus in dict.fromkeys((found.mcus, found.sound)):
        kept = _kept(found, mcus, data, coefficients)
        if kept:
            break
    if not kept:
        raise NotCarriedError("its Huffman tables lack codes")
    missing = kept[3]
    if inserted(kept[4]) > 64 + (len(data) if missing else MOST_PATCH * len(data)):
        raise NotCarriedError("a scan of it is coded in no usual way")
    restart = 0 if found.scan.restart == scan.restart else 1 + found.scan.restart
    return shortened([*kept, restart])


def _kept(found: _Found, mcus: int, data: bytes, coefficients: Int16) -> list[Any]:
    """Return what is kept of a scan of which so many MCUs are decoded, empty if these cannot be coded."""
    scan = found.scan
    room = min(len(data), MOST_A_BLOCK * len(scan.order) + FREE_SIZE)
    best: list[Any] = []
    for longest in sorted({LONGEST, found.longest} - {0}, reverse=True):
        try:
            expected = made(scan, coefficients, room, found.fill, longest, mcus)
        except FormatError:
            continue
        patch = shortest(data, expected)
        if not best or inserted(patch) < inserted(best[4]):
            best = [room, 1 - found.fill, LONGEST - longest, scan.mcus - mcus, patch]
        if not patch:
            break
    return best


def _decoded_otherwise(scan: Scan, data: bytes, coefficients: Int16, found: _Found) -> _Found:
    """Decode a scan again, where that has fewer faults with restart markers at another distance than DRI says: that of
    the first one, none if there is none."""
    count = sum(data.count(bytes([0xFF, 0xD0 + number])) for number in range(8))
    if not count and not scan.restart:
        return found
    distance = 0
    if count:
        room = np.zeros(int(scan.order.max()) + 64, np.int16)
        distance = _decoded(replace(scan, restart=0), data, room).sound
        if distance in (0, scan.restart) or distance * (count - 1) > 2 * scan.mcus:
            return found
    _clear(scan, coefficients)
    other = _decoded(replace(scan, restart=distance), data, coefficients)
    if other.sound > found.sound:
        return other
    _clear(scan, coefficients)
    return _decoded(scan, data, coefficients)


def _decoded(scan: Scan, data: bytes, coefficients: Int16) -> _Found:
    """Decode a scan; after a fault, from the next restart marker on."""
    octets = np.frombuffer(data, np.uint8)
    state: Int64 = np.zeros(8, np.int64)
    state[FILLED] = 3
    look, most, firsts, symbols = _decoding_tables(scan)
    predicted: Int64 = np.zeros(4, np.int64)
    begin, sound = 0, -1
    for _ in range(MOST_GAPS):
        decoding.decode_scan(
            state, octets, coefficients, scan.order, scan.parts, scan.dc, scan.ac, look, most, firsts, symbols, _ZIGZAG,
            kind_of(scan), scan.first, scan.last, scan.low, scan.restart, begin, predicted,
        )  # fmt: skip
        done = int(state[DONE])
        sound = done if sound < 0 else sound
        if done >= scan.mcus or not scan.restart:
            break
        begin, place = _next_interval(scan, data, int(state[PLACE]), done)
        if begin >= scan.mcus or place < 0:
            break
        _bridge(scan, coefficients, done, begin, predicted)
        fill, longest = int(state[FILLED]), int(state[decoding.LONGEST])
        state[:] = 0
        state[FILLED], state[decoding.LONGEST], state[PLACE], state[DONE] = fill, longest, place, begin
        predicted[:] = 0
    return _Found(scan, int(state[DONE]), sound, 0 if state[FILLED] == 0 else 1, int(state[decoding.LONGEST]))


def _next_interval(scan: Scan, data: bytes, at: int, done: int) -> tuple[int, int]:
    """Return the MCU at which to go on after a fault, and the place in the data; -1 for none."""
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 1 >= len(data):
            return done, -1
        if data[at + 1] & 0xF8 == 0xD0:
            break
        at += 1
    first = -(-done // scan.restart) if done else 1
    number = data[at + 1] & 7
    gap = (number + 1 - first) & 7
    return (first + (gap if gap < MOST_LOST else 0)) * scan.restart, at + 2


def _bridge(scan: Scan, coefficients: Int16, done: int, begin: int, predicted: Int64) -> None:
    """Give MCUs that could not be decoded what costs fewest bits."""
    units = len(scan.parts)
    places = scan.order[done * units : begin * units]
    kind = kind_of(scan)
    if kind in (SEQUENTIAL, AC_FIRST):
        band = _ZIGZAG[max(scan.first, 1) : scan.last + 1]
        coefficients[places[:, None] + band] = 0
    if kind in (SEQUENTIAL, DC_FIRST):
        before = slice((done - 1) * units, done * units) if done % scan.restart else slice(0, 0)
        for part in range(int(scan.parts.max()) + 1):
            own = scan.order[before][scan.parts[: len(scan.order[before])] == part]
            unit = np.flatnonzero(scan.parts == part)
            coefficients[places.reshape(-1, units)[:, unit]] = coefficients[own[-1]] if len(own) else 0


def _clear(scan: Scan, coefficients: Int16) -> None:
    """Set what a first scan of coefficients decodes to 0."""
    for k in range(scan.first, scan.last + 1):
        coefficients[scan.order + _ZIGZAG[k]] = 0


def _decoding_tables(scan: Scan) -> tuple[NDArray[np.int32], Int64, Int64, Int64]:
    """What decodes by all tables, flat: look, most, first, symbols."""
    empty: tuple[Int32, Int64, Int64, Int64] = (
        np.zeros(1 << LOOK, np.int32), np.full(18, -1, np.int64), np.zeros(18, np.int64), np.zeros(256, np.int64)
    )  # fmt: skip
    rows = [table[:4] if table else empty for table in scan.tables]
    return (
        np.concatenate([row[0] for row in rows]),
        np.concatenate([row[1] for row in rows]),
        np.concatenate([row[2] for row in rows]),
        np.concatenate([row[3] for row in rows]),
    )
