"""A deflate stream (RFC 1951) as tokens and blocks. What it inflates to is known, and that it is sound."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rdzip.exact.compiled import compiled
from rdzip.exact.types import Int32, Int64
from rdzip.formats.carriers.deflate.codes import (
    CODE_ORDER,
    DISTANCE_EXTRA,
    DISTANCE_FIRST,
    DISTANCES,
    END,
    FIXED,
    FIXED_LITERALS,
    LENGTH_EXTRA,
    LENGTH_FIRST,
    LITERALS,
    MATCH_SHIFT,
    STORED,
)
from rdzip.formats.carriers.deflate.tokens import WILD
from rdzip.formats.carriers.deflate.trees import codes

NO_TOKEN = -2
KIND, FINAL, TOKENS, RAW_END, HEAD, BODY, PAST, PARSED = range(8)
"""Of a block: its kind, whether it is the last, tokens without its end, first position behind it, first bits of its
head (behind the three), of its body, and behind it."""
TABLE_BITS = 15
SYMBOL_SHIFT = 4


class Parsed(NamedTuple):
    """A stream's tokens and blocks.

    - expected: int32 [n + 1], the token that begins at each position; WILD within stored blocks, else NO_TOKEN
    - blocks: int64 [blocks, PARSED]
    """

    expected: Int32
    blocks: Int64


@compiled
def _peek(data: NDArray[np.uint8], at: int) -> int:
    """The 32 bits or more from a bit on, zeros behind the end."""
    byte = at >> 3
    value = 0
    for i in range(5):
        if byte + i < len(data):
            value |= np.int64(data[np.uintp(byte + i)]) << (8 * i)
    return value >> (at & 7)


@compiled
def _fill_table(table: Int32, bits: Int64, symbols: int, reversed_codes: Int64, counts: Int64) -> int:
    """Make a table of all strings of as many bits as the longest code has, which is returned: symbol << 4 | length."""
    codes(bits, reversed_codes, symbols, counts)
    longest = 0
    for i in range(symbols):
        longest = max(longest, bits[i])
    for i in range(1 << longest):
        table[np.uintp(i)] = 0
    for i in range(symbols):
        n = bits[i]
        if n:
            for j in range(reversed_codes[i], 1 << longest, 1 << n):
                table[np.uintp(j)] = i << SYMBOL_SHIFT | n
    return longest


@compiled
def read_lengths(
    data: NDArray[np.uint8], at: int, bits: Int64, table: Int32, reversed_codes: Int64, counts: Int64
) -> int:
    """Read the codes of a block; return the bit behind them, or -1.

    - data, at: the stream, and the bit at which they begin
    - bits: filled with the lengths of literals from 0, of distances from LITERALS + 2 on
    - table, reversed_codes, counts: room for a code's table
    """
    head = _peek(data, at)
    literals, distances, lengths = (head & 31) + 257, (head >> 5 & 31) + 1, (head >> 10 & 15) + 4
    at += 14
    bits[:] = 0
    for i in range(lengths):
        bits[CODE_ORDER[i]] = _peek(data, at) & 7
        at += 3
    longest = _fill_table(table, bits, np.int64(19), reversed_codes, counts)
    bits[:] = 0
    i = value = 0
    while i < literals + distances:
        entry = np.int64(table[_peek(data, at) & ((1 << longest) - 1)])
        if entry == 0:
            return -1
        at += entry & 15
        symbol = entry >> SYMBOL_SHIFT
        run = 1
        if symbol < 16:
            value = symbol
        elif symbol == 16:
            run = 3 + (_peek(data, at) & 3)
            at += 2
        else:
            value = 0
            wide = 3 if symbol == 17 else 7
            run = (3 if symbol == 17 else 11) + (_peek(data, at) & ((1 << wide) - 1))
            at += wide
        for _ in range(run):
            if i >= literals + distances:
                return -1
            bits[i if i < literals else i - literals + LITERALS + 2] = value
            i += 1
    return at


@compiled
def _read_blocks(
    data: NDArray[np.uint8],
    expected: Int32,
    blocks: Int64,
    state: Int64,
    bits: Int64,
    tables: Int32,
    reversed_codes: Int64,
    counts: Int64,
) -> int:
    """Read blocks until the last or until there is no more room for them; return how many are there, or -1.

    - state: int64 [3]: next bit, position, whether the last was read
    - bits, reversed_codes: room, [LITERALS + 2 + 32]; tables: room, int32 [2 << TABLE_BITS]; counts: room, [17]
    """
    size = len(expected) - 1
    at, position = state[0], state[1]
    n = 0
    literal_table, distance_table = tables[: 1 << TABLE_BITS], tables[1 << TABLE_BITS :]
    literal_lengths, distance_lengths = bits[: LITERALS + 2], bits[LITERALS + 2 :]
    end_of_data = 8 * len(data)
    while n < len(blocks) and not state[2]:
        if at >= end_of_data:
            return -1
        head = _peek(data, at) & 7
        at += 3
        kind = head >> 1
        blocks[n, KIND], blocks[n, FINAL], blocks[n, HEAD] = kind, head & 1, at
        tokens = 0
        if kind == STORED:
            at = (at + 7) & ~7
            length = _peek(data, at) & 65535
            at += 32
            blocks[n, BODY] = at
            if position + length > size:
                return -1
            for i in range(position, position + length):
                expected[np.uintp(i)] = WILD
            at += 8 * length
            position += length
        elif kind == 3:
            return -1
        else:
            if kind == FIXED:
                for i in range(LITERALS + 2):
                    literal_lengths[i] = FIXED_LITERALS[i]
                for i in range(DISTANCES):
                    distance_lengths[i] = 5
            else:
                at = read_lengths(data, at, bits, literal_table, reversed_codes, counts)
                if at < 0:
                    return -1
            blocks[n, BODY] = at
            longest = _fill_table(literal_table, literal_lengths, np.int64(LITERALS + 2), reversed_codes, counts)
            longest_distance = _fill_table(
                distance_table, distance_lengths, np.int64(DISTANCES), reversed_codes, counts
            )
            while True:
                if at >= end_of_data:
                    return -1
                window = _peek(data, at)
                entry = np.int64(literal_table[np.uintp(window & ((1 << longest) - 1))])
                wide = entry & 15
                symbol = entry >> SYMBOL_SHIFT
                at += wide
                if wide == 0:
                    return -1
                if symbol == END:
                    break
                tokens += 1
                if symbol < END:
                    if position >= size:
                        return -1
                    expected[np.uintp(position)] = symbol
                    position += 1
                    continue
                symbol -= END + 1
                if symbol > 28:
                    return -1
                more = LENGTH_EXTRA[np.uintp(symbol)]
                length = LENGTH_FIRST[np.uintp(symbol)] + (window >> wide & ((1 << more) - 1))
                at += more
                window = _peek(data, at)
                entry = np.int64(distance_table[np.uintp(window & ((1 << longest_distance) - 1))])
                wide = entry & 15
                symbol = entry >> SYMBOL_SHIFT
                if wide == 0:
                    return -1
                more = DISTANCE_EXTRA[np.uintp(symbol)]
                distance = DISTANCE_FIRST[np.uintp(symbol)] + (window >> wide & ((1 << more) - 1))
                at += wide + more
                if position + length > size or distance > position:
                    return -1
                expected[np.uintp(position)] = distance << MATCH_SHIFT | length
                for i in range(position + 1, position + length):
                    expected[np.uintp(i)] = NO_TOKEN
                position += length
        blocks[n, TOKENS], blocks[n, RAW_END], blocks[n, PAST] = tokens, position, at
        state[2] = head & 1
        n += 1
    state[0], state[1] = at, position
    return n


def parse(data: NDArray[np.uint8], size: int) -> Parsed | None:
    """Return the tokens and blocks of a stream whose data are ``size`` bytes; None if it is not sound."""
    expected = np.full(size + 1, NO_TOKEN, np.int32)
    state = np.zeros(3, np.int64)
    bits, reversed_codes = np.zeros(LITERALS + 2 + 32, np.int64), np.zeros(LITERALS + 2 + 32, np.int64)
    tables, counts = np.zeros(2 << TABLE_BITS, np.int32), np.zeros(17, np.int64)
    parts, room = [], 1 << 8
    while not state[2]:
        blocks = np.zeros((room, PARSED), np.int64)
        n = _read_blocks(data, expected, blocks, state, bits, tables, reversed_codes, counts)
        if n < 0:
            return None
        parts.append(blocks[:n])
        room *= 2
    if state[1] != size:
        return None
    return Parsed(expected, np.concatenate(parts))
