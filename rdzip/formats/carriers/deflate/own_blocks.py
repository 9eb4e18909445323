"""Blocks as another encoder cut them: their kinds, how many tokens each has, and codes that are not zlib's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rdzip.errors import FormatError
from rdzip.exact.compiled import compiled
from rdzip.exact.types import Int32, Int64
from rdzip.formats.carriers.deflate.blocks import (
    BYTES,
    WRITER,
    align,
    choose_codes,
    count,
    fix_codes,
    put,
    put_head,
    put_stored,
    put_tokens,
)
from rdzip.formats.carriers.deflate.codes import (
    DISTANCES,
    DYNAMIC,
    FIXED,
    LENGTH_MASK,
    LITERALS,
    LONGEST_STORED,
    MATCH_SHIFT,
    STORED,
)
from rdzip.formats.carriers.deflate.parse import BODY, HEAD, KIND, RAW_END, TABLE_BITS, TOKENS, Parsed, read_lengths
from rdzip.formats.carriers.deflate.tokens import COUNT, Finder
from rdzip.formats.carriers.deflate.trees import Scratch, scratch
from rdzip.system import limits

GIVEN = 3
"""Kind of a block whose codes are given: the bits of its head, filled up to whole bytes."""
HEAD_BYTES = 640
"""More than a block takes besides its tokens: 17 + 19 * 3 + 316 * 14 bits and its end."""
BLOCK_MEMORY = 1024


@compiled
def _put_own(
    finder: Finder,
    kinds: Int64,
    counts: Int64,
    heads: NDArray[np.uint8],
    room: Scratch,
    bits: Int64,
    table: Int32,
    reversed_codes: Int64,
    out: NDArray[np.uint8],
    writer: Int64,
) -> int:
    """Write blocks; return the bytes of heads that were used, or -1 where they do not suit the tokens.

    - kinds, counts: int64 [blocks], kinds and numbers of tokens
    - heads: uint8, heads of blocks of kind GIVEN, and 8 bytes more
    - room, bits, table, reversed_codes: room, as `trees.scratch` and `parse.parse` make it
    - out, writer: as in `blocks.put_blocks`
    """
    raw, tokens, total = finder.raw, finder.tokens, finder.state[COUNT]
    first = start = used = np.int64(0)
    for i in range(len(kinds)):
        last = first + counts[i]
        if last > total:
            return -1
        end = np.int64(start)
        for j in range(first, last):
            token = np.int64(tokens[np.uintp(j)])
            end += 1 if token < 1 << MATCH_SHIFT else token & LENGTH_MASK
        kind = kinds[i]
        put(out, writer, min(kind, DYNAMIC) << 1 | (i == len(kinds) - 1), np.int64(3))
        if kind == STORED:
            if end - start > LONGEST_STORED:
                return -1
            put_stored(raw, start, end, out, writer)
        else:
            if kind == FIXED:
                fix_codes(room)
            else:
                count(room, tokens, first, last)
                choose_codes(room)
                if kind == DYNAMIC:
                    put_head(room, out, writer)
                else:
                    at = read_lengths(heads, 8 * used, bits, table, reversed_codes, room.counts)
                    if at < 0 or at > 8 * (len(heads) - 8):
                        return -1
                    for j in range(8 * used, at):
                        put(out, writer, np.int64(heads[j >> 3]) >> (j & 7) & 1, np.int64(1))
                    used = (at + 7) >> 3
                    for j in range(LITERALS + 2):
                        room.literal_bits[j] = bits[j]
                    for j in range(DISTANCES):
                        room.distance_bits[j] = bits[LITERALS + 2 + j]
            put_tokens(room, tokens, first, last, out, writer)
        first, start = last, end
    align(out, writer)
    return used if first == total else -1


def write_own(finder: Finder, codes: Int64, heads: bytes) -> bytes:
    """Return the raw stream of tokens in blocks of their own; FormatError if they do not suit each other.

    - codes: number of tokens << 2 | kind, of each block
    - heads: those of blocks of kind GIVEN
    """
    limits.claim_memory(BLOCK_MEMORY * len(codes), f"{len(codes)} blocks of deflate")
    size = 2 * len(finder.raw) + HEAD_BYTES * len(codes) + 64
    out, writer = np.empty(size, np.uint8), np.zeros(WRITER, np.int64)
    bits, reversed_codes = np.zeros(LITERALS + 2 + 32, np.int64), np.zeros(LITERALS + 2 + 32, np.int64)
    table = np.zeros(1 << TABLE_BITS, np.int32)
    padded = np.frombuffer(heads + bytes(8), np.uint8)
    kinds, counts = codes & 3, codes >> 2
    used = _put_own(finder, kinds, counts, padded, scratch(), bits, table, reversed_codes, out, writer)
    if used != len(heads) or not len(codes):
        raise FormatError("a carrier's blocks of deflate do not suit its tokens; the file is corrupt")
    return out[: int(writer[BYTES])].tobytes()


def describe(parsed: Parsed, body: bytes, tokens: Int32) -> tuple[Int64, bytes]:
    """Return codes and heads of the blocks of a stream, of which the tokens are all there."""
    codes, heads = [], []
    room, out = scratch(), np.empty(HEAD_BYTES, np.uint8)
    first = start = 0
    for block in parsed.blocks.tolist():
        kind, end = block[KIND], block[RAW_END]
        number = end - start if kind == STORED else block[TOKENS]
        if kind == DYNAMIC:
            head = bits_of(body, block[HEAD], block[BODY])
            count(room, tokens, first, first + number)
            choose_codes(room)
            writer = np.zeros(WRITER, np.int64)
            put_head(room, out, writer)
            align(out, writer)
            if out[: int(writer[BYTES])].tobytes() != head:
                kind = GIVEN
                heads.append(head)
        codes.append(number << 2 | kind)
        first, start = first + number, end
    return np.array(codes, np.int64), b"".join(heads)


def bits_of(body: bytes, first: int, last: int) -> bytes:
    """Return bits of a stream, from the lowest of a byte, filled up with zeros."""
    value = int.from_bytes(body[first >> 3 : (last + 7) >> 3], "little") >> (first & 7)
    size = last - first
    return (value & ((1 << size) - 1)).to_bytes((size + 7) >> 3, "little")
