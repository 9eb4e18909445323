"""The entropy-coded data of a scan from coefficients.

Source: ITU-T T.81, annexes F.1 (sequential) and G.1.2 (progressive). Where an encoder may choose, as most do: the
longest runs of blocks that end, but no more than 937 correction bits with them, after which a run is written; ZRL only
before a coefficient.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rdzip.exact.compiled import compiled
from rdzip.exact.types import Int16, Int32, Int64
from rdzip.formats.carriers.jpeg.decoding import AC_FIRST, AC_MORE, DC_FIRST, DC_MORE, SEQUENTIAL

PLACE, BITS, COUNT, RUN, WAITING, FAULT = range(6)
"""Numbers of an encoder's state: bytes written; bits not written yet and how many; blocks of an end-of-band run;
correction bits that wait for it; whether there was no code or no room."""
MOST_WAITING, ROOM = 937, 1024


@compiled
def _put(state: Int64, out: NDArray[np.uint8], value: int, count: int) -> None:
    """Write so many bits, at most 16."""
    state[BITS] = (state[BITS] << count) | value
    state[COUNT] += count
    while state[COUNT] >= 8:
        state[COUNT] -= 8
        byte = (state[BITS] >> state[COUNT]) & 255
        at = state[PLACE]
        if at + 2 > len(out):
            state[FAULT] = 1
            at = 0
        out[at] = byte
        at += 1
        if byte == 255:
            out[at] = 0
            at += 1
        state[PLACE] = at
    state[BITS] &= 255


@compiled
def _put_symbol(state: Int64, out: NDArray[np.uint8], codes: Int32, counts: Int64, table: int, symbol: int) -> None:
    """Write the code of a symbol, and count it."""
    found = int(np.int64(codes[256 * table + symbol]))
    counts[256 * table + symbol] += 1
    if found == 0:
        state[FAULT] = 1
    _put(state, out, found >> 5, found & 31)


@compiled
def _size(value: int) -> int:
    """How many bits |value| has."""
    count = 0
    value = abs(value)
    while value >> count:
        count += 1
    return count


@compiled
def _put_run(
    state: Int64, out: NDArray[np.uint8], codes: Int32, counts: Int64, table: int, waiting: NDArray[np.uint8]
) -> None:
    """Write the end-of-band run there is, and the correction bits that wait for it."""
    if state[RUN] > 0:
        count = _size(state[RUN]) - 1
        _put_symbol(state, out, codes, counts, table, count << 4)
        _put(state, out, state[RUN] - (1 << count), count)
        state[RUN] = 0
        for i in range(state[WAITING]):
            _put(state, out, int(waiting[i]), 1)
        state[WAITING] = 0


@compiled
def _put_value(state: Int64, out: NDArray[np.uint8], value: int, size: int) -> None:
    """Write the bits of a value, negative ones less 1."""
    _put(state, out, (value if value >= 0 else value - 1) & ((1 << size) - 1), size)


@compiled
def encode_scan(
    state: Int64,
    out: NDArray[np.uint8],
    coefficients: Int16,
    order: Int64,
    parts: Int64,
    dc: Int64,
    ac: Int64,
    codes: Int32,
    counts: Int64,
    zigzag: Int64,
    kind: int,
    first: int,
    last: int,
    low: int,
    restart: int,
    longest: int,
    fill: int,
    mcus: int,
    predicted: Int64,
    waiting: NDArray[np.uint8],
) -> None:
    """Encode the first MCUs of a scan; of less than all, the whole bytes.

    - state: int64 [6], zeros; filled
    - out: uint8, filled
    - coefficients: int16, of all components
    - order, parts, dc, ac: of the scan
    - codes: int32 [8 * 256], of 8 tables
    - counts: int64 [8 * 256], how often each symbol is written; filled
    - zigzag: int64 [64]
    - kind, first, last, low, restart: of the scan
    - longest: end-of-band run
    - fill: the bit that fills bytes before markers
    - mcus: how many
    - predicted: int64 [4], room; waiting: uint8 [ROOM + 64], room for correction bits
    """
    units = len(parts)
    for mcu in range(mcus):
        if restart > 0 and mcu > 0 and mcu % restart == 0:
            _put_run(state, out, codes, counts, ac[0], waiting)
            spare = (8 - state[COUNT]) & 7
            _put(state, out, ((1 << spare) - 1) * fill, spare)
            at = state[PLACE]
            if at + 2 > len(out):
                state[FAULT] = 1
                return
            out[at] = 255
            out[at + 1] = 0xD0 + ((mcu // restart - 1) & 7)
            state[PLACE] = at + 2
            for i in range(4):
                predicted[i] = 0
        for unit in range(units):
            base = order[mcu * units + unit]
            table = ac[unit]
            if kind in (SEQUENTIAL, DC_FIRST):
                value = int(np.int64(coefficients[base])) >> low
                step = value - predicted[parts[unit]]
                predicted[parts[unit]] = value
                size = _size(step)
                _put_symbol(state, out, codes, counts, dc[unit], size)
                _put_value(state, out, step, size)
            elif kind == DC_MORE:
                _put(state, out, (int(np.int64(coefficients[base])) >> low) & 1, 1)
            if kind in (SEQUENTIAL, AC_FIRST):
                run = 0
                for k in range(max(first, 1), last + 1):
                    value = int(np.int64(coefficients[base + zigzag[k]]))
                    value = value >> low if value >= 0 else -(-value >> low)
                    if value == 0:
                        run += 1
                        continue
                    _put_run(state, out, codes, counts, table, waiting)
                    while run > 15:
                        _put_symbol(state, out, codes, counts, table, 0xF0)
                        run -= 16
                    size = _size(value)
                    _put_symbol(state, out, codes, counts, table, ((run << 4) + size) & 255)
                    _put_value(state, out, value, size)
                    run = 0
                if run > 0:
                    if kind == SEQUENTIAL:
                        _put_symbol(state, out, codes, counts, table, 0)
                    else:
                        state[RUN] += 1
                        if state[RUN] == longest:
                            _put_run(state, out, codes, counts, table, waiting)
            elif kind == AC_MORE:
                newest = 0
                for k in range(first, last + 1):
                    if abs(int(np.int64(coefficients[base + zigzag[k]]))) >> low == 1:
                        newest = k
                run = 0
                own = state[WAITING]
                count = 0
                for k in range(first, last + 1):
                    value = int(np.int64(coefficients[base + zigzag[k]]))
                    size = abs(value) >> low
                    if size == 0:
                        run += 1
                        continue
                    while run > 15 and k <= newest:
                        _put_run(state, out, codes, counts, table, waiting)
                        _put_symbol(state, out, codes, counts, table, 0xF0)
                        run -= 16
                        for i in range(count):
                            _put(state, out, int(waiting[own + i]), 1)
                        own = 0
                        count = 0
                    if size > 1:
                        waiting[own + count] = size & 1
                        count += 1
                        continue
                    _put_run(state, out, codes, counts, table, waiting)
                    _put_symbol(state, out, codes, counts, table, (run << 4) + 1)
                    _put(state, out, 1 if value > 0 else 0, 1)
                    for i in range(count):
                        _put(state, out, int(waiting[own + i]), 1)
                    own = 0
                    count = 0
                    run = 0
                if run > 0 or count > 0:
                    state[RUN] += 1
                    state[WAITING] = own + count
                    if state[RUN] == longest or state[WAITING] > MOST_WAITING:
                        _put_run(state, out, codes, counts, table, waiting)
        if state[FAULT]:
            return
    if mcus * units == len(order):
        _put_run(state, out, codes, counts, ac[0], waiting)
        spare = (8 - state[COUNT]) & 7
        _put(state, out, ((1 << spare) - 1) * fill, spare)
