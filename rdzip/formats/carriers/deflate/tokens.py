"""A stream's tokens, found as zlib finds them (algorithm.txt): strings of three bytes in chains by hash, newest first.

A position is a byte's number in all of the data. zlib numbers bytes within a window of two times the size of
matches' reach, which slides by half: ``base`` is the position of the window's first byte. It counts in two places
only: a string that begins the window is never matched (its number, 0, stands for none), and a block can be stored
only while its first byte is in the window.

zlib works as long as there are LOOKAHEAD bytes after the current one, and asks for more, so how its input is cut
into pieces decides nothing but when the window slides. What is longer than the data that are left is cut there.

Instead of the prediction, a token can be dictated: prediction stops before a token that differs, `dictate` takes the
other token, and prediction goes on behind it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rdzip.exact.compiled import compiled
from rdzip.exact.types import Int32, Int64
from rdzip.formats.carriers.deflate.codes import LONGEST, MATCH_SHIFT, SHORTEST
from rdzip.formats.carriers.deflate.settings import (
    CHAIN,
    FAST,
    GOOD,
    HASH_BITS,
    LAZY,
    LIMIT,
    NICE,
    ONLY_HUFFMAN,
    PIECE,
    SLOW,
    STRATEGY,
    TOO_FAR,
    WAY,
    WINDOW,
)
from rdzip.formats.carriers.deflate.settings import FILTERED as FILTERED_STRATEGY

LOOKAHEAD = LONGEST + SHORTEST + 1
FILTERED_LENGTH = 5
"""Matches of up to so many bytes are not taken of filtered data."""
AT, BASE, FILLED, GIVEN, INSERTED, PENDING, LENGTH, START, COUNT, IN_BLOCK, BLOCKS, BLOCK_START, WORK, STATE = range(14)
"""State: current position; the window's first, its end, the end of what was given; first that is in no chain; whether
the byte before waits for a verdict; the match there (or of this search); tokens; tokens in the block; blocks; the
block's first position; steps that searching took."""
BLOCK_FIELDS = 3
"""Of a block: number of the first token behind it, first position behind it, whether it may be stored."""
DONE, STOPPED, TOO_LONG = range(3)
WILD = -1
"""Expected is any token (within a stored block)."""


class Finder(NamedTuple):
    """What finds tokens of data.

    - raw: uint8 [n]; fields: `Settings.fields`
    - head: int32 [1 << hash bits], the newest position of each hash, or -1
    - chain: int32 [window], the position of the same hash before each of the newest positions
    - state: int64 [STATE]
    - tokens: int32 [n or more]; blocks: int64 [blocks, BLOCK_FIELDS]
    """

    raw: NDArray[np.uint8]
    fields: Int64
    head: Int32
    chain: Int32
    state: Int64
    tokens: Int32
    blocks: Int64


