"""Huffman tables of a JPEG: as segments have them, as decoders and encoders use them, and the usual ones.

Source: ITU-T T.81, annex C (codes), annex F.2.2.3 (decoding), annex K.2 (optimal tables),
annex K.3.3 (tables K.3 to K.6).
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import NamedTuple

import numpy as np

from rdzip.exact.types import Int32, Int64

LOOK = 9
"""Bits of a code that are looked up at once."""


class Huffman(NamedTuple):
    """A table for decoding and encoding.

    - look: int32 [2**LOOK], 256 * length + symbol of the code that bits begin with, 0 for a longer one
    - most: int64 [18], largest code of each length, -1 for none; first: what is to be taken from a code for its place
    - symbols: int64 [256]
    - codes: int32 [256], 32 * code + length of each symbol, 0 for none
    """

    look: Int32
    most: Int64
    first: Int64
    symbols: Int64
    codes: Int32


def huffman(body: bytes) -> Huffman:
    """Return the table of 16 numbers of codes and the symbols; ValueError where the codes do not fit."""
    counts, listed = body[:16], body[16:]
    look, codes = np.zeros(1 << LOOK, np.int32), np.zeros(256, np.int32)
    most, first, symbols = np.full(18, -1, np.int64), np.zeros(18, np.int64), np.zeros(256, np.int64)
    symbols[: len(listed)] = list(listed)
    code = at = 0
    for length in range(1, 17):
        first[length] = code - at
        for _ in range(counts[length - 1]):
            if code >= 1 << length:
                raise ValueError("more codes than there can be")
            codes[listed[at]] = 32 * code + length
            if length <= LOOK:
                shift = LOOK - length
                look[code << shift : (code + 1) << shift] = 256 * length + listed[at]
            code += 1
            at += 1
        if counts[length - 1]:
            most[length] = code - 1
        code *= 2
    return Huffman(look, most, first, symbols, codes)


def _ac(counts: str, symbols: str) -> bytes:
    return bytes.fromhex(counts) + bytes.fromhex(symbols)


USUAL = {
    0x00: _ac("00010501010101010100000000000000", "000102030405060708090a0b"),
    0x01: _ac("00030101010101010101010000000000", "000102030405060708090a0b"),
    0x10: _ac(
        "0002010303020403050504040000017d",
        "0102030004110512213141061351610722711432"
        "8191a1082342b1c11552d1f02433627282090a161718191a25262728292a3435363738393a43444546474849"
        "4a535455565758595a636465666768696a737475767778797a838485868788898a92939495969798999aa2a3"
        "a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9ea"
        "f1f2f3f4f5f6f7f8f9fa",
    ),
    0x11: _ac(
        "00020102040403040705040400010277",
        "0001020311040521310612415107617113223281"
        "08144291a1b1c109233352f0156272d10a162434e125f11718191a262728292a35363738393a434445464748"
        "494a535455565758595a636465666768696a737475767778797a82838485868788898a92939495969798999a"
        "a2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5d6d7d8d9dae2e3e4e5e6e7e8e9"
        "eaf2f3f4f5f6f7f8f9fa",
    ),
}
"""The tables of annex K.3.3 by class and number, Tc and Th as a segment has them: what most encoders use."""

OPTIMAL = 2
"""What a skeleton has for a table that is the optimal one of the next scan, alone in its segment; 1: the usual one."""
LONGEST_CODE, NO_SYMBOL = 16, 256
"""Bits of a code; a symbol that is none has the last code, all ones, which is never used."""


def optimal(counts: Int64) -> bytes:
    """Return the table that annex K.2 makes of counts of symbols, int64 [256], as a segment has it, b"" of none."""
    heap = [(count, -symbol) for symbol, count in enumerate(counts.tolist()) if count]
    if not heap:
        return b""
    heap.append((1, -NO_SYMBOL))
    heapify(heap)
    lengths, trees = [0] * 257, [[symbol] for symbol in range(257)]
    while len(heap) > 1:
        (count, one), (more, other) = heappop(heap), heappop(heap)
        trees[-one] += trees[-other]
        for symbol in trees[-one]:
            lengths[symbol] += 1
        heappush(heap, (count + more, one))
    numbers = [lengths.count(length) for length in range(258)]
    numbers[0] = 0
    for length in range(257, LONGEST_CODE, -1):  # figure K.3
        while numbers[length]:
            shorter = next(n for n in range(length - 2, 0, -1) if numbers[n])
            numbers[length] -= 2
            numbers[length - 1] += 1
            numbers[shorter + 1] += 2
            numbers[shorter] -= 1
    numbers[max(length for length in range(LONGEST_CODE + 1) if numbers[length])] -= 1
    symbols = sorted((length, symbol) for symbol, length in enumerate(lengths[:NO_SYMBOL]) if length)
    return bytes(numbers[1 : LONGEST_CODE + 1]) + bytes(symbol for _, symbol in symbols)
