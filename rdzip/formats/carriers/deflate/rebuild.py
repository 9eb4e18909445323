"""The stream of data and a recipe: what settings of zlib make of the data."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdzip.errors import FormatError
from rdzip.formats.carriers.deflate.blocks import BYTES, WRITER, bound, put_blocks
from rdzip.formats.carriers.deflate.codes import LONGEST_STORED
from rdzip.formats.carriers.deflate.own_blocks import write_own
from rdzip.formats.carriers.deflate.patches import from_bytes, replay, unpack
from rdzip.formats.carriers.deflate.settings import Settings
from rdzip.formats.carriers.deflate.tokens import (
    BLOCKS,
    DONE,
    WORK,
    Finder,
    end_block,
    find,
    finder,
)
from rdzip.formats.carriers.deflate.trees import scratch
from rdzip.system import limits

EVERYTHING = np.zeros(0, np.int32)
"""Any token is expected."""
FREE_STEPS, STEPS_A_BYTE = 1 << 24, 1 << 10
"""Steps of searching that a stream may take."""
SLICE = 1 << 16
"""Bytes of data after which the time that they took is claimed."""
BYTE_TIME, STEP_TIME = 0.03, 0.01
"""Microseconds of a slow core for a byte, and for a step of searching."""
MEMORY_A_BYTE = 8
"""Bytes that rebuilding takes for each byte of data."""
STORED_MEMORY = 256
"""Bytes for each stored block."""
COLUMNS, PATCH_MEMORY = 4, 128
"""Of patches: columns, and bytes for each of their bytes."""
CORRUPT = "a carrier's recipe of deflate is not what it should be; the file is corrupt"


def most_steps(size: int) -> int:
    """Return how many steps of searching the data of a size may take."""
    return FREE_STEPS + STEPS_A_BYTE * size


def write(settings: Settings, found: Finder) -> bytes:
    """Return the raw deflate stream of tokens that were found as zlib writes it."""
    count = int(found.state[BLOCKS])
    out = np.empty(bound(len(found.raw), count), np.uint8)
    writer = np.zeros(WRITER, np.int64)
    put_blocks(
        found.raw, found.tokens, found.blocks, count, settings.strategy, settings.old, scratch(), out, writer
    )  # fmt: skip
    return out[: int(writer[BYTES])].tobytes()


def rebuild(raw: bytes, recipe: Any) -> bytes:
    """Return the stream; FormatError for a recipe that `recover` does not make, or that takes too long.

    - raw: what the stream inflates to
    - recipe: what `recover` returned
    """
    settings, header, rest = _parts(recipe)
    limits.claim_memory(MEMORY_A_BYTE * len(raw), f"a stream of {len(raw)} bytes")
    limits.claim(BYTE_TIME * len(raw), f"a stream of {len(raw)} bytes")
    data = np.frombuffer(raw, np.uint8)
    body = _stored(data, rest) if settings.level == 0 else _deflated(data, settings, rest)
    if not settings.wrapped:
        return body
    return (header or settings.header) + body + zlib.adler32(raw).to_bytes(4, "big")


def _parts(recipe: Any) -> tuple[Settings, bytes, list[Any]]:
    """Return settings, a header other than theirs (or none), and what else there is in a recipe."""
    values = recipe if isinstance(recipe, list) else [recipe]
    if not values or not isinstance(values[0], int) or isinstance(values[0], bool) or values[0] < 0:
        raise FormatError(CORRUPT)
    settings = Settings.of(values[0])
    header = values[1] if len(values) > 1 else b""
    if not isinstance(header, bytes) or len(header) not in (0, 2):
        raise FormatError(CORRUPT)
    return settings, header, values[2:]


def _stored(data: NDArray[np.uint8], rest: list[Any]) -> bytes:
    return stored(data, stored_sizes(len(data), rest))


def _deflated(data: NDArray[np.uint8], settings: Settings, rest: list[Any]) -> bytes:
    found = finder(data, settings.fields(), np.empty(len(data) + 1, np.int32))
    if rest:
        return _patched(found, settings, rest)
    size, claimed = len(data), 0
    for most in (*range(SLICE, size, SLICE), size):
        if find(found, EVERYTHING, -1, most, most_steps(size)) != DONE:
            raise FormatError("a carrier's stream takes too long to deflate again")
        claimed = _claim(found, claimed)
    end_block(found, size)
    return write(settings, found)


def _claim(found: Finder, claimed: int) -> int:
    """Claim the time of the steps so far, of which some were claimed; return how many there are."""
    steps = int(found.state[WORK])
    limits.claim(STEP_TIME * (steps - claimed), f"{steps} steps of deflate's searching")
    return steps


def _patched(found: Finder, settings: Settings, rest: list[Any]) -> bytes:
    """Return the raw stream of another encoder; rest: [columns of patches], or [columns, blocks, heads]."""
    columns, blocks, heads = (*rest, b"", b"")[:3] if len(rest) in (1, 3) else ([], b"", b"")
    if (
        settings.window < 15
        or not isinstance(columns, list)
        or len(columns) != COLUMNS
        or not isinstance(blocks, bytes)
    ):
        raise FormatError(CORRUPT)
    if not all(isinstance(column, bytes) for column in (*columns, heads)):
        raise FormatError(CORRUPT)
    size = len(found.raw)
    limits.claim_memory(PATCH_MEMORY * max(map(len, columns)), "patches of deflate")
    if replay(found, unpack(columns), most_steps(size)) != DONE:
        raise FormatError(CORRUPT)
    _claim(found, 0)
    if len(rest) == 3:
        return write_own(found, from_bytes(blocks), heads)
    end_block(found, size)
    return write(settings, found)


def stored_sizes(size: int, rest: list[Any]) -> list[int]:
    """Return the sizes of the stored blocks of data of a size; FormatError for what is no rest of a recipe.

    rest: [n], blocks of n bytes and one of what is left; [n, 1], with a last one that may be empty; [sizes]
    """
    if len(rest) == 1 and isinstance(rest[0], list):
        sizes = rest[0]
    elif len(rest) in (1, 2) and isinstance(rest[0], int) and rest[0] > 0 and rest[1:] in ([], [1]):
        full, left = divmod(size, rest[0])
        limits.claim_memory(STORED_MEMORY * full, f"{full} stored blocks")
        sizes = [rest[0]] * full + [left] * (left > 0 or full == 0 or len(rest) == 2)
    else:
        raise FormatError(CORRUPT)
    if not all(isinstance(n, int) and 0 <= n <= LONGEST_STORED for n in sizes) or sum(sizes) != size or not sizes:
        raise FormatError(CORRUPT)
    return sizes


def stored(data: NDArray[np.uint8], sizes: list[int]) -> bytes:
    """Return stored blocks of sizes, the last of them final."""
    out, at = [], 0
    for i, n in enumerate(sizes):
        last = i == len(sizes) - 1
        out.append(bytes([last]) + n.to_bytes(2, "little") + (LONGEST_STORED - n).to_bytes(2, "little"))
        out.append(data[at : at + n].tobytes())
        at += n
    return b"".join(out)