def finder(raw: NDArray[np.uint8], fields: Int64, tokens: Int32, chain: Int32 | None = None) -> Finder:
    """Return what finds tokens from the start, to be written to ``tokens``."""
    state = np.zeros(STATE, np.int64)
    state[LENGTH] = SHORTEST - 1
    head = np.full(1 << int(fields[HASH_BITS]), -1, np.int32)
    if chain is None:
        chain = np.zeros(1 << 15, np.int32)
    blocks = np.zeros((len(raw) // int(fields[LIMIT]) + 2, BLOCK_FIELDS), np.int64)
    return Finder(raw, fields, head, chain, state, tokens, blocks)


@compiled
def _fill(state: Int64, size: int, window: int, piece: int, at: int, least: int) -> None:
    """Fill the window until ``least`` bytes from ``at`` on are in it, or all there are."""
    while True:
        while True:
            room = state[BASE] + 2 * window - state[FILLED]
            if at - state[BASE] >= 2 * window - LOOKAHEAD:
                state[BASE] += window
                room += window
            n = min(state[GIVEN] - state[FILLED], room)
            if n <= 0:
                break
            state[FILLED] += n
            if state[FILLED] - at >= LOOKAHEAD or state[FILLED] == state[GIVEN]:
                break
        if state[FILLED] - at >= least or state[GIVEN] == size:
            return
        state[GIVEN] = size if piece == 0 else min(size, state[GIVEN] + piece)


@compiled
def _insert(raw: NDArray[np.uint8], head: Int32, chain: Int32, at: int, shift: int, mask: int, reach: int) -> int:
    """Put the string at a position into its chain; return the newest position there before, or -1."""
    key = np.int64(raw[np.uintp(at)]) << shift
    key = ((key ^ np.int64(raw[np.uintp(at + 1)])) << shift) ^ np.int64(raw[np.uintp(at + 2)])
    key &= mask
    before = np.int64(head[np.uintp(key)])
    chain[np.uintp(at & reach)] = before
    head[np.uintp(key)] = at
    return before


@compiled
def _search(
    raw: NDArray[np.uint8], chain: Int32, fields: Int64, state: Int64, at: int, found: int, best: int, size: int
) -> int:
    """Return the length of the longest match at a position that is longer than ``best``, else ``best``; START in the
    state is where it begins.

    found: the newest position with the same hash
    """
    most = min(LONGEST, size - at)
    if best >= most:
        return best
    steps = fields[CHAIN]
    if best >= fields[GOOD]:
        steps >>= 2
    nice = min(fields[NICE], most)
    window = fields[WINDOW]
    limit = max(state[BASE], at - (window - LOOKAHEAD))
    reach = window - 1
    last, before_last = raw[np.uintp(at + best)], raw[np.uintp(at + best - 1)]
    first, second = raw[np.uintp(at)], raw[np.uintp(at + 1)]
    work = 0
    while True:
        work += 1
        if (
            raw[np.uintp(found + best)] == last
            and raw[np.uintp(found + best - 1)] == before_last
            and raw[np.uintp(found)] == first
            and raw[np.uintp(found + 1)] == second
        ):
            length = 2
            while length < most and raw[np.uintp(found + length)] == raw[np.uintp(at + length)]:
                length += 1
            work += length >> 3
            if length > best:
                state[START] = found
                best = length
                if length >= nice:
                    break
                last, before_last = raw[np.uintp(at + best)], raw[np.uintp(at + best - 1)]
        found = np.int64(chain[np.uintp(found & reach)])
        steps -= 1
        if found <= limit or steps == 0:
            break
    state[WORK] += work
    return best


@compiled
def _put(finder: Finder, token: int, end: int) -> None:
    """Add a token; end a block at a position if it is full."""
    state = finder.state
    finder.tokens[np.uintp(state[COUNT])] = token
    state[COUNT] += 1
    state[IN_BLOCK] += 1
    if state[IN_BLOCK] == finder.fields[LIMIT]:
        end_block(finder, end)


@compiled
def end_block(finder: Finder, end: int) -> None:
    """End a block before a position."""
    state = finder.state
    blocks = finder.blocks
    n = state[BLOCKS]
    blocks[n, 0] = state[COUNT]
    blocks[n, 1] = end
    blocks[n, 2] = state[BLOCK_START] >= state[BASE]
    state[BLOCKS] = n + 1
    state[BLOCK_START] = end
    state[IN_BLOCK] = 0


@compiled
def _differs(finder: Finder, token: int, start: int, expected: Int32, stop: int) -> bool:
    """Whether prediction stops before this token, which begins at a position."""
    if finder.state[COUNT] == stop:
        return True
    if len(expected) == 0:
        return False
    other = expected[np.uintp(start)]
    return bool(other != token and other != WILD)


@compiled
def _find_fast(finder: Finder, expected: Int32, stop: int, most: int, work: int) -> int:
    """Levels 1 to 3: take each match at once."""
    raw, fields, head, chain, state, _, _ = finder
    size = len(raw)
    shift, mask = (fields[HASH_BITS] + 2) // 3, (1 << fields[HASH_BITS]) - 1
    window = fields[WINDOW]
    reach = window - 1
    at = state[AT]
    while at < most:
        if state[FILLED] - at < LOOKAHEAD:
            _fill(state, size, window, fields[PIECE], at, np.int64(LOOKAHEAD))
        found = -1
        if size - at >= SHORTEST:
            if at >= state[INSERTED]:
                found = _insert(raw, head, chain, at, shift, mask, reach)
                state[INSERTED] = at + 1
            else:
                found = np.int64(chain[np.uintp(at & reach)])
        length = 0
        if found > state[BASE] and at - found <= window - LOOKAHEAD:
            length = _search(raw, chain, fields, state, at, found, np.int64(SHORTEST - 1), size)
        state[AT] = at
        if length >= SHORTEST:
            token = (at - state[START]) << MATCH_SHIFT | length
            if _differs(finder, token, at, expected, stop):
                return STOPPED
            end = at + length
            if length <= fields[LAZY] and size - end >= SHORTEST:
                for i in range(at + 1, end):
                    _insert(raw, head, chain, i, shift, mask, reach)
            state[INSERTED] = end
        else:
            token = np.int64(raw[np.uintp(at)])
            if _differs(finder, token, at, expected, stop):
                return STOPPED
            end = at + 1
        _put(finder, token, end)
        at = end
        state[AT] = at
        if state[WORK] > work:
            return TOO_LONG
    if at == size:
        _fill(state, size, window, fields[PIECE], at, np.int64(LOOKAHEAD))
    return DONE


@compiled
def _find_slow(finder: Finder, expected: Int32, stop: int, most: int, work: int) -> int:
    """Levels 4 to 9: take a match if the one at the next byte is not longer."""
    raw, fields, head, chain, state, _, _ = finder
    size = len(raw)
    shift, mask = (fields[HASH_BITS] + 2) // 3, (1 << fields[HASH_BITS]) - 1
    window = fields[WINDOW]
    reach = window - 1
    filtered = fields[STRATEGY] == FILTERED_STRATEGY
    at = state[AT]
    while at < most:
        if state[FILLED] - at < LOOKAHEAD:
            _fill(state, size, window, fields[PIECE], at, np.int64(LOOKAHEAD))
        found = -1
        if size - at >= SHORTEST:
            if at >= state[INSERTED]:
                found = _insert(raw, head, chain, at, shift, mask, reach)
                state[INSERTED] = at + 1
            else:
                found = np.int64(chain[np.uintp(at & reach)])
        before, before_start = state[LENGTH], state[START]
        length = SHORTEST - 1
        if found > state[BASE] and before < fields[LAZY] and at - found <= window - LOOKAHEAD:
            length = min(_search(raw, chain, fields, state, at, found, before, size), size - at)
            if length <= FILTERED_LENGTH and (filtered or (length == SHORTEST and at - state[START] > fields[TOO_FAR])):
                length = SHORTEST - 1
        state[AT] = at
        if before >= SHORTEST and length <= before:
            token = (at - 1 - before_start) << MATCH_SHIFT | before
            if _differs(finder, token, at - 1, expected, stop):
                return STOPPED
            end = at - 1 + before
            for i in range(at + 1, min(end, size - SHORTEST + 1)):
                _insert(raw, head, chain, i, shift, mask, reach)
            state[INSERTED] = end
            state[PENDING] = 0
            state[LENGTH] = SHORTEST - 1
            _put(finder, token, end)
            at = end
        else:
            if state[PENDING]:
                token = np.int64(raw[np.uintp(at - 1)])
                if _differs(finder, token, at - 1, expected, stop):
                    return STOPPED
                _put(finder, token, at)
            state[PENDING] = 1
            state[LENGTH] = length
            at += 1
        state[AT] = at
        if state[WORK] > work:
            return TOO_LONG
    if at < size:
        return DONE
    _fill(state, size, window, fields[PIECE], at, np.int64(LOOKAHEAD))
    if state[PENDING]:
        token = np.int64(raw[np.uintp(at - 1)])
        if _differs(finder, token, at - 1, expected, stop):
            return STOPPED
        finder.tokens[np.uintp(state[COUNT])] = token
        state[COUNT] += 1
        state[IN_BLOCK] += 1
        state[PENDING] = 0
        state[LENGTH] = SHORTEST - 1
    return DONE


@compiled
def _find_simple(finder: Finder, expected: Int32, stop: int, most: int) -> int:
    """Strategies of literals only, and of literals and runs only."""
    raw, fields, _, _, state, _, _ = finder
    size = len(raw)
    least = np.int64(1 if fields[WAY] == ONLY_HUFFMAN else LONGEST + 1)
    at = state[AT]
    while at < most:
        if state[FILLED] - at < least:
            _fill(state, size, fields[WINDOW], fields[PIECE], at, least)
        token = np.int64(raw[np.uintp(at)])
        end = at + 1
        if least > 1 and at > 0 and size - at >= SHORTEST:
            value = raw[np.uintp(at - 1)]
            length, longest = 0, min(LONGEST, size - at)
            while length < longest and raw[np.uintp(at + length)] == value:
                length += 1
            if length >= SHORTEST:
                token = 1 << MATCH_SHIFT | length
                end = at + length
        if _differs(finder, token, at, expected, stop):
            return STOPPED
        _put(finder, token, end)
        at = end
        state[AT] = at
    if at == size:
        _fill(state, size, fields[WINDOW], fields[PIECE], at, least)
    return DONE


@compiled
def find(finder: Finder, expected: Int32, stop: int, most: int, work: int) -> int:
    """Find tokens; return DONE if those of ``most`` bytes are found (of all, if it is as large as the data), STOPPED
    before the token that differs, or TOO_LONG after more than ``work`` steps of searching.

    - finder: the data, the tables and what is found
    - expected: int32 [n], the token that begins at each position, WILD for any, others for none; [0]: any
    - stop: number of the token to stop before
    - most, work: bytes, and steps, at the most
    """
    way = finder.fields[WAY]
    if way == SLOW:
        return _find_slow(finder, expected, stop, most, work)
    if way == FAST:
        return _find_fast(finder, expected, stop, most, work)
    return _find_simple(finder, expected, stop, most)


@compiled
def start_of_token(finder: Finder) -> int:
    """Position at which the token begins before which prediction stopped."""
    return int(finder.state[AT] - finder.state[PENDING])


@compiled
def dictate(finder: Finder, token: int) -> bool:
    """Take a token instead of the predicted one, put its strings into their chains, and be ready to go on behind it;
    False if the data do not have this token here.
    """
    raw, fields, head, chain, state, _, _ = finder
    size = len(raw)
    at = state[AT] - state[PENDING]
    length = 1
    if token >= 1 << MATCH_SHIFT:
        length, distance = token & ((1 << MATCH_SHIFT) - 1), token >> MATCH_SHIFT
        if length < SHORTEST or length > min(LONGEST, size - at) or distance > min(at, 1 << 15):
            return False
        for i in range(length):
            if raw[np.uintp(at + i)] != raw[np.uintp(at + i - distance)]:
                return False
    elif at >= size or token != raw[np.uintp(at)]:
        return False
    end = at + length
    shift, mask = (fields[HASH_BITS] + 2) // 3, (1 << fields[HASH_BITS]) - 1
    for i in range(state[INSERTED], min(end, size - SHORTEST + 1)):
        _insert(raw, head, chain, i, shift, mask, fields[WINDOW] - 1)
    state[INSERTED] = max(state[INSERTED], end)
    state[AT] = end
    state[PENDING] = 0
    state[LENGTH] = SHORTEST - 1
    _put(finder, token, end)
    return True
