"""Lengths of Huffman codes as zlib finds them, and the codes of RFC 1951 (section 3.2.2).

The two rarest nodes are joined, in a binary heap whose ties go by depth; a code that is too long gives its leaf to a
shorter branch. There are always two codes or more. Ties decide the stream's bytes, so the heap's moves are zlib's.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rdzip.exact.compiled import compiled
from rdzip.exact.types import Int64
from rdzip.formats.carriers.deflate.codes import (
    DISTANCES,
    LENGTH_CODES,
    LITERALS,
)

NODES = 2 * LITERALS + 2
REPEAT, ZEROS, MANY_ZEROS = 16, 17, 18
"""Symbols of the code of lengths: 3..6 times the one before; 3..10 zeros; 11..138 zeros."""
LARGEST_LITERAL, LARGEST_DISTANCE, BITS, FIXED_BITS, TOTALS = range(5)
"""Totals of a block: largest symbols used, bits by its own codes and by the fixed ones, less its head of three."""


class Scratch(NamedTuple):
    """Room for three codes and for the making of one; all int64.

    - literals, distances, lengths: how often each symbol is there; literal_bits, distance_bits, length_bits: the
      lengths of its code; literal_codes, distance_codes, length_codes: the code, reversed
    - heap, depth, parent, weight, node_bits: [NODES]; counts: [17]; totals: [TOTALS]
    """

    literals: Int64
    distances: Int64
    lengths: Int64
    literal_bits: Int64
    distance_bits: Int64
    length_bits: Int64
    literal_codes: Int64
    distance_codes: Int64
    length_codes: Int64
    heap: Int64
    depth: Int64
    parent: Int64
    weight: Int64
    node_bits: Int64
    counts: Int64
    totals: Int64


def scratch() -> Scratch:
    """Return room."""
    sizes = (LITERALS + 2, DISTANCES + 2, LENGTH_CODES) * 3 + (NODES,) * 5 + (17, TOTALS)
    return Scratch(*(np.zeros(size, np.int64) for size in sizes))


@compiled
def _sift(heap: Int64, size: int, at: int, weight: Int64, depth: Int64) -> None:
    """Move a node of a heap (1..size, the smallest first) down to where it belongs."""
    node = heap[at]
    child = 2 * at
    while child <= size:
        a, b = heap[min(child + 1, size)], heap[child]
        if child < size and (weight[a] < weight[b] or (weight[a] == weight[b] and depth[a] <= depth[b])):
            child += 1
            b = a
        if weight[node] < weight[b] or (weight[node] == weight[b] and depth[node] <= depth[b]):
            break
        heap[at] = b
        at = child
        child *= 2
    heap[at] = node


@compiled
def build(room: Scratch, often: Int64, bits: Int64, symbols: int, most: int) -> int:
    """Find the lengths of a code; return the largest symbol used.

    - room: scratch
    - often: [symbols], how often each is there
    - bits: filled with the lengths
    - symbols: how many there are
    - most: the longest code
    """
    heap, depth, parent, weight, node_bits, counts = (
        room.heap, room.depth, room.parent, room.weight, room.node_bits, room.counts
    )  # fmt: skip
    size = 0
    largest = -1
    for i in range(symbols):
        weight[i] = often[i]
        bits[i] = 0
        depth[i] = 0
        if often[i]:
            size += 1
            heap[size] = i
            largest = i
    while size < 2:
        i = 0
        if largest < 2:
            largest += 1
            i = largest
        size += 1
        heap[size] = i
        weight[i] = 1
    for at in range(size // 2, 0, -1):
        _sift(heap, size, at, weight, depth)
    node = symbols
    sorted_from = NODES
    while size >= 2:
        a = heap[1]
        heap[1] = heap[size]
        size -= 1
        _sift(heap, size, np.int64(1), weight, depth)
        b = heap[1]
        heap[sorted_from - 1] = a
        heap[sorted_from - 2] = b
        sorted_from -= 2
        weight[node] = weight[a] + weight[b]
        depth[node] = max(depth[a], depth[b]) + 1
        parent[a] = node
        parent[b] = node
        heap[1] = node
        node += 1
        _sift(heap, size, np.int64(1), weight, depth)
    sorted_from -= 1
    heap[sorted_from] = heap[1]
    for i in range(17):
        counts[i] = 0
    node_bits[heap[sorted_from]] = 0
    excess = 0
    for at in range(sorted_from + 1, NODES):
        i = heap[at]
        length = node_bits[parent[i]] + 1
        if length > most:
            length = most
            excess += 1
        node_bits[i] = length
        if i < symbols:
            counts[length] += 1
    if excess > 0:
        while excess > 0:
            length = most - 1
            while counts[length] == 0:
                length -= 1
            counts[length] -= 1
            counts[length + 1] += 2
            counts[most] -= 1
            excess -= 2
        at = NODES
        for length in range(most, 0, -1):
            left = counts[length]
            while left > 0:
                at -= 1
                if heap[at] < symbols:
                    node_bits[heap[at]] = length
                    left -= 1
    for at in range(sorted_from, NODES):
        i = heap[at]
        if i < symbols:
            bits[i] = node_bits[i]
    return largest


@compiled
def codes(bits: Int64, reversed_codes: Int64, symbols: int, counts: Int64) -> None:
    """Find the codes of lengths, the first bit in the lowest place; counts: room, [17]."""
    for i in range(17):
        counts[i] = 0
    for i in range(symbols):
        counts[bits[i]] += 1
    counts[0] = 0
    code = 0
    for length in range(1, 17):
        n = counts[length]
        counts[length] = code
        code = (code + n) << 1
    for i in range(symbols):
        n = bits[i]
        if n:
            code = counts[n]
            counts[n] += 1
            back = 0
            for _ in range(n):
                back = back << 1 | (code & 1)
                code >>= 1
            reversed_codes[i] = back


@compiled
def count_lengths(lengths: Int64, bits: Int64, largest: int) -> None:
    """Count the symbols that describe the lengths of a code up to its largest symbol."""
    before = -1
    i = 0
    while i <= largest:
        value = bits[i]
        run = 1
        most = 138 if value == 0 else 7 if value != before else 6
        while i + run <= largest and run < most and bits[i + run] == value:
            run += 1
        if value == 0:
            if run < 3:
                lengths[0] += run
            elif run <= 10:
                lengths[ZEROS] += 1
            else:
                lengths[MANY_ZEROS] += 1
        elif value != before:
            if run < 4:
                lengths[value] += run
            else:
                lengths[value] += 1
                lengths[REPEAT] += 1
        elif run < 3:
            lengths[value] += run
        else:
            lengths[REPEAT] += 1
        before = value
        i += run


@compiled
def cost(often: Int64, bits: Int64, extra: Int64) -> int:
    """Bits of symbols by a code of these lengths, those beyond the codes included."""
    total = 0
    for i in range(len(extra)):
        total += often[i] * (bits[i] + extra[i])
    return total


@compiled
def last_length(bits: Int64, order: Int64) -> int:
    """How many lengths of the code of lengths are written."""
    n = len(order)
    while n > 4 and bits[order[n - 1]] == 0:
        n -= 1
    return n
