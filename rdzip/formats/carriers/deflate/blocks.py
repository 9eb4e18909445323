"""Blocks of tokens as bits (RFC 1951, section 3.2), of the kind that zlib chooses: the shortest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rdzip.exact.compiled import compiled
from rdzip.exact.types import Int32, Int64
from rdzip.formats.carriers.deflate.codes import (
    CODE_ORDER,
    DISTANCE_EXTRA,
    DISTANCE_FIRST,
    DISTANCE_SYMBOL,
    DISTANCES,
    DYNAMIC,
    END,
    EXTRA_OF_CODES,
    EXTRA_OF_LITERALS,
    FIXED,
    FIXED_DISTANCES,
    FIXED_LITERALS,
    LENGTH_CODES,
    LENGTH_EXTRA,
    LENGTH_FIRST,
    LENGTH_MASK,
    LENGTH_SYMBOL,
    LITERALS,
    MATCH_SHIFT,
    STORED,
)
from rdzip.formats.carriers.deflate.settings import FIXED as FIXED_STRATEGY
from rdzip.formats.carriers.deflate.trees import (
    BITS,
    FIXED_BITS,
    LARGEST_DISTANCE,
    LARGEST_LITERAL,
    MANY_ZEROS,
    REPEAT,
    ZEROS,
    Scratch,
    build,
    codes,
    cost,
    count_lengths,
    last_length,
)

BIT_BUFFER, BIT_COUNT, BYTES, WRITER = range(4)
"""State of a writer: bits that are no byte yet, how many, bytes written."""


@compiled
def put(out: NDArray[np.uint8], writer: Int64, value: int, bits: int) -> None:
    """Write up to 32 bits, the lowest first."""
    writer[BIT_BUFFER] |= value << writer[BIT_COUNT]
    writer[BIT_COUNT] += bits
    while writer[BIT_COUNT] >= 8:
        out[np.uintp(writer[BYTES])] = writer[BIT_BUFFER] & 255
        writer[BYTES] += 1
        writer[BIT_BUFFER] >>= 8
        writer[BIT_COUNT] -= 8


@compiled
def align(out: NDArray[np.uint8], writer: Int64) -> None:
    """Fill a byte with zeros."""
    if writer[BIT_COUNT]:
        put(out, writer, np.int64(0), 8 - writer[BIT_COUNT])


@compiled
def count(room: Scratch, tokens: Int32, first: int, last: int) -> None:
    """Count the symbols of a block's tokens, its end among them."""
    literals, distances = room.literals, room.distances
    literals[:] = 0
    distances[:] = 0
    for i in range(first, last):
        token = np.int64(tokens[np.uintp(i)])
        if token < 1 << MATCH_SHIFT:
            literals[np.uintp(token)] += 1
        else:
            literals[np.uintp(END + 1 + LENGTH_SYMBOL[np.uintp(token & LENGTH_MASK)])] += 1
            distances[np.uintp(DISTANCE_SYMBOL[np.uintp(token >> MATCH_SHIFT)])] += 1
    literals[END] = 1


@compiled
def choose_codes(room: Scratch) -> int:
    """Find the block's own codes from its counts; return how many bits it takes, less its head of three."""
    lengths = room.lengths
    lengths[:] = 0
    most_literal = build(room, room.literals, room.literal_bits, np.int64(LITERALS), np.int64(15))
    most_distance = build(room, room.distances, room.distance_bits, np.int64(DISTANCES), np.int64(15))
    room.literal_bits[LITERALS:] = 0
    count_lengths(lengths, room.literal_bits, most_literal)
    count_lengths(lengths, room.distance_bits, most_distance)
    build(room, lengths, room.length_bits, np.int64(LENGTH_CODES), np.int64(7))
    total = 14 + 3 * last_length(room.length_bits, CODE_ORDER) + cost(lengths, room.length_bits, EXTRA_OF_CODES)
    total += cost(room.literals, room.literal_bits, EXTRA_OF_LITERALS)
    total += cost(room.distances, room.distance_bits, DISTANCE_EXTRA)
    room.totals[LARGEST_LITERAL] = most_literal
    room.totals[LARGEST_DISTANCE] = most_distance
    room.totals[BITS] = total
    room.totals[FIXED_BITS] = cost(room.literals, FIXED_LITERALS, EXTRA_OF_LITERALS) + cost(
        room.distances, FIXED_DISTANCES, DISTANCE_EXTRA
    )
    return total


