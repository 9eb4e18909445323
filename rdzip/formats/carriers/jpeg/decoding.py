"""Coefficients from the entropy-coded data of a scan.

Source: ITU-T T.81, annexes F.2 (sequential) and G.2 (progressive); B.1.1.5 (bytes 0xFF).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rdzip.exact.compiled import compiled
from rdzip.exact.types import Int16, Int32, Int64
from rdzip.formats.carriers.jpeg.tables import LOOK

PLACE, BITS, LEFT, BEYOND, RUN, LONGEST, DONE, FILLED = range(8)
"""Numbers of a decoder's state: next byte; bits read ahead and how many; how many of these are beyond the data; blocks
that an end-of-band run still has; the longest such run; MCUs that are whole; the bits that fill bytes: 0, 1, 2 for
both, 3 for none."""
SEQUENTIAL, DC_FIRST, DC_MORE, AC_FIRST, AC_MORE = range(5)
"""Kinds of scans."""


@compiled
def _refill(state: Int64, data: NDArray[np.uint8]) -> None:
    """Have at least 24 bits read ahead, zeros beyond the data or a marker."""
    while state[LEFT] <= 40:
        at = state[PLACE]
        byte = 0
        if at >= len(data) or (data[at] == 255 and (at + 1 >= len(data) or data[at + 1] != 0)):
            state[BEYOND] += 8
        else:
            byte = int(data[at])
            state[PLACE] = at + (2 if byte == 255 else 1)
        state[BITS] = (state[BITS] << 8) | byte
        state[LEFT] += 8


@compiled
def _take(state: Int64, count: int) -> int:
    """Bits that were read ahead."""
    state[LEFT] -= count
    found: int = (state[BITS] >> state[LEFT]) & ((1 << count) - 1)
    state[BITS] &= (1 << state[LEFT]) - 1
    return found


@compiled
def _symbol(state: Int64, look: Int32, most: Int64, first: Int64, symbols: Int64, table: int) -> int:
    """The next symbol by a table, -1 for no code."""
    found = int(np.int64(look[(table << LOOK) + ((state[BITS] >> (state[LEFT] - LOOK)) & ((1 << LOOK) - 1))]))
    if found:
        _take(state, found >> 8)
        return found & 255
    for length in range(LOOK + 1, 17):
        code = (state[BITS] >> (state[LEFT] - length)) & ((1 << length) - 1)
        if code <= most[18 * table + length]:
            _take(state, length)
            return int(symbols[(256 * table + code - first[18 * table + length]) & 2047])
    return -1


@compiled
def _signed(state: Int64, size: int) -> int:
    """A value of so many bits, at most 16."""
    bits = _take(state, size)
    return bits if size == 0 or bits >> (size - 1) else bits - (1 << size) + 1


@compiled
def _more(state: Int64, data: NDArray[np.uint8], coefficients: Int16, at: int, low: int) -> None:
    """Correct a coefficient that is not 0 by the next bit."""
    _refill(state, data)
    if _take(state, 1):
        value = int(np.int64(coefficients[at]))
        if not (abs(value) >> low) & 1:
            coefficients[at] = value + (1 << low) if value > 0 else value - (1 << low)


@compiled
def _fill_bits(state: Int64) -> None:
    """Note by what bits the last byte is filled, and leave them."""
    real = state[LEFT] - state[BEYOND]
    count = real & 7
    if count > 0 and real > 0:
        bits = _take(state, count)
        kind = 1 if bits == (1 << count) - 1 else 0 if bits == 0 else 2
        if state[FILLED] == 3:
            state[FILLED] = kind
        elif state[FILLED] != kind:
            state[FILLED] = 2


@compiled
def decode_scan(
    state: Int64,
    data: NDArray[np.uint8],
    coefficients: Int16,
    order: Int64,
    parts: Int64,
    dc: Int64,
    ac: Int64,
    look: Int32,
    most: Int64,
    first_codes: Int64,
    symbols: Int64,
    zigzag: Int64,
    kind: int,
    first: int,
    last: int,
    low: int,
    restart: int,
    begin: int,
    predicted: Int64,
) -> None:
    """Decode a scan from an MCU on, until its data end, or no code fits.

    - state: int64 [8], zeros but FILLED 3, PLACE where its data begin; filled
    - data: uint8, the entropy-coded data with restart markers
    - coefficients: int16, of all components, filled
    - order, parts, dc, ac: of the scan
    - look, most, first_codes, symbols: of 8 tables
    - zigzag: int64 [64]
    - kind, first, last, low, restart: of the scan
    - begin: the MCU, where no marker is expected
    - predicted: int64 [4], the last DC of each component
    """
    units = len(parts)
    mcus = len(order) // units
    for mcu in range(begin, mcus):
        if restart > 0 and mcu > begin and mcu % restart == 0:
            _fill_bits(state)
            at = state[PLACE]
            while at + 1 < len(data) and data[at] == 255 and data[at + 1] == 255:
                at += 1
            if state[LEFT] != state[BEYOND] or at + 1 >= len(data) or data[at] != 255 or data[at + 1] & 0xF8 != 0xD0:
                return
            state[PLACE] = at + 2
            state[BITS] = 0
            state[LEFT] = 0
            state[BEYOND] = 0
            state[RUN] = 0
            for i in range(4):
                predicted[i] = 0
        for unit in range(units):
            base = order[mcu * units + unit]
            k = first
            if kind in (SEQUENTIAL, DC_FIRST):
                _refill(state, data)
                size = _symbol(state, look, most, first_codes, symbols, dc[unit])
                if size < 0 or size > 16:
                    return
                _refill(state, data)
                value = predicted[parts[unit]] + _signed(state, size)
                predicted[parts[unit]] = value
                value = value << low
                if value < -32768 or value > 32767:
                    return
                coefficients[base] = value
                k = 1
            elif kind == DC_MORE:
                _refill(state, data)
                if _take(state, 1):
                    coefficients[base] = np.int64(coefficients[base]) | (1 << low)
            if kind == SEQUENTIAL:
                while k <= 63:
                    _refill(state, data)
                    symbol = _symbol(state, look, most, first_codes, symbols, ac[unit])
                    if symbol < 0:
                        return
                    size = symbol & 15
                    k += symbol >> 4
                    if size == 0:
                        if symbol != 0xF0:
                            if symbol > 0:
                                return
                            break
                        k += 1
                        continue
                    if k > 63:
                        return
                    coefficients[base + zigzag[k]] = _signed(state, size)
                    k += 1
                if k > 64:
                    return
            elif kind == AC_FIRST:
                if state[RUN] > 0:
                    state[RUN] -= 1
                    continue
                while k <= last:
                    _refill(state, data)
                    symbol = _symbol(state, look, most, first_codes, symbols, ac[unit])
                    if symbol < 0:
                        return
                    size = symbol & 15
                    run = symbol >> 4
                    if size == 0:
                        if run < 15:
                            state[RUN] = (1 << run) - 1 + _take(state, run)
                            state[LONGEST] = max(state[LONGEST], state[RUN] + 1)
                            break
                        k += 16
                        continue
                    k += run
                    value = _signed(state, size) << low
                    if k > last or value < -32768 or value > 32767:
                        return
                    coefficients[base + zigzag[k]] = value
                    k += 1
            elif kind == AC_MORE:
                if state[RUN] == 0:
                    while k <= last:
                        _refill(state, data)
                        symbol = _symbol(state, look, most, first_codes, symbols, ac[unit])
                        if symbol < 0:
                            return
                        run = symbol >> 4
                        value = 0
                        if symbol & 15 == 1:
                            value = (1 << low) if _take(state, 1) else -(1 << low)
                        elif symbol & 15:
                            return
                        elif run < 15:
                            state[RUN] = (1 << run) + _take(state, run)
                            state[LONGEST] = max(state[LONGEST], state[RUN])
                            break
                        while k <= last:
                            at = base + zigzag[k]
                            if coefficients[at] != 0:
                                _more(state, data, coefficients, at, low)
                            elif run == 0:
                                break
                            else:
                                run -= 1
                            k += 1
                        if value:
                            if k > last:
                                return
                            coefficients[base + zigzag[k]] = value
                        k += 1
                if state[RUN] > 0:
                    while k <= last:
                        at = base + zigzag[k]
                        if coefficients[at] != 0:
                            _more(state, data, coefficients, at, low)
                        k += 1
                    state[RUN] -= 1
        if state[LEFT] < state[BEYOND]:
            return
        state[DONE] = mcu + 1
    _fill_bits(state)
