"""Philox4x32-10: random words that depend on a seed, a stream and a position, and on nothing else.

Counter-based generator of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011),
in integer arithmetic, so that encoder and decoder draw the same words on every machine. docs/reference/random.md
specifies how seed, stream and position become key and counter, with test vectors.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rdzip.errors import InputError

ROUNDS = 10
MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
WEYL = (0x9E3779B9, 0xBB67AE85)

_MASK = 0xFFFFFFFF
_CHUNK = 1 << 14  # blocks at a time: what the rounds work on then stays in the processor's cache


def block(key: ArrayLike, counters: ArrayLike) -> NDArray[np.uint32]:
    """Philox4x32-10 of each counter under one key.

    key: 2 words of 32 bits. counters: [n, 4] words of 32 bits. Returns [n, 4] uint32. Raises InputError for other
    shapes or values.
    """
    first, second = (int(word) for word in _words(key, (2,)))
    blocks = _words(counters, (None, 4))
    out = np.empty(blocks.shape, np.uint32)
    for start in range(0, len(blocks), _CHUNK):
        part = slice(start, start + _CHUNK)
        out[part] = np.stack(_rounds(first, second, *blocks[part].astype(np.uint64).T), axis=1)
    return out


class Philox:
    """The words of one stream of one seed, each at its own position, in any order.

    seed, stream: 0 to 2**64 - 1. Different pairs give unrelated words. Raises InputError for other values.

    >>> words = Philox(seed=7).words(0, 100)
    >>> bool((Philox(seed=7).words(40, 60) == words[40:]).all())
    True
    """

    def __init__(self, seed: int, stream: int = 0) -> None:
        for name, value in (("seed", seed), ("stream", stream)):
            if not 0 <= value < 1 << 64:
                raise InputError(f"the random generator's {name} must be 0 to 2**64 - 1, {value} was given")
        self._key = (seed & _MASK, seed >> 32)
        self._stream = (stream & _MASK, stream >> 32)

    def words(self, start: int, count: int) -> NDArray[np.uint32]:
        """Words at the positions start, ..., start + count - 1, as [count] uint32.

        Word i is word i mod 4 of the block with the counter (i div 4, stream). Positions reach to 2**66 - 1; raises
        InputError beyond that.
        """
        if start < 0 or count < 0 or start + count > 1 << 66:
            raise InputError(f"random words are at positions 0 to 2**66 - 1: {count} from {start} were asked for")
        out = np.empty((-(-(start % 4 + count) // 4), 4), np.uint32)
        stream = [np.uint64(word) for word in self._stream]
        for begin in range(0, len(out), _CHUNK):
            part = out[begin : begin + _CHUNK]
            index = np.uint64(start // 4 + begin) + np.arange(len(part), dtype=np.uint64)
            counter = (index & np.uint64(_MASK), index >> np.uint64(32), *(np.full_like(index, w) for w in stream))
            part[:] = np.stack(_rounds(*self._key, *counter), axis=1)
        return out.reshape(-1)[start % 4 : start % 4 + count]


def _rounds(
    key0: int,
    key1: int,
    x0: NDArray[np.uint64],
    x1: NDArray[np.uint64],
    x2: NDArray[np.uint64],
    x3: NDArray[np.uint64],
) -> tuple[NDArray[np.uint64], ...]:
    """The ten rounds on four columns of 32-bit words, each held in 64 bits."""
    mask, half = np.uint64(_MASK), np.uint64(32)
    for _ in range(ROUNDS):
        product0, product1 = x0 * np.uint64(MULTIPLIERS[0]), x2 * np.uint64(MULTIPLIERS[1])
        x0, x1 = (product1 >> half) ^ x1 ^ np.uint64(key0), product1 & mask
        x2, x3 = (product0 >> half) ^ x3 ^ np.uint64(key1), product0 & mask
        key0, key1 = (key0 + WEYL[0]) & _MASK, (key1 + WEYL[1]) & _MASK
    return x0, x1, x2, x3


def _words(values: ArrayLike, shape: tuple[int | None, ...]) -> NDArray[np.uint32]:
    array = np.asarray(values)
    fits = array.ndim == len(shape) and all(want in (None, have) for want, have in zip(shape, array.shape, strict=True))
    if (
        not fits
        or array.dtype.kind not in "iu"
        or (array.size and not 0 <= int(array.min()) <= int(array.max()) <= _MASK)
    ):
        raise InputError(f"Philox takes 32-bit words of shape {shape}, {array.dtype} of shape {array.shape} was given")
    return array.astype(np.uint32)
