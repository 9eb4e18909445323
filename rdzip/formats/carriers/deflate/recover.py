"""How a deflate stream was made: settings of zlib that give the same stream again, found by trying them.

The stream is taken apart into tokens once. Each candidate predicts tokens from the data until one differs, which most
do soon. Whose tokens are all the same writes the stream, and the bytes are compared.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdzip.formats import cbor
from rdzip.formats.carriers.carrier import NotCarriedError
from rdzip.formats.carriers.deflate.candidates import candidates, memories
from rdzip.formats.carriers.deflate.codes import STORED
from rdzip.formats.carriers.deflate.own_blocks import describe, write_own
from rdzip.formats.carriers.deflate.parse import FINAL, KIND, RAW_END, Parsed, parse
from rdzip.formats.carriers.deflate.patches import PATCH, follow, pack, to_bytes
from rdzip.formats.carriers.deflate.rebuild import most_steps, stored, write
from rdzip.formats.carriers.deflate.settings import DEFAULT, FILTERED, HUFFMAN, RUNS, Settings
from rdzip.formats.carriers.deflate.tokens import AT, DONE, LOOKAHEAD, WILD, WORK, end_block, find, finder
from rdzip.formats.packing import pack_bytes

FREE_BYTES, TIMES = 1 << 22, 12
"""All candidates together may look at so many bytes, and so many times the data; and at twice the steps of one."""
FREE_RECIPE, FREE_SHARE = 64, 4096
"""Bytes that the sizes of stored blocks may take, and that share of the stream, before settings are looked for."""
SHARE = 4
"""A stream's recipe may have a quarter of its bytes."""
PROBED = 1 << 16
"""Bytes of data on which predictors are compared."""
PREDICTORS = (
    (9, DEFAULT, True), (9, DEFAULT, False), (9, FILTERED, False), (6, DEFAULT, False), (4, DEFAULT, False),
    (1, DEFAULT, False), (3, DEFAULT, False), (6, RUNS, False), (6, HUFFMAN, False),
)  # fmt: skip
"""Levels, strategies, and whether short matches reach far, of what may predict another encoder."""
UNKNOWN = "its deflate stream is of an unknown encoder"


def inflate(stream: bytes | memoryview, most: int, wrapped: bool) -> tuple[bytes, int]:
    """Return what the stream at the start of some bytes inflates to, and how many bytes it has; NotCarriedError if it
    is damaged, cut off, or more than ``most`` bytes come of it.
    """
    inflater = zlib.decompressobj(15 if wrapped else -15)
    try:
        raw = inflater.decompress(stream, most + 1)
    except zlib.error:
        raise NotCarriedError("its deflate stream is damaged") from None
    if len(raw) > most:
        raise NotCarriedError("its deflate stream has more data than the file says")
    if not inflater.eof:
        raise NotCarriedError("its deflate stream is cut off")
    return raw, len(stream) - len(inflater.unused_data)


def recover(stream: bytes | memoryview, most: int, wrapped: bool = True) -> tuple[bytes, Any, int]:
    """Return what a stream inflates to, a recipe from which `rebuild` makes the same stream, and its length.

    - stream: bytes that begin with it; others may follow
    - most: bytes that it may inflate to
    - wrapped: whether it is zlib's, with header and checksum (RFC 1950), or raw

    NotCarriedError if it is damaged, cut off, inflates to more, or is of an unknown encoder.
    """
    raw, consumed = inflate(stream, most, wrapped)
    whole = bytes(stream[:consumed])
    header, body = (whole[:2], whole[2:-4]) if wrapped else (b"", whole)
    parsed = parse(np.frombuffer(body, np.uint8), len(raw))
    if parsed is None:
        raise NotCarriedError(UNKNOWN)
    data = np.frombuffer(raw, np.uint8)
    settings, rest = Settings(0, wrapped=wrapped), _stored_rest(data, parsed, body)
    short = len(pack_bytes(cbor.dumps(rest))) <= FREE_RECIPE + len(body) // FREE_SHARE
    if not rest or header != settings.header or not short:
        found = _search(data, parsed, body, header)
        if found:
            settings, rest = found, []
        elif not rest:
            settings, rest = _patched(data, parsed, body, wrapped)
    other = b"" if header == settings.header else header
    recipe = [settings.number, other, *rest] if other or rest else settings.number
    return raw, recipe, consumed


