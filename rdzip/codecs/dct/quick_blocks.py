"""Blocks of a component in layout 1: as blocks.py has them, with few contexts and no fits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rdzip.codecs.dct.blocks import MOST_EXPONENT
from rdzip.exact.compiled import compiled, inlined
from rdzip.exact.types import Float64, Int64
from rdzip.models.dct_mixing.quick import QuickMixer, quick_decision
from rdzip.models.dct_mixing.quick_contexts import (
    END_CONTEXTS,
    END_ROW,
    MOST_MEAN,
    SIGN_CONTEXTS,
    SIGN_ROW,
    SIZE_CONTEXTS,
    Around,
    cross_of,
    dc_size_places,
    end_places,
    left_of,
    sign_places,
    size_places,
    top_of,
)
from rdzip.models.dct_mixing.surroundings import Surroundings, end_block, own, take_in
from rdzip.models.dct_mixing.tables import rounded_down


@inlined
def _code_end(m: QuickMixer, coder: Int64, data: NDArray[np.uint8], decoding: int, end: int) -> int:
    """Code where a block ends, from the highest bit; returns it.

    - m: mixer, with places
    - coder, data, decoding: state of the arithmetic coder, what it reads or writes, and which
    - end: of no meaning when decoding
    """
    m.inputs[END_CONTEXTS] = 0
    node = 1
    for level in range(6):
        bit = (end >> (5 - level)) & 1
        node = 2 * node + quick_decision(m, END_CONTEXTS, node, END_ROW + node, coder, data, decoding, bit)
    return node - 64


@inlined
def _code_size(
    m: QuickMixer, coder: Int64, data: NDArray[np.uint8], decoding: int, k: int, known: int, value: int
) -> int:
    """Code the size of a coefficient relative to its reference; returns it.

    - m, coder, data, decoding: as those of `_code_end`
    - k: place in zigzag order
    - known: whether it is known to be other than 0
    - value: its size; of no meaning when decoding
    """
    row = k * 16
    if known == 0:
        bit = quick_decision(m, SIZE_CONTEXTS, 0, row, coder, data, decoding, 1 if value else 0)
        if bit == 0:
            return 0
    exponent = 0
    while exponent < MOST_EXPONENT:
        node = min(exponent + 1, 8)
        bit = 1 if value >= (2 << exponent) else 0
        bit = quick_decision(m, SIZE_CONTEXTS, node, row + node, coder, data, decoding, bit)
        if bit == 0:
            break
        exponent += 1
    size = 1
    for left in range(exponent - 1, -1, -1):
        node = 8 + min(exponent, 4) if left == exponent - 1 else 13 if left == exponent - 2 else 14
        bit = quick_decision(m, SIZE_CONTEXTS, node, row + node, coder, data, decoding, (value >> left) & 1)
        size = 2 * size + bit
    return size


@compiled
def code_quick_rows(
    s: Surroundings,
    inverse: Float64,
    m: QuickMixer,
    columns: int,
    coder: Int64,
    data: NDArray[np.uint8],
    decoding: int,
    first: int,
    stop: int,
) -> None:
    """Code rows first..stop-1 of blocks.

    - s: surroundings, with the blocks
    - inverse: of quick_contexts.inverses
    - m: mixer and counters
    - columns: of blocks
    - coder, data, decoding: state of the arithmetic coder, what it reads or writes, and which
    - first, stop: which rows
    """
    blocks, places = s.blocks, m.places
    zeros = len(blocks) - 64
    for y in range(first, stop):
        for i in range(16):
            s.left[i] = 0
        for x in range(columns):
            base = (y * columns + x) * 64
            here, above = own(y, columns, x), own(y + 1, columns, x)
            over = base - 64 * columns
            around = Around(
                base - 64 if x > 0 else zeros,
                over if y > 0 else zeros,
                over - 64 if x > 0 and y > 0 else zeros,
                over + 64 if y > 0 and x < columns - 1 else zeros,
            )
            end = 0
            if not decoding:
                for k in range(63, 0, -1):
                    if blocks[base + s.zigzag[k]]:
                        end = k
                        break
            end_places(s, places, base, here, above, x, y)
            end = _code_end(m, coder, data, decoding, end)
            s.ends[here] = end
            sums = 0
            for k in range(end, -1, -1):
                place = s.zigzag[k]
                left, top = left_of(s, inverse, place, x), top_of(s, inverse, place, x, y)
                a, b = rounded_down(left, 8.0), rounded_down(top, 8.0)
                cross = cross_of(s, inverse, base, place)
                reference = 0
                if k:
                    size_places(s, around, places, k, base, a, b, cross, end - k, sums)
                else:
                    mean = (left + top) * 0.5 if x > 0 and y > 0 else left + top
                    mean = min(max(mean, -MOST_MEAN), MOST_MEAN)
                    reference = int(mean + 4096.5) - 4096
                    dc_size_places(s, places, base, here, above, abs(a - b), sums)
                    a, b = rounded_down(left - mean, 8.0), int((mean - np.float64(reference)) * 16.0 + 8.5)
                error = int(np.int64(blocks[base + place])) - reference
                found = _code_size(m, coder, data, decoding, k, 1 if k == end and k > 0 else 0, abs(error))
                if found:
                    sign_places(s, places, k, a, b, cross, found)
                    negative = 1 if error < 0 else 0
                    negative = quick_decision(m, SIGN_CONTEXTS, 0, SIGN_ROW + k, coder, data, decoding, negative)
                    error = -found if negative else found
                else:
                    error = 0
                value: int = min(max(reference + error, -32768), 32767)
                blocks[base + place] = value
                if value:
                    take_in(s, place, value)
                if k:
                    sums += found
                else:
                    s.errors[here] = found
            s.sums[here] = sums
            end_block(s, base, x)
