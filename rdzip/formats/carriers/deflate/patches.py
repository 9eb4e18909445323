"""A stream of another encoder as its differences from a prediction: tokens that are dictated, and blocks as they are.

A dictated match is told by its length and its rank: the number of strings between that match as far, newest first.
Encoders that take the nearest of equal matches, which most do, have a rank of 0.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from rdzip.errors import FormatError
from rdzip.exact.compiled import compiled
from rdzip.exact.types import Int32, Int64
from rdzip.formats.carriers.deflate.codes import LENGTH_MASK, LONGEST, MATCH_SHIFT
from rdzip.formats.carriers.deflate.settings import HASH_BITS, WINDOW
from rdzip.formats.carriers.deflate.tokens import (
    AT,
    COUNT,
    DONE,
    INSERTED,
    STOPPED,
    WORK,
    Finder,
    dictate,
    find,
    start_of_token,
)

GAP, LENGTH, RANK, DISTANCE, PATCH = range(5)
"""Of a dictated token: predicted ones before it, its length or 0 for a literal, 1 + its rank or 0, its distance if
the rank is 0."""
TOO_MANY, LOST = -1, -2
REACH = 1 << 15
MOST_STRINGS = 1 << 12
"""Strings that are looked at for a rank."""
WIDE, WIDER = 254, 255
"""Bytes that say that a number of 2 or of 4 bytes follows."""


@compiled
def _newest(finder: Finder, at: int) -> int:
    """The newest position before ``at`` with the same hash, or -1."""
    raw, fields, head, chain, state, _, _ = finder
    if at < state[INSERTED]:
        return int(chain[np.uintp(at & (fields[WINDOW] - 1))])
    if len(raw) - at < 3:
        return -1
    shift, mask = (fields[HASH_BITS] + 2) // 3, (1 << fields[HASH_BITS]) - 1
    key = np.int64(raw[at]) << shift
    key = ((key ^ np.int64(raw[at + 1])) << shift) ^ np.int64(raw[at + 2])
    return int(head[key & mask])


@compiled
def _ranked(finder: Finder, at: int, length: int, rank: int, target: int) -> int:
    """Return the position of the string of a rank (target -1), or the rank of that at a target; -1 if there is none."""
    raw, fields, _, chain, state, _, _ = finder
    found = _newest(finder, at)
    passed = 0
    for _ in range(MOST_STRINGS):
        if found < 0 or at - found > REACH or found >= at:
            return -1
        same = 0
        while same < length and raw[np.uintp(found + same)] == raw[np.uintp(at + same)]:
            same += 1
        state[WORK] += 1 + (same >> 3)
        if same == length:
            if target < 0 and passed == rank:
                return found
            if found == target:
                return passed
            passed += 1
        before = np.int64(chain[np.uintp(found & (fields[WINDOW] - 1))])
        if before >= found:
            return -1
        found = before
    return -1


@compiled
def follow(finder: Finder, expected: Int32, most: int, work: int, patches: Int32) -> int:
    """Predict the tokens of ``most`` bytes, dictating those that differ; return how many did, TOO_MANY if there is no
    room for more or searching takes more than ``work`` steps.

    - finder: the data, the tables and what is found
    - expected: int32 [n + 1], the token at each position
    - most, work: bytes, and steps, at the most
    - patches: int32 [room, PATCH]
    """
    state = finder.state
    n = before = 0
    while True:
        done = find(finder, expected, np.int64(-1), most, work)
        if done == DONE:
            return n
        if done != STOPPED or n == len(patches) or state[WORK] > work:
            return TOO_MANY
        at = start_of_token(finder)
        token = np.int64(expected[at])
        patches[n, GAP] = state[COUNT] - before
        patches[n, LENGTH] = patches[n, RANK] = patches[n, DISTANCE] = 0
        if token >= 1 << MATCH_SHIFT:
            length, distance = token & LENGTH_MASK, token >> MATCH_SHIFT
            patches[n, LENGTH] = length
            rank = _ranked(finder, at, length, np.int64(0), at - distance)
            patches[n, RANK] = rank + 1
            if rank < 0:
                patches[n, DISTANCE] = distance
        if token < 0 or not dictate(finder, token):
            return LOST
        before = state[COUNT]
        n += 1


@compiled
def replay(finder: Finder, patches: Int32, work: int) -> int:
    """Predict all tokens but those that patches dictate; return DONE, or LOST if these do not suit the data."""
    raw, state = finder.raw, finder.state
    nothing = finder.tokens[:0]
    for n in range(len(patches)):
        if find(finder, nothing, state[COUNT] + patches[n, GAP], np.int64(len(raw)), work) != STOPPED:
            return LOST
        at = start_of_token(finder)
        length = np.int64(patches[n, LENGTH])
        if state[WORK] > work or at >= len(raw) or length > min(LONGEST, len(raw) - at):
            return LOST
        token = np.int64(raw[at])
        if length > 0:
            distance = np.int64(patches[n, DISTANCE])
            if patches[n, RANK] > 0:
                distance = at - _ranked(finder, at, length, np.int64(patches[n, RANK] - 1), np.int64(-1))
            if distance < 1 or distance > min(at, REACH):
                return LOST
            token = distance << MATCH_SHIFT | length
        if not dictate(finder, token):
            return LOST
    if find(finder, nothing, np.int64(-1), np.int64(len(raw)), work) != DONE or state[AT] != len(raw):
        return LOST
    return DONE


def pack(patches: Int32) -> list[bytes]:
    """Return the four columns of patches as bytes."""
    columns = [patches[:, GAP], patches[:, LENGTH], patches[:, RANK][patches[:, LENGTH] > 0]]
    columns.append(patches[:, DISTANCE][(patches[:, LENGTH] > 0) & (patches[:, RANK] == 0)])
    return [to_bytes(column.tolist()) for column in columns]


def unpack(columns: list[bytes]) -> Int32:
    """Return the patches of four columns; FormatError if these do not suit each other."""
    gaps, lengths, ranks, distances = (from_bytes(column) for column in columns)
    matches = lengths > 0
    if len(gaps) != len(lengths) or len(ranks) != matches.sum() or len(distances) != (ranks == 0).sum():
        raise FormatError("a carrier's patches of deflate do not suit each other; the file is corrupt")
    patches = np.zeros((len(gaps), PATCH), np.int64)
    patches[:, GAP], patches[:, LENGTH] = gaps, lengths
    patches[matches, RANK] = ranks
    patches[matches & (patches[:, RANK] == 0), DISTANCE] = distances
    return np.minimum(patches, (1 << 31) - 1).astype(np.int32)


def to_bytes(numbers: Iterable[int]) -> bytes:
    """Return numbers below 2**32 as a byte each, larger ones as a mark and 2 or 4 bytes, the lowest first."""
    out = bytearray()
    for number in numbers:
        if number < WIDE:
            out.append(number)
        elif number < 1 << 16:
            out.append(WIDE)
            out += number.to_bytes(2, "little")
        else:
            out.append(WIDER)
            out += number.to_bytes(4, "little")
    return bytes(out)


def from_bytes(data: bytes) -> Int64:
    """Return the numbers of `to_bytes`; FormatError if the last is cut off."""
    numbers, at = [], 0
    while at < len(data):
        wide = {WIDE: 2, WIDER: 4}.get(data[at], 0)
        if at + wide >= len(data):
            raise FormatError("a carrier's numbers are cut off; the file is corrupt")
        numbers.append(int.from_bytes(data[at + 1 : at + 1 + wide], "little") if wide else data[at])
        at += 1 + wide
    return np.array(numbers, np.int64)