@compiled
def kind_of(room: Scratch, size: int, storable: bool, strategy: int, old: bool) -> int:
    """Return the kind that zlib gives a block whose totals are there.

    - room: the block's totals and codes
    - size: its bytes
    - storable: whether its bytes are still in the window
    - strategy: of the encoder
    - old: as of Settings
    """
    own, fixed = (room.totals[BITS] + 3 + 7) >> 3, (room.totals[FIXED_BITS] + 3 + 7) >> 3
    forced = strategy == FIXED_STRATEGY
    least = fixed if fixed <= own or (forced and not old) else own
    if storable and size + 4 <= least:
        return STORED
    return FIXED if forced or fixed == least else DYNAMIC


@compiled
def _put_lengths(room: Scratch, bits: Int64, largest: int, out: NDArray[np.uint8], writer: Int64) -> None:
    """Write the lengths of a code up to its largest symbol."""
    before = -1
    i = 0
    while i <= largest:
        value = bits[i]
        run = 1
        most = 138 if value == 0 else 7 if value != before else 6
        while i + run <= largest and run < most and bits[i + run] == value:
            run += 1
        i += run
        left = run
        if value and value != before and run >= 4:
            put(out, writer, room.length_codes[value], room.length_bits[value])
            left -= 1
        if left < 3 or (value and value != before and run == 3):
            for _ in range(left):
                put(out, writer, room.length_codes[value], room.length_bits[value])
        elif value:
            put(out, writer, room.length_codes[REPEAT], room.length_bits[REPEAT])
            put(out, writer, left - 3, np.int64(2))
        elif left <= 10:
            put(out, writer, room.length_codes[ZEROS], room.length_bits[ZEROS])
            put(out, writer, left - 3, np.int64(3))
        else:
            put(out, writer, room.length_codes[MANY_ZEROS], room.length_bits[MANY_ZEROS])
            put(out, writer, left - 11, np.int64(7))
        before = value


@compiled
def put_head(room: Scratch, out: NDArray[np.uint8], writer: Int64) -> None:
    """Write the block's own codes, which `choose_codes` found."""
    most_literal, most_distance = room.totals[LARGEST_LITERAL], room.totals[LARGEST_DISTANCE]
    written = last_length(room.length_bits, CODE_ORDER)
    put(out, writer, most_literal - END, np.int64(5))
    put(out, writer, most_distance, np.int64(5))
    put(out, writer, written - 4, np.int64(4))
    for i in range(written):
        put(out, writer, room.length_bits[CODE_ORDER[i]], np.int64(3))
    codes(room.length_bits, room.length_codes, np.int64(LENGTH_CODES), room.counts)
    _put_lengths(room, room.literal_bits, most_literal, out, writer)
    _put_lengths(room, room.distance_bits, most_distance, out, writer)


@compiled
def fix_codes(room: Scratch) -> None:
    """Take the fixed codes for the block's own."""
    for i in range(len(FIXED_LITERALS)):
        room.literal_bits[i] = FIXED_LITERALS[i]
    for i in range(DISTANCES):
        room.distance_bits[i] = 5


