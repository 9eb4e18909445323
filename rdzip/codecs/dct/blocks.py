"""Blocks of a component, coded one after another: where each ends, its AC coefficients from the last one, its DC."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rdzip.codecs.dct.presets import Mixed
from rdzip.exact.compiled import compiled, inlined
from rdzip.exact.types import Int64, UInt32
from rdzip.models.dct_mixing.contexts import DISTANCE_AC, DISTANCE_DC, Counters, find_buckets, find_sign
from rdzip.models.dct_mixing.decisions import FINAL, FIRST_APM, SECOND_APM, Mixer, code_decision
from rdzip.models.dct_mixing.description import describe
from rdzip.models.dct_mixing.ends import code_end
from rdzip.models.dct_mixing.expectation import expect, learn
from rdzip.models.dct_mixing.features import F
from rdzip.models.dct_mixing.fits import Fits
from rdzip.models.dct_mixing.surroundings import Surroundings, end_block, take_in
from rdzip.models.dct_mixing.tables import signed_class

MOST_EXPONENT = 15
"""Largest floor of log2 of a coefficient, or of a DC's error: |value| < 2**16."""
SIGN_ROW, SIGN_FINAL, SIGN_APM = 1472, 1280, 16384
ZERO_FINAL, SIZE_FINAL = 128, 192
ZERO_APM, SIZE_APM, SIZE_APM_2 = 1024, 2048, 4096
"""Rows from which on signs and sizes have theirs."""


@inlined
def _distance(
    f: Int64, s: Surroundings, counters: Counters, n: Mixed, k: int, reference: int, threshold: float
) -> None:
    """Find the buckets of the contexts that go by how far a decision's threshold of |value| is from the mean."""
    kind, first, stop = (0, DISTANCE_AC[0], DISTANCE_AC[1] + 1) if k else (1, DISTANCE_DC[0], DISTANCE_DC[1] + 1)
    if stop <= (n.contexts if k else n.dc_contexts):
        away = (threshold - abs(s.values[0] - np.float64(reference))) / s.values[1] * 8.0
        f[F.DISTANCE] = signed_class(s.logarithms, int(min(away, 1048576.0)))
        find_buckets(counters, f, kind, first, stop)


@inlined
def _code_size(
    s: Surroundings,
    m: Mixer,
    counters: Counters,
    n: Mixed,
    coder: Int64,
    data: NDArray[np.uint8],
    decoding: int,
    k: int,
    reference: int,
    known: int,
    value: int,
) -> int:
    """Code the size of a coefficient relative to its reference; returns it.

    - s, m, counters, n: surroundings, mixer, counters and numbers
    - coder, data, decoding: state of the arithmetic coder, what it reads or writes, and which
    - k, reference: place in zigzag order, and what it is coded relative to
    - known: whether it is known to be other than 0
    - value: its size; of no meaning when decoding
    """
    f = s.features
    contexts = n.contexts if k else n.dc_contexts
    find_buckets(counters, f, 0 if k else 1, 0, contexts)
    base_0, base_1, base_2 = k * 16, f[F.SIZE2] * 16, min(f[F.TO_END], 15) * 16
    base_3, base_4 = (f[F.SUM] >> 1) * 16, f[F.NEAR2] * 16
    base_5, base_6 = (f[F.END4] * 4 + (k >> 4)) * 16, (f[F.ROW] >> 2) * 128 + (f[F.COLUMN] >> 2) * 16
    exponent = 0
    bits_left = 0
    size = 0
    level = 0  # 0: other than 0?  1..: at least 2**level?  then bits from the highest
    if known:
        level = 1
        size = 1
    while True:
        if bits_left == 0:
            node = min(level, 8)
            threshold = np.float64(1 << level) - 0.5 if level else 0.5
            bit_of_value = 1 if value >= (1 << level) else 0
        else:
            place = exponent - bits_left
            node = 8 + min(exponent, 4) if place == 0 else 13 if place == 1 else 14
            threshold = np.float64((2 * size + 1) << (bits_left - 1)) - 0.5
            bit_of_value = (value >> (bits_left - 1)) & 1
        _distance(f, s, counters, n, k, reference, threshold)
        for i in range(contexts):
            m.places[i] = counters.buckets[i] + node
        m.rows[0] = base_0 + node
        m.rows[1] = base_1 + node
        m.rows[2] = base_2 + node
        m.rows[3] = base_3 + node
        m.rows[4] = base_4 + node
        m.rows[5] = base_5 + node
        m.rows[6] = base_6 + node
        if node:
            m.rows[FINAL] = SIZE_FINAL + node * 64 + k
            m.rows[FIRST_APM] = SIZE_APM + (node * 64 + f[F.SIZE4]) * 8 + (f[F.RATIO] >> 1)
            m.rows[SECOND_APM] = SIZE_APM_2 + (node * 64 + k) * 8 + min(f[F.SIZE1], 7)
        else:
            m.rows[FINAL] = ZERO_FINAL + k
            m.rows[FIRST_APM] = ZERO_APM + f[F.SIZE4] * 16 + f[F.RATIO]
            m.rows[SECOND_APM] = k * 64 + f[F.NEAR4]
        bit = code_decision(m, counters.sizes, contexts, n.mixers, n.refined, coder, data, decoding, bit_of_value)
        if bits_left > 0:
            size = 2 * size + bit
            bits_left -= 1
            if bits_left == 0:
                return size
        elif level == 0:
            if bit == 0:
                return 0
            size = 1
            level = 1
        elif bit and level < MOST_EXPONENT:
            level += 1
        else:
            exponent = level if bit else level - 1
            bits_left = exponent
            if exponent == 0:
                return 1
    return size


