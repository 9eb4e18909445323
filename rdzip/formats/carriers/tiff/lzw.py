"""LZW as TIFF has it: codes of 9 to 12 bits, high bit first, the width changing one code early.

An encoder has one choice, where it clears its table; the rest is the longest match, and so is determined. libtiff
clears it when it is full, and sooner when the data have become harder: by a rule that was checked with what it writes.

Files of before TIFF 6.0 have the codes' low bit first, their width changes one code later, and a full
table may stay as it is.

Source: TIFF 6.0, section 13; T. Welch, "A technique for high-performance data compression", Computer 17, 1984.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rdzip.exact.compiled import compiled

CLEAR, END, FIRST = 256, 257, 258
CODES = 4096
FULL = 4094
"""Codes that a table has, clear, end and the next one included, when it is cleared by default."""

GAP = 10000
"""Bytes of data after which libtiff looks whether compression has become better."""
LEAST_FULL = 4090
"""An encoder whose table has fewer codes when it is cleared does not clear it because it is full."""


@compiled
def _width(codes: int) -> int:
    """Bits of a code when the table has so many codes."""
    return 9 if codes < 512 else 10 if codes < 1024 else 11 if codes < 2048 else 12


@compiled
def _decode(
    data: NDArray[np.uint8],
    old_form: int,
    out: NDArray[np.uint8],
    clears: NDArray[np.int64],
    prefix: NDArray[np.int64],
    suffix: NDArray[np.uint8],
    length: NDArray[np.int64],
    state: NDArray[np.int64],
) -> None:
    """Decode until the end code or the end of the data.

    - data: a strip
    - old_form: 1 for the form of before TIFF 6.0, else 0
    - out: room for its bytes
    - clears: room for how many codes the table had at each clear code but the first
    - prefix, suffix, length: room for CODES
    - state: set to bytes written (-1 for what is no such stream), bytes read, clear codes, codes at the end, whether
      there was an end code
    """
    bits = 0
    held = 0
    at = 0
    done = 0
    cleared = 0
    codes = FIRST
    old = -1
    started = False
    for i in range(256):
        prefix[i] = -1
        suffix[i] = i
        length[i] = 1
    state[0] = -1
    while True:
        width = _width(codes - old_form)
        while held < width and at < len(data):
            if old_form:
                bits |= np.int64(data[at]) << held
            else:
                bits = ((bits << 8) | np.int64(data[at])) & 0xFFFFFFFF
            held += 8
            at += 1
        if held < width:
            state[4] = 0
            break
        held -= width
        if old_form:
            code = bits & ((1 << width) - 1)
            bits >>= width
        else:
            code = (bits >> held) & ((1 << width) - 1)
        if not started:
            if code != CLEAR:
                return
            started = True
            continue
        if code == CLEAR:
            if cleared >= len(clears):
                return
            clears[cleared] = codes
            cleared += 1
            codes = FIRST
            old = -1
            continue
        if code == END:
            state[4] = 1
            break
        # the entry that the encoder made with the code before this one is number codes - 1
        top = codes - 1 if old >= 0 else 0
        if old >= 0:
            if (top >= CODES and old_form == 0) or code > top:
                return
            if top < CODES:
                first = code if code < top else old
                while prefix[first] >= 0:
                    first = prefix[first]
                prefix[top] = old
                suffix[top] = suffix[first]
                length[top] = length[old] + 1
        elif code > 255:
            return
        size = length[code]
        if done + size > len(out):
            return
        place = done + size - 1
        walk = code
        while walk >= 0:
            out[place] = suffix[walk]
            place -= 1
            walk = prefix[walk]
        done += size
        old = code
        codes += 1
    state[0] = done
    state[1] = at
    state[2] = cleared
    state[3] = codes


@compiled
def _put(out: NDArray[np.uint8], state: NDArray[np.int64], code: int, width: int) -> None:
    """Write a code. state: bits, how many of them are held, bytes written, whether the low bit comes first."""
    held = state[1] + width
    at = state[2]
    if state[3] != 0:
        bits = state[0] | (code << state[1])
        while held >= 8:
            out[at] = bits & 255
            bits >>= 8
            held -= 8
            at += 1
        state[0] = bits
    else:
        bits = (state[0] << width) | code
        while held >= 8:
            held -= 8
            out[at] = (bits >> held) & 255
            at += 1
        state[0] = bits & ((1 << held) - 1)
    state[1] = held
    state[2] = at


@compiled
def _ratio(taken: int, bits: int) -> int:
    """Bytes in 1/256 for each bit that they became, rounded down as libtiff does."""
    if taken > 0x7FFFFF:
        return taken // (bits >> 8) if bits >> 8 else 0x7FFFFFFF
    return (taken << 8) // bits


@compiled
def _encode(
    data: NDArray[np.uint8],
    out: NDArray[np.uint8],
    clears: NDArray[np.int64],
    full: int,
    gap: int,
    end: int,
    table: NDArray[np.int16],
    used: NDArray[np.int64],
    state: NDArray[np.int64],
) -> None:
    """Encode a strip.

    - data, out: bytes, and room for the codes
    - clears: how many codes the table has at each clear code but the first; when there is none, it is cleared at
      ``full``
    - full: see there
    - gap: bytes of data after which the table is cleared if compression has become no better; 0: never
    - end: 0 for an end code, 1 for one as wide as the last code, 2 for none
    - table: zeros, one for each code and byte
    - used: room for CODES
    - state: zeros, and whether it is the form of before TIFF 6.0; [2] is set to the bytes written
    """
    late = state[3]
    entries = 0
    cleared = 0
    codes = FIRST
    last = 9
    _put(out, state, CLEAR, 9)
    at = 0
    cleared_at = 0  # the byte with which the first match since the last clear code ends
    check = gap
    bits = 9  # of codes since the last clear code
    ratio = 0
    while at < len(data):
        match = np.int64(data[at])
        at += 1
        while at < len(data):
            longer = np.int64(table[match * 256 + np.int64(data[at])])
            if longer == 0:
                break
            match = longer
            at += 1
        last = _width(codes - late)
        _put(out, state, match, last)
        if at < len(data):
            key = match * 256 + np.int64(data[at])
            if codes < CODES:
                table[key] = codes
                used[entries] = key
                entries += 1
        codes += 1
        bits += last
        clear_at = full
        if len(clears) > 0:
            clear_at = clears[cleared] if cleared < len(clears) else -1
        elif gap > 0 and codes != full and at < len(data) and _width(codes - late) == last:
            taken = at + 1 - cleared_at
            if taken >= check:
                check = taken + gap
                better = _ratio(taken, bits)
                if better <= ratio:
                    clear_at = codes
                else:
                    ratio = better
        if codes == clear_at:
            _put(out, state, CLEAR, _width(codes - late))
            bits = _width(codes - late)
            cleared_at = at + 1
            ratio = 0
            for i in range(entries):
                table[used[i]] = 0
            entries = 0
            cleared += 1
            codes = FIRST
            last = 9
        elif codes > CODES and late == 0:  # no decoder could follow
            break
    for i in range(entries):
        table[used[i]] = 0
    if end < 2:
        _put(out, state, END, last if end == 1 else _width(codes - late))
    if state[1] > 0:
        _put(out, state, 0, 8 - state[1])


class Lzw:
    """Room for tables, for any number of strips."""

    def __init__(self) -> None:
        self._prefix, self._length = np.zeros(CODES, np.int64), np.zeros(CODES, np.int64)
        self._suffix = np.zeros(CODES, np.uint8)
        self._table, self._used = np.zeros(CODES * 256, np.int16), np.zeros(CODES, np.int64)

    def decode(self, data: bytes, size: int, old_form: bool = False) -> tuple[bytes, int, list[int], int, bool] | None:
        """Return the bytes of a strip, how many were read, the codes at each clear code but the first, at the end, and
        whether there is an end code; None if it is none of ``size`` bytes. old_form: that of before TIFF 6.0.
        """
        out, state = np.empty(size, np.uint8), np.zeros(5, np.int64)
        clears = np.empty(len(data) + 1, np.int64)
        source = np.frombuffer(data, np.uint8)
        _decode(source, int(old_form), out, clears, self._prefix, self._suffix, self._length, state)
        if state[0] != size:
            return None
        return out.tobytes(), int(state[1]), clears[: state[2]].tolist(), int(state[3]), bool(state[4])

    def encode(
        self, data: bytes, clears: list[int], full: int = FULL, gap: int = 0, end: int = 0, old_form: bool = False
    ) -> bytes:
        """Return the codes of bytes.

        - data: the bytes
        - clears: the codes that the table has at each clear code but the first; none: by the rule of full and gap
        - full: codes at which the table is cleared
        - gap: bytes of data after which it is cleared if compression has become no better; 0: never
        - end: 0 for an end code, 1 for one as wide as the last code, 2 for none
        - old_form: that of before TIFF 6.0
        """
        room = np.empty(2 * len(data) + 4 * len(clears) + 16, np.uint8)
        state = np.array([0, 0, 0, int(old_form)], np.int64)
        source, places = np.frombuffer(data, np.uint8), np.array(clears, np.int64)
        _encode(source, room, places, full, gap, end, self._table, self._used, state)
        return room[: state[2]].tobytes()