def _stored_rest(data: NDArray[np.uint8], parsed: Parsed, body: bytes) -> list[Any]:
    """Return the rest of the recipe of a stream that has stored blocks only; [] for others."""
    if np.any(parsed.blocks[:, KIND] != STORED):
        return []
    sizes = np.diff(parsed.blocks[:, RAW_END], prepend=0).tolist()
    if stored(data, sizes) != body:  # bits that mean nothing are set
        return []
    full, left = divmod(len(data), max(1, sizes[0]))
    if sizes[:full] == [sizes[0]] * full and sizes[0]:
        if sizes[full:] == [left] * (left > 0):
            return [sizes[0]]
        if sizes[full:] == [left]:
            return [sizes[0], 1]
    return [sizes]


def _search(data: NDArray[np.uint8], parsed: Parsed, body: bytes, header: bytes) -> Settings | None:
    """Return the settings by which zlib makes the stream of the data, if there are any."""
    if int(parsed.blocks[:, FINAL].sum()) != 1:
        return None
    size = len(data)
    tokens, chain = np.empty(size + 1, np.int32), np.zeros(1 << 15, np.int32)
    failed: dict[tuple[int, int, int], int] = {}
    left, steps = FREE_BYTES + TIMES * size, 2 * most_steps(size)
    for settings in candidates(parsed, header):
        same = settings.level, settings.strategy, settings.memory
        reach = (1 << settings.window) - LOOKAHEAD
        if failed.get(same, reach) < reach:
            continue
        found = finder(data, settings.fields(), tokens, chain)
        done = find(found, parsed.expected, -1, size, min(steps, most_steps(size)))
        seen = int(found.state[AT])
        if done == DONE:
            end_block(found, size)
            if write(settings, found) == body:
                return settings
        elif seen < reach:
            failed[same] = seen
        left -= seen
        steps -= int(found.state[WORK])
        if left < 0 or steps < 0:
            break
    return None


def _patched(data: NDArray[np.uint8], parsed: Parsed, body: bytes, wrapped: bool) -> tuple[Settings, list[Any]]:
    """Return settings whose prediction is near the stream, and the differences; NotCarriedError if these are many."""
    size, most = len(data), len(body) // SHARE
    expected = parsed.expected
    literal = expected[:-1] == WILD
    expected[:-1][literal] = data[literal]
    memory = next(iter(memories(parsed)), 9)
    tokens, chain = np.empty(size + 1, np.int32), np.zeros(1 << 15, np.int32)
    patches = np.empty((most, PATCH), np.int32)
    counts = {}
    for level, strategy, far in PREDICTORS:
        settings = Settings(level, memory, 15, strategy, False, far, wrapped)
        found = finder(data, settings.fields(), tokens, chain)
        counts[settings] = follow(found, expected, min(size, PROBED), most_steps(0), patches)
    likely = [settings for settings, n in counts.items() if n >= 0]
    if not likely:
        raise NotCarriedError(UNKNOWN)
    settings = min(likely, key=counts.__getitem__)
    found = finder(data, settings.fields(), tokens, chain)
    n = follow(found, expected, size, most_steps(size), patches)
    if n < 0 or not size:
        raise NotCarriedError(UNKNOWN)
    rest: list[Any] = [pack(patches[:n])]
    end_block(found, size)
    if write(settings, found) != body:
        codes, heads = describe(parsed, body, tokens)
        rest += [to_bytes(codes.tolist()), heads]
        if write_own(found, codes, heads) != body:
            raise NotCarriedError(UNKNOWN)
    if len(pack_bytes(cbor.dumps(rest))) > most:
        raise NotCarriedError(UNKNOWN)
    return settings, rest