@compiled
def put_tokens(room: Scratch, tokens: Int32, first: int, last: int, out: NDArray[np.uint8], writer: Int64) -> None:
    """Write a block's tokens and its end.

    - room: holds the lengths of the codes
    - tokens, first, last: all tokens, and which are the block's
    - out, writer: bytes, and the state of what writes bits
    """
    literal_bits, distance_bits = room.literal_bits, room.distance_bits
    literal_codes, distance_codes = room.literal_codes, room.distance_codes
    codes(literal_bits, literal_codes, np.int64(len(literal_bits)), room.counts)
    codes(distance_bits, distance_codes, np.int64(DISTANCES), room.counts)
    buffer, n, at = writer[BIT_BUFFER], writer[BIT_COUNT], writer[BYTES]
    for i in range(first, last):
        token = np.int64(tokens[np.uintp(i)])
        if token < 1 << MATCH_SHIFT:
            symbol = token
        else:
            length = token & LENGTH_MASK
            symbol = LENGTH_SYMBOL[np.uintp(length)]
            extra = length - LENGTH_FIRST[np.uintp(symbol)]
            more = LENGTH_EXTRA[np.uintp(symbol)]
            symbol += END + 1
        buffer |= literal_codes[np.uintp(symbol)] << n
        n += literal_bits[np.uintp(symbol)]
        if token >= 1 << MATCH_SHIFT:
            buffer |= extra << n
            n += more
            distance = token >> MATCH_SHIFT
            symbol = DISTANCE_SYMBOL[np.uintp(distance)]
            buffer |= distance_codes[np.uintp(symbol)] << n
            n += distance_bits[np.uintp(symbol)]
            buffer |= (distance - DISTANCE_FIRST[np.uintp(symbol)]) << n
            n += DISTANCE_EXTRA[np.uintp(symbol)]
        while n >= 8:
            out[np.uintp(at)] = buffer & 255
            at += 1
            buffer >>= 8
            n -= 8
    writer[BIT_BUFFER], writer[BIT_COUNT], writer[BYTES] = buffer, n, at
    put(out, writer, literal_codes[END], literal_bits[END])


@compiled
def put_stored(raw: NDArray[np.uint8], first: int, last: int, out: NDArray[np.uint8], writer: Int64) -> None:
    """Write the body of a stored block.

    - raw, first, last: the data, and which bytes are the block's
    - out, writer: bytes, and the state of what writes bits
    """
    align(out, writer)
    size = last - first
    put(out, writer, size, np.int64(16))
    put(out, writer, size ^ 65535, np.int64(16))
    at = writer[BYTES]
    for i in range(size):
        out[np.uintp(at + i)] = raw[np.uintp(first + i)]
    writer[BYTES] = at + size


@compiled
def put_blocks(
    raw: NDArray[np.uint8],
    tokens: Int32,
    blocks: Int64,
    count_of_blocks: int,
    strategy: int,
    old: bool,
    room: Scratch,
    out: NDArray[np.uint8],
    writer: Int64,
) -> None:
    """Write all blocks as zlib does.

    - raw: uint8 [n], tokens: int32, blocks: int64 [blocks, 3], as `tokens.Finder` has them; the last is final
    - count_of_blocks: how many there are; strategy, old: of `Settings`
    - out: room for `bound` bytes; writer: int64 [WRITER]
    """
    first = start = np.int64(0)
    for i in range(count_of_blocks):
        last, end = blocks[i, 0], blocks[i, 1]
        count(room, tokens, first, last)
        choose_codes(room)
        kind = kind_of(room, end - start, blocks[i, 2] != 0, strategy, old)
        put(out, writer, kind << 1 | (i == count_of_blocks - 1), np.int64(3))
        if kind == STORED:
            put_stored(raw, start, end, out, writer)
        else:
            if kind == DYNAMIC:
                put_head(room, out, writer)
            else:
                fix_codes(room)
            put_tokens(room, tokens, first, last, out, writer)
        first, start = last, end
    align(out, writer)


def bound(size: int, blocks: int) -> int:
    """Return the most bytes of blocks of a size that zlib writes: by fixed codes, 9 bits for each byte."""
    return size + (size + 7) // 8 + 8 * blocks + 16