@inlined
def _code_sign(
    s: Surroundings,
    m: Mixer,
    counters: Counters,
    n: Mixed,
    coder: Int64,
    data: NDArray[np.uint8],
    decoding: int,
    k: int,
    size: int,
    negative: int,
) -> int:
    """Code whether a coefficient of a size is below its reference; returns that.

    Arguments as those of `_code_size`; negative: of no meaning when decoding.
    """
    f = s.features
    exponent = 0
    while size >> (exponent + 1) > 0:
        exponent += 1
    exponent = min(exponent, 15)
    f[F.MAGNITUDE] = min(exponent, 3)
    f[F.EXPONENT] = exponent
    f[F.VALUE] = min(size, 255)
    count = n.sign_contexts if k else 3
    find_sign(counters, f, 2 if k else 3, count, m.places)
    flipped = 1 if k and s.values[0] < 0.0 else 0
    mean = f[F.SIGN_MEAN] if k else 0
    m.rows[0] = SIGN_ROW + k
    m.rows[1] = SIGN_ROW + 64 + f[F.RATIO] * 4 + f[F.MAGNITUDE]
    m.rows[2] = SIGN_ROW + 128 + f[F.MEAN]
    m.rows[3] = SIGN_ROW + 192 + (f[F.SIGN_LEFT] >> 2) * 16 + (f[F.SIGN_TOP] >> 2)
    m.rows[4] = SIGN_ROW + 448 + f[F.SIZE2]
    m.rows[5] = SIGN_ROW + 512 + f[F.END]
    m.rows[6] = SIGN_ROW + 576 + f[F.TO_END]
    m.rows[FINAL] = SIGN_FINAL + k
    m.rows[FIRST_APM] = SIGN_APM + mean * 16 + exponent
    m.rows[SECOND_APM] = SIGN_APM + k * 16 + f[F.RATIO]
    bit = code_decision(m, counters.signs, count, n.mixers, n.refined, coder, data, decoding, 1 - (negative ^ flipped))
    return 1 - (bit ^ flipped)


@compiled
def code_rows(
    s: Surroundings,
    mean: Fits,
    size: Fits,
    local: Fits,
    m: Mixer,
    counters: Counters,
    end_counters: UInt32,
    n: Mixed,
    columns: int,
    coder: Int64,
    data: NDArray[np.uint8],
    decoding: int,
    first: int,
    stop: int,
) -> None:
    """Code rows first..stop-1 of blocks.

    - s: surroundings, with the blocks
    - mean, size, local: fits
    - m, counters, end_counters: mixer and counters in contexts
    - n: numbers of the preset
    - columns: of blocks
    - coder, data, decoding: state of the arithmetic coder, what it reads or writes, and which
    - first, stop: which rows
    """
    blocks = s.blocks
    for y in range(first, stop):
        for i in range(16):
            s.left[i] = 0
        for x in range(columns):
            base = (y * columns + x) * 64
            own = (y & 1) * (columns + 2) + x + 1
            end = 0
            if not decoding:
                for k in range(63, 0, -1):
                    if blocks[base + s.zigzag[k]]:
                        end = k
                        break
            end = code_end(
                s, m, end_counters, n.end_contexts, n.mixers, n.refined, coder, data, decoding, base, x, y, columns, end
            )
            s.ends[own] = end
            s.sums[own] = 0
            count = 0
            for k in range(end, -1, -1):
                place = s.zigzag[k]
                reference = expect(s, mean, size, local, k, base, x, y, columns, n.soon)
                describe(s, mean.inputs, k, reference, base, x, y, columns, end, count)
                error = int(np.int64(blocks[base + place])) - reference
                known = 1 if k == end and k > 0 else 0
                found = _code_size(s, m, counters, n, coder, data, decoding, k, reference, known, abs(error))
                if found:
                    negative = _code_sign(s, m, counters, n, coder, data, decoding, k, found, 1 if error < 0 else 0)
                    error = -found if negative else found
                else:
                    error = 0
                value: int = min(max(reference + error, -32768), 32767)
                blocks[base + place] = value
                learn(s, mean, size, local, k, value, error, y * columns + x, n.interval, n.soon)
                if value:
                    take_in(s, place, value)
                    if k:
                        count += 1
                        s.sums[own] += found
                if k == 0:
                    s.errors[own] = found
            end_block(s, base, x)
